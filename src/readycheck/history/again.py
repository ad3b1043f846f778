"""A stored run judged again, under the rules of this version or a newer profile, without probing. Pure."""

from dataclasses import replace

from readycheck import __version__
from readycheck.errors import UsageError
from readycheck.profile import Profile
from readycheck.rejudge import rejudge
from readycheck.report import Report, RequirementReport
from readycheck.verdict import Judgement

_NOT_ASKED = "the stored run did not ask for it: the profile of its time had no such requirement"


def judge_again(report: Report, profile: Profile | None = None) -> Report:
    """The same measurements, and a note that says so. Raises `UsageError` for a profile of another product."""
    if profile is not None and profile.name != report.profile.name:
        raise UsageError(f"the run is of profile '{report.profile.name}', and not of '{profile.name}'")
    under = profile or report.profile
    note = (
        f"judged again by readycheck {__version__} under revision {under.revision}; measured at "
        f"{report.run.started_at} by {report.tool.version} under revision {report.run.profile_revision}"
    )
    judged = rejudge(_under(report, under))
    run = replace(
        judged.run,
        profile_revision=under.revision,
        profile_hash=under.hash,
        notes=(*report.run.notes, note),
    )
    return replace(judged, run=run)


def _under(report: Report, profile: Profile) -> Report:
    """As if the run had been made with that profile; what it did not ask for then is not measured."""
    if profile is report.profile:
        return report
    asked = {requirement.id for requirement in report.requirements}
    known = {requirement.id for requirement in profile.requirements}
    wanted = [r for r in profile.requirements if set(r.roles) & set(report.run.roles) and r.id not in asked]
    missing = tuple(
        RequirementReport(
            id=one.id,
            title=one.title,
            importance=one.importance,
            area=one.area,
            weight=0.0,
            status=Judgement.INCONCLUSIVE,
            strength=None,
            margin=None,
            because=one.untestable if one.probe is None or one.untestable else _NOT_ASKED,
            testable=not (one.probe is None or one.untestable),
            deselected=False,
            source=one.source,
            checks=(),
        )
        for one in wanted
    )
    return replace(
        report,
        profile=profile,
        requirements=(*(r for r in report.requirements if r.id in known), *missing),
        checks=tuple(c for c in report.checks if c.requirement is None or c.requirement in known),
    )
