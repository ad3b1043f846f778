"""Ports that open and carry nothing: a filter that lets handshakes pass, and ends what is said after them."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose.case import Case, Place
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.greetings import Fate, Trial, fate, trials
from readycheck.diagnose.server_names import place_in
from readycheck.failure import Step
from readycheck.plan import Scope

_WORDLESS = (Fate.CUT, Fate.SILENCE)
_LEAST = 2


def ports_without_answers(case: Case) -> Iterator[Finding]:
    """TCP connections stand at every address of a port, and no greeting is answered at any.

    A service of which the front alone is up looks alike: only a place, or the same end at a host outside the
    product, tells the two apart.
    """
    sealed = [trial for trial in trials(case) if trial.is_sealed and trial.kill in _WORDLESS]
    for port in dict.fromkeys(trial.port for trial in sealed):
        dead, outside = _dead(case, port)
        here = [trial for trial in sealed if trial.port == port]
        checks = [c.check for _, c in case.failing if c.check in dead]
        addresses = {address for check in checks for address in dead[check]}
        place = next((p for trial in here if (p := _place(case, trial)).words), Place(Where.UNKNOWN, ""))
        if not place.words and not _is_all_said(case, here[0]):
            continue
        if checks and (place.words or outside or len(addresses) >= _LEAST):
            yield _finding(case, here, checks, len(addresses), place, outside=outside)


def _is_all_said(case: Case, trial: Trial) -> bool:
    """Silence is no filter's while answers in small segments, which a narrow link lets pass, were not asked for."""
    small = (o for _, o in case.observations(Scope.FOLLOW_UP) if o.facts.get("max_segment"))
    return trial.kill is Fate.CUT or any(
        o.target.port == trial.port and fate(o) is Fate.SILENCE for o in small
    )


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


def _finding(
    case: Case, here: Sequence[Trial], checks: Sequence[str], addresses: int, place: Place, *, outside: bool
) -> Finding:
    cut, port = here[0].kill is Fate.CUT, here[0].port
    places = f"{addresses} address{'es' if addresses != 1 else ''}"
    told = [
        f"TCP {port} opens at {places}, and what is sent over it "
        f"{'ends the connection' if cut else 'gets no answer'}, whatever name it carries or none",
        "So it does at a host outside the product" if outside else "",
        place.words
        or ("" if outside else "A filter on the way does this, and so does a service that is down"),
    ]
    return case.finding(
        "port-rejected" if cut else "port-blocked",
        checks,
        "".join(f"{sentence}. " for sentence in told if sentence).rstrip(),
        where=place.where,
        confidence=Confidence.LIKELY if place.words or outside else Confidence.POSSIBLE,
        remedy=f"Allow TCP {port} to the product's networks for every application, not for the opening of "
        "connections alone: look for application control, deep inspection or intrusion prevention that ends TLS "
        "which it does not know.",
    )
