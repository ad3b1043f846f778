"""Rules that compare the ways: only the proxy leads out, or the proxy breaks what works beside it."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose import beside
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, shown
from readycheck.diagnose.proxies import proxy_name
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope

_SHUT = (
    Failure.TIMED_OUT,
    Failure.CONNECTION_REFUSED,
    Failure.CONNECTION_RESET,
    Failure.CONNECTION_CLOSED,
    Failure.NETWORK_UNREACHABLE,
    Failure.HOST_UNREACHABLE,
    Failure.ICMP_ADMIN_PROHIBITED,
)


def proxy_required(case: Case) -> Iterator[Finding]:
    """What fails straight out answers through the proxy that was found.

    Where a port answers nobody straight out, what could not use the proxy fails there for the same reason; UDP, which
    no such proxy carries, has reasons of its own.
    """
    failing = [(r, case.by_check[v.check]) for r, v in case.failing]
    shut = [
        (r, o)
        for r, o in failing
        if not o.check.target.via and o.check.target.transport != "udp" and _is_closed(o)
    ]
    through = [(o, beside.asked(case, beside.THROUGH, o.check)) for r, o in shut if r.proxied]
    proven = [(o, other) for o, other in through if other is not None and beside.has_answered(other)]
    if not proven:
        return
    ports = {o.check.target.ports for o, _ in proven}
    dark = ports - {o.check.target.ports for o in case.outcomes if _has_answered_straight(o)}
    checks = [o.check.id for r, o in shut if o.check.target.ports in (ports if r.proxied else dark)]
    seen = [o for _, other in proven for o in other.observations if o.step is Step.PROXY_CONNECT]
    places = [str(o.target) for o in seen]
    yield case.finding(
        "proxy-required",
        checks,
        f"Straight out, {shown(places)} cannot be reached; through the proxy {proxy_name(case, seen)}, which this "
        f"run did not use, {'it answers' if len(set(places)) == 1 else 'they answer'}.",
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.CERTAIN,
        remedy="Configure this proxy in the clients that can use one, and allow the rest straight out: SIP and "
        "media never go through an HTTP proxy.",
    )


def _has_answered_straight(outcome: Outcome) -> bool:
    """A service that a check of the run asked: what follows up on the way proves none."""
    check = outcome.check
    asked = check.scope in (Scope.NAMED, Scope.SAMPLED, Scope.CONTROL) and check.target.transport != "udp"
    return asked and not check.target.via and beside.has_answered(outcome)


def _is_closed(outcome: Outcome) -> bool:
    """Nothing of the service was reached: no address, no connection, or one that ended before a word was said."""
    ends = [o for o in outcome.observations if o.failure]
    return bool(ends) and all(o.step is Step.RESOLVE or o.failure in _SHUT for o in ends)


# --- WebSocket ----------------------------------------------------------------------------------------


def proxy_breaks_websocket(case: Case) -> Iterator[Finding]:
    """The upgrade, or the connection after it, fails through the proxy and not beside it."""
    broken = [(o, end) for o in _websockets(case) if (end := _break(o)) is not None]
    strong = [o for o, _ in broken if _works_past(case, o)]
    weak = [o for o, _ in broken if o not in strong and _is_plain_fine(case, o)]
    if not strong and not weak:
        return
    kept = [(o, end) for o, end in broken if o in strong or o in weak]
    sure = Confidence.LIKELY if len({o.check.target.host for o in weak}) > 1 else Confidence.POSSIBLE
    yield case.finding(
        "proxy-breaks-websocket",
        [o.check.id for o, _ in kept],
        _words(case, [end for _, end in kept], bool(strong)),
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.CERTAIN if strong else sure,
        remedy="Let the product's names tunnel (CONNECT without inspection), and raise the proxy's idle time for "
        "tunnels.",
    )


def _websockets(case: Case) -> Iterator[Outcome]:
    for _, verdict in case.failing:
        outcome = case.by_check[verdict.check]
        if outcome.check.probe == "websocket" and outcome.check.target.via:
            yield outcome


def _break(outcome: Outcome) -> Observation | None:
    """The step in which WebSocket itself failed, the proxy and TLS having let it come so far."""
    last = outcome.observations[-1] if outcome.observations else None
    broken = last is not None and (last.failure or beside.is_turned_away(outcome))
    return last if last is not None and broken and last.step in (Step.RESPONSE, Step.ECHO) else None


def _works_past(case: Case, outcome: Outcome) -> bool:
    """Without the proxy the same step succeeds; of one that is answered and not granted, it is granted there."""
    other = beside.asked(case, beside.PAST, outcome.check)
    if other and beside.is_turned_away(outcome) and beside.is_turned_away(other):
        return False
    end = _break(outcome)
    good = {o.step for o in other.observations if not o.failure} if other else set()
    return end is not None and end.step in good and beside.has_answered(other)


def _is_plain_fine(case: Case, outcome: Outcome) -> bool:
    """An ordinary request to the same host is answered through the same proxy, and nothing is known of past it.

    A service may turn a stranger's WebSocket away and answer the same stranger's plain request.
    """
    if beside.is_turned_away(outcome):
        return False
    past = beside.asked(case, beside.PAST, outcome.check)
    spoke = past is not None and any(o.step in (Step.RESPONSE, Step.ECHO) for o in past.observations)
    return not spoke and beside.has_answered(beside.asked(case, beside.PLAIN, outcome.check, "http"))


def _words(case: Case, ends: Sequence[Observation], past: bool) -> str:
    held = [float(o.facts["held_s"]) for o in ends if "held_s" in o.facts]
    what = f"is cut after {min(held):.1f} s" if held else "is not opened"
    control = (
        "past the proxy it works" if past else "a plain request to the same host passes through the proxy"
    )
    return (
        f"WebSocket to {shown(_host(o) for o in ends)} {what} through the proxy {proxy_name(case, ends)}, and "
        f"{control}."
    )


def _host(observation: Observation) -> str:
    return observation.target.host or str(observation.target)
