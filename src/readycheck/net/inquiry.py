"""Many questions over one socket: when to ask again, whose answer it is, when to give up.

`Inquiry` holds no socket and no clock; `ask` drives it.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from readycheck.failure import Failure, Step
from readycheck.net.interface import Datagrams, Endpoint, IcmpReport, NetError, Question, Received, Schedule
from readycheck.net.stream import icmp_failure
from readycheck.observation import OpenStep, Trace

IN_FLIGHT = 256

# A destination that says so itself, or a rule that does, will not change its mind within a second;
# a router's "host unreachable" may be a moment's, and anybody on the way can make one up.
_DECISIVE = frozenset({"port_unreachable", "admin_prohibited", "time_exceeded"})
_FASTEST_RETRY_MS = 200.0
_IN_ONE_GO = 8
"""Packets between two looks at what has arrived: others have their turn then, and on a busy loop that takes long."""
_RTTS_PER_RETRY = 4
_ANY_PORT = -1


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one question."""

    index: int
    failure: Failure | None = None
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Pending:
    asked_ms: list[float] = field(default_factory=list)
    left_ns: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    complaint: NetError | None = None


class Inquiry:
    """The state of all questions. Times are milliseconds on any one clock, stamps nanoseconds."""

    def __init__(self, questions: Sequence[Question], schedule: Schedule, in_flight: int = IN_FLIGHT) -> None:
        self._questions = questions
        self._schedule = schedule
        self._in_flight = in_flight
        self._next = 0
        self._pending: dict[int, _Pending] = {}
        self._asked: dict[Endpoint, list[int]] = {}
        self._rtts_ms: list[float] = []

    def due(self, now_ms: float) -> list[tuple[int, int]]:
        """The questions to put now, each with its attempt; they stay due until `sent` or `refused`."""
        again = [(i, len(p.left_ns)) for i, p in self._pending.items() if self._again_ms(p) <= now_ms]
        room = max(0, self._in_flight - len(self._pending))
        new = range(self._next, min(self._next + room, len(self._questions)))
        return again + [(index, 0) for index in new]

    def sent(self, index: int, payload: bytes, now_ms: float, left_ns: int) -> None:
        """A question has left, at `left_ns`."""
        if index not in self._pending:
            self._begin(index)
            self._pending[index] = _Pending()
            for place in _answering_places(self._questions[index]):
                self._asked.setdefault(place, []).append(index)
        pending = self._pending[index]
        pending.asked_ms.append(now_ms)
        pending.left_ns.append(left_ns)
        pending.payloads.append(payload)

    def refused(self, index: int, error: NetError) -> Ended:
        """A question could not be sent."""
        if index not in self._pending:
            self._begin(index)
            return Ended(index, error.failure, error.detail, {**error.facts, "attempts": 0})
        return self._end(index, error)

    def answered(self, received: Received) -> list[Ended]:
        """Find the question that this answers; what answers none is dropped."""
        malformed: tuple[int, NetError] | None = None
        place = _place(received.source)
        for index in (*self._waiting_at(place), *self._waiting_at((place[0], _ANY_PORT))):
            try:
                facts = self._questions[index].recognise(received.payload)
            except ValueError as error:
                malformed = malformed or (index, NetError(Failure.PROTOCOL_ERROR, str(error)[:200]))
                continue
            if facts is not None:
                return [self._answer(index, facts, received)]
        return [self._end(*malformed)] if malformed else []

    def icmp(self, report: IcmpReport) -> list[Ended]:
        """An ICMP error ends what it is about, at once or when nothing better comes."""
        error, ended = icmp_failure(report), []
        for index in self._meant_by(report):
            if report.meaning in _DECISIVE:
                ended.append(self._end(index, error))
            else:
                self._pending[index].complaint = error
        return ended

    def expired(self, now_ms: float) -> list[Ended]:
        """The questions that have waited long enough."""
        late = [i for i, pending in self._pending.items() if self._give_up_ms(pending) <= now_ms]
        return [self._silent(index) for index in late]

    def abandon(self, why: NetError | None = None) -> list[Ended]:
        """Stop: what was asked ends with `why` or as silence, what never was as `interrupted`."""
        pending = list(self._pending)
        ended = [self._end(index, why) if why else self._silent(index) for index in pending]
        unasked = range(self._next, len(self._questions))
        self._next = len(self._questions)
        return ended + [Ended(i, Failure.INTERRUPTED, "it was never asked", {"attempts": 0}) for i in unasked]

    def next_due_ms(self) -> float | None:
        """When there is something to do again; None when all questions have ended."""
        if self._next < len(self._questions) and len(self._pending) < self._in_flight:
            return 0.0
        times = (min(self._again_ms(p), self._give_up_ms(p)) for p in self._pending.values())
        return min(times, default=None)

    def waits_for(self, index: int) -> bool:
        """Whether the question is new or still open."""
        return index >= self._next or index in self._pending

    def _begin(self, index: int) -> None:
        self._next = max(self._next, index + 1)

    def _retry_ms(self) -> float:
        if not self._rtts_ms:
            return float("inf")
        median = self._rtts_ms[len(self._rtts_ms) // 2]
        return max(_FASTEST_RETRY_MS, _RTTS_PER_RETRY * median)

    def _again_ms(self, pending: _Pending) -> float:
        attempts = len(pending.asked_ms)
        if attempts > len(self._schedule.again_ms):
            return float("inf")
        planned = pending.asked_ms[0] + self._schedule.again_ms[attempts - 1]
        return min(planned, pending.asked_ms[-1] + self._retry_ms())

    def _give_up_ms(self, pending: _Pending) -> float:
        planned = pending.asked_ms[0] + self._schedule.give_up_ms
        if len(pending.asked_ms) == 1 or len(pending.asked_ms) <= len(self._schedule.again_ms):
            return planned
        return min(planned, pending.asked_ms[-1] + self._retry_ms())

    def _waiting_at(self, place: Endpoint) -> list[int]:
        return [index for index in self._asked.get(place, ()) if index in self._pending]

    def _meant_by(self, report: IcmpReport) -> list[int]:
        # Routers may quote eight bytes only: then the error is about every question put to that place.
        there = self._waiting_at(_place(report.destination))
        quoted = [i for i in there if _quotes(report.payload, self._pending[i].payloads)]
        return quoted or there

    def _answer(self, index: int, facts: Mapping[str, Any], received: Received) -> Ended:
        rtt_ms = _rtt_ms(self._pending[index].left_ns, facts.get("attempt"), received.at_ns)
        if rtt_ms is not None:
            insort(self._rtts_ms, rtt_ms)
            facts = {**facts, "rtt_ms": rtt_ms}
        attempts = len(self._pending.pop(index).left_ns)
        return Ended(index, facts={**facts, "attempts": attempts, "source": list(received.source)})

    def _silent(self, index: int) -> Ended:
        silence = NetError(Failure.TIMED_OUT, f"no answer to {len(self._pending[index].left_ns)} questions")
        return self._end(index, self._pending[index].complaint or silence)

    def _end(self, index: int, error: NetError) -> Ended:
        attempts = len(self._pending.pop(index).left_ns)
        return Ended(index, error.failure, error.detail, {**error.facts, "attempts": attempts})


def destination(question: Question) -> Endpoint:
    """Where a question goes; its target has to be complete, but for ICMP, which has no ports."""
    target = question.target
    address, port = target.address or target.host, 0 if target.transport == "icmp" else target.port
    if address is None or port is None:
        raise ValueError(f"a question needs an address and a port: {target}")
    return address, port


def _answering_places(question: Question) -> Iterator[Endpoint]:
    place = _place(destination(question))
    yield place
    if question.any_port:
        yield place[0], _ANY_PORT


def _place(endpoint: Endpoint) -> Endpoint:
    address = endpoint[0].partition("%")[0]
    try:
        return ip_address(address).compressed, endpoint[1]
    except ValueError:
        return address, endpoint[1]


def _quotes(quote: bytes, payloads: Sequence[bytes]) -> bool:
    # Cut short by old routers, padded by those that append extensions (RFC 4884).
    return any(quote and sent and (sent.startswith(quote) or quote.startswith(sent)) for sent in payloads)


def _rtt_ms(left_ns: Sequence[int], attempt: object, at_ns: int) -> float | None:
    # Without the attempt's number an answer to a repeated question has no round trip (Karn).
    if attempt is None and len(left_ns) == 1:
        attempt = 0
    if not isinstance(attempt, int) or not 0 <= attempt < len(left_ns):
        return None
    return round(max(0, at_ns - left_ns[attempt]) / 1e6, 3)


async def ask(
    datagrams: Datagrams,
    questions: Sequence[Question],
    schedule: Schedule,
    *,
    trace: Trace,
    now_ms: Callable[[], float],
    deadline_ms: float = float("inf"),
    in_flight: int = IN_FLIGHT,
) -> None:
    """Ask all, again as the schedule says; one `echo` step in `trace` for each question."""
    inquiry = Inquiry(questions, schedule, in_flight)
    asking = _Asking(datagrams, questions, inquiry, trace, now_ms)
    try:
        while (due_ms := inquiry.next_due_ms()) is not None and now_ms() < deadline_ms:
            for turn, (index, attempt) in enumerate(inquiry.due(now_ms()), 1):
                if inquiry.waits_for(index) and now_ms() < deadline_ms:
                    await asking.send(index, attempt)
                if turn % _IN_ONE_GO == 0:
                    await asking.take_arrived()
            await asking.take(min(inquiry.next_due_ms() or due_ms, deadline_ms))
            asking.close(inquiry.expired(now_ms()))
    except NetError as error:
        asking.close(inquiry.abandon(error))
    asking.close(inquiry.abandon())


class _Asking:
    """One call of `ask`: the inquiry, its socket, and the steps that it records."""

    def __init__(
        self, datagrams: Datagrams, questions: Sequence[Question], inquiry: Inquiry,
        trace: Trace, now_ms: Callable[[], float],
    ) -> None:  # fmt: skip
        self.datagrams = datagrams
        self.questions = questions
        self.inquiry = inquiry
        self.trace = trace
        self.now_ms = now_ms
        self._steps: dict[int, OpenStep] = {}

    async def send(self, index: int, attempt: int) -> None:
        question = self.questions[index]
        payload = question.payload(attempt)
        try:
            left_ns = await self.datagrams.send(payload, destination(question))
        except NetError as error:
            self.close([self.inquiry.refused(index, error)])
            return
        self.inquiry.sent(index, payload, self.now_ms(), left_ns)
        self._step(index).facts["attempts"] = attempt + 1

    async def take(self, until_ms: float) -> bool:
        """Handle the next arrival; False when there was none until then."""
        try:
            item = await self.datagrams.receive(timeout=max(0.0, until_ms - self.now_ms()) / 1000)
        except NetError as error:
            if error.failure is not Failure.TIMED_OUT:
                raise
            return False
        if isinstance(item, IcmpReport):
            self.close(self.inquiry.icmp(item))
            return True
        ended = self.inquiry.answered(item)
        self.close(ended)
        await self._part(ended, item)
        return True

    async def _part(self, ended: Sequence[Ended], answer: Received) -> None:
        for end in ended:
            farewell = self.questions[end.index].farewell(answer.payload)
            if farewell is not None:
                with suppress(NetError):  # a courtesy: what is known does not depend on it
                    await self.datagrams.send(farewell, answer.source)

    async def take_arrived(self) -> None:
        """What is there already; no more of it than could be answers, for a flood has no end."""
        for _ in range(IN_FLIGHT):
            if not await self.take(0.0):
                return

    def close(self, ended: Sequence[Ended]) -> None:
        for end in ended:
            step = self._step(end.index)
            step.facts.update(end.facts)
            step.end(self.now_ms(), end.failure, end.detail)

    def _step(self, index: int) -> OpenStep:
        if index not in self._steps:
            target = self.questions[index].target
            target = replace(target, transport=target.transport or "udp")
            self._steps[index] = self.trace.open(Step.ECHO, target, self.now_ms())
        return self._steps[index]
