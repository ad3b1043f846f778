"""What was answered, and from one moment on nothing new is: somebody on the way takes a number of flows and no more."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from readycheck.bands import Judgement
from readycheck.diagnose.case import Case, provider_owns
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.engine import Outcome
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.net.address import is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import Scope

LEAST_ANSWERED, LEAST_RENEWED = 4, 8
LEAST_HEARD = 4
CHANGING = 3
"""At so many addresses a port that answered and did not is more than a lost packet."""

AT_ONCE_MS = 1.0

WAIT_MS = 850.0
"""What was waited for less shows nothing, nor is an answer that came later one to a single packet."""

LEAST_SPAN_MS = 3000.0
"""A queue that is full empties in less."""

_NAMES, _DNS = "dns", 53
_OUTSIDE = (Scope.CONTROL, Scope.HONESTY, Scope.RESOLVERS)
_CONTACT = (Step.CONNECT, Step.ECHO, Step.RESPONSE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A flow that was opened to a port of an address beyond the site; who is asked for names may leave some out.

    `plain`: as single packets are, which go unanswered where only what follows is let through.
    """

    at_ms: float
    place: Target
    answered: bool
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Stop:
    """After `at_ms` no new flow of these `transports` was answered; `renewed` are those to what had been before.

    `changing` are what answered and, then or earlier, did not.
    """

    transports: Sequence[str]
    at_ms: float
    renewed: Sequence[Attempt]
    changing: Collection[Target]

    @property
    def places(self) -> Sequence[Target]:
        """The ports of hosts, without the names that were asked for."""
        return list(dict.fromkeys(replace(attempt.place, host=None) for attempt in self.renewed))

    @property
    def lasted_ms(self) -> float:
        return max(attempt.at_ms for attempt in self.renewed) - self.at_ms


def find_stop(outcomes: Sequence[Outcome]) -> Stop | None:
    """Of all transports if it is so, else of one."""
    attempts = list(_attempts(outcomes))
    stops = (_stop(attempts, kinds) for kinds in (("tcp", "udp"), ("tcp",), ("udp",)))
    return next((stop for stop in stops if stop), None)


def _stop(attempts: Sequence[Attempt], transports: Sequence[str]) -> Stop | None:
    mine = [a for a in attempts if a.place.transport in transports]
    answered = [a for a in mine if a.answered]
    if len(answered) < LEAST_ANSWERED:
        return None
    at_ms, places = max(a.at_ms for a in answered), {a.place for a in answered if a.plain}
    renewed = [a for a in mine if a.at_ms > at_ms and a.place in places]
    return Stop(transports, at_ms, renewed, _changing(mine)) if len(renewed) >= LEAST_RENEWED else None


def find_changing(outcomes: Sequence[Outcome]) -> list[Target]:
    """Ports of known hosts that answered and did not, if there are several; name servers are asked again anyway."""
    known = [outcome for outcome in outcomes if outcome.check.scope is not Scope.SAMPLED]
    places = [place for place in _changing(_attempts(known)) if place.port != _DNS]
    return places if len({place.address for place in places}) >= CHANGING else []


def _changing(attempts: Iterable[Attempt]) -> list[Target]:
    seen: dict[Target, set[bool]] = {}
    for attempt in attempts:
        seen.setdefault(attempt.place, set()).add(attempt.answered)
    return [place for place, answers in seen.items() if len(answers) > 1]


def _attempts(outcomes: Sequence[Outcome]) -> Iterator[Attempt]:
    for outcome in outcomes:
        if outcome.check.scope in (Scope.PATH, Scope.FAR_END) or outcome.check.target.via:
            continue
        for o in outcome.observations:
            if o.step is Step.RESOLVE:
                yield from _looked_up(o)
            elif _is_contact(outcome, o):
                yield Attempt(
                    o.started_ms, _place_of(outcome, o), o.failure is not Failure.TIMED_OUT, _is_plain(o)
                )


def _looked_up(o: Observation) -> Iterator[Attempt]:
    """A name that is known at once was looked up before the checks of the run."""
    server, rtt_ms = o.facts.get("server"), o.facts.get("rtt_ms")
    if o.failure is None and server and rtt_ms and not is_site_address(str(server)):
        at_ms = 0.0 if o.elapsed_ms < max(float(rtt_ms), AT_ONCE_MS) else o.started_ms
        yield Attempt(
            at_ms, Target(host=o.target.host, address=str(server), port=_DNS, transport="udp"), True
        )


def _is_contact(outcome: Outcome, o: Observation) -> bool:
    """What opens a flow: an answer over a connection that stands is none."""
    opens = o.step in _CONTACT and (o.step is not Step.RESPONSE or outcome.check.probe == _NAMES)
    told = o.failure not in LOCAL_FAILURES and o.failure is not Failure.INTERRUPTED
    if o.failure is Failure.TIMED_OUT:
        told = not outcome.cut and _is_plain(o) and o.elapsed_ms >= WAIT_MS
    return opens and told and not o.target.via and not is_site_address(o.target.address or "127.0.0.1")


def _is_plain(o: Observation) -> bool:
    """One packet, or as good as that: what else a follow-up sends may well stay without an answer.

    Where the first packet of each flow is dropped, answers come to the second alone.
    """
    again = o.elapsed_ms >= WAIT_MS or int(o.facts.get("attempt") or 0) > 0
    return o.facts.get("purpose") in (None, "repeat") and not (o.failure is None and again)


def _place_of(outcome: Outcome, o: Observation) -> Target:
    transport = "udp" if o.target.transport == "udp" else "tcp"
    host = o.target.host if outcome.check.probe == _NAMES else None
    return Target(host=host, address=o.target.address, port=o.target.port, transport=transport)


def new_flows_lost(case: Case) -> Iterator[Finding]:
    """Whatever had answered is asked anew for a while, and in vain; nor does anything else answer."""
    stop = find_stop(case.outcomes)
    failed = _failed(case, stop) if stop else []
    if not stop or not failed or stop.lasted_ms < LEAST_SPAN_MS:
        return
    several = len({place.address for place in stop.changing}) > 1
    if not several and len(stop.transports) == 1:
        return  # one host that has enough of our questions
    where, words = _place(case, stop)
    what = "" if len(stop.transports) > 1 else f"{stop.transports[0].upper()} "
    yield case.finding(
        "intermittent",
        [*failed, *_answered_before(case, stop)],
        f"What answered {told_until(stop.at_ms)} answers no new {what}flow since: {len(stop.renewed)} tries at "
        f"{_at(stop.places)}, over {stop.lasted_ms / 1000:.0f} s, and nothing else answers one either{words}.",
        where=where,
        confidence=Confidence.LIKELY if several else Confidence.POSSIBLE,
        remedy="Look for a limit on the flows of one host or subscriber: connection limits and flood protection of "
        "firewalls, the NAT table of the router, the ports that the provider's translation gives to this site. Run "
        "again with --quick, which opens fewer flows; if that fails from the start, look at the uplink.",
    )


def told_until(at_ms: float) -> str:
    seconds = f"{at_ms / 1000:.1f}"
    return "at first" if seconds == "0.0" else f"in the first {seconds} s"


def _at(places: Sequence[Target]) -> str:
    return f"{len(places)} ports of hosts" if len(places) > 1 else str(places[0].address)


def _failed(case: Case, stop: Stop) -> list[str]:
    """The checks that nothing but silence kept from passing."""
    return [
        c.check
        for _, c in case.failing
        if (outcome := case.by_check[c.check]).check.target.transport in stop.transports
        and {o.failure for o in outcome.observations if o.failure} == {Failure.TIMED_OUT}
    ]


def _answered_before(case: Case, stop: Stop) -> Iterator[str]:
    """The checks that passed by an answer of a port that was asked anew, and in vain."""
    places = set(stop.places)
    passed = {c.check for v in case.verdicts for c in v.checks if c.status is Judgement.PASS}
    for outcome in case.outcomes:
        asked = (replace(_place_of(outcome, o), host=None) for o in outcome.observations)
        if outcome.check.id in passed and any(place in places for place in asked):
            yield outcome.check.id


def _place(case: Case, stop: Stop) -> tuple[Where, str]:
    """The provider's, if its first router answers several packets that leave the site, and nobody behind it does.

    A device of the site that lets one more flow pass now and then could have spent that on one of them. And a vendor
    may shut out who opens many flows: behind routers that say nothing that looks the same from the product alone.
    """
    edge, heard = case.evidence.edge_ttl, _heard_since(case, stop)
    last = max(heard, default=0)
    if edge is None or last <= edge:
        return Where.UNKNOWN, ""
    router, several = heard[last][0], len(heard[last]) >= LEAST_HEARD
    providers = last == edge + 1 and several and provider_owns(case.evidence, router, router)
    providers = providers and _is_for_everybody(case, stop)
    return (
        Where.ISP if providers else Where.UNKNOWN,
        f", though packets leave the site as far as {router} (hop {last})",
    )


def _is_for_everybody(case: Case, stop: Stop) -> bool:
    """Somebody who is none of the product's had answered, and was asked since: for names as well."""
    before = {a.place.address for a in _attempts(case.outcomes) if a.answered}
    return any(
        (o.facts.get("server") or o.target.address) in before
        for outcome in case.outcomes
        for o in (outcome.observations if outcome.check.scope in _OUTSIDE else ())
        if _is_lost(o) and o.started_ms > stop.at_ms
        if ("udp" if o.step is Step.RESOLVE else o.target.transport) in stop.transports
    )


def _is_lost(o: Observation) -> bool:
    return o.failure is Failure.TIMED_OUT and o.elapsed_ms >= WAIT_MS and not o.target.via


def _heard_since(case: Case, stop: Stop) -> dict[int, list[str]]:
    """The routers that answered hop-limited packets of the same transports after that moment, one for each packet."""
    found: dict[int, list[str]] = {}
    for _, o in case.observations(Scope.PATH):
        heard = o.failure is None and o.facts.get("offender") and o.started_ms > stop.at_ms
        if heard and o.target.transport in stop.transports:
            found.setdefault(int(o.facts["ttl"]), []).append(str(o.facts["offender"]))
    return found
