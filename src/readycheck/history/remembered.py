"""Vendor addresses that answered, by profile and site: a small file beside the pins, read before a run.

Not in the database, which no run waits for.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.history.place import TWIN

if TYPE_CHECKING:
    from readycheck.report import Report

MOST, MOST_NEAR = 64, 4
"""So that the samples stay samples: a network's own are drawn beside these."""
AGE = timedelta(days=30)
_LARGEST = 1_000_000
_TRUSTED = ("ready", "warnings")
"""Verdicts; on a network that fails, whoever answers need not be the vendor."""


def load(profile: str, site: str | None, base: Path | None = None) -> tuple[str, ...]:
    """Those seen last come first. None where the file is missing, or is of no use: a run needs none."""
    found = _read(_file(profile, base)).get(site or "", {})
    return tuple(sorted(found, key=lambda address: found[address], reverse=True))


def remember(report: "Report", base: Path | None = None) -> None:
    """Add those that answered this run. Raises `OSError`."""
    site = report.run.site or ""
    if site == TWIN or report.verdict.value not in _TRUSTED:
        return
    file = _file(report.run.profile, base)
    known = _read(file)
    met = known.get(site, {}) | dict.fromkeys(_answered(report), report.run.started_at)
    kept = dict(_kept(met, report))
    if kept == known.get(site, {}):
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        beside.write_text(json.dumps({**known, site: kept}, indent=1) + "\n", encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _answered(report: "Report") -> Iterator[str]:
    """Of the product's own networks, directly and with the answer that was asked for."""
    for check in report.checks:
        if check.scope.value != "sampled" or not check.target.network:
            continue
        for seen in check.observations:
            if seen.failure is None and seen.step is check.proves and not seen.target.via:
                yield seen.target.address or ""


def _kept(met: Mapping[str, str], report: "Report") -> Iterator[tuple[str, str]]:
    """The latest of each neighbourhood, none older than a month."""
    oldest = datetime.fromisoformat(report.run.started_at) - AGE
    room: Counter[str] = Counter()
    number = 0
    for address in sorted(met, key=lambda one: (met[one], one), reverse=True):
        if not _is_usable(address, met[address], oldest):
            continue
        near = _neighbourhood(address)
        room[near] += 1
        if room[near] <= MOST_NEAR and number < MOST:
            number += 1
            yield address, met[address]


def _neighbourhood(address: str) -> str:
    return str(ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


def _is_usable(address: str, seen: str, oldest: datetime) -> bool:
    try:
        found = ip_address(address)
        real = not (found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local)
        return real and datetime.fromisoformat(seen) >= oldest
    except (ValueError, TypeError):
        return False


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {site: dict(_addresses(found)) for site, found in data.items() if isinstance(found, dict)}


def _addresses(found: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What is no address was not written by us."""
    for address, seen in found.items():
        try:
            ip_address(address)
        except ValueError:
            continue
        if isinstance(seen, str):
            yield address, seen


def _file(profile: str, base: Path | None) -> Path:
    from platformdirs import user_data_path

    folder = base or user_data_path("readycheck", appauthor=False) / "remembered"
    return folder / f"{profile}.json"
