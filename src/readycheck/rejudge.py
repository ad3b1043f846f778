"""A report judged again from what it holds, without probing: under newer rules, or to check it. Pure."""

from dataclasses import replace

from readycheck.conclude import conclude
from readycheck.engine import Outcome
from readycheck.errors import UsageError
from readycheck.judgement import NOT_RUN
from readycheck.plan import Check, Plan
from readycheck.probe import Effort
from readycheck.report import CheckReport, Report, RequirementReport
from readycheck.verdict import Judgement

_LONGEST_REASON = 200


def rejudge(report: Report) -> Report:
    """The same run with verdicts, findings and score made anew by this version's rules.

    Raises `UsageError` for a report whose evidence cannot be read: its schema leaves facts free.
    """
    try:
        return _rejudged(report)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        raise UsageError(f"the report cannot be judged again: {ascii(why)[1:-1]}") from error


def _rejudged(report: Report) -> Report:
    outcomes = [outcome_of(check) for check in report.checks]
    judged = conclude(report.run, report.profile, plan_of(report), outcomes, report.environment, report.known)
    return replace(judged, tool=report.tool)


def plan_of(report: Report) -> Plan:
    """What the run had planned, as far as judging needs it."""
    reported = {r.id: r for r in report.requirements}
    selected = tuple(r for r in report.profile.requirements if r.id in reported)
    return Plan(
        checks=(),
        selected=selected,
        untested={r.id: r.because for r in report.requirements if not r.testable},
        unprobed={r.id: r.because for r in report.requirements if _is_unprobed(r)},
        deselected=tuple(r.id for r in report.requirements if r.deselected),
        roles=report.run.roles,
        seed=report.run.seed,
        partly={r.id: r.partly for r in report.requirements if r.partly},
        effort=Effort(str(report.run.options.get("effort", Effort.NORMAL))),
    )


def _is_unprobed(requirement: RequirementReport) -> bool:
    open_question = requirement.status is Judgement.INCONCLUSIVE and requirement.testable
    return open_question and not requirement.checks


def outcome_of(check: CheckReport) -> Outcome:
    """What was seen by a check."""
    return Outcome(
        check=Check(
            id=check.id,
            requirement=check.requirement,
            probe=check.probe,
            scope=check.scope,
            target=check.target,
            params=None,
            budget_s=0.0,
            proves=check.proves,
            may_be_silent=check.may_be_silent,
            must_stay=check.must_stay,
            certain=check.certain,
            group=check.group,
        ),
        status=check.measured,
        observations=check.observations,
        metrics=check.metrics,
        because=check.because.removeprefix(NOT_RUN),
        started_ms=check.started_ms,
        duration_ms=check.duration_ms,
        cut=check.cut,
    )
