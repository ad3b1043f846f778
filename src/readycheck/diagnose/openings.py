"""Ports that open and carry nothing: a filter that lets handshakes pass, and ends what is said after them."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from readycheck.diagnose.case import Case, Place
from readycheck.diagnose.finding import Confidence, Finding, Where, sentences
from readycheck.diagnose.greetings import Fate, Trial, fate, trials
from readycheck.diagnose.server_names import place_in
from readycheck.failure import Step
from readycheck.plan import Scope

_WORDLESS = (Fate.CUT, Fate.SILENCE)
_LEAST = 2
_ONE_WAY = (
    " Where no TCP connection carries anything, look for asymmetric routing: a stateful firewall that sees only one "
    "direction lets the opening pass and drops what follows it."
)


@dataclass(frozen=True)
class _Port:
    """A port of which all greetings died; `dead` are the addresses by check, `outside` says where else they did."""

    number: int
    here: Sequence[Trial]
    dead: Mapping[str, Set[str]]
    outside: bool
    place: Place

    @property
    def is_cut(self) -> bool:
        return self.here[0].kill is Fate.CUT

    @property
    def addresses(self) -> Set[str]:
        return {address for some in self.dead.values() for address in some}


def ports_without_answers(case: Case) -> Iterator[Finding]:
    """TCP connections stand at every address of a port, and no greeting is answered at any.

    A service of which the front alone is up looks alike: only a place, or the same end at a host outside the
    product, tells the two apart. Where a host outside is as silent, so are other ports for the same reason.
    """
    ports = list(_sealed(case))
    placeless = [p for p in ports if not p.is_cut and not p.place.words]
    vouching = [p for p in placeless if p.outside and _is_all_said(case, p)]
    if vouching:
        yield _finding(case, sorted(placeless, key=lambda port: port not in vouching))
    for port in ports:
        told = port.place.words or (
            _is_all_said(case, port) and (port.outside or len(port.addresses) >= _LEAST)
        )
        if told and not (vouching and port in placeless):
            yield _finding(case, [port])


def _sealed(case: Case) -> Iterator[_Port]:
    """The ports that fail checks, and on which no greeting lived anywhere in the product."""
    sealed = [trial for trial in trials(case) if trial.is_sealed and trial.kill in _WORDLESS]
    for number in dict.fromkeys(trial.port for trial in sealed):
        found, outside = _dead(case, number)
        dead = {c.check: found[c.check] for _, c in case.failing if c.check in found}
        here = [trial for trial in sealed if trial.port == number]
        place = next((p for trial in here if (p := _place(case, trial)).words), Place(Where.UNKNOWN, ""))
        if dead:
            yield _Port(number, here, dead, outside, place)


def _is_all_said(case: Case, port: _Port) -> bool:
    """Silence is no filter's while answers in small segments, which a narrow link lets pass, were not asked for."""
    small = (o for _, o in case.observations(Scope.FOLLOW_UP) if o.facts.get("max_segment"))
    return port.is_cut or any(o.target.port == port.number and fate(o) is Fate.SILENCE for o in small)


def _dead(case: Case, port: int) -> tuple[dict[str, set[str]], bool]:
    """The addresses of each check at which greetings on this port died, none if one lived anywhere in the product.

    And whether those to a host outside the product died as well.
    """
    found: dict[str, set[str]] = {}
    outside: list[bool] = []
    for outcome, o in case.observations():
        if o.step is not Step.TLS_HANDSHAKE or o.target.port != port or o.target.via:
            continue
        died = fate(o) in _WORDLESS
        if outcome.check.scope is Scope.CONTROL:
            outside.append(died)
        elif not died:
            return {}, False
        elif o.target.address and outcome.check.requirement:
            found.setdefault(outcome.check.id, set()).add(o.target.address)
    return found, bool(outside) and all(outside)


def _place(case: Case, trial: Trial) -> Place:
    """A reset from before the server can have heard anything, or packets that end in the site where a control's go on.

    Farther on each host has a way of its own, on which routers may tell nothing.
    """
    if trial.kill is Fate.CUT:
        return place_in(case, trial)
    edge, beyond = case.evidence.edge_ttl, trial.falls_short_at
    if edge is None or beyond is None or beyond > edge + 1:
        return Place(Where.UNKNOWN, "")
    words = (
        f"A greeting reaches hop {trial.reached} and no further; to another host it goes on to hop {beyond}"
    )
    return Place(Where.SITE, words)


def _finding(case: Case, ports: Sequence[_Port]) -> Finding:
    """All of them end alike; the first says how."""
    first = ports[0]
    cut, place = first.is_cut, first.place
    count = len({address for port in ports for address in port.addresses})
    named, one = ", ".join(str(port.number) for port in ports), len(ports) == 1
    places = f"{count} address{'es' if count != 1 else ''}"
    told = [
        f"TCP {named} open{'s' if one else ''} at {places}, and what is sent over {'it' if one else 'them'} "
        f"{'ends the connection' if cut else 'gets no answer'}, whatever name it carries or none",
        "So it does at a host outside the product" if first.outside else "",
        place.words
        or ("" if first.outside else "A filter on the way does this, and so does a service that is down"),
    ]
    return case.finding(
        "port-rejected" if cut else "port-blocked",
        list(dict.fromkeys(check for port in ports for check in port.dead)),
        sentences(told),
        where=place.where,
        confidence=Confidence.LIKELY if place.words or first.outside else Confidence.POSSIBLE,
        remedy=f"Allow TCP {named} to the product's networks for every application, not for the opening of "
        "connections alone: look for application control, deep inspection or intrusion prevention that ends TLS "
        f"which it does not know.{'' if cut or place.words else _ONE_WAY}",
    )
