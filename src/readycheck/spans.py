"""Sets of ports as disjoint ranges in ascending order."""

from collections.abc import Iterable, Iterator, Sequence

from readycheck.notation import PortRange


def merged(ports: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The same ports in as few ranges as there can be; neighbours become one."""
    found: list[PortRange] = []
    for span in sorted(ports, key=_bounds):
        if found and span.low <= found[-1].high + 1:
            found[-1] = PortRange(low=found[-1].low, high=max(found[-1].high, span.high))
        else:
            found.append(span)
    return tuple(found)


def without(ports: Iterable[PortRange], others: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The ports that are not among the others."""
    taken = merged(others)
    return tuple(rest for span in merged(ports) for rest in _rest(span, taken))


def inside(ports: Iterable[PortRange], others: Sequence[PortRange]) -> bool:
    """Whether all the ports are among the others, which are merged."""
    return all(any(other.low <= span.low and span.high <= other.high for other in others) for span in ports)


def _rest(span: PortRange, taken: Iterable[PortRange]) -> Iterator[PortRange]:
    low = span.low
    for other in taken:
        if other.high < low or other.low > span.high:
            continue
        if low < other.low:
            yield PortRange(low=low, high=other.low - 1)
        low = other.high + 1
    if low <= span.high:
        yield PortRange(low=low, high=span.high)


def _bounds(span: PortRange) -> tuple[int, int]:
    return span.low, span.high
