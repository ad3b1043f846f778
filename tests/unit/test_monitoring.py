"""What is shipped for Prometheus and Grafana, held against what there is, and judged by Prometheus' own tool."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from readycheck.diagnose.causes import CAUSES
from readycheck.render.prometheus import render
from readycheck.web.agent import Ended
from readycheck.web.exporter import Exporter
from readycheck.web.runs import Runs, Settings
from readycheck.web.server import Request
from tests.unit.render import factory

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "packaging" / "prometheus"
DASHBOARD = ROOT / "packaging" / "grafana" / "readycheck.json"
PAGE = ROOT / "docs" / "prometheus.md"
PROMTOOL = shutil.which("promtool")
SELECTOR = re.compile(r"\b((?:[a-z_]+:)?readycheck_[a-z_]+(?::\w+)?|process_\w+|up)\b(?:\{([^}]*)\})?")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here: it is in Debian's 'prometheus'"
)


class Metric(NamedTuple):
    kind: str
    labels: tuple[str, ...]
    meaning: str


def described(text: str) -> dict[str, Metric]:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    meanings = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M))
    found: dict[str, Metric] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.M):
        found[name] = Metric(kinds[name], tuple(re.findall(r'(\w+)="', labels)), meanings[name])
    return found


async def exporter_page() -> str:
    async def agent(command: Sequence[str], limit_s: float, told: Callable[[str], None]) -> Ended:
        told(render(factory.not_ready()))
        return Ended(2)

    async with Runs(Settings(), agent) as runs:
        exporter = Exporter(runs, lambda: {"door"})
        await exporter.answer(Request("GET", "/probe", "profile=door", {}))
        return (await exporter.answer(Request("GET", "/metrics", "", {}))).text


@cache
def rules() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROMETHEUS / "readycheck.rules.yml").read_text())
    return loaded


def rule_expressions() -> dict[str, str]:
    return {
        rule.get("record") or rule["alert"]: rule["expr"]
        for group in rules()["groups"]
        for rule in group["rules"]
    }


def dashboard_expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"])


async def known_metrics() -> dict[str, set[str]]:
    """Their labels by their names; `up` and what is recorded has those that rules give it."""
    text = render(factory.not_ready()) + await exporter_page()
    known = {name: set(metric.labels) for name, metric in described(text).items()}
    known["up"] = set()
    for name, expression in rule_expressions().items():
        if ":" in name:
            by = re.search(r"by \(([^)]*)\)", expression)
            known[name] = set(by[1].split(", ")) if by else set()
    return known


async def test_queries_ask_for_what_there_is() -> None:
    known = await known_metrics()
    from_prometheus = {"instance", "job"}
    for expression in (*rule_expressions().values(), *dashboard_expressions()):
        selectors = re.findall(
            r"\b((?:[a-z_]+:)?readycheck_[a-z_]+(?::\w+)?|process_\w+|up)\b(?:\{([^}]*)\})?", expression
        )
        assert selectors, expression
        for name, inside in selectors:
            assert name in known, expression
            strange = set(re.findall(r"(\w+)[=!]", inside)) - known[name] - from_prometheus
            assert not strange, f"{expression}: {name} has no {strange}"


async def test_values_of_labels_are_those_that_there_are() -> None:
    text = "\n".join((*rule_expressions().values(), *dashboard_expressions()))
    page = render(factory.not_ready())
    for label in ("verdict", "status"):
        for value in re.findall(rf'\b{label}="([^"]+)"', text):
            assert f'{label}="{value}"' in page
    finding = factory.finding()
    assert set(re.findall(r'severity="([^"]+)"', text)) <= set(type(finding.severity))
    assert set(re.findall(r'confidence!="([^"]+)"', text)) <= set(type(finding.confidence))


def test_runbooks_name_causes_that_there_are() -> None:
    text = (PROMETHEUS / "readycheck.rules.yml").read_text() + PAGE.read_text()
    named = set(re.findall(r"readycheck explain ([a-z][a-z-]+)", text))
    assert named and named <= set(CAUSES)


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    alerts = [rule for group in rules()["groups"] for rule in group["rules"] if "alert" in rule]
    tests = yaml.safe_load((PROMETHEUS / "readycheck.rules.test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts}
    for rule in alerts:
        assert rule["for"] and rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}


async def test_the_page_lists_every_metric() -> None:
    text = render(factory.not_ready()) + await exporter_page()
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$", PAGE.read_text(), re.M)
    assert [
        (name, Metric(kind, tuple(labels.split()), meaning)) for name, kind, labels, meaning in listed
    ] == list(described(text).items())


# --- Grafana ----------------------------------------------------------------------------------------------


def as_grafana_reads_it(dashboard: dict[str, Any]) -> Any:
    """What its own library knows of it, options of panels and queries too; it drops what it does not know."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def lost(given: Any, read: Any, place: str = "") -> Iterator[str]:
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from lost(value, read[name], f"{place}/{name}") if name in read else [f"{place}/{name}"]
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, pair in enumerate(zip(given, read, strict=True)):
            yield from lost(*pair, f"{place}/{number}")
    elif given != read:
        yield place


def test_grafana_knows_everything_that_the_dashboard_says() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert list(lost(dashboard, as_grafana_reads_it(dashboard))) == []


def test_what_grafana_does_not_know_would_be_seen() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    dashboard["panels"][0]["options"]["colourMode"] = "value"
    dashboard["panels"][1]["targets"][0]["expression"] = "up"
    assert list(lost(dashboard, as_grafana_reads_it(dashboard))) == [
        "/panels/0/options/colourMode",
        "/panels/1/targets/0/expression",
    ]


def test_panels_do_not_lie_on_each_other() -> None:
    seen: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & seen and place["x"] + place["w"] <= 24
        seen |= cells


# --- promtool ---------------------------------------------------------------------------------------------


def promtool(*arguments: str, text: str | None = None) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *arguments], input=text, cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr


@needs_promtool
def test_rules_do_what_their_tests_say() -> None:
    promtool("check", "rules", "--lint-fatal", "readycheck.rules.yml")
    promtool("test", "rules", "readycheck.rules.test.yml")
    promtool("check", "config", "--lint-fatal", "prometheus.yml")


@needs_promtool
def test_queries_of_the_dashboard_are_queries(tmp_path: Path) -> None:
    records = [
        {"record": f"a:b{n}", "expr": expression} for n, expression in enumerate(dashboard_expressions())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": records}]}))
    promtool("check", "rules", str(tmp_path / "rules.yml"))


@needs_promtool
@pytest.mark.parametrize("state", list(factory.STATES))
def test_metrics_of_a_report_are_well_named(state: str) -> None:
    promtool("check", "metrics", text=render(factory.STATES[state]()))


@needs_promtool
async def test_metrics_of_the_exporter_are_well_named() -> None:
    promtool("check", "metrics", text=await exporter_page())
