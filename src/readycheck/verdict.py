"""Outcomes and a requirement -> status, strength and reason. Pure; *not measured* is never *pass*."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from readycheck.bands import RANK, Band, Judgement, against, bands_of
from readycheck.check_verdict import Bench, CheckVerdict, Strength, bench
from readycheck.engine import Outcome, RunState
from readycheck.failure import Failure
from readycheck.judgement import (
    gone_altogether,
    is_lost,
    judge_check,
    refused_alone,
    refused_everywhere,
    silent_everywhere,
)
from readycheck.plan import Plan, Scope
from readycheck.printed import refusing_alone
from readycheck.profile import Area, Importance, Requirement
from readycheck.references import placeholders

__all__ = [
    "Band",
    "Bench",
    "CheckVerdict",
    "Judgement",
    "Readiness",
    "Strength",
    "Verdict",
    "against",
    "bands_of",
    "bench",
    "is_lost",
    "judge",
    "judge_all",
    "judge_check",
    "overall",
]


class Readiness(StrEnum):
    READY = "ready"
    WARNINGS = "warnings"
    NOT_READY = "not-ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of one requirement.

    `testable` is False when nobody could test it from here; `partly` says what the bounds of a run left out of it,
    and `ungiven` are the customer's own hosts that nobody gave, of which a pass does not speak.
    """

    requirement: Requirement
    status: Judgement
    because: str
    strength: Strength | None = None
    margin: float | None = None
    testable: bool = True
    deselected: bool = False
    partly: str = ""
    ungiven: tuple[str, ...] = ()
    checks: tuple[CheckVerdict, ...] = ()


def judge_all(plan: Plan, outcomes: Sequence[Outcome], basis: Bench) -> tuple[Verdict, ...]:
    """A verdict for every selected requirement, in the order of the profile."""
    by_requirement: dict[str | None, list[Outcome]] = {}
    for outcome in outcomes:
        by_requirement.setdefault(outcome.check.requirement, []).append(outcome)
    planned = {check.requirement for check in plan.checks}
    deselected = frozenset(plan.deselected)
    verdicts = []
    for requirement in plan.selected:
        if requirement.id in deselected:
            verdicts.append(_deselected(requirement))
        elif _measured(requirement) in {*planned, *by_requirement}:
            verdict = judge(requirement, by_requirement.get(_measured(requirement), []), basis)
            verdicts.append(_of_a_part(verdict, plan.partly.get(requirement.id, "")))
        else:
            verdicts.append(_without_checks(plan, requirement, basis))
    return tuple(verdicts)


def _measured(requirement: Requirement) -> str:
    """The requirement whose checks it is judged by."""
    return requirement.measured_with or requirement.id


def _deselected(requirement: Requirement) -> Verdict:
    because = "left out by --only or --skip"
    return Verdict(requirement=requirement, status=Judgement.SKIPPED, because=because, deselected=True)


def _of_a_part(verdict: Verdict, partly: str) -> Verdict:
    """What was not asked is not known: a pass of some networks is none of the rest."""
    if not partly or verdict.status is not Judgement.PASS:
        return replace(verdict, partly=partly)
    because = f"{partly}; {verdict.because}"
    return replace(verdict, status=Judgement.INCONCLUSIVE, strength=None, because=because, partly=partly)


def _without_checks(plan: Plan, requirement: Requirement, basis: Bench) -> Verdict:
    if requirement.id in plan.unprobed:
        because = plan.unprobed[requirement.id]
        return Verdict(requirement=requirement, status=Judgement.INCONCLUSIVE, because=because)
    if requirement.targets.resolvers and requirement.probe and not requirement.untestable:
        because = "this host knows no name server"
        return Verdict(requirement=requirement, status=Judgement.FAIL, because=because)
    if requirement.id in plan.untested:
        because = plan.untested[requirement.id]
        return Verdict(requirement=requirement, status=Judgement.SKIPPED, because=because, testable=False)
    return judge(requirement, (), basis)


def judge(requirement: Requirement, outcomes: Sequence[Outcome], basis: Bench) -> Verdict:
    """Judge the checks, then the requirement by them."""
    checks = tuple(judge_check(requirement, outcome, basis) for outcome in outcomes)
    scopes = {outcome.check.scope for outcome in outcomes}
    denied = any(outcome.check.group in basis.evidence.denied for outcome in outcomes)
    checks = gone_altogether(checks, outcomes)
    walled = {c.check for c in checks if c.status is Judgement.FAIL}
    alone = refusing_alone(outcomes, basis.evidence).keys() - walled
    checks = refused_alone(checks, outcomes, alone)
    if Scope.SAMPLED in scopes:
        checks = refused_everywhere(checks, outcomes, basis)
        if requirement.area is not Area.NAMES_AND_TIME:  # a few hosts serve time to all others
            checks = silent_everywhere(checks, outcomes, basis)
    status, because = _combine(checks, scopes, denied, alone)
    ungiven = _ungiven(requirement, outcomes)
    if status is Judgement.PASS and ungiven:
        because = f"{because}; not asked, as nobody gave them: {', '.join(ungiven)}"
    measured = [c for c in checks if c.status in (Judgement.PASS, Judgement.WARN)]
    weakest = Strength.EGRESS if any(c.strength is Strength.EGRESS for c in measured) else Strength.ANSWERED
    margins = [c.margin for c in measured if c.margin is not None]
    return Verdict(
        requirement=requirement,
        status=status,
        because=because,
        strength=weakest if status in (Judgement.PASS, Judgement.WARN) and measured else None,
        margin=min(margins, default=None),
        ungiven=ungiven,
        checks=checks,
    )


# --- the requirement, and the run ---------------------------------------------------------------------


def _ungiven(requirement: Requirement, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The customer's own hosts that no check asked."""
    if requirement.targets.responder:  # it asks nobody but the responder
        return ()
    asked = {outcome.check.group for outcome in outcomes}
    return tuple(host for host in requirement.targets.hosts if placeholders(host) and host not in asked)


def _combine(
    checks: Sequence[CheckVerdict], scopes: set[Scope], denied: bool, alone: Set[str]
) -> tuple[Judgement, str]:
    """`denied`: a whole domain is hidden; `alone` are hosts that refuse what others like them serve."""
    statuses = [c.status for c in checks]
    if scopes == {Scope.RESOLVERS}:
        return _any_resolver(checks)
    if scopes == {Scope.NAMED} and not denied and _one_name_is_gone(checks, statuses):
        gone = [c.check for c in checks if c.failure is Failure.DNS_NXDOMAIN]
        return Judgement.WARN, f"does not exist in DNS: {gone[0]}; the other names work"
    if alone and alone >= {c.check for c in checks if c.status is Judgement.FAIL}:
        good = sum(c.status in POSITIVE for c in checks)
        refuse = "refuses" if len(alone) == 1 else "refuse"
        return Judgement.WARN, f"{len(alone)} of {len(checks)} hosts {refuse}, and {good} answer"
    for status in (Judgement.FAIL, Judgement.WARN, Judgement.INCONCLUSIVE):
        some = [c for c in checks if c.status is status]
        if some:
            return status, f"{len(some)} of {len(checks)} checks: {_common(some)}"
    if Judgement.PASS not in statuses:
        return Judgement.INCONCLUSIVE, _common(checks) if checks else "nothing was measured"
    return Judgement.PASS, _tally(checks)


def _tally(checks: Sequence[CheckVerdict]) -> str:
    """How many checks rest on what."""
    if len(checks) == 1:
        return checks[0].because
    counts = (
        (sum(c.strength is Strength.ANSWERED for c in checks), "answered"),
        (sum(c.strength is Strength.EGRESS for c in checks), "by proof of egress"),
        (sum(c.status is Judgement.SKIPPED for c in checks), "covered by these"),
    )
    return f"{len(checks)} checks: " + ", ".join(f"{count} {words}" for count, words in counts if count)


def _any_resolver(checks: Sequence[CheckVerdict]) -> tuple[Judgement, str]:
    """One name server that works is enough to work; a dead one beside it costs time."""
    good = [c for c in checks if c.status is Judgement.PASS]
    if good and len(good) < len(checks):
        return Judgement.WARN, f"{len(checks) - len(good)} of {len(checks)} name servers failed"
    worst = max(checks, key=lambda c: RANK.get(c.status, 1))
    return worst.status, worst.because


def _one_name_is_gone(checks: Sequence[CheckVerdict], statuses: Sequence[Judgement]) -> bool:
    """A vendor retires names: one that no longer exists is no block while the others work."""
    failed = [c for c in checks if c.status is Judgement.FAIL]
    return (
        bool(failed) and Judgement.PASS in statuses and all(c.failure is Failure.DNS_NXDOMAIN for c in failed)
    )


def _common(checks: Sequence[CheckVerdict]) -> str:
    reasons = [c.because for c in checks]
    return max(sorted(set(reasons)), key=reasons.count)


POSITIVE = (Judgement.PASS, Judgement.WARN)
_COUNTS = (Importance.REQUIRED, Importance.RECOMMENDED)


def overall(verdicts: Sequence[Verdict], state: RunState) -> Readiness:
    """The verdict of a run (INTERFACE section 2)."""
    counting = [v for v in verdicts if v.requirement.importance in _COUNTS]
    required = [v for v in counting if v.requirement.importance is Importance.REQUIRED]
    if state in (RunState.INTERRUPTED, RunState.CRASHED):
        return Readiness.UNKNOWN
    if any(v.status is Judgement.FAIL for v in required):
        return Readiness.NOT_READY
    if unanswered(verdicts):
        return Readiness.UNKNOWN
    worrying = any(v.status is Judgement.WARN or _unmeasured(v) for v in required) or any(
        v.status in (Judgement.WARN, Judgement.FAIL) for v in counting
    )
    return Readiness.WARNINGS if worrying or state is RunState.DEADLINE else Readiness.READY


def _unmeasured(verdict: Verdict) -> bool:
    return verdict.status is Judgement.INCONCLUSIVE or verdict.deselected


def unanswered(verdicts: Sequence[Verdict]) -> str:
    """What has not answered and would have to, for anything to be known; empty when enough has.

    A role may need nothing that can be tested from here: then nothing is known of it either.
    """
    silent = [area for area in vital_areas(verdicts) if not has_positive(verdicts, area)]
    if silent:
        return f"nothing of {silent[0].value} has answered"
    return "" if any(has_positive(verdicts, area) for area in Area) else "nothing has answered"


def vital_areas(verdicts: Sequence[Verdict]) -> list[Area]:
    """Signalling and media reachability, as far as the product needs them and its profile can test them.

    What needs a value that nobody gave could be tested, so that it counts here; what a responder shows comes besides.
    """
    tested = [v.requirement for v in verdicts if not v.requirement.untestable]
    needed = {requirement.area for requirement in tested if not requirement.targets.responder}
    return [area for area in (Area.SIGNALLING, Area.MEDIA_REACHABILITY) if area in needed]


def has_positive(verdicts: Sequence[Verdict], area: Area) -> bool:
    """Something of the area was measured and works."""
    return any(
        check.status in POSITIVE and check.strength is Strength.ANSWERED
        for verdict in verdicts
        if verdict.requirement.area is area
        for check in verdict.checks
    )
