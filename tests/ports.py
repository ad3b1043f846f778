"""Ports that nobody has."""

import socket
from random import SystemRandom

_NOT_GIVEN_OUT = range(20_000, 32_000)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """None of those that kernels give out by themselves: between now and its use no other test is given it."""
    for port in SystemRandom().sample(_NOT_GIVEN_OUT, 100):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a hundred ports are taken")
