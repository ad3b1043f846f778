"""`python -m bench.media.crowd HOST PORT STREAMS SECONDS ADDRESS...`: streams of G.711 by the hundred, to a responder.

Lighter than the program itself, for one core is to carry all of it. Prints what was sent and what came back as JSON.
"""

import json
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from readycheck.net.far_end import converse, granted
from readycheck.net.interface import NetError
from readycheck.wire.far_end import Ask, Kind, pack_ask, unpack_answer

_PACKET_S, _PAYLOAD = 0.02, 160
_LINGER_S = 1.0


class Member:
    """One stream; `waits_ms` is how long the responder held each packet."""

    def __init__(self, to: tuple[str, int], source: str, seconds: float) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        self.sock.bind((source, 0))
        self.sock.connect(to)
        never = threading.Event()
        cookie = converse(self.sock, Kind.HELLO, {}, b"", never).body["cookie"]
        wanted = {
            "cookie": cookie,
            "seconds": seconds,
            "packets_per_second": 1 / _PACKET_S,
            "payload_bytes": _PAYLOAD,
        }
        terms = granted(converse(self.sock, Kind.OPEN, wanted, b"", never)).body
        self.token, self.ssrc = terms["token"], int(terms["ssrc"])
        self.sent = self.returned = self.counted = 0
        self.held_ns: list[int] = []

    def send(self) -> None:
        ask = Ask(ssrc=self.ssrc, payload_type=0, number=self.sent, sent_ns=time.time_ns(), size=_PAYLOAD)
        with suppress(BlockingIOError):
            self.sock.send(pack_ask(ask))
        self.sent += 1

    def read(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data = self.sock.recv(2048)
                self.returned += 1
                if not self.returned % 50:
                    self.held_ns.append(unpack_answer(data).held_ns)

    def close(self) -> None:
        with suppress(NetError), self.sock:
            closed = converse(self.sock, Kind.CLOSE, {"token": self.token}, b"", threading.Event())
            self.counted = int(closed.body["received"])


def play(members: Sequence[Member], seconds: float) -> float:
    """All of them, each 20 ms after its last packet; returns how late one was at worst. It gives up when far behind."""
    by_file = {member.sock.fileno(): member for member in members}
    poll = select.epoll()
    for file in by_file:
        poll.register(file, select.EPOLLIN)
    began, step, number, total = (
        time.monotonic(),
        _PACKET_S / len(members),
        0,
        round(seconds / _PACKET_S) * len(members),
    )
    late = 0.0
    while number < total and time.monotonic() < began + 2 * seconds:
        due = int((time.monotonic() - began) / step) + 1
        for turn in range(number, min(due, total)):
            members[turn % len(members)].send()
        number = max(number, min(due, total))
        late = max(late, time.monotonic() - began - number * step)
        for file, _ in poll.poll(0.001):
            by_file[file].read()
    until = time.monotonic() + _LINGER_S
    while time.monotonic() < until:
        for file, _ in poll.poll(0.05):
            by_file[file].read()
    return late


def main(host: str, port: str, streams: str, seconds: str, *sources: str) -> None:
    members = [
        Member((host, int(port)), sources[i % len(sources)], float(seconds)) for i in range(int(streams))
    ]
    sys.stdout.write("open\n")
    sys.stdout.flush()
    late_s = play(members, float(seconds))
    for member in members:
        member.close()
    held = sorted(held for member in members for held in member.held_ns)
    told = {
        "sent": sum(member.sent for member in members),
        "counted": sum(member.counted for member in members),
        "returned": sum(member.returned for member in members),
        "late_ms": late_s * 1000,
        "held_p95_ms": held[int(0.95 * (len(held) - 1))] / 1e6,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
