"""The whole loop on a network of fakes: real probes, real plan, real rules, no socket."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.message
import dns.rrset
import pytest

from readycheck.assess import Request, assess
from readycheck.engine import Progress, RunState
from readycheck.failure import Failure
from readycheck.net.interface import Capability, Endpoint, Resolution
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Remembered
from readycheck.plan import Selection, plan
from readycheck.probe import Effort
from readycheck.profile import Profile
from readycheck.rejudge import rejudge
from readycheck.report import Report, dump, load
from readycheck.sampling import PER_RUN
from readycheck.testing import FakeNetwork, FakeService, run, tls_facts
from readycheck.verdict import Judgement, Readiness, Strength
from readycheck.wire import ntp, stun
from tests.unit.builders import (
    GATEWAY,
    NODES,
    PIN,
    ROWS,
    SOURCE,
    make_environment,
    make_profile,
    make_registry,
    make_selection,
)
from tests.unit.far_side import PLACE, QOS, way
from tests.unit.far_side import ROWS as MEDIA_ROWS

RESOLVER = ("192.88.99.53", 53)
WEB, CONTROL = "192.88.99.9", "192.88.99.10"
HOPS = (GATEWAY, "192.168.2.1", "100.64.0.1", "100.64.0.2")
NAMES = {"api.example.com": (WEB,), "control.example.org": (CONTROL,), "node.example.com": NODES[:1]}
Blocked = Callable[[Endpoint, str], int | None]


def answer_binding(data: bytes) -> bytes | None:
    try:
        request = stun.unpack_message(data)
    except ValueError:
        return None
    return binding_response(request.transaction_id, ("203.0.113.77", 40000))


def binding_response(transaction_id: bytes, mapped: tuple[str, int]) -> bytes:
    """A success response with XOR-MAPPED-ADDRESS (RFC 8489 section 14.2)."""
    cookie = 0x2112A442
    address = int.from_bytes(bytes(int(p) for p in mapped[0].split(".")), "big") ^ cookie
    value = b"\0\x01" + (mapped[1] ^ (cookie >> 16)).to_bytes(2, "big") + address.to_bytes(4, "big")
    body = b"\0\x20" + len(value).to_bytes(2, "big") + value
    return b"\x01\x01" + len(body).to_bytes(2, "big") + cookie.to_bytes(4, "big") + transaction_id + body


def answer_time(network: FakeNetwork) -> Callable[[bytes], bytes]:
    def answer(request: bytes) -> bytes:
        now = ntp.pack_request(network.now_ns() / 1e9)[40:48]
        head = bytes([0b00_100_100, 2, 6, 0xEC]) + bytes(8) + b"GPS\0" + now
        return head + request[40:48] + now + now

    return answer


def answer_names(data: bytes) -> bytes:
    question = dns.message.from_wire(data)
    reply = dns.message.make_response(question)
    asked = question.question[0]
    reply.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "A", WEB))
    return reply.to_wire()


def framed(data: bytes) -> bytes:
    return (said := answer_names(data[2:])) and len(said).to_bytes(2, "big") + said


def network(*, blocked: Blocked = lambda to, transport: None, hops: tuple[str, ...] = HOPS) -> FakeNetwork:
    """A vendor with two nodes that live, a web server, a control and a name server."""
    secure = FakeService(tls=tls_facts(pins=(PIN,)))
    made = silent_network(hops=hops, blocked=blocked)
    for node in NODES[:2]:
        made.tcp[node, 8934] = secure
        made.udp[node, 123] = answer_time(made)
        for port in (5004, 9000, *range(19560, 65536)):
            made.udp[node, port] = answer_binding
    made.tcp[WEB, 443] = made.tcp[CONTROL, 443] = secure
    made.tcp[RESOLVER] = FakeService(answer=framed)
    made.udp[RESOLVER] = answer_names
    return made


def silent_network(**more: Any) -> FakeNetwork:
    """Nothing lives. Without raw sockets: those would be the real ones, of a program of its own."""
    permitted = frozenset(Capability) - {Capability.RAW_SOCKETS}
    return FakeNetwork(names=NAMES, resolvers=(RESOLVER,), capabilities=permitted, **more)


def request(profile: Profile | None = None, selection: Selection | None = None, **changes: Any) -> Request:
    asked, registry = profile or make_profile(), make_registry()
    chosen = selection or make_selection(resolvers=(RESOLVER,), targets=("node.example.com", NODES[1]))
    given: dict[str, Any] = {
        "profile": asked,
        "registry": registry,
        "selection": chosen,
        "draft": plan(asked, registry, chosen, 1),
        "deadline_s": 60.0,
        "options": {},
    }
    return Request(**{**given, **changes})


async def played(
    asked: Request, on: FakeNetwork, watch: Callable[[Progress], None] = lambda p: None
) -> Report:
    clock = asyncio.get_running_loop().time
    shared = SharedNetwork(on, effort=asked.selection.effort, clock=clock)
    environment = make_environment(resolvers=(RESOLVER[0],))
    return await assess(asked, shared, environment, watch)


def report(on: FakeNetwork | None = None, asked: Request | None = None) -> Report:
    return run(played(asked or request(), on or network()))


def statuses(found: Report) -> Mapping[str, Judgement]:
    return {r.id: r.status for r in found.requirements}


def causes(found: Report) -> list[str]:
    return [finding.cause for finding in found.findings]


# --- worlds -------------------------------------------------------------------------------------------


def test_a_healthy_sparse_network_is_ready() -> None:
    found = report()
    assert causes(found) == []
    assert set(statuses(found).values()) == {Judgement.PASS}
    assert found.verdict is Readiness.READY
    assert found.run.state is RunState.COMPLETE
    assert {r.id: r.strength for r in found.requirements}["stun"] is Strength.EGRESS
    assert "path/egress" in {check.id for check in found.checks}


def test_where_routers_are_silent_silence_stays_silence() -> None:
    found = report(network(hops=()))
    assert causes(found) == []
    assert Judgement.FAIL not in statuses(found).values()
    assert found.verdict is Readiness.WARNINGS


@pytest.mark.parametrize(
    ("blocked", "cause", "failing"),
    [
        (
            lambda to, t: 2 if t == "udp" and to[1] not in (53, 123) else None,
            "udp-blocked",
            {"stun", "range"},
        ),
        (lambda to, t: 2 if to[1] == 8934 else None, "port-blocked", {"sip"}),
        (lambda to, t: 2 if to[1] == 5004 else None, "port-blocked", {"stun"}),
        (lambda to, t: 2 if to[1] == 123 else None, "ntp-blocked", {"ntp"}),
        (
            lambda to, t: 2 if to[0].startswith("203.0.113.") else None,
            "subnet-blocked",
            {"sip", "stun", "range"},
        ),
        (lambda to, t: 2 if t == "udp" and to[1] >= 42548 else None, "rtp-range-partial", {"range"}),
    ],
    ids=["udp", "sip", "stun", "ntp", "subnet", "range"],
)
def test_one_rule_of_a_firewall_is_one_finding_at_its_place(
    blocked: Blocked, cause: str, failing: set[str]
) -> None:
    found = report(network(blocked=blocked))
    assert causes(found) == [cause], [f.summary for f in found.findings]
    assert found.findings[0].where.value == "site"
    assert "192.168.2.1 (hop 2)" in found.findings[0].summary
    assert failing <= {name for name, status in statuses(found).items() if status is Judgement.FAIL}
    assert found.verdict is Readiness.NOT_READY


def test_a_network_on_which_nothing_answers_still_gives_a_report() -> None:
    found = report(silent_network())
    assert found.verdict in (Readiness.NOT_READY, Readiness.UNKNOWN)
    assert found.score.overall is None
    assert load(dump(found), "r.json").verdict is found.verdict


# --- the loop -----------------------------------------------------------------------------------------


def test_addresses_of_names_are_asked_first_and_recorded() -> None:
    found = report()
    assert NODES[0] in found.known
    first = next(c for c in found.checks if c.id == f"sip/198.18.0.0/16:8934")  # noqa: F541
    assert first.observations[0].target.address in NODES[:2]


def known(*addresses: str, days: float = 1.0) -> tuple[Remembered, ...]:
    last = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return tuple(Remembered(address, "2026-01-02T03:04:05Z", last) for address in addresses)


GONE = NODES[0].rpartition(".")[0] + ".251"


def test_remembered_addresses_are_asked_first_and_one_that_is_silent_now_is_told_of() -> None:
    found = report(asked=request(remembered=known(NODES[0], NODES[1], GONE)))
    assert found.known[:3] == (NODES[0], NODES[1], GONE)
    assert [one.address for one in found.run.gone_silent] == [GONE]
    assert (found.verdict, causes(found)) == (Readiness.READY, ["address-blocked"])
    (finding,) = found.findings
    assert (finding.confidence, finding.severity, finding.where) == ("possible", "note", "unknown")
    assert finding.summary.startswith(f"{GONE} is silent on TCP 8934")
    assert "it has answered since 2026-01-02" in finding.summary
    assert f"and {NODES[0]} beside it still answers. The vendor may have" in finding.summary
    assert rejudge(load(dump(found), "r.json")).findings == found.findings


def test_what_was_not_asked_has_not_gone_silent() -> None:
    found = report(asked=request(remembered=known(NODES[0], "192.88.99.77")))
    assert found.known[:2] == (NODES[0], "192.88.99.77")
    assert found.run.gone_silent == ()


def test_what_was_silent_for_a_week_is_forgotten() -> None:
    found = report(asked=request(remembered=known(NODES[0], GONE, days=8)))
    assert found.run.gone_silent == () and causes(found) == []


@pytest.mark.parametrize(
    "blocked",
    [lambda to, t: 2 if to[0].startswith("198.18.") else None, lambda to, t: 2 if to[1] == 8934 else None],
    ids=["its network", "one of its ports"],
)
def test_where_more_is_blocked_a_silent_address_is_no_news(blocked: Blocked) -> None:
    found = report(network(blocked=blocked), request(remembered=known(NODES[0], GONE)))
    assert "address-blocked" not in causes(found)


def test_where_nothing_answers_a_silent_address_is_no_news() -> None:
    assert "address-blocked" not in causes(report(silent_network(), request(remembered=known(NODES[0]))))


def test_no_more_names_are_looked_up_than_addresses_are_asked() -> None:
    class Counting(FakeNetwork):
        looked_up = 0

        async def resolve(self, host: str, *, timeout: float) -> Resolution:
            self.looked_up += 1
            return await super().resolve(host, timeout=timeout)

    domains = [{"pattern": f"h{n}.example.com"} for n in range(1000)]
    names = {"all": {"title": "All", "domains": domains, "source": SOURCE}}
    profile = make_profile(*ROWS[:1], names=names)
    on = Counting(resolvers=(RESOLVER,))
    report(on, request(profile, make_selection(resolvers=(RESOLVER,), controls=False)))
    assert on.looked_up == PER_RUN


def test_the_same_request_gives_the_same_findings_and_checks() -> None:
    one, other = (report(network(blocked=lambda to, t: 2 if to[1] == 8934 else None)) for _ in range(2))
    assert [c.id for c in one.checks] == [c.id for c in other.checks]
    assert one.findings == other.findings
    assert one.score == other.score


def test_nothing_but_the_profiles_targets_is_contacted_without_controls() -> None:
    on = network()
    selection = make_selection(resolvers=(RESOLVER,), targets=NODES[:2], controls=False)
    found = report(on, request(selection=selection))
    assert not any(c.id.startswith("control/") for c in found.checks)
    assert not any(o.target.address == CONTROL for c in found.checks for o in c.observations)


def test_the_deadline_gives_a_report_of_what_is_known() -> None:
    found = report(silent_network(), request(deadline_s=1.5))
    assert found.run.state is RunState.DEADLINE
    assert found.run.duration_ms == pytest.approx(1500, abs=50)
    assert found.verdict is not Readiness.READY
    assert len(found.checks) > 10


def test_a_healthy_network_that_the_deadline_cut_is_at_best_a_warning() -> None:
    found = report(network(), request(deadline_s=2.0))
    assert found.verdict in (Readiness.WARNINGS, Readiness.UNKNOWN)
    assert Judgement.FAIL not in statuses(found).values()


@pytest.mark.parametrize("after_s", [0.01, 0.5, 3.0])
def test_an_interrupted_run_gives_a_report_of_what_is_known(after_s: float) -> None:
    async def interrupted() -> Report:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(played(request(), network()))
            await asyncio.sleep(after_s)
            task.cancel()
        return task.result()

    found = run(interrupted())
    assert found.run.state is RunState.INTERRUPTED
    assert found.verdict is Readiness.UNKNOWN
    assert found.requirements


def test_what_handshakes_wait_for_is_made_ready_in_the_run() -> None:
    made: list[str] = []
    assert report(asked=request(get_ready=lambda: made.append("ready"))).run.state is RunState.COMPLETE
    assert made == ["ready"]


def test_progress_is_told() -> None:
    seen: list[Progress] = []
    run(played(request(), network(), seen.append))
    assert seen[-1].done == seen[-1].total == len({p.check.id for p in seen})


@pytest.mark.parametrize("effort", Effort)
def test_efforts_differ_in_how_much_they_ask(effort: Effort) -> None:
    selection = make_selection(resolvers=(RESOLVER,), targets=NODES[:2], effort=effort)
    found = report(network(), request(selection=selection))
    asked = sum(len(c.observations) for c in found.checks)
    assert asked > {Effort.QUICK: 50, Effort.NORMAL: 100, Effort.THOROUGH: 200}[effort]
    assert found.verdict in (Readiness.READY, Readiness.WARNINGS)
    assert found.findings == ()


def test_a_crashing_probe_ends_nothing_but_its_own_checks() -> None:
    class Crashing:
        def __getattr__(self, name: str) -> Any:
            return getattr(healthy.installed["stun"].probe, name)

        async def measure(self, params: Any, net: Any) -> None:
            raise RuntimeError("oops")

    healthy = make_registry()
    crashing: Any = Crashing()
    broken = replace(healthy.installed["stun"], probe=crashing)
    registry = replace(healthy, installed={**healthy.installed, "stun": broken})
    found = report(network(), request(registry=registry))
    assert statuses(found)["stun"] is Judgement.INCONCLUSIVE
    assert "bug in probe 'stun': RuntimeError: oops" in {r.id: r.because for r in found.requirements}["stun"]
    assert statuses(found)["sip"] is Judgement.PASS
    assert found.verdict is not Readiness.NOT_READY


def test_trust_roots_given_for_the_run_are_pins_too() -> None:
    rows = [{**row, "limits": {}} for row in ROWS if row["id"] == "sip"]
    on = network()
    for node in NODES[:2]:
        on.tcp[node, 8934] = FakeService(tls=tls_facts(pins=("own",)))
    plain = report(on, request(make_profile(*rows)))
    assert statuses(plain)["sip"] is Judgement.WARN
    trusting = report(on, request(make_profile(*rows), trusted_pins=frozenset({"own"})))
    assert statuses(trusting)["sip"] is Judgement.PASS


def test_a_name_that_cannot_be_resolved_costs_its_requirement_only() -> None:
    on = network()
    on.names["api.example.com"] = Failure.DNS_SERVFAIL
    found = report(on)
    assert statuses(found)["web"] is Judgement.INCONCLUSIVE
    assert statuses(found)["sip"] is Judgement.PASS


# --- streams ------------------------------------------------------------------------------------------


def streamed(play: Any, **changes: Any) -> Report:
    profile = make_profile(*ROWS, *MEDIA_ROWS, qos=QOS)
    chosen = make_selection(resolvers=(RESOLVER,), targets=("node.example.com", NODES[1]), responder=PLACE)
    on = network()
    on.responder = play
    return report(on, request(profile, chosen, **changes))


def test_streams_come_last_one_by_one_and_their_time_is_added() -> None:
    found = streamed(way(), deadline_s=12.0)
    streams = [check for check in found.checks if check.probe == "stream"]
    others = max(c.started_ms + c.duration_ms for c in found.checks if c.probe != "stream")
    first, second = streams
    assert others <= first.started_ms
    assert first.started_ms + first.duration_ms <= second.started_ms
    assert second.started_ms + second.duration_ms > 20_000
    assert found.run.state is RunState.COMPLETE
    assert found.score.media == "good"


def test_a_report_of_streams_can_be_judged_again() -> None:
    found = streamed(way(rtt_ms=150.0))
    assert "delay" in causes(found)
    assert found.score.media == "fair"
    again = rejudge(load(dump(found), "stored"))
    assert (again.findings, again.score) == (found.findings, found.score)
    assert statuses(again) == statuses(found)
    (audio,) = [check for check in found.checks if check.id == "audio"]
    assert audio.status is Judgement.WARN  # by its own requirement, not by those that read it, too
