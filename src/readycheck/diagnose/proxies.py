"""Rules for the proxy: whether it is there, whom it lets in, and what it lets through."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.verdict import is_lost

SHOWN = 3


def proxy_trouble(case: Case) -> Iterator[Finding]:
    """One finding for each way in which the proxy stands in the way."""
    tries = [o for _, o in case.observations() if o.step is Step.PROXY_CONNECT]
    for rule in _unreachable(tries), *_RULES:
        met = {check: [o for o in seen if rule.fits(o)] for check, seen in _ended_there(case)}
        checks = [check for check, seen in met.items() if seen]
        if checks:
            seen = [o for found in met.values() for o in found]
            yield case.finding(
                rule.cause,
                checks,
                rule.words(case, seen),
                where=Where.SITE,
                owner=Owner.PROXY,
                confidence=Confidence.CERTAIN if rule.proof(case) else Confidence.LIKELY,
                remedy=rule.remedy,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Which failures at the proxy mean a cause, and what makes it certain."""

    cause: str
    fits: Callable[[Observation], bool]
    words: Callable[[Case, Sequence[Observation]], str]
    proof: Callable[[Case], bool]
    remedy: str


def _ended_there(case: Case) -> Iterator[tuple[str, Sequence[Observation]]]:
    """Checks that did not pass and never came further than the proxy."""
    for _, verdict in case.failing:
        seen = case.by_check[verdict.check].observations
        if seen and all(o.step is Step.PROXY_CONNECT for o in seen):
            yield verdict.check, [o for o in seen if o.failure]


# --- is it there --------------------------------------------------------------------------------------

_STAGES = {
    "resolve": "its name cannot be resolved",
    "connect": "no connection to it can be made",
    "tls": "TLS with it fails",
}
_MUTE = (
    Failure.TIMED_OUT,
    Failure.PROTOCOL_ERROR,
    Failure.CONNECTION_CLOSED,
    Failure.CONNECTION_RESET,
)


def _unreachable(tries: Sequence[Observation]) -> _Rule:
    """Out of reach; or what is there has never once answered as a proxy does."""
    spoke = any(o.failure in (None, Failure.PROXY_AUTH_REQUIRED, Failure.PROXY_DENIED) for o in tries)
    wanted = (Failure.PROXY_UNREACHABLE,) if spoke else (Failure.PROXY_UNREACHABLE, *_MUTE)
    return _Rule(
        cause="proxy-unreachable",
        fits=lambda o: o.failure in wanted,
        words=_where_it_ends,
        proof=_others_answered,
        remedy="Check the proxy's name and port where it is configured, and whether the proxy is up.",
    )


def _where_it_ends(case: Case, seen: Sequence[Observation]) -> str:
    reasons = dict.fromkeys(
        f"{_STAGES.get(str(o.facts.get('stage')), 'it gives no answer of a proxy')} "
        f"({o.facts.get('because') or o.failure})"
        for o in seen
    )
    return f"The proxy {_name(case, seen)} does not answer: {', '.join(list(reasons)[:SHOWN])}."


def _others_answered(case: Case) -> bool:
    """The host itself has a working network."""
    return any(
        o.failure is None and not o.target.via and o.step is not Step.HOP for _, o in case.observations()
    )


# --- what it says -------------------------------------------------------------------------------------


def _itself(case: Case) -> bool:
    """The proxy says it in so many words."""
    return True


def _wants_login(case: Case, seen: Sequence[Observation]) -> str:
    return f"The proxy {_name(case, seen)} wants a login ({_offers(seen)}), and none that it takes was given."


def _refuses_login(case: Case, seen: Sequence[Observation]) -> str:
    tried = ", ".join(dict.fromkeys(str(o.facts["tried"]) for o in seen))
    return (
        f"The proxy {_name(case, seen)} refuses the credentials that were given ({tried}; {_offers(seen)})."
    )


def _offers(seen: Sequence[Observation]) -> str:
    schemes = dict.fromkeys(str(scheme) for o in seen for scheme in o.facts.get("offered") or ())
    return f"it offers {', '.join(schemes)}" if schemes else "it offers no way to log in"


def _denies(case: Case, seen: Sequence[Observation]) -> str:
    statuses = ", ".join(sorted({str(o.facts.get("status")) for o in seen}))
    targets = list(dict.fromkeys(str(o.target) for o in seen))
    more = f" and {len(targets) - SHOWN} more" if len(targets) > SHOWN else ""
    shown = f"{', '.join(targets[:SHOWN])}{more}"
    return f"The proxy {_name(case, seen)} refuses to connect to {shown} (status {statuses})."


def _connects_elsewhere(case: Case) -> bool:
    return any(o.step is Step.PROXY_CONNECT and o.failure is None for _, o in case.observations())


_RULES = (
    _Rule(
        cause="proxy-auth-required",
        fits=lambda o: o.failure is Failure.PROXY_AUTH_REQUIRED and not o.facts.get("tried"),
        words=_wants_login,
        proof=_itself,
        remedy="Give the clients credentials, or let the product's names pass without: phones have no user to ask.",
    ),
    _Rule(
        cause="proxy-auth-failed",
        fits=lambda o: o.failure is Failure.PROXY_AUTH_REQUIRED and bool(o.facts.get("tried")),
        words=_refuses_login,
        proof=_itself,
        remedy="Check user name, domain and expiry of the password, and whether the account may use the proxy.",
    ),
    _Rule(
        cause="proxy-denies",
        fits=lambda o: o.failure is Failure.PROXY_DENIED and not is_lost(o),
        words=_denies,
        proof=_connects_elsewhere,
        remedy="Allow CONNECT to the product's names and ports, not to 443 alone, in the proxy's policy.",
    ),
)


def _name(case: Case, seen: Sequence[Observation]) -> str:
    """`host:port`, and where it is configured."""
    place = str(seen[0].target.via)
    source = next((p.source for p in case.environment.proxies if p.url.endswith(f"//{place}")), "")
    return (
        f"{place} (from {source})"
        if source.startswith("-")
        else f"{place} (from the {source})"
        if source
        else place
    )
