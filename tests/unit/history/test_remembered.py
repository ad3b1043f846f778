"""Addresses that answered, and are asked first the next time."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from readycheck.failure import Failure, Step
from readycheck.history import remembered
from readycheck.history.remembered import MOST, MOST_NEAR, remember
from readycheck.observation import Target
from readycheck.plan import CheckTarget, Scope
from readycheck.report import Report, iso
from readycheck.verdict import Readiness
from tests.unit.render.factory import BEGAN, check, observation, ready


def seen(*addresses: str, days: float = 0, failure: Failure | None = None, **run: str | None) -> Report:
    """A ready run in which these addresses of the product's network answered, or did not."""
    report = ready()
    steps = tuple(
        observation(failure, step=Step.TLS_HANDSHAKE, target=Target(address=one, port=443))
        for one in addresses
    )
    sampled = check(
        scope=Scope.SAMPLED,
        proves=Step.TLS_HANDSHAKE,
        target=CheckTarget(network="8.8.0.0/16"),
        observations=steps,
    )
    facts = {"started_at": iso(BEGAN + timedelta(days=days)), "site": None, **run}
    return replace(report, run=replace(report.run, **facts), checks=(sampled,))


def load(profile: str, site: str | None, base: Path) -> tuple[str, ...]:
    return tuple(one.address for one in remembered.load(profile, site, base))


def test_since_when_it_answers_is_kept(tmp_path: Path) -> None:
    for days in (0, 3):
        remember(seen("8.8.1.1", days=days), tmp_path)
    (one,) = remembered.load("example", None, tmp_path)
    assert (one.since[:10], one.last[:10]) == ("2026-11-21", "2026-11-24")


def test_a_clock_that_was_ahead_keeps_no_address_for_years(tmp_path: Path) -> None:
    for days in (3650, 1):
        remember(seen("8.8.1.1" if days > 1 else "8.8.2.2", days=days), tmp_path)
    assert {one.last[:10] for one in remembered.load("example", None, tmp_path)} == {"2026-11-22"}
    remember(seen("8.8.2.2", days=40), tmp_path)
    assert load("example", None, tmp_path) == ("8.8.2.2",)


def test_sites_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    remember(seen("8.8.1.1", site="gone"), tmp_path)
    remember(seen("8.8.1.1", site="north", days=20), tmp_path)
    remember(seen("8.8.1.1", site="here", days=40), tmp_path)
    assert load("example", "gone", tmp_path) == ()
    assert load("example", "north", tmp_path) == ("8.8.1.1",)


def test_what_an_earlier_version_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text('{"": {"8.8.1.1": "2026-11-20T00:00:00Z"}}', "utf-8")
    (one,) = remembered.load("example", None, tmp_path)
    assert one.since == one.last == "2026-11-20T00:00:00Z"


def test_what_answered_is_remembered_by_site(tmp_path: Path) -> None:
    remember(seen("8.8.1.1", "8.8.2.2"), tmp_path)
    remember(seen("8.8.3.3", site="north"), tmp_path)
    assert set(load("example", None, tmp_path)) == {"8.8.1.1", "8.8.2.2"}
    assert load("example", "north", tmp_path) == ("8.8.3.3",)
    assert load("other", None, tmp_path) == ()


def test_those_seen_last_come_first_and_a_month_is_enough(tmp_path: Path) -> None:
    remember(seen("8.8.1.1"), tmp_path)
    remember(seen("8.8.2.2", days=20), tmp_path)
    assert load("example", None, tmp_path) == ("8.8.2.2", "8.8.1.1")
    remember(seen("8.8.3.3", days=40), tmp_path)
    assert load("example", None, tmp_path) == ("8.8.3.3", "8.8.2.2")


def test_there_is_a_bound(tmp_path: Path) -> None:
    remember(seen(*(f"8.8.1.{last}" for last in range(1, 20))), tmp_path)
    assert len(load("example", None, tmp_path)) == MOST_NEAR
    remember(seen(*(f"8.8.{third}.{last}" for third in range(100) for last in (1, 2))), tmp_path)
    assert len(load("example", None, tmp_path)) == MOST


def test_the_newest_of_a_neighbourhood_stay(tmp_path: Path) -> None:
    for day in range(8):
        remember(seen(f"8.8.1.{day + 1}", days=day), tmp_path)
    assert load("example", None, tmp_path) == ("8.8.1.8", "8.8.1.7", "8.8.1.6", "8.8.1.5")


@pytest.mark.parametrize(
    "report",
    [
        seen("8.8.1.1", site="twin"),
        seen("8.8.1.1", failure=Failure.TIMED_OUT),
        replace(seen("8.8.1.1"), verdict=Readiness.NOT_READY),
        replace(seen("8.8.1.1"), verdict=Readiness.UNKNOWN),
        seen("127.0.0.1"),
    ],
)
def test_nothing_is_remembered_of_these(tmp_path: Path, report: Report) -> None:
    remember(report, tmp_path)
    assert load("example", report.run.site, tmp_path) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"": []}',
        b'{"": {"not an address": "x", "8.8.1.1": 1}}',
        b"\xff",
        b'{"": {"8.8.1.1": ["2026-11-20T00:00:00Z", "soon"], "8.8.2.2": "2026-11-20T00:00:00"}}',
    ],
)
def test_a_file_of_no_use_costs_no_run_and_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "example.json").write_bytes(content)
    assert load("example", None, tmp_path) == ()
    remember(seen("8.8.1.1"), tmp_path)
    assert load("example", None, tmp_path) == ("8.8.1.1",)


def test_the_file_is_in_the_users_data_folder(tmp_path: Path) -> None:
    remember(seen("8.8.1.1"))
    assert (tmp_path / "xdg_data_home" / "readycheck" / "remembered" / "example.json").exists()
