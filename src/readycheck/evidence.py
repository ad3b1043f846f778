"""Outcomes seen as a grid: what is proven of each part of each network on each port. Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeVar

from readycheck import denials, lost_packets, wakened
from readycheck.engine import Outcome, Status
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.net.address import is_site_address
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.sampling import part_of

K = TypeVar("K", bound=Hashable)


class Sign(StrEnum):
    """What one address and port showed."""

    ANSWERED = "answered"
    LEFT = "left"
    STOPPED = "stopped"
    REJECTED = "rejected"
    REFUSED = "refused"
    SILENT = "silent"
    LOCAL = "local"
    UNKNOWN = "unknown"


SWITCHED = 101
"""The status of an answer that agrees to another protocol (RFC 9110 section 15.2.2)."""

OPEN = (Sign.ANSWERED, Sign.LEFT)
WALL = (Sign.STOPPED, Sign.REJECTED)

REFUSALS = frozenset(
    {
        Failure.CONNECTION_REFUSED,
        Failure.ICMP_ADMIN_PROHIBITED,
        Failure.PORT_UNREACHABLE,
        Failure.HOST_UNREACHABLE,
        Failure.NETWORK_UNREACHABLE,
        Failure.CONNECTION_RESET,
        Failure.HOP_LIMIT_EXCEEDED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One address and port of a vendor network, and the sign it gave.

    `ttl` is set by hop-limited packets; `own` says that their control was another port of the same address, `spoken`
    that they stop where RTP to the same port goes on: for what they say. `quiet` are those where healthy hosts may
    keep silent.
    """

    sign: Sign
    check: str
    requirement: str | None
    transport: str
    network: str
    address: str
    part: int
    port: int
    failure: Failure | None = None
    offender: str | None = None
    ttl: int | None = None
    own: bool = False
    spoken: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """A router that answered a hop-limited packet.

    `purpose` is `ladder` (a control's), `stopped`, or `outside` (a host's outside the product).
    """

    ttl: int
    address: str
    transport: str
    purpose: str
    target: str


@dataclass(frozen=True)
class Evidence:
    """All cells, the hops, and where the site's edge is (`edge_ttl` None: not known).

    `labels` names, for each transport and port, the port strata that it stands for, and `fickle` are ports that
    were silent and answered when they were asked again, or that lose most of what opens a connection. `halted` are
    transport, address and port of named hosts where packets end before those to another port of the same address,
    `granted` hosts and ports that, asked past the proxy, agreed to a connection that has to stay, and `living` those
    that, asked past it, answered. `doubtful` are wildcards of which no name was found, `denied` those whose very
    domain a name server denies of its own accord.
    `late_ms` is what connections take to open where nearly all take seconds, None where they do not.
    `capricious` are name servers that looked up at one time what they refused or failed to at another, `wakened` those
    that were silent when the run began, as all were, and answered later.
    """

    cells: tuple[Cell, ...]
    rungs: tuple[Rung, ...]
    edge_ttl: int | None
    mapped: str | None
    labels: Mapping[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    fickle: frozenset[tuple[str, int]] = frozenset()
    halted: frozenset[tuple[str, str, int]] = frozenset()
    granted: frozenset[tuple[str | None, str]] = frozenset()
    living: frozenset[tuple[str | None, str]] = frozenset()
    doubtful: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    late_ms: float | None = None
    capricious: frozenset[str] = frozenset()
    wakened: frozenset[str] = frozenset()

    def of_check(self, check: str) -> Sequence[Cell]:
        return self._by_check.get(check, ())

    def row(self, transport: str, network: str) -> Sequence[Cell]:
        """Every cell of a network, on any port."""
        return self._by_network.get((transport, network), ())

    def column(self, transport: str, label: str) -> Sequence[Cell]:
        """Every cell of a port or port stratum, in any network."""
        return self._by_label.get((transport, label), ())

    def answers_return(self, transport: str, network: str, label: str, kin: frozenset[str]) -> bool:
        """Another port of the network, or the port in another network, answered a requirement of `kin`."""
        around = (*self.row(transport, network), *self.column(transport, label))
        return any(c.sign is Sign.ANSWERED and c.requirement in kin for c in around)

    def is_in_networks(self, address: str) -> bool:
        """Whether it is of a network of the product that was asked."""
        return any(ip_address(address) in network for network in self._networks)

    @cached_property
    def _networks(self) -> frozenset[IPv4Network | IPv6Network]:
        return frozenset(ip_network(c.network) for c in self.cells if c.network)

    @cached_property
    def _by_check(self) -> dict[str, list[Cell]]:
        return _index(self.cells, lambda c: c.check)

    @cached_property
    def _by_network(self) -> dict[tuple[str, str], list[Cell]]:
        return _index(self.cells, lambda c: (c.transport, c.network))

    @cached_property
    def _by_label(self) -> dict[tuple[str, str], list[Cell]]:
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            for label in self.labels.get((cell.transport, cell.port), ()):
                found.setdefault((cell.transport, label), []).append(cell)
        return found


def _index(cells: Iterable[Cell], key: Callable[[Cell], K]) -> dict[K, list[Cell]]:
    found: dict[K, list[Cell]] = {}
    for cell in cells:
        found.setdefault(key(cell), []).append(cell)
    return found


def gather(outcomes: Sequence[Outcome]) -> Evidence:
    """Read the grid off the outcomes."""
    observations = [o for outcome in outcomes for o in outcome.observations]
    survey = [o for o in observations if o.facts.get("purpose") == "survey"]
    proven = [int(o.facts["edge_ttl"]) for o in observations if o.facts.get("edge_proven")]
    mapped = [o.facts["mapped_address"] for o in observations if o.facts.get("mapped_address")]
    rungs = tuple(rungs_of(observations))
    routers = frozenset(rung.address for rung in rungs if rung.purpose == "ladder")
    late_ms = lost_packets.late_ms(observations)
    found = (cell for outcome in outcomes for cell in _cells(outcome, routers))
    cells = tuple(map(_without_openings, found) if late_ms else found)
    return Evidence(
        cells=cells,
        rungs=rungs,
        edge_ttl=min(proven) if proven else None,
        mapped=_host(str(mapped[0])) if mapped else None,
        labels=_labels(outcomes, cells),
        fickle=lost_packets.fickle(observations, ((cell.transport, cell.port) for cell in cells), late_ms),
        halted=frozenset(place for place in _halted(survey) if not (late_ms and place[0] == "tcp")),
        granted=frozenset(_granted(outcomes)),
        living=frozenset(_living(outcomes)),
        doubtful=denials.doubtful(outcomes),
        denied=denials.denied(outcomes),
        late_ms=late_ms,
        capricious=frozenset(denials.capricious(denials.said(outcomes))),
        wakened=wakened.wakened(outcomes),
    )


def _labels(outcomes: Sequence[Outcome], cells: Iterable[Cell]) -> dict[tuple[str, int], frozenset[str]]:
    strata = {o.check.id: o.check.target.ports for o in outcomes}
    found: dict[tuple[str, int], set[str]] = {}
    for cell in cells:
        if cell.requirement:
            found.setdefault((cell.transport, cell.port), set()).add(strata[cell.check])
    return {key: frozenset(labels) for key, labels in found.items()}


def _host(endpoint: str) -> str:
    """The address of `address:port` or `[address]:port`."""
    return endpoint.rpartition(":")[0].strip("[]")


def _cells(outcome: Outcome, routers: frozenset[str]) -> Iterator[Cell]:
    if outcome.status is Status.SKIPPED or outcome.check.target.via:  # a proxy's way out is not the site's
        return
    if outcome.check.scope is Scope.PATH:
        yield from _path_cells(outcome)
    elif outcome.check.scope is Scope.SAMPLED:
        for observation in _last_by_target(outcome):
            yield _cell(outcome, observation, _sign(outcome, observation, routers))


def _without_openings(cell: Cell) -> Cell:
    """Where the first packets of all connections are dropped, that a single one stops shows no wall."""
    opening = cell.transport == "tcp" and cell.sign is Sign.STOPPED
    return replace(cell, sign=Sign.UNKNOWN) if opening else cell


def _halted(survey: Iterable[Observation]) -> Iterator[tuple[str, str, int]]:
    for o in survey:
        if o.facts.get("control_own") and _FATES.get(str(o.facts["fate"])) in WALL and not o.target.network:
            yield o.target.transport or "", o.target.address or "", o.target.port or 0


def _granted(outcomes: Iterable[Outcome]) -> Iterator[tuple[str | None, str]]:
    for outcome in outcomes:
        check = outcome.check
        if check.scope is Scope.FOLLOW_UP and check.must_stay and not check.target.via:
            if any(o.facts.get("status") == SWITCHED for o in outcome.observations):
                yield check.target.host, check.target.ports


def _living(outcomes: Iterable[Outcome]) -> Iterator[tuple[str | None, str]]:
    for outcome in outcomes:
        check = outcome.check
        if check.scope is Scope.FOLLOW_UP and check.group and not check.target.via:
            if any(o.step is check.proves and o.failure is None for o in outcome.observations):
                yield check.target.host, check.target.ports


def _last_by_target(outcome: Outcome) -> Iterable[Observation]:
    """The step that decided for each address and port: a proof, else the last try at one, else what came last."""
    decided: dict[tuple[str | None, int | None], Observation] = {}
    for observation in outcome.observations:
        key = observation.target.address, observation.target.port
        if observation.target.network is None:
            continue
        known = decided.get(key)
        proves = outcome.check.proves
        again = observation.step is proves and known is not None and known.failure is not None
        if known is None or known.step is not proves or again:
            decided[key] = observation
    return decided.values()


def _sign(outcome: Outcome, observation: Observation, routers: frozenset[str]) -> Sign:
    """What the deciding step shows; after a connection stands, something has answered whatever follows."""
    failure, step = observation.failure, observation.step
    if failure is None:
        return Sign.ANSWERED if step is outcome.check.proves else Sign.UNKNOWN
    if failure in LOCAL_FAILURES:
        return Sign.LOCAL
    if failure is Failure.INTERRUPTED:
        return Sign.UNKNOWN
    if failure in _SPOKEN or _has_spoken(observation):
        return Sign.ANSWERED
    if failure is Failure.TIMED_OUT:
        return Sign.SILENT
    return refusal(observation, routers) if failure in REFUSALS else Sign.UNKNOWN


def _has_spoken(observation: Observation) -> bool:
    """A name server says itself whether it answered; of others, what follows a connection shows it."""
    told = observation.facts.get("answered_by_server")
    return observation.step not in (Step.CONNECT, Step.ECHO) if told is None else bool(told)


_UNROUTED = (Failure.NETWORK_UNREACHABLE, Failure.HOST_UNREACHABLE)
"""Without a sender, these are what this host says of its own routes and neighbours."""


def refusal(observation: Observation, routers: frozenset[str]) -> Sign:
    """By whom: the destination's own *port unreachable* shows that the way is open, a router's that it is not.

    Of hops that are used up only a router speaks.
    """
    offender = observation.facts.get("offender")
    if not isinstance(offender, str):
        return Sign.LOCAL if observation.failure in _UNROUTED else Sign.REFUSED
    if offender == observation.target.address:
        return Sign.LEFT if observation.failure is Failure.PORT_UNREACHABLE else Sign.REFUSED
    spent = observation.failure is Failure.HOP_LIMIT_EXCEEDED
    on_the_way = spent or offender in routers or is_site_address(offender)
    return Sign.REJECTED if on_the_way else Sign.REFUSED


_SPOKEN = (Failure.PROTOCOL_ERROR, Failure.CLOCK_UNSYNCHRONISED)


_FATES: Mapping[str, Sign] = {
    "left": Sign.LEFT,
    "stopped": Sign.STOPPED,
    "rejected": Sign.REJECTED,
}


def _path_cells(outcome: Outcome) -> Iterator[Cell]:
    for observation in outcome.observations:
        if observation.facts.get("purpose") == "survey" and observation.target.network:
            sign = _FATES.get(str(observation.facts.get("fate")), Sign.UNKNOWN)
            yield _cell(outcome, observation, sign)


def _cell(outcome: Outcome, observation: Observation, sign: Sign) -> Cell:
    target = observation.target
    ttl, offender = observation.facts.get("ttl"), observation.facts.get("offender")
    return Cell(
        sign=sign,
        check=outcome.check.id,
        requirement=outcome.check.requirement,
        transport=target.transport or "",
        network=target.network or "",
        address=target.address or "",
        part=part_of(target.address or "", target.network or ""),
        port=target.port or 0,
        failure=None if observation.facts.get("answered_by_server") else observation.failure,
        offender=str(offender) if offender else None,
        ttl=ttl if isinstance(ttl, int) else None,
        own=bool(observation.facts.get("control_own")),
        spoken=bool(observation.facts.get("media_reached")),
        quiet=outcome.check.may_be_silent,
    )


def rungs_of(observations: Iterable[Observation]) -> Iterator[Rung]:
    """The routers that answered hop-limited packets."""
    for o in observations:
        purpose, offender = o.facts.get("purpose"), o.facts.get("offender")
        if purpose in ("ladder", "stopped", "outside") and isinstance(offender, str):
            yield Rung(int(o.facts["ttl"]), offender, o.target.transport or "", str(purpose), str(o.target))
