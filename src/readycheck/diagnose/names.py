"""Rules for names, and for time servers that are out of reach."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from readycheck.denials import UNWILLING
from readycheck.diagnose.case import Case, Place, place_of
from readycheck.diagnose.elsewhere import are_names_lost
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.diagnose.flows import LATE_SHARE, has_answered
from readycheck.diagnose.hosts import place_of_flows, stopped_ways
from readycheck.engine import Outcome
from readycheck.evidence import WALL, Sign
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address, is_site_address
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import Judgement
from readycheck.wakened import waking


def dns_unreachable(case: Case) -> Iterator[Finding]:
    """No name server answers over UDP, now or later; a proxy or a remembered address may still lead out."""
    if case.evidence.wakened:
        return
    asked = [o for o in _asked_resolvers(case) if o.check.target.transport == "udp"]
    none_known = not case.environment.resolvers
    silent = bool(asked) or are_names_lost(case.outcomes)
    if not none_known and (not silent or any(has_answered(o) for o in asked) or _answered_lookups(case)):
        return
    unresolved = _unresolved_checks(case)
    servers = ", ".join(case.environment.resolvers)
    remote = any(not is_site_address(_bare(server)) for server in case.environment.resolvers)
    place = place_of(case, "udp", [53])
    walled = place.where is not Where.UNKNOWN and remote
    host = Where.HOST if none_known else place.where if walled else Where.UNKNOWN
    also_tcp = [o.check.id for o in _asked_resolvers(case) if not has_answered(o)]
    found = case.finding(
        "dns-unreachable",
        [*also_tcp, *unresolved] or [c.check for r, c in case.failing if r.targets.resolvers],
        "This host has no name server: none is configured."
        if none_known
        else f"No name server answers ({servers}){': ' + place.words if walled and place.words else ''}.",
        where=host,
        owner=Owner.NETWORK if walled else Owner.DNS,
        confidence=Confidence.CERTAIN if case.answered_anywhere() else Confidence.LIKELY,
        remedy="Give this host name servers (DHCP option 6, or its own settings)."
        if none_known
        else f"Allow UDP and TCP 53 to {servers}, or give the hosts name servers that answer.",
    )
    if none_known:  # those requirements have failed without a check
        failed = [v.requirement.id for v in case.verdicts if v.requirement.targets.resolvers and not v.checks]
        affects = tuple(dict.fromkeys((*found.affects, *failed)))
        found = replace(found, affects=affects, severity=case.severity(affects))
    yield found


def silent_at_first(case: Case) -> Iterator[Finding]:
    """All name servers were silent when the run began, and answered the questions that were put to them later."""
    if found := waking(case.outcomes):
        yield case.finding(
            "intermittent",
            [*(o.check.id for o in _asked_resolvers(case) if not has_answered(o)), *_unresolved_checks(case)],
            f"No name server answered in the first {found.silent_ms / 1000:.1f} s of this run; since then "
            f"{found.answered} of {found.asked} questions were answered ({', '.join(sorted(found.servers))}). What "
            "was asked for before was not measured.",
            confidence=Confidence.LIKELY,
            remedy="Run again. If the first seconds are lost each time, look for what lets a host wait when it begins "
            "to send: a switch port that listens for loops first (spanning tree), port authentication, a line that "
            "is dialled on demand.",
        )


def _unresolved_checks(case: Case) -> list[str]:
    return [
        o.check.id for o in case.outcomes if o.check.requirement and any(map(_is_unresolved, o.observations))
    ]


def _bare(server: str) -> str:
    """The address of a name server, without its port."""
    return server if is_address(server) else server.rpartition(":")[0].strip("[]")


def _is_unresolved(observation: Observation) -> bool:
    """The target's name, or that of the proxy on the way to it."""
    asked = observation.step is Step.RESOLVE or observation.facts.get("stage") == "resolve"
    return asked and observation.failure is not None


def _answered_lookups(case: Case) -> set[str]:
    """Name servers that have answered the look-ups of other checks."""
    return {
        str(o.facts["server"])
        for _, o in case.observations()
        if o.step is Step.RESOLVE and o.failure is None and is_address(str(o.facts.get("server", "")))
    }


def _asked_resolvers(case: Case) -> list[Outcome]:
    """Name servers that were asked in earnest: a question that was cut short shows nothing."""
    return [o for o in case.outcomes if o.check.scope is Scope.RESOLVERS and o.observations]


def lookups_in_vain(case: Case) -> Iterator[Finding]:
    """Name servers answer, and have looked nothing up for anybody: each answer is a refusal, or that it failed.

    A forwarder whose line is down has nobody to ask, and may say that it refuses: where nothing else answers either,
    it is no more than a guess who keeps it from looking names up.
    """
    asked = [o for o in _asked_resolvers(case) if has_answered(o)]
    servers = list(dict.fromkeys(str(o.check.target.address) for o in asked))
    told = {server: list(_replies(case, server)) for server in servers}
    vain = [
        s
        for s in servers
        if all(o.failure in UNWILLING for _, o in told[s]) and any(scope in _FOREIGN for scope, _ in told[s])
    ]
    if not vain:
        return
    refused = all(o.failure is Failure.DNS_REFUSED for server in vain for _, o in told[server])
    deed, remedy = _IN_VAIN[refused]
    online = case.answered_anywhere(names=False)
    unresolved = _unresolved_checks(case)
    found = case.finding(
        "dns-unreachable",
        [*(o.check.id for o in asked if o.check.target.address in vain), *unresolved],
        f"{', '.join(vain)} {deed}, of hosts outside the product as well.",
        owner=Owner.DNS,
        confidence=Confidence.CERTAIN if online else Confidence.POSSIBLE,
        remedy=remedy,
    )
    yield found if vain == servers else replace(found, severity=Severity.NOTE)


_IN_VAIN = {
    True: (
        "answers, and refuses to look up any name (REFUSED)",
        "Let the name server serve this host's network (its access list), see that it has servers to forward to, or "
        "give hosts one that looks names up.",
    ),
    False: (
        "answers, and fails to look up any name (SERVFAIL)",
        "Look at the name server's own way out: the servers that it forwards to, UDP and TCP 53 from it to the "
        "internet, and its clock, without which DNSSEC fails.",
    ),
}
_FOREIGN = (Scope.CONTROL, Scope.HONESTY)


def _replies(case: Case, server: str) -> Iterator[tuple[Scope, Observation]]:
    """What a name server said of any name, whoever asked."""
    for outcome, o in case.observations():
        spoke = "rcode" in o.facts or (o.step is Step.RESOLVE and o.failure is None)
        if spoke and server in (o.facts.get("server"), o.target.address):
            yield outcome.check.scope, o


def dns_tcp_blocked(case: Case) -> Iterator[Finding]:
    """UDP 53 works and TCP 53 does not: large answers will fail."""
    asked = _asked_resolvers(case)
    udp = [o for o in asked if o.check.target.transport == "udp" and has_answered(o)]
    tcp = [o for o in asked if o.check.target.transport == "tcp"]
    if udp and tcp and not any(has_answered(o) for o in tcp) and _had_time(case, tcp, udp):
        place = _place_of_servers(case, tcp)
        yield case.finding(
            "dns-tcp-blocked",
            [o.check.id for o in tcp] + _lost_for_their_size(case),
            "The name servers answer over UDP but not over TCP: answers too large for a datagram are lost"
            f"{'; ' + place.words if place.words else ''}.",
            where=place.where,
            owner=Owner.DNS if place.where is Where.UNKNOWN else None,
            confidence=Confidence.POSSIBLE if _are_lost_alike(udp, tcp) else Confidence.CERTAIN,
            remedy="Allow TCP 53 to the name servers as well.",
        )


def _are_lost_alike(udp: Sequence[Outcome], tcp: Sequence[Outcome]) -> bool:
    """Over UDP most had to be asked again as well: who drops questions when there are many drops them over TCP, too."""
    answers = [o for outcome in udp for o in outcome.observations if o.failure is None]
    again = sum(int(o.facts.get("attempts") or 1) > 1 for o in answers)
    silent = all(o.failure is Failure.TIMED_OUT for outcome in tcp for o in outcome.observations)
    return silent and 2 * again > len(answers)


def _place_of_servers(case: Case, lost: Sequence[Outcome]) -> Place:
    """Where packets to name servers end while those over the other transport go on."""
    stopped = stopped_ways(
        case, (("tcp", str(t.address), int(t.ports)) for t in (o.check.target for o in lost))
    )
    return place_of_flows(case, stopped) if len(stopped) == len(lost) else Place(Where.UNKNOWN, "")


def _had_time(case: Case, tcp: Sequence[Outcome], udp: Sequence[Outcome]) -> bool:
    """A connection and an answer take two round trips: on a long line a third may be more than was waited for.

    Where nearly all connections open late, this one would as well.
    """
    trip_ms = max(float(o.metrics.get("slowest_ms") or 0.0) for o in udp)
    least_ms = 3 * trip_ms + LATE_SHARE * (case.evidence.late_ms or 0.0)
    asked = (seen for outcome in tcp for seen in outcome.observations)
    return any(s.failure is not Failure.TIMED_OUT or s.elapsed_ms >= least_ms for s in asked)


def _lost_for_their_size(case: Case) -> list[str]:
    """Checks whose answer was cut over UDP, and did not come over TCP (RFC 7766 section 5)."""
    failing = {check.check for _, check in case.failing}
    cut = (outcome for outcome, o in case.observations() if o.failure and o.facts.get("truncated"))
    return sorted({outcome.check.id for outcome in cut} & failing)


def ntp_blocked(case: Case) -> Iterator[Finding]:
    """NTP to the product's networks does not pass."""
    failed = [
        c.check
        for r, c in case.failing
        if r.probe == "ntp" and c.status is Judgement.FAIL and c.failure in (Failure.TIMED_OUT, *_REFUSED)
    ]
    if not failed:
        return
    ports = {p.low for r, _ in case.failing if r.probe == "ntp" for p in r.ports}
    walls = [c for c in case.evidence.cells if c.transport == "udp" and c.port in ports and c.sign in WALL]
    place = place_of(case, "udp", ports, walls)
    others = any(
        c.transport == "udp" and c.port not in ports and c.sign is Sign.ANSWERED for c in case.sampled
    )
    servers = _time_servers(case, failed)
    yield case.finding(
        "ntp-blocked",
        failed,
        f"Time requests (UDP {_ports(ports)}) do not pass{': ' + place.words if place.words else ''}.",
        where=place.where,
        confidence=Confidence.CERTAIN if walls and others else Confidence.LIKELY,
        remedy=f"Allow UDP {_ports(ports)} outbound to {servers}, or give devices a server of the site.",
    )


def _time_servers(case: Case, checks: Sequence[str]) -> str:
    """Those that have names are their owner's, and not the product's."""
    hosts = dict.fromkeys(host for check in checks if (host := case.by_check[check].check.target.host))
    return ", ".join(list(hosts)[:12]) or "the product's networks"


_REFUSED = (Failure.PORT_UNREACHABLE, Failure.ICMP_ADMIN_PROHIBITED, Failure.CONNECTION_REFUSED)


def _ports(ports: set[int]) -> str:
    return ", ".join(str(p) for p in sorted(ports))
