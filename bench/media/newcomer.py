"""`python -m bench.media.newcomer HOST PORT NUMBER`: asks a responder for streams, one after the other.

Prints as JSON how many seconds each took, and why others were not opened.
"""

import json
import socket
import sys
import threading
import time

from readycheck.net.far_end import converse, granted, prove
from readycheck.net.interface import NetError
from readycheck.wire.far_end import Kind

_WANTED = {"seconds": 1.0, "packets_per_second": 50.0, "payload_bytes": 160}


def main(host: str, port: str, number: str) -> None:
    took_s, failures = [], []
    for _ in range(int(number)):
        began_s = time.monotonic()
        try:
            _open((host, int(port)))
            took_s.append(time.monotonic() - began_s)
        except NetError as error:
            failures.append(error.failure.value)
    sys.stdout.write(f"{json.dumps({'took_s': took_s, 'failures': failures})}\n")


def _open(to: tuple[str, int]) -> None:
    never = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        wanted = {**_WANTED, "cookie": prove(sock, to, b"", never)}
        granted(converse(sock, Kind.OPEN, wanted, b"", never))


if __name__ == "__main__":
    main(*sys.argv[1:])
