"""The document: nothing is lost on the way out and back, and everything after the run follows from it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.engine import RunState, Status
from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.plan import Scope
from readycheck.rejudge import rejudge
from readycheck.render import FORMATS
from readycheck.report import Report, RunFacts, compact, compose, dump, iso, load, schema, schema_text
from readycheck.score import score
from readycheck.verdict import Judgement, overall
from tests.unit.builders import World, conclude, make_environment, make_profile, make_selection, requirement

DEFAULTS = Path(__file__).with_name("report_defaults.json")
FACTS: dict[str, Any] = {
    "id": "r1",
    "state": RunState.COMPLETE,
    "started_at": "2026-01-02T03:04:05.000Z",
    "duration_ms": 1234.5,
    "seed": 1,
    "site": "attic",
    "profile": "example",
    "profile_revision": "1",
    "profile_hash": "0" * 64,
    "roles": ("app",),
    "options": {"effort": "normal"},
}


def report(world: World | None = None, **facts: Any) -> Report:
    world = world or World()
    found = conclude(world)
    run = RunFacts(**{**FACTS, **facts})
    return compose(
        run=run,
        profile=world.profile,
        known=["198.18.0.10"],
        environment=world.environment,
        readiness=overall(found.verdicts, run.state),
        score=score(found.verdicts, world.profile),
        verdicts=found.verdicts,
        outcomes=found.outcomes,
        findings=found.findings,
    )


WORLDS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "dense": {"dense": True},
    "routers silent": {"icmp": False},
    "routers not heard": {"environment": make_environment(capabilities=())},
    "blocked": {"wall": lambda t: "drop" if t.port == 8934 else None},
    "rejected": {"wall": lambda t: "reject" if t.transport == "udp" and t.port != 53 else None},
    "expired": {"greet": lambda t: Failure.CERTIFICATE_EXPIRED if t.port == 8934 else None},
    "no network": {
        "unrouted": Failure.NETWORK_UNREACHABLE,
        "environment": make_environment(gateway=None, resolvers=()),
        "selection": make_selection(resolvers=()),
    },
    "a part": {"selection": make_selection(only=("sip",))},
    "skewed": {"offsets": lambda t: 3_600_000.0},
}


_SOUND = dump(report())


@pytest.mark.parametrize("name", WORLDS)
def test_a_document_comes_back_as_it_was_written(name: str) -> None:
    text = dump(report(World(**WORLDS[name])))
    again = load(text, "r.json")
    assert dump(again) == text
    assert dump(load(dump(again, indent=None), "r.json")) == text


@pytest.mark.parametrize("name", WORLDS)
def test_everything_after_the_run_follows_from_the_document(name: str) -> None:
    written = report(World(**WORLDS[name]))
    again = rejudge(load(dump(written), "r.json"))
    assert again.verdict is written.verdict
    assert again.score == written.score
    assert again.findings == written.findings
    assert [(r.id, r.status, r.strength, r.because) for r in again.requirements] == [
        (r.id, r.status, r.strength, r.because) for r in written.requirements
    ]
    assert [(c.id, c.status, c.failure, c.because) for c in again.checks] == [
        (c.id, c.status, c.failure, c.because) for c in written.checks
    ]


@pytest.mark.parametrize("name", WORLDS)
def test_the_document_keeps_its_schema(name: str) -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    jsonschema.validate(
        json.loads(dump(report(World(**WORLDS[name])))), made, jsonschema.Draft202012Validator
    )


def test_the_words_of_the_interface() -> None:
    written = json.loads(dump(report(World(wall=lambda t: "drop" if t.port == 8934 else None))))
    assert list(written)[:4] == ["schema_version", "tool", "run", "verdict"]
    assert written["schema_version"] == 1
    assert written["verdict"] == "not-ready"
    assert set(written["tool"]) == {"name", "version"}
    for key in ("id", "state", "started_at", "duration_ms", "seed", "site", "profile", "profile_revision",
                "profile_hash", "roles", "options", "self_limited"):  # fmt: skip
        assert key in written["run"]
    for key in ("overall", "grade", "confidence_ratio", "areas", "calls", "media"):
        assert key in written["score"]
    for key in (
        "id",
        "title",
        "importance",
        "area",
        "weight",
        "status",
        "strength",
        "because",
        "source",
        "checks",
    ):
        assert key in written["requirements"][0]
    for key in ("id", "requirement", "probe", "status", "failure", "step", "target", "metrics", "observations",
                "started_at", "duration_ms", "because"):  # fmt: skip
        assert key in written["checks"][0]
    for key in ("cause", "where", "confidence", "severity", "owner", "summary", "affects", "evidence", "explains",
                "remedy"):  # fmt: skip
        assert key in written["findings"][0]
    assert set(written["checks"][0]["target"]) >= {
        "host",
        "network",
        "address",
        "ports",
        "transport",
        "sni",
        "via",
    }
    assert written["environment"]["host"] == "desk"
    assert written["known"] == ["198.18.0.10"]
    assert written["profile"]["requirements"]


def test_requirements_name_their_checks_and_findings_their_evidence() -> None:
    written = report(World(wall=lambda t: "drop" if t.port == 8934 else None))
    checks = {check.id: check for check in written.checks}
    for listed in written.requirements:
        assert listed.checks
        assert all(checks[name].requirement == listed.id for name in listed.checks)
    for finding in written.findings:
        assert finding.evidence
        assert set(finding.evidence) <= set(checks)
        assert set(finding.affects) <= {r.id for r in written.requirements}


def test_controls_and_the_survey_are_evidence_and_judged_by_nobody() -> None:
    written = report()
    extra = [c for c in written.checks if c.requirement is None]
    assert {c.scope for c in extra} == {Scope.CONTROL, Scope.PATH}
    assert {c.status for c in extra} == {Judgement.PASS}
    assert all("judged by no requirement" in c.because for c in extra)


def test_what_nobody_could_test_is_listed() -> None:
    rows = [requirement("sip"), requirement("in", probe=None, untestable="needs a far end")]
    world = World(profile=make_profile(*rows), selection=make_selection())
    listed = {r.id: r for r in report(world).requirements}["in"]
    assert (listed.status, listed.testable, listed.because) == (Judgement.SKIPPED, False, "needs a far end")
    assert listed.checks == ()


def test_each_check_has_its_own_time() -> None:
    written = report()
    assert {c.started_at for c in written.checks} == {"2026-01-02T03:04:05.000Z"}
    assert all(c.measured is Status.MEASURED for c in written.checks)


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=UTC)) == "2026-01-02T03:04:05.006Z"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "document"),
        ("[]", "document"),
        ("{", "document"),
        ("{}", "schema_version"),
        ('{"schema_version": "x"}', "schema_version"),
    ],
)
def test_what_is_no_document_is_refused_in_one_line(text: str, place: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(text, "r.json")
    assert str(refused.value).startswith(f"r.json: {place}: ")
    assert "\n" not in str(refused.value)


def test_a_damaged_document_is_refused_by_key() -> None:
    damaged = json.loads(dump(report()))
    damaged["checks"][0]["status"] = "maybe"
    with pytest.raises(UsageError, match=r"^r.json: checks\.0\.status: "):
        load(json.dumps(damaged), "r.json")


def test_a_refusal_repeats_nothing_raw() -> None:
    damaged = json.loads(dump(report()))
    damaged["profile"]["\x1b[31m\n\u202e" * 999] = 1
    with pytest.raises(UsageError) as refused:
        load(json.dumps(damaged), "r.json")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("text", ['{"a": "\ud800"}', "[" * 100_000, b"\xff\xfe", "9" * 5000])
def test_no_text_is_more_than_refused(text: str | bytes) -> None:
    with pytest.raises(UsageError, match=r"^r.json: "):
        load(text, "r.json")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, database=None, max_examples=150)
@given(st.data())
def test_a_document_with_anything_in_it_is_read_or_refused(data: st.DataObject) -> None:
    document = json.loads(_SOUND)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.integers(0, 9)) == 0:
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)
    try:
        again = rejudge(load(json.dumps(document), "r.json"))
    except UsageError as error:
        assert str(error).isprintable()
        return
    for render in FORMATS.values():
        assert render(again)


def test_a_stored_report_names_the_version_that_made_it_whatever_reads_it() -> None:
    made = report()
    assert json.loads(compact(made))["tool"] == {"version": made.tool.version}
    assert load(compact(made), "stored") == made


def defaults() -> dict[str, Any]:
    """Of every field of a document, by its type."""
    types = {"Report": schema(), **schema()["$defs"]}
    return {
        f"{name}.{field}": told["default"]
        for name, one in types.items()
        for field, told in one.get("properties", {}).items()
        if "default" in told
    }


def test_what_is_left_out_of_stored_reports_means_what_it_meant() -> None:
    """They are kept without what is a default (`compact`), for years.

    A field that is new belongs in the table; one that is in it never changes its value: make a new field instead,
    or take the default away, which leaves stored runs unreadable unless a migration writes the old value in.
    """
    assert defaults() == json.loads(DEFAULTS.read_text(encoding="utf-8"))


def test_the_schema_is_text_with_a_name() -> None:
    assert json.loads(schema_text())["title"] == "readycheck report"
    assert schema_text() == schema_text()
