"""Vendor addresses that answered earlier runs and are silent now, while others beside them answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from readycheck.diagnose.case import Case
from readycheck.diagnose.clients import listed
from readycheck.diagnose.finding import Confidence, Finding, Severity
from readycheck.engine import Outcome
from readycheck.evidence import Cell, Sign
from readycheck.failure import Failure
from readycheck.observation import Observation, Remembered
from readycheck.plan import Scope

_LEAST_ASKED = 2
"""Of one port that is silent once, a lost packet may be the reason."""
_MOST = 3


@dataclass(frozen=True, slots=True)
class _Lost:
    """One of them, the checks that asked it, and what answers on the same ports."""

    known: Remembered
    checks: tuple[str, ...]
    ports: tuple[str, ...]
    beside: tuple[Cell, ...]


def gone_silent(case: Case) -> Iterator[Finding]:
    """A possibility and no more, which changes no verdict: a vendor may retire an address at any time.

    Where networks or ports are blocked, that is the reason.
    """
    if case.walls.cells:
        return
    lost = [one for known in case.gone_silent if (one := _lost(case, known))]
    if not lost:
        return
    summaries = [_summary(one) for one in lost[:_MOST]]
    more = f" So are {len(lost) - _MOST} more." if len(lost) > _MOST else ""
    found = case.finding(
        "address-blocked",
        list(dict.fromkeys(check for one in lost for check in one.checks)),
        " ".join(summaries) + more + " The vendor may have retired what is silent.",
        confidence=Confidence.POSSIBLE,
        remedy="Ask the vendor whether the address is still in use. If it is, look for it on block lists, threat "
        "feeds and static routes of the firewall.",
    )
    yield replace(found, severity=Severity.NOTE)


def _lost(case: Case, known: Remembered) -> _Lost | None:
    """None unless all that it was asked stayed without an answer, and others answered the same."""
    asked = [
        (outcome, seen)
        for outcome, seen in case.observations(Scope.SAMPLED)
        if seen.target.address == known.address and not seen.target.via
    ]
    if len(asked) < _LEAST_ASKED or any(seen.failure is not Failure.TIMED_OUT for _, seen in asked):
        return None
    services = {_service(outcome, seen) for outcome, seen in asked}
    network = asked[0][0].check.target.network
    near = [
        cell
        for cell in case.evidence.cells
        if cell.sign is Sign.ANSWERED and cell.network == network and (cell.transport, cell.port) in services
    ]
    if not near:
        return None
    heard = {(cell.transport, cell.port) for cell in near}
    counted = [(outcome, seen) for outcome, seen in asked if _service(outcome, seen) in heard]
    return _Lost(
        known=known,
        checks=tuple(dict.fromkeys(outcome.check.id for outcome, _ in counted)),
        ports=tuple(f"{transport.upper()} {port}" for transport, port in sorted(heard)),
        beside=tuple(near),
    )


def _service(outcome: Outcome, seen: Observation) -> tuple[str, int]:
    return str(seen.target.transport or outcome.check.target.transport), seen.target.port or 0


def _summary(lost: _Lost) -> str:
    known, beside = lost.known, dict.fromkeys(cell.address for cell in lost.beside)
    return (
        f"{known.address} is silent on {listed(lost.ports)}; it has answered since {_day(known.since)}, last on "
        f"{_day(known.last)}, and {listed(beside)} beside it still answer{'s' if len(beside) == 1 else ''}."
    )


def _day(moment: str) -> str:
    return moment[:10]
