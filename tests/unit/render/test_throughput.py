"""The figures of a full line, for every kind of reader."""

from dataclasses import replace

from readycheck.plan import Scope
from readycheck.render import markdown, page, text
from readycheck.render.throughput import facts
from readycheck.report import Report
from readycheck.score import Capacity

from . import factory

METRICS = {
    "throughput_capped": 0,
    "idle_trip_ms": 20.0,
    "idle_trip_p95_ms": 22.5,
    "loaded_up_trip_ms": 51.0,
    "loaded_up_trip_p95_ms": 77.0,
    "loaded_down_trip_ms": None,
    "loaded_down_trip_p95_ms": None,
}
LINE = Capacity(
    calls_wanted=20,
    up=9_512_345.0,
    down=40e6,
    up_together=9e6,
    down_together=None,
    calls_cscan=95,
    calls_line=67,
    calls_both_legs=33,
    calls_loaded=20,
    at_least=False,
)


def filled(line: Capacity | None = LINE) -> Report:
    report = factory.ready()
    check = replace(report.checks[0], id="capacity-calls", scope=Scope.FAR_END, metrics=METRICS)
    return replace(
        report, checks=(check, *report.checks), score=replace(report.score, calls=67, capacity=line)
    )


def test_what_was_measured_and_what_was_not() -> None:
    told = dict(facts(filled()))
    assert told["one way at a time"] == "9.51 Mbit/s up, 40 Mbit/s down"
    assert told["both at once"] == "9 Mbit/s up, not measured down"
    assert told["round trip"] == (
        "idle 20.0 ms (22.5 ms), full up 51.0 ms (77.0 ms): median (95th percentile)"
    )
    assert told["calls at once"] == (
        "67 with a reserve of a quarter (33 if both legs of each cross the line), 95 as CScan reckons, "
        "20 of 20 played and in order"
    )


def test_a_limit_of_the_responder_makes_it_a_least() -> None:
    told = dict(facts(filled(replace(LINE, at_least=True))))
    assert told["one way at a time"].endswith("(the responder lets no more through)")
    assert told["calls at once"].startswith("at least 67")


def test_people_see_it() -> None:
    for render in (markdown.render, page.render, text.render):
        assert "95 as CScan reckons" in " ".join(render(filled()).split()), render.__module__
        assert "CScan" not in render(factory.ready())


def test_nothing_where_it_was_not_measured() -> None:
    assert list(facts(filled(None))) == []
