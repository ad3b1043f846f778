"""The one serialised document of a run, from which everything after the run can be recomputed. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from readycheck import __version__
from readycheck.comparison.change import Comparison
from readycheck.diagnose.finding import Finding
from readycheck.engine import Outcome, RunState, Status
from readycheck.errors import UsageError
from readycheck.failure import Failure, Step
from readycheck.net.environment import Environment
from readycheck.observation import Observation, Remembered
from readycheck.plan import CheckTarget, Scope
from readycheck.probe import MetricValue
from readycheck.profile import Area, Importance, Profile, Source
from readycheck.score import Score, weigh
from readycheck.verdict import CheckVerdict, Judgement, Readiness, Strength, Verdict

SCHEMA_VERSION = 1
_LONGEST_LINE = 300
_UNCOMMON = re.compile(r"[^\n\x20-\x7e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """That which made the document: what reads it may be of another version, so this one is no default."""

    name: str = "readycheck"
    version: str


def this_tool() -> Tool:
    return Tool(version=__version__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What was run, when, and how it ended. Times are UTC, ISO 8601.

    `trust_roots` are the SHA-256 fingerprints of the authorities given by `--trust-roots`, and `trusted_pins`
    the keys that were accepted beside the profile's: both widen what the run accepts.
    """

    id: str
    state: RunState
    started_at: str
    duration_ms: float
    seed: int
    site: str | None
    profile: str
    profile_revision: str
    profile_hash: str
    roles: tuple[str, ...]
    options: Mapping[str, Any]
    self_limited: bool = False
    trust_roots: tuple[str, ...] = ()
    trusted_pins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gone_silent: tuple[Remembered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementReport:
    """One requirement and its verdict.

    `testable` is False when nobody could test it from here; `partly` says what the bounds of a run left out of it,
    and `ungiven` are the customer's own hosts that nobody gave, of which a pass does not speak.
    """

    id: str
    title: str
    importance: Importance
    area: Area
    weight: float
    status: Judgement
    strength: Strength | None
    margin: float | None
    because: str
    testable: bool
    deselected: bool
    source: Source
    checks: tuple[str, ...]
    partly: str = ""
    ungiven: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One check, its verdict and all that was seen. `scope`, `certain`, `group` and `proves` say how to judge."""

    id: str
    requirement: str | None
    probe: str
    scope: Scope
    status: Judgement
    strength: Strength | None
    failure: Failure | None
    step: Step | None
    target: CheckTarget
    metrics: Mapping[str, MetricValue]
    observations: tuple[Observation, ...]
    started_at: str
    started_ms: float
    duration_ms: float
    because: str
    measured: Status
    proves: Step
    certain: bool
    group: str
    cut: bool
    may_be_silent: bool = False
    must_stay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The document. Field order is the order in which it is written.

    `comparison` is with the run that was given as the baseline, if one was.
    """

    schema_version: int
    tool: Tool
    run: RunFacts
    verdict: Readiness
    score: Score
    findings: tuple[Finding, ...]
    requirements: tuple[RequirementReport, ...]
    checks: tuple[CheckReport, ...]
    environment: Environment
    known: tuple[str, ...] = field(default=())
    comparison: Comparison | None = None
    profile: Profile = field(kw_only=True)


@cache
def adapter() -> TypeAdapter[Report]:
    """Built on first use: that takes longer than most runs need before their first packet."""
    return TypeAdapter(Report)


def compose(
    *,
    run: RunFacts,
    profile: Profile,
    known: Sequence[str],
    environment: Environment,
    readiness: Readiness,
    score: Score,
    verdicts: Sequence[Verdict],
    outcomes: Sequence[Outcome],
    findings: Sequence[Finding],
) -> Report:
    """Put the parts of a run together."""
    # A check has the verdict of the requirement that it was made for, whoever else reads it.
    own_last = sorted(verdicts, key=lambda v: not v.requirement.measured_with)
    judged = {c.check: c for v in own_last for c in v.checks}
    began = datetime.fromisoformat(run.started_at)
    return Report(
        schema_version=SCHEMA_VERSION,
        tool=this_tool(),
        run=run,
        verdict=readiness,
        score=score,
        findings=tuple(findings),
        requirements=tuple(_requirement(v) for v in verdicts),
        checks=tuple(_check(o, judged.get(o.check.id), began) for o in outcomes),
        environment=environment,
        known=tuple(known),
        profile=profile,
    )


def _requirement(verdict: Verdict) -> RequirementReport:
    requirement = verdict.requirement
    return RequirementReport(
        id=requirement.id,
        title=requirement.title,
        importance=requirement.importance,
        area=requirement.area,
        weight=weigh(verdict),
        status=verdict.status,
        strength=verdict.strength,
        margin=verdict.margin,
        because=verdict.because,
        testable=verdict.testable,
        deselected=verdict.deselected,
        source=requirement.source,
        checks=tuple(c.check for c in verdict.checks),
        partly=verdict.partly,
        ungiven=verdict.ungiven,
    )


def _check(outcome: Outcome, verdict: CheckVerdict | None, began: datetime) -> CheckReport:
    check = outcome.check
    verdict = verdict or _unjudged(outcome)
    return CheckReport(
        id=check.id,
        requirement=check.requirement,
        probe=check.probe,
        scope=check.scope,
        status=verdict.status,
        strength=verdict.strength,
        failure=verdict.failure,
        step=verdict.step,
        target=check.target,
        metrics=outcome.metrics,
        observations=outcome.observations,
        started_at=iso(began + timedelta(milliseconds=outcome.started_ms)),
        started_ms=outcome.started_ms,
        duration_ms=outcome.duration_ms,
        because=verdict.because,
        measured=outcome.status,
        proves=check.proves,
        may_be_silent=check.may_be_silent,
        must_stay=check.must_stay,
        certain=check.certain,
        group=check.group,
        cut=outcome.cut,
    )


def _unjudged(outcome: Outcome) -> CheckVerdict:
    """Controls and the path survey serve the diagnosis; they pass or fail nothing."""
    answered = any(o.failure is None for o in outcome.observations)
    status = Judgement.PASS if answered else Judgement.INCONCLUSIVE
    if outcome.status is Status.SKIPPED:
        status = Judgement.SKIPPED
    if outcome.status is Status.CRASHED:
        status = Judgement.INCONCLUSIVE
    because = outcome.because or "evidence for the diagnosis; judged by no requirement"
    return CheckVerdict(check=outcome.check.id, status=status, because=because)


def iso(moment: datetime) -> str:
    """UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump(report: Report, indent: int | None = 2) -> str:
    """The document as JSON text, in which nothing steers the terminal that it may be shown on."""
    return escaped(_json(report, indent).decode()) + "\n"


def escaped(text: str) -> str:
    """JSON text in which what could steer a terminal is written as JSON can write it."""
    plain = text.replace("\n", "").isprintable()  # as nearly all are, and quicker than to look at each letter
    return text if plain else _UNCOMMON.sub(_escape, text)


def compact(report: Report) -> bytes:
    """The document to be stored: the same for `load`, without what goes without saying.

    So the default of a field is what it means where it is missing, also in runs of long ago, and does not change.
    """
    return _json(report, None, exclude_defaults=True)


def _json(report: Report, indent: int | None, *, exclude_defaults: bool = False) -> bytes:
    def written(value: Report) -> bytes:
        return adapter().dump_json(value, indent=indent, exclude_defaults=exclude_defaults)

    try:
        return written(report)
    except PydanticSerializationError:
        # Half a character, as in a host's or an interface's name that is not UTF-8.
        return written(_whole(report))


def _whole(value: Any) -> Any:
    """The same with a question mark for each half of a character."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_whole(key): _whole(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_whole, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _whole(getattr(value, each.name)) for each in fields(value)})
    return value


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1] if letter != "\x7f" else r"\u007f"


def load(text: str | bytes, origin: str) -> Report:
    """Read a document back. Raises `UsageError` with one line that names file and key."""
    try:
        return adapter().validate_json(text)
    except ValidationError as error:
        item = error.errors()[0]
        place = ".".join(str(part) for part in item["loc"]) or "document"
        raise UsageError(f"{origin}: {_line(place)}: {_line(item['msg'])}") from None
    except (ValueError, RecursionError):  # half a character in the text
        raise UsageError(f"{origin}: document: not a JSON report") from None


def _line(text: str) -> str:
    """Short and printable: keys and values of the document may be anybody's."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_LINE])


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    body = adapter().json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body, "title": "readycheck report"}


def schema_text() -> str:
    return json.dumps(schema(), indent=2, sort_keys=False) + "\n"
