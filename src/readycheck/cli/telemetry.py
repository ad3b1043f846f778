"""`--otlp`: who gets the trace and the metrics of a run. Nothing of that costs the run its verdict."""

import os
from typing import TYPE_CHECKING

from readycheck.cli.output import complain
from readycheck.net.guard import ONLY_NETNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from readycheck.report import Report


def telemetry(url: str | None) -> "Callable[[Report], None]":
    """What sends it, and says on stderr what did not arrive. Raises `UsageError` before the run."""
    if url is None and not _is_told():
        return lambda report: None
    from readycheck.telemetry.collector import collector

    found = collector(url, os.environ)
    return lambda report: complain(found.send(report)) if found else None


def _is_told() -> bool:
    """Asked before anything is imported for it. The variables do not mean a stand-in world."""
    if ONLY_NETNS in os.environ:
        return False
    return any(name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") for name in os.environ)
