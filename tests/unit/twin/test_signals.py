"""Signals go to the agent, and only while it runs."""

import signal
import threading

import pytest

from readycheck.twin.signals import forwarding, writing_from_background


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals are sent to oneself on POSIX systems only")
def test_each_signal_is_handed_on_once() -> None:
    told: list[int] = []
    with forwarding(told.append):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
    assert told == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def test_an_agent_that_is_gone_is_no_error() -> None:
    def gone(_: int) -> None:
        raise ProcessLookupError

    with forwarding(gone):
        signal.raise_signal(signal.SIGINT)


def test_everything_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with forwarding(lambda _: None), writing_from_background():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_leave_signals_alone() -> None:
    found = []

    def look() -> None:
        with forwarding(lambda _: None), writing_from_background():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
