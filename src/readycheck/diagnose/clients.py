"""What the product's clients can do at a proxy, by the profile, against what the proxy offers. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where
from readycheck.failure import Step
from readycheck.observation import Observation
from readycheck.profile import ProxySupport

SHOWN = 4
_SPELLED = {"ntlm": "NTLM"}


def login_unsupported(case: Case) -> Iterator[Finding]:
    """The proxy offers no scheme that some client of the run's roles can do, whether or not this host can."""
    offers = [
        (outcome.check, o)
        for outcome, o in case.observations()
        if o.step is Step.PROXY_CONNECT and o.facts.get("offered") and outcome.check.requirement
    ]
    unable = _unable(case, _offered(o for _, o in offers))
    checks = [
        check.id for check, _ in offers if any(_plays(client, case, check.requirement) for client in unable)
    ]
    if not unable or not checks:
        return
    yield case.finding(
        "proxy-auth-unsupported",
        checks,
        f"The proxy {offers[0][1].target.via} wants a login by {listed(_names(o for _, o in offers))}."
        + "".join(f" {text}" for text in unable_clients(case, [o for _, o in offers])),
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=Confidence.LIKELY,
        remedy=_remedy(case, unable),
    )


def unable_clients(case: Case, seen: Sequence[Observation]) -> Iterator[str]:
    """A sentence about the clients that can do nothing of what the proxy offers, if there are any."""
    unable = _unable(case, _offered(seen))
    if unable:
        able = sorted({scheme for client in unable for scheme in _can(client)})
        known = f" (they can do {listed(map(_spelled, able))})" if able else ""
        able_ones = [client.product for client in _clients(case) if client not in unable]
        others = f"; {listed(able_ones)} can" if able_ones else ""
        yield f"{listed(client.product for client in unable)} cannot do that{known}{others}."


def _clients(case: Case) -> list[ProxySupport]:
    """Those of the run's roles whose schemes the profile knows."""
    return [
        c
        for c in case.profile.proxies
        if c.authentication and (c.roles is None or set(c.roles) & set(case.roles))
    ]


def _unable(case: Case, offered: frozenset[str]) -> list[ProxySupport]:
    return [c for c in _clients(case) if offered and not _can(c) & offered] if offered else []


def _can(client: ProxySupport) -> frozenset[str]:
    """Kerberos goes by the name of Negotiate where a proxy offers it."""
    return frozenset("negotiate" if s == "kerberos" else s for s in client.authentication) - {"none"}


def _plays(client: ProxySupport, case: Case, requirement: str | None) -> bool:
    found = case.requirements.get(requirement or "")
    return found is not None and (client.roles is None or bool(set(client.roles) & set(found.roles)))


def _names(seen: Iterable[Observation]) -> list[str]:
    return list(dict.fromkeys(str(scheme) for o in seen for scheme in o.facts.get("offered") or ()))


def _offered(seen: Iterable[Observation]) -> frozenset[str]:
    return frozenset(name.lower() for name in _names(seen))


def _remedy(case: Case, unable: Sequence[ProxySupport]) -> str:
    common = frozenset.intersection(*map(_can, unable))
    offer = listed(map(_spelled, sorted(common)), "or") if common else "what each of them can do"
    whom = listed(client.product for client in unable)
    return f"Offer {offer} as well, or let the product's names pass without a login for {whom}."


def _spelled(scheme: str) -> str:
    return _SPELLED.get(scheme, scheme.capitalize())


def listed(words: Iterable[str], last: str = "and") -> str:
    known = list(words)
    if len(known) > SHOWN:
        return f"{', '.join(known[:SHOWN])} {last} {len(known) - SHOWN} more"
    return f" {last} ".join(filter(None, (", ".join(known[:-1]), *known[-1:])))
