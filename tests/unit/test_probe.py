"""The plug-in contract, as the built-in probes keep it."""

import dataclasses
from typing import Any

import pytest

from readycheck import probe
from readycheck.failure import Step
from readycheck.registry import find

INSTALLED = {name: installed.probe for name, installed in find().installed.items()}


def test_a_plugin_finds_all_it_needs_in_one_module() -> None:
    for name in probe.__all__:
        assert hasattr(probe, name), name


@pytest.mark.parametrize("one", INSTALLED.values(), ids=INSTALLED)
def test_a_builtin_probe_keeps_the_contract(one: Any) -> None:
    assert find().installed[one.name].name == one.name
    assert one.title
    assert isinstance(one.proves, Step)
    assert "targets" in {f.name for f in dataclasses.fields(one.Params)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.Params().targets = ()


@pytest.mark.parametrize("one", INSTALLED.values(), ids=INSTALLED)
def test_parameters_may_all_be_left_out(one: Any) -> None:
    assert one.Params().targets == ()


@pytest.mark.parametrize("one", INSTALLED.values(), ids=INSTALLED)
def test_nothing_seen_gives_no_numbers_but_counts(one: Any) -> None:
    metrics = dict(one.summarize(()))
    assert set(metrics) <= {metric.name for metric in one.metrics}
    assert all(value in (None, 0) for value in metrics.values())


def test_the_efforts_are_those_of_the_command_line() -> None:
    assert list(probe.Effort) == ["quick", "normal", "thorough"]
