"""A thread that asks for its turn keeps its priority, and others are left alone."""

import os
import sys
import threading

import pytest

from readycheck.net.punctuality import be_punctual


def test_it_can_be_asked_for_anywhere() -> None:
    thread = threading.Thread(target=be_punctual)
    thread.start()
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the slack of a thread's timers")
def test_timers_of_the_thread_are_exact_and_its_niceness_stays() -> None:
    told: list[tuple[str, int, int]] = []

    def ask() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, 5)
        be_punctual()
        with open(f"/proc/{threading.get_native_id()}/timerslack_ns", encoding="ascii") as file:
            told.append((file.read().strip(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert told == [("1", 5, os.SCHED_OTHER)]
