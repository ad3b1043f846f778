"""What hangs is left behind; what ends is handed on, whatever came of it."""

from threading import Event

import pytest

from readycheck.patience import within


def test_what_ends_is_handed_on() -> None:
    assert within(20, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: 1 / 0)


def test_what_hangs_is_left_behind() -> None:
    hung = Event()
    with pytest.raises(TimeoutError):
        within(0.01, lambda: hung.wait(60))
    hung.set()
