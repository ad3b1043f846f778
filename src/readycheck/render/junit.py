"""The report as JUnit XML: a suite for the profile, a case for each requirement."""

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from readycheck.engine import RunState, Status
from readycheck.render import wording
from readycheck.render.clean import clean
from readycheck.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from readycheck.report import CheckReport, Report, RequirementReport

Element = ElementTree.Element
_UNMEASURED = (Judgement.INCONCLUSIVE, Judgement.SKIPPED)
_MOST_CHECKS = 40


def render(report: "Report") -> str:
    """`failure` is a failed requirement, `error` a bug or an unfinished run, `skipped` what is not known."""
    cases = list(_cases(report))
    totals = _totals(report, cases)
    root = Element("testsuites", {"name": "readycheck", **totals})
    about = {"name": clean(report.run.profile), "timestamp": clean(report.run.started_at).rstrip("Z")}
    suite = ElementTree.SubElement(root, "testsuite", {**about, **totals})
    suite.append(_properties(report))
    suite.extend(cases)
    out = "\n".join(_finding_lines(report))
    if out:
        ElementTree.SubElement(suite, "system-out").text = out
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _cases(report: "Report") -> "Iterable[Element]":
    checks = {check.id: check for check in report.checks}
    for requirement in report.requirements:
        yield _case(report, requirement, checks)
    if report.run.state in wording.STATES and report.run.state is not RunState.DEADLINE:
        case = Element("testcase", name="run", classname=clean(report.run.profile), time="0")
        _outcome(case, "error", wording.STATES[report.run.state], report.run.state.value, "")
        yield case


def _case(report: "Report", requirement: "RequirementReport", checks: "Mapping[str, CheckReport]") -> Element:
    mine = [checks[name] for name in requirement.checks if name in checks]
    spent = _spent_ms(mine) / 1000
    classname = f"{clean(report.run.profile)}.{requirement.area.value}"
    case = Element("testcase", name=clean(requirement.id), classname=classname, time=f"{spent:.3f}")
    crashed = [check for check in mine if check.measured is Status.CRASHED]
    because, kind = clean(requirement.because), requirement.importance.value
    if requirement.status is Judgement.FAIL:
        _outcome(case, "failure", because, kind, _evidence(report, requirement, mine))
    elif crashed:
        _outcome(case, "error", clean(crashed[0].because), "crashed", _evidence(report, requirement, crashed))
    elif requirement.status in _UNMEASURED:
        ElementTree.SubElement(case, "skipped", message=f"{requirement.status.value}: {because}")
    _remark(case, requirement)
    return case


def _outcome(case: Element, tag: str, message: str, kind: str, text: str) -> None:
    ElementTree.SubElement(case, tag, message=message, type=kind).text = text


def _remark(case: Element, requirement: "RequirementReport") -> None:
    """JUnit knows no warning, and no way to say how strong a pass is."""
    strength = f", {requirement.strength.value}" if requirement.strength else ""
    said = f"{requirement.status.value} ({requirement.importance.value}{strength}): {requirement.because}"
    ElementTree.SubElement(case, "system-out").text = clean(f"{requirement.title}. {said}", 1000)


def _evidence(report: "Report", requirement: "RequirementReport", checks: "list[CheckReport]") -> str:
    lines = [f"{clean(requirement.title)} [{wording.citation(requirement.source, report.profile)}]"]
    lines += [f"finding: {clean(f.cause)}" for f in report.findings if requirement.id in f.affects]
    for check in checks[:_MOST_CHECKS]:
        lines.append(f"{check.status.value}: {clean(check.id, 160)}: {clean(check.because)}")
    if len(checks) > _MOST_CHECKS:
        lines.append(f"and {len(checks) - _MOST_CHECKS} more checks")
    return "\n".join(lines)


def _finding_lines(report: "Report") -> "Iterable[str]":
    for finding in report.findings:
        cause, place = clean(finding.cause), wording.place_line(finding)
        yield f"{finding.severity.value}: {cause} ({place}): {clean(finding.summary, 1000)}"
        if finding.remedy:
            yield f"  remedy: {clean(finding.remedy, 1000)}"


def _properties(report: "Report") -> Element:
    properties = Element("properties")
    score = report.score
    overall = "" if score.overall is None else str(score.overall)
    known = [("verdict", report.verdict.value), ("score", overall), ("grade", score.grade.value)]
    known += [("coverage", f"{score.confidence_ratio:.3f}"), ("state", report.run.state.value)]
    for name, value in [*known, *wording.run_facts(report)]:
        ElementTree.SubElement(properties, "property", name=name, value=clean(value))
    return properties


def _totals(report: "Report", cases: "list[Element]") -> dict[str, str]:
    found = {"tests": len(cases)}
    for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        found[plural] = sum(case.find(tag) is not None for case in cases)
    return {**{name: str(n) for name, n in found.items()}, "time": f"{report.run.duration_ms / 1000:.3f}"}


def _spent_ms(checks: "list[CheckReport]") -> float:
    """From the first beginning to the last end: checks overlap."""
    began = min((c.started_ms for c in checks), default=0.0)
    return max((c.started_ms + c.duration_ms for c in checks), default=0.0) - began
