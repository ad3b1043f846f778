"""`python -m bench.media.seen DEVICE FILE`: when each UDP packet passed a device, by the kernel, until ended."""

import json
import os
import signal
import socket
import struct
import sys

from bench.capture import ETHERTYPE_ALL, SO_TIMESTAMPNS

_OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
_NUMBER = slice(40, 44)  # after the headers of IPv4, UDP and RTP, in packets of the program's streams


def main(device: str, path: str) -> None:
    found: list[tuple[int, bool, int, int, int, int]] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE_ALL)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        wire.bind((device, ETHERTYPE_ALL))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        try:
            while True:
                data, ancillary, _, sender = wire.recvmsg(64, 128)
                if len(data) >= _NUMBER.stop and data[0] == 0x45 and data[9] == socket.IPPROTO_UDP:
                    seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2])
                    length, source, destination = (
                        int.from_bytes(data[i : i + 2], "big") for i in (2, 20, 22)
                    )
                    number = int.from_bytes(data[_NUMBER], "big")
                    at_ns = seconds * 1_000_000_000 + nanoseconds
                    found.append((at_ns, sender[2] == _OUTGOING, source, destination, length, number))
        finally:
            with open(f"{path}.part", "w", encoding="ascii") as file:
                json.dump(found, file)
            os.rename(f"{path}.part", path)  # whoever waits for it sees all of it


if __name__ == "__main__":
    main(*sys.argv[1:])
