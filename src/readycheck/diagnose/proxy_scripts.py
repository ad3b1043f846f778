"""The rule for proxy scripts (PAC): one that was named and is of no use, or answers what is none."""

from collections.abc import Iterator
from dataclasses import replace

from readycheck.check import may_use_proxy
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where
from readycheck.failure import Step
from readycheck.net.environment import FoundScript, ScriptAnswer
from readycheck.verdict import Judgement

SHOWN = 3


def pac_error(case: Case) -> Iterator[Finding]:
    """A script that nobody can follow; what the network keeps from being fetched is the network's fault."""
    script = case.environment.script
    if script is None or _is_kept_away(case, script):
        return
    if script.error:
        words = f"is of no use: {script.error}{_line(script.line)}. Programs go directly then, or nowhere."
        remedy = _serve(script) if not script.sha256 else _REPAIR
        yield _finding(case, script, words, remedy)
    elif wrong := [answer for answer in script.answers if answer.error]:
        words = "; ".join(f"fails for {_hosts(one)}: {one.error}{_line(one.line)}" for one in wrong[:SHOWN])
        yield _finding(case, script, f"{words}.", _REPAIR)


_REPAIR = "Repair the script: for every host it must answer 'DIRECT' or 'PROXY host:port', without delay."


def _serve(script: FoundScript) -> str:
    return f"Serve the script at that place, or correct {_source(script)}, where it is named."


def _finding(case: Case, script: FoundScript, words: str, remedy: str) -> Finding:
    """Where nothing that would follow the script works without it, it explains that; else it explains nothing."""
    affected = [v for v in case.verdicts if may_use_proxy(v.requirement)]
    checks = {c.check: c.status for v in affected for c in v.checks}
    failing = [check for _, check in case.failing if check.check in checks]
    alone = any(status is Judgement.PASS for status in checks.values())
    summary = f"The proxy script {script.place} (from {_source(script)}) {words}"
    found = case.finding(
        "pac-error",
        [check.check for check in failing],
        summary,
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.LIKELY if script.failure else Confidence.CERTAIN,
        remedy=remedy,
    )
    if not failing:
        names = tuple(v.requirement.id for v in affected if v.checks)
        return replace(found, affects=names, severity=case.severity(names))
    return replace(found, evidence=()) if alone else found


def _is_kept_away(case: Case, script: FoundScript) -> bool:
    """It could not be fetched where nothing else answers, or no name is known, either."""
    if script.failure is None:
        return False
    resolved = any(o.step is Step.RESOLVE and o.failure is None for _, o in case.observations())
    named = script.failure.value.startswith("dns_")
    return not case.answered_anywhere() or (named and not resolved)


def _source(script: FoundScript) -> str:
    plain = script.source.startswith(("-", "DHCP", "the "))
    return script.source if plain else f"the {script.source}"


def _hosts(answer: ScriptAnswer) -> str:
    more = answer.number - len(answer.hosts[:SHOWN])
    return ", ".join(answer.hosts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _line(line: int | None) -> str:
    return f" (line {line})" if line else ""
