"""Which silent ports are asked once more, and how far their packets come beside those of a control. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from readycheck.diagnose.doors import Door, alone
from readycheck.diagnose.egress import is_due, lost_doors, silent_columns
from readycheck.diagnose.link import is_slow, way_ms
from readycheck.diagnose.neighbours import neighbour_of
from readycheck.diagnose.new_flows import find_changing
from readycheck.diagnose.refusals import in_question
from readycheck.diagnose.situation import Situation, can_hear_routers, local_address, round_trip
from readycheck.engine import Outcome
from readycheck.evidence import Cell, Evidence, Sign
from readycheck.failure import Failure, Step
from readycheck.net.address import is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.printed import refusing_alone
from readycheck.probe import Effort

FLOW, REPEAT = "flow", "repeat"
PAIRS = 3
"""Six packets to each router in a turn, which is what Linux answers at once (`icmp_ratelimit`)."""

ASKED_AGAIN = 6
CHANGING = 2
"""Of those that answered and did not, beside the six: whether they answer at all any more."""

REFUSING = 2
"""Of those that refuse, beside them: a member of a group of servers may."""

HALVES = 2
LOSSY_SHARE, LEAST_LATE = 0.15, 2
PATIENCE_MS = 900.0
"""What the probe `repeat` waits for an answer."""

LONGEST_FLOW_S, LONGEST_REPEAT_S = 4.5, 4.0
LATE_TRIES, LATE_SHARE, LATE_MOST_S = 2, 1.3, 4.5
"""Where connections take seconds: the tries, and what is waited for them, as a share of what others took."""

Pair = tuple[Target, Target]


def compare(situation: Situation) -> Iterator[Check]:
    """Hop-limited packets to silent ports, each beside a port that answers; after the survey of the networks.

    Where the first packets of every connection are lost, one of TCP shows nothing.
    """
    pairs = find_pairs(situation) if can_hear_routers(situation.environment) else []
    if situation.evidence.late_ms:
        pairs = [pair for pair in pairs if pair[0].transport != "tcp"]
    if not pairs or is_due(situation):
        return
    check = situation.check(
        "path/flows",
        FLOW,
        [target for target, _ in pairs],
        longest_s=LONGEST_FLOW_S,
        controls=tuple(control for _, control in pairs),
        kinds=tuple(sorted(kinds(situation.outcomes).items())),
        rtt_ms=round_trip(situation.outcomes),
        local=local_address(situation.environment),
        mapped=situation.evidence.mapped,
        edge=situation.evidence.edge_ttl,
    )
    if check:
        yield replace(check, scope=Scope.PATH)


def ask_again(situation: Situation) -> Iterator[Check]:
    """Silent ports of hosts that live, several times: a lost packet or two is no block. And a few that refuse."""
    if is_long(situation.outcomes):
        return
    lost = _chosen(_lost_doors(situation))
    silent = [door.target for door in lost if door.sign is Sign.SILENT]
    refusing = [door.target for door in in_question(lost)]
    cells = [_target(cell) for cell, _ in silent_columns(situation)]
    dark = dict.fromkeys([*silent, *cells, *_halves(situation.evidence), *_doubtful(situation.outcomes)])
    changing = find_changing(situation.outcomes)[:CHANGING]
    check = situation.check(
        "repeat/silent",
        REPEAT,
        list(dict.fromkeys([*list(dark)[:ASKED_AGAIN], *refusing[:REFUSING], *changing])),
        kinds=tuple(sorted(kinds(situation.outcomes).items())),
        **_patience(situation.evidence.late_ms),
    )
    if check:
        yield check


def _patience(late_ms: float | None) -> Mapping[str, Any]:
    """As many tries as show what comes by turns; where nearly all connections open late, a few that wait for that."""
    if late_ms is None:
        return {"longest_s": LONGEST_REPEAT_S}
    wait_s = min(LATE_MOST_S, LATE_SHARE * late_ms / 1000)
    return {"tries": LATE_TRIES, "wait_s": wait_s, "longest_s": wait_s + 1.0}


def is_long(outcomes: Sequence[Outcome]) -> bool:
    """The way there and back takes longer than half of what a packet is waited for: that one fails shows nothing."""
    return (way_ms(outcomes) or 0.0) > PATIENCE_MS / 2


def _halves(evidence: Evidence) -> list[Target]:
    """Silent UDP ports of hosts that answer on another port of the service, where other hosts do the reverse.

    What a rule drops, or nobody serves, is the same port everywhere.
    """
    hosts: dict[tuple[str | None, str], list[Cell]] = {}
    for cell in evidence.cells:
        if cell.transport == "udp" and cell.requirement:
            hosts.setdefault((cell.requirement, cell.address), []).append(cell)
    silent: dict[int, list[Target]] = {}
    for cells in hosts.values():
        if any(cell.sign is Sign.ANSWERED for cell in cells):
            for cell in cells:
                silent.setdefault(cell.port, []).extend([_target(cell)] if cell.sign is Sign.SILENT else [])
    ports = [some[:HALVES] for some in silent.values() if len(some) >= HALVES]
    return [target for some in ports for target in some] if len(ports) > 1 else []


def _doubtful(outcomes: Sequence[Outcome]) -> list[Target]:
    """Ports that answered as where packets are lost, the latest first: late, at the second try, or not to the end.

    One of them is chance; a good part of all, or of one port's, is not. A busy host is late as well, though by less
    than a lost packet. Where most of a port's connections do not stand at all, one of the few that do is such a part;
    those that stood at once are asked as well, lest chance keeps a single one from answering any more.
    """
    found: dict[Target, float] = {}
    reopened: set[Target] = set()
    dark: set[object] = set()
    for o in (o for outcome in outcomes if _is_direct(outcome) for o in outcome.observations):
        place = _place(o.target)
        contact = o.step in (Step.CONNECT, Step.ECHO)
        if contact and o.failure is None and _shows_loss(o):
            reopened.add(place)
        if o.step is Step.CONNECT and o.failure is Failure.TIMED_OUT and place.network:
            dark.add(_service(place))
        if (contact and o.failure is None) or place in found:
            found[place] = max(found.get(place, 0.0), o.elapsed_ms if _shows_loss(o) else 0.0)
    lossy = sorted((place for place, late_ms in found.items() if late_ms), key=lambda place: -found[place])
    if _is_a_good_part(len(lossy), len(found)):
        return lossy
    late, asked = (Counter(map(_service, places)) for places in (reopened, found))
    shaky = {s for s in asked if _is_a_good_part(late[s], asked[s], 1 if s in dark else LEAST_LATE)}
    prompt = [place for place, late_ms in found.items() if not late_ms and _service(place) in dark]
    return [place for place in (*lossy, *prompt) if _service(place) in shaky]


def _service(place: Target) -> tuple[str | None, int | None]:
    return place.transport, place.port


def lost_at_first(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Of all connections and questions that were answered in the end, how many only came late or at the second try."""
    found = [
        _shows_loss(o)
        for outcome in outcomes
        if _is_direct(outcome)
        for o in outcome.observations
        if o.step in (Step.CONNECT, Step.ECHO) and o.failure is None
    ]
    return sum(found), len(found)


def _is_a_good_part(some: int, of: int, least: int = LEAST_LATE) -> bool:
    return some >= max(least, LOSSY_SHARE * of)


def _is_direct(outcome: Outcome) -> bool:
    asked = outcome.check.scope in (Scope.NAMED, Scope.SAMPLED) and outcome.check.target.transport != "icmp"
    return asked and not outcome.check.target.via


def _place(target: Target) -> Target:
    transport = "udp" if target.transport == "udp" else "tcp"
    return Target(network=target.network, address=target.address, port=target.port, transport=transport)


def _shows_loss(observation: Observation) -> bool:
    if observation.step is Step.CONNECT:
        return is_slow(observation)
    attempt = observation.facts.get("attempt")
    return observation.failure is Failure.TIMED_OUT or (isinstance(attempt, int) and attempt > 0)


def find_pairs(situation: Situation) -> list[Pair]:
    """A silent port and its control: of named hosts one for each pattern of failure, and of the networks' ports."""
    outcomes = situation.outcomes
    lost = _lost_doors(situation)
    gone = alone(lost, situation.doors)
    named: list[Pair] = []
    for door in _chosen(lost):
        for pair in _beside(door, situation):
            neighbour = neighbour_of(door, situation.evidence) if door in gone else None
            named += [pair, *([(neighbour, pair[1])] if neighbour else [])]
    grid = [(_target(c), _target(beside)) for c, beside in silent_columns(situation)]
    quiet = [pair for door in _quiet_doors(situation, lost) for pair in _beside(door, situation)]
    kept = [pair for pair in quiet if pair[0].address == pair[1].address]
    servers = list(_name_servers(outcomes)) if situation.plan.effort is not Effort.QUICK else []
    printed = list(_printed(situation))
    return list(dict.fromkeys([*named[: PAIRS - bool(grid)], *grid, *named, *printed, *kept, *servers]))[
        :PAIRS
    ]


def _printed(situation: Situation) -> Iterator[Pair]:
    """Hosts that refuse what those printed beside them serve, beside a connection of theirs, or the nearest other."""
    evidence = situation.evidence
    for check, cell in refusing_alone(situation.outcomes, evidence).items():
        if check in situation.counting:
            answered = [c for c in evidence.cells if c.sign is Sign.ANSWERED]
            own = [c for c in answered if c.address == cell.address and c.transport == "tcp"]
            served = [c for c in answered if (c.requirement, c.port) == (cell.requirement, cell.port)]
            here = int(ip_address(cell.address))
            near = sorted(served, key=lambda c: int(ip_address(c.address)) ^ here)
            yield _target(cell), _target((own or near)[0])


def _name_servers(outcomes: Sequence[Outcome]) -> Iterator[Pair]:
    """One beyond the site that is lost over one transport, beside its other one, over which it answers."""
    asked = [o for o in outcomes if o.check.scope is Scope.RESOLVERS and o.observations]
    answering = {o.check.target.address: o for o in asked if has_answered(o)}
    for lost in asked:
        control = answering.get(lost.check.target.address)
        if control and not has_answered(lost) and not is_site_address(str(lost.check.target.address)):
            yield _server(lost), _server(control)


def has_answered(outcome: Outcome) -> bool:
    """A name server did, be it to say that it does not know, or that a datagram is too small for what it does."""
    return any(
        o.failure is None or o.facts.get("answered_by_server") or o.facts.get("truncated")
        for o in outcome.observations
    )


def _server(outcome: Outcome) -> Target:
    target = outcome.check.params.targets[0]
    return Target(address=target.address, port=target.port, transport=outcome.check.target.transport)


def _lost_doors(situation: Situation) -> list[Door]:
    """Those that the verdict hangs on; silence that is allowed counts for nothing."""
    loud = situation.counting - {o.check.id for o in situation.outcomes if o.check.may_be_silent}
    return [door for door in lost_doors(situation) if loud & set(door.checks)]


def _quiet_doors(situation: Situation, lost: Sequence[Door]) -> list[Door]:
    """Doors that may be silent: those that the verdict hangs on, and the other UDP ports of a host that lost one.

    That nobody answers shows nothing there; where the packets end does. A quick run looks only where another is lost.
    """
    if situation.plan.effort is Effort.QUICK and not lost:
        return []
    hosts = {d.address for d in lost if d.transport == "udp"}
    return [
        d
        for d in situation.doors
        if d.is_lost
        and d.quiet
        and (situation.counting & set(d.checks) or (d.transport == "udp" and d.address in hosts))
    ]


def _chosen(doors: Sequence[Door]) -> list[Door]:
    """One of each port first, then a second address for each."""
    seen: dict[object, int] = {}
    turns: list[tuple[int, Door]] = []
    for door in doors:
        turns.append((seen.get(door.service, 0), door))
        seen[door.service] = seen.get(door.service, 0) + 1
    return [door for _, door in sorted(turns, key=lambda each: each[0])]


def _beside(door: Door, situation: Situation) -> Iterator[Pair]:
    """The best control there is: the same address, the same port elsewhere, or any of the product's that answers."""
    answered = [d for d in situation.doors if d.sign is Sign.ANSWERED and d.answered == d.tried]
    cells = [c for c in situation.evidence.cells if c.sign is Sign.ANSWERED and c.transport in ("tcp", "udp")]
    own: list[Target] = [d.target for d in answered if d.address == door.address]
    own += [_target(c) for c in cells if c.address == door.address]
    product = [d for d in answered if not d.outside]
    same = [d.target for d in product if d.service == door.service]
    rest = [d.target for d in (*product, *answered)] + [_target(c) for c in cells]
    control = next(iter(_tcp_first(own) or same or rest), None)
    if control:
        yield door.target, control


def _tcp_first(targets: Iterable[Target]) -> list[Target]:
    return sorted(targets, key=lambda target: target.transport != "tcp")


def _target(cell: Cell) -> Target:
    return Target(network=cell.network, address=cell.address, port=cell.port, transport=cell.transport)


def kinds(outcomes: Sequence[Outcome]) -> dict[int, str]:
    """The probe of each UDP port of hosts and networks: its packets must be of the kind that the port expects.

    A follow-up asks what was asked before, and the name of its probe says nothing of the kind. Nor does what a
    responder was asked, which may listen on a port of the product's.
    """
    return {
        o.target.port: outcome.check.probe
        for outcome in outcomes
        if outcome.check.scope not in (Scope.PATH, Scope.FOLLOW_UP, Scope.FAR_END)
        and outcome.check.target.transport == "udp"
        for o in outcome.observations
        if o.target.port and o.step in (Step.ECHO, Step.RESPONSE)
    }
