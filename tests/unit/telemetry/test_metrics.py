"""The gauges of a run, read by OpenTelemetry's own classes."""

import re

from readycheck.render.prometheus import render
from readycheck.telemetry.metrics import metrics
from tests.unit.history.runs import case
from tests.unit.telemetry.decoding import gauges, plain

PORTAL = case("captive-portal")
_ENDINGS = {"s": "_seconds", "1": "_ratio", "": ""}


def test_a_collector_hands_them_on_by_the_names_of_the_text_file() -> None:
    found = gauges(metrics(PORTAL, {}))
    names = {name.replace(".", "_") + _ENDINGS[one.unit] for name, one in found.items()}
    assert names == set(re.findall(r"^# TYPE (\S+) gauge$", render(PORTAL), re.MULTILINE))


def test_each_point_has_profile_and_site_and_is_of_the_end_of_the_run() -> None:
    found = gauges(metrics(PORTAL, {}))
    points = found["readycheck.finding"].gauge.data_points
    labels = [plain(point.attributes) for point in points]
    assert {(one["profile"], one["site"]) for one in labels} == {("webex-calling", "twin")}
    assert "captive-portal" in {one["cause"] for one in labels}
    ended = found["readycheck.last_run_timestamp"].gauge.data_points[0]
    assert abs(ended.time_unix_nano / 1e9 - ended.as_double) < 0.001


def test_no_series_comes_twice() -> None:
    for metric in gauges(metrics(PORTAL, {})).values():
        labels = [str(sorted(plain(point.attributes).items())) for point in metric.gauge.data_points]
        assert len(labels) == len(set(labels)), metric.name
