"""The same target with and without the proxy, side by side: the follow-ups, and what they showed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from readycheck.check import CheckTarget
from readycheck.diagnose.case import Case
from readycheck.diagnose.situation import LEAST_S, LONGEST_S, SPARE_S, Situation
from readycheck.engine import Outcome
from readycheck.evidence import SWITCHED
from readycheck.failure import Failure, Step
from readycheck.net.environment import FoundProxy
from readycheck.plan import Check, Scope
from readycheck.profile import Area, Importance, Requirement
from readycheck.verdict import CheckVerdict, Judgement

MOST = 4
UPGRADE_S = 2.0
PAST, THROUGH, PLAIN = "past-proxy", "through-proxy", "plain-through-proxy"


def past_the_proxy(situation: Situation) -> Iterator[Check]:
    """What fails through the proxy, asked without it; of WebSocket also a plain request through it.

    Who is answered and not let in may be a stranger, or the proxy has not handed the upgrade on.
    """
    if not any(o.check.target.via and (_has_failed(o) or is_turned_away(o)) for o in situation.outcomes):
        return
    for outcome in _vital(situation, proxied=True):
        away = is_turned_away(outcome)
        check = _again(situation, outcome, PAST, None)
        if check and away:
            check = replace(
                check, params=replace(check.params, hold_s=0), budget_s=min(check.budget_s, UPGRADE_S)
            )
        yield from [check] if check else []
        if outcome.check.probe == "websocket" and _is_secure(outcome) and not away:
            target = replace(outcome.check.params.targets[0], transport="tcp")
            name = f"{PLAIN}/http/{_place(outcome.check.target)}"
            plain = situation.check(name, "http", [target])
            yield from [replace(plain, target=outcome.check.target)] if plain else []


def through_the_proxy(situation: Situation) -> Iterator[Check]:
    """What fails without the proxy that was found, and was not used, asked through it."""
    via = unused_proxy(situation.environment.proxies)
    if via is None or not _is_direct(situation):
        return
    for outcome in _vital(situation, proxied=False):
        check = _again(situation, outcome, THROUGH, via)
        yield from [check] if check else []


def unused_proxy(proxies: Iterable[FoundProxy]) -> str | None:
    """`host:port` of the first that can be used."""
    places = (proxy.url.partition("://")[2] for proxy in proxies)
    return next((place for place in places if place), None)


def _is_direct(situation: Situation) -> bool:
    """No check of the product went through a proxy, and one failed."""
    own = [o for o in situation.outcomes if o.check.requirement]
    return not any(o.check.target.via for o in own) and any(map(_has_failed, own))


def _has_failed(outcome: Outcome) -> bool:
    """A named target did not do as it should; one that may not exist may be missing."""
    if outcome.check.scope is not Scope.NAMED or has_answered(outcome):
        return False
    failures = {o.failure for o in outcome.observations if o.failure}
    return bool(failures) and (outcome.check.certain or failures != {Failure.DNS_NXDOMAIN})


def _is_secure(outcome: Outcome) -> bool:
    return getattr(outcome.check.params, "scheme", "") == "wss"


def _vital(situation: Situation, *, proxied: bool) -> list[Outcome]:
    """A few named targets that failed: signalling and the required before the rest, every port and probe first."""
    case = situation.case
    failed = [
        row for some in (case.failing, _missed(case)) for row in sorted(some, key=lambda r: _rank(r[0]))
    ]
    found: dict[tuple[str, str], Outcome] = {}
    others: list[Outcome] = []
    for requirement, verdict in failed:
        if not requirement.proxied:
            continue
        outcome = case.by_check[verdict.check]
        if outcome.check.scope is not Scope.NAMED or bool(outcome.check.target.via) is not proxied:
            continue
        kind = outcome.check.probe, outcome.check.target.ports
        others += [outcome] if kind in found else []
        found.setdefault(kind, outcome)
    return [*found.values(), *others][:MOST]


def _missed(case: Case) -> Iterator[tuple[Requirement, CheckVerdict]]:
    """Names that stand for a wildcard, and that the proxy does not reach: past it, it is seen if they are there."""
    for verdict in case.verdicts:
        for check in verdict.checks:
            if check.status is Judgement.SKIPPED and check.step is Step.PROXY_CONNECT:
                yield verdict.requirement, check


def _rank(requirement: Requirement) -> tuple[bool, bool]:
    return requirement.area is not Area.SIGNALLING, requirement.importance is not Importance.REQUIRED


def _again(situation: Situation, outcome: Outcome, how: str, via: str | None) -> Check | None:
    """The same question, another way."""
    check, left = outcome.check, situation.left_s
    if left < LEAST_S or not check.params.targets:
        return None
    target = replace(check.params.targets[0], via=via)
    return replace(
        check,
        id=f"{how}/{check.probe}/{_place(check.target)}",
        requirement=None,
        scope=Scope.FOLLOW_UP,
        target=replace(check.target, via=via),
        params=replace(check.params, targets=(target,)),
        budget_s=min(left - SPARE_S, LONGEST_S),
        proves=_proof(check, via),
        needs=(),
    )


def _proof(check: Check, via: str | None) -> Step:
    """Where the port itself is the question, the proxy's word stands for the connection."""
    swapped = {Step.CONNECT: Step.PROXY_CONNECT} if via else {Step.PROXY_CONNECT: Step.CONNECT}
    return swapped.get(check.proves, check.proves)


# --- what they showed ---------------------------------------------------------------------------------


def asked(case: Case, how: str, check: Check, probe: str = "") -> Outcome | None:
    """The follow-up that asked the target of `check` another way."""
    return case.by_check.get(f"{how}/{probe or check.probe}/{_place(check.target)}")


def has_answered(outcome: Outcome | None) -> bool:
    """The step that proves the service succeeded, and a connection that has to stay did not end."""
    if outcome is None:
        return False
    steps = {o.step for o in outcome.observations if o.failure is None}
    lost = any(o.step is Step.ECHO and o.failure for o in outcome.observations)
    return outcome.check.proves in steps and not lost


def is_turned_away(outcome: Outcome) -> bool:
    """Its request for a WebSocket was answered, and not granted."""
    told = [o for o in outcome.observations if o.step is Step.RESPONSE and not o.failure]
    return outcome.check.probe == "websocket" and any(o.facts.get("status") != SWITCHED for o in told)


def answers_past(case: Case, checks: Iterable[str]) -> list[str]:
    """The places of those of the checks whose target answers without the proxy."""
    made = (case.by_check[name].check for name in checks)
    return [_place(check.target) for check in made if has_answered(asked(case, PAST, check))]


def _place(target: CheckTarget) -> str:
    return f"{target.host or target.address or '?'}:{target.ports}"
