"""Rules for what answers by turns: asked again slowly it is counted, and never called a block."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from math import comb, exp
from statistics import median

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, counted, shown
from readycheck.diagnose.flows import is_long, lost_at_first
from readycheck.diagnose.stalls import by_turns, greetings, is_stall
from readycheck.evidence import Sign
from readycheck.failure import Failure
from readycheck.lost_packets import late_doors, late_flows
from readycheck.media.stream import wilson
from readycheck.plan import Scope

STEADY = 0.85
"""Of the slow tries, so many are answered where only the rate is at fault: the first may still meet its limit."""

BROKEN = 0.7
"""Of packets sent at once, no more than so many are."""

LEAST_BURST = 10

POOR_LINE = 0.1
"""A line that loses no more, there and back, is poor; nothing alternates there."""

CHANCE = 0.02

UNSURE = 0.05

LEAST_STALLS = 3
"""Addresses at which a greeting stalls by turns, and stalls of those that were said again: one server may be slow, and
the first greetings of a run, which come all at once, may be too many for a narrow line."""

OF_A_WAY = 2.0
"""Packets are lost in runs: what asks seldom may miss by so much more of them than a stream."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A port of an address that failed in the run: its tries there, once more slowly, and all at once."""

    transport: str
    address: str
    port: int
    host: str
    checks: tuple[str, ...]
    run: tuple[int, int]
    slow: tuple[int, int]
    burst: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.transport.upper()} {self.port} of {self.host}"

    @property
    def all(self) -> tuple[int, int]:
        """The tries that are of one packet, or as good as that."""
        return self.run[0] + self.slow[0], self.run[1] + self.slow[1]

    def first_is_lost(self, late: Set[tuple[str, int]]) -> bool:
        """Of each connection, as it seems: those that stand come late, and of single packets none is answered."""
        return not self.slow[0] and (self.address, self.port) in late

    @property
    def alternates(self) -> bool:
        return 0 < self.all[0] < self.all[1]


def intermittent(case: Case) -> Iterator[Finding]:
    """The same ports at the same addresses answered and failed within the run.

    Where connections open late, nearly all or those of a port, those that were not waited for are late as well.
    """
    late = late_doors(o for _, o in case.observations())
    asked = [
        t
        for t in tallies(case)
        if t.transport != "tcp" or not (case.evidence.late_ms or t.first_is_lost(late))
    ]
    found = [tally for tally in asked if tally.alternates]
    failed = _failed(case, found)
    if not failed or _is_policed(found) or is_long(case.outcomes):
        return
    if not (_is_lossy(asked) or _is_more_than_chance(case, asked)):
        return
    answered, tried = _sum([t.all for t in found])
    both = any(0 < t.slow[0] < t.slow[1] for t in found)
    names = _names(found)
    yield case.finding(
        "intermittent",
        failed,
        f"{names} {'answers' if len(found) == 1 else 'answer'} by turns: "
        f"{counted(answered, tried, ' tries')}.",
        confidence=Confidence.CERTAIN if both else Confidence.LIKELY,
        remedy="Look for an overloaded or damaged link, for a limit on the connections of a host, and for what "
        "alternates: two uplinks or firewalls of which one has other rules, a load balancer with a dead member.",
    )


def lost_on_a_way(case: Case, ratio: float) -> list[str]:
    """The checks that met what answers by turns, and nothing else, if a way that loses so many explains all of it."""
    found = [tally for tally in tallies(case) if tally.alternates]
    shares = [t.all for t in found]
    if any(1 - wilson(*share)[1] > OF_A_WAY * ratio for share in (*shares, _sum(shares)) if share[1]):
        return []
    return [check for check in _failed(case, found) if _failures(case, check) <= {Failure.TIMED_OUT}]


def _failures(case: Case, check: str) -> set[Failure]:
    return {o.failure for o in case.by_check[check].observations if o.failure}


def first_packets_lost(case: Case) -> Iterator[Finding]:
    """Two packets of one flow are answered where single ones never are."""
    late = {(t.transport, t.address, t.port) for t in late_flows(o for _, o in case.observations())}
    found = [tally for tally in tallies(case) if (tally.transport, tally.address, tally.port) in late]
    if failed := _failed(case, found):
        tried = sum(tally.slow[1] for tally in found)
        yield case.finding(
            "intermittent",
            failed,
            f"{_names(found)} {'answers' if len(found) == 1 else 'answer'} the second packet of a flow and never the "
            f"first ({tried} tries): something on the way drops the first packet of each UDP flow.",
            confidence=Confidence.LIKELY,
            remedy="Look for a firewall that drops packets until it has classified them, or against floods, and exempt "
            "the product's networks.",
        )


def greetings_by_turns(case: Case) -> Iterator[Finding]:
    """Connections to several servers all open, and the same greetings there are answered and stall within the run.

    A filter that minds a name minds it always; where what opens connections is lost as well, so is anything.
    """
    found = by_turns(case)
    failed = _stalled(case)
    if len({p.address for p in found}) < LEAST_STALLS or sum(p.stalled_again for p in found) < LEAST_STALLS:
        return
    if not failed or is_long(case.outcomes) or _opens_late(case):
        return
    answered, tried = sum(sum(p.tries) for p in found), sum(len(p.tries) for p in found)
    yield case.finding(
        "intermittent",
        failed,
        f"Connections open at once, and the TLS greetings to {shown(p.name for p in found)} are "
        f"answered by turns: {counted(answered, tried)}{_heard(case)}.",
        confidence=Confidence.LIKELY,
        remedy="Look for parallel links, tunnels or firewalls among which flows are shared out, of which one loses "
        "packets, or large packets, that the others carry.",
    )


def _opens_late(case: Case) -> bool:
    """A good part of what opens connections is lost, too: then the line is poor, whatever the flow."""
    late, of = lost_at_first(case.outcomes)
    return late > POOR_LINE * of


def _heard(case: Case) -> str:
    """Where the kernel tells, whether what was lost is the greeting or the answer to it."""
    told = [o.facts["unacked"] for o in greetings(case) if is_stall(o) and "unacked" in o.facts]
    came = bool(told) and not median(told)
    return (
        "; the other side acknowledged those without an answer, so that it is the answer that is lost" * came
    )


def _stalled(case: Case) -> list[str]:
    """The failing checks that met a stall; those that passed if none failed."""
    met = [
        outcome.check.id
        for outcome, o in case.observations()
        if outcome.check.requirement and is_stall(o) and not o.target.via
    ]
    failing = {c.check for _, c in case.failing}
    return [check for check in dict.fromkeys(met) if check in failing] or list(dict.fromkeys(met))


def _is_lossy(asked: Sequence[Tally]) -> bool:
    """Asked slowly, all that live lose surely more than a line that is merely poor, or one of so many ports does."""
    slow = [t.slow for t in asked if t.all[0] and t.slow[1]]
    single = min((_poor_chance(*share) for share in slow), default=1.0)
    return single * len(slow) < UNSURE or (bool(slow) and 1 - wilson(*_sum(slow))[1] > POOR_LINE)


def _poor_chance(answered: int, tried: int) -> float:
    """That a poor line lets through no more of so many tries."""
    passes = 1 - POOR_LINE
    return sum(comb(tried, n) * passes**n * POOR_LINE ** (tried - n) for n in range(answered + 1))


def _is_more_than_chance(case: Case, asked: Sequence[Tally]) -> bool:
    """More ports failed in the run than fail where each packet is lost as often as others of this run were.

    A datagram or two that are lost are nothing where others of the port are answered; a connection that does not stand
    has lost two packets or more.
    """
    open_ports = {c.port for c in case.sampled if c.transport == "udp" and c.sign is Sign.ANSWERED}
    failed = [
        t
        for t in asked
        if t.alternates and t.run[0] < t.run[1] and (t.transport == "tcp" or t.port not in open_ports)
    ]
    if len(failed) < 2 and not any(t.transport == "tcp" for t in failed):
        return False
    late, of = lost_at_first(case.outcomes)
    answered, tried = _sum([t.slow for t in asked if t.slow[0]])
    ratio = min(late / of if of else 0.0, 1 - wilson(answered, tried)[0] if tried else 1.0)
    return _chance(len(failed), of * ratio**2) < CHANCE


def _chance(least: int, expected: float) -> float:
    """That so many happen where so many are expected (Poisson)."""
    fewer, term = 0.0, exp(-expected)
    for count in range(least):
        fewer += term
        term *= expected / (count + 1)
    return 1 - fewer


def rate_limited(case: Case) -> Iterator[Finding]:
    """What fails in a burst is whole when asked slowly, at several addresses."""
    found = [tally for tally in tallies(case) if tally.alternates]
    failed = _failed(case, found)
    if failed and _is_policed(found):
        slow, burst = _sum([t.slow for t in found]), _sum([t.burst for t in found])
        yield case.finding(
            "rate-limited",
            failed,
            f"UDP above a rate is dropped: of packets sent slowly {slow[0]} of {slow[1]} are answered, of packets "
            f"sent at once {burst[0]} of {burst[1]}, at {len({t.address for t in found})} addresses.",
            confidence=Confidence.LIKELY,
            remedy="Raise or remove the limit on UDP packets (policer, flood protection) for the product's networks.",
        )


def _is_policed(found: Sequence[Tally]) -> bool:
    """Whole when slow, surely more broken when fast: a limit of one server would show at its address alone."""
    udp = [t for t in found if t.transport == "udp" and t.burst[1]]
    broken = {t.address for t in udp if t.burst[0] < t.burst[1]}
    slow, burst = _sum([t.slow for t in udp]), _sum([t.burst for t in udp])
    enough = len(broken) > 1 and burst[1] >= LEAST_BURST
    apart = enough and wilson(*slow)[0] > wilson(*burst)[1]
    return apart and slow[0] >= STEADY * slow[1] and burst[0] <= BROKEN * burst[1]


def tallies(case: Case) -> list[Tally]:
    """Doors of named hosts, and known live addresses of networks, that failed or were asked again."""
    slow, burst = counts(case, "repeat"), counts(case, "burst")
    nothing = (0, 0)
    found = [
        Tally(
            door.transport,
            door.address,
            door.port,
            door.name,
            door.checks,
            (door.answered, door.tried),
            door.again,
            burst.get((door.transport, door.address, door.port), nothing),
        )
        for door in case.doors
        if door.checks and door.tried
    ]
    cells: dict[tuple[str, str, int], list[tuple[str, Sign]]] = {}
    for cell in case.sampled:
        if cell.sign in (Sign.ANSWERED, Sign.SILENT) and (cell.transport, cell.address, cell.port) in slow:
            cells.setdefault((cell.transport, cell.address, cell.port), []).append((cell.check, cell.sign))
    for key, seen in cells.items():
        run = sum(sign is Sign.ANSWERED for _, sign in seen), len(seen)
        checks = tuple(check for check, _ in seen)
        found.append(Tally(*key, key[1], checks, run, slow[key], burst.get(key, nothing)))
    return found


def counts(case: Case, purpose: str) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Answers and tries of the follow-up, by port and address."""
    found: dict[tuple[str, str, int], tuple[int, int]] = {}
    for _, o in case.observations(Scope.FOLLOW_UP):
        if o.facts.get("purpose") == purpose and o.failure in (None, Failure.TIMED_OUT):
            key = o.target.transport or "", o.target.address or "", o.target.port or 0
            answered, tried = found.get(key, (0, 0))
            found[key] = answered + (o.failure is None), tried + 1
    return found


def _sum(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(a for a, _ in pairs), sum(b for _, b in pairs)


def _names(found: Sequence[Tally]) -> str:
    return shown(t.name for t in found)


def _failed(case: Case, found: Sequence[Tally]) -> list[str]:
    """The checks that met the failures; those that passed may have been lucky, or have passed by others' answers."""
    asked = list(dict.fromkeys(check for tally in found for check in tally.checks))
    failing = {c.check for _, c in case.failing}
    return [check for check in asked if check in failing] or asked
