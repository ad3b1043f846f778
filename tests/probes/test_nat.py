"""The NAT probe behind NATs of every kind, on a clock that jumps: a ladder of minutes takes no time."""

from typing import Any

import pytest

from readycheck.observation import Observation
from readycheck.probe import Effort, Target
from readycheck.testing import run_probe
from readycheck_probes.lifetime import longest_alive
from readycheck_probes.nat import NatParams, NatProbe

from .translation import FAR, OTHER, Translation

FAR_END = Target(address=FAR[0], port=FAR[1])
SERVERS = tuple((f"192.0.2.{n}", 3478) for n in (10, 20, 30))
STUN = tuple(Target(address=a, port=p) for a, p in SERVERS)
LADDER = (15.0, 30.0, 60.0, 115.0)


def measured(network: Translation, **params: Any) -> tuple[tuple[Observation, ...], Any]:
    effort = Effort.THOROUGH if "ladder_s" in params else Effort.NORMAL
    return run_probe(NatProbe(), NatParams(**params), network, effort)


def of(seen: tuple[Observation, ...], purpose: str) -> list[Observation]:
    return [o for o in seen if o.facts.get("purpose") == purpose]


def ports_of(seen: tuple[Observation, ...], socket: int) -> list[str]:
    mapped = [o.facts for o in of(seen, "mapping") if o.facts["socket"] == socket]
    return [str(facts["mapped_address"]).rpartition(":")[2] for facts in mapped]


@pytest.mark.parametrize(("mapping", "different"), [("any", 1), ("address", 3), ("both", 3)])
def test_one_socket_asks_every_server(mapping: str, different: int) -> None:
    seen, metrics = measured(Translation(mapping=mapping, keeps_ports=False, plain=SERVERS), targets=STUN)
    assert metrics["sent"] == metrics["answered"] == 6  # two sockets
    for socket in (0, 1):
        assert len(set(ports_of(seen, socket))) == different
    assert not of(seen, "filtering")


@pytest.mark.parametrize(("mapping", "different"), [("any", 1), ("address", 2), ("both", 4)])
def test_a_far_end_tells_mapping_by_address_from_that_by_port(mapping: str, different: int) -> None:
    seen, _ = measured(Translation(mapping=mapping, keeps_ports=False), targets=(FAR_END,), behaviour=True)
    assert {(o.target.address, o.target.port) for o in of(seen, "mapping")} == {
        (a, p) for a in (FAR[0], OTHER[0]) for p in (FAR[1], OTHER[1])
    }
    assert len(set(ports_of(seen, 0))) == different


@pytest.mark.parametrize(
    ("filtering", "answers"),
    [
        ("any", {"address": "passes", "port": "passes"}),
        ("address", {"address": "silent", "port": "passes"}),
        ("both", {"address": "silent", "port": "silent"}),
    ],
)
def test_filtering(filtering: str, answers: dict[str, str]) -> None:
    seen, _ = measured(Translation(filtering=filtering), targets=(FAR_END,), behaviour=True)
    assert {o.facts["from_other"]: o.facts["answer"] for o in of(seen, "filtering")} == answers


def test_a_silent_filter_costs_one_timeout() -> None:
    seen, _ = measured(Translation(), targets=(FAR_END,), behaviour=True)
    assert max(o.started_ms + o.elapsed_ms for o in of(seen, "filtering")) <= 1.2 * 1300
    assert max(o.started_ms + o.elapsed_ms for o in of(seen, "hairpin")) <= 1.2 * 1300


@pytest.mark.parametrize("hairpin", [True, False])
def test_hairpin(hairpin: bool) -> None:
    seen, _ = measured(Translation(hairpin=hairpin), targets=(FAR_END,), behaviour=True)
    (only,) = of(seen, "hairpin")
    assert only.facts["hairpin"] is hairpin
    assert only.facts["mapped_address"].endswith(f":{only.facts['local_port']}")


@pytest.mark.parametrize(
    ("routers", "hops"), [((), []), (("192.168.1.1", "100.64.0.1"), [(1, "192.168.1.1"), (2, "100.64.0.1")])]
)
def test_which_routers_packets_to_the_public_address_come_to(
    routers: tuple[str, ...], hops: list[tuple[int, str]]
) -> None:
    seen, _ = measured(Translation(routers=routers, plain=SERVERS), targets=STUN)
    (only,) = of(seen, "own-address")
    assert only.facts["hops"] == hops
    assert only.facts["way"] == hops
    assert only.started_ms + only.elapsed_ms < 1000


def test_nobody_answers() -> None:
    seen, metrics = measured(
        Translation(), targets=(*STUN, Target(address="192.0.2.99", port=1)), behaviour=True
    )
    assert metrics["sent"] == 8
    assert metrics["answered"] == 0
    assert not any("purpose" in o.facts for o in seen)


# --- lifetime -----------------------------------------------------------------------------------------


def reached(network: Translation, pauses: tuple[float, ...] = LADDER) -> dict[float, bool]:
    seen, _ = measured(network, targets=(FAR_END,), behaviour=True, ladder_s=pauses)
    return {o.facts["pause_s"]: o.facts["reached"] for o in of(seen, "lifetime")}


@pytest.mark.parametrize("lives_s", [20.0, 45.0, 90.0, 300.0])
@pytest.mark.parametrize("keeps_ports", [True, False])
def test_a_binding_is_reached_from_outside_as_long_as_it_lives(lives_s: float, keeps_ports: bool) -> None:
    network = Translation(lives_s=lives_s, keeps_ports=keeps_ports)
    assert reached(network) == {0.0: True, **{pause: pause < lives_s for pause in LADDER}}


def test_the_ladder_takes_its_longest_pause_and_says_the_longest_that_was_outlived() -> None:
    seen, metrics = measured(Translation(lives_s=45.0), targets=(FAR_END,), behaviour=True, ladder_s=LADDER)
    assert metrics["binding_s"] == 30.0
    assert 115e3 < max(o.started_ms + o.elapsed_ms for o in seen) < 122e3


def test_a_far_end_that_answers_to_no_other_port_shows_nothing() -> None:
    seen, metrics = measured(Translation(deaf=True), targets=(FAR_END,), behaviour=True, ladder_s=(15.0,))
    assert {o.facts["reached"] for o in of(seen, "lifetime")} == {False}
    assert {o.facts["answered"] for o in of(seen, "lifetime")} == {True}
    assert metrics["binding_s"] is None


def test_a_moved_port_shows_a_lost_binding_without_a_far_end() -> None:
    network = Translation(lives_s=20.0, keeps_ports=False, plain=SERVERS)
    seen, _ = measured(network, targets=STUN, ladder_s=(15.0, 30.0))
    moved = {
        o.facts["pause_s"]: o.facts["mapped_before"] != o.facts["mapped_after"] for o in of(seen, "lifetime")
    }
    assert moved == {0.0: False, 15.0: False, 30.0: True}


def test_lost_packets_are_no_lost_binding() -> None:
    network = Translation(lost=lambda number: number % 3 == 0)
    assert all(reached(network, (15.0, 30.0)).values())


@pytest.mark.parametrize("effort", [Effort.QUICK, Effort.NORMAL])
def test_only_a_thorough_run_has_time_for_it(effort: Effort) -> None:
    params = NatParams(targets=(FAR_END,), behaviour=True, ladder_s=LADDER)
    seen, _ = run_probe(NatProbe(), params, Translation(), effort)
    assert not of(seen, "lifetime")
    assert params.lasts_s(effort) == NatParams().lasts_s(Effort.THOROUGH) == 0.0
    assert 118.0 < params.lasts_s(Effort.THOROUGH) < 125.0


def test_a_ladder_that_was_cut_tells_no_lifetime() -> None:
    seen, _ = measured(Translation(lives_s=1000.0), targets=(FAR_END,), ladder_s=LADDER)
    whole = of(seen, "lifetime")
    assert longest_alive(whole) == 115
    assert longest_alive([o for o in whole if o.facts["pause_s"] < 115]) is None
