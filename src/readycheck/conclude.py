"""Everything after the run, and between its rounds: judge, diagnose, score, report. Pure."""

from collections.abc import Sequence, Set
from dataclasses import replace

from readycheck.bands import Judgement
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.diagnose.situation import Situation, can_hear_routers
from readycheck.diagnose.table import diagnose, follow_ups
from readycheck.engine import Outcome, RunState, Status
from readycheck.evidence import Evidence, gather
from readycheck.failure import Failure
from readycheck.net.environment import Environment, is_ipv6_only
from readycheck.observation import Observation, Remembered
from readycheck.plan import Check, Plan, Scope
from readycheck.profile import Profile
from readycheck.registry import Registry
from readycheck.report import Report, RunFacts, compose
from readycheck.score import Grade, Score, score
from readycheck.verdict import Verdict, bench, judge_all, overall

TOO_BUSY = "this host was too busy to wait for the answer"


def further_checks(
    profile: Profile,
    made: Plan,
    outcomes: Sequence[Outcome],
    environment: Environment,
    trusted_pins: Set[str],
    registry: Registry,
    left_s: float,
    gone_silent: Sequence[Remembered] = (),
) -> tuple[Check, ...]:
    """The checks of the next round, which tell causes apart; none where nothing is in doubt."""
    seen = tuple(outcomes)

    def judged(evidence: Evidence) -> Case:
        return judge(profile, made, seen, evidence, environment, trusted_pins)

    situation = Situation(
        plan=made,
        registry=registry,
        outcomes=seen,
        environment=environment,
        left_s=left_s,
        judged=judged,
        gone_silent=frozenset(one.address for one in gone_silent),
    )
    return follow_ups(situation)


def judge(
    profile: Profile,
    made: Plan,
    seen: tuple[Outcome, ...],
    evidence: Evidence,
    environment: Environment,
    trusted_pins: Set[str],
) -> Case:
    """What was seen, with its verdicts."""
    pins = {pin.spki_sha256 for pin in profile.pins} | trusted_pins
    basis = bench(
        made.selected,
        evidence,
        pins,
        hops=can_hear_routers(environment),
        ipv4=not is_ipv6_only(environment),
    )
    verdicts = judge_all(made, seen, basis)
    return Case(profile, environment, verdicts, tuple(map(_seen_to_its_end, seen)), evidence, made.roles)


def conclude(
    run: RunFacts,
    profile: Profile,
    made: Plan,
    outcomes: Sequence[Outcome],
    environment: Environment,
    known: Sequence[str],
) -> Report:
    """Everything after the run; pure, and all that it needs is in the report that it makes."""
    seen = tuple(map(_unhurried, outcomes)) if run.self_limited else tuple(outcomes)
    judged = judge(profile, made, seen, gather(seen), environment, set(run.trusted_pins))
    case = replace(judged, gone_silent=run.gone_silent)
    findings = diagnose(case)
    verdicts = doubted(case.verdicts, findings)
    return compose(
        run=run,
        profile=profile,
        known=known,
        environment=environment,
        readiness=overall(verdicts, run.state),
        score=_scored(verdicts, profile, seen, run.state),
        verdicts=verdicts,
        outcomes=outcomes,
        findings=findings,
    )


def doubted(verdicts: Sequence[Verdict], findings: Sequence[Finding]) -> tuple[Verdict, ...]:
    """What answered once and surely comes and goes is no clean pass: the next call may not get through."""
    by_turns = {
        name
        for finding in findings
        if finding.cause == "intermittent" and finding.confidence is not Confidence.POSSIBLE
        for name in finding.affects
    }
    return tuple(
        replace(v, status=Judgement.WARN, because=f"{v.because}; not every time")
        if v.status is Judgement.PASS and v.requirement.id in by_turns
        else v
        for v in verdicts
    )


def _scored(verdicts: Sequence[Verdict], profile: Profile, seen: Sequence[Outcome], state: RunState) -> Score:
    """A run that somebody ended says nothing of the whole."""
    found = score(verdicts, profile, seen)
    if state is not RunState.INTERRUPTED:
        return found
    return replace(found, overall=None, grade=Grade.NOT_GRADED, because="not graded: interrupted")


def _unhurried(outcome: Outcome) -> Outcome:
    """A host too busy to look in time may have had the answer: what it took for silence shows nothing.

    Hop-limited packets are left as they are: each is compared with a control that had to wait as long.
    """
    measured = outcome.status is Status.MEASURED and outcome.check.scope is not Scope.PATH
    if not measured or not any(map(_is_silence, outcome.observations)):
        return outcome
    kept = tuple(
        replace(o, failure=Failure.INTERRUPTED) if _is_silence(o) else o for o in outcome.observations
    )
    return replace(outcome, observations=kept, because=outcome.because if outcome.cut else TOO_BUSY, cut=True)


def _is_silence(observation: Observation) -> bool:
    return observation.failure is Failure.TIMED_OUT


def _seen_to_its_end(outcome: Outcome) -> Outcome:
    """Without the steps that were under way when the user ended the run: they show nothing."""
    kept = tuple(o for o in outcome.observations if o.failure is not Failure.INTERRUPTED)
    return replace(outcome, observations=kept)
