"""The question engine with time as an argument, and its driver over a fake and a real socket."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.failure import Failure, Step
from readycheck.net.datagram import SocketOptions, SystemDatagrams
from readycheck.net.inquiry import Ended, Inquiry, ask
from readycheck.net.interface import Endpoint, IcmpReport, NetError, Question, Received, Schedule
from readycheck.observation import Observation, Target, Trace

SCHEDULE = Schedule((500, 1250), 2500)
MS = 1_000_000


def question(
    number: int = 1, *, port: int = 3478, numbered: bool = True, host: str = "192.0.2.1"
) -> Question:
    """Asks `<number>?<attempt>`; the answer is `<number>!<attempt>`, and `junk` is malformed."""

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        who, mark, attempt = data.partition(b"!")
        if not mark:
            raise ValueError("answer without a mark")
        if who != b"%d" % number:
            return None
        return {"attempt": int(attempt), "text": "yes"} if numbered else {}

    return Question(Target(address=host, port=port), lambda attempt: b"%d?%d" % (number, attempt), recognise)


def put(inquiry: Inquiry, index: int, now_ms: float, questions: list[Question]) -> None:
    attempt = next(attempt for found, attempt in inquiry.due(now_ms) if found == index)
    inquiry.sent(index, questions[index].payload(attempt), now_ms, int(now_ms * MS))


def answer(data: bytes, at_ms: float, source: Endpoint = ("192.0.2.1", 3478)) -> Received:
    return Received(data, source, int(at_ms * MS))


def icmp(meaning: str, payload: bytes = b"", to: Endpoint = ("192.0.2.1", 3478)) -> IcmpReport:
    return IcmpReport(to, "192.0.2.254", meaning, 0, payload)


@pytest.fixture
def one() -> tuple[Inquiry, list[Question]]:
    questions = [question()]
    return Inquiry(questions, SCHEDULE), questions


def test_a_question_is_due_at_once_again_as_scheduled_and_then_given_up(
    one: tuple[Inquiry, list[Question]],
) -> None:
    inquiry, questions = one
    times = []
    while (due_ms := inquiry.next_due_ms()) is not None:
        times.append(due_ms)
        if ended := inquiry.expired(due_ms):
            break
        assert inquiry.due(due_ms - 1) == [] or due_ms == 0
        put(inquiry, 0, due_ms, questions)
    assert times == [0, 500, 1250, 2500]
    assert ended == [Ended(0, Failure.TIMED_OUT, "no answer to 3 questions", {"attempts": 3})]
    assert inquiry.next_due_ms() is None


def test_the_schedule_counts_from_the_moment_of_sending() -> None:
    questions = [question()]
    inquiry = Inquiry(questions, SCHEDULE)
    put(inquiry, 0, 640.0, questions)
    assert inquiry.next_due_ms() == 1140


def test_an_answer_carries_its_round_trip_from_the_attempt_that_it_names(
    one: tuple[Inquiry, list[Question]],
) -> None:
    inquiry, questions = one
    put(inquiry, 0, 10, questions)
    put(inquiry, 0, 510, questions)
    (ended,) = inquiry.answered(answer(b"1!0", 540.5))
    source = ["192.0.2.1", 3478]
    facts = {"attempt": 0, "text": "yes", "rtt_ms": 530.5, "attempts": 2, "source": source}
    assert ended == Ended(0, facts=facts)
    assert inquiry.next_due_ms() is None
    assert inquiry.answered(answer(b"1!1", 541)) == []


@pytest.mark.parametrize(("attempts", "rtt_ms"), [(1, 25.0), (2, None)])
def test_without_a_named_attempt_only_a_single_one_is_timed(attempts: int, rtt_ms: float | None) -> None:
    questions = [question(numbered=False)]
    inquiry = Inquiry(questions, SCHEDULE)
    for number in range(attempts):
        put(inquiry, 0, 500.0 * number, questions)
    (ended,) = inquiry.answered(answer(b"1!", 500.0 * (attempts - 1) + 25))
    assert ended.facts.get("rtt_ms") == rtt_ms
    assert ended.facts["attempts"] == attempts


@pytest.mark.parametrize("attempt", [b"1!7", b"1!-1"])
def test_an_attempt_that_was_never_made_has_no_round_trip(
    one: tuple[Inquiry, list[Question]], attempt: bytes
) -> None:
    inquiry, questions = one
    put(inquiry, 0, 0, questions)
    (ended,) = inquiry.answered(answer(attempt, 20))
    assert "rtt_ms" not in ended.facts


def test_a_clock_that_was_set_back_gives_no_negative_time(one: tuple[Inquiry, list[Question]]) -> None:
    inquiry, questions = one
    put(inquiry, 0, 100, questions)
    assert inquiry.answered(answer(b"1!0", 50))[0].facts["rtt_ms"] == 0


@pytest.mark.parametrize("source", [("192.0.2.2", 3478), ("192.0.2.1", 3479), ("", 0)])
def test_an_answer_from_elsewhere_is_none(one: tuple[Inquiry, list[Question]], source: Endpoint) -> None:
    inquiry, questions = one
    put(inquiry, 0, 0, questions)
    assert inquiry.answered(answer(b"1!0", 20, source)) == []
    assert inquiry.icmp(icmp("port_unreachable", to=source)) == []


def test_where_any_port_may_answer_the_address_must_be_right() -> None:
    questions = [replace(question(), any_port=True)]
    inquiry = Inquiry(questions, SCHEDULE)
    put(inquiry, 0, 0, questions)
    assert inquiry.answered(answer(b"1!0", 20, ("192.0.2.2", 3478))) == []
    assert inquiry.icmp(icmp("port_unreachable", to=("192.0.2.1", 50000))) == []
    (ended,) = inquiry.answered(answer(b"1!0", 20, ("192.0.2.1", 50000)))
    assert (ended.failure, ended.facts["source"]) == (None, ["192.0.2.1", 50000])
    assert inquiry.answered(answer(b"1!0", 21, ("192.0.2.1", 3478))) == []


def test_one_that_any_port_may_answer_leaves_others_their_answers() -> None:
    questions = [replace(question(1), any_port=True), question(2, port=9)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert [ended.index for ended in inquiry.answered(answer(b"2!0", 20, ("192.0.2.1", 9)))] == [1]
    assert [ended.index for ended in inquiry.answered(answer(b"1!0", 20))] == [0]


def test_addresses_match_however_they_are_written() -> None:
    questions = [question(host="2001:DB8:0::1"), question(2, host="fe80::1")]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert inquiry.answered(answer(b"1!0", 20, ("2001:db8::1", 3478)))
    assert inquiry.answered(answer(b"2!0", 20, ("fe80::1%eth0", 3478)))


def test_two_questions_to_one_place_get_their_own_answers() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert [ended.index for ended in inquiry.answered(answer(b"2!0", 20))] == [1]
    assert inquiry.answered(answer(b"3!0", 20)) == []
    assert [ended.index for ended in inquiry.answered(answer(b"1!0", 20))] == [0]


def test_a_malformed_answer_is_a_protocol_error(one: tuple[Inquiry, list[Question]]) -> None:
    inquiry, questions = one
    put(inquiry, 0, 0, questions)
    (ended,) = inquiry.answered(answer(b"junk", 20))
    assert ended == Ended(0, Failure.PROTOCOL_ERROR, "answer without a mark", {"attempts": 1})


def test_an_answer_that_one_question_cannot_read_may_be_anothers() -> None:
    def refuse(data: bytes) -> None:
        raise ValueError("unreadable")

    questions = [Question(Target(address="192.0.2.1", port=3478), lambda n: b"?", refuse), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert [ended.index for ended in inquiry.answered(answer(b"2!0", 20))] == [1]


@pytest.mark.parametrize(
    ("meaning", "failure"),
    [
        ("port_unreachable", Failure.PORT_UNREACHABLE),
        ("admin_prohibited", Failure.ICMP_ADMIN_PROHIBITED),
        ("time_exceeded", Failure.HOP_LIMIT_EXCEEDED),
    ],
)
def test_a_decisive_icmp_error_ends_the_question(
    one: tuple[Inquiry, list[Question]], meaning: str, failure: Failure
) -> None:
    inquiry, questions = one
    put(inquiry, 0, 0, questions)
    (ended,) = inquiry.icmp(icmp(meaning))
    assert ended.failure is failure
    assert ended.facts == {"offender": "192.0.2.254", "meaning": meaning, "attempts": 1}


@pytest.mark.parametrize("meaning", ["host_unreachable", "net_unreachable", "fragmentation_needed", "other"])
def test_a_passing_icmp_error_only_counts_when_nothing_better_comes(meaning: str) -> None:
    questions = [question(1), question(2, port=9)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert inquiry.icmp(icmp(meaning)) == []
    assert inquiry.icmp(icmp(meaning, to=("192.0.2.1", 9))) == []
    assert inquiry.answered(answer(b"1!0", 900))[0].failure is None
    (ended,) = inquiry.expired(2500)
    assert ended.failure is not Failure.TIMED_OUT
    assert ended.facts["meaning"] == meaning


@pytest.mark.parametrize(
    ("quote", "meant"),
    [(b"", [0, 1]), (b"2?", [1]), (b"1?0" + bytes(20), [0]), (b"rewritten", [0, 1])],
    ids=["no payload quoted", "cut short", "padded", "changed on the way"],
)
def test_an_icmp_error_is_about_what_it_quotes(quote: bytes, meant: list[int]) -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert [ended.index for ended in inquiry.icmp(icmp("port_unreachable", quote))] == meant


def test_answers_elsewhere_shorten_the_wait_for_the_rest() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    inquiry.answered(answer(b"1!0", 100))
    times = []
    while not (ended := inquiry.expired(now_ms := inquiry.next_due_ms() or 0)):
        times.append(now_ms)
        put(inquiry, 1, now_ms, questions)
    assert (times, now_ms) == ([400, 800], 1200)
    assert ended[0].facts == {"attempts": 3}


def test_the_wait_is_never_shorter_than_200_ms_after_the_last_attempt() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    put(inquiry, 1, 500, questions)
    inquiry.answered(answer(b"1!0", 1))
    assert inquiry.expired(690) == []
    assert inquiry.next_due_ms() == 700
    put(inquiry, 1, 700, questions)
    assert inquiry.next_due_ms() == 900


def test_slow_answers_never_stretch_the_schedule() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    inquiry.answered(answer(b"1!0", 490))
    assert inquiry.next_due_ms() == 500
    put(inquiry, 1, 500, questions)
    put(inquiry, 1, 1250, questions)
    assert inquiry.next_due_ms() == 2500


def test_a_question_that_is_asked_once_keeps_its_patience() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, Schedule((), 1000))
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    inquiry.answered(answer(b"1!0", 1))
    assert inquiry.next_due_ms() == 1000


def test_what_is_in_flight_is_bounded() -> None:
    questions = [question(number, port=number) for number in range(1, 6)]
    inquiry = Inquiry(questions, SCHEDULE, in_flight=2)
    assert inquiry.due(0) == [(0, 0), (1, 0)]
    for index in (0, 1):
        put(inquiry, index, 0, questions)
    assert inquiry.due(499) == []
    inquiry.answered(answer(b"1!0", 300, ("192.0.2.1", 1)))
    assert inquiry.next_due_ms() == 0
    assert inquiry.due(300) == [(2, 0)]


def test_a_question_that_cannot_be_sent_ends_with_the_reason() -> None:
    questions = [question(1), question(2)]
    inquiry = Inquiry(questions, SCHEDULE)
    refusal = NetError(Failure.PERMISSION_DENIED, "sending")
    assert inquiry.refused(0, refusal) == Ended(0, Failure.PERMISSION_DENIED, "sending", {"attempts": 0})
    put(inquiry, 1, 0, questions)
    assert inquiry.refused(1, refusal).facts == {"attempts": 1}
    assert inquiry.next_due_ms() is None


def test_what_was_never_asked_is_not_called_silent() -> None:
    questions = [question(1), question(2), question(3)]
    inquiry = Inquiry(questions, SCHEDULE, in_flight=1)
    put(inquiry, 0, 0, questions)
    assert [ended.failure for ended in inquiry.abandon()] == [
        Failure.TIMED_OUT,
        Failure.INTERRUPTED,
        Failure.INTERRUPTED,
    ]
    assert inquiry.next_due_ms() is None


def test_a_question_needs_a_place() -> None:
    inquiry = Inquiry([Question(Target(host="name.test"), lambda n: b"", lambda d: None)], SCHEDULE)
    with pytest.raises(ValueError, match="needs an address and a port"):
        inquiry.sent(0, b"", 0, 0)


def test_icmp_has_no_ports() -> None:
    target = Target(address="192.0.2.1", transport="icmp")
    questions = [replace(question(), target=target)]
    inquiry = Inquiry(questions, SCHEDULE)
    put(inquiry, 0, 0, questions)
    (ended,) = inquiry.answered(answer(b"1!0", 20, ("192.0.2.1", 0)))
    assert (ended.failure, ended.facts["rtt_ms"]) == (None, 20)


@settings(deadline=None, database=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 11)), max_size=120), st.integers(1, 5))
def test_every_question_ends_exactly_once_whatever_arrives(
    steps: list[tuple[int, int]], in_flight: int
) -> None:
    questions = [question(number, port=1 + number % 3) for number in range(12)]
    inquiry, now_ms, ended = Inquiry(questions, SCHEDULE, in_flight), 0.0, []
    places = [("192.0.2.1", 1 + number % 3) for number in range(12)]
    for kind, who in steps:
        now_ms += 97
        if kind == 0:
            for index, attempt in inquiry.due(now_ms):
                inquiry.sent(index, questions[index].payload(attempt), now_ms, int(now_ms * MS))
        elif kind == 1:
            ended += inquiry.answered(answer(b"%d!0" % who, now_ms, places[who]))
        elif kind == 2:
            ended += inquiry.answered(answer(b"junk", now_ms, places[who]))
        elif kind == 3:
            ended += inquiry.icmp(icmp("port_unreachable", b"%d?0" % who, places[who]))
        else:
            ended += inquiry.expired(now_ms)
        assert len(inquiry._pending) <= in_flight
    ended += inquiry.abandon()
    assert sorted(end.index for end in ended) == list(range(12))


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def now_ms(self) -> float:
        return self.ms


class FakeDatagrams:
    """Delivers what `reply` makes of each datagram after `delay_ms` of the clock; nothing really waits."""

    local = ("192.0.2.99", 50000)

    def __init__(
        self, clock: Clock, reply: Callable[[bytes, Endpoint], list[Received | IcmpReport | NetError]]
    ) -> None:
        self.clock, self.reply = clock, reply
        self.sent: list[tuple[float, bytes]] = []
        self._coming: deque[tuple[float, Received | IcmpReport | NetError]] = deque()

    async def send(self, payload: bytes, to: Endpoint) -> int:
        self.sent.append((self.clock.ms, payload))
        for item in self.reply(payload, to):
            if isinstance(item, NetError):
                raise item
            self._coming.append((self.clock.ms + 20, item))
        return int(self.clock.ms * MS)

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        until = self.clock.ms + timeout * 1000
        if self._coming and self._coming[0][0] <= until:
            at_ms, item = self._coming.popleft()
            self.clock.ms = max(self.clock.ms, at_ms)
            assert not isinstance(item, NetError)
            return item
        assert until < float("inf"), "would wait forever"
        self.clock.ms = until
        raise NetError(Failure.TIMED_OUT)

    def close(self) -> None: ...


async def asked(
    questions: list[Question],
    reply: Callable[[bytes, Endpoint], list[Received | IcmpReport | NetError]],
    **limits: Any,
) -> tuple[tuple[Observation, ...], FakeDatagrams]:
    clock, trace = Clock(), Trace()
    datagrams = FakeDatagrams(clock, reply)
    await ask(datagrams, questions, SCHEDULE, trace=trace, now_ms=clock.now_ms, **limits)
    return trace.observations(clock.ms, Failure.UNKNOWN), datagrams


async def test_the_driver_records_one_echo_for_each_question() -> None:
    def reply(payload: bytes, to: Endpoint) -> list[Received | IcmpReport | NetError]:
        number, attempt = payload.split(b"?")
        match int(number):
            case 1:
                return [Received(b"1!" + attempt, to, 0)]
            case 2:
                return [IcmpReport(to, "192.0.2.254", "admin_prohibited", 0, payload)]
            case 3:
                return [NetError(Failure.PERMISSION_DENIED, "sending: not permitted")]
            case 4:
                return [Received(b"junk", to, 0)]
            case _:
                return []

    seen, datagrams = await asked([question(n, port=n) for n in range(1, 6)], reply)
    assert {(o.target.port, o.failure) for o in seen} == {
        (1, None),
        (2, Failure.ICMP_ADMIN_PROHIBITED),
        (3, Failure.PERMISSION_DENIED),
        (4, Failure.PROTOCOL_ERROR),
        (5, Failure.TIMED_OUT),
    }
    assert {o.step for o in seen} == {Step.ECHO}
    assert {o.target.transport for o in seen} == {"udp"}
    silent = next(o for o in seen if o.target.port == 5)
    assert silent.facts == {"attempts": 3}
    assert silent.elapsed_ms == 600  # the one answer made three attempts of 200 ms enough
    assert [at for at, payload in datagrams.sent if payload.startswith(b"5")] == [0, 200, 400]


async def test_the_driver_stops_at_the_deadline_and_says_what_it_never_asked() -> None:
    seen, datagrams = await asked(
        [question(n, port=n) for n in range(1, 4)], lambda payload, to: [], deadline_ms=800, in_flight=1
    )
    assert [(o.failure, o.facts["attempts"]) for o in seen] == [
        (Failure.TIMED_OUT, 2),
        (Failure.INTERRUPTED, 0),
        (Failure.INTERRUPTED, 0),
    ]
    assert datagrams.clock.ms == 800


@pytest.mark.parametrize(
    ("said", "farewells"), [(b"1!0", [b"enough of 1!0"]), (b"junk", [b"enough of junk"]), (b"2!0", [])]
)
async def test_who_answered_is_told_that_it_is_enough(said: bytes, farewells: list[bytes]) -> None:
    told: list[tuple[bytes, Endpoint]] = []

    def reply(payload: bytes, to: Endpoint) -> list[Received | IcmpReport | NetError]:
        if payload.startswith(b"enough"):
            told.append((payload, to))
            return [NetError(Failure.PERMISSION_DENIED, "not even that")]
        return [Received(said, (to[0], 50000), 0)]

    asking = replace(question(), any_port=True, farewell=lambda data: b"enough of " + data)
    (seen,), _ = await asked([asking], reply)
    assert told == [(farewell, ("192.0.2.1", 50000)) for farewell in farewells]
    assert seen.failure == {b"1!0": None, b"junk": Failure.PROTOCOL_ERROR, b"2!0": Failure.TIMED_OUT}[said]


async def test_a_socket_that_breaks_ends_all_questions() -> None:
    class Broken(FakeDatagrams):
        async def receive(self, *, timeout: float) -> Received | IcmpReport:
            raise NetError(Failure.CONNECTION_CLOSED, "the socket is closed")

    clock, trace = Clock(), Trace()
    questions = [question(1), question(2)]
    broken = Broken(clock, lambda payload, to: [])
    await ask(broken, questions, SCHEDULE, trace=trace, now_ms=clock.now_ms, in_flight=1)
    assert [o.failure for o in trace.observations(0)] == [Failure.CONNECTION_CLOSED, Failure.INTERRUPTED]


async def test_a_flood_keeps_no_question_from_its_end() -> None:
    class Flooded(FakeDatagrams):
        """Something is always there already, and nothing else comes."""

        async def receive(self, *, timeout: float) -> Received | IcmpReport:
            if timeout > 0:
                return await super().receive(timeout=timeout)
            return Received(b"noise", ("203.0.113.9", 9), 0)

    clock, trace = Clock(), Trace()
    flooded = Flooded(clock, lambda payload, to: [])
    await ask(flooded, [question(1), question(2)], SCHEDULE, trace=trace, now_ms=clock.now_ms)
    assert [o.failure for o in trace.observations(0)] == [Failure.TIMED_OUT] * 2


async def test_a_sample_leaves_in_one_go_though_the_loop_is_busy() -> None:
    class Busy(FakeDatagrams):
        """Whenever others have their turn they keep it for a while."""

        async def receive(self, *, timeout: float) -> Received | IcmpReport:
            self.clock.ms += 100 if timeout == 0 else 0
            return await super().receive(timeout=timeout)

    clock, trace = Clock(), Trace()
    busy = Busy(clock, lambda payload, to: [])
    questions = [question(number) for number in range(9)]
    await ask(busy, questions, Schedule((), 400), trace=trace, now_ms=clock.now_ms)
    assert [at for at, _ in busy.sent] == [0] * 8 + [100]


async def test_nothing_to_ask_is_nothing_to_do() -> None:
    seen, datagrams = await asked([], lambda payload, to: [])
    assert (seen, datagrams.sent) == ((), [])


async def test_cancelling_leaves_open_steps_to_the_engine() -> None:
    trace = Trace()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        place = mute.getsockname()
        with closing(SystemDatagrams(SocketOptions(source="127.0.0.1"))) as datagrams:
            questions = [question(host=place[0], port=place[1])]
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ask(datagrams, questions, SCHEDULE, trace=trace, now_ms=lambda: 0.0))
                for _ in range(20):
                    await asyncio.sleep(0)
                task.cancel()
    (seen,) = trace.observations(5.0, Failure.INTERRUPTED)
    assert (seen.failure, seen.facts) == (Failure.INTERRUPTED, {"attempts": 1})


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.replace(b"?", b"!"), addr)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_hundreds_at_once_against_a_real_server(host: str) -> None:
    loop, trace = asyncio.get_running_loop(), Trace()
    began = loop.time()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=(host, 0))
    port = transport.get_extra_info("sockname")[1]
    options = SocketOptions(family=6 if ":" in host else 4, source=host)
    with closing(transport), closing(SystemDatagrams(options)) as datagrams:
        questions = [question(number, host=host, port=port) for number in range(600)]
        await ask(datagrams, questions, SCHEDULE, trace=trace, now_ms=lambda: (loop.time() - began) * 1000)
    seen = trace.observations(0)
    assert [o.failure for o in seen] == [None] * 600
    assert all(0 < o.facts["rtt_ms"] < 1000 for o in seen)
