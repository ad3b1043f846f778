"""`python -m bench.media [--short]`: what is promised of media figures, measured; writes docs/media-accuracy.md."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import readycheck
from bench.media import exactness, load
from bench.media.promise import Header, Promise, lines, page
from bench.media.stage import ROOT, stage
from bench.table import remark
from tests.lab.forwarder import Wire

PAGE = ROOT / "docs" / "media-accuracy.md"
_TOOLS = ("irtt", "iperf3", "nft", "ip", "taskset", "nsenter", "unshare")


def main(arguments: Sequence[str]) -> int:
    if unknown := [one for one in arguments if one != "--short"]:
        sys.stderr.write(f"bench.media: unknown: {', '.join(unknown)} (known: --short)\n")
        return 2
    short = "--short" in arguments
    lacking = [tool for tool in _TOOLS if which(tool) is None]
    if lacking or os.geteuid():
        sys.stdout.write(f"media: NOT MEASURED: {', '.join(lacking) or 'this user is not root'}\n")
        return 1
    began, busy = time.monotonic(), _busy_share()
    promises = _measured(short)
    header = Header(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        version=readycheck.__version__,
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        cores=os.cpu_count() or 1,
        minutes=(time.monotonic() - began) / 60,
        short=short,
        busy_share=busy,
    )
    wires = [(name, _in_words(wire)) for name, wire in exactness.WIRES.items()]
    PAGE.write_text(page(promises, wires, header))
    sys.stdout.write("".join(f"{line}\n" for line in lines(promises)))
    remark(f"{header.minutes:.1f} minutes; {PAGE.relative_to(ROOT)} is written")
    return 0 if all(promise.kept for promise in promises) else 1


def _measured(short: bool) -> list[Promise]:
    with stage() as here:
        cases = []
        for name in exactness.WIRES:
            remark(f"the way {name}")
            cases.append(exactness.play(here, name, 4.0 if short else 15.0))
        promises = exactness.promises(cases)
        remark(f"{load.FIFTY} streams")
        promises += load.fifty(here, 6.0 if short else 60.0)
        remark(f"{load.CROWD} streams")
        promises += load.crowd(here, 4.0 if short else 20.0)
        remark("a flood")
        promises += load.flood(here, 4.0 if short else 20.0)
        remark("a binding of NAT")
        return promises + load.binding(here)


def _busy_share() -> float:
    """Of all processors, in the second before the measurement."""
    before = _ticks()
    time.sleep(1.0)
    idle, total = (after - first for after, first in zip(_ticks(), before, strict=True))
    return 1 - idle / total


def _ticks() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])


def _in_words(wire: Wire) -> str:
    plain = asdict(Wire())
    return ", ".join(f"{name} {value:g}" for name, value in asdict(wire).items() if value != plain[name])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
