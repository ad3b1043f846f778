"""Runs to store: real ones of the cases, and small ones, as many as a test wants."""

import lzma
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from readycheck.report import Report, iso, load
from tests.unit.render.factory import BEGAN, ready

CASES = Path(__file__).parents[2] / "cases" / "reports"


@cache
def case(name: str) -> Report:
    return load(lzma.decompress((CASES / f"{name}.json.xz").read_bytes()), name)


def small(number: int, score: int | None = None, **changes: Any) -> Report:
    """Fifteen minutes after the one before it."""
    report = ready()
    began = iso(BEGAN + timedelta(minutes=15 * number))
    run = replace(report.run, **{"id": f"{number:08x}" + "0" * 24, "started_at": began, **changes})
    marks = report.score if score is None else replace(report.score, overall=score)
    return replace(report, run=run, score=marks)
