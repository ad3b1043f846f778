"""Packets that routers send round in circles until their hops are used up."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose.case import Case, provider_owns
from readycheck.diagnose.finding import Confidence, Finding, Where, shown
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import NAME_SERVERS

_CONTACT = (Step.CONNECT, Step.ECHO, Step.RESPONSE, Step.RESOLVE)


def packets_go_round(case: Case) -> Iterator[Finding]:
    """A router says that the hops of packets are used up that had as many as any: RFC 1812 section 5.3.1."""
    met = [(outcome, o) for outcome, o in case.observations() if _is_lost_on_the_way(o)]
    if met and not case.answered_anywhere():
        yield from _of_everything(case, [o for _, o in met])
        return
    # Name servers out of reach have a cause of their own.
    met = [(outcome, o) for outcome, o in met if outcome.check.scope not in NAME_SERVERS]
    yield from _of_some(case, [each for each in met if each[1].step is not Step.RESOLVE])


def _of_everything(case: Case, seen: Sequence[Observation]) -> Iterator[Finding]:
    routers = shown(_routers(seen))
    yield case.finding(
        "site-offline",
        [c.check for _, c in case.failing],
        f"Nothing beyond this site answers: packets go round in a circle, and {routers} says that their hops are used "
        f"up ({_tries(seen)}).",
        where=_place(case, seen),
        confidence=Confidence.CERTAIN if len(seen) > 1 else Confidence.LIKELY,
        remedy=f"Look at the default route at {routers} and the router before it: each takes the other for the way "
        "out. If they are the provider's, open a case there.",
    )


def _of_some(case: Case, met: Sequence[tuple[Outcome, Observation]]) -> Iterator[Finding]:
    seen = [o for _, o in met]
    failed = case.failing_among({outcome.check.id for outcome, _ in met})
    if not failed:
        return
    networks = sorted({o.target.network for o in seen if o.target.network})
    names = sorted({str(o.target.host or o.target.address) for o in seen if not o.target.network})
    what, routers = shown([*networks, *names]), shown(_routers(seen))
    yield case.finding(
        "subnet-blocked" if networks else "address-blocked",
        failed,
        f"Packets to {what} go round in a circle on the way: {routers} says that their hops are used up "
        f"({_tries(seen)}), while other hosts are reached.",
        where=_place(case, seen),
        confidence=Confidence.CERTAIN if len({o.target.address for o in seen}) > 1 else Confidence.LIKELY,
        remedy=f"Look at the routes to {what} at {routers} and the router before it: each takes the other for "
        "the way.",
    )


def _routers(seen: Sequence[Observation]) -> list[str]:
    return sorted({str(o.facts["offender"]) for o in seen})


def _is_lost_on_the_way(o: Observation) -> bool:
    """A packet with a small limit of its own was meant to end there."""
    direct = o.step in _CONTACT and not o.target.via and "ttl" not in o.facts
    return direct and o.failure is Failure.HOP_LIMIT_EXCEEDED and bool(o.facts.get("offender"))


def _tries(seen: Sequence[Observation]) -> str:
    return f"{len(seen)} {'try' if len(seen) == 1 else 'tries'}"


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
