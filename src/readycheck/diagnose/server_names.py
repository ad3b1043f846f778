"""Rules and follow-ups for what kills a TLS greeting by the server name in it, or by the lack of one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from readycheck.diagnose.case import Case, Place, provider_owns
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, sentences, shown
from readycheck.diagnose.greetings import PROBE, RARE, Fate, Trial, fate, trials
from readycheck.diagnose.situation import Situation
from readycheck.diagnose.stalls import by_turns
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope

PATTERNS = 3
WITNESSES = 8
LONGEST_S = 5.5
_NAMELESS_TARGETS = 2
_ALONE = 2
_INNOCENT = "www.example.com"

_FOREIGN = frozenset(
    {
        Failure.CERTIFICATE_UNTRUSTED,
        Failure.CERTIFICATE_CHAIN_INCOMPLETE,
        Failure.CERTIFICATE_NAME_MISMATCH,
    }
)
_KILLING = frozenset(
    {
        Failure.CONNECTION_RESET,
        Failure.CONNECTION_CLOSED,
        Failure.TIMED_OUT,
        Failure.TLS_NOT_TLS,
        Failure.TLS_ALERT,
        *_FOREIGN,
    }
)
"""How a box ends a greeting that it does not like. A server that says that it has no such name is believed."""

_CUTTING = _KILLING - _FOREIGN

_WORDS = {
    Fate.CUT: "The connection ends at a TLS greeting {what}",
    Fate.SILENCE: "No answer comes to a TLS greeting {what}",
    Fate.PAGE: "A TLS greeting {what} is answered by something that is not TLS, such as a block page",
    Fate.ALERT: "A TLS greeting {what} is answered by an alert",
    Fate.FOREIGN: "A TLS greeting {what} is answered with a certificate for another name",
}


# --- follow-ups ---------------------------------------------------------------------------------------


def names_in_question(situation: Situation) -> Iterator[Check]:
    """One name for each way in which named handshakes end, and one greeting for each of the other names."""
    killed = _killed(situation.outcomes)
    if not killed:
        return
    decoy = _decoy(situation, killed)
    patterns: dict[tuple[Fate, int | None], list[Target]] = {}
    for one in killed:
        patterns.setdefault((fate(one), one.target.port), []).append(_place(one))
    for targets in list(patterns.values())[:PATTERNS]:
        chosen = targets[:1] if decoy.at else _apart(targets)
        check = situation.check(
            f"sni/{chosen[0].host}:{chosen[0].port}",
            PROBE,
            chosen,
            longest_s=LONGEST_S,
            witnesses=tuple(t for t in targets if t not in chosen)[:WITNESSES],
            **_known(situation, decoy),
        )
        yield from [check] if check else []


def nameless_in_question(situation: Situation) -> Iterator[Check]:
    """Greetings without a name that die where a connection stands, on a port where none of them lives."""
    sent = [
        o
        for outcome in situation.outcomes
        for o in outcome.observations
        if o.step is Step.TLS_HANDSHAKE and o.target.sni is None and o.target.address and not o.target.via
    ]
    dead = [o for o in sent if o.failure in _CUTTING]
    alive = {o.target.port for o in sent if o.failure is None}
    decoy = _decoy(situation, dead) if dead else _Decoy(_INNOCENT)
    ports = dict.fromkeys(o.target.port for o in dead if o.target.port not in alive)
    for port in list(ports)[:PATTERNS]:
        by_network = {o.target.network or o.target.address: o for o in dead if o.target.port == port}
        targets = [Target(address=o.target.address, port=port, transport="tcp") for o in by_network.values()][
            :_NAMELESS_TARGETS
        ]
        check = situation.check(
            f"sni/nameless:{port}", PROBE, targets, longest_s=LONGEST_S, **_known(situation, decoy)
        )
        yield from [check] if check else []


@dataclass(frozen=True, slots=True)
class _Decoy:
    """A name that passes, and the place where it did."""

    name: str
    at: Target | None = None


def _known(situation: Situation, decoy: _Decoy) -> dict[str, object]:
    return {
        "decoy": decoy.name,
        "controls": (decoy.at,) if decoy.at else (),
        "seed": situation.plan.seed,
    }


def _killed(outcomes: Iterable[Outcome]) -> list[Observation]:
    """The last word on each name whose handshakes all failed once a connection stood."""
    found: dict[tuple[str, int | None], Observation] = {}
    sound: set[tuple[str, int | None]] = set()
    for outcome in outcomes:
        if outcome.check.scope in (Scope.FOLLOW_UP, Scope.CONTROL):
            continue
        for o in outcome.observations:
            target = o.target
            if o.step is not Step.TLS_HANDSHAKE or not (target.host and target.sni and target.address):
                continue
            if o.failure is None or o.facts.get("client_certificate_requested"):
                sound.add((target.host, target.port))
            elif o.failure in _KILLING and not target.via:
                found[target.host, target.port] = o
    return [o for place, o in found.items() if place not in sound]


def _decoy(situation: Situation, killed: Sequence[Observation]) -> _Decoy:
    """A control before a name of the product; it must have answered, but for its name alone."""
    zones = {zone(o.target.host or "") for o in killed}
    ports = {o.target.port for o in killed}
    good = [
        (outcome.check.scope is not Scope.CONTROL, o.target.port not in ports, index, o.target)
        for index, (outcome, o) in enumerate(
            (outcome, o) for outcome in situation.outcomes for o in outcome.observations
        )
        if o.step is Step.TLS_HANDSHAKE and o.failure is None and o.target.sni and not o.target.via
        if zone(o.target.sni) not in zones
    ]
    if good:
        target = min(good, key=lambda each: each[:3])[3]
        return _Decoy(target.sni or "", Target(address=target.address, port=target.port, transport="tcp"))
    controls = [c.target.host for c in situation.plan.checks if c.scope is Scope.CONTROL and c.target.host]
    return _Decoy(controls[0] if controls else _INNOCENT)


def _place(one: Observation) -> Target:
    target = one.target
    return Target(host=target.host, address=target.address, port=target.port, transport="tcp")


def _apart(targets: Sequence[Target]) -> list[Target]:
    """Two names of different zones, where nothing but their own addresses can tell."""
    by_zone = {zone(target.host or ""): target for target in reversed(targets)}
    return [target for target in targets if target in by_zone.values()][:2]


def zone(name: str) -> str:
    """The last two labels: names of one owner, more often than not."""
    return ".".join(name.rstrip(".").lower().split(".")[-2:])


# --- rules --------------------------------------------------------------------------------------------


def sni_filter(case: Case) -> Iterator[Finding]:
    """Greetings die by the name in them, and not because the server does not know it."""
    tried = [trial for trial in trials(case) if trial.asked is not None]
    guilty = [t for t in tried if t.guilty and not t.resigned]
    for kill in dict.fromkeys(t.kill for t in guilty):
        alike = sorted((t for t in guilty if t.kill is kill), key=lambda t: (not t.fates("asked"), t.luck))
        if not _is_shown(case, alike):
            continue
        names = _names(case, alike, {t.asked for t in tried} - {t.asked for t in guilty})
        checks = _checks_of(case, names)
        if checks and kill is not None:
            yield _filter_finding(case, kill, alike, names, checks)


def _is_shown(case: Case, alike: Sequence[Trial]) -> bool:
    """One greeting that was lost shows nothing; nor do two of which each was lost once, where any is by turns."""
    told = [t for t in alike if t.fates("asked") and not t.is_by_chance]
    several = len(alike) >= _ALONE and not any(t.fates("asked") for t in alike)
    return bool(told) or (several and not (alike[0].kill is Fate.SILENCE and by_turns(case)))


def _names(case: Case, guilty: Sequence[Trial], innocent: set[str | None]) -> list[str]:
    """The names that were seen to die by name, and untried ones of their zones that fail alike."""
    tried = {t.asked for t in guilty}
    zones = {zone(t.asked or "") for t in guilty}
    kills = {t.kill for t in guilty}
    dead = {o.target.host or "": fate(o) for o in _killed(case.outcomes)}
    alike = [name for name, end in dead.items() if zone(name) in zones and end in kills]
    return [name for name in dead if name in tried or (name in alike and name not in innocent)]


def _checks_of(case: Case, names: Sequence[str]) -> list[str]:
    """Failing checks in which a handshake with one of the names died."""
    hit = {
        outcome.check.id
        for outcome, o in case.observations()
        if o.step is Step.TLS_HANDSHAKE and o.failure in _KILLING and o.target.host in names
    }
    return case.failing_among(hit)


def _filter_finding(
    case: Case, kill: Fate, guilty: Sequence[Trial], names: Sequence[str], checks: Sequence[str]
) -> Finding:
    first = guilty[0]
    place = place_in(case, first)
    told = [_WORDS[kill].format(what=f"that names {shown(names)} (SNI)"), *_reasons(first), place.words]
    patterns = [case.by_check[check].check.group for check in checks]
    allowed = ", ".join(dict.fromkeys(p for p in patterns if p)) or shown(names)
    return case.finding(
        "sni-filter",
        [*checks, *dict.fromkeys(t.check for t in guilty)],
        sentences(told),
        where=place.where,
        owner=Owner.PROXY if place.where is Where.SITE else None,
        confidence=_sure(first, proven=first.elsewhere or first.on_the_way),
        remedy=f"Allow {allowed} in the web or application filter, by name and by category, or exempt the "
        "product's traffic from it.",
    )


def place_in(case: Case, trial: Trial) -> Place:
    """Beyond the site's edge it is the provider's if the routers are: a vendor may have such a box as well."""
    evidence = case.evidence
    routers = {rung.ttl: rung.address for rung in evidence.rungs if rung.purpose == "ladder"}
    place = trial.place(
        evidence.edge_ttl, lambda ttl: f"{routers[ttl]} (hop {ttl})" if ttl in routers else f"hop {ttl}"
    )
    around = routers.get(trial.passed), routers.get(trial.passed + 1)
    if place.where is Where.ISP and not provider_owns(evidence, *around, trial.about.rsplit(":", 1)[0]):
        return replace(place, where=Where.UNKNOWN)
    return place


def _sure(trial: Trial, *, proven: bool) -> Confidence:
    """`proven` by a control: another server, or a hop limit; a shape that passes agrees with other names that pass."""
    if trial.luck >= RARE:
        return Confidence.POSSIBLE
    return Confidence.CERTAIN if proven else Confidence.LIKELY


def _reasons(trial: Trial) -> Iterator[str]:
    if trial.others_live:
        yield "The same address answers other names"
    shapes = {"segments": "in two segments", "records": "in two records"}
    ways = " or ".join(shapes[shape] for shape in trial.evaded)
    if ways:
        yield f"The same name passes when it is sent {ways}, which only a box that reads packets would mind"
    if trial.elsewhere:
        yield "A greeting with this name to a host outside the product ends in the same way"


def sni_required(case: Case) -> Iterator[Finding]:
    """Greetings without a name die, at addresses that answer greetings with one, and on the way."""
    tried = [t for t in trials(case) if t.asked is None and t.kill and t.differs("decoy")]
    proven = [t for t in tried if t.guilty and not t.is_by_chance]
    if not proven:
        return
    first = min(proven, key=lambda t: not t.on_the_way)
    place = place_in(case, first)
    ports = sorted({t.port for t in proven})
    checks = _nameless_checks(case, set(ports))
    told = [
        _WORDS[first.kill or Fate.CUT].format(
            what=f"to TCP {' or '.join(map(str, ports))} that names no server (SNI)"
        ),
        "The same addresses answer greetings that name one"
        if first.alive("decoy")
        else "Greetings that name one get a page in place of TLS",
        "A greeting without one to a host outside the product ends in the same way"
        if first.elsewhere
        else "",
        place.words,
    ]
    yield case.finding(
        "sni-required",
        [*checks, *dict.fromkeys(t.check for t in proven)],
        sentences(told),
        where=place.where,
        owner=Owner.PROXY if place.where is Where.SITE else None,
        confidence=_sure(first, proven=first.on_the_way),
        remedy="Let the filter pass TLS without a server name to the product's networks: media over TLS sends none.",
    )


def _nameless_checks(case: Case, ports: set[int]) -> list[str]:
    hit = {
        outcome.check.id
        for outcome, o in case.observations()
        if o.step is Step.TLS_HANDSHAKE and o.target.sni is None and o.failure in _CUTTING
        if o.target.port in ports
    }
    return case.failing_among(hit)
