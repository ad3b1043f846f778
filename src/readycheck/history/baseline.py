"""Stored runs as baselines: the last of a site, the last good one, or one by its id."""

from collections.abc import Callable

from readycheck.engine import RunState
from readycheck.history.place import Place
from readycheck.history.store import NoSuchRunError, Store, Wanted, opened
from readycheck.history.summary import Summary
from readycheck.report import Report
from readycheck.verdict import Readiness

_FEW, _MOST = 5, 10_000
"""Mostly one of the last few will do, and nobody waits for all of them to be read."""
_GOOD = (Readiness.READY.value, Readiness.WARNINGS.value)


class Kept:
    """The runs of one place. All of it raises `StoreError` where they cannot be read."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def last(self, site: str | None, profile: str) -> Report | None:
        """The last whole run; None before the first, and where no run was ever kept."""
        return self._latest(site, profile, lambda run: run.state == RunState.COMPLETE.value)

    def last_good(self, site: str | None, profile: str) -> Report | None:
        """The last run that was ready, if with warnings."""
        return self._latest(site, profile, is_good)

    def run(self, id: str) -> Report | None:
        """By the beginning of its id. Raises `UsageError` where that is not enough, or its report is not there."""
        if self._is_empty():
            return None
        with opened(self._place) as store:
            try:
                found = store.find(id)
            except NoSuchRunError:
                return None
            return store.report(found)

    def _latest(self, site: str | None, profile: str, fits: Callable[[Summary], bool]) -> Report | None:
        if self._is_empty():
            return None
        with opened(self._place) as store:
            return latest(store, site, profile, fits)

    def _is_empty(self) -> bool:
        return self._place.file is not None and not self._place.file.exists()


def is_good(run: Summary) -> bool:
    return run.verdict in _GOOD


def latest(store: Store, site: str | None, profile: str, fits: Callable[[Summary], bool]) -> Report | None:
    for most in (_FEW, _MOST):
        runs = store.recent(Wanted(site=site or "", profile=profile), most)
        if found := next((run for run in runs if run.kept and fits(run)), None):
            return store.report(found)
    return None
