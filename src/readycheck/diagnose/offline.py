"""Rules for a host or a site that reaches nothing: they explain all the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from readycheck.diagnose.case import Case
from readycheck.diagnose.elsewhere import ELSEWHERE
from readycheck.diagnose.finding import Confidence, Finding, Severity, Where
from readycheck.engine import Outcome
from readycheck.evidence import REFUSALS, Sign
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.net.address import is_address, is_site_address
from readycheck.net.environment import is_ipv6_only
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import is_lost


def no_network(case: Case) -> Iterator[Finding]:
    """Every step ended in the host's own routing table."""
    ends = {_end(o) for _, o in case.observations() if o.failure}
    if not ends or case.answered_anywhere() or not ends <= _UNROUTED or is_ipv6_only(case.environment):
        return
    if Failure.NETWORK_UNREACHABLE not in ends and case.environment.gateway:
        return
    if any(o.facts.get("offender") for _, o in case.observations()):
        return  # a router said so: the host has a network
    found = case.finding(
        "no-network",
        [c.check for _, c in case.failing],
        "This host has no route to the outside: nothing could be sent.",
        where=Where.HOST,
        confidence=Confidence.CERTAIN,
        remedy="Connect the host (cable, Wi-Fi, VLAN, DHCP lease) and give it a default route.",
    )
    yield replace(found, severity=Severity.BLOCKING)


_UNROUTED = {
    Failure.NETWORK_UNREACHABLE,
    Failure.HOST_UNREACHABLE,
    Failure.DNS_NO_RESOLVER,
    Failure.ADDRESS_NOT_AVAILABLE,
}


def _end(observation: Observation) -> Failure | None:
    """How a step failed; for a proxy out of reach, how the way to it did."""
    if observation.failure is not Failure.PROXY_UNREACHABLE:
        return observation.failure
    because = observation.facts.get("because")
    return next((failure for failure in Failure if failure.value == because), observation.failure)


def host_firewall(case: Case) -> Iterator[Finding]:
    """The operating system refused to send (EPERM), or this host's own address sent the refusal.

    A socket that takes a privilege which this user lacks is no firewall's doing.
    """
    own = {address for link in case.environment.interfaces for address in link.addresses}
    denied = [
        outcome.check.id
        for outcome in case.outcomes
        if outcome.check.requirement
        and outcome.observations
        and all(_is_denied(o, own) for o in _sent(outcome.observations))
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


def _sent(observations: Sequence[Observation]) -> Sequence[Observation]:
    """Without the look-ups of names that went well before: their packets went elsewhere."""
    return [o for o in observations if o.step is not Step.RESOLVE or o.failure] or observations


def _is_denied(observation: Observation, own: set[str]) -> bool:
    if observation.failure is Failure.PERMISSION_DENIED:
        return not observation.facts.get("privilege")
    asked, offender = observation.target.address, observation.facts.get("offender")
    # A look-up is refused by the name server, which may well be on this host.
    return observation.failure in REFUSALS and asked is not None and offender in own and offender != asked


def site_offline(case: Case) -> Iterator[Finding]:
    """Nothing beyond the site answers, whatever was asked; that name servers do not says nothing of all the rest."""
    sent = [o for _, o in _of_services(case) if o.failure not in LOCAL_FAILURES and not o.target.via]
    direct = [o.target.address for o in sent if o.target.address]
    tried = [address for address in direct if not is_site_address(address)]
    refused = any(c.sign in (Sign.REFUSED, Sign.ANSWERED, Sign.LEFT) for c in case.evidence.cells)
    failed = [c.check for _, c in case.failing if not _ends_at_site_proxy(case, c.check)]
    beyond = [r for r in case.evidence.rungs if not is_site_address(r.address)]
    refused |= any(o.failure is Failure.CONNECTION_REFUSED for o in _of_elsewhere(case))
    refused |= any(o.failure is Failure.HOP_LIMIT_EXCEEDED for o in sent)  # a loop of routes is told as such
    if len(tried) < 3 or refused or case.answered_anywhere(names=False) or beyond or not failed:
        return
    inside = max((r for r in case.evidence.rungs), key=lambda r: r.ttl, default=None)
    seen = f"; packets come as far as {inside.address} (hop {inside.ttl})" if inside else ""
    silent = "the name server alone does" if case.answered_anywhere() else "no name server"
    # Where routers tell nothing, a dead name server on a site that lets out nothing but what it knows looks alike.
    alone = inside is None and set(tried) <= {o.target.address for o in _of_elsewhere(case)}
    guess = case.answered_anywhere() or alone
    found = case.finding(
        "site-offline",
        failed,
        f"Nothing beyond this site answers: {silent}, no service, no control host{seen}.",
        where=Where.SITE if inside or case.environment.gateway else Where.UNKNOWN,
        confidence=Confidence.POSSIBLE if guess else Confidence.LIKELY,
        remedy="Check the site's uplink and the default rule of its firewall; then run again.",
    )
    # Names that cannot be looked up leave everything open, and no requirement fails.
    yield found if guess else replace(found, severity=Severity.BLOCKING)


def _of_services(case: Case) -> Iterator[tuple[Outcome, Observation]]:
    names = (Scope.RESOLVERS, Scope.HONESTY, Scope.PATH)
    return ((outcome, o) for outcome, o in case.observations() if outcome.check.scope not in names)


def _of_elsewhere(case: Case) -> Sequence[Observation]:
    outcome = case.by_check.get(ELSEWHERE)
    return outcome.observations if outcome else ()


def _ends_at_site_proxy(case: Case, check: str) -> bool:
    """Whether it is the proxy of this site that stands in the way: it refuses, or is out of reach itself."""
    steps = [o for o in case.by_check[check].observations if o.step is Step.PROXY_CONNECT]
    return any(_is_refusal(o) for o in steps)


def _is_refusal(observation: Observation) -> bool:
    if observation.failure is Failure.PROXY_UNREACHABLE:
        address = str(observation.facts.get("proxy_address", ""))
        return is_address(address) and is_site_address(address)
    return observation.failure is not None and not is_lost(observation)
