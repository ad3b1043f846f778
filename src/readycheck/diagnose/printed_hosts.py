"""Rules for hosts that a product prints one by one, of which some refuse what the others serve."""

from collections.abc import Iterator, Sequence
from enum import IntEnum

from readycheck.diagnose.case import Case
from readycheck.diagnose.doors import find_flows
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.hosts import STOPPED, is_flow_refused_far_away
from readycheck.evidence import Cell, Sign
from readycheck.failure import Failure
from readycheck.printed import refusing_alone


class _Seen(IntEnum):
    """Where the refusal comes from, the more telling first."""

    BESIDE_ITS_OWN = 0
    FAR_AWAY = 1
    NOWHERE = 2


def some_refuse(case: Case) -> Iterator[Finding]:
    """A finding for each of them; what is refused on the way is told by its wall."""
    hosts: dict[str, list[Cell]] = {}
    flows = find_flows(case.outcomes)
    for cell in refusing_alone(case.outcomes, case.evidence).values():
        flow = flows.get((cell.transport, cell.address, cell.port))
        if flow is None or flow.fate not in (*STOPPED, "answered"):
            hosts.setdefault(cell.address, []).append(cell)
    met = [(min(_seen(case, cell) for cell in cells), cells) for cells in hosts.values()]
    for how, cells in sorted(met, key=lambda each: each[0]):
        yield from _refusing(case, how, cells)


def _seen(case: Case, cell: Cell) -> _Seen:
    """By hop-limited packets, beside those to another port of the host, or to another host."""
    flow = find_flows(case.outcomes).get((cell.transport, cell.address, cell.port))
    if flow is None or flow.fate != "refused":
        return _Seen.NOWHERE
    if flow.own and flow.arrived is not None:
        return _Seen.BESIDE_ITS_OWN
    return _Seen.FAR_AWAY if is_flow_refused_far_away(case, flow) else _Seen.NOWHERE


def _refusing(case: Case, how: _Seen, cells: Sequence[Cell]) -> Iterator[Finding]:
    checks = {cell.check for cell in cells}
    failed = case.failing_among(checks)
    if not failed:
        return
    services = " and ".join(f"{cell.transport.upper()} {cell.port}" for cell in cells)
    on_the_way = all(map(_is_told_by_another, cells))
    end = "as something on the way says" if on_the_way else _ENDS[how]
    yield case.finding(
        "port-rejected" if on_the_way else "service-down",
        failed,
        f"{cells[0].address} refuses {services}, which {_others(case, cells)} of the hosts that the product lists "
        f"beside it serve: {end}.",
        where=Where.VENDOR if how is _Seen.BESIDE_ITS_OWN and not on_the_way else Where.UNKNOWN,
        confidence=Confidence.POSSIBLE if how is _Seen.NOWHERE or on_the_way else Confidence.LIKELY,
        remedy="Check the vendor's status page, and look for a rule of your own that rejects this address alone.",
    )


_ENDS = {
    _Seen.BESIDE_ITS_OWN: "the refusal comes from as far away as what its other ports answer",
    _Seen.FAR_AWAY: "the refusal comes from as far away as the nearest of these answers",
    _Seen.NOWHERE: "so does a host on which the service does not run, and a rule for this address alone",
}


def _is_told_by_another(cell: Cell) -> bool:
    """Than the host. That the host is gone is the host's matter all the same."""
    told = cell.failure in (Failure.ICMP_ADMIN_PROHIBITED, Failure.PORT_UNREACHABLE)
    return told and cell.offender not in (None, cell.address)


def _others(case: Case, cells: Sequence[Cell]) -> int:
    """How many answer, of the service that the fewest do."""
    return min(
        sum(c.sign is Sign.ANSWERED and c.port == cell.port for c in case.cells_of(cell.requirement or ""))
        for cell in cells
    )
