"""The JSON form, and what is none."""

import pytest

from readycheck.errors import UsageError
from readycheck.regression.state import Outage, State, Track, dump, load


def test_it_comes_back() -> None:
    state = State(run="r1", moment=1.5, gaps=(900.0,), tracks={"a/b": Track()}, outage=Outage(1.0, 2))
    assert load(dump(state), "it") == state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tracks": 3}', '{"run": 1}', "[" * 100_000])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.json: not the state of a series of runs"):
        load(text, "x.json")


def test_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match=r"x\.json: version 2, and this program knows 1"):
        load('{"version": 2}', "x.json")
