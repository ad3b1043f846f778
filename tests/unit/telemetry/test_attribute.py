"""Values and ids as OTLP has them."""

from dataclasses import replace

import pytest

from readycheck.telemetry.attribute import attributes, nanoseconds, span_id, trace_id
from tests.unit.test_report import report

RUN = "1fb6035504a04f11b55c124b301d8c22"


def test_values_keep_their_types() -> None:
    found = attributes({"a": True, "b": 2**40, "c": 0.5, "d": "x", "e": ("x", 1)})
    assert [one["value"] for one in found] == [
        {"boolValue": True},
        {"intValue": "1099511627776"},
        {"doubleValue": 0.5},
        {"stringValue": "x"},
        {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "1"}]}},
    ]


def test_what_is_not_known_is_not_said() -> None:
    assert attributes({"a": None, "b": "", "c": (), "d": float("inf")}) == []
    assert [one["key"] for one in attributes({"zero": 0, "no": False})] == ["zero", "no"]


@pytest.mark.parametrize(
    ("run", "kept"), [(RUN, True), (RUN.upper(), True), ("0" * 32, False), ("r1", False), ("g" * 32, False)]
)
def test_the_trace_has_the_id_of_the_run_where_it_can(run: str, kept: bool) -> None:
    found = trace_id(report(id=run))
    assert (found == run.lower()) is kept
    assert len(found) == 32 and int(found, 16) > 0


def test_spans_differ_by_run_and_part() -> None:
    one, other = report(id=RUN), report(id="r1")
    assert len({span_id(one, "a"), span_id(one, "b"), span_id(other, "a")}) == 3
    assert span_id(one, "a") == span_id(replace(one, checks=()), "a")


def test_moments_are_exact() -> None:
    assert nanoseconds("2026-11-27T03:51:48.123Z", 0.001) == "1795751508123001000"
