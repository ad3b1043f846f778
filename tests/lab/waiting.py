"""Bounded waiting for what the lab starts."""

import time
from collections.abc import Callable

from .machine import LabError, Machine, Process

_PATIENCE_S = 20.0


def wait_until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise LabError(f"waited {_PATIENCE_S:.0f} s for {what}")
        time.sleep(0.02)


def await_bound(machine: Machine, network: str, process: Process, transport: str, local: str) -> None:
    """Until a socket of this transport, "t" or "u", is bound to `local`."""

    def bound() -> bool:
        process.require_running()
        return bool(machine.run(network, "ss", "-Hln", f"-{transport}", f"src = {local}").stdout.strip())

    wait_until(bound, f"{local} to be bound: {process.said()}")
