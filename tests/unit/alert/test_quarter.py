"""The first days of the simulated quarter; `make bench-history` plays all of it, and docs/quarter.md has what came."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bench.quarter import Result, play
from bench.site import SEEDS, Seed

DAYS = 8.5


@pytest.fixture(scope="module")
def played() -> Result:
    return play(DAYS)


@pytest.mark.timeout(240)
def test_each_seed_gets_what_it_deserves(played: Result) -> None:
    assert played.troubles == []
    assert {fate.seed.key for fate in played.fates} >= {"cause:port-blocked", "network", "figure:", ""}
    assert played.kills > 10 and played.stored > 600


def test_what_is_left_out_or_late_would_be_noticed(played: Result) -> None:
    first = played.fates[0]
    for change in ({"raised": None}, {"told_h": 5.0}, {"over_h": None}, {"over_h": 9.0}):
        assert replace(played, fates=(replace(first, **change),)).troubles  # type: ignore[arg-type]
    assert first.raised
    assert replace(played, false=(first.raised,)).troubles and replace(played, twice=1).troubles


def test_no_two_seeds_of_one_cause_are_near_each_other() -> None:
    def apart(one: Seed, other: Seed) -> bool:
        return other.begins_s - one.ends_s > 2 * 86400

    keys = {seed.key for seed in SEEDS if seed.key.startswith("cause:")}
    for key in keys:
        some = [seed for seed in SEEDS if seed.key == key]
        assert all(apart(one, other) for one, other in pairwise(some))


def test_the_page_tells_of_the_same_seeds() -> None:
    """It is made by `python -m bench.quarter`, which takes some minutes."""
    page = (Path(__file__).parents[3] / "docs" / "quarter.md").read_text("utf-8")
    assert [seed.what for seed in SEEDS if f"| {seed.what} | {seed.day:g} |" not in page] == []
    assert "Told for nothing: 0. Arrived twice: 0. Still waiting: 0." in page
