"""The ten bytes that carry the address asked for, where one loopback listener stands for all of them."""

import socket

SIZE = 10

_MAGIC = b"rct1"

Endpoint = tuple[str, int]


def pack_endpoint(endpoint: Endpoint) -> bytes:
    """What precedes a TCP stream, and every datagram in both directions."""
    host, port = endpoint
    return _MAGIC + socket.inet_aton(host) + port.to_bytes(2, "big")


def unpack_endpoint(data: bytes) -> Endpoint:
    if len(data) < SIZE or data[:4] != _MAGIC:
        raise ValueError(f"no endpoint precedes {data[:SIZE].hex()}")
    return socket.inet_ntoa(data[4:8]), int.from_bytes(data[8:10], "big")
