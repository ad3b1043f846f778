"""One question to one name server: fakes on loopback that answer well, badly, late or not at all."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.failure import Failure
from readycheck.net import query as module
from readycheck.net.datagram import SocketOptions, SystemDatagrams
from readycheck.net.interface import Datagrams, Endpoint, IcmpReport, NetError, Received, Stream
from readycheck.net.query import query
from readycheck.net.stream import SystemStream, open_stream

Message = dns.message.Message
Script = Callable[[Message], bytes | Message | None]
HOST = "host.example."


class Loopback:
    """The verbs over real sockets."""

    async def open_datagram(self, *, family: int = 4) -> Datagrams:
        return SystemDatagrams(SocketOptions(family=family, source="127.0.0.1"))

    async def connect(self, to: Endpoint, *, timeout: float) -> Stream:
        return await open_stream(to, timeout=timeout)


NET = Loopback()


def answer(asked: Message, *records: str, rcode: str = "NOERROR", flags: int = 0) -> Message:
    """A reply whose records are lines of a zone file."""
    reply = dns.message.make_response(asked)
    reply.set_rcode(dns.rcode.from_text(rcode))
    reply.flags |= flags
    for record in records:
        name, kind, *rest = record.split(" ", 2)
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *rest))
    return reply


class FakeServer(asyncio.DatagramProtocol):
    """Answers over UDP and TCP on one port, as scripts say; keeps what it was asked."""

    def __init__(self, udp: Script, tcp: Script) -> None:
        self.udp, self.tcp = udp, tcp
        self.asked: list[Message] = []
        self.tasks: list[asyncio.Task[None] | None] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Endpoint) -> None:
        reply = self._reply(self.udp, data)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        length = int.from_bytes(await reader.readexactly(2), "big")
        reply = self._reply(self.tcp, await reader.readexactly(length))
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def _reply(self, script: Script, data: bytes) -> bytes | None:
        self.asked.append(dns.message.from_wire(data))
        reply = script(self.asked[-1])
        return reply.to_wire(max_size=65535) if isinstance(reply, Message) else reply


@asynccontextmanager
async def name_server(
    udp: Script, tcp: Script = lambda _: None
) -> AsyncIterator[tuple[Endpoint, FakeServer]]:
    fake = FakeServer(udp, tcp)
    listener = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    place: Endpoint = listener.sockets[0].getsockname()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: fake, local_addr=place)
    try:
        yield place, fake
    finally:
        transport.close()
        listener.close()
        for task in filter(None, fake.tasks):
            await task


async def refusal(
    udp: Script, tcp: Script = lambda _: None, *, transport: str = "udp", timeout: float = 3
) -> NetError:
    async with name_server(udp, tcp) as (place, _):
        with pytest.raises(NetError) as caught:
            await query(NET, place, HOST, "A", transport=transport, timeout=timeout)
    return caught.value


@pytest.mark.parametrize(
    ("rdtype", "record", "told"),
    [
        ("A", "A 192.0.2.1", "192.0.2.1"),
        ("AAAA", "AAAA 2001:db8::1", "2001:db8::1"),
        ("SRV", "SRV 0 5 5061 sip.example.", "0 5 5061 sip.example."),
        ("TXT", 'TXT "a\\027[31m"', '"a\\027[31m"'),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_records_are_told_as_text(transport: str, rdtype: str, record: str, told: str) -> None:
    def script(asked: Message) -> Message:
        return answer(asked, f"{HOST} {record}")

    async with name_server(script, script) as (place, fake):
        found = await query(NET, place, HOST, rdtype, transport=transport, timeout=3)
    assert (found.records, found.rcode) == ((told,), "NOERROR")
    assert (found.truncated, found.edns_fallback) == (False, False)
    assert 0 < found.rtt_ms < 3000
    assert (fake.asked[0].edns, fake.asked[0].payload) == ((0, 1232) if transport == "udp" else (-1, 0))


async def test_how_long_a_busy_host_leaves_an_answer_unread_is_not_the_servers_time() -> None:
    class Unread(SystemStream):
        def heard_ms_ago(self) -> float:
            return 3000.0

    class Busy(Loopback):
        async def connect(self, to: Endpoint, *, timeout: float) -> Stream:
            sock = socket.create_connection(to, timeout)
            sock.setblocking(False)
            return Unread(sock)

    async with name_server(lambda _: None, lambda asked: answer(asked, f"{HOST} A 192.0.2.1")) as (place, _):
        found = await query(Busy(), place, HOST, "A", transport="tcp", timeout=3)
    assert (found.records, found.rtt_ms) == (("192.0.2.1",), 0.0)


async def test_aliases_are_followed_within_the_answer() -> None:
    chain = [f"{HOST} CNAME a.example.", "b.example. A 192.0.2.9", "a.example. CNAME b.example."]
    async with name_server(lambda asked: answer(asked, *chain)) as (place, _):
        assert (await query(NET, place, HOST, "A", timeout=3)).records == ("192.0.2.9",)


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        ("NXDOMAIN", Failure.DNS_NXDOMAIN),
        ("SERVFAIL", Failure.DNS_SERVFAIL),
        ("REFUSED", Failure.DNS_REFUSED),
        ("NOTAUTH", Failure.PROTOCOL_ERROR),
        ("NOERROR", Failure.DNS_NO_ANSWER),
    ],
)
async def test_refusals_have_their_names(rcode: str, failure: Failure) -> None:
    error = await refusal(lambda asked: answer(asked, rcode=rcode))
    assert (error.failure, error.facts["rcode"], error.facts["server"]) == (failure, rcode, "127.0.0.1")
    assert error.facts["rtt_ms"] > 0


async def test_a_denial_says_who_speaks_and_why() -> None:
    def script(asked: Message) -> Message:
        reply = answer(asked, rcode="NXDOMAIN")
        soa = "a.example. nobody.example. 1 7200 900 1209600 60"
        reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", soa))
        reply.use_edns(options=[dns.edns.EDEOption(dns.edns.EDECode.BLOCKED, "by policy")])
        return reply

    error = await refusal(script)
    assert (error.facts["zone"], error.facts["errors"]) == ("example.", [15])


async def test_a_bare_denial_says_nothing_more() -> None:
    error = await refusal(lambda asked: answer(asked, rcode="NXDOMAIN"))
    assert not {"zone", "errors", "other", "alias"} & error.facts.keys()


async def test_a_denial_of_what_an_alias_leads_to_names_its_end() -> None:
    aliases = (f"{HOST} CNAME edge.example.", "edge.example. CNAME gone.example.")
    error = await refusal(lambda asked: answer(asked, *aliases, rcode="NXDOMAIN"))
    assert (error.failure, error.facts["alias"]) == (Failure.DNS_NXDOMAIN, "gone.example.")


async def test_a_denial_with_a_loop_of_aliases_leads_nowhere() -> None:
    error = await refusal(lambda asked: answer(asked, f"{HOST} CNAME {HOST}", rcode="NXDOMAIN"))
    assert error.failure is Failure.DNS_NXDOMAIN
    assert "alias" not in error.facts


async def test_a_bare_alias_is_no_answer() -> None:
    error = await refusal(lambda asked: answer(asked, f"{HOST} CNAME nowhere.example."))
    assert error.failure is Failure.DNS_NO_ANSWER


async def test_a_loop_of_aliases_is_a_protocol_error() -> None:
    loop = [f"{HOST} CNAME a.example.", f"a.example. CNAME {HOST}"]
    error = await refusal(lambda asked: answer(asked, *loop))
    assert error.failure in (Failure.PROTOCOL_ERROR, Failure.DNS_NO_ANSWER)


@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
async def test_a_server_without_edns_is_asked_again(rcode: str) -> None:
    def script(asked: Message) -> Message:
        return answer(asked, f"{HOST} A 192.0.2.1") if asked.edns < 0 else answer(asked, rcode=rcode)

    async with name_server(script) as (place, fake):
        found = await query(NET, place, HOST, "A", timeout=3)
    assert (found.records, found.edns_fallback, len(fake.asked)) == (("192.0.2.1",), True, 2)


async def test_edns_that_is_dropped_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.05)

    def script(asked: Message) -> Message | None:
        return answer(asked, f"{HOST} A 192.0.2.1") if asked.edns < 0 else None

    async with name_server(script) as (place, fake):
        found = await query(NET, place, HOST, "A", timeout=3)
    assert (found.records, found.edns_fallback, found.said["attempts"]) == (("192.0.2.1",), True, 2)
    assert [asked.edns for asked in fake.asked] == [0, -1]


@pytest.mark.parametrize(("transport", "asked"), [("udp", [0, -1]), ("tcp", [-1])])
async def test_what_was_not_understood_without_edns_is_not_asked_again(
    transport: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.05)

    def script(asked: Message) -> Message | None:
        return answer(asked, rcode="FORMERR") if asked.edns < 0 else None

    async with name_server(script, script) as (place, fake):
        with pytest.raises(NetError) as caught:
            await query(NET, place, HOST, "A", transport=transport, timeout=3)
    assert [question.edns for question in fake.asked] == asked
    assert caught.value.facts["edns_fallback"] is (transport == "udp")


async def test_a_server_that_never_understands() -> None:
    error = await refusal(lambda asked: answer(asked, rcode="FORMERR"))
    assert (error.failure, error.facts["edns_fallback"]) == (Failure.PROTOCOL_ERROR, True)


def cut(asked: Message) -> bytes:
    """A truncated reply that ends within a record."""
    return answer(asked, f"{HOST} A 192.0.2.7", flags=dns.flags.TC).to_wire()[:-20]


async def test_truncation_leads_to_tcp() -> None:
    async with name_server(cut, lambda asked: answer(asked, f"{HOST} A 192.0.2.1")) as (place, _):
        found = await query(NET, place, HOST, "A", timeout=3)
    assert (found.records, found.truncated) == (("192.0.2.1",), True)


async def test_truncation_with_no_way_over_tcp() -> None:
    error = await refusal(cut)
    assert (error.failure, error.facts["truncated"]) == (Failure.CONNECTION_CLOSED, True)


async def test_tcp_that_says_something_else() -> None:
    error = await refusal(lambda _: None, lambda _: b"HTTP/1.1 400", transport="tcp")
    assert error.failure is Failure.PROTOCOL_ERROR


async def test_a_silent_server_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.02)
    async with name_server(lambda _: None) as (place, fake):
        with pytest.raises(NetError) as caught:
            await query(NET, place, HOST, "A", timeout=0.1)
    assert (caught.value.failure, len(fake.asked)) == (Failure.TIMED_OUT, 2)
    assert fake.asked[0].id != fake.asked[1].id


async def test_the_second_attempt_may_be_the_one_that_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.02)
    seen: list[Message] = []

    def script(asked: Message) -> Message | None:
        seen.append(asked)
        return answer(asked, f"{HOST} A 192.0.2.1") if len(seen) > 1 else None

    async with name_server(script) as (place, _):
        found = await query(NET, place, HOST, "A", timeout=3)
    assert (found.records, found.said) == (("192.0.2.1",), {"attempts": 2})


def with_other_id(asked: Message) -> Message:
    reply = answer(asked, f"{HOST} A 203.0.113.66")
    reply.id ^= 1
    return reply


def with_other_question(asked: Message) -> Message:
    other = dns.message.make_query("other.example", "A", id=asked.id)
    return answer(other, "other.example. A 203.0.113.66")


@pytest.mark.parametrize(
    "script", [with_other_id, with_other_question, lambda _: b"\0", lambda _: b"\xff" * 30]
)
async def test_what_answers_something_else_is_not_believed(script: Script) -> None:
    error = await refusal(script, timeout=0.1)
    assert error.failure is Failure.PROTOCOL_ERROR


async def test_another_source_is_not_believed() -> None:
    async with name_server(lambda _: None) as (true, _), name_server(lambda _: None) as (_, forger):

        def script(asked: Message) -> None:
            assert forger.transport is not None
            assert fake.transport is not None
            forger.transport.sendto(answer(asked, f"{HOST} A 203.0.113.66").to_wire(), asker[0])

        asker: list[Endpoint] = []
        async with name_server(script) as (place, fake):
            received = fake.datagram_received

            def keep(data: bytes, addr: Endpoint) -> None:
                asker.append(addr)
                received(data, addr)

            fake.datagram_received = keep  # type: ignore[method-assign]
            with pytest.raises(NetError) as caught:
                await query(NET, place, HOST, "A", timeout=0.1)
    assert caught.value.failure is Failure.TIMED_OUT
    assert true != place


class LateLook:
    """A host that was busy for longer than one waits: the answer is there when it looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.arrived: list[Received] = []
        self.local: Endpoint = ("192.0.2.200", 40000)

    async def open_datagram(self, *, family: int = 4) -> Datagrams:
        return self

    async def connect(self, to: Endpoint, *, timeout: float) -> Stream:
        raise NotImplementedError

    async def send(self, payload: bytes, to: Endpoint) -> int:
        reply = answer(dns.message.from_wire(payload), f"{HOST} A 192.0.2.1")
        self.arrived.append(Received(reply.to_wire(), to, 0))
        self.now += 10.0
        return 0

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        if not self.arrived:
            raise NetError(Failure.TIMED_OUT)
        return self.arrived.pop()

    def close(self) -> None:
        pass


async def test_what_has_arrived_in_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    late = LateLook()
    monkeypatch.setattr(module, "_now", lambda: late.now)
    assert (await query(late, ("192.0.2.53", 53), HOST, "A", timeout=1)).records == ("192.0.2.1",)


async def test_a_flood_of_strays_ends() -> None:
    class Flooded(Loopback):
        async def open_datagram(self, *, family: int = 4) -> Datagrams:
            return Stray(Received(b"noise", ("127.0.0.1", 53), 0))

    with pytest.raises(NetError) as caught:
        await query(Flooded(), ("127.0.0.1", 53), HOST, "A", timeout=30)
    assert caught.value.failure is Failure.PROTOCOL_ERROR


async def test_a_closed_port_is_told_by_icmp() -> None:
    report = IcmpReport(("127.0.0.1", 53), "192.0.2.254", "admin_prohibited", 0)

    class Walled(Loopback):
        async def open_datagram(self, *, family: int = 4) -> Datagrams:
            return Stray(report)

    with pytest.raises(NetError) as caught:
        await query(Walled(), ("127.0.0.1", 53), HOST, "A", timeout=3)
    assert caught.value.failure is Failure.ICMP_ADMIN_PROHIBITED
    assert caught.value.facts["offender"] == "192.0.2.254"


class Stray:
    """A socket on which one thing arrives for ever."""

    local = ("127.0.0.1", 1)

    def __init__(self, item: Received | IcmpReport) -> None:
        self._item = item

    async def send(self, payload: bytes, to: Endpoint) -> int:
        return 0

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        return self._item

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "rdtype"), [("x" * 64, "A"), ("a..b", "A"), (HOST, "NOSUCHTYPE"), ("a." * 150, "A")]
)
async def test_what_cannot_be_asked(name: str, rdtype: str) -> None:
    with pytest.raises(NetError) as caught:
        await query(NET, ("127.0.0.1", 9), name, rdtype, timeout=1)
    assert caught.value.failure is Failure.PROTOCOL_ERROR


@pytest.mark.parametrize(("transport", "timeout"), [("udp", 0.5), ("tcp", 5)])
async def test_too_many_records_are_not_worth_reading(
    monkeypatch: pytest.MonkeyPatch, transport: str, timeout: float
) -> None:
    monkeypatch.setattr(module, "_MAX_PARSED", 3)

    def reply(asked: Message) -> Message:
        return answer(asked, *(f"{HOST} A 192.0.2.{n}" for n in range(4)))

    error = await refusal(reply, reply, transport=transport, timeout=timeout)
    assert error.failure is Failure.PROTOCOL_ERROR
    assert error.detail == "127.0.0.1 sends what is no DNS reply to this"


@pytest.mark.parametrize("counts", [(0xFFFF, 0, 0), (200, 50, 50)])
def test_what_is_not_worth_reading_is_not_parsed(counts: tuple[int, int, int]) -> None:
    wire = struct.pack("!HHHHHH", 0, 0x8180, 1, *counts) + bytes(5000)
    assert not module._is_worth_parsing(wire)
    assert module._is_worth_parsing(wire[:6] + bytes(6) + wire[12:])


async def test_many_records_are_bounded() -> None:
    many = [f"{HOST} A 192.0.2.{n}" for n in range(200)]

    def script(asked: Message) -> Message:
        reply = dns.message.make_response(asked)
        reply.answer.append(dns.rrset.from_text(HOST, 60, "IN", "A", *[line.split()[2] for line in many]))
        return reply

    async with name_server(lambda _: None, script) as (place, _):
        assert len((await query(NET, place, HOST, "A", transport="tcp", timeout=3)).records) == 64


fuzz = settings(deadline=None, database=None, max_examples=300)
ASKED = dns.message.make_query(HOST, "A", id=1, use_edns=0)
WIRE = ASKED.to_wire()


@fuzz
@given(st.data())
def test_any_reply_is_survived(data: st.DataObject) -> None:
    wire = bytearray(answer(ASKED, f"{HOST} CNAME b.example.", "b.example. A 192.0.2.1").to_wire())
    for position in data.draw(st.lists(st.integers(2, len(wire) - 1), max_size=6)):
        wire[position] = data.draw(st.integers(0, 255))
    reply = module._parse(bytes(wire[: data.draw(st.integers(0, len(wire)))]), WIRE)
    if reply is not None:
        try:
            found = module._answer(module._Reply(reply, 1.0), ("127.0.0.1", 53), False)
            assert all(text.isprintable() for text in found.records)
        except NetError:
            pass


@fuzz
@given(st.binary(max_size=600))
def test_garbage_is_no_reply(wire: bytes) -> None:
    assert module._parse(b"\0\2" + wire, WIRE) is None
