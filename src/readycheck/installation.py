"""What the distributions of this installation bring: their entry points, read once for a process."""

import importlib.metadata
from functools import cache
from typing import Any


def entry_points(*, group: str) -> importlib.metadata.EntryPoints:
    """Those of a group."""
    found: importlib.metadata.EntryPoints = _every().select(group=group)
    return found


@cache
def _every() -> Any:
    """A look at every distribution costs as much as a profile does."""
    return importlib.metadata.entry_points()
