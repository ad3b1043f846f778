"""Which way a packet was lost: from the agent's own stamps and the counts of the far end. Pure.

The far end numbers what it receives (RFC 8762 section 4.3): a hole in its numbers is a loss on the way back. Its
account at the end says what came on the way there, whatever became of the answers. Without one, what it never counted
was lost on the way there: where both happened between two answers the places are the likeliest, first there, then
back, and a copy whose answer was lost is taken for a packet that is missing beside it.
"""

from bisect import bisect, bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import inf
from operator import itemgetter

from readycheck.media.stream import Stamp, StreamQuality, measure, unwrapped

_MOST_COPIES, _SPARE = 4, 64
_TRAIN = 3
"""Fewer turns than these a host makes up for without harm."""


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
class Account:
    """What the far end says of the way there: the numbers that it received, and how many came twice or overtaken."""

    reached: frozenset[int]
    duplicates: int
    reordered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So many packets leave at once, and the next ones so much later."""

    at_once: int
    spacing_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWay:
    """Both directions of a stream, and the round trips without the far end's own time."""

    up: StreamQuality
    down: StreamQuality
    round_trips_ms: tuple[float, ...]


def split(
    sent: Sequence[Stamp],
    returned: Sequence[Returned],
    counted: int | None,
    account: Account | None = None,
    *,
    pace: Pace | None = None,
) -> TwoWay:
    """`counted` is what the far end says that it answered; None when it could not be asked any more.

    With a pace, losses from what a late host sent all at once are not the way's: none of it counts in that direction.
    Raises `ValueError` for counts that no honest far end has.
    """
    left = {stamp.sequence: stamp.at_ns for stamp in sent}
    known = [one for one in returned if one.number in left]
    counts = dict(zip(map(id, known), _counts(known), strict=True))
    by_number: dict[int, Returned] = {}
    for one in known:
        by_number.setdefault(one.number, one)
    total = _total(len(sent), counted, counts.values(), account)
    crowded = _crowded(sent, pace) if pace else frozenset()
    seen = {counts[id(one)]: one for one in reversed(known)}
    if account is not None:
        reached = account.reached
    else:
        reached = _reached(sent, {n: counts[id(one)] for n, one in by_number.items()}, sorted(seen), total)
    came = [Stamp(seen[count].number, seen[count].received_ns) for count in sorted(seen)]
    up = measure(_without(sent, crowded, reached | by_number.keys()), came, reached=reached)
    stamps = {counts[id(one)]: one.received_ns + one.held_ns for one in known}
    slow_ns = pace.spacing_ns if pace else inf
    odd = {counts[id(one)] for one in known if one.number in crowded or one.held_ns > slow_ns}
    answers = _without(_filled(stamps, total), set(_beside(odd, sorted(stamps), total)), stamps.keys())
    down = measure(answers, [Stamp(counts[id(one)], one.arrived_ns) for one in known])
    trips = tuple((one.arrived_ns - left[n] - one.held_ns) / 1e6 for n, one in by_number.items())
    return TwoWay(up=_by_account(up, account) if account else up, down=down, round_trips_ms=trips)


def _total(sent: int, counted: int | None, counts: Collection[int], account: Account | None) -> int:
    """How many the far end answered, as far as anybody knows."""
    total = max([counted or 0, *(count + 1 for count in counts)])
    most = _MOST_COPIES * sent + _SPARE
    if total > most or min(counts, default=0) < 0 or (account and not _is_sane(account, most)):
        raise ValueError("the far end counts what was never sent")
    return total


def _crowded(sent: Sequence[Stamp], pace: Pace) -> frozenset[int]:
    """What a host that was late for some turns sent all at once."""
    pairs = zip(sent, sent[pace.at_once :], strict=False)
    close = [after.at_ns - before.at_ns < pace.spacing_ns / 2 for before, after in pairs]
    runs = (list(run) for is_close, run in groupby(enumerate(close), key=itemgetter(1)) if is_close)
    return frozenset(
        sent[i + pace.at_once].sequence for run in runs if len(run) >= _TRAIN * pace.at_once for i, _ in run
    )


def _without(sent: Sequence[Stamp], few: Set[int], there: Set[int]) -> Sequence[Stamp]:
    """Without these, if any of them was lost."""
    return [stamp for stamp in sent if stamp.sequence not in few] if few - there else sent


def _beside(odd: Set[int], seen: Sequence[int], total: int) -> Iterator[int]:
    """These, and of the answers that nobody saw those next to one: nothing else is known of them."""
    for count in range(total) if odd else ():
        place = bisect_left(seen, count)
        is_seen = place < len(seen) and seen[place] == count
        near = seen[place : place + 1] if is_seen else seen[max(0, place - 1) : place + 1]
        if not odd.isdisjoint(near):
            yield count


def _is_sane(account: Account, most: int) -> bool:
    return 0 <= account.duplicates <= most and 0 <= account.reordered <= len(account.reached)


def _by_account(up: StreamQuality, account: Account) -> StreamQuality:
    """The far end saw them all; the answers that came back are a part of them."""
    return replace(
        up,
        duplicates=account.duplicates,
        reordered=account.reordered,
        reordering_ratio=account.reordered / len(account.reached) if account.reached else 0.0,
    )


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
