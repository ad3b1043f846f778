"""`--baseline`: the run to compare with, from a file or from the store, and the report that says what changed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from readycheck.cli.output import complain
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.history.place import Place
    from readycheck.report import Report

LARGEST = 256 << 20
_OF_THE_STORE = ("last", "last-good")
_STAND_IN = "twin"


class Runs(Protocol):
    """The stored runs, as far as a baseline needs them: each of these answers None where there is no such run."""

    def last(self, site: str | None, profile: str) -> "Report | None": ...

    def last_good(self, site: str | None, profile: str) -> "Report | None": ...

    def run(self, id: str) -> "Report | None": ...


def is_file(text: str) -> bool:
    """A path has a slash or ends as reports do; all else is a word or a run of the store."""
    return "/" in text or "\\" in text or text.endswith(".json")


def find(
    text: str, *, site: str | None, profile: str, runs: Runs | None = None, place: "Place | None" = None
) -> "Report | None":
    """The baseline, of these runs or of those that are kept at a place. None for the first run of a site.

    Raises `UsageError` for what is no baseline of this site and profile.
    """
    if is_file(text):
        return _fitting(text, read(text, f"--baseline {text}"), site=site, profile=profile)
    if runs is None and place is not None:
        from readycheck.history.baseline import Kept
        from readycheck.history.place import StoreError

        try:
            return find(text, site=site, profile=profile, runs=Kept(place))
        except StoreError as error:  # the run counts without a comparison, too
            complain([f"--baseline {text}: {error}"])
            return None
    if runs is None:
        raise UsageError(
            f"--baseline {text}: no run is kept; give a report's file (a path, or ending in .json)"
        )
    if text in _OF_THE_STORE:
        return runs.last(site, profile) if text == "last" else runs.last_good(site, profile)
    try:
        found = runs.run(text)
    except UsageError as error:
        raise UsageError(f"--baseline {error}") from None
    if found is None:
        raise UsageError(
            f"--baseline {text}: no such run is kept, and it is neither last, last-good nor a file"
        )
    return _fitting(text, found, site=site, profile=profile)


def read(text: str, origin: str) -> "Report":
    """The report in a file; `origin` is what the complaint begins with."""
    from readycheck.report import load

    path = Path(text)
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{origin}: larger than any report")
        return load(path.read_bytes(), origin)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{origin}: {reason}") from None


def _fitting(text: str, report: "Report", *, site: str | None, profile: str) -> "Report":
    if report.run.profile != profile:
        raise UsageError(
            f"--baseline {text}: a run of {ascii(report.run.profile)[1:-1][:80]}, not of {profile}"
        )
    if report.run.site == _STAND_IN and site != _STAND_IN:
        raise UsageError(f"--baseline {text}: a run of the demo says nothing about this network")
    return report


def compared(report: "Report", baseline: "Report | None") -> "Report":
    """The report with what changed since."""
    if baseline is None:
        return report
    from readycheck.comparison.compare import compare

    return replace(report, comparison=compare(baseline, report))
