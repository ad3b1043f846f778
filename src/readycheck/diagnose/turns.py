"""Rules for what answers by turns: asked again slowly it is counted, and never called a block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose.case import Case
from readycheck.diagnose.doors import find_doors
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.evidence import Sign
from readycheck.failure import Failure
from readycheck.media.stream import wilson
from readycheck.plan import Scope

STEADY = 0.95
"""Of the slow tries, so many are answered where only the rate is at fault."""

BROKEN = 0.7
"""Of packets sent at once, no more than so many are."""

LEAST_BURST = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """A port of an address that failed in the run: its tries there, once more slowly, and all at once."""

    name: str
    transport: str
    address: str
    checks: tuple[str, ...]
    run: tuple[int, int]
    slow: tuple[int, int]
    burst: tuple[int, int]

    @property
    def alternates(self) -> bool:
        answered, tried = self.run[0] + self.slow[0], self.run[1] + self.slow[1]
        return 0 < answered < tried


def intermittent(case: Case) -> Iterator[Finding]:
    """The same ports at the same addresses answered and failed within the run."""
    found = [tally for tally in tallies(case) if tally.alternates]
    failed = _failed(case, found)
    if not failed or _is_policed(found) or not _is_measured(found):
        return
    answered = sum(t.run[0] + t.slow[0] for t in found)
    tried = sum(t.run[1] + t.slow[1] for t in found)
    low, high = wilson(answered, tried)
    both = any(0 < t.slow[0] < t.slow[1] for t in found)
    names = _names(found)
    yield case.finding(
        "intermittent",
        failed,
        f"{names} {'answers' if len(found) == 1 else 'answer'} by turns: {answered} of {tried} tries "
        f"({low:.0%} to {high:.0%} at 95 % confidence).",
        confidence=Confidence.CERTAIN if both else Confidence.LIKELY,
        remedy="Look for an overloaded or damaged link, and for what alternates: two uplinks or firewalls of which "
        "one has other rules, a load balancer with a dead member.",
    )


def _is_measured(found: Sequence[Tally]) -> bool:
    """One packet that was lost is nothing; a port that failed in the run has lost several, or was asked for it."""
    lost = sum(t.run[1] - t.run[0] + t.slow[1] - t.slow[0] for t in found)
    return lost > 1 or any(t.transport == "tcp" and t.run[0] < t.run[1] for t in found)


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
    """Whole when slow, broken when fast: a limit of one server would show at its address alone."""
    udp = [t for t in found if t.transport == "udp" and t.burst[1]]
    broken = {t.address for t in udp if t.burst[0] < t.burst[1]}
    slow, burst = _sum([t.slow for t in udp]), _sum([t.burst for t in udp])
    enough = len(broken) > 1 and burst[1] >= LEAST_BURST
    return enough and slow[0] >= STEADY * slow[1] and burst[0] <= BROKEN * burst[1]


def tallies(case: Case) -> list[Tally]:
    """Doors of named hosts, and known live addresses of networks, that failed or were asked again."""
    slow, burst = counts(case, "repeat"), counts(case, "burst")
    nothing = (0, 0)
    found = [
        Tally(
            f"{door.transport.upper()} {door.port} of {next(iter(door.hosts), door.address)}",
            door.transport,
            door.address,
            door.checks,
            (door.answered, door.tried),
            door.again,
            burst.get((door.transport, door.address, door.port), nothing),
        )
        for door in find_doors(case.outcomes)
        if door.checks and door.tried
    ]
    cells: dict[tuple[str, str, int], list[tuple[str, Sign]]] = {}
    for cell in case.sampled:
        if cell.sign in (Sign.ANSWERED, Sign.SILENT) and (cell.transport, cell.address, cell.port) in slow:
            cells.setdefault((cell.transport, cell.address, cell.port), []).append((cell.check, cell.sign))
    for key, seen in cells.items():
        run = sum(sign is Sign.ANSWERED for _, sign in seen), len(seen)
        checks = tuple(check for check, _ in seen)
        name = f"{key[0].upper()} {key[2]} of {key[1]}"
        found.append(Tally(name, key[0], key[1], checks, run, slow[key], burst.get(key, nothing)))
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
    names = list(dict.fromkeys(t.name for t in found))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _failed(case: Case, found: Sequence[Tally]) -> list[str]:
    """The checks that met the failures; those that passed may have been lucky, or have passed by others' answers."""
    asked = list(dict.fromkeys(check for tally in found for check in tally.checks))
    failing = {c.check for _, c in case.failing}
    return [check for check in asked if check in failing] or asked
