"""What the distributions of this installation bring: their entry points, read once for a process."""

import importlib.metadata
from functools import cache


@cache
def entry_points(*, group: str) -> importlib.metadata.EntryPoints:
    """Those of a group; a look at every distribution costs as much as a profile does."""
    return importlib.metadata.entry_points(group=group)
