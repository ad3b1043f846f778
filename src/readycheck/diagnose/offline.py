"""Rules for a host or a site that reaches nothing: they explain all the rest."""

from collections.abc import Iterator

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.evidence import Sign
from readycheck.failure import Failure
from readycheck.net.address import is_site_address


def no_network(case: Case) -> Iterator[Finding]:
    """Every step ended in the host's own routing table."""
    ends = {o.failure for _, o in case.observations() if o.failure}
    if not ends or case.answered_anywhere() or not ends <= _UNROUTED:
        return
    if Failure.NETWORK_UNREACHABLE not in ends and case.environment.gateway:
        return
    if any(o.facts.get("offender") for _, o in case.observations()):
        return  # a router said so: the host has a network
    yield case.finding(
        "no-network",
        [c.check for _, c in case.failing],
        "This host has no route to the outside: nothing could be sent.",
        where=Where.HOST,
        confidence=Confidence.CERTAIN,
        remedy="Connect the host (cable, Wi-Fi, VLAN, DHCP lease) and give it a default route.",
    )


_UNROUTED = {
    Failure.NETWORK_UNREACHABLE,
    Failure.HOST_UNREACHABLE,
    Failure.DNS_NO_RESOLVER,
    Failure.ADDRESS_NOT_AVAILABLE,
}


def host_firewall(case: Case) -> Iterator[Finding]:
    """The operating system refused to send (EPERM): nothing of it ever reached the network."""
    denied = [
        outcome.check.id
        for outcome in case.outcomes
        if outcome.check.requirement
        and outcome.observations
        and all(o.failure is Failure.PERMISSION_DENIED for o in outcome.observations)
    ]
    if denied:
        yield case.finding(
            "host-firewall",
            denied,
            f"This host's own firewall or policy forbids {len(denied)} of the tests before a packet leaves.",
            where=Where.HOST,
            confidence=Confidence.CERTAIN,
            remedy="Allow the listed ports outbound in the host's firewall or security software.",
        )


def site_offline(case: Case) -> Iterator[Finding]:
    """Nothing beyond the site answers, whatever was asked."""
    tried = [o for _, o in case.observations() if o.target.address and not is_site_address(o.target.address)]
    refused = any(c.sign in (Sign.REFUSED, Sign.ANSWERED, Sign.LEFT) for c in case.evidence.cells)
    failed = [c.check for _, c in case.failing]
    beyond = [r for r in case.evidence.rungs if not is_site_address(r.address)]
    if len(tried) < 3 or refused or case.answered_anywhere() or beyond or not failed:
        return
    inside = max((r for r in case.evidence.rungs), key=lambda r: r.ttl, default=None)
    seen = f"; packets come as far as {inside.address} (hop {inside.ttl})" if inside else ""
    yield case.finding(
        "site-offline",
        failed,
        f"Nothing beyond this site answers: no name server, no service, no control host{seen}.",
        where=Where.SITE if inside or case.environment.gateway else Where.UNKNOWN,
        confidence=Confidence.LIKELY,
        remedy="Check the site's uplink and the default rule of its firewall; then run again.",
    )
