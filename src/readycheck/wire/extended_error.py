"""Linux socket error-queue entries: struct sock_extended_err and the offender's address."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

# Linux numbers, spelled out because the codec must import on systems where `socket` has others.
_AF_INET = 2
_AF_INET6 = 10

_ERROR = struct.Struct("=IBBBxII")
_FAMILY = struct.Struct("=H")
_INET = struct.Struct("=HH4s")
_INET6 = struct.Struct("=HHI16sI")


class Origin(IntEnum):
    """Who raised the error, SO_EE_ORIGIN_* of linux/errqueue.h."""

    UNKNOWN = -1
    NONE = 0
    LOCAL = 1
    ICMP = 2
    ICMP6 = 3
    TXSTATUS = 4
    TIMESTAMPING = 4
    ZEROCOPY = 5
    TXTIME = 6

    @classmethod
    def _missing_(cls, value: object) -> "Origin":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class ExtendedError:
    """One entry of the error queue; `info` is the path MTU when fragmentation is needed (ip(7))."""

    errno: int
    origin: Origin
    type: int
    code: int
    info: int
    offender: str | None


# RFC 792 and RFC 1812 section 5.2.7.1; RFC 1191 for "fragmentation needed".
_ICMP = {
    (3, 0): "net_unreachable",
    (3, 1): "host_unreachable",
    (3, 2): "protocol_unreachable",
    (3, 3): "port_unreachable",
    (3, 4): "fragmentation_needed",
    (3, 6): "net_unreachable",
    (3, 7): "host_unreachable",
    (3, 9): "admin_prohibited",
    (3, 10): "admin_prohibited",
    (3, 11): "net_unreachable",
    (3, 12): "host_unreachable",
    (3, 13): "admin_prohibited",
    (11, 0): "time_exceeded",
}
# RFC 4443 sections 3.1 to 3.4, where codes 5 and 6 are special cases of code 1.
_ICMP6 = {
    (1, 0): "net_unreachable",
    (1, 1): "admin_prohibited",
    (1, 3): "host_unreachable",
    (1, 4): "port_unreachable",
    (1, 5): "admin_prohibited",
    (1, 6): "admin_prohibited",
    (2, 0): "fragmentation_needed",
    (3, 0): "time_exceeded",
    (4, 1): "protocol_unreachable",
}
_MEANINGS = {Origin.ICMP: _ICMP, Origin.ICMP6: _ICMP6}


def unpack_extended_error(data: bytes) -> ExtendedError:
    """Read the control-message data of IP_RECVERR or IPV6_RECVERR (ip(7))."""
    if len(data) < _ERROR.size:
        raise ValueError(f"extended error of {len(data)} bytes is shorter than {_ERROR.size}")
    errno, origin, kind, code, info, _ = _ERROR.unpack_from(data)
    return ExtendedError(errno, Origin(origin), kind, code, info, _unpack_offender(data[_ERROR.size :]))


def meaning(error: ExtendedError) -> str:
    """What an ICMP error says, as one word; "other" for everything else (RFC 792, RFC 4443)."""
    return _MEANINGS.get(error.origin, {}).get((error.type, error.code), "other")


def _unpack_offender(data: bytes) -> str | None:
    family = _FAMILY.unpack_from(data)[0] if len(data) >= _FAMILY.size else 0
    if family not in (_AF_INET, _AF_INET6):
        return None
    layout = _INET if family == _AF_INET else _INET6
    if len(data) < layout.size:
        raise ValueError(f"offender address of {len(data)} bytes is shorter than {layout.size}")
    if family == _AF_INET:
        return str(IPv4Address(_INET.unpack_from(data)[2]))
    *_, packed, scope = _INET6.unpack_from(data)
    return str(IPv6Address(packed)) + (f"%{scope}" if scope else "")
