"""The flow probe on a network of fakes: a wall is one only beside a control that goes on, and again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net.interface import Capability, Endpoint, NetError, Stream
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Observation, Target, Trace
from readycheck.testing import FakeNetwork, FakeService, run, run_probe
from readycheck.wire.stun import MAGIC_COOKIE
from readycheck_probes.flow import FlowParams, FlowProbe

HOPS = ("192.168.1.1", "192.168.2.1", "100.64.0.1", "100.64.0.2", "203.0.113.1", "203.0.113.2")
HOST = "192.88.99.10"
SILENT = Target(address=HOST, port=443, transport="tcp")
MEDIA = Target(address=HOST, port=3478, transport="udp")
CONTROL = Target(address=HOST, port=80, transport="tcp")
PERMITTED = frozenset(Capability) - {Capability.RAW_SOCKETS}
ANSWERS = {(HOST, 80): FakeService()}


class Lossy(FakeNetwork):
    """Every packet with a hop limit is lost as often as `lost` says, by its turn."""

    def __init__(self, lost: Sequence[bool], **given: Any) -> None:
        super().__init__(**given)
        self._lost, self._turn = lost, 0

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        self._turn += 1
        lost = ttl is not None and self._lost[self._turn % len(self._lost)]
        return None if lost else super().expires_at(to, transport, ttl)


def measured(network: FakeNetwork, *targets: Target, control: Target = CONTROL) -> tuple[Observation, ...]:
    asked = targets or (SILENT,)
    params = FlowParams(
        targets=asked,
        controls=(control,) * len(asked),
        local="192.168.1.20",
        mapped="100.127.0.9",
    )
    observations, _ = run_probe(FlowProbe(), params, network)
    return observations


def told(network: FakeNetwork, *targets: Target, control: Target = CONTROL) -> Any:
    found = [o.facts for o in measured(network, *targets, control=control) if "control_own" in o.facts]
    return found[0]


def fake(**given: Any) -> FakeNetwork:
    return FakeNetwork(**{"tcp": ANSWERS, "hops": HOPS, "capabilities": PERMITTED, **given})


@pytest.mark.parametrize("target", [SILENT, MEDIA])
def test_a_silent_port_whose_packets_come_all_the_way(target: Target) -> None:
    found = told(fake(), target)
    assert (found["fate"], found["reached"], found["control_reached"]) == ("left", 6, 6)
    assert (found["control_arrived"], found["control_own"], found["edge_ttl"]) == (7, True, 2)


@pytest.mark.parametrize("target", [SILENT, MEDIA])
@pytest.mark.parametrize("wall", [0.5, 1, 2, 3, 4, 5])
def test_a_wall_is_found_behind_the_last_router_that_answers(target: Target, wall: float) -> None:
    """Beyond the provider's first routers too; at half a hop nothing answers at all."""
    network = fake(blocked=lambda to, _: (wall if wall >= 1 else 0.5) if to[1] == target.port else None)
    found = told(network, target)
    assert (found["fate"], found["reached"], found["ttl"]) == ("stopped", int(wall), int(wall) + 1)


def test_an_edge_that_sets_hop_limits_anew_hides_what_is_behind_it() -> None:
    """The control arrives right behind it, and packets that die at it may have stopped there as well."""
    assert told(fake(hops=HOPS[:2], blocked=lambda to, _: 2.5 if to[1] == 443 else None))["fate"] == "unknown"


def test_it_is_seen_by_the_routers_too() -> None:
    observations = measured(fake(blocked=lambda to, _: 4 if to[1] == 443 else None))
    ladders: dict[str, set[int]] = {"stopped": set(), "ladder": set()}
    for o in observations:
        if o.facts["purpose"] in ladders and o.failure is None and "offender" in o.facts:
            ladders[o.facts["purpose"]].add(o.facts["ttl"])
    assert ladders == {"stopped": {1, 2, 3, 4}, "ladder": {1, 2, 3, 4, 5, 6}}


class Inspecting(FakeNetwork):
    """Behind the second router nothing passes that has the magic cookie of STUN, whatever its port."""

    def swallows(self, payload: bytes, ttl: int | None) -> bool:
        return MAGIC_COOKIE.to_bytes(4, "big") in payload and (ttl is None or ttl > 2)


def as_media(network: FakeNetwork, kind: str = "stun") -> tuple[int, int]:
    """How far RTP came where the port's own kind stops, and how many packets of RTP were sent."""
    asked = {"targets": (replace(MEDIA, network="192.88.99.0/24"),), "controls": (CONTROL,)}
    params = FlowParams(**asked, kinds=((3478, kind),), local="192.168.1.20")
    observations, _ = run_probe(FlowProbe(), params, network)
    (found,) = [o.facts["media_reached"] for o in observations if "control_own" in o.facts]
    return found, sum(o.facts["purpose"] == "as-media" for o in observations)


def test_what_is_dropped_for_what_it_says_is_told_from_its_port() -> None:
    inspecting = Inspecting(tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED)
    assert as_media(inspecting) == (6, 4)
    assert as_media(inspecting, kind="rtp") == (0, 0)
    assert as_media(fake(blocked=lambda to, _: 2 if to[1] == 3478 else None)) == (0, 4)


class Unlucky(FakeNetwork):
    """The third router answers none of the packets of STUN that end there: it answers seldom."""

    def swallows(self, payload: bytes, ttl: int | None) -> bool:
        return MAGIC_COOKIE.to_bytes(4, "big") in payload and ttl == 3


def test_rtp_that_goes_no_farther_than_the_wall_shows_no_filter_of_content() -> None:
    wall = {"blocked": lambda to, _: 3 if to[1] == 3478 else None}
    assert as_media(Unlucky(tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED, **wall)) == (0, 4)


def test_nothing_else_is_sent_to_a_port_whose_packets_pass() -> None:
    assert as_media(fake()) == (0, 0)


def test_where_no_router_answers_nothing_is_claimed() -> None:
    assert told(fake(hops=()))["fate"] == "unknown"
    assert told(fake(hops=(), blocked=lambda to, _: 2 if to[1] == 443 else None))["fate"] == "unknown"


def test_a_control_that_is_silent_vouches_for_nothing() -> None:
    found = told(fake(blocked=lambda to, _: 2))
    assert (found["fate"], found["missed_beside_control"]) == ("unknown", 0)


def test_a_far_host_of_another_way_is_not_said_to_come_through() -> None:
    """Beside the port of another address only the site's edge is shared."""
    other = Target(address="192.88.99.11", port=443, transport="tcp")
    found = told(fake(tcp={("192.88.99.11", 443): FakeService()}), control=other)
    assert (found["fate"], found["control_own"]) == ("left", False)


@pytest.mark.parametrize("seed", range(6))
def test_random_loss_is_no_wall(seed: int) -> None:
    pattern = [(n * 7 + seed) % 11 < 3 for n in range(101)]
    network = Lossy(pattern, tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED)
    assert told(network)["fate"] in ("left", "unknown", "answered")


class Drained(FakeNetwork):
    """Routers beyond the second have answered others enough: a first ladder of `packets` is lost on them."""

    def __init__(self, packets: int, **given: Any) -> None:
        super().__init__(**{"tcp": ANSWERS, "hops": HOPS, "capabilities": PERMITTED, **given})
        self._left = packets

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        if ttl is None:
            return super().expires_at(to, transport, ttl)
        self._left -= 1
        return None if self._left >= 0 and ttl > 2 else super().expires_at(to, transport, ttl)


@pytest.mark.parametrize(("wall", "fate", "reached"), [(None, "left", 6), (2, "stopped", 2)])
def test_routers_that_answer_neither_at_first_are_asked_again(
    wall: int | None, fate: str, reached: int
) -> None:
    found = told(Drained(32, blocked=lambda to, _: wall if to[1] == 443 else None))
    assert (found["fate"], found["reached"]) == (fate, reached)


def test_one_control_speaks_for_all_targets_that_it_follows() -> None:
    observations = measured(fake(blocked=lambda to, _: 2 if to[1] == 443 else None), SILENT, MEDIA)
    fates = [o.facts["fate"] for o in observations if "control_own" in o.facts]
    assert fates == ["stopped", "left"]
    first = [o for o in observations if o.facts.get("turn") == 0 and o.target == CONTROL]
    assert len(first) == len({o.facts["ttl"] for o in first}) == 16


class Resetting(FakeNetwork):
    """A device at one hop answers TCP 443 with a reset of its own."""

    def __init__(self, hop: int, **given: Any) -> None:
        super().__init__(**given)
        self._hop = hop

    async def connect(self, to: Endpoint, *, ttl: int | None = None, **options: Any) -> Stream:
        if to[1] == 443 and (ttl is None or ttl > self._hop):
            raise NetError(Failure.CONNECTION_REFUSED)
        return await super().connect(to, ttl=ttl, **options)


@pytest.mark.parametrize(
    ("hop", "fate"), [(1, "rejected"), (2, "rejected"), (4, "rejected"), (6, "refused"), (0, "rejected")]
)
def test_who_refuses_is_told_by_the_least_hop_limit(hop: int, fate: str) -> None:
    network = Resetting(hop, tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED)
    found = told(network)
    assert (found["fate"], found["ttl"]) == (fate, hop + 1)


class Sparing(FakeNetwork):
    """The first router refuses a port in its own name, and says so of one packet only: that with the most hops."""

    async def connect(self, to: Endpoint, *, ttl: int | None = None, **options: Any) -> Stream:
        if to[1] == 443 and ttl != 1:
            refused = NetError(Failure.ICMP_ADMIN_PROHIBITED, facts={"offender": HOPS[0]})
            raise refused if ttl == 15 else NetError(Failure.TIMED_OUT)
        return await super().connect(to, ttl=ttl, **options)

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        return None if ttl == 1 and to[1] != 443 else super().expires_at(to, transport, ttl)


def test_a_router_that_says_it_itself_refuses_on_the_way_whatever_the_hop_limit() -> None:
    """Of its control it did not answer the packet that ended there: routers answer seldom."""
    found = told(Sparing(tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED))
    assert (found["fate"], found["ttl"], found["offender"]) == ("rejected", 2, HOPS[0])


def test_a_port_that_answers_after_all_is_no_wall() -> None:
    assert told(fake(tcp={**ANSWERS, (HOST, 443): FakeService()}))["fate"] == "answered"


def test_routers_are_asked_six_times_in_a_turn_at_most() -> None:
    network = fake(blocked=lambda to, _: 2 if to[1] != 80 else None)
    targets = [Target(address=HOST, port=port, transport="udp") for port in (3478, 5004, 9000)]
    observations = measured(network, *targets)
    for turn in range(3):
        for ttl in range(1, 7):
            asked = [o for o in observations if (o.facts.get("turn"), o.facts["ttl"]) == (turn, ttl)]
            assert len(asked) <= 6
    assert max(o.started_ms + o.elapsed_ms for o in observations) < 4_500


class Starved(FakeNetwork):
    """Routers answer one packet in two, whosever it is."""

    _turn = 0

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        found = super().expires_at(to, transport, ttl)
        self._turn += ttl is not None
        return found if self._turn * 7 % 13 < 6 else None


def test_routers_that_answer_seldom_make_no_wall() -> None:
    assert told(Starved(tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED))["fate"] in ("left", "unknown")


class Deaf(FakeNetwork):
    """Some routers answer nobody for the first `busy` packets that they see."""

    def __init__(self, hops: Sequence[int], busy: int = 99, **given: Any) -> None:
        super().__init__(**{"tcp": ANSWERS, "hops": HOPS, "capabilities": PERMITTED, **given})
        self._deaf, self._busy, self._seen = hops, busy, dict.fromkeys(hops, 0)

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        if ttl in self._deaf:
            self._seen[ttl] += 1
            if self._seen[ttl] <= self._busy:
                return None
        return super().expires_at(to, transport, ttl)


def test_a_wall_is_no_nearer_than_the_router_that_the_control_alone_was_answered_by() -> None:
    """That those before it were too busy for both says nothing: others' packets may be seen there."""
    found = told(Deaf((3, 4), blocked=lambda to, _: 5 if to[1] == 443 else None))
    assert (found["fate"], found["reached"], found["ttl"]) == ("stopped", 5, 6)
    found = told(Deaf((3, 4), blocked=lambda to, _: 2 if to[1] == 443 else None))
    assert (found["fate"], found["reached"], found["ttl"]) == ("stopped", 2, 5)


def test_who_was_seen_within_the_site_alone_has_not_left_it() -> None:
    """Though the control came no farther either: it is asked again where the routers were busy."""
    assert told(Deaf((3, 4, 5, 6)))["fate"] == "unknown"
    found = told(Deaf((3, 4, 5, 6), busy=2))
    assert (found["fate"], found["reached"]) == ("left", 6)


class Seldom(FakeNetwork):
    """The last routers answer an address every third time."""

    def __init__(self, hosts: Sequence[str], **given: Any) -> None:
        super().__init__(**{"tcp": {(h, 80): FakeService() for h in hosts}, "hops": HOPS, **given})
        self._turns: dict[tuple[str, int | None], int] = {}

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        found = super().expires_at(to, transport, ttl)
        if found and ttl and ttl > 4:
            turn = self._turns[to[0], ttl] = self._turns.get((to[0], ttl), 0) + 1
            return found if turn % 3 == 1 else None
        return found


@pytest.mark.parametrize(("hosts", "fate"), [(1, "left"), (2, "stopped")])
def test_addresses_vouch_for_each_other_where_routers_answer_seldom(hosts: int, fate: str) -> None:
    names = [f"192.88.99.{10 + n}" for n in range(hosts)]
    network = Seldom(names, capabilities=PERMITTED, blocked=lambda to, _: 4 if to[1] == 443 else None)
    params = FlowParams(
        targets=tuple(replace(SILENT, address=name) for name in names),
        controls=tuple(replace(CONTROL, address=name) for name in names),
        local="192.168.1.20",
        edge=2,
    )
    observations, _ = run_probe(FlowProbe(), params, network)
    found = [o.facts for o in observations if "control_own" in o.facts]
    assert {facts["fate"] for facts in found} == {fate}


class Lapsing(FakeNetwork):
    """The last two routers answer but in some turns, of more than a second each."""

    def __init__(self, answering: Sequence[int], **given: Any) -> None:
        super().__init__(**{"tcp": ANSWERS, "hops": HOPS, "capabilities": PERMITTED, **given})
        self._answering = answering

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        turn = int(asyncio.get_running_loop().time() / 1.4)
        lapsed = ttl is not None and ttl > 4 and turn not in self._answering
        return None if lapsed else super().expires_at(to, transport, ttl)


@pytest.mark.parametrize(
    ("answering", "wall", "turns", "fate"),
    [
        ((0, 1, 2), 4, 2, "stopped"),
        ((1, 2, 3), 4, 3, "stopped"),
        ((0,), 4, 4, "left"),
        ((0, 1, 2), None, 1, "left"),
    ],
)
def test_a_turn_more_makes_up_for_a_lost_answer(
    answering: Sequence[int], wall: int | None, turns: int, fate: str
) -> None:
    network = Lapsing(answering, blocked=lambda to, _: wall if to[1] == 443 else None)
    observations = measured(network)
    assert {o.facts["turn"] for o in observations if "turn" in o.facts} == set(range(turns))
    assert [o.facts["fate"] for o in observations if "control_own" in o.facts] == [fate]


class Scarce(FakeNetwork):
    """The routers beyond the second answer one packet in a second, that which comes first."""

    def __init__(self, hosts: Sequence[str], **given: Any) -> None:
        super().__init__(**{"tcp": {(h, 80): FakeService() for h in hosts}, "hops": HOPS, **given})
        self._last: dict[int, float] = {}

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        found, now = super().expires_at(to, transport, ttl), asyncio.get_running_loop().time()
        if not found or ttl is None or ttl < 3:
            return found
        if now - self._last.get(ttl, -1.0) < 1.0:
            return None
        self._last[ttl] = now
        return found


@pytest.mark.parametrize("wall", [4, None])
def test_the_last_answers_of_a_router_go_to_one_flow(wall: int | None) -> None:
    """Spread over all of them they would prove nothing of any, and a target's packet comes before its control's."""
    names = [f"192.88.99.{10 + n}" for n in range(3)]
    network = Scarce(names, capabilities=PERMITTED, blocked=lambda to, _: wall if to[1] == 443 else None)
    params = FlowParams(
        targets=tuple(replace(SILENT, address=name) for name in names),
        controls=tuple(replace(CONTROL, address=name) for name in names),
        local="192.168.1.20",
        edge=2,
    )
    observations, _ = run_probe(FlowProbe(), params, network)
    stopped = [o.facts["fate"] == "stopped" for o in observations if "control_own" in o.facts]
    assert any(stopped) is (wall is not None)


@pytest.mark.parametrize("tenths_s", range(17, 49))
def test_no_turn_is_begun_that_would_be_cut_short(tenths_s: int) -> None:
    """Whatever the time is that is left: else nothing is told of the turns before."""
    names = [f"192.88.99.{10 + n}" for n in range(3)]
    network = Scarce(names, capabilities=PERMITTED, blocked=lambda to, _: 4 if to[1] == 443 else None)
    params = FlowParams(
        targets=tuple(replace(SILENT, address=name) for name in names),
        controls=tuple(replace(CONTROL, address=name) for name in names),
        local="192.168.1.20",
    )
    trace = Trace()

    async def within(seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        shared = SharedNetwork(network, clock=clock)
        async with asyncio.timeout(seconds):
            await FlowProbe().measure(params, shared.traced(trace, clock() + seconds))

    run(within(tenths_s / 10))
    assert sum("control_own" in o.facts for o in trace.observations(0.0)) == 3


def test_the_edge_of_ipv4_is_none_of_ipv6() -> None:
    """There all routers of a site have public addresses, and a tunnel may lead elsewhere."""
    here = "2001:db8:ff::10"
    network = FakeNetwork(
        tcp={(here, 80): FakeService()},
        hops=[f"2001:db8:{n}::1" for n in range(1, 5)],
        blocked=lambda to, _: 2 if to[1] == 443 else None,
        capabilities=PERMITTED,
    )
    params = FlowParams(
        targets=(replace(SILENT, address=here),),
        controls=(replace(CONTROL, address=here),),
        local="192.168.1.20",
        mapped="100.127.0.9",
        edge=2,
    )
    observations, _ = run_probe(FlowProbe(), params, network)
    (facts,) = [o.facts for o in observations if "control_own" in o.facts]
    assert (facts["fate"], facts["edge_proven"]) == ("stopped", False)


@pytest.mark.parametrize(("edge", "proven"), [(None, False), (2, True)])
def test_a_router_that_was_not_heard_does_not_move_the_edge(edge: int | None, proven: bool) -> None:
    class Quiet(FakeNetwork):
        def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
            return None if ttl in (2, 3) else super().expires_at(to, transport, ttl)

    params = FlowParams(
        targets=(SILENT,), controls=(CONTROL,), local="192.168.1.20", mapped="100.127.0.9", edge=edge
    )
    network = Quiet(tcp=ANSWERS, hops=HOPS, capabilities=PERMITTED)
    observations, _ = run_probe(FlowProbe(), params, network)
    (facts,) = [o.facts for o in observations if "control_own" in o.facts]
    assert facts["edge_proven"] is proven
