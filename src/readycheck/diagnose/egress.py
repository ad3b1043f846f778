"""Which hop-limited packets would prove what nobody answered: the follow-up check `path`. Pure."""

import ipaddress
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from readycheck.diagnose import elsewhere, path_mtu
from readycheck.diagnose.doors import Door, alone
from readycheck.diagnose.neighbours import home_of
from readycheck.diagnose.server_names import nameless_in_question, names_in_question
from readycheck.diagnose.situation import COUNTING, Situation, can_hear_routers, local_address, round_trip
from readycheck.engine import Outcome
from readycheck.evidence import Cell, Evidence, Sign
from readycheck.failure import Step
from readycheck.lost_packets import resent
from readycheck.net.address import is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import NAME_SERVERS, Check, CheckTarget, Plan, Scope
from readycheck.probe import Effort
from readycheck.profile import Area, Importance
from readycheck.registry import Registry, build_params

PROBE = "path"
EXTRA_S = {Effort.QUICK: 0.1, Effort.NORMAL: 5.5, Effort.THOROUGH: 30.0}
LONGEST_S = {Effort.QUICK: 0.5, Effort.NORMAL: 12.0, Effort.THOROUGH: 60.0}
PART_ORDER = (0, 2, 1, 3)
REFUSED_SAMPLES = 4
WALLS = 3
FLOWS_S, SPARED = 3.5, 2
"""The time, and the replies of each router, that are left to comparisons with a control."""


@dataclass
class _Grid:
    """What is known of the networks and ports of one transport.

    Networks are proven on the ports of `vital` requirements: that time passes says nothing of media.
    """

    transport: str
    vital: frozenset[str]
    cells: list[Cell] = field(default_factory=list)

    @property
    def networks(self) -> list[str]:
        """Largest first: an allow-list is likelier to hold only a part of a large network."""
        names = dict.fromkeys(c.network for c in self.cells if c.requirement in self.vital)
        return sorted(names, key=lambda n: ipaddress.ip_network(n).prefixlen)

    @cached_property
    def _by_network(self) -> dict[str, list[Cell]]:
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            if cell.requirement in self.vital:
                found.setdefault(cell.network, []).append(cell)
        return found

    @cached_property
    def answering(self) -> frozenset[int | None]:
        """Ports that answer somewhere."""
        return frozenset(c.port for c in self.cells if c.sign is Sign.ANSWERED)

    def answered(self, network: str) -> list[Cell]:
        return [c for c in self._by_network.get(network, ()) if c.sign is Sign.ANSWERED]

    def quiet(self, network: str, part: int | None = None) -> list[Cell]:
        return [
            c
            for c in self._by_network.get(network, ())
            if c.sign in (Sign.SILENT, Sign.REFUSED) and (part is None or c.part == part)
        ]


def survey(situation: Situation) -> Iterator[Check]:
    """The hop-limited packets that this host can send, and hear of; first those that locate what a handshake lost."""
    check = _survey(situation)
    yield from [check] if check else []


@lru_cache(maxsize=1)
def _survey(situation: Situation) -> Check | None:
    """Half of the follow-ups ask whether it is still to come."""
    if not can_hear_routers(situation.environment) or path_mtu.is_due(situation):
        return None
    lost = lost_doors(situation)
    # What the comparison of silent ports with their controls will want; a port of networks may be settled without.
    kept_s = FLOWS_S if lost or silent_columns(situation) else 0.0
    return egress_check(
        situation.plan,
        situation.registry,
        situation.outcomes,
        situation.evidence,
        local_address(situation.environment),
        situation.left_s - kept_s,
        situation.gone_silent,
        [door.address for door in alone(lost, situation.doors)],
        SPARED if lost else 0,
        greetings_die=any(names_in_question(situation)) or any(nameless_in_question(situation)),
    )


def is_due(situation: Situation) -> bool:
    """The survey is still to come: who also listens to routers, which answer seldom, would take its answers."""
    return path_mtu.is_due(situation) or any(check.id not in situation.done for check in survey(situation))


def lost_doors(situation: Situation) -> list[Door]:
    """Doors of named hosts that nothing answered at, and that the verdict hangs on."""
    counting = situation.counting
    return [d for d in situation.doors if d.is_lost and counting & set(d.checks)]


def silent_columns(situation: Situation) -> list[tuple[Cell, Cell]]:
    """Single ports that a required service answers on nowhere, at addresses that answer on another port.

    Of each port two addresses, of different networks where there are.
    """
    evidence = situation.evidence
    needed = {r.id for r in situation.plan.selected if r.importance is Importance.REQUIRED}
    open_ports = {(c.transport, c.port) for c in evidence.cells if c.sign is Sign.ANSWERED}
    alive = {c.address: c for c in evidence.cells if c.sign is Sign.ANSWERED and c.requirement}
    labels = {o.check.id: o.check.target.ports for o in situation.outcomes}
    found: dict[object, list[tuple[Cell, Cell]]] = {}
    for cell in evidence.cells:
        single = cell.requirement in needed and labels[cell.check].isdigit()
        dark = cell.sign is Sign.SILENT and (cell.transport, cell.port) not in open_ports
        if single and dark and cell.address in alive:
            found.setdefault((cell.transport, cell.port), []).append((cell, alive[cell.address]))
    chosen = [_of_two_networks(pairs) for pairs in found.values()]
    return [pairs[turn] for turn in range(2) for pairs in chosen if turn < len(pairs)]


def _of_two_networks(pairs: Sequence[tuple[Cell, Cell]]) -> list[tuple[Cell, Cell]]:
    first = pairs[0][0].network
    return [pairs[0], *[p for p in pairs[1:] if p[0].network != first], *pairs[1:]][:2]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is surveyed, the more telling first; `lost` says that something is amiss, and not merely unproven."""

    essential: Sequence[Cell]
    extra: Sequence[Cell]
    refused: Sequence[Cell]
    walls: Sequence[Target]
    lost: bool


def egress_check(
    plan: Plan,
    registry: Registry,
    outcomes: Sequence[Outcome],
    evidence: Evidence,
    local: str,
    left_s: float,
    gone_silent: Set[str] = frozenset(),
    lost: Sequence[str] = (),
    spared: int = 0,
    *,
    greetings_die: bool = False,
) -> Check | None:
    """The check that surveys what no answer has proven; None when there is nothing to prove or no way to.

    What lies beside `lost` addresses comes first: it tells whether an address or its network is blocked. Where
    `greetings_die` that are sent with hop limits as well, the site's edge at least has to be known.
    """
    if left_s < 0.5:
        return None
    asked = _unproven(plan, outcomes, evidence, gone_silent, lost)
    needed = asked.lost or greetings_die or (asked.essential and plan.effort is not Effort.QUICK)
    if not needed or PROBE not in registry.installed:
        return None
    probe = registry.probe(PROBE)
    seconds = _seconds(plan.effort, left_s - 0.3)
    outside = _outside(outcomes, evidence) if asked.lost or greetings_die else []
    known = {"local": local, "outside": tuple(outside), "spared": spared}
    values = {**_values(asked, outcomes, evidence), **seconds, **known}
    return Check(
        id="path/egress",
        requirement=None,
        probe=PROBE,
        scope=Scope.PATH,
        target=CheckTarget(transport="udp, tcp"),
        params=build_params(probe.Params, {}, where="path", **values),
        budget_s=left_s,
        proves=probe.proves,
    )


def _seconds(effort: Effort, most_s: float) -> dict[str, float]:
    return {"seconds": min(most_s, LONGEST_S[effort]), "extra_seconds": min(most_s, EXTRA_S[effort])}


def _unproven(
    plan: Plan,
    outcomes: Sequence[Outcome],
    evidence: Evidence,
    gone_silent: Set[str],
    lost: Sequence[str],
) -> _Asked:
    important = {r.id for r in plan.selected if r.importance in COUNTING}
    counting = {o.check.id for o in outcomes if o.check.requirement in important}
    cells = [c for c in evidence.cells if c.check in counting]
    vital = frozenset(r.id for r in plan.selected if r.area in (Area.SIGNALLING, Area.MEDIA_REACHABILITY))
    needed = frozenset(r.id for r in plan.selected if r.importance is Importance.REQUIRED)
    first, extra = _cells(_grids(vital, [c for c in cells if c.requirement in needed]))
    grids = _grids(vital, cells)
    more = [c for group in _cells(grids) for c in group]
    essential = dict.fromkeys((*_beside(lost, grids, evidence), *first))
    refused = [cell for grid in grids for cell in _refused(grid)]
    walls = [*list(_walls(outcomes))[:WALLS], *elsewhere.targets(outcomes)]
    return _Asked(
        essential=list(essential),
        extra=[c for c in dict.fromkeys((*extra, *more)) if c not in essential],
        refused=refused,
        walls=walls,
        lost=bool(refused or walls) or any(_is_lost(grid, gone_silent) for grid in grids),
    )


def _values(asked: _Asked, outcomes: Sequence[Outcome], evidence: Evidence) -> dict[str, object]:
    return {
        "targets": tuple(_target(c) for c in (*asked.essential, *asked.extra)),
        "refused": tuple(_target(c) for c in asked.refused),
        "walls": tuple(asked.walls),
        "controls": tuple(_controls(outcomes)),
        "answered": tuple(_target(c) for c in evidence.cells if c.sign is Sign.ANSWERED),
        "resent": tuple(resent(o for outcome in outcomes for o in outcome.observations)),
        "kinds": tuple(sorted(_kinds(evidence, outcomes).items())),
        "rtt_ms": round_trip(outcomes),
        "mapped": evidence.mapped,
        "essential": len(asked.essential) + len(asked.refused),
    }


def _beside(lost: Sequence[str], grids: Sequence[_Grid], evidence: Evidence) -> Iterator[Cell]:
    """A silent cell in the quarter of a network in which a host is lost, where nothing answers beside it."""
    for address in lost:
        home = home_of(address, evidence)
        if home is None or home.open_beyond(0):
            continue
        for grid in grids:
            quiet = [c for c in grid.quiet(home.network, home.part) if c.address != address]
            if quiet:
                yield _likely(grid, quiet, 0)
                break


def _is_lost(grid: _Grid, gone_silent: Set[str]) -> bool:
    """More than addresses that may be empty is silent; a quick run has no time to prove where those lead."""
    ports = any(cell.check.rsplit(":", 1)[-1].isdigit() for cell in _columns(grid))
    return ports or any(cell.address in gone_silent for cell in grid.cells if cell.sign is Sign.SILENT)


def _grids(vital: frozenset[str], cells: Sequence[Cell]) -> list[_Grid]:
    return [_Grid(t, vital, [c for c in cells if c.transport == t]) for t in ("udp", "tcp")]


def _cells(grids: Sequence[_Grid]) -> tuple[list[Cell], list[Cell]]:
    """Essential: each network and each port without an answer; extra: the other parts of networks."""
    lines = [list(line) for grid in grids for line in (_silent_networks(grid), _columns(grid))]
    essential = list(dict.fromkeys(_interleave(lines)))
    parts = dict.fromkeys(cell for grid in grids for cell in _other_parts(grid))
    asked = frozenset(essential)
    return essential, [cell for cell in parts if cell not in asked]


def _interleave(lists: Sequence[Sequence[Cell]]) -> Iterator[Cell]:
    for index in range(max((len(each) for each in lists), default=0)):
        yield from (each[index] for each in lists if index < len(each))


def _silent_networks(grid: _Grid) -> Iterator[Cell]:
    for turn, network in enumerate(grid.networks):
        quiet = grid.quiet(network, PART_ORDER[0]) or grid.quiet(network)
        if quiet and not grid.answered(network):
            yield _likely(grid, quiet, turn)


def _other_parts(grid: _Grid) -> Iterator[Cell]:
    for turn, network in enumerate(grid.networks):
        for part in PART_ORDER:
            quiet = grid.quiet(network, part)
            if quiet and not any(c.part == part for c in grid.answered(network)):
                yield _likely(grid, quiet, turn + part)


def _likely(grid: _Grid, quiet: Sequence[Cell], turn: int) -> Cell:
    """Rotate over the ports, those that answer elsewhere first: only they show that replies return."""
    best = [c for c in quiet if c.port in grid.answering] or list(quiet)
    return best[turn % len(best)]


def _columns(grid: _Grid) -> Iterator[Cell]:
    """Ports that answered nowhere, asked in networks that do answer, so that the strength is `egress`."""
    columns: dict[tuple[str | None, str], list[Cell]] = {}
    for cell in grid.cells:
        columns.setdefault((cell.requirement, cell.check.rsplit(":", 1)[-1]), []).append(cell)
    # Single ports first: a range has other strata to speak for it.
    for index, cells in enumerate(sorted(columns.values(), key=lambda some: len({c.port for c in some}) > 1)):
        if any(c.sign is Sign.ANSWERED for c in cells):
            continue
        quiet = [c for c in cells if c.sign is Sign.SILENT]
        best = min((_strangeness(grid, c) for c in quiet), default=0)
        likely = [c for c in quiet if _strangeness(grid, c) == best]
        if likely:
            yield likely[index % len(likely)]


def _strangeness(grid: _Grid, cell: Cell) -> int:
    """A port is best asked where something answers: at the address, in the part of the network, in the network."""
    answered = grid.answered(cell.network)
    if any(c.address == cell.address for c in answered):
        return 0
    if any(c.part == cell.part for c in answered):
        return 1
    return 2 if answered else 3


def _refused(grid: _Grid) -> Iterator[Cell]:
    """A few cells of each port that was refused and answered nowhere."""
    for port in sorted({c.port for c in grid.cells if c.sign is Sign.REFUSED}):
        cells = [c for c in grid.cells if c.port == port]
        if not any(c.sign is Sign.ANSWERED for c in cells):
            refused = {c.network: c for c in cells if c.sign is Sign.REFUSED}
            yield from list(refused.values())[:REFUSED_SAMPLES]


def _controls(outcomes: Sequence[Outcome]) -> Iterator[Target]:
    """One answered target of each transport beyond the site: its way is known to be open.

    Of IPv4 where there is one: by its routers the site's edge is seen.
    """
    found: dict[tuple[str, bool], Target] = {}
    for outcome in outcomes:
        for observation in outcome.observations:
            target = observation.target
            direct = target.address and target.port and target.transport and not target.via
            proven = observation.failure is None and direct
            if (
                proven
                and outcome.check.scope not in NAME_SERVERS
                and not is_site_address(str(target.address))
            ):
                found.setdefault((str(target.transport), ":" in str(target.address)), target)
    for transport in dict.fromkeys(transport for transport, _ in found):
        yield found.get((transport, False)) or found[transport, True]


def _outside(outcomes: Sequence[Outcome], evidence: Evidence) -> list[Target]:
    """A host outside the product that answers over IPv4: routers on the way to it are no vendor's."""
    return [
        Target(address=o.target.address, port=o.target.port, transport="tcp")
        for outcome in outcomes
        if outcome.check.scope is Scope.CONTROL
        for o in outcome.observations
        if o.step is Step.CONNECT and o.failure is None and not o.target.via
        if o.target.address and ":" not in o.target.address and not evidence.is_in_networks(o.target.address)
    ][:1]


def _walls(outcomes: Sequence[Outcome]) -> Iterator[Target]:
    """Name servers that do not answer."""
    for outcome in outcomes:
        if outcome.check.scope not in (Scope.RESOLVERS, Scope.HONESTY):
            continue
        servers = {target.address for target in outcome.check.params.targets}
        answering = {_server(o) for o in outcome.observations if _is_answer(o)}
        for observation in outcome.observations:
            target = observation.target
            direct = target.address in servers and target.port and not target.via
            stuck = observation.step is not Step.RESOLVE and _server(observation) not in answering
            if direct and stuck:
                yield Target(address=target.address, port=target.port, transport=target.transport)
                break


def _server(observation: Observation) -> tuple[str | None, int | None, str | None]:
    return observation.target.address, observation.target.port, observation.target.transport


def _is_answer(observation: Observation) -> bool:
    """That there is no such name is an answer as well."""
    return observation.failure is None or "rcode" in observation.facts


def _kinds(evidence: Evidence, outcomes: Sequence[Outcome]) -> dict[int, str]:
    """The probe of each UDP port: a packet with a small hop limit is else the same as without."""
    probes = {o.check.id: o.check.probe for o in outcomes}
    return {c.port: probes[c.check] for c in evidence.cells if c.transport == "udp" and c.requirement}


def _target(cell: Cell) -> Target:
    return Target(network=cell.network, address=cell.address, port=cell.port, transport=cell.transport)
