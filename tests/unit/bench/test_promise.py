"""A promise that is not kept is not to be overlooked."""

import pytest

from bench.media.exactness import p95, spacing_errors_ms
from bench.media.promise import Header, Promise, lines, page

HEADER = Header(
    date="2026-01-01", version="1", system="Linux", cores=2, minutes=5.0, short=False, busy_share=0.5
)


@pytest.mark.parametrize(("kept", "word"), [(True, "kept"), (False, "NOT KEPT"), (None, "not measured")])
def test_it_says_whether_it_is_kept(kept: bool | None, word: str) -> None:
    one = Promise("loss", "exact", "3 of 3", kept, "irtt off by 2")
    assert f"{word} " in f"{next(iter(lines([one])))} "
    assert f"| loss | exact | 3 of 3 | {word} | irtt off by 2 |" in page([one], [], HEADER)


def test_a_busy_machine_is_told() -> None:
    assert "50% of the processors' time" in page([], [], HEADER)


def test_spacing_is_of_neighbours() -> None:
    assert spacing_errors_ms([0, 20_000_000, 41_000_000]) == [0, 1]
    assert p95(list(range(100))) == 94
