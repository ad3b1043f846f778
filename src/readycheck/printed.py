"""Hosts that a product prints one by one, and which of them refuse what the others serve. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network

from readycheck.engine import Outcome
from readycheck.evidence import Cell, Evidence, Sign
from readycheck.failure import Failure
from readycheck.plan import Scope


def refusing_alone(outcomes: Iterable[Outcome], evidence: Evidence) -> Mapping[str, Cell]:
    """By check, the hosts that refuse a port which most of those printed beside them answer on.

    Of a network most addresses are empty, and of a range of ports most wait for a call: that one refuses shows
    nothing there. An address and a port that are printed by themselves are a service.
    """
    services: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        check = outcome.check
        if check.scope is Scope.SAMPLED and check.requirement and check.target.ports.isdigit():
            services.setdefault((check.requirement, check.target.ports), []).append(outcome)
    return {cell.check: cell for hosts in services.values() for cell in _strange(hosts, evidence)}


def _strange(hosts: Sequence[Outcome], evidence: Evidence) -> Iterator[Cell]:
    if not all(_is_one_host(outcome) for outcome in hosts):
        return
    cells = [cell for outcome in hosts for cell in evidence.of_check(outcome.check.id)]
    refusing = [cell for cell in cells if _refuses(cell)]
    if len(refusing) < sum(cell.sign is Sign.ANSWERED for cell in cells):
        yield from refusing


def _is_one_host(outcome: Outcome) -> bool:
    network = outcome.check.target.network
    return network is not None and ip_network(network).num_addresses == 1


def _refuses(cell: Cell) -> bool:
    """By a message of the host's own too: it shows that the way is open, and that nobody listens at its end."""
    return cell.sign is Sign.REFUSED or (cell.sign is Sign.LEFT and is_by_itself(cell))


def is_by_itself(cell: Cell) -> bool:
    return cell.failure is Failure.PORT_UNREACHABLE and cell.offender == cell.address
