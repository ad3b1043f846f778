"""`python -m bench.capture FILE`: takes down the UDP packets of this network with the kernel's stamps, until ended."""

import json
import signal
import socket
import struct
import sys
from dataclasses import asdict, dataclass

SO_TIMESTAMPNS = 35
ETHERTYPE_ALL = 0x0003
ETHERTYPE_IPV4 = 0x0800
_STUN_COOKIE = b"\x21\x12\xa4\x42"


@dataclass(frozen=True, slots=True)
class Packet:
    """One STUN message on the wire."""

    at_ns: int
    source: str
    source_port: int
    destination: str
    port: int
    transaction: str


def main(path: str) -> None:
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    found: list[Packet] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE_ALL)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        wire.settimeout(0.1)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while not ended:
            try:
                data, ancillary, _, sender = wire.recvmsg(256, 128)
            except TimeoutError:
                continue
            packet = _read(data, ancillary) if sender[1] == ETHERTYPE_IPV4 else None
            if packet is not None:
                found.append(packet)
    with open(path, "w", encoding="ascii") as file:
        json.dump([asdict(packet) for packet in found], file)


def _read(data: bytes, ancillary: list[tuple[int, int, bytes]]) -> Packet | None:
    header = (data[0] & 15) * 4 if data else 0
    if (
        len(data) < header + 28
        or data[9] != socket.IPPROTO_UDP
        or data[header + 12 : header + 16] != _STUN_COOKIE
    ):
        return None
    stamps = [struct.unpack("@qq", value) for _, kind, value in ancillary if kind == SO_TIMESTAMPNS]
    if not stamps:
        return None
    source_port, port = struct.unpack_from("!HH", data, header)
    return Packet(
        at_ns=stamps[0][0] * 1_000_000_000 + stamps[0][1],
        source=socket.inet_ntoa(data[12:16]),
        source_port=source_port,
        destination=socket.inet_ntoa(data[16:20]),
        port=port,
        transaction=data[header + 16 : header + 28].hex(),
    )


if __name__ == "__main__":
    main(sys.argv[1])
