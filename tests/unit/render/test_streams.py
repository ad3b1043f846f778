"""The table of media figures: each stream, each way."""

from dataclasses import replace

from readycheck.plan import Scope
from readycheck.render import markdown, page, text
from readycheck.render.streams import HEAD, rows
from readycheck.report import Report

from . import factory

METRICS = {
    "sent": 1000,
    "answered": 950,
    "reached": 970,
    "loss_up_ratio": 0.03,
    "loss_down_ratio": 0.020619,
    "worst_200_ms_up_ratio": 0.2,
    "worst_200_ms_down_ratio": None,
    "jitter_up_ms": 12.34,
    "jitter_down_ms": 0.2,
    "reordering_up_ratio": 0.0,
    "reordering_down_ratio": 0.001,
    "duplicates_up_ratio": 0.0,
    "duplicates_down_ratio": 0.0,
    "rtt_ms": 41.27,
    "mos": 4.1,
}


def played() -> Report:
    report = factory.ready()
    check = replace(report.checks[0], id="media-quality-audio", scope=Scope.FAR_END, metrics=METRICS)
    return replace(report, checks=(check, *report.checks))


def test_a_row_for_each_way() -> None:
    there, back = rows(played())
    assert len(there) == len(back) == len(HEAD)
    assert there == (
        "media-quality-audio", "there", "1000", "3 %", "20 %", "12.3 ms", "0 %", "0 %", "41.3 ms", "4.10",
    )  # fmt: skip
    assert back == ("", "back", "970", "2.06 %", "-", "0.2 ms", "0.1 %", "0 %", "", "")


def test_nothing_where_no_stream_was_played() -> None:
    assert list(rows(factory.ready())) == []
    silent = replace(played().checks[0], metrics={"sent": 0, "answered": 0})
    assert list(rows(replace(played(), checks=(silent,)))) == []


def test_people_see_it() -> None:
    for render in (markdown.render, page.render, text.render):
        assert "970" in render(played()), render.__module__
        assert "970" not in render(factory.ready())


def test_it_fits_a_narrow_terminal() -> None:
    lines = text.render(played(), width=80).splitlines()
    assert max(map(len, lines)) <= 80
