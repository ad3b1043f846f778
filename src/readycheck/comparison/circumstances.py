"""What else is not as it was between two runs: the host, its link, what is on its way out, and the run itself. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from readycheck.comparison.change import Circumstance as C
from readycheck.comparison.change import Difference
from readycheck.failure import Step

if TYPE_CHECKING:
    from readycheck.net.environment import Environment
    from readycheck.observation import Observation
    from readycheck.report import Report

Told = frozenset[str]
_MOST = 8
_COMPARABLE = ("effort", "only", "skip", "values", "proxy", "source", "interface", "family", "responder")


def differences(before: "Report", after: "Report", systems: Mapping[str, str]) -> Iterator[Difference]:
    """All of them, from the run itself outwards. `systems` are the numbers of the networks of egress addresses."""
    for circumstance, read in _READINGS.items():
        old, new = read(before), read(after)
        if old != new:
            yield _difference(circumstance, old, new)
    was, became = _of_families_of_both(egress(before), egress(after))
    yield from _elsewhere(C.EGRESS, was, became)
    yield from _elsewhere(C.SYSTEM, _systems(was, systems), _systems(became, systems))
    yield from _issuers(issuers(before), issuers(after))
    yield from _path(routers(before), routers(after))


def _difference(circumstance: C, old: Iterable[str], new: Iterable[str], of: str = "") -> Difference:
    return Difference(
        circumstance=circumstance, before=tuple(sorted(old)[:_MOST]), after=tuple(sorted(new)[:_MOST]), of=of
    )


def _elsewhere(circumstance: C, old: Told, new: Told) -> Iterator[Difference]:
    """A run sees some of what there is: only where nothing is shared is it elsewhere; nothing seen says nothing."""
    if old and new and not old & new:
        yield _difference(circumstance, old, new)


def _of_families_of_both(old: Told, new: Told) -> tuple[Told, Told]:
    """IPv6 where IPv4 does not answer any more is no other address: both had it all along."""
    families = {":" in address for address in old} & {":" in address for address in new}

    def kept(told: Told) -> Told:
        return frozenset(one for one in told if (":" in one) in families)

    return kept(old), kept(new)


# --- read from one report ------------------------------------------------------------------------------


def _options(report: "Report") -> Told:
    given = report.run.options
    told = {f"{key}: {_shown(given[key])}" for key in _COMPARABLE if given.get(key) not in (None, [], {}, "")}
    return frozenset(told | {f"roles: {', '.join(report.run.roles)}"})


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in sorted(value.items()))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _trust(report: "Report") -> Told:
    """The stand-in world has authorities of its own, new ones for each run."""
    run = report.run
    return frozenset() if run.site == "twin" else frozenset((*run.trust_roots, *run.trusted_pins))


def _link(report: "Report") -> Told:
    """The link of the default route, and the tunnels beside it."""
    environment = report.environment
    name = environment.default_interface
    links = [i for i in environment.interfaces if i.name == name or i.kind == "vpn"]
    return frozenset(f"{i.name} ({i.kind.value}, MTU {i.mtu or 'unknown'})" for i in links)


def _addresses(report: "Report") -> Told:
    environment = report.environment
    return frozenset(
        a for i in environment.interfaces if i.name == environment.default_interface for a in i.addresses
    )


def _proxies(report: "Report") -> Told:
    environment = report.environment
    found = {f"{p.scheme}: {p.url}" for p in environment.proxies}
    return frozenset(found | set(_script(environment)))


def _script(environment: "Environment") -> Iterator[str]:
    if script := environment.script:
        yield f"script {script.place}, SHA-256 {script.sha256[:16] or 'unknown'}"


def _one(read: Callable[["Report"], str | None]) -> Callable[["Report"], Told]:
    return lambda report: frozenset(filter(None, [read(report)]))


_READINGS: Mapping[C, Callable[["Report"], Told]] = {
    C.STATE: _one(lambda report: report.run.state.value),
    C.OPTIONS: _options,
    C.TRUST: _trust,
    C.AGENT: _one(lambda report: report.tool.version),
    C.PROFILE: _one(lambda report: f"{report.run.profile_revision} ({report.run.profile_hash[:12]})"),
    C.HOST: lambda report: frozenset(filter(None, (report.environment.host, report.environment.platform))),
    C.CAPABILITIES: lambda report: frozenset(report.environment.capabilities),
    C.LINK: _link,
    C.ADDRESS: _addresses,
    C.GATEWAY: _one(lambda report: report.environment.gateway),
    C.DHCP: _one(lambda report: report.environment.dhcp_server),
    C.RESOLVER: lambda report: frozenset(report.environment.resolvers),
    C.PROXY: _proxies,
}


def egress(report: "Report") -> Told:
    """The addresses that the far ends saw."""
    told = (o.facts.get("mapped_address") for o in _observations(report))
    return frozenset(text.rpartition(":")[0].strip("[]") for text in told if isinstance(text, str))


def _systems(addresses: Told, systems: Mapping[str, str]) -> Told:
    return frozenset(systems[address] for address in addresses if address in systems)


def issuers(report: "Report") -> dict[str, Told]:
    """Who signed what each host showed: the issuer of its own certificate."""
    found: dict[str, set[str]] = {}
    for observation in _observations(report):
        host = observation.target.host or observation.target.sni
        if observation.step is Step.TLS_HANDSHAKE and host and (issuer := _issuer(observation.facts)):
            found.setdefault(host, set()).add(issuer)
    return {host: frozenset(names) for host, names in found.items()}


def _issuer(facts: Mapping[str, Any]) -> str:
    told = facts.get("tls")
    chain = told.get("chain") if isinstance(told, Mapping) else None
    leaf = chain[0] if isinstance(chain, list | tuple) and chain else None
    return str(leaf.get("issuer", "")) if isinstance(leaf, Mapping) else ""


def routers(report: "Report") -> dict[int, Told]:
    """Who answered at each hop."""
    found: dict[int, set[str]] = {}
    for observation in _observations(report):
        ttl, router = observation.facts.get("ttl"), observation.facts.get("offender")
        if observation.step is Step.HOP and isinstance(ttl, int) and isinstance(router, str):
            found.setdefault(ttl, set()).add(router)
    return {ttl: frozenset(those) for ttl, those in sorted(found.items())}


def _observations(report: "Report") -> "Iterator[Observation]":
    return (observation for check in report.checks for observation in check.observations)


# --- compared part by part -----------------------------------------------------------------------------


def _issuers(old: Mapping[str, Told], new: Mapping[str, Told]) -> Iterator[Difference]:
    """The hosts that both runs met, together where the same issuers changed alike."""
    hosts: dict[tuple[Told, Told], list[str]] = {}
    for host in sorted(old.keys() & new.keys()):
        if not old[host] & new[host]:
            hosts.setdefault((old[host], new[host]), []).append(host)
    for (was, became), those in hosts.items():
        more = f" and {len(those) - 3} more" if len(those) > 3 else ""
        yield _difference(C.ISSUER, was, became, of=", ".join(those[:3]) + more)


def _path(old: Mapping[int, Told], new: Mapping[int, Told]) -> Iterator[Difference]:
    """The first hop at which nobody answers who did before: what is beyond it may be its doing."""
    for ttl in sorted(old.keys() & new.keys()):
        was, became = _of_families_of_both(old[ttl], new[ttl])
        if was and not was & became:
            yield _difference(C.PATH, was, became, of=f"hop {ttl}")
            return
