"""Plays every network of the fault matrix and writes what came of it: `python -m tests.lab.matrix`, or `make matrix`.

Each is played once by an ordinary user and once with CAP_NET_RAW, and some against further products. Takes about an
hour of a machine that does nothing else; as root.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from readycheck import __version__

from .agent import warm_up
from .judging import Row, failed, judged
from .machine import LabError
from .page import Header, page
from .scenario import Scenario, scenarios
from .score import score
from .stage import WORLDS, Play, ProgramMissing, Stage
from .today import Heard, compare

PAGE = Path("docs/accuracy.md")
ROWS = TypeAdapter(tuple[Row, ...])
HEARD = TypeAdapter(tuple[Heard, ...])


def plays(chosen: Iterable[Scenario], *, raw: bool = True) -> list[Play]:
    """Those of one profile after each other, because each needs a world of its own."""
    found = [Play(s, profile, with_raw) for s in chosen for profile, with_raw in _ways(s, raw)]
    return sorted(found, key=lambda play: (play.profile != "webex-calling", play.profile))


def _ways(scenario: Scenario, raw: bool) -> Iterator[tuple[str, bool]]:
    yield scenario.profile, False
    if raw:
        yield scenario.profile, True
    yield from ((profile, False) for profile in scenario.also)


def play_all(wanted: Sequence[Play], worlds: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="readycheck-lab-bytecode-") as name:
        bytecode = Path(name)
        bytecode.chmod(0o755)
        warm_up(bytecode)
        stage = Stage(bytecode, worlds)
        stage.announce(wanted)
        try:
            return [_tell(number, len(wanted), row(stage, play)) for number, play in enumerate(wanted, 1)]
        finally:
            stage.close()


def row(stage: Stage, play: Play) -> Row:
    try:
        done = stage.play(play)
    except (ProgramMissing, LabError, LookupError) as error:
        return failed(play.scenario, play.profile, play.raw, str(error)[:300])
    return judged(done.scenario, play.profile, play.raw, done.run)


def _tell(number: int, of: int, one: Row) -> Row:
    head = f"[{number}/{of}] {one.scenario} {one.profile}{' raw' if one.raw else ''}"
    sys.stderr.write(f"{head}: {'; '.join(one.wrong) if one.wrong else 'right'}\n")
    return one


def main() -> int:
    options = _options()
    chosen = [s for s in scenarios() if not options.names or {s.name, s.topic} & set(options.names)]
    began = time.monotonic()
    if options.rows:
        rows, heard, header = _kept(options.rows)
        if options.again:
            rows, header = mended(rows, _kept(options.again)[0], header)
    else:
        rows = tuple(play_all(plays(chosen, raw=not options.no_raw), options.worlds))
        heard = () if options.no_comparison else tuple(compare())
        header = _header(options, time.monotonic() - began)
    if options.save:
        stored = {
            "header": asdict(header),
            "rows": list(map(asdict, rows)),
            "heard": list(map(asdict, heard)),
        }
        options.save.write_text(json.dumps(stored, indent=1) + "\n")
    options.page.write_text(page(rows, heard, header))
    sys.stderr.write(f"{options.page} is written\n")
    if overcome := sorted(
        {one.scenario for one in rows if one.beyond} - {one.scenario for one in rows if one.wrong}
    ):
        sys.stderr.write(f"`beyond` holds no longer: {', '.join(overcome)}\n")
    return int(any(one.blamed or one.unmeasured or one.problem for one in rows if not one.beyond))


def _kept(file: Path) -> tuple[tuple[Row, ...], tuple[Heard, ...], Header]:
    stored = json.loads(file.read_text())
    header = TypeAdapter(Header).validate_python(stored["header"])
    return ROWS.validate_python(stored["rows"]), HEARD.validate_python(stored["heard"]), header


def mended(rows: Sequence[Row], again: Sequence[Row], header: Header) -> tuple[tuple[Row, ...], Header]:
    """With the rows of a later run, in the place of the first ones if there are, and a header that says so."""
    newer, first = {_played(one): one for one in again}, {_played(one) for one in rows}
    replaced = dict.fromkeys(one.scenario for one in rows if _played(one) in newer)
    added = dict.fromkeys(one.scenario for one in again if _played(one) not in first)
    found = (
        *(newer.get(_played(one), one) for one in rows),
        *(one for one in again if _played(one) not in first),
    )
    before = str(score(rows).false_blame)
    return found, replace(header, again=tuple(replaced), added=tuple(added), before=before)


def _played(one: Row) -> tuple[str, str, bool]:
    return one.scenario, one.profile, one.raw


def _header(options: argparse.Namespace, seconds: float) -> Header:
    return Header(
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        minutes=round(seconds / 60, 1),
        worlds=options.worlds,
        loaded=options.loaded,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.matrix", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios or topics (default: all)")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="runs at a time (default: %(default)s)")
    parser.add_argument("--no-raw", action="store_true", help="without the runs with CAP_NET_RAW")
    parser.add_argument("--no-comparison", action="store_true", help="without the tools of today")
    parser.add_argument(
        "--loaded", action="store_true", help="say that the machine was busy: times mean nothing"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the rows, for --rows")
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="write the page from kept rows; play nothing"
    )
    parser.add_argument(
        "--again",
        type=Path,
        metavar="FILE",
        help="kept rows of what was played again after a mend, or added since, for --rows",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
