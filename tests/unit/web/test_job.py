"""What may be asked of `/probe`, and the command that it becomes."""

import sys

import pytest

from readycheck.web.job import Job, Refused, read_job, read_patience

PROFILES = {"door", "gate"}


def read(query: str) -> Job:
    return read_job(query, PROFILES, "home")


def test_everything_that_may_be_asked_for() -> None:
    query = "profile=door%401&target=a.example&target=b.example%3D192.0.2.1&role=app&set=customer%3Dacme&site=Bad+Ems"
    assert read(query) == Job(
        profile="door@1",
        targets=("a.example", "b.example=192.0.2.1"),
        roles=("app",),
        values=("customer=acme",),
        site="Bad Ems",
    )


def test_the_site_of_the_exporter_is_that_of_who_does_not_say() -> None:
    assert read("profile=door").site == "home"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "profile: missing"),
        ("profile=", "profile: not 1 to 300"),
        ("profile=door&profile=gate", "profile: given more than once"),
        ("profile=barn", r"profile: not known \(known: door, gate\)"),
        ("profile=/etc/door", "profile: not known"),
        ("profile=door.toml", "profile: not known"),
        ("profile=door%401/../x", "profile: not known"),
        ("profile=--help", "profile: not known"),
        ("profile=door&roles=app", "unknown parameter"),
        ("profile=door&target=%00", "target: not 1 to 300"),
        ("profile=door&target=" + "a" * 301, "target: not 1 to 300"),
        ("profile=door&target=%ff", "not a query"),
        ("profile=door" + "&role=a" * 40, "not a query"),
    ],
)
def test_what_is_refused(query: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        read(query)
    assert refused.value.status == 400


def test_the_command_says_last_what_is_to_be_in_force() -> None:
    job = Job("door", targets=("--quick",), roles=("app",), values=("a=b",), site="x")
    assert job.command(["--site", "y", "--quick"], 8.5) == [
        *(sys.executable, "-P", "-m", "readycheck", "run", "--site", "y", "--quick"),
        *("--target=--quick", "--role=app", "--set=a=b", "--site=x"),
        *("--deadline=8.500", "--format=prometheus", "--quiet", "--", "door"),
    ]


def test_one_runs_at_a_time_of_a_profile_and_its_targets() -> None:
    assert Job("door", ("a",), roles=("app",)).place == Job("door", ("a",), site="x").place
    assert Job("door", ("a",)).place != Job("door", ("b",)).place


def test_the_labels_of_a_job() -> None:
    labels = Job("door", ("a", "b"), ("app",), (), "x").labels
    assert labels == {"profile": "door", "site": "x", "target": "a,b", "role": "app", "set": ""}


def test_jobs_that_are_not_the_same_have_other_labels() -> None:
    """Else they would be one series, and the one a fault of the other."""
    values = [(), ("a=1",), ("a=2",), ("a=1", "b=2"), ("a=1,b=2",), ("a=1\\", "b=2"), ("a=1\\,b=2",)]
    labels = [Job("door", values=each).labels for each in values]
    assert all(labels.count(each) == 1 for each in labels)


def test_of_a_single_file_the_run_is_a_call_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/readycheck.pyz", "serve"])
    assert Job("door").command([], 1)[:3] == [sys.executable, "/opt/readycheck.pyz", "run"]


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("10", 10.0), ("9.5", 9.5)])
def test_patience(text: str | None, seconds: float | None) -> None:
    assert read_patience(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "nan", "inf", "-1", "0"])
def test_patience_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(Refused, match="X-Prometheus-Scrape-Timeout-Seconds"):
        read_patience(text)
