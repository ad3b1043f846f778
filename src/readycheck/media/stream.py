"""What happened to a stream of packets in one direction: from stamps of both ends to loss, jitter and the rest. Pure.

Sequence numbers are extended ones (they do not wrap), stamps nanoseconds of any clock of their own end: the offset
of the clocks cancels in everything but the absolute delay, which is therefore not told.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from readycheck.media.e_model import burst_ratio

_MS = 1e6
_JITTER_GAIN = 16  # RFC 3550 section 6.4.1
_Z95 = 1.96
SHORT_WINDOW_MS, LONG_WINDOW_MS = 200.0, 15_000.0
"""Windows that published limits speak of: burst loss in any 200 ms, loss in any 15 s."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A packet at one end."""

    sequence: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio with the bounds of its 95 % confidence interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuality:
    """One direction of a stream.

    `lost` of `sent` packets never arrived, `bursts` are the lengths of runs of them. `reordered` counts packets that
    came after a later one (RFC 4737), `duplicates` all but the first of each. Jitter is that of RFC 3550 at the end,
    its largest value and its mean beside it; `variation_ms` is how far the 95th (99th) percentile of the delay lies
    above the least (RFC 5481). A window without a whole span of packets is None.
    """

    sent: int
    received: int
    lost: int
    loss: Interval
    bursts: tuple[int, ...]
    burst_ratio: float
    reordered: int
    reordering_ratio: float
    duplicates: int
    jitter_ms: float | None
    jitter_most_ms: float | None
    jitter_mean_ms: float | None
    variation_ms: float | None
    variation_most_ms: float | None
    worst_200_ms_ratio: float | None
    worst_15_s_ratio: float | None


def measure(
    sent: Sequence[Stamp], arrived: Sequence[Stamp], *, reached: Set[int] = frozenset()
) -> StreamQuality:
    """`sent` by sequence, `arrived` in the order of arrival; what was never sent is not counted.

    `reached` are packets that are known to have arrived although nobody has their stamps.
    """
    left = {stamp.sequence: stamp.at_ns for stamp in sent}
    known = [stamp for stamp in arrived if stamp.sequence in left]
    first = _firsts(known)
    there = first.keys() | (reached & left.keys())
    lost = [stamp.sequence for stamp in sent if stamp.sequence not in there]
    late = _reordered(first.values())
    transits = [(stamp.at_ns - left[stamp.sequence]) / _MS for stamp in first.values()]
    jitters = list(_jitter(transits))
    runs = tuple(_runs(sent, there))
    total = len(sent)
    return StreamQuality(
        sent=total,
        received=len(there),
        lost=len(lost),
        loss=interval(len(lost), total),
        bursts=runs,
        burst_ratio=burst_ratio(sum(runs) / len(runs), len(lost) / total) if runs else 1.0,
        reordered=late,
        reordering_ratio=late / len(first) if first else 0.0,
        duplicates=len(known) - len(first),
        jitter_ms=jitters[-1] if jitters else None,
        jitter_most_ms=max(jitters, default=None),
        jitter_mean_ms=sum(jitters) / len(jitters) if jitters else None,
        variation_ms=_variation(transits, 0.95),
        variation_most_ms=_variation(transits, 0.99),
        worst_200_ms_ratio=worst_window(sent, there, SHORT_WINDOW_MS),
        worst_15_s_ratio=worst_window(sent, there, LONG_WINDOW_MS),
    )


def interval(events: int, of: int) -> Interval:
    """With Wilson's bounds; none of N proves no more than less than 3 / N (the rule of three)."""
    if of and not events:
        return Interval(0.0, 0.0, min(1.0, 3 / of))
    return Interval(events / of if of else 0.0, *wilson(events, of))


def wilson(events: int, of: int) -> tuple[float, float]:
    """Wilson's score interval of a ratio, at 95 % confidence: sensible for few trials and at both ends."""
    if not of:
        return 0.0, 1.0
    ratio, square = events / of, _Z95**2
    middle = ratio + square / (2 * of)
    spread = _Z95 * math.sqrt(ratio * (1 - ratio) / of + square / (4 * of**2))
    scale = 1 + square / of
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def can_judge(edge: float, packets: int) -> bool:
    """Whether so many packets can show a ratio below `edge` at all."""
    return packets > 0 and 3 / packets <= edge


def worst_window(sent: Sequence[Stamp], arrived: Iterable[int], window_ms: float) -> float | None:
    """The largest share of packets lost in any window of this length, which begins with a packet.

    Of a window with less than half of its packets, for whatever reason they never left, no share is told.
    """
    there, stamps = set(arrived), [stamp.at_ns for stamp in sent]
    if not stamps or (stamps[-1] - stamps[0]) / _MS + _spacing_ms(stamps) < window_ms:
        return None
    missing = [stamp.sequence not in there for stamp in sent]
    fewest = window_ms / _spacing_ms(stamps) / 2 if len(stamps) > 1 else 1
    worst, end, inside = 0.0, 0, 0
    for start, began_ns in enumerate(stamps):
        while end < len(stamps) and (stamps[end] - began_ns) / _MS < window_ms:
            inside += missing[end]
            end += 1
        if end == len(stamps) and (stamps[-1] - began_ns) / _MS + _spacing_ms(stamps) < window_ms:
            break
        if end - start >= fewest:
            worst = max(worst, inside / (end - start))
        inside -= missing[start]
    return worst


def unwrapped(sequence: int, near: int, bits: int = 16) -> int:
    """The extended number nearest to `near` that a wire with so many bits shows as `sequence`."""
    size = 1 << bits
    candidate = near - near % size + sequence
    return min((candidate - size, candidate, candidate + size), key=lambda one: abs(one - near))


def _spacing_ms(stamps: Sequence[int]) -> float:
    return (stamps[-1] - stamps[0]) / _MS / max(1, len(stamps) - 1)


def _firsts(arrived: Iterable[Stamp]) -> Mapping[int, Stamp]:
    found: dict[int, Stamp] = {}
    for stamp in arrived:
        found.setdefault(stamp.sequence, stamp)
    return found


def _reordered(arrived: Iterable[Stamp]) -> int:
    """Packets that arrived after one with a larger number (RFC 4737 section 3)."""
    expected, late = -1, 0
    for stamp in arrived:
        late += stamp.sequence < expected
        expected = max(expected, stamp.sequence + 1)
    return late


def _jitter(transits_ms: Sequence[float]) -> Iterator[float]:
    """The running estimate of RFC 3550, over packets in the order in which they came."""
    jitter = 0.0
    for before, after in pairwise(transits_ms):
        jitter += (abs(after - before) - jitter) / _JITTER_GAIN
        yield jitter


def _variation(transits_ms: Sequence[float], share: float) -> float | None:
    if not transits_ms:
        return None
    ordered = sorted(transits_ms)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] - ordered[0]


def _runs(sent: Sequence[Stamp], arrived: Iterable[int]) -> Iterator[int]:
    there, run = set(arrived), 0
    for stamp in sent:
        if stamp.sequence not in there:
            run += 1
        elif run:
            yield run
            run = 0
    if run:
        yield run
