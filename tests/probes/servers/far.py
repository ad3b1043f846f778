"""A far end of two addresses and two ports (RFC 5780), with a mirror for SIP; run as a program, it serves for ever."""

import selectors
import socket
import sys
from collections.abc import Mapping

from readycheck.wire import mirror, stun

Endpoint = tuple[str, int]
MIRRORS = (5060, 15061)


def answer(
    data: bytes, at: Endpoint, source: Endpoint, pair: tuple[Endpoint, Endpoint]
) -> tuple[bytes, Endpoint, int]:
    """The answer to a binding request, the address it leaves from, and the port it goes to."""
    asked = stun.unpack_message(data)
    other = tuple(pair[1][i] if at[i] == pair[0][i] else pair[0][i] for i in (0, 1))
    origin = (str(other[0] if asked.change_ip else at[0]), int(other[1] if asked.change_port else at[1]))
    said = stun.pack_binding_success(
        asked.transaction_id, source, other_address=(str(other[0]), int(other[1])), response_origin=origin
    )
    return said, origin, asked.response_port or source[1]


def _bound(at: Endpoint) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(at)
    return made


def _serve_stun(
    sockets: Mapping[Endpoint, socket.socket], pair: tuple[Endpoint, Endpoint], at: Endpoint
) -> None:
    data, source = sockets[at].recvfrom(2048)
    try:
        said, origin, port = answer(data, at, source, pair)
    except ValueError:
        return
    sockets[origin].sendto(said, (source[0], port))


def main(first: str, second: str) -> None:
    pair = ((first, 3478), (second, 3479))
    sockets = {(a, p): _bound((a, p)) for a in (first, second) for p in (3478, 3479)}
    mirrors = {(first, p): _bound((first, p)) for p in MIRRORS}
    with selectors.DefaultSelector() as selector:
        for at, made in (sockets | mirrors).items():
            selector.register(made, selectors.EVENT_READ, at)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            for key, _ in selector.select():
                if key.data in sockets:
                    _serve_stun(sockets, pair, key.data)
                    continue
                data, source = mirrors[key.data].recvfrom(2048)
                turned = mirror.mirrored(data)
                if turned is not None:
                    mirrors[key.data].sendto(turned, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
