"""Whether a proxy that nobody configured takes plain HTTP over on the way. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.evidence import Sign
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.profile import Profile

NOWHERE = "nowhere"
_ADDRESSES = ("192.0.2.1", "198.51.100.1", "203.0.113.1")
"""Of the networks for documentation (RFC 5737), where nothing lives."""
_HTTP, _CONTROL = 80, 7
_LONGEST_S = 3.0
_NETWORKS = 2
_NO_TLS = (Failure.TLS_NOT_TLS, Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET)
"""Who speaks no TLS says so in another language, or hangs up on what it does not know."""
_MARKS = ("via", "x-cache", "x-cache-lookup", "x-squid-error", "proxy-connection")
_PORTAL = (*range(300, 400), 511)
_BY = re.compile(r"(?:HTTP/)?[0-9.]+ +([^ ,()]+)", re.IGNORECASE)


def ask_nowhere(situation: Situation) -> Iterator[Check]:
    """Addresses where nothing lives, once plain HTTP was answered with an error, by nothing of HTTP, or by a proxy."""
    if not any(map(_is_odd, situation.outcomes)) and not _may_be_marked(situation):
        return
    places = _nowhere(situation.case.profile)
    web = [Target(address=address, port=_HTTP, transport="tcp") for address in places]
    control = [Target(address=address, port=_CONTROL, transport="tcp") for address in places]
    for check in (
        situation.check(f"{NOWHERE}/{_HTTP}", "http", web, longest_s=_LONGEST_S, scheme="http"),
        situation.check(f"{NOWHERE}/{_CONTROL}", "tcp", control, longest_s=_LONGEST_S),
    ):
        yield from [check] if check else []


def proxy_transparent(case: Case) -> Iterator[Finding]:
    """Port 80 of nowhere answers, or plain answers carry a proxy's marks that others of the same host do not."""
    odd = [o.check.id for o in case.outcomes if o.check.requirement and _is_odd(o)]
    if where := _answered_nowhere(case):
        found = case.finding(
            "proxy-transparent",
            [f"{NOWHERE}/{_HTTP}", f"{NOWHERE}/{_CONTROL}", *odd],
            f"A proxy that nobody configured answers plain HTTP: {where}, where nothing lives, takes connections to "
            f"port {_HTTP} and none to port {_CONTROL}.",
            where=Where.UNKNOWN,
            owner=Owner.PROXY,
            confidence=Confidence.CERTAIN,
            remedy="Exempt the product's names and networks from the redirection of plain HTTP.",
        )
        yield found if odd else replace(found, severity=Severity.NOTE)
    elif marks := _marks(case):
        yield _marked(case, marks)


def _marked(case: Case, marks: Mapping[str, list[tuple[str, Observation]]]) -> Finding:
    name, met = max(marks.items(), key=lambda item: len(item[1]))
    hosts = list(dict.fromkeys(str(o.target) for _, o in met))
    sure = any(_secure(case, o) for _, o in met)
    found = case.finding(
        "proxy-transparent",
        list(dict.fromkeys(check for check, _ in met)),
        f"Plain HTTP from {hosts[0]}{f' and {len(hosts) - 1} more' if len(hosts) > 1 else ''} passes through a "
        f"proxy that nobody configured: the answers name {name}.",
        where=Where.UNKNOWN,
        owner=Owner.PROXY,
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        remedy="Nothing, unless a requirement fails: then exempt the product's names from the redirection of HTTP.",
    )
    return replace(found, severity=Severity.NOTE)


def strangers_answer(case: Case) -> Iterator[Finding]:
    """Whoever answers on a port of TLS speaks none, at all hosts of several networks: hardly the product's servers."""
    for requirement, cells in ((r, case.cells_of(r)) for r in case.requirements):
        answered = [c for c in cells if c.transport == "tcp" and c.sign is Sign.ANSWERED]
        networks = {c.network for c in answered}
        strange = {c.network for c in answered if c.failure is Failure.TLS_NOT_TLS}
        if len(strange) < _NETWORKS or any(c.failure not in _NO_TLS for c in answered):
            continue
        checks = {c.check for c in answered}
        ports = ", ".join(str(port) for port in sorted({c.port for c in answered}))
        yield case.finding(
            "proxy-transparent",
            case.failing_among(checks),
            f"TCP {ports} is answered at {len({c.address for c in answered})} addresses of {len(networks)} networks by "
            f"what speaks no TLS ({case.requirements[requirement].title}): something on the way answers in the place "
            "of the product, or its servers are set up wrongly.",
            where=Where.UNKNOWN,
            owner=Owner.PROXY,
            confidence=Confidence.POSSIBLE,
            remedy=f"Exempt TCP {ports} to the product's networks from redirection: look for transparent proxies and "
            "translated destinations; if there are none, look at the vendor's status page.",
        )


# --- nowhere ------------------------------------------------------------------------------------------


def _is_odd(outcome: Outcome) -> bool:
    """A plain request past any proxy that was taken, and not answered as a service does."""
    if outcome.check.scope is not Scope.NAMED or outcome.check.target.via:
        return False
    return any(o.step is Step.RESPONSE and o.failure and _is_plain(o) for o in outcome.observations)


def _is_plain(observation: Observation) -> bool:
    target = observation.target
    return target.port == _HTTP and not target.via and not target.sni


def _nowhere(profile: Profile) -> list[str]:
    """Documentation lives in examples, and stand-in networks may use its addresses for real."""
    networks = [ip_network(n) for group in profile.networks.values() for n in group.networks]
    return [a for a in _ADDRESSES if not any(ip_address(a) in network for network in networks)]


def _answered_nowhere(case: Case) -> str:
    """The address that takes plain HTTP and nothing else, unless a portal's answer says more."""
    web = case.by_check.get(f"{NOWHERE}/{_HTTP}")
    control = case.by_check.get(f"{NOWHERE}/{_CONTROL}")
    if web is None or control is None or not control.observations:
        return ""
    if any(o.facts.get("status") in _PORTAL for o in web.observations):
        return ""
    taken = {o.target.address for o in control.observations if not o.failure}
    open_ = [o.target.address for o in web.observations if o.step is Step.CONNECT and not o.failure]
    return next((address for address in open_ if address and address not in taken), "")


# --- marks --------------------------------------------------------------------------------------------


def _may_be_marked(situation: Situation) -> bool:
    plain = (o for outcome in situation.outcomes for o in outcome.observations if _is_plain(o))
    return any(o.step is Step.RESPONSE and _named(o) for o in plain) and bool(_marks(situation.case))


def _marks(case: Case) -> dict[str, list[tuple[str, Observation]]]:
    """Who is named by plain answers and by none over TLS: the servers of one delivery network have many names.

    Without an answer over TLS to compare, only what proxies of clients write counts, at hosts of two zones.
    """
    found: dict[str, list[tuple[str, Observation]]] = {}
    for outcome, o in case.observations():
        if o.step is not Step.RESPONSE or not _is_plain(o) or outcome.check.target.via:
            continue
        known = {_zone(name) for other in _secure(case, o) for name in _named(other)}
        for name in _named(o):
            if _zone(name) not in known:
                found.setdefault(name, []).append((outcome.check.id, o))
    return {name: met for name, met in found.items() if _is_telling(case, name, met)}


def _is_telling(case: Case, name: str, met: list[tuple[str, Observation]]) -> bool:
    if "." in name and any(_secure(case, o) for _, o in met):
        return True
    forward = any("x-squid-error" in _headers(o) or "x-cache-lookup" in _headers(o) for _, o in met)
    return forward and len({_zone(o.target.host or "") for _, o in met}) > 1


def _named(observation: Observation) -> set[str]:
    """The names that proxies give themselves (RFC 9110 section 7.6.3, and `HIT from NAME`)."""
    headers = _headers(observation)
    via = set(_BY.findall(headers.get("via", "")))
    cached = (headers.get(key, "").partition(" from ")[2] for key in ("x-cache", "x-cache-lookup"))
    return {name.partition(":")[0] for name in (*via, *cached) if name}


def _headers(observation: Observation) -> Mapping[str, str]:
    told = (observation.facts.get("http") or {}).get("headers") or {}
    return {key: str(value) for key, value in told.items() if key in _MARKS and value}


def _secure(case: Case, plain: Observation) -> list[Observation]:
    """Answers of the same host over TLS."""
    return [
        o
        for outcome, o in case.observations()
        if o.step is Step.RESPONSE
        and o.target.host == plain.target.host
        and o.target.host
        and (o.target.port == 443 or o.target.sni)
        and not outcome.check.target.via
        and "status" in o.facts
    ]


def _zone(host: str) -> str:
    return ".".join(host.lower().rstrip(".").split(".")[-2:])
