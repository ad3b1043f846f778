"""What a run said, held against the truth of its scenario. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .agent import Run
from .scenario import Scenario, Truth

STATUS = {"ready": 0, "warnings": 1, "not-ready": 2, "unknown": 3}
UNKNOWN = "unknown"
_SURE = ("certain", "likely")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found of one expected finding; `cause` and `where` are empty when nothing was.

    `right` says that the cause is right, `placed` that the place is, or is honestly unknown, `worded` that its text
    has what it must.
    """

    wanted: str
    wanted_where: str
    cause: str = ""
    where: str = ""
    confidence: str = ""
    right: bool = False
    placed: bool = False
    worded: bool = False
    guess: bool = False

    @property
    def located(self) -> bool:
        return self.right and self.where == self.wanted_where

    @property
    def sure(self) -> bool:
        """Surely enough: `guess` says that more than a guess would be too much."""
        return self.right and (self.confidence in _SURE or self.guess)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run of a scenario.

    `blamed` are false accusations: a cause that is not the case, or the wrong place. `guesses` are `possible` causes
    that are not the case. `unmeasured` are passes without a measurement. `misscored` says what media was called
    wrongly, `problem` why there is no run.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    scenario: str
    topic: str
    profile: str
    raw: bool
    beyond: str = ""
    problem: str = ""
    status: int = -1
    exits: tuple[int, ...] = ()
    seconds: float = 0.0
    answers: tuple[Answer, ...] = ()
    blamed: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    misscored: str = ""
    inconclusive: int = 0
    requirements: int = 0

    @property
    def wrong(self) -> list[str]:
        """All that is not as it should be; nothing when the run was right."""
        return [
            *self._mismatches(),
            *self.blamed,
            *self.unmeasured,
            *([self.misscored] if self.misscored else []),
            *([self.problem] if self.problem else []),
        ]

    def _mismatches(self) -> Iterator[str]:
        if not self.problem and self.status not in self.exits:
            yield f"exit {self.status}, not {' or '.join(map(str, self.exits))}"
        for answer in self.answers:
            if not answer.right:
                yield f"{answer.wanted} was not found"
            elif not answer.sure:
                yield f"{answer.cause} is only {answer.confidence}"
            elif not answer.placed:
                yield f"{answer.cause} is at {answer.where}, not {answer.wanted_where}"
            elif not answer.worded:
                yield f"{answer.cause} does not say all that it must"
        if len(self.guesses) > len(self.answers):
            yield f"more guesses than causes: {', '.join(self.guesses)}"


def judged(scenario: Scenario, profile: str, raw: bool, run: Run) -> Row:
    """`scenario` as it was played."""
    report = run.report
    if report is None:
        return failed(scenario, profile, raw, f"status {run.status}, no report: {run.stderr.strip()[-300:]}")
    findings = report["findings"]
    counted = [r for r in report["requirements"] if r["importance"] in ("required", "recommended")]
    return Row(
        scenario=scenario.name,
        topic=scenario.topic,
        profile=profile,
        raw=raw,
        beyond=scenario.beyond,
        status=run.status,
        exits=scenario.exits,
        seconds=round(run.seconds, 1),
        answers=tuple(_answer(truth, findings) for truth in scenario.expect),
        blamed=tuple(_blamed(scenario, findings)),
        guesses=tuple(_guesses(scenario, findings)),
        unmeasured=tuple(passed_unmeasured(report)),
        misscored=_misscored(scenario, report),
        inconclusive=sum(r["status"] == "inconclusive" for r in counted),
        requirements=sum(r["status"] != "skipped" for r in counted),
    )


def failed(scenario: Scenario, profile: str, raw: bool, problem: str) -> Row:
    return Row(
        scenario=scenario.name,
        topic=scenario.topic,
        profile=profile,
        raw=raw,
        beyond=scenario.beyond,
        problem=problem,
    )


def _answer(truth: Truth, findings: Sequence[Mapping[str, Any]]) -> Answer:
    """The best finding that fits; without any, whatever else was found most surely."""
    wanted = Answer(wanted=truth.causes[0], wanted_where=truth.where[0])
    mine = [f for f in findings if f["cause"] in truth.causes]
    if not mine:
        return wanted
    best = min(mine, key=lambda f: (f["confidence"] not in _SURE, f["where"] not in truth.where))
    return Answer(
        wanted=best["cause"],
        wanted_where=best["where"] if best["where"] in _known(truth) else truth.where[0],
        cause=best["cause"],
        where=best["where"],
        confidence=best["confidence"],
        right=True,
        guess=truth.guess,
        placed=best["where"] in truth.where,
        worded=any(truth.words in f["summary"] for f in mine)
        and set(truth.affects) <= {one for f in mine for one in f["affects"]},
    )


def _known(truth: Truth) -> tuple[str, ...]:
    """The right places; that `unknown` is honest does not make it the right one."""
    return tuple(where for where in truth.where if where != UNKNOWN)


def _blamed(scenario: Scenario, findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    right = {cause: truth for truth in scenario.expect for cause in truth.causes}
    for finding in findings:
        cause, where = finding["cause"], finding["where"]
        said = f"{cause} at {where} ({finding['confidence']})"
        if cause in scenario.forbid:
            yield f"{said} must not be found"
        elif cause in right:
            if where not in (*_places(scenario, cause), UNKNOWN) and finding["confidence"] in _SURE:
                yield f"{said} is the wrong place"
        elif cause not in scenario.allow and finding["severity"] != "note" and _is_sure(finding):
            yield f"{said} is not the case"


def _places(scenario: Scenario, cause: str) -> tuple[str, ...]:
    return tuple(where for truth in scenario.expect if cause in truth.causes for where in truth.where)


def _guesses(scenario: Scenario, findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known = {cause for truth in scenario.expect for cause in truth.causes} | {
        *scenario.allow,
        *scenario.forbid,
    }
    for finding in findings:
        if finding["cause"] not in known and finding["severity"] != "note" and not _is_sure(finding):
            yield finding["cause"]


def _misscored(scenario: Scenario, report: Mapping[str, Any]) -> str:
    if not scenario.media or report["score"]["media"] in scenario.media:
        return ""
    return f"media is called {report['score']['media']}, not {' or '.join(scenario.media)}"


def _is_sure(finding: Mapping[str, Any]) -> bool:
    return finding["confidence"] in _SURE


def passed_unmeasured(report: Mapping[str, Any]) -> Iterator[str]:
    """Whatever passed must have a successful observation, or packets that left the site: a host's own refusal of a
    port shows it as well as hop-limited ones do.
    """
    checks = {check["id"]: check for check in report["checks"]}
    egress = any(o["facts"].get("fate") == "left" for c in checks.values() for o in c["observations"])
    for check in checks.values():
        proven = _succeeded(check) or (check["strength"] == "egress" and (egress or _came_to_its_end(check)))
        if check["status"] in ("pass", "warn") and not proven:
            yield f"check {check['id']} passed unmeasured"
    for requirement in report["requirements"]:
        mine = [checks[i] for i in requirement["checks"] if i in checks]
        passed = any(_passed(check, requirement["id"]) for check in mine)
        if requirement["status"] in ("pass", "warn") and not passed:
            yield f"requirement {requirement['id']} passed unmeasured"


def _passed(check: Mapping[str, Any], requirement: str) -> bool:
    """What is measured with another requirement's check may pass where that one does not."""
    return check["status"] in ("pass", "warn") or (check["requirement"] != requirement and _succeeded(check))


def _succeeded(check: Mapping[str, Any]) -> bool:
    return any(
        observation["failure"] is None or observation["facts"].get("answered_by_server")
        for observation in check["observations"]
    )


def _came_to_its_end(check: Mapping[str, Any]) -> bool:
    """The host that was asked says itself that nobody listens there."""
    return any(
        observation["failure"] == "port_unreachable"
        and observation["facts"].get("offender") == observation["target"]["address"]
        for observation in check["observations"]
    )


def told(scenario: Scenario, run: Run) -> str:
    """What one reads first when a scenario fails."""
    report = run.report or {"findings": [], "requirements": [], "run": {"state": "no report"}}
    findings = [
        f"  {f['cause']} at {f['where']}, {f['confidence']}, {f['severity']}: {f['summary']}\n"
        f"    affects {', '.join(f['affects'])}"
        for f in report["findings"]
    ]
    unmet = [
        f"  {r['id']} ({r['importance']}): {r['status']}, {r['because']}"
        for r in report["requirements"]
        if r["status"] not in ("pass", "skipped") and r["importance"] in ("required", "recommended")
    ]
    head = f"{scenario.name} {scenario.why}: exit {run.status} after {run.seconds:.1f} s, {report['run']['state']}"
    return "\n".join([head, *findings, *unmet, run.stderr[-500:]])
