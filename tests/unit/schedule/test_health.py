"""The health file, as its writer leaves it and as a container's health check finds it."""

from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.errors import ReadycheckError
from readycheck.schedule.health import Health, check, write

WELL = Health(
    profile="webex-calling",
    site="north",
    every_s=900,
    state="waiting",
    runs=1,
    last_start=1000.0,
    last_end=1015.5,
    last_status=2,
    last_verdict="not-ready",
    next_due=1900.0,
    alive_until=1960.0,
)


def test_a_bad_network_is_no_trouble_of_the_watch(tmp_path: Path) -> None:
    write(tmp_path / "health", WELL)
    assert check(tmp_path / "health", 1959.0) == (
        "webex-calling: waiting, last verdict not-ready at 1970-01-01T00:16:55+00:00,"
        " next due at 1970-01-01T00:31:40+00:00"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["health"]


def test_before_the_first_run(tmp_path: Path) -> None:
    write(tmp_path / "health", Health(profile="x", site=None, every_s=60, next_due=60.0, alive_until=120.0))
    assert "no run yet" in check(tmp_path / "health", 60.0)


@pytest.mark.parametrize(
    ("health", "now", "why"),
    [
        (WELL, 1961.0, "has not been heard of"),
        (replace(WELL, state="stopped"), 1016.0, "was stopped"),
        (replace(WELL, last_status=-9, last_verdict=None), 1016.0, r"was killed \(status -9\)"),
    ],
)
def test_a_watch_that_is_not_well(health: Health, now: float, why: str, tmp_path: Path) -> None:
    write(tmp_path / "health", health)
    with pytest.raises(ReadycheckError, match=why):
        check(tmp_path / "health", now)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"alive_until": 3}', '{"alive_until": "soon"}', "\x00"]
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "health").write_text(text)
    with pytest.raises(ReadycheckError, match=r"--check-health .*health: not the health file of a watch"):
        check(tmp_path / "health", 0.0)


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ReadycheckError, match=r"--check-health .*: No such file"):
        check(tmp_path / "health", 0.0)
    with pytest.raises(ReadycheckError, match=r"--health .*: No such file"):
        write(tmp_path / "gone" / "health", WELL)
