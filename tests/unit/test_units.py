"""Units of metrics."""

from readycheck.registry import find
from readycheck.units import Better, Metric, Unit

SUFFIXES = {"_ms": Unit.MILLISECONDS, "_ratio": Unit.RATIO, "_days": Unit.DAYS, "_bytes": Unit.BYTES}


def test_a_metric_says_nothing_about_better_unless_told() -> None:
    assert Metric("sent", Unit.COUNT).better is Better.NEITHER


def test_the_name_of_a_metric_ends_as_its_unit_says() -> None:
    for installed in find().installed.values():
        names = [metric.name for metric in installed.probe.metrics]
        assert len(set(names)) == len(names), installed.name
        for metric in installed.probe.metrics:
            for suffix, unit in SUFFIXES.items():
                assert (metric.unit is unit) == metric.name.endswith(suffix), (
                    f"{installed.name}: {metric.name}"
                )
