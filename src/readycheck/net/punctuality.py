"""Waking up in time: what Linux lets any thread ask for. Elsewhere nothing is asked for."""

import ctypes
import os
import sys
from contextlib import suppress

_PR_SET_TIMERSLACK = 29
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_SLICE_NS = 100_000


class _Attributes(ctypes.Structure):
    """`struct sched_attr` of sched_setattr(2), as far as its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def be_punctual() -> None:
    """For this thread alone, without any right: timers that are not rounded, and its turn before longer ones'."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # by default a sleep is rounded up by 50 microseconds
            _ask_for_short_slices(libc)


def _ask_for_short_slices(libc: ctypes.CDLL) -> None:
    """Linux 6.12 and later serve who wants little at a time first; older ones take no notice.

    A thread that wakes up on a busy machine waits for the end of another's slice otherwise, some 3 ms.
    """
    number = _SCHED_SETATTR.get(os.uname().machine)
    ordinary = os.sched_getscheduler(0) == os.SCHED_OTHER
    if sys.platform != "linux" or number is None or not ordinary:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(size=ctypes.sizeof(_Attributes), nice=nice, runtime=_SLICE_NS)
    libc.syscall(number, 0, ctypes.byref(wanted), 0)
