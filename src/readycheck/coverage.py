"""What networks and names let through, compared with what others do. Pure."""

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Kind = Literal["network", "name", "host", "described"]
Places = frozenset[str]


@dataclass(frozen=True, slots=True)
class Lack:
    """A place that is not wholly among others, what they have of it, and the part that makes the difference."""

    place: str
    so_far: tuple[str, ...] = ()
    exactly: tuple[str, ...] = ()


def lacking(kind: Kind, places: Places, others: Places) -> tuple[Lack, ...]:
    """The places that the others do not let through, or not wholly."""
    if kind == "network":
        return tuple(_networks(places, others))
    if kind == "name":
        return tuple(_names(places, others))
    return tuple(Lack(place) for place in places - others)


def around(kind: Kind, place: str) -> Places:
    """All places, itself included, that surely let through the whole of it."""
    if kind == "network":
        network = _parsed(place)
        return frozenset(str(network.supernet(new_prefix=length)) for length in range(network.prefixlen + 1))
    if kind == "name":
        labels = place.removeprefix("*.").split(".")
        parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
        return frozenset((place, *(f"*.{parent}" for parent in parents)))
    return frozenset([place])


def sorting(place: str) -> tuple[Any, ...]:
    """Networks by address, names by domain."""
    try:
        network = _parsed(place)
    except ValueError:
        return (1, place.split(".")[::-1])
    return (0, network.version, int(network.network_address), network.prefixlen)


# --- networks -----------------------------------------------------------------------------------------

Span = tuple[int, int, int]
"""A version, and the first and the last address as numbers."""


def _networks(places: Places, others: Places) -> Iterator[Lack]:
    there = _united(map(_span, others))
    listed = sorted((*_span(other), other) for other in others)
    for place in _outermost(places):
        missing = tuple(_cidrs(_without(_span(place), there)))
        if missing:
            so_far = tuple(_inside(_span(place), listed)) or tuple(sorted(around("network", place) & others))
            yield Lack(place, so_far, () if missing == (place,) else missing)


def _outermost(places: Iterable[str]) -> Iterator[str]:
    """Without those that lie in another."""
    last = (0, 0, -1)
    for version, low, widest, place in sorted(
        (v, low, -high, p) for p in places for v, low, high in [_span(p)]
    ):
        if version != last[0] or low > last[2]:
            last = (version, low, -widest)
            yield place


@lru_cache(maxsize=1 << 17)
def _parsed(text: str) -> Any:
    return ipaddress.ip_network(text)


def _span(place: str) -> Span:
    network = _parsed(place)
    return network.version, int(network.network_address), int(network.broadcast_address)


def _united(spans: Iterable[Span]) -> list[Span]:
    """Disjoint, in ascending order."""
    found: list[Span] = []
    for version, low, high in sorted(spans):
        if found and found[-1][0] == version and low <= found[-1][2] + 1:
            found[-1] = (version, found[-1][1], max(high, found[-1][2]))
        else:
            found.append((version, low, high))
    return found


def _without(span: Span, others: Sequence[Span]) -> Iterator[Span]:
    """What is left of the span; the others are disjoint and in order."""
    version, low, high = span
    start = bisect_left(others, (version, low, -1))
    if start and others[start - 1][0] == version and others[start - 1][2] >= low:
        start -= 1
    for _, first, last in others[start:]:
        if first > high or low > high:
            break
        if first > low:
            yield version, low, first - 1
        low = max(low, last + 1)
    if low <= high:
        yield version, low, high


def _cidrs(spans: Iterable[Span]) -> Iterator[str]:
    for version, low, high in spans:
        address: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        yield from map(str, ipaddress.summarize_address_range(address(low), address(high)))


def _inside(span: Span, listed: Sequence[tuple[int, int, int, str]]) -> Iterator[str]:
    version, low, high = span
    for other, first, last, place in listed[bisect_left(listed, (version, low, -1, "")) :]:
        if (other, first) > (version, high):
            break
        if last <= high:
            yield place


# --- names --------------------------------------------------------------------------------------------


def _names(places: Places, others: Places) -> Iterator[Lack]:
    odd = [other for other in others if _is_odd(other)]
    for place in places:
        if around("name", place).isdisjoint(others) and not any(covers(pattern, place) for pattern in odd):
            below = (other for other in others if covers(place, other)) if "*" in place else ()
            yield Lack(place, tuple(sorted(below, key=sorting)))


def _is_odd(pattern: str) -> bool:
    return "*" in pattern.removeprefix("*.")


def covers(pattern: str, name: str) -> bool:
    """A star for the first label stands for any number of them, and for none; elsewhere for a part of one."""
    if not _is_odd(pattern):
        return pattern in around("name", name)
    expression = "[^.]*".join(map(re.escape, pattern.split("*")))
    return name == pattern or ("*" not in name and re.fullmatch(expression, name) is not None)
