"""Packets that routers send round in circles until their hops are used up."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose.case import Case, provider_owns
from readycheck.diagnose.finding import Confidence, Finding, Where, shown
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation

_CONTACT = (Step.CONNECT, Step.ECHO, Step.RESPONSE)


def packets_go_round(case: Case) -> Iterator[Finding]:
    """A router says that the hops of packets are used up that had as many as any: RFC 1812 section 5.3.1."""
    met = [(outcome, o) for outcome, o in case.observations() if _is_lost_on_the_way(o)]
    failed = case.failing_among({outcome.check.id for outcome, _ in met})
    if not failed:
        return
    seen = [o for _, o in met]
    networks = sorted({o.target.network for o in seen if o.target.network})
    names = sorted({str(o.target.host or o.target.address) for o in seen if not o.target.network})
    routers = sorted({str(o.facts["offender"]) for o in seen})
    what = shown([*networks, *names])
    yield case.finding(
        "subnet-blocked" if networks else "address-blocked",
        failed,
        f"Packets to {what} go round in a circle on the way: {shown(routers)} says that their hops are used up "
        f"({_tries(met)}), while other hosts are reached.",
        where=_place(case, seen),
        confidence=Confidence.CERTAIN if len({o.target.address for o in seen}) > 1 else Confidence.LIKELY,
        remedy=f"Look at the routes to {what} at {shown(routers)} and the router before it: each takes the other for "
        "the way.",
    )


def _is_lost_on_the_way(o: Observation) -> bool:
    """A packet with a small limit of its own was meant to end there."""
    direct = o.step in _CONTACT and not o.target.via and "ttl" not in o.facts
    return direct and o.failure is Failure.HOP_LIMIT_EXCEEDED and bool(o.facts.get("offender"))


def _tries(met: Sequence[tuple[Outcome, Observation]]) -> str:
    return f"{len(met)} {'try' if len(met) == 1 else 'tries'}"


def _place(case: Case, seen: Sequence[Observation]) -> Where:
    """By the router that says so: on this side of the site's edge, or the provider's."""
    evidence = case.evidence
    by = {(str(o.facts["offender"]), o.target.address) for o in seen}
    if evidence.edge_ttl is None:
        return Where.UNKNOWN
    inside = {r.address for r in evidence.rungs if r.ttl <= evidence.edge_ttl}
    if all(router in inside for router, _ in by):
        return Where.SITE
    providers = all(
        router not in inside and provider_owns(evidence, router, router, toward) for router, toward in by
    )
    return Where.ISP if providers else Where.UNKNOWN
