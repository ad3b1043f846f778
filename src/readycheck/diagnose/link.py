"""Rules for the link, the NAT and the pace of connections: what the run shows by the way."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from statistics import median

from readycheck.diagnose.case import Case, is_media
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.address import family_of, is_carrier_address, is_site_address
from readycheck.net.environment import Interface, Kind
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope

WEAK_DBM = -67.0
"""The edge of a cell that is planned for voice (Cisco, Voice over Wireless LAN Design Guide)."""

SLOW_MS = 900.0
"""A lost SYN is sent again after a second (RFC 6298 section 2); the kernel's clock may be a tick early."""

SLOW_RTTS = 10
UNFINISHED_MS = 1000.0
"""A greeting takes two or three round trips, and is waited for three seconds."""

SLOW_SHARE, SLOW_AGAIN = 0.3, 0.75
LEAST_ADDRESSES, AGAIN = 2, 4


def vpn_in_path(case: Case) -> Iterator[Finding]:
    """The connections of this run left from a tunnel's address, or the default route leads into one."""
    tunnels = [link for link in case.environment.interfaces if link.kind is Kind.VPN]
    carried = [link for link in tunnels if set(link.addresses) & _locals(case)]
    routed = [link for link in tunnels if link.name == case.environment.default_interface]
    for link in (carried or routed)[:1]:
        yield _note(
            case,
            "vpn-in-path",
            f"The traffic goes through a tunnel ({link.name}): delay, packet size and place are the tunnel's.",
            Where.HOST,
            Confidence.CERTAIN if carried else Confidence.LIKELY,
            "Exclude the product's networks from the tunnel (split tunnelling), media first.",
        )


def _locals(case: Case) -> set[str]:
    """This host's addresses from which connections beyond the site stood."""
    return {
        str(o.facts["local"][0])
        for _, o in case.observations()
        if o.step is Step.CONNECT and o.failure is None and o.facts.get("local") and not o.target.via
    }


def wifi_weak(case: Case) -> Iterator[Finding]:
    """The radio link of the default route is weaker than voice needs."""
    link = _used(case)
    if link and link.kind is Kind.WIFI and link.signal_dbm is not None and link.signal_dbm < WEAK_DBM:
        yield _note(
            case,
            "wifi-weak",
            f"The Wi-Fi signal of {link.name} is {link.signal_dbm:g} dBm; voice needs {WEAK_DBM:g} dBm or more.",
            Where.HOST,
            Confidence.CERTAIN,
            "Move closer to an access point, or run again over a cable before the line is blamed.",
        )


def _used(case: Case) -> Interface | None:
    name = case.environment.default_interface
    return next((link for link in case.environment.interfaces if link.name == name), None)


def egress_unstable(case: Case) -> Iterator[Finding]:
    """Servers beyond the site saw several public addresses of one family."""
    seen: dict[int, dict[str, str]] = {}
    for _, o in case.observations():
        mapped = _mapped(o)
        if mapped and not (is_site_address(mapped[0]) or is_carrier_address(mapped[0])):
            seen.setdefault(family_of(mapped[0]), {})[mapped[0]] = str(o.target)
    for addresses in seen.values():
        if len(addresses) > 1:
            told = " and ".join(f"{a} (to {server})" for a, server in sorted(addresses.items())[:3])
            yield _note(
                case,
                "egress-unstable",
                f"The public address of this host changed within the run: it was {told}.",
                Where.UNKNOWN,
                Confidence.LIKELY,
                "Bind each host to one uplink or one address of the pool; with two uplinks, balance by host.",
            )


def _mapped(observation: Observation) -> tuple[str, str] | None:
    """Address and port as the server saw them, in an answer to an ordinary question."""
    text = observation.facts.get("mapped_address")
    if observation.step is not Step.ECHO or observation.failure or not isinstance(text, str):
        return None
    address, _, port = text.rpartition(":")
    return address.strip("[]"), port


def connect_again(situation: Situation) -> Iterator[Check]:
    """Connections that took seconds, once more when this host has nothing else to do: it may have been the host."""
    stood = [o for outcome in situation.outcomes for o in _connections(outcome)]
    slow = {o.target.address: o.target for o in stood if is_slow(o)}
    if len(slow) < LEAST_ADDRESSES or sum(map(is_slow, stood)) < SLOW_SHARE * len(stood):
        return
    targets = [Target(address=t.address, port=t.port, transport="tcp") for t in list(slow.values())[:AGAIN]]
    check = situation.check("tcp/slow", "tcp", targets * 2)
    if check:
        yield check


def slow_connect(case: Case) -> Iterator[Finding]:
    """Connections take a second or more, again and again, although the way takes a fraction of that."""
    again = [o for _, o in case.observations(Scope.FOLLOW_UP) if o.step is Step.CONNECT and _has_stood(o)]
    again = [o for o in again if "purpose" not in o.facts]
    slow = [o for o in again if is_slow(o)]
    addresses = {o.target.address for o in slow}
    if len(addresses) < LEAST_ADDRESSES or len(slow) < SLOW_AGAIN * len(again):
        return
    checks = [
        outcome.check.id
        for outcome in case.outcomes
        if outcome.check.requirement and any(is_slow(o) for o in _connections(outcome))
    ]
    if checks:
        yield case.finding(
            "slow-connect",
            checks,
            f"{len(slow)} of {len(again)} TCP connections took {median(o.elapsed_ms for o in slow) / 1000:.1f} s to "
            f"open, on a way of {median(float(o.facts['rtt_ms']) for o in slow):.0f} ms.",
            confidence=Confidence.LIKELY,
            remedy="Look for a firewall or proxy that holds or drops the first packet of a connection while it "
            "classifies it, and for loss of first packets.",
        )


def long_way(case: Case) -> Iterator[Finding]:
    """Media services answer later than the profile allows, and as late do all connections beyond the site.

    The kernel measures these, so that a busy host delays the one and not the other. Where one is quick the line is
    not long: the others wait in a queue, which this run itself may have filled.
    """
    way = way_ms(case.outcomes)
    least = min(_trips_ms(case.outcomes), default=0.0)
    for verdict in case.verdicts:
        limit = verdict.requirement.limits.get("rtt_ms")
        if way is None or limit is None or limit.warn is None or not is_media(verdict.requirement):
            continue
        trips = [float(case.by_check[c.check].metrics.get("rtt_ms") or 0.0) for c in verdict.checks]
        late = [c.check for c, trip in zip(verdict.checks, trips, strict=True) if trip >= limit.warn]
        unfinished = _unfinished(case) if way >= UNFINISHED_MS else []
        usual = median([trip for trip in trips if trip] or [0.0])
        if min(usual, least) >= limit.warn:
            yield case.finding(
                "delay",
                [*late, *unfinished],
                f"The media services answer after {usual:.0f} ms (limit {limit.warn:.0f} ms), and connections beyond "
                f"the site have a round trip of {way:.0f} ms: the line is long to everywhere"
                f"{', too long for greetings to end in the time that they are given' if unfinished else ''}.",
                remedy="Leave to the internet near the users instead of through a distant centre or a tunnel; on a "
                "satellite line, agree with the users what conversations it allows.",
            )


def _unfinished(case: Case) -> list[str]:
    """Checks whose connection stood and whose greeting then took too long."""
    stood = {o.check.id for o in case.outcomes if any(_connections(o))}
    return [c.check for _, c in case.failing if c.failure is Failure.TIMED_OUT and c.check in stood]


def way_ms(outcomes: Iterable[Outcome]) -> float | None:
    """The usual round trip of connections to hosts beyond the site, as the kernel measures it."""
    trips = _trips_ms(outcomes)
    return median(trips) if trips else None


def _trips_ms(outcomes: Iterable[Outcome]) -> list[float]:
    return [float(o.facts["rtt_ms"]) for outcome in outcomes for o in _connections(outcome)]


def _connections(outcome: Outcome) -> Iterator[Observation]:
    """Those of a run that stood, to hosts beyond the site."""
    if outcome.check.scope in (Scope.NAMED, Scope.CONTROL, Scope.SAMPLED):
        yield from (o for o in outcome.observations if o.step is Step.CONNECT and _has_stood(o))


def _has_stood(observation: Observation) -> bool:
    target = observation.target
    direct = not target.via and target.address is not None and not is_site_address(target.address)
    return direct and observation.failure is None and bool(observation.facts.get("rtt_ms"))


def is_slow(observation: Observation) -> bool:
    """A second for a connection whose round trip is a fraction of it, unless it is this host that looked late."""
    if observation.facts.get("resent") == 0:
        return False
    rtt_ms = float(observation.facts.get("rtt_ms") or observation.elapsed_ms)
    return observation.elapsed_ms >= max(SLOW_MS, SLOW_RTTS * rtt_ms)


def _note(case: Case, cause: str, summary: str, where: Where, confidence: Confidence, remedy: str) -> Finding:
    """What is no fault of any check: it stands beside the others."""
    found = case.finding(cause, [], summary, where=where, confidence=confidence, remedy=remedy)
    return replace(found, severity=Severity.NOTE, owner=Owner.NETWORK)
