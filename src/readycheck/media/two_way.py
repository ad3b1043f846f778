"""Which way a packet was lost: from the agent's own stamps and the counts of the far end. Pure.

The far end numbers what it receives (RFC 8762 section 4.3): a hole in its numbers is a loss on the way back, and what
it never counted was lost on the way there. Where both happened between two answers the totals are still exact, and
the places are the likeliest: first there, then back.
"""

from bisect import bisect, bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from readycheck.media.stream import Stamp, StreamQuality, measure, unwrapped

_MOST_COPIES, _SPARE = 4, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An answer as it came back: `number` is the agent's, `count` the far end's 16 bits."""

    number: int
    count: int
    received_ns: int
    held_ns: int
    arrived_ns: int
    hop_limit: int = 0
    traffic_class: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWay:
    """Both directions of a stream, and the round trips without the far end's own time."""

    up: StreamQuality
    down: StreamQuality
    round_trips_ms: tuple[float, ...]


def split(sent: Sequence[Stamp], returned: Sequence[Returned], counted: int | None) -> TwoWay:
    """`counted` is what the far end says that it received; None when it could not be asked any more.

    Raises `ValueError` for counts that no honest far end has.
    """
    left = {stamp.sequence: stamp.at_ns for stamp in sent}
    known = [one for one in returned if one.number in left]
    counts = dict(zip(map(id, known), _counts(known), strict=True))
    by_number: dict[int, Returned] = {}
    for one in known:
        by_number.setdefault(one.number, one)
    total = max([counted or 0, *(count + 1 for count in counts.values())])
    if total > _MOST_COPIES * len(sent) + _SPARE or min(counts.values(), default=0) < 0:
        raise ValueError("the far end counts what was never sent")
    seen = {counts[id(one)]: one for one in reversed(known)}
    reached = _reached(sent, {n: counts[id(one)] for n, one in by_number.items()}, sorted(seen), total)
    came = [seen[count] for count in sorted(seen)]
    up = measure(sent, [Stamp(one.number, one.received_ns) for one in came], reached=reached)
    stamps = {counts[id(one)]: one.received_ns + one.held_ns for one in known}
    down = measure(_filled(stamps, total), [Stamp(counts[id(one)], one.arrived_ns) for one in known])
    trips = tuple((one.arrived_ns - left[n] - one.held_ns) / 1e6 for n, one in by_number.items())
    return TwoWay(up=up, down=down, round_trips_ms=trips)


def _counts(returned: Sequence[Returned]) -> Iterator[int]:
    """The far end's numbers without their wrap, each near the one before."""
    near = 0
    for one in returned:
        near = unwrapped(one.count, near)
        yield near


def _reached(
    sent: Sequence[Stamp], counts: Mapping[int, int], seen: Sequence[int], total: int
) -> frozenset[int]:
    """Numbers that the far end received: those answered, and of each hole as many as it counted in it.

    `seen` are its numbers that came back, those of copies and of packets that were overtaken among them.
    """
    reached = set(counts)
    order = [stamp.sequence for stamp in sent]
    marks = [-1, *(i for i, n in enumerate(order) if n in counts), len(order)]
    for before, after in pairwise(marks):
        hole = order[before + 1 : after]
        low = counts[order[before]] if before >= 0 else -1
        high = counts[order[after]] if after < len(order) else total
        unseen = high - low - 1 - (bisect_left(seen, high) - bisect(seen, low))
        reached |= set(hole[max(0, len(hole) - max(0, unseen)) :])
    return frozenset(reached)


def _filled(stamps: Mapping[int, int], total: int) -> list[Stamp]:
    """When the far end sent each of its answers; of those that nobody saw, as if evenly between their neighbours."""
    if not stamps:
        return [Stamp(count, 0) for count in range(total)]
    known = sorted(stamps)
    return [Stamp(count, stamps.get(count) or _between(stamps, known, count)) for count in range(total)]


def _between(stamps: Mapping[int, int], known: Sequence[int], count: int) -> int:
    place = bisect(known, count)
    if place in (0, len(known)):
        return stamps[known[min(place, len(known) - 1)]]
    before, after = known[place - 1], known[place]
    share = (count - before) / (after - before)
    return round(stamps[before] + share * (stamps[after] - stamps[before]))
