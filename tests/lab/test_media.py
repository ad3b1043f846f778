"""Media to a real responder over a long wire with known faults: graded as the faults deserve, and told by cause.

Three worlds side by side play all networks once; what is tested is what came of each.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from readycheck.catalog import read

from . import far_end
from .cloud import RESPONDER
from .far_end import STREAMS, Lost
from .forwarder import Wire
from .impatience import impatient
from .responder import PORT
from .row import CLIENT_ADDRESS, RowMode, Rule, Table
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.alone, pytest.mark.timeout(180)]

_FORGETS = {
    f"net.netfilter.nf_conntrack_{name}": 4
    for name in ("udp_timeout", "udp_timeout_stream", "tcp_timeout_established")
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """A way to the responder and back, and what of the profile is measured on it."""

    name: str
    row: RowMode
    arguments: tuple[str, ...] = ("--quick", "--only", "stream")
    raw: bool = False
    impatient: bool = False
    profile: str = "webex-calling"
    forwarded: bool = False


@dataclass(frozen=True)
class Played:
    report: Mapping[str, Any]
    lost: Lost

    @property
    def causes(self) -> list[str]:
        return [finding["cause"] for finding in self.report["findings"]]

    def finding(self, cause: str) -> Mapping[str, Any]:
        return next(one for one in self.report["findings"] if one["cause"] == cause)

    def check(self, requirement: str) -> Mapping[str, Any]:
        return next(one for one in self.report["checks"] if one["requirement"] == requirement)

    def status(self, requirement: str) -> str:
        return next(str(one["status"]) for one in self.report["requirements"] if one["id"] == requirement)

    def streams(self, way: str, name: str) -> int:
        """A count of all streams, of one direction."""
        told = chain.from_iterable(check["observations"] for check in self.report["checks"])
        return sum(int(o["facts"][way][name]) for o in told if way in o["facts"])


_EDGE_CLEARS = Rule("edge", 'oifname "wan" ip dscp set cs0')
_EDGE_HELPS = Rule("edge", 'udp dport 5060 ct state new ct helper set "sip"')
_NOTHING_BACK = Rule(
    "edge", f'iifname "wan" ip saddr {RESPONDER} udp sport {PORT} meta length {STREAMS} drop'
)

_EVEN_ONLY = Rule("edge", f"ip daddr {RESPONDER} udp dport {PORT} udp sport & 1 == 1 drop")

_FORWARDS_SIP = Rule(
    "edge", f'iifname "wan" udp dport 5060 dnat to {CLIENT_ADDRESS}', "prerouting", Table.NAT
)
_FORWARDS_XMPP = Rule(
    "edge", f'iifname "wan" tcp dport 5222 dnat to {CLIENT_ADDRESS}', "prerouting", Table.NAT
)

_CLEAN = Network(
    name="clean",
    row=RowMode(wire=Wire(delay_ms=20.0)),
    arguments=("--only", "stream", "--only", "sip-alg", "--only", "nat"),
)
_ONE_WAY = Network(name="one-way", row=RowMode(rules=(_NOTHING_BACK,)))
_EVEN = Network(name="even-ports-only", row=RowMode(rules=(_EVEN_ONLY,)))
_LOSSY = Network(name="lossy-and-far", row=RowMode(wire=Wire(delay_ms=120.0, loss_ratio=0.05, seed=3)))
_UNEVEN = Network(
    name="uneven", row=RowMode(wire=Wire(delay_ms=5.0, reorder_ratio=0.5, reorder_ms=80.0, seed=3))
)
_FORGETFUL = Network(
    name="forgetful",
    row=RowMode(settings={"edge": _FORGETS}),
    arguments=("--thorough", "--only", "nat", "--only", "idle"),
    impatient=True,
)
_MEDDLING = Network(
    name="meddling",
    row=RowMode(rules=(_EDGE_CLEARS, _EDGE_HELPS)),
    arguments=("--quick", "--only", "stream", "--only", "sip-alg"),
    raw=True,
)
_FORWARDED = Network(
    name="forwarded",
    row=RowMode(rules=(_FORWARDS_SIP, _FORWARDS_XMPP)),
    arguments=("--quick", "--role", "scenario-remote-users", "--only", "inbound"),
    profile="starface",
    forwarded=True,
)
ROWS = ((_CLEAN, _ONE_WAY, _EVEN), (_LOSSY, _UNEVEN), (_FORGETFUL, _MEDDLING, _FORWARDED))
"""Each in a world of its own: they mostly wait."""


def played(world: World, network: Network, bytecode: Path | None = None) -> Played:
    far_end.arrange(world, network.row)
    if network.forwarded:
        world.machine.run("edge", "nft", "insert", "rule", "ip", "edge", "firewall", "ct status dnat accept")
    profile = impatient(world.machine.folder) if network.impatient else network.profile
    report = far_end.measured(world, *network.arguments, profile=profile, bytecode=bytecode, raw=network.raw)
    return Played(report, far_end.lost(world.machine))


def _row(networks: Sequence[Network], bytecode: Path) -> dict[str, Played]:
    with World.build(read("webex-calling")) as world:
        return {network.name: played(world, network, bytecode) for network in networks}


@pytest.fixture(scope="module")
def runs(_equipped: None, bytecode: Path) -> Mapping[str, Played]:
    with ThreadPoolExecutor(len(ROWS)) as pool:
        parts = list(pool.map(lambda networks: _row(networks, bytecode), ROWS))
    return {name: one for part in parts for name, one in part.items()}


def test_a_clean_way_is_called_good(runs: Mapping[str, Played]) -> None:
    clean = runs["clean"]
    assert clean.causes == [] and clean.lost == Lost(0, 0)
    audio = clean.check("media-quality-audio")
    assert audio["metrics"]["mos"] >= 4.3 and 40 <= audio["metrics"]["rtt_ms"] < 60
    blurred = _is_blurred(audio)
    assert blurred or audio["status"] == "pass"
    assert clean.report["score"]["media"] in (("good", None) if blurred else ("good",))
    assert clean.status("sip-alg") == "pass" and clean.status("qos-marks-audio") == "pass"
    assert clean.status("nat-binding") == "inconclusive", "nobody waited for the binding"


def test_loss_is_exact_to_the_packet_each_way_and_delay_is_told_beside_it(runs: Mapping[str, Played]) -> None:
    lossy = runs["lossy-and-far"]
    assert lossy.lost == Lost(lossy.streams("up", "lost"), lossy.streams("down", "lost"))
    assert lossy.lost.there > 10 and lossy.lost.back > 10
    assert sorted(lossy.causes) == ["delay", "loss"] and lossy.report["score"]["media"] == "poor"
    assert lossy.status("media-quality-audio") == "fail"
    summary = lossy.finding("loss")["summary"]
    assert "on the way to the responder" in summary and "on the way back" in summary
    assert 240 <= lossy.check("media-quality-audio")["metrics"]["rtt_ms"] < 260


def test_uneven_arrival_is_jitter_and_told_once(runs: Mapping[str, Played]) -> None:
    """Half of the packets come 80 ms later than the others, so that two that follow each other differ by 40 ms."""
    uneven = runs["uneven"]
    checks = [uneven.check(name) for name in ("media-quality-audio", "media-quality-video")]
    assert uneven.causes == ([] if all(map(_is_blurred, checks)) else ["jitter"])
    metrics = checks[0]["metrics"]
    assert 32 < metrics["jitter_up_ms"] < 48 and 32 < metrics["jitter_down_ms"] < 48
    assert uneven.streams("up", "reordered") > 20 and uneven.streams("down", "reordered") > 20


def _is_blurred(check: Mapping[str, Any]) -> bool:
    """A host that is late itself must say so instead of judging the jitter."""
    return check["status"] == "inconclusive" and "self-limited" in check["because"]


def test_media_that_comes_not_back_is_no_loss(runs: Mapping[str, Played]) -> None:
    closed = runs["one-way"]
    assert closed.causes == ["udp-return-blocked"] and closed.lost.there == 0 < closed.lost.back
    assert closed.status("media-quality-audio") == "fail"


def test_a_firewall_that_opens_even_ports_alone_loses_rtcp(runs: Mapping[str, Played]) -> None:
    even = runs["even-ports-only"]
    assert even.causes == ["rtp-range-partial"] and even.lost == Lost(0, 0)
    assert "none reached the responder" in even.finding("rtp-range-partial")["summary"]
    assert even.status("media-rtcp") == "fail" and even.status("media-quality-audio") in (
        "pass",
        "inconclusive",
    )
    assert runs["clean"].status("media-rtcp") == "pass"


def test_cleared_marks_are_told_with_the_hop(runs: Mapping[str, Played]) -> None:
    found = runs["meddling"].finding("dscp-changed")
    assert found["confidence"] == "certain"
    assert "audio is sent as 46 and seen as 0" in found["summary"]
    assert "10.77.2.1 (hop 2) still sees them" in found["summary"] and "(hop 3) no longer" in found["summary"]
    assert runs["meddling"].status("media-quality-audio") != "fail", "media itself is whole"


def test_the_kernels_sip_helper_is_caught_in_the_act(runs: Mapping[str, Played]) -> None:
    found = runs["meddling"].finding("sip-alg")
    assert found["confidence"] == "certain" and found["severity"] == "note", "the product's own SIP is in TLS"
    assert "«Via: SIP/2.0/UDP 10.77.1.20:" in found["summary"]
    assert runs["meddling"].status("sip-alg") == "warn"


def test_a_nat_that_forgets_soon(runs: Mapping[str, Played]) -> None:
    forgetful = runs["forgetful"]
    assert sorted(forgetful.causes) == ["idle-timeout-short", "nat-binding-short"]
    check = forgetful.check("nat-binding")
    assert (check["status"], check["metrics"]["binding_s"]) == ("warn", 2)


def test_an_edge_that_forgets_idle_connections(runs: Mapping[str, Played]) -> None:
    found = runs["forgetful"].finding("idle-timeout-short")
    assert found["confidence"] == "certain"
    assert "outlives 2 s of silence and not 7 s, by TCP and by TLS" in found["summary"]
    check = runs["forgetful"].check("nat-connection-timeout")
    assert (check["status"], check["metrics"]["idle_s"], check["metrics"]["idle_died_s"]) == ("warn", 2, 7)


def test_both_are_told_and_nothing_else(runs: Mapping[str, Played]) -> None:
    assert sorted(runs["meddling"].causes) == ["dscp-changed", "sip-alg"]


def test_ports_that_are_forwarded_are_reached_from_outside(runs: Mapping[str, Played]) -> None:
    """What the edge drops is a fault where anybody has to come in, and open where the provider alone has to."""
    forwarded = runs["forwarded"]
    assert forwarded.status("inbound-sip-udp") == forwarded.status("inbound-xmpp") == "pass"
    assert forwarded.status("inbound-rtp") == "inconclusive"
    assert forwarded.status("inbound-provisioning") == "fail"
    assert forwarded.status("inbound-web") == "inconclusive", "an ordinary user cannot listen at port 443"
