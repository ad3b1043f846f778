"""What a rule may look at, and the questions that many rules ask of it."""

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from readycheck.diagnose.doors import Door, find_doors
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.engine import Outcome
from readycheck.evidence import REFUSALS, Cell, Evidence, Rung, Sign
from readycheck.failure import Failure, Step
from readycheck.net.address import is_carrier_address, is_site_address
from readycheck.net.environment import Environment
from readycheck.observation import Observation, Remembered
from readycheck.plan import NAME_SERVERS, Scope
from readycheck.profile import Area, Importance, Profile, Requirement
from readycheck.verdict import CheckVerdict, Judgement, Verdict
from readycheck.walls import Walls, sort_walls


@dataclass(frozen=True)
class Case:
    """Everything that is known after a round of measuring; `roles` are those of the run.

    `gone_silent` are addresses that answered earlier runs and not this one.
    """

    profile: Profile
    environment: Environment
    verdicts: tuple[Verdict, ...]
    outcomes: tuple[Outcome, ...]
    evidence: Evidence
    roles: tuple[str, ...] = ()
    gone_silent: tuple[Remembered, ...] = ()

    @cached_property
    def walls(self) -> Walls:
        return sort_walls(self.evidence)

    @cached_property
    def doors(self) -> tuple[Door, ...]:
        return find_doors(self.outcomes)

    def label(self, cell: Cell) -> str:
        """The port or port stratum of a check's cell."""
        return self.by_check[cell.check].check.target.ports

    @cached_property
    def requirements(self) -> dict[str, Requirement]:
        return {v.requirement.id: v.requirement for v in self.verdicts}

    @cached_property
    def pinned(self) -> frozenset[str]:
        """Requirements whose servers are the vendor's own."""
        return frozenset(r.id for r in self.requirements.values() if r.pinned)

    @cached_property
    def by_check(self) -> dict[str, Outcome]:
        return {outcome.check.id: outcome for outcome in self.outcomes}

    @cached_property
    def failing(self) -> tuple[tuple[Requirement, CheckVerdict], ...]:
        """Checks that failed, or that stayed open for want of a name or an answer."""
        bad = (Judgement.FAIL, Judgement.WARN, Judgement.INCONCLUSIVE)
        return tuple((v.requirement, c) for v in self.verdicts for c in v.checks if c.status in bad)

    @cached_property
    def sampled(self) -> tuple[Cell, ...]:
        """Cells of requirements (those of the survey are in `evidence` with no requirement)."""
        return tuple(c for c in self.evidence.cells if c.requirement)

    def cells_of(self, requirement: str) -> list[Cell]:
        return self._by_requirement.get(requirement, [])

    @cached_property
    def _by_requirement(self) -> dict[str | None, list[Cell]]:
        found: dict[str | None, list[Cell]] = {}
        for cell in self.sampled:
            found.setdefault(cell.requirement, []).append(cell)
        return found

    def observations(self, scope: Scope | None = None) -> Iterator[tuple[Outcome, Observation]]:
        for outcome in self.outcomes:
            if scope is None or outcome.check.scope is scope:
                yield from ((outcome, observation) for observation in outcome.observations)

    def answered_anywhere(self, *, names: bool = True) -> bool:
        """Anything beyond the site has answered: a service, a control, with `names` a remote name server."""
        return any(
            o.failure is None
            and (names or outcome.check.scope not in NAME_SERVERS)
            and (o.target.via or (o.target.address and not is_site_address(o.target.address)))
            and o.step not in (Step.HOP, Step.RESOLVE)
            for outcome, o in self.observations()
        )

    def failing_among(self, checks: Container[str]) -> list[str]:
        return [c.check for _, c in self.failing if c.check in checks]

    def requirements_of(self, checks: Iterable[str]) -> tuple[str, ...]:
        found = {self.by_check[c].check.requirement for c in checks if c in self.by_check}
        return tuple(r for r in self.requirements if r in found)

    def severity(self, affects: Iterable[str]) -> Severity:
        """Blocking when a required requirement failed by it."""
        names = set(affects)
        hit = [v for v in self.verdicts if v.requirement.id in names]
        worst = {v.requirement.importance for v in hit}
        if any(v.requirement.importance is Importance.REQUIRED and v.status is Judgement.FAIL for v in hit):
            return Severity.BLOCKING
        return Severity.DEGRADING if worst & {Importance.REQUIRED, Importance.RECOMMENDED} else Severity.NOTE

    def finding(
        self,
        cause: str,
        checks: Sequence[str],
        summary: str,
        *,
        where: Where = Where.UNKNOWN,
        confidence: Confidence = Confidence.LIKELY,
        owner: Owner | None = None,
        remedy: str = "",
    ) -> Finding:
        affects = self.requirements_of(checks)
        return Finding(
            cause=cause,
            where=where,
            confidence=confidence,
            severity=self.severity(affects),
            owner=owner or OWNERS[where],
            summary=summary,
            affects=affects,
            evidence=tuple(dict.fromkeys(checks)),
            remedy=remedy,
        )


OWNERS = {
    Where.HOST: Owner.HOST_ADMIN,
    Where.SITE: Owner.NETWORK,
    Where.ISP: Owner.ISP,
    Where.VENDOR: Owner.VENDOR,
    Where.UNKNOWN: Owner.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets end: the place, and the words that say by which hop that is known."""

    where: Where
    words: str


def place_of(
    case: Case,
    transport: str,
    ports: Iterable[int],
    cells: Collection[Cell] = (),
    alike: Iterable[Cell] | None = None,
) -> Place:
    """Locate a wall by the refusal's author, else by how far the stopped packets come.

    They come as far as others to the same ports were seen, of those `alike`; by default of all.
    """
    evidence, wanted = case.evidence, set(ports)
    for cell in cells:
        if cell.sign is Sign.REJECTED and _is_refused_at_once(case, cell):
            return Place(
                Where.UNKNOWN, "a packet that may go no further than the first router is refused already"
            )
        if cell.sign is Sign.REJECTED:
            return _author(case, cell)
    stopped = [
        rung
        for rung in evidence.rungs
        if rung.purpose == "stopped" and rung.transport == transport and _port(rung) in wanted
    ]
    control = [rung for rung in evidence.rungs if rung.purpose == "ladder"]
    if evidence.edge_ttl is None or not control:
        return Place(Where.UNKNOWN, "")
    if not _climbed(case, transport, wanted):
        # Only the survey: the packets do not reach the hop that it used.
        near = any(c.sign is Sign.STOPPED and c.ttl and c.ttl <= evidence.edge_ttl + 1 for c in cells)
        return Place(Where.SITE if near else Where.UNKNOWN, "")
    seen = [(r.ttl, r.address, _address(r)) for r in stopped]
    left = (c for c in (evidence.cells if alike is None else alike) if c.sign is Sign.LEFT)
    seen += [
        (c.ttl, c.offender, c.address)
        for c in left
        if c.transport == transport and c.port in wanted and c.ttl and c.offender
    ]
    reached, router, toward = max(seen, default=(0, "", ""))
    if reached >= max(rung.ttl for rung in control):
        return Place(Where.UNKNOWN, "")
    if not reached:
        return Place(Where.UNKNOWN, "packets do not even reach the first router, or this host keeps them")
    words = f"packets reach {router} (hop {reached}) and no further"
    following = next((rung.address for rung in control if rung.ttl == reached + 1), None)
    if reached <= evidence.edge_ttl:
        near = following is not None and not _is_seen_late(cells, evidence.edge_ttl)
        return Place(Where.SITE if near else Where.UNKNOWN, words)
    providers = provider_owns(evidence, router, following, toward)
    return Place(Where.ISP if providers else Where.UNKNOWN, words)


def _is_seen_late(cells: Collection[Cell], edge_ttl: int) -> bool:
    """Each was compared hop by hop, and no router right beyond the edge had an answer left for its control."""
    stopped = [c for c in cells if c.sign is Sign.STOPPED]
    return bool(stopped) and all(c.own and (c.ttl or 0) > edge_ttl + 1 for c in stopped)


def provider_owns(
    evidence: Evidence, router: str | None, following: str | None, toward: str | None = None
) -> bool:
    """Whether both routers around a wall beyond the site's edge are the provider's.

    Private and carrier addresses there are, neighbours of this site's public address, and, on the way `toward` an
    address of the product, those that lead elsewhere as well. Of any other router nothing tells whose it is: the
    vendor's network may begin right behind the provider's first.
    """
    return all(
        r is not None and (_is_providers(r, evidence.mapped) or _leads_elsewhere(evidence, r, toward))
        for r in (router, following)
    )


def _is_providers(router: str, mapped: str | None) -> bool:
    return is_site_address(router) or is_carrier_address(router) or _share(router, mapped, 3)


def _leads_elsewhere(evidence: Evidence, router: str, toward: str | None) -> bool:
    """Packets to a host outside the product pass it as well, which no router of the vendor's would see.

    Sites have routers with public addresses, too: the first one beyond the edge, or of the block that they are seen
    by. And who lives beside the product may share its hoster's routers. Over IPv6, where all routers of a site have
    such addresses and the edge is another, nothing tells them apart.
    """
    edge, mapped = evidence.edge_ttl, evidence.mapped
    if edge is None or mapped is None or toward is None or ":" in router + toward:
        return False
    if any(_share(router, each, 2) for each in (mapped, toward)) or evidence.is_in_networks(router):
        return False
    return any(
        r.purpose == "outside"
        and r.address == router
        and r.ttl > edge + 1
        and not _share(_address(r), toward, 2)
        for r in evidence.rungs
    )


def _share(one: str, other: str | None, octets: int) -> bool:
    """Whether two IPv4 addresses begin alike."""
    return (
        other is not None and ":" not in one + other and one.split(".")[:octets] == other.split(".")[:octets]
    )


def _is_refused_at_once(case: Case, cell: Cell) -> bool:
    """Refused with a hop limit of one: by this host itself, or by its first router."""
    return any(
        o.facts.get("purpose") == "stopped"
        and o.facts.get("ttl") == 1
        and o.failure in REFUSALS
        and (o.target.transport, o.target.port) == (cell.transport, cell.port)
        for _, o in case.observations(Scope.PATH)
    )


def _climbed(case: Case, transport: str, ports: set[int]) -> bool:
    """Whether packets to these ports were sent with every hop limit."""
    return any(
        o.facts.get("purpose") == "stopped" and o.target.transport == transport and o.target.port in ports
        for _, o in case.observations(Scope.PATH)
    )


def _port(rung: Rung) -> int:
    return int(rung.target.rsplit(":", 1)[-1])


def _address(rung: Rung) -> str:
    return rung.target.rsplit(":", 1)[0]


def _author(case: Case, cell: Cell) -> Place:
    """Who refused: the sender of the ICMP message, or for a reset the hop limit that was enough to provoke it."""
    evidence = case.evidence
    if cell.offender:
        return Place(_home(evidence, cell), f"{cell.offender} refuses the packets")
    tried = _tried(case, cell)
    enough = min((ttl for ttl, refused in tried.items() if refused), default=cell.ttl)
    if evidence.edge_ttl is None or enough is None:
        return Place(Where.UNKNOWN, "packets are refused on the way")
    words = f"a reset comes back for packets that can go no further than hop {enough}"
    if enough <= evidence.edge_ttl + 1:  # a router looks at its rules only when it would pass the packet on
        return Place(Where.SITE, words)
    spared = any(evidence.edge_ttl < ttl < enough for ttl, refused in tried.items() if not refused)
    router = next((r.address for r in evidence.rungs if r.purpose == "ladder" and r.ttl == enough - 1), None)
    toward = cell.address if _lies_beyond(evidence, cell, enough) else None
    providers = spared and provider_owns(evidence, router, router, toward)
    return Place(Where.ISP if providers else Where.UNKNOWN, words)


def _lies_beyond(evidence: Evidence, cell: Cell, hop: int) -> bool:
    """A router at this hop answered for its network: no server of it is as near, and could have sent the reset."""
    around = (c for transport in ("udp", "tcp") for c in evidence.row(transport, cell.network))
    return cell.own or any(
        c.sign is Sign.LEFT and (c.ttl or 0) >= hop and c.part == cell.part for c in around
    )


def _tried(case: Case, cell: Cell) -> dict[int, bool]:
    """The hop limits that packets to this port were sent with, and whether they were refused."""
    found: dict[int, bool] = {}
    for _, o in case.observations(Scope.PATH):
        ttl, port = o.facts.get("ttl"), (o.target.transport, o.target.port)
        if isinstance(ttl, int) and port == (cell.transport, cell.port):
            refused = o.failure in REFUSALS
            told = refused or o.failure is None
            found.update({ttl: found.get(ttl, False) or refused} if told else {})
    return found


def _home(evidence: Evidence, cell: Cell) -> Where:
    """Whose the router is that refuses: by its place before or behind the edge, else by its address."""
    router = str(cell.offender)
    hop = next((r.ttl for r in evidence.rungs if r.address == router), None)
    if hop is not None and evidence.edge_ttl is not None and hop <= evidence.edge_ttl:
        return Where.SITE
    if is_site_address(router) and (hop is None or evidence.edge_ttl is None):
        return Where.SITE
    known = evidence.edge_ttl is not None and provider_owns(evidence, router, router, cell.address)
    return Where.ISP if known else Where.UNKNOWN


def is_media(requirement: Requirement | None) -> bool:
    return requirement is not None and requirement.area is Area.MEDIA_REACHABILITY


def failures(outcomes: Iterable[Outcome], step: Step) -> set[Failure]:
    return {o.failure for outcome in outcomes for o in outcome.observations if o.step is step and o.failure}
