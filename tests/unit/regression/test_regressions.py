"""What docs/regressions.md publishes is what comes out, and is as good as it must be."""

import math
from pathlib import Path

import pytest

from bench.regressions import SEEDS, Result, document, measure

PAGE = Path(__file__).parents[3] / "docs" / "regressions.md"


pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return measure()


def test_the_page_is_what_comes_out(results: list[Result]) -> None:
    assert PAGE.read_text("utf-8") == document(results), (
        "run `python -m bench.regressions > docs/regressions.md`"
    )


def test_nothing_is_told_where_nothing_is_wrong(results: list[Result]) -> None:
    assert {r.series.name: r.false for r in results if r.false} == {}
    assert all(math.isinf(r.days_each) for r in results)


def test_all_that_is_wrong_is_told_in_time(results: list[Result]) -> None:
    faulty = [r for r in results if r.series.faulty]
    assert [r.series.name for r in faulty if r.found != SEEDS] == []
    late = {r.series.name for r in faulty if max(r.delays_s) > 5 * 3600}
    assert late <= {"creeping", "in a long tail"}
