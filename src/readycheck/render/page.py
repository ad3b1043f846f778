"""The report as one HTML page that asks nobody for anything: style, drawing and evidence are in it."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from readycheck.render import comparison, streams, surroundings, throughput, wording
from readycheck.render.clean import clean
from readycheck.render.timeline import timeline

if TYPE_CHECKING:
    from readycheck.observation import Observation
    from readycheck.report import CheckReport, Report

MOST_CHECKS = 60
MOST_OBSERVATIONS = 2000
_MOST_FACTS = 200


def render(report: "Report") -> str:
    """The page; every string of the report is cleaned and escaped, and the evidence is bounded."""
    style = files("readycheck.render").joinpath("page.css").read_text("utf-8")
    return _template().render(
        report=report,
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        wording=wording,
        comparison=comparison,
        environment=list(surroundings.facts(report.environment)),
        timeline=timeline(report),
        streams=list(streams.rows(report)),
        streams_head=streams.HEAD,
        capacity=list(throughput.facts(report)),
        evidence=_Evidence(report),
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(value, 1000),
    )
    return environment.from_string(files("readycheck.render").joinpath("page.html.j2").read_text("utf-8"))


class _Evidence:
    """Checks and observations of a requirement, worst first and so many that the page stays readable."""

    def __init__(self, report: "Report") -> None:
        order = sorted(
            report.checks, key=lambda c: (c.requirement or "", wording.WORST_FIRST.index(c.status))
        )
        self._by_requirement: Mapping[str, list[CheckReport]] = {
            name: list(checks) for name, checks in groupby(order, key=lambda c: c.requirement or "")
        }
        shown = sum(min(len(c), MOST_CHECKS) for c in self._by_requirement.values())
        self._each = max(2, min(40, MOST_OBSERVATIONS // max(1, shown)))

    def checks(self, requirement: str) -> "Sequence[CheckReport]":
        """Of a requirement; those of the empty name are controls and surveys."""
        return self._by_requirement.get(requirement, [])[:MOST_CHECKS]

    def hidden_checks(self, requirement: str) -> int:
        return max(0, len(self._by_requirement.get(requirement, [])) - MOST_CHECKS)

    def observations(self, check: "CheckReport") -> "Sequence[Observation]":
        """Failures first, in their order."""
        return sorted(check.observations, key=lambda o: o.failure is None)[: self._each]

    def hidden_observations(self, check: "CheckReport") -> int:
        return max(0, len(check.observations) - self._each)

    def facts(self, observation: "Observation") -> str:
        """What a step learned, in one bounded line."""
        known = [f"{name} {value}" for name, value in _flat(observation.facts)]
        return _bounded("; ".join([*([observation.detail] if observation.detail else []), *known]))


def _flat(facts: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Names and values; what is nested deeper than a certificate's chain is left to the JSON report."""
    for key, value in facts.items():
        name = f"{prefix}{clean(key, 40)}"
        if isinstance(value, Mapping) and depth < 2:
            yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping) and depth < 2:
            yield from _flat(value[0], f"{name}.", depth + 1)
        elif isinstance(value, list | tuple):
            yield name, ", ".join(clean(item, 60) for item in value[:3])
        elif value is not None:
            yield name, clean(value, 100)


def _bounded(text: str) -> str:
    """So short that it is short after escaping too."""
    text = clean(text, _MOST_FACTS)
    while len(escape(text)) > 1.6 * _MOST_FACTS:
        text = clean(text, len(text) * 2 // 3)
    return text
