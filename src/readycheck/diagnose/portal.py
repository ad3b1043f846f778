"""Whether a portal holds this network: it answers plain HTTP in everybody's place, and nothing else passes."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Step
from readycheck.net.address import is_address
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope

_LOGIN_REQUIRED = 511  # RFC 6585 section 6
_REDIRECTS = range(300, 400)
_ASKED = 2
_LONGEST_S = 3.0


@dataclass(frozen=True, slots=True)
class _Sign:
    """A plain request that somebody else answered: for which host, and by whom as far as it says.

    `plain` signs say so themselves; a page that merely lacks what it should have might be a host's new one.
    """

    check: str
    host: str
    portal: str
    plain: bool


def captive_portal(case: Case) -> Iterator[Finding]:
    """Somebody answers plain HTTP for a host outside the product, and neither TLS nor media comes through.

    A page in place of the product's own alone is a filter; with TLS that works it is a proxy for HTTP.
    """
    signs = list(_signs(case.outcomes))
    passes = _tls_passes(case.outcomes) or _media_passes(case.outcomes) or not _tls_was_tried(case.outcomes)
    if not signs or passes or not _is_for_everybody(case, signs):
        return
    broken = [check.check for _, check in case.failing]
    seen = [o.check.id for o in case.outcomes if o.check.scope in (Scope.CONTROL, Scope.HONESTY)]
    plain = [sign for sign in signs if sign.plain]
    sure = len({_zone(sign.host) for sign in signs}) > 1
    if broken and (plain or sure):
        yield case.finding(
            "captive-portal",
            [*broken, *seen, *(sign.check for sign in signs)],
            _summary(sorted(plain or signs, key=lambda sign: sign.check not in seen)),
            where=Where.SITE,
            owner=Owner.NETWORK,
            confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
            remedy="Sign on in a browser, or give unattended hosts and phones a network without a portal.",
        )


def plain_http_is_led_away(case: Case) -> Iterator[Finding]:
    """Somebody sends plain HTTP of unrelated hosts to one place, while TLS or media passes: a portal for HTTP alone.

    Vendors and authorities send what they have under several domains to one page of theirs: only what a host outside
    the product is sent to, too, is nobody's own.
    """
    if not (_tls_passes(case.outcomes) or _media_passes(case.outcomes)):
        return
    outside = {o.check.id for o in case.outcomes if o.check.scope is Scope.CONTROL}
    by_portal: dict[str, list[_Sign]] = {}
    for sign in _signs(case.outcomes):
        by_portal.setdefault(sign.portal, []).append(sign)
    for portal, signs in by_portal.items():
        hosts = list(dict.fromkeys(sign.host for sign in signs))
        if portal and len(set(map(_zone, hosts))) > 1 and any(sign.check in outside for sign in signs):
            yield case.finding(
                "proxy-transparent",
                list(dict.fromkeys(sign.check for sign in signs)),
                f"Something on the way answers plain HTTP in the place of {' and '.join(hosts[:_ASKED])}, and sends "
                f"whoever asks to {portal}; other traffic passes.",
                owner=Owner.PROXY,
                confidence=Confidence.CERTAIN,
                remedy="Sign on in a browser, or exempt the product's names and networks from the redirection of plain "
                "HTTP: certificates and firmware of phones come over it.",
            )


def _summary(signs: list[_Sign]) -> str:
    portal = next((sign.portal for sign in signs if sign.portal), "")
    who = f"the portal {portal}" if portal else "a portal"
    hosts = list(dict.fromkeys(sign.host for sign in signs))
    return (
        f"This network lets nothing out before a login at {who}: it answers plain HTTP in the place of "
        f"{' and '.join(hosts[:_ASKED])}, and TLS connections reach no server."
    )


def _is_for_everybody(case: Case, signs: list[_Sign]) -> bool:
    """A host outside the product is answered for; or nobody outside was asked, and two zones of the product are."""
    outside = {o.check.id for o in case.outcomes if o.check.scope is Scope.CONTROL}
    asked = any(o.step is Step.RESPONSE for _, o in case.observations(Scope.CONTROL))
    return any(s.check in outside for s in signs) or (not asked and len({_zone(s.host) for s in signs}) > 1)


def _signs(outcomes: tuple[Outcome, ...]) -> Iterator[_Sign]:
    """Also a page that an unrelated host shows in place of its own, met at another host."""
    asked = [(outcome.check.id, o) for outcome in outcomes for o in outcome.observations if _is_plain_http(o)]
    foreign = {_page(o): _zone(o.target.host or "") for _, o in asked if _is_wrong(o) and _page(o)}
    for check, o in asked:
        host = o.target.host or ""
        portal = _elsewhere(host, str(o.facts.get("location") or "")) if _status(o) in _REDIRECTS else ""
        plain = bool(portal) or _status(o) == _LOGIN_REQUIRED
        if plain or _is_wrong(o) or foreign.get(_page(o), _zone(host)) != _zone(host):
            yield _Sign(check, host, portal, plain)


def _is_plain_http(observation: Observation) -> bool:
    target = observation.target
    named = bool(target.host) and target.port == 80 and not target.via
    return named and observation.step is Step.RESPONSE and "status" in observation.facts


def _is_wrong(observation: Observation) -> bool:
    """Without the text that it must have; a redirect has another."""
    told = observation.facts.get("http") or {}
    return told.get("expected") is False and _status(observation) not in _REDIRECTS


def _status(observation: Observation) -> int:
    return int(observation.facts["status"])


def _page(observation: Observation) -> str:
    return str((observation.facts.get("http") or {}).get("sha256") or "")


def _elsewhere(host: str, location: str) -> str:
    """The host that a redirect leads to, if it is none of the zone of the host that was asked."""
    try:
        found = urlsplit(location).hostname or ""
    except ValueError:
        return ""
    return "" if not found or (_zone(found) == _zone(host) and not is_address(found)) else found


def _zone(host: str) -> str:
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _tls_passes(outcomes: tuple[Outcome, ...]) -> bool:
    """A handshake succeeded, or failed with whoever signs for the very name: that is inspection, and no portal.

    A follow-up looks at no signature, so that its handshake shows as little as a connection.
    """
    return any(
        o.step is Step.TLS_HANDSHAKE
        and (
            (o.failure is None and outcome.check.scope is not Scope.FOLLOW_UP)
            or (o.facts.get("tls") or {}).get("name_matches") is True
        )
        for outcome in outcomes
        for o in outcome.observations
    )


def _tls_was_tried(outcomes: tuple[Outcome, ...]) -> bool:
    """Connections that were not even made included."""
    return any(o.check.proves is Step.TLS_HANDSHAKE and o.observations for o in outcomes)


def _media_passes(outcomes: tuple[Outcome, ...]) -> bool:
    """UDP other than names and time, which portals let through or answer themselves."""
    return any(
        o.step is Step.ECHO
        and o.failure is None
        and o.target.transport == "udp"
        and o.target.port not in _LET
        for outcome in outcomes
        for o in outcome.observations
    )


_LET = (53, 123)


def ask_others(situation: Situation) -> Iterator[Check]:
    """Plain HTTP to two hosts of the product, where TLS fails everywhere and something looks like a portal."""
    outcomes = situation.outcomes
    if not _tls_was_tried(outcomes) or _tls_passes(outcomes):
        return
    asked = any(o.check.scope is Scope.CONTROL and o.check.probe == "http" for o in outcomes)
    if asked and not any(_signs(outcomes)):
        return
    for host in _hosts(outcomes):
        target = Target(host=host, port=80, transport="tcp")
        values = {"scheme": "http", "method": "GET"}
        check = situation.check(f"portal/{host}:80", "http", [target], longest_s=_LONGEST_S, **values)
        yield from [check] if check else []


def _hosts(outcomes: tuple[Outcome, ...]) -> list[str]:
    """One of each zone, those first that the vendor's document prints."""
    named = [o.check for o in outcomes if o.check.scope is Scope.NAMED and o.check.target.host]
    by_zone: dict[str, str] = {}
    for check in sorted(named, key=lambda check: not check.certain):
        by_zone.setdefault(_zone(check.target.host or ""), check.target.host or "")
    return list(by_zone.values())[:_ASKED]
