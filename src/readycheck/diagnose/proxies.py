"""Rules for the proxy: whether it is there, whom it lets in, and what it lets through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose import beside
from readycheck.diagnose.case import Case
from readycheck.diagnose.clients import login_unsupported, unable_clients
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, shown
from readycheck.failure import Failure, Step
from readycheck.net.proxy import NO_PROXY_STATUSES
from readycheck.observation import Observation
from readycheck.verdict import is_lost

SHOWN = 3
_NAMES = 3


def proxy_trouble(case: Case) -> Iterator[Finding]:
    """One finding for each way in which the proxy stands in the way."""
    tries = [o for _, o in case.observations() if o.step is Step.PROXY_CONNECT]
    yield from _met(case, _unreachable(tries))
    yield from _waits(case, tries)
    yield from _met(case, _FAILED)
    yield from login_unsupported(case)
    yield from _met(case, _REQUIRED)
    yield from _met(case, _DENIES)
    yield from _not_passed_on(case)
    yield from _knows_no_names(case)


def _met(case: Case, rule: "_Rule") -> Iterator[Finding]:
    met = {check: [o for o in seen if rule.fits(o)] for check, seen in ended_there(case)}
    checks = [check for check, seen in met.items() if seen]
    if not checks:
        return
    seen = [o for found in met.values() for o in found]
    yield case.finding(
        rule.cause,
        checks,
        rule.words(case, seen) + _sideways(case, checks),
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.CERTAIN if rule.proof(case) else Confidence.LIKELY,
        remedy=rule.remedy,
    )


def _sideways(case: Case, checks: Sequence[str]) -> str:
    past = beside.answers_past(case, checks)
    return f" Past the proxy, {shown(past)} {'answers' if len(set(past)) == 1 else 'answer'}." if past else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Which failures at the proxy mean a cause, and what makes it certain."""

    cause: str
    fits: Callable[[Observation], bool]
    words: Callable[[Case, Sequence[Observation]], str]
    proof: Callable[[Case], bool]
    remedy: str


def ended_there(case: Case) -> Iterator[tuple[str, Sequence[Observation]]]:
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
_SPOKEN = (None, Failure.PROXY_AUTH_REQUIRED, Failure.PROXY_DENIED)


def _unreachable(tries: Sequence[Observation]) -> _Rule:
    """Out of reach; or what is there has never once answered as a proxy does."""
    spoke = any(_speaks_as_proxy(o) for o in tries)
    mute = () if spoke or _are_waiting(tries) else _MUTE
    wanted = (Failure.PROXY_UNREACHABLE, *mute)
    return _Rule(
        cause="proxy-unreachable",
        fits=lambda o: o.failure in wanted or (not spoke and _knows_no_connect(o)),
        words=_where_it_ends,
        proof=_others_answered,
        remedy="Check the proxy's name and port where it is configured, and whether the proxy is up.",
    )


def _speaks_as_proxy(observation: Observation) -> bool:
    """A page that nobody signed may be a web server's own."""
    unsigned = observation.failure is None and observation.facts.get("signed") is False
    return observation.failure in _SPOKEN and not unsigned and not _knows_no_connect(observation)


def _knows_no_connect(observation: Observation) -> bool:
    denied = observation.failure is Failure.PROXY_DENIED
    return denied and observation.facts.get("status") in NO_PROXY_STATUSES


def _where_it_ends(case: Case, seen: Sequence[Observation]) -> str:
    reasons = dict.fromkeys(
        f"{_STAGES.get(str(o.facts.get('stage')), 'it gives no answer of a proxy')} ({_end(o)})" for o in seen
    )
    return f"The proxy {proxy_name(case, seen)} does not answer: {', '.join(list(reasons)[:SHOWN])}."


def _end(observation: Observation) -> str:
    because = observation.facts.get("because")
    failure = next((f for f in Failure if f.value == because), observation.failure)
    return (not because and _status(observation)) or (failure.words if failure else "")


def _status(observation: Observation) -> str:
    return f"status {observation.facts['status']}" if "status" in observation.facts else ""


def _others_answered(case: Case) -> bool:
    """The host itself has a working network."""
    return any(
        o.failure is None and not o.target.via and o.step is not Step.HOP for _, o in case.observations()
    )


def _are_waiting(tries: Sequence[Observation]) -> bool:
    """Each connection to it stood, and no request was answered in time; some may not have had their turn."""
    ends = {o.failure for o in tries} - {Failure.INTERRUPTED}
    return ends == {Failure.TIMED_OUT} and not any("stage" in o.facts for o in tries)


def _waits(case: Case, tries: Sequence[Observation]) -> Iterator[Finding]:
    """A proxy that is slow, or waits for others itself, looks like one that is dead behind its port."""
    ended = dict(ended_there(case))
    if not ended or not _are_waiting(tries):
        return
    seen = [o for some in ended.values() for o in some]
    waited_s = max(o.elapsed_ms for o in seen) / 1000
    yield case.finding(
        "proxy-unreachable",
        list(ended),
        f"The proxy {proxy_name(case, seen)} takes connections, and answered no request within {waited_s:.0f} s: it is "
        f"overloaded, or waits itself for a name server or for the internet, or is no proxy."
        f"{_sideways(case, list(ended))}",
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.POSSIBLE,
        remedy="Look at the proxy's load, its name server, and the firewall between the proxy and the internet; check "
        "that this is its port.",
    )


# --- what it says -------------------------------------------------------------------------------------


def _itself(case: Case) -> bool:
    """The proxy says it in so many words."""
    return True


def _wants_login(case: Case, seen: Sequence[Observation]) -> str:
    lacks = dict.fromkeys(str(lack) for o in seen for lack in o.facts.get("lacks") or ())
    why = f"that this host cannot make: {', '.join(lacks)}" if lacks else "and none that it takes was given"
    return f"The proxy {proxy_name(case, seen)} wants a login ({_offers(seen)}), {why}."


def _refuses_login(case: Case, seen: Sequence[Observation]) -> str:
    tried = ", ".join(dict.fromkeys(map(_tried, seen)))
    if any(o.facts.get("closed") for o in seen):
        return (
            f"The proxy {proxy_name(case, seen)} closes the connection in the middle of a login ({tried}), "
            f"which is bound to its connection."
        )
    unable = "".join(f" {text}" for text in unable_clients(case, seen))
    return (
        f"The proxy {proxy_name(case, seen)} refuses the credentials that were given "
        f"({tried}; {_offers(seen)}).{unable}"
    )


def _tried(observation: Observation) -> str:
    scheme, mechanism = observation.facts.get("tried"), observation.facts.get("mechanism")
    inside = scheme == "Negotiate" and mechanism == "ntlm"
    return f"{scheme} with NTLM in it, for want of a Kerberos ticket" if inside else str(scheme)


def _is_sure_login(case: Case) -> bool:
    """Many proxies that offer Negotiate take nothing but tickets: a password given as NTLM may be right."""
    refused = [o for _, o in case.observations() if o.step is Step.PROXY_CONNECT and o.facts.get("tried")]
    return not any(o.facts.get("closed") or "ticket" in _tried(o) for o in refused)


def _offers(seen: Sequence[Observation]) -> str:
    schemes = dict.fromkeys(str(scheme) for o in seen for scheme in o.facts.get("offered") or ())
    return f"it offers {', '.join(schemes)}" if schemes else "it offers no way to log in"


def _denies(case: Case, seen: Sequence[Observation]) -> str:
    statuses = ", ".join(sorted({str(o.facts.get("status")) for o in seen}))
    deed = "get" if all(map(_is_plain, seen)) else "connect to"
    return (
        f"The proxy {proxy_name(case, seen)} refuses to {deed} {shown(str(o.target) for o in seen)} "
        f"(status {statuses}).{_objection(case, seen)}"
    )


def _objection(case: Case, seen: Sequence[Observation]) -> str:
    """Whether it is the port that it objects to, the name, or CONNECT alone: what else it lets through shows it."""
    opened = {o.target.port for o in _passed(case) if not _is_plain(o)}
    plain = {o.target.port for o in _passed(case) if _is_plain(o)}
    handed_on = plain & {o.target.port for o in seen if not _is_plain(o)}
    refused = {o.target.port for o in seen} - handed_on
    words = ""
    if handed_on:
        words = (
            f" Plain requests to port {_ports(handed_on)} it hands on: what it objects to there is CONNECT."
        )
    if opened and refused and not refused & opened:
        words += f" It connects to port {_ports(opened)}, so that the port is what it objects to."
    elif refused and refused <= opened:
        words += " It connects to other names on the same port."
    return words


def _ports(ports: Iterable[int | None]) -> str:
    return ", ".join(str(port) for port in sorted(p for p in ports if p))


def _passed(case: Case) -> Iterator[Observation]:
    """What the proxy opened, or handed on."""
    tries = (o for _, o in case.observations() if o.step is Step.PROXY_CONNECT)
    return (o for o in tries if o.failure is None and o.facts.get("signed") is not False)


def _is_plain(observation: Observation) -> bool:
    """A request of plain HTTP, which takes no CONNECT."""
    return observation.facts.get("form") == "absolute"


def _not_passed_on(case: Case) -> Iterator[Finding]:
    """The proxy says that it cannot get there, while without it the same targets answer; its silence shows nothing."""
    met = {check: seen for check, seen in ended_there(case) if seen and all(map(_gave_up, seen))}
    checks = [
        name
        for name in met
        if beside.has_answered(beside.asked(case, beside.PAST, case.by_check[name].check))
    ]
    if not checks:
        return
    seen = [o for name in checks for o in met[name]]
    statuses = ", ".join(sorted({str(o.facts["status"]) for o in seen}))
    yield case.finding(
        "proxy-denies",
        checks,
        f"The proxy {proxy_name(case, seen)} does not pass on {shown(str(o.target) for o in seen)} "
        f"(status {statuses})." + _sideways(case, checks),
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.LIKELY if len(checks) > 1 else Confidence.POSSIBLE,
        remedy="Check the proxy's policy, its name server, and the firewall between the proxy and the internet.",
    )


def _knows_no_names(case: Case) -> Iterator[Finding]:
    """It connects to addresses, and to no name, of which some answer without it: then its silence shows something."""
    opened = {o.target.port for o in _passed(case) if not o.target.host}
    named = {check: seen for check, seen in ended_there(case) if any(o.target.host for o in seen)}
    seen = [o for some in named.values() for o in some]
    silent = bool(seen) and all(o.failure is Failure.TIMED_OUT for o in seen)
    hosts = {o.target.host for o in seen if o.target.port in opened}
    past = beside.answers_past(case, list(named))
    if silent and past and len(hosts) >= _NAMES and not any(o.target.host for o in _passed(case)):
        yield case.finding(
            "proxy-denies",
            list(named),
            f"The proxy {proxy_name(case, seen)} connects to addresses, and answers nothing where it is asked for a "
            f"name ({shown(str(o.target) for o in seen)}), as one does that waits for its name server."
            f"{_sideways(case, list(named))}",
            where=Where.SITE,
            owner=Owner.PROXY,
            remedy="Check the proxy's name server, and UDP and TCP 53 from the proxy to it.",
        )


def _gave_up(observation: Observation) -> bool:
    return is_lost(observation) and "status" in observation.facts


def _connects_elsewhere(case: Case) -> bool:
    return any(_passed(case))


_FAILED = _Rule(
    cause="proxy-auth-failed",
    fits=lambda o: o.failure is Failure.PROXY_AUTH_REQUIRED and bool(o.facts.get("tried")),
    words=_refuses_login,
    proof=_is_sure_login,
    remedy="Check user name, domain and expiry of the password, and whether the account may use the proxy.",
)
_REQUIRED = _Rule(
    cause="proxy-auth-required",
    fits=lambda o: o.failure is Failure.PROXY_AUTH_REQUIRED and not o.facts.get("tried"),
    words=_wants_login,
    proof=_itself,
    remedy="Give the clients credentials, or let the product's names pass without: phones have no user to ask.",
)
_DENIES = _Rule(
    cause="proxy-denies",
    fits=lambda o: o.failure is Failure.PROXY_DENIED and not is_lost(o),
    words=_denies,
    proof=_connects_elsewhere,
    remedy="Allow CONNECT to the product's names and ports, not to 443 alone, in the proxy's policy.",
)


def proxy_name(case: Case, seen: Sequence[Observation]) -> str:
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
