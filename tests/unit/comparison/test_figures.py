"""Which numbers of a report can get better or worse."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.comparison.figures import Figure, figures
from readycheck.report import Report
from tests.unit.test_report import report

RUN = report()


def measured(*metrics: dict[str, Any], requirement: str | None = "sip") -> Report:
    check = RUN.checks[0]
    return replace(RUN, checks=tuple(replace(check, requirement=requirement, metrics=m) for m in metrics))


def test_a_figure_is_the_median_of_a_requirements_checks() -> None:
    assert figures(measured({"rtt_ms": 10}, {"rtt_ms": 30}, {"rtt_ms": 20}, {"rtt_ms": None})) == (
        Figure("sip", "rtt_ms", 20.0, False),
    )


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        ("handshake_ms", False),
        ("loss_out_ratio", False),
        ("mos", True),
        ("marks_kept_ratio", True),
        ("answered", None),
        ("expires_days", None),
        ("pacing_p95_ms", None),
    ],
)
def test_which_way_is_better(metric: str, higher: bool | None) -> None:
    assert [f.higher for f in figures(measured({metric: 3}))] == ([] if higher is None else [higher])


def test_what_the_profile_limits_counts_as_it_says() -> None:
    assert figures(measured({"offset_ms": -40}, requirement="ntp"))[0].value == 40


def test_what_belongs_to_no_requirement_is_none() -> None:
    assert figures(measured({"rtt_ms": 10}, requirement=None)) == ()


def test_a_host_that_is_late_itself_tells_nothing_of_the_network() -> None:
    found = measured({"rtt_ms": 10})
    assert figures(replace(found, run=replace(found.run, self_limited=True))) == ()
