"""Runs of the program in its stand-in network."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readycheck.catalog import read
from readycheck.twin import world
from readycheck.twin.scenarios import SCENARIOS

PROFILE = "webex-calling"
SEED = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What the program reported and what it cost: until its report was out, and until it had ended."""

    report: dict[str, Any]
    told_s: float
    took_s: float
    cpu_s: float
    peak_mb: float
    traffic: dict[str, int]
    folder: Path


@contextmanager
def play(scenario: str, *options: str, wire: bool = False) -> Iterator[Result]:
    """Run the agent once; with `wire`, its packets are in the file `packets` of the folder."""
    with tempfile.TemporaryDirectory(prefix="readycheck-bench-") as name:
        folder = Path(name)
        agent = (sys.executable, "-m", "bench.agent", name, "wire" if wire else "-")
        world.run(
            read(PROFILE),
            [
                "run",
                PROFILE,
                "--seed",
                str(SEED),
                "--site",
                "twin",
                "--store",
                str(folder / "runs.db"),
                *options,
            ],
            scenario=SCENARIOS[scenario],
            seed=SEED,
            agent=agent,
            raw=wire,
        )
        cost = json.loads((folder / "cost.json").read_text())
        report = json.loads((folder / "report.json").read_text())
        yield Result(report=report, folder=folder, **cost)
