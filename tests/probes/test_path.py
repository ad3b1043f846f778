"""The path probe on a network of fakes: what it claims about packets that nobody answered."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dns.message
import pytest

from readycheck.failure import Failure, Step
from readycheck.net.interface import Capability, Datagrams, Endpoint, IcmpReport, NetError, Received, Stream
from readycheck.observation import Observation, Target
from readycheck.probe import MetricValue, Probe
from readycheck.testing import FakeNetwork, FakeService, run_probe
from readycheck.wire import sip, stun
from readycheck_probes.path import PathParams, PathProbe

SITE = ("192.168.1.1", "192.168.2.1")
HOPS = (*SITE, "100.64.0.1", "100.64.0.2", "100.64.0.3")
LOCAL, MAPPED = "192.168.1.20", "100.127.0.9"
CONTROL = Target(address="192.88.99.10", port=443, transport="tcp")
NETWORKS = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")
PERMITTED = frozenset(Capability) - {Capability.RAW_SOCKETS}


def cell(network: str, port: int, transport: str = "udp") -> Target:
    address = network.replace("0/24", "9")
    return Target(network=network, address=address, port=port, transport=transport)


UDP = tuple(cell(network, port) for port in (5004, 9000) for network in NETWORKS)
TCP = tuple(cell(network, 8934, "tcp") for network in NETWORKS)


def fake(**changes: Any) -> FakeNetwork:
    given = {"tcp": {("192.88.99.10", 443): FakeService()}, "hops": HOPS, "capabilities": PERMITTED}
    return FakeNetwork(**{**given, **changes})


def measured(
    network: FakeNetwork, **changes: Any
) -> tuple[tuple[Observation, ...], Mapping[str, MetricValue]]:
    given: dict[str, Any] = {
        "targets": (*UDP, *TCP),
        "controls": (CONTROL,),
        "local": LOCAL,
        "mapped": MAPPED,
        "essential": len(UDP) + len(TCP),
        "seconds": 20.0,
        "extra_seconds": 20.0,
    }
    probe: Probe[PathParams] = PathProbe()
    return run_probe(probe, PathParams(**{**given, **changes}), network)


def fates(observations: Sequence[Observation]) -> dict[tuple[str | None, int | None], str]:
    return {
        (o.target.network, o.target.port): o.facts["fate"]
        for o in observations
        if o.facts.get("purpose") == "survey"
    }


def rungs(observations: Sequence[Observation], purpose: str) -> dict[int, str]:
    return {
        o.facts["ttl"]: o.facts["offender"]
        for o in observations
        if o.facts.get("purpose") == purpose and o.failure is None and "offender" in o.facts
    }


# --- what it sees -------------------------------------------------------------------------------------


def test_on_an_open_network_all_silent_cells_have_left_the_site() -> None:
    observations, metrics = measured(fake())
    assert set(fates(observations).values()) == {"left"}
    assert len(fates(observations)) == len(UDP) + len(TCP)
    assert rungs(observations, "ladder") == dict(enumerate(HOPS, 1))
    assert rungs(observations, "stopped") == {}
    assert metrics == {"hops": 5, "sent": 9, "egress_proven": 9, "stopped": 0}
    assert all(o.step is Step.HOP for o in observations)


OTHER = Target(address="192.88.99.11", port=3478, transport="udp")


class Proxied(FakeNetwork):
    """Something behind the second router answers TCP in everybody's stead."""

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        return None if transport == "tcp" and (ttl or 0) > 2 else super().expires_at(to, transport, ttl)

    def reaches(self, to: Endpoint, transport: str, ttl: int | None) -> bool:
        return super().reaches(to, transport, None if transport == "tcp" and (ttl or 0) > 2 else ttl)


class Forgetful(FakeNetwork):
    """The third router does not answer what goes to the first control."""

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        lost = to[0] == CONTROL.address and ttl == 3
        return None if lost else super().expires_at(to, transport, ttl)


@pytest.mark.parametrize(("kind", "again"), [(FakeNetwork, set()), (Forgetful, {3}), (Proxied, {3, 4, 5})])
def test_a_router_is_asked_once_for_the_way_and_again_if_it_was_not_heard(
    kind: type[FakeNetwork], again: set[int]
) -> None:
    network = kind(tcp={("192.88.99.10", 443): FakeService()}, hops=HOPS, capabilities=PERMITTED)
    observations, _ = measured(network, controls=(CONTROL, OTHER), targets=UDP, essential=len(UDP))
    assert rungs(observations, "ladder") == dict(enumerate(HOPS, 1))
    assert set(fates(observations).values()) == {"left"}
    beside = {o.facts["ttl"] for o in observations if o.target == OTHER and "offender" in o.facts}
    assert beside == again


def test_routers_beyond_the_first_are_asked_whether_they_lead_elsewhere_too() -> None:
    """The first may be the site's own; nothing of it is asked where the edge is not known."""
    elsewhere = Target(address="203.0.113.77", port=443, transport="tcp")
    observations, _ = measured(fake(), outside=(elsewhere,))
    assert rungs(observations, "outside") == {4: HOPS[3], 5: HOPS[4]}
    observations, _ = measured(fake(hops=SITE), outside=(elsewhere,), mapped=None)
    assert rungs(observations, "outside") == {}


@pytest.mark.parametrize("wall", [1, 2])
def test_a_blocked_port_stops_inside_the_site_and_the_last_hop_is_found(wall: int) -> None:
    observations, metrics = measured(fake(blocked=lambda to, t: wall if to[1] == 5004 else None))
    for (_, port), fate in fates(observations).items():
        assert fate == ("stopped" if port == 5004 else "left")
    assert rungs(observations, "stopped") == dict(enumerate(HOPS[:wall], 1))
    assert metrics["stopped"] == 3


def test_a_blocked_network_stops_for_both_transports() -> None:
    observations, _ = measured(fake(blocked=lambda to, t: 2 if to[0].startswith("203.0.113.") else None))
    stopped = {network for (network, _), fate in fates(observations).items() if fate == "stopped"}
    assert stopped == {"203.0.113.0/24"}
    assert "left" in fates(observations).values()


def test_packets_are_of_the_kind_that_their_port_expects() -> None:
    network = fake()
    cells = tuple(cell(NETWORKS[0], port) for port in (5004, 5060, 123, 9000, 53))
    kinds = ((123, "ntp"), (5004, "stun"), (5060, "sip"), (53, "dns"))
    measured(network, targets=cells, essential=5, kinds=kinds)
    first = {to[1]: payload for to, payload in reversed(network.sent)}
    assert stun.unpack_message(first[5004]).method == stun.BINDING
    assert sip.unpack_request(first[5060]).uri == "sip:198.51.100.9:5060"
    assert (first[123][0] & 7, first[9000][0] >> 6) == (3, 2)  # an NTP client, version 2 of RTP
    assert dns.message.from_wire(first[53]).question[0].to_text() == ". IN NS"


def test_the_edge_is_recorded_with_every_cell() -> None:
    observations, _ = measured(fake())
    edges = {(o.facts["edge_ttl"], o.facts["edge_proven"]) for o in observations if "edge_ttl" in o.facts}
    assert edges == {(2, True)}


def test_an_edge_that_is_not_proven_is_said_so() -> None:
    hops = ("100.127.0.1", "100.64.0.1", "100.64.0.2", "100.64.0.3")
    observations, _ = measured(fake(hops=hops), local="100.127.0.9", mapped=None)
    assert {o.facts["edge_proven"] for o in observations if "edge_proven" in o.facts} == {False}


def test_where_the_last_router_may_be_an_edge_that_sets_hop_limits_anew_nothing_has_left() -> None:
    """Packets that may come no further than it die there, and show nothing of its rules."""
    observations, _ = measured(fake(hops=("192.168.1.1", "10.0.0.1")), mapped=None)
    assert fates(observations) == {}


# --- what it may not claim ----------------------------------------------------------------------------


@pytest.mark.parametrize("blocked", [False, True])
def test_where_no_router_answers_nothing_is_claimed(blocked: bool) -> None:
    observations, metrics = measured(
        fake(hops=(), blocked=lambda to, t: 2 if blocked and t == "udp" else None)
    )
    assert not {"stopped", "rejected", "left"} & set(fates(observations).values())
    assert (metrics["hops"], metrics["egress_proven"], metrics["stopped"]) == (0, 0, 0)


def test_where_only_the_sites_routers_answer_nothing_is_claimed() -> None:
    observations, _ = measured(fake(hops=SITE))
    assert not {"stopped", "rejected"} & set(fates(observations).values())


def test_without_a_control_that_answers_a_silent_hop_is_no_wall() -> None:
    """Everything is blocked, and so is what might have been the control."""
    observations, _ = measured(fake(blocked=lambda to, t: 2), controls=())
    assert not {"stopped", "rejected"} & set(fates(observations).values())


class Near(FakeNetwork):
    """The destinations lie nearer than the control: they refuse by themselves, within the hop limit."""

    async def open_datagram(self, **options: Any) -> Datagrams:
        inner = await super().open_datagram(**options)
        return NearDatagrams(inner, options.get("ttl"))

    async def connect(self, to: Endpoint, *, ttl: int | None = None, **options: Any) -> Stream:
        if to[1] == 8934 and (ttl is None or ttl > 3):
            raise NetError(Failure.CONNECTION_REFUSED)
        return await super().connect(to, ttl=ttl, **options)


class NearDatagrams:
    def __init__(self, inner: Datagrams, ttl: int | None) -> None:
        self._inner, self._ttl, self.local = inner, ttl, inner.local
        self._refusals: asyncio.Queue[IcmpReport] = asyncio.Queue()

    async def send(self, payload: bytes, to: Endpoint) -> int:
        if self._ttl is not None and self._ttl > 3:
            self._refusals.put_nowait(IcmpReport(to, to[0], "port_unreachable", 0, payload))
            return 0
        return await self._inner.send(payload, to)

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        if self._ttl is not None and self._ttl > 3:
            try:
                async with asyncio.timeout(timeout):
                    return await self._refusals.get()
            except TimeoutError:
                raise NetError(Failure.TIMED_OUT) from None
        return await self._inner.receive(timeout=timeout)

    def close(self) -> None:
        self._inner.close()


def test_a_destination_that_refuses_by_itself_is_reached_and_not_rejected_on_the_way() -> None:
    network = Near(tcp={("192.88.99.10", 443): FakeService()}, hops=HOPS, capabilities=PERMITTED)
    observations, metrics = measured(network, targets=UDP, essential=len(UDP))
    assert set(fates(observations).values()) == {"left"}
    assert metrics["stopped"] == 0


# --- as a guest ---------------------------------------------------------------------------------------


def test_routers_are_not_asked_more_than_they_answer() -> None:
    network = fake(blocked=lambda to, t: 2 if t == "udp" else None)
    seconds = 10.0
    measured(network, seconds=seconds)
    per_endpoint = Counter(to for to, _ in network.sent)
    assert max(per_endpoint.values()) <= 5 + 16  # attempts of the survey and one ladder
    assert len(network.sent) <= 3 * (4 + seconds / 1.05) + 16 * 3 + 16


def test_it_ends_in_its_time_and_keeps_what_it_has() -> None:
    network = fake(blocked=lambda to, t: 2 if t == "udp" else None)
    observations, _ = measured(network, seconds=3.0)
    assert max(o.started_ms + o.elapsed_ms for o in observations) <= 3_500
    assert fates(observations)


def test_cells_that_are_not_essential_have_less_time() -> None:
    networks = [f"198.18.{n}.0/24" for n in range(60)]
    many = tuple(cell(network, 5004) for network in networks)
    observations, _ = measured(fake(), targets=many, essential=3, extra_seconds=1.0)
    found = fates(observations)
    assert 3 <= len(found) < len(many)
    assert {found[network, 5004] for network in networks[:3]} == {"left"}


@pytest.mark.parametrize("failure", [Failure.PLATFORM, Failure.PERMISSION_DENIED])
def test_without_sockets_nothing_is_claimed(failure: Failure) -> None:
    class Without(FakeNetwork):
        async def open_datagram(self, **options: Any) -> Datagrams:
            raise NetError(failure)

    network = Without(tcp={("192.88.99.10", 443): FakeService()}, hops=HOPS, capabilities=PERMITTED)
    observations, _ = measured(network, controls=(), targets=UDP)
    assert not {"stopped", "rejected", "left"} & set(fates(observations).values())


def test_with_nothing_to_do_it_does_nothing() -> None:
    network = fake()
    observations, metrics = measured(network, targets=(), controls=(), essential=0)
    assert observations == ()
    assert metrics == {"hops": 0, "sent": 0, "egress_proven": 0, "stopped": 0}
    assert network.sent == []


def test_walls_are_climbed_even_if_there_is_nothing_to_survey() -> None:
    wall = Target(address="192.88.99.53", port=53, transport="udp")
    network = fake(blocked=lambda to, t: 2 if to[1] == 53 else None)
    observations, _ = measured(network, targets=(), walls=(wall,), essential=0)
    assert rungs(observations, "stopped") == dict(enumerate(SITE, 1))


def test_the_edge_is_told_where_no_cell_is_asked() -> None:
    observations, _ = measured(fake(), targets=(), essential=0)
    told = [o.facts for o in observations if o.facts.get("purpose") == "edge"]
    assert [(each["edge_ttl"], each["edge_proven"]) for each in told] == [(2, True)]
    observations, _ = measured(fake())
    assert not [o for o in observations if o.facts.get("purpose") == "edge"]


class Busy(FakeNetwork):
    """The fourth router has no answer left for what is asked first towards a host outside the product."""

    spent: int = 0

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        if to[0] == "203.0.113.77" and ttl == 4 and not self.spent:
            self.spent += 1
            return None
        return super().expires_at(to, transport, ttl)


def test_a_busy_router_is_asked_again_whether_it_leads_elsewhere_too() -> None:
    elsewhere = Target(address="203.0.113.77", port=443, transport="tcp")
    network = Busy(
        tcp={("192.88.99.10", 443): FakeService()},
        hops=HOPS,
        capabilities=PERMITTED,
        blocked=lambda to, t: 2 if to[1] == 5004 else None,
    )
    observations, _ = measured(network, outside=(elsewhere,))
    assert rungs(observations, "outside") == {4: HOPS[3], 5: HOPS[4]}
