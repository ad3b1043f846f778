"""Asks the lab's servers with nothing but the standard library; run in the client's network, prints JSON."""

import json
import secrets
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

_PATIENCE_S = 1.0
_COOKIE = 0x2112A442
_RECVERR, _ERRQUEUE = 11, 0x2000


def _exchange(address: str, port: int, payload: bytes) -> tuple[bytes, str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_PATIENCE_S)
        sock.sendto(payload, (address, port))
        data, source = sock.recvfrom(2048)
        return data, str(source[0])


def stun(address: str, port: int) -> dict[str, Any]:
    data, source = _exchange(address, port, struct.pack("!HHI", 1, 0, _COOKIE) + secrets.token_bytes(12))
    position = 20
    while position < len(data):
        kind, length = struct.unpack_from("!HH", data, position)
        if kind == 0x20:
            number = struct.unpack_from("!I", data, position + 8)[0] ^ _COOKIE
            return {"from": source, "mapped": socket.inet_ntoa(struct.pack("!I", number))}
        position += 4 + length + -length % 4
    return {"from": source}


def ntp(address: str, port: int) -> dict[str, Any]:
    data, source = _exchange(address, port, bytes([0x23]) + bytes(39) + secrets.token_bytes(8))
    return {"from": source, "stratum": data[1]}


def dns(address: str, port: int) -> dict[str, Any]:
    labels = b"".join(bytes([len(part)]) + part for part in (b"cscan", b"webex", b"com"))
    data, source = _exchange(address, port, struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1")
    answers = int.from_bytes(data[6:8])
    return {"from": source, "addresses": [socket.inet_ntoa(data[-4:])] if answers else []}


def udp(address: str, port: int) -> dict[str, Any]:
    return {"from": _exchange(address, port, b"?")[1]}


def tcp(address: str, port: int) -> dict[str, Any]:
    with socket.create_connection((address, port), timeout=_PATIENCE_S):
        return {"from": address}


def sip(address: str, port: int) -> dict[str, Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=_PATIENCE_S) as plain,
        context.wrap_socket(plain) as stream,
    ):
        host, local = stream.getsockname()
        stream.sendall(
            f"OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/TLS {host}:{local};branch=z9hG4bKlab;rport\r\n"
            f"From: <sip:a@lab.example>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
        )
        try:
            status = stream.recv(4096).split(b"\r\n")[0].decode()
        except TimeoutError:
            return {"from": address, "status": None}
        return {"from": address, "status": status}


def hop(address: str, ttl: int) -> dict[str, Any]:
    """The router that a datagram with this hop limit comes to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, _RECVERR, 1)
        sock.settimeout(0.3)
        sock.sendto(b"?", (address, 33434))
        try:
            sock.recv(100)  # a pending error of the network ends it
        except TimeoutError:
            raise
        except OSError:
            pass
        _, ancillary, _, _ = sock.recvmsg(100, 512, _ERRQUEUE)
        return {
            "router": next(socket.inet_ntoa(data[20:24]) for _, kind, data in ancillary if kind == _RECVERR)
        }


_VERBS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    verb.__name__: verb for verb in (stun, ntp, dns, udp, tcp, sip, hop)
}


def main() -> None:
    answers = []
    for question in sys.argv[1:]:
        verb, address, number = question.split()
        began = time.perf_counter()
        try:
            answer = _VERBS[verb](address, int(number))
        except OSError as error:
            answer = {"failure": type(error).__name__}
        answers.append({**answer, "ms": 1000 * (time.perf_counter() - began)})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
