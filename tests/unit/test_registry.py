"""Finding probes: each breaks only itself, and a profile's parameters are checked with file, table and key."""

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from readycheck.errors import ProbeLoadError, ProfileError, UsageError
from readycheck.observation import Target
from readycheck.registry import build_params, find
from readycheck_probes.tcp import TcpProbe

GROUP = "readycheck.probes"


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_probes_are_found_by_name_and_loaded_as_objects() -> None:
    registry = find(
        [point("tcp", "readycheck_probes.tcp:TcpProbe"), point("dns", "readycheck_probes.dns:DnsProbe")]
    )
    assert list(registry.installed) == ["dns", "tcp"]
    assert isinstance(registry.probe("tcp"), TcpProbe)
    assert registry.installed["tcp"].distribution == "unknown distribution"
    assert registry.broken == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("readycheck_probes.nowhere:Probe", "cannot be loaded: ModuleNotFoundError"),
        ("readycheck_probes.tcp:Nothing", "cannot be loaded: AttributeError"),
        ("readycheck.registry:Registry", "cannot be loaded: TypeError"),
        ("readycheck_probes.tcp:TcpParams", "lacks name, title, Params"),
        ("json:dumps", "lacks name, title, Params, metrics, proves, measure, summarize"),
    ],
)
def test_a_probe_that_cannot_be_loaded_breaks_only_itself(value: str, reason: str) -> None:
    registry = find([point("bad", value), point("tcp", "readycheck_probes.tcp:TcpProbe")])
    assert list(registry.installed) == ["tcp"]
    with pytest.raises(ProbeLoadError, match=f"^probe 'bad' of unknown distribution .*{reason}"):
        registry.probe("bad")


def test_the_first_of_two_probes_of_one_name_wins() -> None:
    points = [point("tcp", "readycheck_probes.tcp:TcpProbe"), point("tcp", "readycheck_probes.dns:DnsProbe")]
    for order in (points, points[::-1]):
        registry = find(order)
        assert registry.probe("tcp").name == "dns"
        assert registry.broken == {}


def test_a_broken_twin_does_not_hide_a_good_probe() -> None:
    points = [point("tcp", "aaa.missing:Probe"), point("tcp", "readycheck_probes.tcp:TcpProbe")]
    registry = find(points)
    assert registry.probe("tcp").name == "tcp"
    assert registry.broken == {}


def test_a_probe_that_is_not_installed_is_a_usage_error_that_names_the_others() -> None:
    registry = find([point("tcp", "readycheck_probes.tcp:TcpProbe")])
    with pytest.raises(UsageError, match=r"probe 'quic' is not installed \(installed: tcp\)"):
        registry.probe("quic")


def test_all_built_in_probes_keep_the_contract() -> None:
    from readycheck_probes import __name__ as package

    names = (
        "dns",
        "http",
        "icmp",
        "mtls",
        "ntp",
        "path",
        "rtp",
        "sip",
        "stun",
        "tcp",
        "tftp",
        "tls",
        "websocket",
    )
    registry = find([point(n, f"{package}.{n}:{n.capitalize()}Probe") for n in names])
    assert registry.broken == {}
    for name, installed in registry.installed.items():
        metrics = [metric.name for metric in installed.probe.metrics]
        assert installed.probe.name == name
        assert len(metrics) == len(set(metrics))
        assert set(installed.probe.summarize(())) == set(metrics)


# --- parameters ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inner:
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    targets: tuple[Target, ...] = ()
    names: tuple[str, ...] = ()
    samples: int = 4
    inner: Inner = field(default_factory=Inner)


def test_a_table_becomes_the_typed_parameters_with_what_the_plan_adds() -> None:
    target = Target(host="a.example", port=1)
    made = build_params(Params, {"names": ["a", "b"], "samples": 2}, where="x", targets=(target,))
    assert made == Params(targets=(target,), names=("a", "b"), samples=2)
    assert made.targets[0] is target


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"sampels": 2},
            r"^p.toml: requirements\[r\]\.params\.sampels: unknown key \(known: inner, names, samples\)",
        ),
        ({"targets": []}, r"^p.toml: requirements\[r\]\.params\.targets: unknown key"),
        ({"samples": "many"}, r"^p.toml: requirements\[r\]\.params\.samples: "),
        ({"names": ["a", 5]}, r"^p.toml: requirements\[r\]\.params\.names\.1: "),
        ({"inner": {"size": "x"}}, r"^p.toml: requirements\[r\]\.params\.inner\.size: "),
    ],
)
def test_what_cannot_be_used_is_refused_with_file_table_and_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message) as refused:
        build_params(Params, values, where="p.toml: requirements[r]")
    assert "\n" not in str(refused.value)


def test_all_that_cannot_be_used_is_told_at_once() -> None:
    values = {"names": 5, "nmes": [], "samples": "many"}
    with pytest.raises(ProfileError) as refused:
        build_params(Params, values, where="p.toml: requirements[r]")
    places = [problem.partition(": ")[2].partition(": ")[0] for problem in refused.value.problems]
    assert places == [f"requirements[r].params.{key}" for key in ("names", "nmes", "samples")]
    assert str(refused.value).endswith("(and 2 more)")


@dataclass(frozen=True, slots=True)
class Choosy:
    targets: tuple[Target, ...] = ()
    low: int = 1
    high: int = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


def test_what_fits_one_by_one_and_not_together_is_refused_by_the_probe() -> None:
    assert build_params(Choosy, {"low": 2}, where="x") == Choosy(low=2)
    with pytest.raises(ProfileError, match=r"^x.params: low is above high$"):
        build_params(Choosy, {"low": 3}, where="x")


@dataclass(frozen=True, slots=True)
class Needy:
    name: str
    targets: tuple[Target, ...] = ()


@pytest.mark.parametrize("values", [{}, {"nme": "x"}])
def test_a_parameter_that_has_to_be_given(values: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match=r"^x.params"):
        build_params(Needy, values, where="x")
    assert build_params(Needy, {"name": "x"}, where="x") == Needy("x")
