"""Which ports lose single packets, take their time, or mind numbers: there silence shows no wall. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from readycheck.failure import Failure, Step
from readycheck.net.address import is_site_address
from readycheck.observation import Observation, Target

Port = tuple[str, int]
"""Its transport, and its number."""


def fickle(
    observations: Sequence[Observation], ports: Iterable[Port], late_ms: float | None
) -> frozenset[Port]:
    """Of all `ports` and those that were asked; `late_ms` is what `late_ms` told of the same observations."""
    return frozenset(
        (
            *_answering_again(observations),
            *_losing(observations),
            *_left_early(observations, late_ms),
            *_unsteady(observations, ports, late_ms),
        )
    )


def _answering_again(observations: Sequence[Observation]) -> Iterator[Port]:
    """Ports that answer when they are asked again, and lost two packets or more: no wall stands before them.

    At an address where no connection had stood before, as good as two were lost.
    """
    again = [o for o in observations if o.facts.get("purpose") == "repeat" and o.target.network]
    asked = {_door_of(o.target) for o in again}
    lost = Counter(_port_of(o.target) for o in again if o.failure)
    stood: set[tuple[str | None, Port]] = set()
    for o in observations:
        if (door := _door_of(o.target)) in asked and o.step is Step.CONNECT and (came := _lost_and_asked(o)):
            stood.add(door)
            lost[door[1]] += came[0]
    lost.update({port: LEAST_LOST for _, port in asked - stood})
    yield from {port for o in again if not o.failure and lost[port := _port_of(o.target)] >= LEAST_LOST}


LEAST_LOST = 2
"""One packet is lost on any line."""


def _port_of(target: Target) -> Port:
    return target.transport or "tcp", target.port or 0


def _door_of(target: Target) -> tuple[str | None, Port]:
    return target.address, _port_of(target)


def _unsteady(
    observations: Sequence[Observation], ports: Iterable[Port], late_ms: float | None
) -> Iterator[Port]:
    """All ports of a transport, where what passes is no question of the port: single packets show no wall there.

    Of UDP, where a flow's second packet is answered and its first never. Of TCP, where connections to the same ports
    of several addresses stood once and mostly did not, as where a device takes a number of them and no more.
    """
    late, spent = late_flows(observations), _spent(observations, late_ms or 0.0)
    unsteady = {"udp": bool(late), "tcp": len({target.address for target in spent}) > 1}
    yield from (port for port in ports if unsteady.get(port[0]))


def _spent(observations: Iterable[Observation], late_ms: float) -> set[Target]:
    """TCP ports of addresses at which a connection stood, and most of all others did not in the time that it takes."""
    tries: dict[Target, list[bool]] = {}
    for o in observations:
        ended = o.step is Step.CONNECT and o.failure in (None, Failure.TIMED_OUT) and not o.target.via
        waited = o.failure is None or o.elapsed_ms > late_ms
        if ended and waited and o.target.transport == "tcp":
            place = Target(address=o.target.address, port=o.target.port, transport="tcp")
            tries.setdefault(place, []).append(o.failure is None)
    return {place for place, stood in tries.items() if any(stood) and sum(stood) <= len(stood) / 2}


MANY_ALONE = 6


def late_flows(observations: Iterable[Observation]) -> set[Target]:
    """Targets that answered two packets of one flow, and none of many that came alone.

    A way that loses half of all packets loses a few of these as well, and spares others.
    """
    answered: set[Target] = set()
    alone: dict[Target, list[bool]] = {}
    for o in observations:
        if o.facts.get("purpose") == "pair" and o.failure is None:
            answered.add(o.target)
        elif o.facts.get("purpose") == "repeat" and o.target.transport == "udp":
            alone.setdefault(o.target, []).append(o.failure is None)
    met = [target for target, tries in alone.items() if any(tries)]
    late = answered & (alone.keys() - met)
    many = sum(len(alone[target]) for target in late) >= MANY_ALONE
    return late if many and len(late) > len(met) else set()


def late_doors(observations: Iterable[Observation]) -> set[tuple[str, int]]:
    """Addresses and TCP ports at which all connections that stood did so only when they were asked for again."""
    stood: dict[tuple[str, int], list[bool]] = {}
    for o in observations:
        if _stood_beyond(o):
            place = o.target.address or "", o.target.port or 0
            stood.setdefault(place, []).append(_came_late(o))
    return {place for place, late in stood.items() if all(late)}


SYN_AGAIN_MS, SYN_AGAIN_RTTS = 1000.0, 5.0
"""What opens a connection is sent again after a second (RFC 6298 section 2.1)."""

NEARLY_ALL, ALIKE = 0.75, 0.2

LEAST_CAME, LOSING = 2, 0.25


def _losing(observations: Sequence[Observation]) -> Iterator[Port]:
    """Ports that lose a good part of the single packets to them, as those show that came through in the end.

    These are connections, for which the kernel may have sent again what opens them, and packets of the survey, of
    which some were missed beside controls that came through. What a wall may have kept is no loss of the survey's; a
    connection that stood has met none.
    """
    found: dict[Port, tuple[int, int, int]] = {}
    walled = set(_walled(observations))
    for o in observations:
        place = _port_of(o.target)
        kept = place in walled and o.facts.get("purpose") == "survey"
        if not kept and (lost_and_asked := _lost_and_asked(o)):
            known = found.get(place, (0, 0, 0))
            found[place] = known[0] + 1, known[1] + lost_and_asked[0], known[2] + lost_and_asked[1]
    yield from (
        place
        for place, (came, lost, asked) in found.items()
        if came >= LEAST_CAME and lost + (lost > 1) > LOSING * asked  # two are rarely chance
    )


def _walled(observations: Iterable[Observation]) -> Iterator[Port]:
    """Ports of which all packets that were missed were to come farther than any that was seen: a wall does that."""
    left: dict[Port, int] = {}
    missed: dict[Port, int] = {}
    for o in observations:
        if o.facts.get("purpose") != "survey":
            continue
        place = _port_of(o.target)
        if o.facts.get("fate") == "left":
            left[place] = max(left.get(place, 0), int(o.facts.get("ttl") or 0))
        for ttl in o.facts.get("missed_at") or ():
            missed[place] = min(missed.get(place, ttl), ttl)
    yield from (place for place, ttl in missed.items() if ttl > left.get(place, 0))


def _lost_and_asked(observation: Observation) -> tuple[int, int] | None:
    """Of the single packets that it took to come through once; None for what is no such thing."""
    facts = observation.facts
    if facts.get("purpose") == "survey" and facts.get("fate") == "left":
        return int(facts.get("missed_beside_control") or 0), int(facts.get("asked") or 1)
    stood = observation.step is Step.CONNECT and observation.failure is None and observation.target.network
    if not stood or facts.get("purpose"):
        return None
    lost = int(facts.get("resent") or 1) if _came_late(observation) else 0
    return lost, lost + 1


def resent(observations: Iterable[Observation]) -> Iterator[Target]:
    """Targets of connections that stood, each as often as what opened it was lost."""
    for o in observations:
        if o.step is Step.CONNECT and (lost_and_asked := _lost_and_asked(o)):
            yield from [o.target] * lost_and_asked[0]


def late_ms(observations: Iterable[Observation]) -> float | None:
    """Who drops what opens a connection, and lets the same pass later, does so with nearly all beyond the site.

    It drops as many of each: where they take as long as chance has it, there are too many of them, or a poor line.
    """
    stood = [o for o in observations if _stood_beyond(o)]
    late = [o for o in stood if _came_late(o)]
    usual_ms = median(o.elapsed_ms for o in late) if late else 0.0
    alike = [o for o in late if abs(o.elapsed_ms - usual_ms) <= ALIKE * usual_ms]
    if len({o.target.address for o in alike}) < 2 or len(alike) < NEARLY_ALL * len(stood):
        return None
    return usual_ms


def _stood_beyond(observation: Observation) -> bool:
    target, facts = observation.target, observation.facts
    direct = not target.via and target.address is not None and not is_site_address(target.address)
    stood = observation.step is Step.CONNECT and observation.failure is None
    return stood and direct and bool(facts.get("rtt_ms")) and not facts.get("purpose")


def _left_early(observations: Iterable[Observation], late_ms: float | None) -> Iterator[Port]:
    """TCP ports that nobody waited for as long as connections take: their silence shows nothing."""
    longest: dict[int, float] = {}
    for o in observations if late_ms else ():
        if o.step is Step.CONNECT and o.failure is Failure.TIMED_OUT and o.target.network:
            port = o.target.port or 0
            longest[port] = max(longest.get(port, 0.0), o.elapsed_ms)
    yield from (("tcp", port) for port, waited_ms in longest.items() if waited_ms <= (late_ms or 0.0))


def _came_late(observation: Observation) -> bool:
    """What opens it was sent again; where the kernel did not, this host was busy and looked late."""
    if observation.facts.get("resent") == 0:
        return False
    rtt_ms = float(observation.facts.get("rtt_ms") or 0.0)
    return rtt_ms > 0 and observation.elapsed_ms > max(SYN_AGAIN_MS, SYN_AGAIN_RTTS * rtt_ms)
