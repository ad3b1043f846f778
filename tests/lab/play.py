"""Plays scenarios by name and tells what was said: `python -m tests.lab.play NAME...`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .agent import warm_up
from .judging import judged, told
from .scenario import scenarios
from .stage import WORLDS, Play, Stage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.play", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--profile", help="instead of the scenario's own")
    parser.add_argument("--raw", action="store_true", help="with CAP_NET_RAW")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the reports there")
    parser.add_argument(
        "--worlds", type=int, default=WORLDS, help="how many at a time (default: %(default)s)"
    )
    options = parser.parse_args()
    wanted = [s for s in scenarios() if s.name in options.names or s.topic in options.names]
    plays = [Play(s, options.profile or s.profile, options.raw) for s in wanted]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="readycheck-lab-bytecode-") as name:
        bytecode = Path(name)
        bytecode.chmod(0o755)
        warm_up(bytecode)
        stage = Stage(bytecode, options.worlds)
        stage.announce(plays)
        for play in plays:
            wrong += not _tell(play, stage, options.keep)
        stage.close()
    return min(1, wrong)


def _tell(play: Play, stage: Stage, keep: Path | None) -> bool:
    try:
        done = stage.play(play)
    except Exception as error:
        sys.stdout.write(f"== {play.scenario.name}: NOT PLAYED: {error!r}\n")
        return False
    row = judged(done.scenario, play.profile, play.raw, done.run)
    sys.stdout.write(f"== {'wrong: ' + '; '.join(row.wrong) if row.wrong else 'right'}\n")
    sys.stdout.write(told(done.scenario, done.run) + "\n")
    sys.stdout.flush()
    if keep is not None and done.run.report is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{play.scenario.name}.json").write_text(json.dumps(done.run.report))
    return not row.wrong


if __name__ == "__main__":
    sys.exit(main())
