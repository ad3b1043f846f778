"""The responder of our own in the lab's cloud, as its administrators run it."""

import sys

from .cloud import RESPONDER
from .machine import Machine, Process
from .row import CLOUD
from .waiting import await_bound

PORT, SIP_PORT = 3478, 5060


def start_responder(machine: Machine) -> Process:
    """On the port of STUN and on that of SIP; returns when it listens."""
    places = [word for port in (PORT, SIP_PORT) for word in ("--listen", f"{RESPONDER}:{port}")]
    serving = machine.start(CLOUD, "responder", sys.executable, "-m", "readycheck", "responder", *places)
    await_bound(machine, CLOUD, serving, "u", f"{RESPONDER}:{PORT}")
    return serving
