"""A small product, and the worlds it may meet: outcomes of a run without a network, by the real plan."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from readycheck.conclude import doubted
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Finding
from readycheck.diagnose.situation import Situation, can_hear_routers
from readycheck.diagnose.table import diagnose, follow_ups
from readycheck.engine import Outcome, RunState, Status
from readycheck.evidence import Evidence, gather
from readycheck.failure import Failure, Step
from readycheck.net.environment import Environment, is_ipv6_only
from readycheck.observation import Observation, Target
from readycheck.plan import Check, CheckTarget, Plan, Scope, Selection, plan
from readycheck.profile import Profile
from readycheck.registry import Installed, Registry
from readycheck.verdict import Judgement, Readiness, Verdict, bench, judge_all, overall
from readycheck_probes.capacity import CapacityProbe
from readycheck_probes.dns import DnsProbe
from readycheck_probes.flow import FlowProbe
from readycheck_probes.http import HttpProbe
from readycheck_probes.icmp import IcmpProbe
from readycheck_probes.ntp import NtpProbe
from readycheck_probes.path import PathProbe
from readycheck_probes.repeat import RepeatProbe
from readycheck_probes.rtp import RtpProbe
from readycheck_probes.sip import SipProbe
from readycheck_probes.sni import SniProbe
from readycheck_probes.stream import StreamProbe
from readycheck_probes.stun import StunProbe
from readycheck_probes.tcp import TcpProbe
from readycheck_probes.tls import TlsProbe

NETWORKS = ("198.18.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")
NODES = ("198.18.0.10", "198.51.100.10", "203.0.113.10", "192.0.2.10")
GATEWAY, RESOLVER = "192.168.1.1", "192.168.1.53"
FIREWALL, ISP = "192.168.2.1", "100.64.0.1"
DEAF: Mapping[str, Any] = {"capabilities": ()}
LOCAL, MAPPED = "192.168.1.20", "100.127.0.20:40000"
PIN = "A" * 43 + "="
SOURCE = {"document": "doc", "section": "1"}
ISSUERS = ("CN=Example Issuing CA", "CN=Example Root")

PROBES: tuple[Any, ...] = (
    CapacityProbe,
    DnsProbe,
    FlowProbe,
    HttpProbe,
    IcmpProbe,
    NtpProbe,
    PathProbe,
    RepeatProbe,
    RtpProbe,
    SipProbe,
    SniProbe,
    StreamProbe,
    StunProbe,
    TcpProbe,
    TlsProbe,
)


def make_registry(*probes: Any) -> Registry:
    """The given probe classes, by default the built-in ones, as if they had been installed."""
    installed = {p.name: Installed(p.name, p(), "tests", "1") for p in probes or PROBES}
    return Registry(dict(sorted(installed.items())), {})


def requirement(name: str, **changes: Any) -> dict[str, Any]:
    """A row of a profile: TCP 8934 to the service networks, unless `changes` say otherwise."""
    row = {
        "id": name,
        "title": name.replace("-", " "),
        "area": "signalling",
        "importance": "required",
        "roles": ["app"],
        "transport": "tcp",
        "ports": ["8934"],
        "targets": {"networks": ["service"]},
        "probe": "sip",
        "source": SOURCE,
    }
    return {**row, **changes}


MEDIA = {"area": "media reachability", "transport": "udp"}
TIME = {"area": "names and time", "transport": "udp"}
RESOLVERS = {"targets": {"resolvers": True}, "probe": "dns", "ports": ["53"]}
NAMES = {"names": ["api.example.com", "cdn.example.com"]}

PING = {"area": "media reachability", "transport": "icmp", "ports": [], "probe": "icmp"}

ROWS = (
    requirement("sip", pinned=True),
    requirement("stun", **MEDIA, ports=["5004", "9000"], probe="stun", limits={"rtt_ms": {"warn": 200}}),
    requirement("range", **MEDIA, ports=["19560-65535"], probe="rtp"),
    requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls"),
    requirement("dns-udp", **{**TIME, **RESOLVERS}, params=NAMES),
    requirement(
        "dns-tcp", **{**TIME, **RESOLVERS, "transport": "tcp"}, importance="recommended", params=NAMES
    ),
    requirement(
        "ntp", **TIME, ports=["123"], probe="ntp", limits={"offset_ms": {"warn": 1000, "fail": 300000}}
    ),
)


def make_profile(*rows: Mapping[str, Any], **changes: Any) -> Profile:
    """A valid profile of the given requirements, by default of a small cloud PBX."""
    document = {"title": "Ports", "publisher": "Example", "revision": "1"}
    data = {
        "schema_version": 1,
        "name": "example",
        "title": "Example",
        "revision": "1",
        "checked": "2026-01-01",
        "documents": {"doc": document},
        "roles": [{"name": "app", "title": "App", "default": True}, {"name": "gateway", "title": "Gateway"}],
        "networks": {"service": {"title": "Service", "networks": NETWORKS, "source": SOURCE}},
        "names": {
            "web": {"title": "Web", "domains": [{"pattern": "api.example.com"}], "source": SOURCE},
            "wild": {
                "title": "Wildcards",
                "domains": [{"pattern": "*.example.net", "representatives": ["maybe.example.net"]}],
                "source": SOURCE,
            },
        },
        "controls": [{"host": "control.example.org", "port": 443, "purpose": "a host outside the product"}],
        "pins": [{"name": "root", "spki_sha256": PIN, "source": "doc"}],
        "requirements": list(rows or ROWS),
    }
    return Profile.model_validate({**data, **changes})


def make_environment(**changes: Any) -> Environment:
    facts: dict[str, Any] = {
        "host": "desk",
        "platform": "test",
        "gateway": GATEWAY,
        "default_interface": "eth0",
        "resolvers": (RESOLVER,),
        "capabilities": ("hop_limit", "icmp_errors"),
    }
    return Environment(**{**facts, **changes})


def make_selection(**changes: Any) -> Selection:
    return Selection(**{"resolvers": ((RESOLVER, 53),), **changes})


def tls(*, pins: Sequence[str] = (PIN,), issuers: Sequence[str] = ISSUERS, expires_days: float = 90.0) -> Any:
    """What a handshake shows, as the report has it."""
    chain = [{"subject": f"CN={n}", "issuer": issuer} for n, issuer in enumerate(issuers)]
    return {"version": "TLSv1.3", "pins": list(pins), "chain": chain, "expires_days": expires_days}


def seen(
    step: Step,
    target: Target,
    failure: Failure | None = None,
    *,
    took_ms: float = 20.0,
    **facts: Any,
) -> Observation:
    return Observation(
        step=step, target=target, started_ms=0.0, elapsed_ms=took_ms, failure=failure, facts=facts
    )


def make_check(name: str = "sip/x", **changes: Any) -> Check:
    """A check by hand, for tests of one function."""
    given: dict[str, Any] = {
        "id": name,
        "requirement": name.partition("/")[0],
        "probe": "sip",
        "scope": Scope.SAMPLED,
        "target": CheckTarget(network=NETWORKS[1], ports="8934", transport="tcp"),
        "params": None,
        "budget_s": 8.0,
        "proves": Step.TLS_HANDSHAKE,
    }
    return Check(**{**given, **changes})


def make_outcome(check: Check, *observations: Observation, **changes: Any) -> Outcome:
    given: dict[str, Any] = {"status": Status.MEASURED, "observations": observations}
    return Outcome(check=check, **{**given, **changes})


Wall = Callable[[Target], str | None]


@dataclass(kw_only=True)
class World:
    """What is true of a network; `wall(target)` says what the site's firewall does to packets to it.

    `wall`: None lets them pass, "drop" or "reject" does as it says. `closed`: ports whose live servers
    refuse. `mute`: targets whose replies are lost on the way back. `greet`: how a handshake fails.
    `icmp`: routers' messages arrive; `proofs`: the survey has time for as many cells; `echo`: media nodes
    answer on the media range too; `dead`: hosts that are gone, with packets to them passing; `flaky`: how often
    of eight an asked again target answers. What is dropped `by_content` would pass with other content.
    """

    profile: Profile = field(default_factory=make_profile)
    selection: Selection = field(default_factory=make_selection)
    environment: Environment = field(default_factory=make_environment)
    wall: Wall = lambda target: None
    mute: Callable[[Target], bool] = lambda target: False
    closed: Callable[[Target], bool] = lambda target: False
    offsets: Callable[[Target], float] = lambda target: 3.0
    greet: Callable[[Target], Failure | None] = lambda target: None
    handshake: Callable[[Target], Any] = lambda target: tls()
    took_ms: Callable[[Target], float] = lambda target: 20.0
    resolver: Callable[[str], Failure | None] = lambda transport: None
    names: Mapping[str, Failure | str] = field(default_factory=dict)
    unrouted: Failure | None = None
    denied: Callable[[Target], bool] = lambda target: False
    dead: Callable[[Target], bool] = lambda target: False
    flaky: Callable[[Target], int] = lambda target: 0
    by_content: bool = False
    icmp: bool = True
    echo: bool = True
    proofs: int | None = None
    hops: tuple[str, ...] = (GATEWAY, FIREWALL, ISP)
    edge_ttl: int = 2
    edge_proven: bool = True
    wall_ttl: int = 2
    lively: int = 2
    dense: bool = False
    registry: Registry = field(default_factory=make_registry)
    seed: int = 1

    def __post_init__(self) -> None:
        """One node in each of the first `lively` networks lives, and is known: vendor networks are sparse."""
        self.alive = tuple(NODES[: self.lively])
        self.plan = plan(self.profile, self.registry, self.selection, self.seed, self.alive)

    # --- what a probe sees ---

    def measure(self, check: Check) -> Outcome:
        if check.probe == "path":
            observations = tuple(self._path(check))
        elif check.probe == "flow":
            observations = tuple(self._flows(check))
        elif check.probe == "repeat":
            observations = tuple(self._repeated(check))
        else:
            targets = check.params.targets
            observations = tuple(o for t in targets for o in self._visit(check, t))
        metrics = self.registry.probe(check.probe).summarize(observations)
        return Outcome(check=check, status=Status.MEASURED, observations=observations, metrics=dict(metrics))

    def _visit(self, check: Check, target: Target) -> Iterator[Observation]:
        if check.probe == "dns":
            yield from self._ask(check, target)
            return
        if target.host and not target.address:
            resolved, failure = self._look_up(target.host)
            facts: dict[str, Any] = {"addresses": [resolved]} if resolved else {}
            yield seen(Step.RESOLVE, target, failure, **facts)
            if failure:
                return
            target = Target(host=target.host, address=resolved, port=target.port, transport=target.transport)
        if check.probe in ("icmp", "stun", "rtp", "ntp") or target.transport == "udp":
            yield self._echo(check, target)
        else:
            yield from self._connect(check, target)

    def _look_up(self, host: str) -> tuple[str | None, Failure | None]:
        found = self.names.get(host, "192.88.99.9")
        if isinstance(found, Failure):
            return None, found
        stuck = self.unrouted or self.resolver("udp")
        return (None, stuck) if stuck else (found, None)

    def _ask(self, check: Check, server: Target) -> Iterator[Observation]:
        for name in check.params.names:
            target = replace(server, host=name)
            failure = self.unrouted or self._barrier(server) or self.resolver(str(server.transport))
            found = self.names.get(name)
            if failure is None and isinstance(found, Failure):
                failure = found
            said = failure in (None, Failure.DNS_NXDOMAIN, Failure.DNS_REFUSED, Failure.DNS_SERVFAIL)
            spoken: dict[str, Any] = {"rtt_ms": 5.0, "rcode": failure or "NOERROR"}
            facts = {"answered_by_server": said} | (spoken if said else {})
            yield seen(Step.RESPONSE, target, failure, **facts)

    def _barrier(self, target: Target) -> Failure | None:
        """What stops a packet before its destination: this host, the firewall, or the lack of life."""
        if self.unrouted:
            return self.unrouted
        if self.denied(target):
            return Failure.PERMISSION_DENIED
        wall = self.wall(target)
        if wall == "reject":
            tcp = target.transport == "tcp"
            return Failure.CONNECTION_REFUSED if tcp else Failure.ICMP_ADMIN_PROHIBITED
        return Failure.TIMED_OUT if wall or self.mute(target) or self.dead(target) else None

    def _refuses(self, target: Target) -> bool:
        """A live server that refuses; of a dead address nothing comes back."""
        return self.closed(target) and self._lives(target)

    def _lives(self, target: Target) -> bool:
        return self.dense or target.network is None or target.address in self.alive

    def _echo(self, check: Check, target: Target) -> Observation:
        failure = self._barrier(target)
        if failure is None and self._refuses(target):
            failure = Failure.PORT_UNREACHABLE
        if failure is None and not (self._lives(target) and (self.echo or check.probe != "rtp")):
            failure = Failure.TIMED_OUT
        facts: dict[str, Any] = {"attempts": 1}
        if failure is None:
            facts |= {"rtt_ms": 20.0, "mapped_address": MAPPED}
        elif failure is Failure.ICMP_ADMIN_PROHIBITED:
            facts |= {"offender": FIREWALL}
        if check.probe == "ntp" and failure is None:
            facts |= {"offset_ms": self.offsets(target), "delay_ms": 20.0}
        return seen(Step.ECHO, target, failure, **facts)

    def _connect(self, check: Check, target: Target) -> Iterator[Observation]:
        failure = self._barrier(target)
        if failure is None and self._refuses(target):
            failure = Failure.CONNECTION_REFUSED
        if failure is None and not self._lives(target):
            failure = Failure.TIMED_OUT
        yield seen(Step.CONNECT, target, failure, rtt_ms=20.0)
        if failure is None and check.probe in ("sip", "tls"):
            wrong = self.greet(target)
            facts = {"tls": self.handshake(target)} if wrong is None or _certified(wrong) else {}
            greeted = replace(target, sni=target.host)
            yield seen(Step.TLS_HANDSHAKE, greeted, wrong, took_ms=self.took_ms(target), **facts)

        elif failure is None and check.probe == "http":
            yield seen(Step.RESPONSE, target, None, status=200)

    # --- what hop-limited packets see ---

    def _path(self, check: Check) -> Iterator[Observation]:
        params = check.params
        if not self.icmp or self.unrouted:
            return
        for target in params.controls or (*params.refused, *params.targets, *params.walls)[:2]:
            yield from self._ladder(target, "ladder")
        stopped: dict[tuple[str | None, int | None], Target] = {}
        for target in (*params.refused, *params.targets)[: self.proofs]:
            fate, ttl = self._fate(target)
            if fate != "left":
                stopped.setdefault((target.transport, target.port), target)
            yield seen(
                Step.HOP,
                target,
                None if fate == "left" else Failure.TIMED_OUT,
                purpose="survey",
                fate=fate,
                ttl=ttl,
                offender=FIREWALL if fate == "rejected" and target.transport == "udp" else None,
                asked=2,
                edge_ttl=self.edge_ttl,
                edge_proven=self.edge_proven,
            )
        for target in (*params.walls, *list(stopped.values())[:3]):
            yield from self._ladder(target, "stopped")

    def _fate(self, target: Target) -> tuple[str, int]:
        wall = self.wall(target)
        if wall == "reject":
            return "rejected", len(self.hops)
        return ("stopped" if wall else "left"), len(self.hops)

    def _ladder(self, target: Target, purpose: str) -> Iterator[Observation]:
        last = self.wall_ttl if self.wall(target) else len(self.hops)
        for ttl, hop in enumerate(self.hops[:last], start=1):
            yield seen(Step.HOP, target, None, purpose=purpose, ttl=ttl, offender=hop)

    def _named(self, target: Target) -> Target:
        """With the host that has its address."""
        hosts = [host for host, address in self.names.items() if address == target.address]
        return replace(target, host=hosts[0]) if hosts else target

    def _flows(self, check: Check) -> Iterator[Observation]:
        for target, control in zip(check.params.targets, check.params.controls, strict=True):
            named, own = self._named(target), target.address == control.address
            heard = self.icmp and not self.unrouted
            way = self.hops if heard else ()
            wall = self.wall(named)
            fate = {"drop": "stopped", "reject": "rejected"}.get(wall or "", "left") if heard else "unknown"
            if fate == "left" and self._refuses(named):
                fate = "refused"
            reached = min(self.wall_ttl, len(way)) if wall else len(way)
            for ttl, hop in enumerate(way[:reached], start=1):
                yield seen(Step.HOP, target, None, purpose="stopped", ttl=ttl, offender=hop)
            for ttl, hop in enumerate(way, start=1):
                yield seen(Step.HOP, control, None, purpose="ladder", ttl=ttl, offender=hop)
            yield seen(
                Step.HOP,
                target,
                None if fate == "left" else Failure.TIMED_OUT,
                purpose="survey",
                fate=fate,
                ttl=reached + (fate in ("stopped", "rejected")),
                asked=32,
                reached=reached,
                media_reached=len(way) if self.by_content and fate == "stopped" else 0,
                control=str(control),
                control_own=own,
                control_reached=len(way),
                control_arrived=len(way) + 1 if heard else None,
                edge_ttl=self.edge_ttl,
                edge_proven=heard and self.edge_proven,
            )

    def _repeated(self, check: Check) -> Iterator[Observation]:
        for target in check.params.targets:
            refused = target.transport == "tcp" and self.closed(self._named(target))
            end = Failure.CONNECTION_REFUSED if refused else Failure.TIMED_OUT
            for turn in range(check.params.tries):
                failure = None if turn < self.flaky(self._named(target)) else end
                step = Step.CONNECT if target.transport == "tcp" else Step.ECHO
                yield seen(step, target, failure, purpose="repeat", turn=turn)

    # --- a whole run ---

    def situation(self, outcomes: Sequence[Outcome], left_s: float = 10.0) -> Situation:
        """What follow-ups are asked with, when these checks have been made."""
        return Situation(
            plan=self.plan,
            registry=self.registry,
            outcomes=tuple(outcomes),
            environment=self.environment,
            left_s=left_s,
            judged=lambda evidence: conclude_from(self, tuple(outcomes)).case,
        )

    def outcomes(self) -> tuple[Outcome, ...]:
        """All checks of the plan, and two rounds of what is asked about those that failed."""
        made = [self.measure(check) for check in self.plan.checks]
        for _ in range(2):
            made += [self.measure(check) for check in follow_ups(self.situation(made, left_s=30.0))]
        return tuple(made)


def _certified(failure: Failure) -> bool:
    return failure.value.startswith("certificate")


@dataclass(frozen=True)
class Result:
    """Everything that follows from the outcomes of a run."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    case: Case
    findings: tuple[Finding, ...]
    readiness: Readiness

    @property
    def causes(self) -> list[str]:
        return [finding.cause for finding in self.findings]

    @property
    def only(self) -> Finding:
        assert len(self.findings) == 1, [f"{f.cause}: {f.summary}" for f in self.findings]
        return self.findings[0]

    def verdict(self, name: str) -> Verdict:
        return next(v for v in self.verdicts if v.requirement.id == name)

    def statuses(self) -> dict[str, Judgement]:
        return {v.requirement.id: v.status for v in self.verdicts}


def conclude(world: World, state: RunState = RunState.COMPLETE) -> Result:
    return conclude_from(world, world.outcomes(), state)


def conclude_from(world: World, outcomes: tuple[Outcome, ...], state: RunState = RunState.COMPLETE) -> Result:
    """Judge and diagnose outcomes as the run of this world."""
    evidence = gather(outcomes)
    pins = {pin.spki_sha256 for pin in world.profile.pins}
    basis = bench(
        world.plan.selected,
        evidence,
        pins,
        hops=can_hear_routers(world.environment),
        ipv4=not is_ipv6_only(world.environment),
    )
    verdicts = judge_all(world.plan, outcomes, basis)
    case = Case(world.profile, world.environment, verdicts, outcomes, evidence, world.plan.roles)
    findings = diagnose(case)
    told = doubted(verdicts, findings)
    return Result(world.plan, outcomes, evidence, told, case, findings, overall(told, state))
