"""What is remembered has a form in JSON, from which it comes back whole."""

from pydantic import TypeAdapter

from readycheck.regression.state import Outage, State, Track

FORM = TypeAdapter(State)


def test_it_comes_back() -> None:
    state = State(run="r1", moment=1.5, gaps=(900.0,), tracks={"a/b": Track()}, outage=Outage(1.0, 2))
    assert FORM.validate_json(FORM.dump_json(state)) == state
