"""How far a marked packet has to go, and when nobody has to be asked."""

from typing import Any

import pytest

from readycheck.net.raw import RawReply
from readycheck.probe import Capability, Failure, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes import quotes
from readycheck_probes.stream import StreamParams, StreamProbe
from tests.unit.far_side import PLACE, way

CHANGED = {
    "dscp_sent": 46,
    "dscp_seen": {"0": 9, "46": 1},
    "hop_limit_seen": {"58": 10},
    "local": ["192.0.2.200", 8500],
}


@pytest.mark.parametrize(("left", "hops"), [("64", 0), ("58", 6), ("120", 8), ("250", 5), ("1", 30)])
def test_the_hops_on_the_way_by_what_is_left_of_the_limit(left: str, hops: int) -> None:
    assert quotes.hops_to({"hop_limit_seen": {left: 10}}) == hops


def test_without_a_limit_it_looks_as_far_as_it_may() -> None:
    assert quotes.hops_to({}) == 30


@pytest.mark.parametrize(
    ("leg", "changed"),
    [
        (CHANGED, True),
        ({"dscp_sent": 46, "dscp_seen": {"46": 10}}, False),
        ({"dscp_sent": 0, "dscp_seen": {"8": 10}}, False),
        ({"dscp_sent": 46, "dscp_seen": {}}, False),
        ({"dscp_sent": 46}, False),
    ],
)
def test_a_mark_has_changed_only_if_it_was_seen_otherwise(leg: dict[str, Any], changed: bool) -> None:
    assert quotes.is_changed(leg) is changed


def measured(monkeypatch: pytest.MonkeyPatch, mark: int | None) -> tuple[list[Any], list[dict[str, Any]]]:
    """What a stream leaves when it is marked, and the far end sees `mark`; the third router has it changed."""
    asked: list[Any] = []

    async def send(rungs: Any, **how: Any) -> list[RawReply]:
        asked.append((rungs, how))
        return [
            RawReply(
                Failure.HOP_LIMIT_EXCEEDED,
                {"offender": f"198.51.100.{ttl}", "quoted_tos": (46 if ttl < 3 else 0) << 2},
            )
            if ttl != 2
            else RawReply(Failure.TIMED_OUT, {})
            for _, ttl in rungs
        ]

    monkeypatch.setattr(quotes, "send_raw", send)
    network = FakeNetwork(
        capabilities=frozenset(Capability),
        responder=way(mark=lambda tos: tos if mark is None else mark),
    )
    params = StreamParams(
        targets=(Target(address=PLACE[0], port=PLACE[1]),), marks=(("app", 46, "8500-8599"),), seconds=1
    )
    seen, _ = run_probe(StreamProbe(), params, network)
    return asked, [dict(o.facts) for o in seen if o.facts.get("purpose") == "marks"]


def test_each_router_is_asked_what_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = measured(monkeypatch, 0)
    ((rungs, how),) = asked
    assert sorted({ttl for _, ttl in rungs}) == [1, 2, 3, 4, 5, 6]
    assert how["tos"] == 46 << 2 and how["source_port"] == 8500
    assert {facts["ttl"]: facts["dscp_quoted"] for facts in told} == {1: 46, 3: 0, 4: 0, 5: 0, 6: 0}


def test_nobody_is_asked_when_the_marks_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, None) == ([], [])
