"""The rule for a box that cuts off greetings by the TLS version that they offer."""

from collections.abc import Iterator

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, sentences
from readycheck.diagnose.greetings import Trial, trials
from readycheck.diagnose.server_names import place_in
from readycheck.failure import Failure, Step
from readycheck.observation import Observation

_CUTS = (Failure.CONNECTION_RESET, Failure.CONNECTION_CLOSED)
_REMEDY = (
    "Update the firewall or filter on the way that inspects TLS: it does not bear greetings that offer TLS 1.3. "
    "Until then exempt the product's traffic from it."
)


def newer_greetings_cut(case: Case) -> Iterator[Finding]:
    """Greetings that offer TLS 1.3 are cut off on a port, and those that offer 1.2 at most are completed."""
    borne = {o.target.port for _, o in case.observations() if _is_borne(o)}
    proven = [t for t in trials(case) if t.minds_version and t.port not in borne]
    checks = _checks_of(case, {t.port for t in proven})
    if checks:
        yield _finding(case, proven, checks)


def _is_borne(one: Observation) -> bool:
    """A greeting that may have offered TLS 1.3 was answered on the way that is in question."""
    less = one.facts.get("purpose") == "tls1.2" or one.facts.get("variant") == "older"
    return one.step is Step.TLS_HANDSHAKE and one.failure is None and not one.target.via and not less


def _checks_of(case: Case, ports: set[int]) -> list[str]:
    hit = {
        outcome.check.id
        for outcome, o in case.observations()
        if o.step is Step.TLS_HANDSHAKE and o.failure in _CUTS and not o.target.via and o.target.port in ports
    }
    return case.failing_among(hit)


def _finding(case: Case, proven: list[Trial], checks: list[str]) -> Finding:
    first = min(proven, key=lambda t: not t.fates("elsewhere"))
    place = place_in(case, first)
    outside = bool(first.fates("elsewhere"))
    ports = " and ".join(map(str, sorted({t.port for t in proven})))
    told = [
        f"TLS greetings to TCP {ports} that offer TLS 1.3 are cut off, whatever name they ask for",
        "The same hosts complete those that offer TLS 1.2 at most",
        "So it is with a host outside the product" if outside else "",
        place.words,
    ]
    return case.finding(
        "tls-version",
        [*checks, *dict.fromkeys(t.check for t in proven)],
        sentences(told),
        where=place.where,
        owner=Owner.PROXY if place.where is Where.SITE else None,
        confidence=Confidence.LIKELY if outside else Confidence.POSSIBLE,
        remedy=_REMEDY,
    )
