"""Where a run is kept, and that it is; nothing of the database is imported before its report is out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.cli.output import complain
from readycheck.errors import ReadycheckError

if TYPE_CHECKING:
    from readycheck.history.place import Place
    from readycheck.observation import Remembered
    from readycheck.report import Report


def store_at(store: str | None, no_store: bool = False) -> "Place | None":
    """None for nowhere. Raises `UsageError` before the run for what cannot be a place."""
    from readycheck.history.place import NOWHERE, place_of

    return None if no_store or store == NOWHERE else place_of(store)


@contextmanager
def stored(report: "Report", place: "Place | None") -> Iterator[None]:
    """Keep the run after what is done meanwhile, whether or not that fails; the verdict is what it is."""
    try:
        yield
    finally:
        if place is not None:
            from readycheck.history.keep import keep

            complain(keep(report, place))
            _remember(report)


def remembered(profile: str, site: str | None, place: "Place | None") -> "tuple[Remembered, ...]":
    """Whoever keeps no runs remembers nothing of them either."""
    from readycheck.history.remembered import load

    return load(profile, site) if place is not None and not _is_stand_in() else ()


def _is_stand_in() -> bool:
    """Where a fence of namespaces holds the program, no address is the vendor's."""
    return "READYCHECK_ONLY_NETNS" in os.environ


def _remember(report: "Report") -> None:
    from readycheck.history.remembered import remember

    if _is_stand_in():
        return
    try:
        remember(report)
    except OSError as error:
        complain([f"the addresses that answered are not remembered: {error.strerror or error}"])


@contextmanager
def storing_demo(place: "Place | None") -> Iterator[list[str]]:
    """Arguments for the agent: it lives where no database can be reached, and leaves its report in a file."""
    if place is None:
        yield []
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="readycheck-") as folder:
        file = Path(folder) / "report.json"
        yield ["--output", str(file)]
        if file.exists():
            complain(_kept(file, place))


def _kept(file: Path, place: "Place") -> list[str]:
    from readycheck.history.keep import keep
    from readycheck.history.place import TWIN
    from readycheck.report import load

    try:
        return keep(load(file.read_bytes(), "the demo's report"), place, TWIN)
    except (OSError, ReadycheckError) as error:
        return [f"this run is not kept: {error}"]
