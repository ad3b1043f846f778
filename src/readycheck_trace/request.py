"""The request: read, bounded and checked before a packet is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

MAX_BYTES = 64 * 1024
MAX_PROBES = 512
MAX_TIMEOUT_MS = 30_000
MAX_INTERVAL_MS = 1_000
MAX_DURATION_MS = 120_000
MAX_ID = 64

_REQUEST_KEYS = frozenset({"probes", "timeout_ms", "interval_ms"})
_PROBE_KEYS = frozenset({"id", "transport", "address", "port", "ttl", "source_port", "tos"})


class TraceError(Exception):
    """Why nothing was sent; `code` is one of the package's documented words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One packet to send; `source_port` 0 is any."""

    id: str
    transport: str
    address: IPv4Address | IPv6Address
    port: int
    ttl: int
    source_port: int = 0
    tos: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    probes: tuple[Probe, ...]
    timeout_ms: float
    interval_ms: float


def parse(data: bytes) -> Request:
    """Raises `TraceError` with the code `request` and the place of what is wrong."""
    if len(data) > MAX_BYTES:
        raise _wrong(f"longer than {MAX_BYTES} bytes")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"not JSON: {error}") from None
    top = _table(content, "the request", _REQUEST_KEYS, _REQUEST_KEYS)
    timeout_ms = _number(top, "timeout_ms", 1, MAX_TIMEOUT_MS)
    interval_ms = _number(top, "interval_ms", 0, MAX_INTERVAL_MS)
    listed = top["probes"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_PROBES:
        raise _wrong(f"probes: a list of 1 to {MAX_PROBES} is wanted")
    if len(listed) * interval_ms > MAX_DURATION_MS:
        raise _wrong(f"interval_ms: sending would take longer than {MAX_DURATION_MS} ms")
    probes = tuple(_probe(item, f"probes[{index}]") for index, item in enumerate(listed))
    if len({probe.id for probe in probes}) < len(probes):
        raise _wrong("probes: an id occurs twice")
    return Request(probes, timeout_ms, interval_ms)


def _probe(item: object, where: str) -> Probe:
    table = _table(item, where, _PROBE_KEYS, _PROBE_KEYS - {"source_port", "tos"})
    if not isinstance(table["id"], str) or not 1 <= len(table["id"]) <= MAX_ID:
        raise _wrong(f"{where}.id: a text of 1 to {MAX_ID} characters is wanted")
    if table["transport"] not in ("udp", "tcp"):
        raise _wrong(f"{where}.transport: udp or tcp is wanted")
    return Probe(
        id=table["id"],
        transport=table["transport"],
        address=_address(table["address"], where),
        port=_integer(table, "port", 1, 65535, where),
        ttl=_integer(table, "ttl", 1, 255, where),
        source_port=_integer(table, "source_port", 0, 65535, where),
        tos=_integer(table, "tos", 0, 255, where),
    )


def _address(value: object, where: str) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or getattr(found, "scope_id", None) is not None:
        raise _wrong(f"{where}.address: an IPv4 or IPv6 address is wanted")
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        raise _wrong(f"{where}.address: {found} is not the address of one host")
    return found


def _table(value: object, where: str, known: frozenset[str], needed: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{where}: an object is wanted")
    for key in value:
        if key not in known:
            raise _wrong(f"{where}: unknown key {key[:40]!r}")
    for key in sorted(needed - set(value)):
        raise _wrong(f"{where}: the key {key!r} is missing")
    return value


def _number(table: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(f"{key}: a number from {low} to {high} is wanted")
    return float(value)


def _integer(table: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = table.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(f"{where}.{key}: a whole number from {low} to {high} is wanted")
    return value


def _wrong(message: str) -> TraceError:
    return TraceError("request", message)
