"""Vendor addresses that answered, by profile and site: a small file beside the pins, read before a run.

Not in the database, which no run waits for.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from readycheck.history.place import TWIN
from readycheck.observation import Remembered

if TYPE_CHECKING:
    from readycheck.report import Report

MOST, MOST_NEAR = 64, 4
"""So that the samples stay samples: a network's own are drawn beside these."""
AGE = timedelta(days=30)
_LARGEST = 1_000_000
_TRUSTED = ("ready", "warnings")
"""Verdicts; on a network that fails, whoever answers need not be the vendor."""


def load(profile: str, site: str | None, base: Path | None = None) -> tuple[Remembered, ...]:
    """Those seen last come first. None where the file is missing, or is of no use: a run needs none."""
    found = _read(_file(profile, base)).get(site or "", {})
    return tuple(sorted(found.values(), key=lambda one: one.last, reverse=True))


def remember(report: "Report", base: Path | None = None) -> None:
    """Add those that answered this run. Raises `OSError`."""
    site = report.run.site or ""
    if site == TWIN or report.verdict.value not in _TRUSTED:
        return
    file = _file(report.run.profile, base)
    known = _read(file)
    before, now = known.get(site, {}), report.run.started_at
    met = before | {
        one: Remembered(one, before[one].since if one in before else now, now) for one in _answered(report)
    }
    kept = {one.address: one for one in _kept(met.values(), report)}
    if kept == before:
        return
    sites = {
        place: those for place, those in known.items() if any(_is_usable(one, now) for one in those.values())
    }
    text = json.dumps(
        {
            place: {one.address: [one.since, one.last] for one in those.values()}
            for place, those in {**sites, site: kept}.items()
        },
        indent=1,
    )
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _answered(report: "Report") -> Iterator[str]:
    """Of the product's own networks, directly and with the answer that was asked for."""
    for check in report.checks:
        if check.scope.value != "sampled" or not check.target.network:
            continue
        for seen in check.observations:
            address = seen.target.address
            if address and seen.failure is None and seen.step is check.proves and not seen.target.via:
                yield address


def _kept(met: Iterable[Remembered], report: "Report") -> Iterator[Remembered]:
    """The latest of each neighbourhood, none older than a month, and none from a clock that was ahead."""
    now = report.run.started_at
    room: Counter[str] = Counter()
    number = 0
    past = (Remembered(one.address, min(one.since, now), min(one.last, now)) for one in met)
    for one in sorted(past, key=lambda one: (one.last, one.address), reverse=True):
        if not _is_usable(one, now):
            continue
        near = _neighbourhood(one.address)
        room[near] += 1
        if room[near] <= MOST_NEAR and number < MOST:
            number += 1
            yield one


def _neighbourhood(address: str) -> str:
    return str(ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


def _is_usable(one: Remembered, now: str) -> bool:
    found = ip_address(one.address)
    real = not (found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local)
    return real and datetime.fromisoformat(now) - datetime.fromisoformat(one.last) <= AGE


def _read(file: Path) -> dict[str, dict[str, Remembered]]:
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    found = {site: _addresses(those) for site, those in data.items() if isinstance(those, dict)}
    return {site: {one.address: one for one in those} for site, those in found.items()}


def _addresses(found: Mapping[str, object]) -> Iterator[Remembered]:
    """What is no address was not written by us; earlier versions knew the last time alone."""
    for address, seen in found.items():
        since, last = seen if isinstance(seen, list) and len(seen) == 2 else (seen, seen)
        try:
            ip_address(address)
        except ValueError:
            continue
        if _is_moment(since) and _is_moment(last):
            yield Remembered(address, since, last)


def _is_moment(text: object) -> TypeGuard[str]:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _file(profile: str, base: Path | None) -> Path:
    from platformdirs import user_data_path

    folder = base or user_data_path("readycheck", appauthor=False) / "remembered"
    return folder / f"{profile}.json"
