"""Who is played beside whom."""

from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import ExitStack

import pytest

from .stage import Room


def test_those_of_a_kind_are_in_the_room_together_and_others_wait() -> None:
    room = Room()

    def enter(kind: bool) -> ExitStack:
        with ExitStack() as stay:
            stay.enter_context(room.shared_by(kind))
            return stay.pop_all()

    with ThreadPoolExecutor(2) as pool:
        timed = [enter(True), enter(True)]
        other = pool.submit(enter, False)
        with pytest.raises(TimeoutError):
            other.result(0.1)
        behind = pool.submit(enter, True)  # it came later, and does not pass
        timed.pop().close()
        with pytest.raises(TimeoutError):
            behind.result(0.1)
        assert not other.done()
        timed.pop().close()
        other.result(10).close()
        behind.result(10).close()
