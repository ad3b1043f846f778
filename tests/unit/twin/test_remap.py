"""The network of the loopback world, over a fake one."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net.interface import Capability, Endpoint, IcmpReport, NetError, Received
from readycheck.testing import FakeNetwork, FakeService
from readycheck.twin.blueprint import RESOLVER
from readycheck.twin.envelope import pack_endpoint, unpack_endpoint
from readycheck.twin.offer import Offer
from readycheck.twin.remap import LOOPBACK, Remap, RemappedDatagrams, RemappedNetwork
from readycheck.twin.scenarios import SCENARIOS, draw
from tests.unit.wire.test_client_hello import hello

SIP = ("23.89.1.2", 8934)
STUN = ("23.89.1.2", 5004)


def remap(offer: Offer, scenario: str = "none") -> Remap:
    return Remap(draw(offer, SCENARIOS[scenario], seed=1, ratio=1.0), 4001, 4002, 4003)


@pytest.mark.parametrize(
    ("scenario", "transport", "to", "outcome"),
    [
        ("none", "tcp", SIP, "pass"),
        ("none", "udp", STUN, "pass"),
        ("none", "udp", ("23.89.1.2", 40000), "pass"),
        ("none", "udp", (RESOLVER, 53), "pass"),
        ("none", "tcp", ("23.89.1.2", 1), "drop"),
        ("none", "tcp", ("8.8.8.8", 8934), "drop"),
        ("udp-blocked", "udp", STUN, "drop"),
        ("sip-port-rejected", "tcp", SIP, "reject"),
        ("sip-port-dropped", "tcp", SIP, "drop"),
        ("service-down", "tcp", SIP, "reject"),
        ("all-dropped", "udp", (RESOLVER, 53), "drop"),
    ],
)
def test_outcomes(offer: Offer, scenario: str, transport: str, to: Endpoint, outcome: str) -> None:
    assert remap(offer, scenario).outcome(transport, to) == outcome


def test_a_service_that_is_down_is_the_vendors(offer: Offer) -> None:
    down = remap(offer, "service-down")
    assert down.blueprint.spared == (down.blueprint.addresses["control.example.net"],)
    assert down.outcome("tcp", (down.blueprint.spared[0], SIP[1])) == "pass"


def test_a_remap_survives_its_file(offer: Offer, tmp_path: Path) -> None:
    spoken = replace(offer, spoken={22: "ssh", 5060: "sip"})
    file = tmp_path / "remap.json"
    file.write_text(remap(spoken).to_json())
    assert Remap.load(file) == remap(spoken)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"tcp": 1}', '{"tcp": 1, "udp": 2, "blueprint": {}}'])
def test_an_unusable_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "remap.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="--remap"):
        Remap.load(file)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--remap"):
        Remap.load(tmp_path / "none.json")


def network(offer: Offer, scenario: str = "none") -> tuple[RemappedNetwork, FakeNetwork]:
    inner = FakeNetwork(tcp={("127.0.0.1", 4001): FakeService(chunks=(b"hello",))})
    return RemappedNetwork(inner, remap(offer, scenario)), inner


async def test_names_are_those_of_the_world(offer: Offer) -> None:
    net, _ = network(offer)
    assert (await net.resolve("WEB.vendor.example.", timeout=1)).server == RESOLVER
    assert (await net.resolve("192.0.2.1", timeout=1)).addresses == ("192.0.2.1",)
    with pytest.raises(NetError) as caught:
        await net.resolve("nobody.example", timeout=1)
    assert caught.value.failure is Failure.DNS_NXDOMAIN


async def test_a_connection_says_whom_it_is_for(offer: Offer) -> None:
    net, _ = network(offer)
    stream = await net.connect(SIP, timeout=1)
    assert stream.peer == SIP and stream.tls is None and stream.local
    assert await stream.read(10, timeout=1) == b"hello"
    await stream.write(b"more", timeout=1)
    stream.close()


async def test_what_is_written_first_is_the_envelope(offer: Offer) -> None:
    told: list[bytes] = []

    def listen(data: bytes) -> None:
        told.append(data)

    inner = FakeNetwork(tcp={("127.0.0.1", 4001): FakeService(answer=listen)})
    await RemappedNetwork(inner, remap(offer)).connect(SIP, timeout=1)
    assert told == [pack_endpoint(SIP)]


@pytest.mark.parametrize(
    ("scenario", "failure"),
    [("sip-port-dropped", Failure.TIMED_OUT), ("sip-port-rejected", Failure.CONNECTION_REFUSED)],
)
async def test_a_blocked_connection_fails_as_on_a_wire(offer: Offer, scenario: str, failure: Failure) -> None:
    net, _ = network(offer, scenario)
    with pytest.raises(NetError) as caught:
        await net.connect(SIP, timeout=0.01)
    assert caught.value.failure is failure


@pytest.mark.parametrize(
    ("scenario", "failure"),
    [("sni-filter", Failure.CONNECTION_RESET), ("sni-filter-silent", Failure.TIMED_OUT), ("none", None)],
)
async def test_a_box_on_the_way_minds_greetings(offer: Offer, scenario: str, failure: Failure | None) -> None:
    world, below = network(offer, scenario)
    below.tcp[LOOPBACK, 4001] = FakeService(answer=lambda data: b"heard")
    stream = await world.connect(SIP, timeout=1)
    await stream.read(100, timeout=1)
    await stream.write(hello("other.example"), timeout=1)
    assert await stream.read(100, timeout=1) == b"heard"
    await stream.write(hello(offer.https[0]), timeout=1)
    if failure is None:
        assert await stream.read(100, timeout=1) == b"heard"
    else:
        with pytest.raises(NetError) as caught:
            await stream.read(100, timeout=0.01)
        assert caught.value.failure is failure


async def test_hops_icmp_and_ipv6_are_refused(offer: Offer) -> None:
    net, _ = network(offer)
    for attempt, failure in (
        (net.connect(SIP, timeout=1, ttl=3), Failure.PLATFORM),
        (net.open_datagram(ttl=3), Failure.PLATFORM),
        (net.open_datagram(family=6), Failure.NETWORK_UNREACHABLE),
        (net.open_echo(), Failure.PLATFORM),
        (net.connect(("2001:db8::1", 443), timeout=1), Failure.NETWORK_UNREACHABLE),
    ):
        with pytest.raises(NetError) as caught:
            await attempt
        assert caught.value.failure is failure


async def test_resolvers_and_capabilities_are_the_worlds(offer: Offer) -> None:
    net, inner = network(offer)
    assert list(net.resolvers()) == [(RESOLVER, 53)]
    assert not net.capabilities() & {Capability.RAW_SOCKETS, Capability.ICMP_ERRORS, Capability.HOP_LIMIT}
    assert net.now_ns() == inner.now_ns() or net.now_ns() > 0
    await net.sleep(0)


@dataclass
class Recorder:
    """A datagram socket that keeps what is sent and gives what it was told to."""

    given: list[Received | IcmpReport] = field(default_factory=list)
    sent: list[tuple[bytes, Endpoint]] = field(default_factory=list)
    local: Endpoint = ("127.0.0.1", 5)

    async def send(self, payload: bytes, to: Endpoint) -> int:
        self.sent.append((payload, to))
        return 7

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        return self.given.pop(0)

    def close(self) -> None:
        self.given.clear()


async def test_datagrams_travel_in_an_envelope(offer: Offer) -> None:
    inner = Recorder()
    datagrams = RemappedDatagrams(inner, FakeNetwork(), remap(offer))
    assert await datagrams.send(b"question", STUN) == 7
    [(payload, to)] = inner.sent
    assert to == ("127.0.0.1", 4002) and unpack_endpoint(payload) == STUN and payload.endswith(b"question")
    inner.given = [Received(pack_endpoint(STUN) + b"answer", ("127.0.0.1", 4002), 99)]
    assert await datagrams.receive(timeout=1) == Received(b"answer", STUN, 99)


async def test_silence_is_not_sent(offer: Offer) -> None:
    inner = Recorder()
    datagrams = RemappedDatagrams(inner, FakeNetwork(), remap(offer, "udp-blocked"))
    await datagrams.send(b"question", STUN)
    assert inner.sent == []


async def test_reports_pass_and_strangers_do_not(offer: Offer) -> None:
    report = IcmpReport(("127.0.0.1", 4002), None, "port_unreachable", 1)
    inner = Recorder([report, Received(b"stranger", ("127.0.0.1", 1), 1)])
    datagrams = RemappedDatagrams(inner, FakeNetwork(), remap(offer))
    assert await datagrams.receive(timeout=1) == report
    with pytest.raises(NetError) as caught:
        await datagrams.receive(timeout=1)
    assert caught.value.failure is Failure.PROTOCOL_ERROR
    datagrams.close()


async def test_a_proxy_is_no_part_of_the_world(offer: Offer) -> None:
    inner = FakeNetwork(tunnels={("config.example", 443): FakeService(chunks=(b"hello",))})
    network = RemappedNetwork(inner, remap(offer, "all-dropped"))
    stream = await network.tunnel("config.example", 443, timeout=1)
    assert await stream.read(5, timeout=1) == b"hello"
    assert network.proxy() == inner.proxy() is not None
