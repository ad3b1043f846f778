"""Profile, selection, seed and known addresses -> the checks of a run: pure and deterministic."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from readycheck.errors import ProfileError, UsageError
from readycheck.failure import Step
from readycheck.net.address import is_address
from readycheck.net.proxy import is_exempt
from readycheck.observation import Target
from readycheck.probe import Effort, Probe
from readycheck.profile import Area, Importance, Profile, Requirement
from readycheck.registry import Registry, build_params
from readycheck.sampling import PARTS, Stratum, addresses, per_network, strata

DEFAULT_SEED = 1
BUDGET_S = {Effort.QUICK: 4.0, Effort.NORMAL: 8.0, Effort.THOROUGH: 12.0}


class Scope(StrEnum):
    """How a check finds its targets."""

    SAMPLED = "sampled"
    NAMED = "named"
    RESOLVERS = "resolvers"
    CONTROL = "control"
    PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTarget:
    """What a check is about; each of its observations has a target of its own."""

    host: str | None = None
    network: str | None = None
    address: str | None = None
    ports: str = ""
    transport: str | None = None
    sni: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to measure, within `budget_s`.

    `proves` is the step whose success shows that the service answered, `certain` says that the name is known
    to exist, and `group` is the wildcard that a representative name stands for.
    """

    id: str
    requirement: str | None
    probe: str
    scope: Scope
    target: CheckTarget
    params: Any
    budget_s: float
    needs: tuple[str, ...] = ()
    proves: Step = Step.RESPONSE
    certain: bool = True
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for.

    With `proxy`, `via` is what checks call it, and `past_proxy` the rules for hosts that are reached without.
    """

    roles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    effort: Effort = Effort.NORMAL
    controls: bool = True
    proxy: bool = False
    via: str = "proxy"
    past_proxy: tuple[str, ...] = ()
    resolvers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The checks of a run, and for each requirement without one the reason.

    `untested` nobody could test from here; `unprobed` this installation cannot, which is its own fault.
    """

    checks: tuple[Check, ...]
    selected: tuple[Requirement, ...]
    untested: Mapping[str, str]
    unprobed: Mapping[str, str]
    deselected: tuple[str, ...]
    roles: tuple[str, ...]
    seed: int
    effort: Effort


def plan(
    profile: Profile, registry: Registry, selection: Selection, seed: int, known: Sequence[str] = ()
) -> Plan:
    """Raises `UsageError` for what the selection names and the profile or the registry lacks."""
    roles = _roles(profile, selection)
    _refuse_unknown(profile, registry, selection)
    selected = tuple(r for r in profile.requirements if set(r.roles) & set(roles))
    untested = dict(_untested(selected, selection))
    unprobed = dict(_unprobed(selected, registry))
    deselected = tuple(r.id for r in selected if _deselected(r, selection))
    maker = _Maker(profile, registry, selection, seed, tuple(known))
    checks = [
        check
        for requirement in selected
        if requirement.id not in {*untested, *unprobed, *deselected}
        for check in maker.checks(requirement)
    ]
    for requirement in selected:
        if requirement.id not in unprobed and not any(c.requirement == requirement.id for c in checks):
            untested.setdefault(requirement.id, "no target is known from here")
    # Names first: a few packets that would otherwise wait behind the samples' many.
    ordered = sorted((*checks, *maker.controls()), key=lambda check: check.scope is Scope.SAMPLED)
    return Plan(
        checks=tuple(ordered),
        selected=selected,
        untested={k: v for k, v in untested.items() if k not in deselected},
        unprobed={k: v for k, v in unprobed.items() if k not in deselected and k not in untested},
        deselected=deselected,
        roles=roles,
        seed=seed,
        effort=selection.effort,
    )


def _roles(profile: Profile, selection: Selection) -> tuple[str, ...]:
    known = [role.name for role in profile.roles]
    for role in selection.roles:
        if role not in known:
            raise UsageError(f"--role {role}: profile '{profile.name}' has the roles {', '.join(known)}")
    return selection.roles or profile.default_roles()


def _refuse_unknown(profile: Profile, registry: Registry, selection: Selection) -> None:
    for option, names in (("--only", selection.only), ("--skip", selection.skip)):
        for name in names:
            if name not in registry.installed and name not in registry.broken:
                raise UsageError(f"{option} {name}: no such probe (known: {', '.join(registry.installed)})")
    for name in selection.values:
        if name not in profile.placeholders:
            known = ", ".join(profile.placeholders) or "none"
            raise UsageError(f"--set {name}: profile '{profile.name}' has the placeholders {known}")
    for name, placeholder in profile.placeholders.items():
        if placeholder.required and name not in selection.values:
            raise UsageError(f"--set {name}=VALUE is needed by profile '{profile.name}': {placeholder.title}")


def _untested(selected: Iterable[Requirement], selection: Selection) -> Iterator[tuple[str, str]]:
    for requirement in selected:
        wanted = [h for h in requirement.targets.hosts if _open_placeholders(h, selection.values)]
        if requirement.probe is None or requirement.untestable:
            yield requirement.id, requirement.untestable
        elif wanted and len(wanted) == len(requirement.targets.hosts) and not _elsewhere(requirement):
            missing = ", ".join(_open_placeholders(wanted[0], selection.values))
            yield requirement.id, f"not testable from here: give --set {missing}=VALUE"


def _unprobed(selected: Iterable[Requirement], registry: Registry) -> Iterator[tuple[str, str]]:
    for requirement in selected:
        if requirement.probe is None:
            continue
        if requirement.probe in registry.broken:
            yield requirement.id, str(registry.broken[requirement.probe])
        elif requirement.probe not in registry.installed:
            yield requirement.id, f"probe '{requirement.probe}' is not installed"


def _elsewhere(requirement: Requirement) -> bool:
    targets = requirement.targets
    return bool(targets.networks or targets.names or targets.resolvers)


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _open_placeholders(host: str, values: Mapping[str, str]) -> list[str]:
    return [name for name in _PLACEHOLDER.findall(host) if name not in values]


def _filled(host: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], host)


def _deselected(requirement: Requirement, selection: Selection) -> bool:
    if selection.only and requirement.probe not in selection.only:
        return requirement.probe is not None
    return requirement.probe in selection.skip


_CONTROL_PROBES = {("tcp", 443): "tls", ("udp", 53): "dns", ("udp", 123): "ntp"}
"""What a control is asked, by transport and port: a plain connection, or a binding, unless it says here."""


class _Maker:
    """Makes checks; holds what all of them share."""

    def __init__(
        self, profile: Profile, registry: Registry, selection: Selection, seed: int, known: tuple[str, ...]
    ) -> None:
        self.profile, self.registry, self.selection = profile, registry, selection
        self.seed = seed
        self.given = dict(_given(selection.targets))
        self.known = (*(a for a in self.given.values() if a), *known)
        groups = {g for r in profile.requirements for g in r.targets.networks}
        networks = [n for g in sorted(groups) for n in profile.networks[g].networks]
        self.count = per_network(networks, selection.effort)

    def checks(self, requirement: Requirement) -> Iterator[Check]:
        for group in requirement.targets.networks:
            yield from self._sampled(requirement, group)
        for name_group in requirement.targets.names:
            yield from self._named_group(requirement, name_group)
        for host in requirement.targets.hosts:
            if not _open_placeholders(host, self.selection.values):
                yield from self._hosts(requirement, _filled(host, self.selection.values), True, host)
        if requirement.targets.resolvers:
            yield from self._resolver(requirement)

    def controls(self) -> Iterator[Check]:
        """Hosts outside the product, unless the user opted out or asked for a part only."""
        if not self.selection.controls or self.selection.only:
            return
        for control in self.profile.controls:
            plain = "tcp" if control.transport == "tcp" else "stun"
            probe = _CONTROL_PROBES.get((control.transport, control.port), plain)
            target = Target(host=control.host, port=control.port, transport=control.transport)
            if probe in self.registry.installed:
                yield self._check(
                    f"control/{control.host}:{control.port}",
                    None,
                    probe,
                    Scope.CONTROL,
                    [target],
                    certain=False,
                )

    def _sampled(self, requirement: Requirement, group: str) -> Iterator[Check]:
        slices = [s for ports in requirement.ports for s in strata(ports, self.seed)]
        for turn, network in enumerate(self.profile.networks[group].networks):
            if ipaddress.ip_network(network).prefixlen >= ipaddress.ip_network(network).max_prefixlen - 1:
                sample: tuple[str, ...] = tuple(str(a) for a in ipaddress.ip_network(network))
            else:
                sample = addresses(network, self._count(requirement), self.seed, self.known)
            for index, stratum in enumerate(slices):
                if self._is_left_out(len(stratum.ports), turn + index):
                    continue
                yield self._slice(requirement, network, sample, index, len(slices), stratum)

    def _is_left_out(self, ports: int, turn: int) -> bool:
        """A quick run asks a quarter of the strata of a range in each network, and all of them in all."""
        return ports > 1 and self.selection.effort is Effort.QUICK and turn % PARTS != 0

    def _count(self, requirement: Requirement) -> int:
        """Calls and registration get the whole sample, the rest a third of it."""
        vital = requirement.area in (Area.SIGNALLING, Area.MEDIA_REACHABILITY)
        return (
            self.count if vital and requirement.importance is Importance.REQUIRED else max(2, self.count // 3)
        )

    def _slice(
        self,
        requirement: Requirement,
        network: str,
        sample: Sequence[str],
        index: int,
        of: int,
        stratum: Stratum,
    ) -> Check:
        """Single ports get every address; each stratum of a range gets one, and known ones besides."""
        alone = len(stratum.ports) == 1
        mine = sample if alone else self._share(sample, index, of)
        transport = requirement.transport
        targets = [
            Target(
                network=network,
                address=address,
                port=stratum.ports[i % len(stratum.ports)],
                transport=transport,
            )
            for i, address in enumerate(mine)
        ]
        return self._check(
            f"{requirement.id}/{network}:{stratum.name.replace(' ', '-')}",
            requirement,
            requirement.probe or "",
            Scope.SAMPLED,
            targets,
            network=network,
            ports=stratum.name,
        )

    def _share(self, sample: Sequence[str], index: int, of: int) -> Sequence[str]:
        """Rotating, so that the strata meet every part of the network."""
        known = [address for address in sample if address in self.known][:2]
        return tuple(dict.fromkeys((*known, sample[index % len(sample)])))

    def _named_group(self, requirement: Requirement, group: str) -> Iterator[Check]:
        for entry in self.profile.names[group].domains:
            for host in entry.hosts:
                certain = entry.certain or not entry.is_wildcard
                yield from self._hosts(requirement, host, certain, entry.pattern)

    def _hosts(self, requirement: Requirement, host: str, certain: bool, group: str) -> Iterator[Check]:
        for stratum in self._slices(requirement):
            place = {"address": host} if is_address(host) else {"host": host}
            port = stratum.ports[0] if stratum else None
            target = Target(port=port, transport=requirement.transport, **place)
            yield self._check(
                f"{requirement.id}/{host}:{stratum.name.replace(' ', '-')}"
                if stratum
                else f"{requirement.id}/{host}",
                requirement,
                requirement.probe or "",
                Scope.NAMED,
                [target],
                ports=stratum.name if stratum else "",
                certain=certain,
                group=group,
            )

    def _slices(self, requirement: Requirement) -> Sequence[Stratum | None]:
        """The ports to ask a host for; a range is asked in its strata, and ICMP has no ports."""
        if requirement.transport == "icmp":
            return (None,)
        return [stratum for ports in requirement.ports for stratum in strata(ports, self.seed)]

    def _resolver(self, requirement: Requirement) -> Iterator[Check]:
        transport = requirement.transport
        for address, port in self.selection.resolvers:
            target = Target(address=address, port=port, transport=transport)
            yield self._check(
                f"{requirement.id}/{address}:{port}/{transport}",
                requirement,
                requirement.probe or "",
                Scope.RESOLVERS,
                [target],
            )

    def _check(
        self,
        identity: str,
        requirement: Requirement | None,
        probe: str,
        scope: Scope,
        targets: Sequence[Target],
        *,
        network: str | None = None,
        ports: str = "",
        certain: bool = True,
        group: str = "",
    ) -> Check:
        first = targets[0] if targets else Target()
        single = first if len(targets) == 1 else Target(transport=first.transport)
        implementation = self.registry.probe(probe)
        via = self._via(requirement, targets)
        params = self._params(implementation, requirement, [replace(target, via=via) for target in targets])
        proves = getattr(params, "proves", implementation.proves)
        # The proxy makes the connection; what we see of it is that it says so.
        tunnelled = via is not None and proves is Step.CONNECT
        return Check(
            id=identity,
            requirement=requirement.id if requirement else None,
            probe=probe,
            scope=scope,
            target=CheckTarget(
                host=single.host,
                network=network,
                address=single.address,
                ports=ports or str(single.port or ""),
                transport=first.transport,
                via=via,
            ),
            params=params,
            budget_s=BUDGET_S[self.selection.effort],
            proves=Step.PROXY_CONNECT if tunnelled else proves,
            certain=certain,
            group=group,
        )

    def _params(self, probe: Probe[Any], requirement: Requirement | None, targets: Sequence[Target]) -> Any:
        values = requirement.params if requirement else {}
        where = f"{self.profile.name}: requirements[{requirement.id}]" if requirement else self.profile.name
        return build_params(probe.Params, values, where=where, targets=tuple(targets))

    def _via(self, requirement: Requirement | None, targets: Sequence[Target]) -> str | None:
        """The proxy, for TCP that may follow it; a check goes one way as a whole."""
        if not self.selection.proxy or requirement is None or not requirement.proxied:
            return None
        rules = self.selection.past_proxy
        past = all(is_exempt(target.host or target.address or "", rules) for target in targets)
        return None if past or requirement.transport != "tcp" else self.selection.via


def _given(targets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`HOST` or `HOST=ADDRESS`; a HOST that is an address stands for itself."""
    for text in targets:
        host, _, address = text.partition("=")
        address = address or (host if is_address(host) else "")
        if not host or (address and not is_address(address)):
            raise UsageError(f"--target {text}: not HOST or HOST=ADDRESS")
        yield host, address


def validate(profile: Profile, registry: Registry, origin: str) -> None:
    """Check probes, parameters and limits of every requirement against the installed probes.

    Raises `ProfileError` with file, table and key; a probe that is not installed is not an error here.
    """
    for requirement in profile.requirements:
        if requirement.probe is None or requirement.probe in registry.broken:
            continue
        where = f"{origin}: requirements[{requirement.id}]"
        if requirement.probe not in registry.installed:
            raise ProfileError(f"{where}.probe: '{requirement.probe}' is not an installed probe")
        probe = registry.installed[requirement.probe].probe
        build_params(probe.Params, requirement.params, where=where)
        metrics = {metric.name for metric in probe.metrics}
        for name in requirement.limits:
            if name not in metrics:
                raise ProfileError(f"{where}.limits.{name}: probe '{requirement.probe}' has no such metric")
