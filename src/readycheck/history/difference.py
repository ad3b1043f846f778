"""What changed from one run to another: the verdict, its causes, requirements, numbers, and the surroundings. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readycheck.history.summary import summarize
from readycheck.report import Report

NOTABLE = 0.25
"""A number that changed by less than this share of itself is not shown..."""
_LEAST = {"ms": 5.0, "ratio": 0.005, "days": 1.0}
"""... nor by less than this, in its unit."""


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` are texts or numbers; None where there was nothing."""

    kind: str
    what: str
    before: str | float | None
    after: str | float | None


def difference(before: Report, after: Report) -> Sequence[Change]:
    """In the order in which a person asks: what is it now, since what else changed."""
    return (
        *_changes("verdict", _verdict(before), _verdict(after)),
        *_changes("finding", _findings(before), _findings(after)),
        *_changes("requirement", _requirements(before), _requirements(after)),
        *_changes("surroundings", surroundings(before), surroundings(after)),
        *_numbers(before, after),
    )


def _changes(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change(kind, name, before.get(name), after.get(name))


def _verdict(report: Report) -> Mapping[str, Any]:
    return {
        "verdict": report.verdict.value,
        "score": report.score.overall,
        "grade": report.score.grade.value,
        "run": report.run.state.value,
    }


def _findings(report: Report) -> Mapping[str, str]:
    return {
        f"{found.cause} ({found.where.value})": f"{found.severity.value}, {found.confidence.value}"
        for found in report.findings
    }


def _requirements(report: Report) -> Mapping[str, str]:
    return {r.id: r.status.value for r in report.requirements if not r.deselected}


def surroundings(report: Report) -> Mapping[str, str]:
    """What a run had around it: what changed here with a verdict is the first suspect."""
    here = report.environment
    link = next((each for each in here.interfaces if each.name == here.default_interface), None)
    facts = {
        "readycheck": report.tool.version,
        "profile revision": report.run.profile_revision,
        "profile text": report.run.profile_hash[:12],
        "host": here.host,
        "system": here.platform,
        "link": f"{here.default_interface} ({link.kind.value})" if link else str(here.default_interface),
        "addresses": ", ".join(link.addresses) if link else "",
        "gateway": str(here.gateway or ""),
        "resolvers": ", ".join(here.resolvers),
        "DHCP server": str(here.dhcp_server or ""),
        "proxies": ", ".join(f"{each.scheme} {each.url}" for each in here.proxies),
        "issuers": ", ".join(sorted(set(_issuers(report)))),
    }
    options = {f"option {name}": _shown(value) for name, value in report.run.options.items()}
    return {name: value for name, value in {**facts, **options}.items() if value}


def _issuers(report: Report) -> Iterator[str]:
    """Who signed the certificates that were shown."""
    for check in report.checks:
        for seen in check.observations:
            tls = seen.facts.get("tls")
            chain = tls.get("chain") if isinstance(tls, Mapping) else None
            if chain and isinstance(chain[0], Mapping):
                yield str(chain[0].get("issuer") or "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _numbers(before: Report, after: Report) -> Iterator[Change]:
    """In both runs, and clearly different: two runs never measure the same milliseconds."""
    first, second = summarize(before).numbers, summarize(after).numbers
    for name in (name for name in first if name in second and "." in name and not name.startswith("score.")):
        old, new = first[name], second[name]
        least = max(_LEAST.get(name.rpartition("_")[2], 0.0), NOTABLE * max(abs(old), abs(new)))
        if abs(new - old) > least:
            yield Change("number", name, old, new)
