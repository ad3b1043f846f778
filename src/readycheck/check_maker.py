"""The checks of a requirement: which addresses, names and ports a run asks for it. Pure and deterministic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from itertools import islice
from typing import Any

from readycheck.check import (
    Check,
    CheckTarget,
    Scope,
    Selection,
    filled_host,
    lane,
    may_use_proxy,
    open_placeholders,
)
from readycheck.errors import UsageError
from readycheck.failure import Step
from readycheck.net.address import is_address
from readycheck.net.proxy import is_exempt
from readycheck.observation import Target
from readycheck.probe import Effort, Probe
from readycheck.profile import Area, Control, Importance, NameGroup, Profile, Requirement
from readycheck.registry import Registry, build_params
from readycheck.sampling import PARTS, PER_RUN, Stratum, addresses, per_network, pick, shares, strata

BUDGET_S = {Effort.QUICK: 4.0, Effort.NORMAL: 8.0, Effort.THOROUGH: 12.0}
MOST_CALLED = 4
"""Ports of this host that a responder is asked to call, of one requirement."""
MOST_CHECKS = 5_000
"""Five times what the largest product has, and about what a run can send within its deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aim:
    """Where one check of a requirement, or of a control, leads; `values` are parameters that no profile sets."""

    id: str
    scope: Scope
    targets: Sequence[Target]
    network: str | None = None
    ports: str = ""
    certain: bool = True
    group: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def about(self, via: str | None) -> CheckTarget:
        """What all of its targets have in common."""
        first = self.targets[0]
        single = first if len(self.targets) == 1 else Target()
        return CheckTarget(
            host=single.host,
            network=self.network,
            address=single.address,
            ports=self.ports or str(single.port or ""),
            transport=first.transport,
            via=via,
        )


_CONTROL_PROBES = {
    ("tcp", 80): "http",
    ("tcp", 443): "tls",
    ("udp", 53): "dns",
    ("udp", 123): "ntp",
    ("udp", 443): "quic",
}
"""What a control is asked, by transport and port: a plain connection, or a binding, unless it says here."""

HIJACK = "hijack"
CAPACITY = "capacity"
IDLE = "idle"
"""The probes that are not run unless somebody asks for them: one fills the line, the other waits."""
_HIJACK_SERVERS = 2
_HIJACK_ZONES = 2
_NOBODY = ("198.51.100.253", "203.0.113.253", "192.0.2.253")
"""Addresses of documentation (RFC 5737): nobody is there to be bothered, and no router leads to them, so that who
answers a question on its way there is between this host and the first router that has no default route."""


class CheckMaker:
    """Makes the checks of the requirements that are `asked`; holds what all of them share.

    A run asks PER_RUN addresses and makes MOST_CHECKS checks at most. Where a profile wants more, everybody gets
    an equal share, the more important before the others, and the seed draws which networks are asked.
    """

    def __init__(
        self,
        profile: Profile,
        registry: Registry,
        selection: Selection,
        seed: int,
        known: tuple[str, ...],
        asked: Sequence[Requirement],
    ) -> None:
        self.profile, self.registry, self.selection = profile, registry, selection
        self.seed = seed
        self.given = dict(_given(selection.targets))
        self.known = tuple(dict.fromkeys((*(a for a in self.given.values() if a), *known)))
        self._known = frozenset(self.known)
        groups = {g for r in profile.requirements for g in r.targets.networks}
        networks = [n for g in sorted(groups) for n in profile.networks[g].networks]
        self.count = per_network(networks, selection.effort)
        self._samples: dict[tuple[str, int], Sequence[str]] = {}
        self._hosts_of = {name: _number(group) for name, group in profile.names.items()}
        last = sorted(asked, key=lambda r: r.importance.rank, reverse=True)
        self.networks = dict(self._shared_networks(last))
        self._turn = {requirement.id: turn for turn, requirement in enumerate(last)}
        wanted = [self._size(requirement) for requirement in last]
        self._quota = {r.id: n for r, n in zip(last, shares(wanted, MOST_CHECKS), strict=True)}

    def checks(self, requirement: Requirement) -> Iterator[Check]:
        """As many as its share allows, each of them once."""
        own = {check.id: check for check in islice(self._checks(requirement), self._quota[requirement.id])}
        yield from own.values()

    def shortfall(self, requirement: Requirement, checks: Iterable[Check]) -> str:
        """What these checks leave out because of the bounds of a run; empty when they leave out nothing."""
        groups = requirement.targets.networks
        curbed = any(len(self.networks[g]) < len(self.profile.networks[g].networks) for g in groups)
        if not curbed and self._quota[requirement.id] >= self._size(requirement):
            return ""
        asked = len({check.target.network or check.target.host or check.target.address for check in checks})
        wanted = self._named(requirement) + sum(len(self.profile.networks[g].networks) for g in groups)
        bounds = f"a run asks {PER_RUN} addresses and makes {MOST_CHECKS} checks at most"
        return f"{asked} of {wanted} networks and names asked: {bounds}"

    def _shared_networks(self, asked: Iterable[Requirement]) -> Iterator[tuple[str, Sequence[str]]]:
        groups = dict.fromkeys(group for requirement in asked for group in requirement.targets.networks)
        sizes = [len(self.profile.networks[group].networks) for group in groups]
        for group, share in zip(groups, shares(sizes, PER_RUN), strict=True):
            yield (
                group,
                pick(self.profile.networks[group].networks, share, f"{self.seed}:{group}", self.known),
            )

    def _size(self, requirement: Requirement) -> int:
        """How many checks it would have, had it no share to keep to."""
        places = self._named(requirement) + sum(len(self.networks[g]) for g in requirement.targets.networks)
        resolvers = len(self.selection.resolvers) if requirement.targets.resolvers else 0
        return places * len(self._slices(requirement)) + resolvers + requirement.targets.responder

    def _named(self, requirement: Requirement) -> int:
        targets = requirement.targets
        return len(targets.hosts) + sum(self._hosts_of[group] for group in targets.names)

    def _checks(self, requirement: Requirement) -> Iterator[Check]:
        if requirement.targets.responder:
            if self.selection.responder:
                yield self._far_end(requirement, *self.selection.responder)
            return
        for group in requirement.targets.networks:
            yield from self._sampled(requirement, group)
        for name_group in requirement.targets.names:
            yield from self._named_group(requirement, name_group)
        for host in requirement.targets.hosts:
            if not open_placeholders(host, self.selection.values):
                yield from self._hosts(requirement, filled_host(host, self.selection.values), True, host)
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
            dear = probe == "quic" and self.selection.effort is Effort.QUICK  # its library is slow to import
            if probe in self.registry.installed and not dear:
                # The host of QUIC is likely asked over TCP as well, on the same port.
                name = f"control/{control.host}:{control.port}{'/udp' if probe == 'quic' else ''}"
                values = _page(control) if probe == "http" else {}
                aim = _Aim(id=name, scope=Scope.CONTROL, targets=[target], certain=False, values=values)
                yield self._check(None, probe, aim)
        yield from self._honesty()

    def _honesty(self) -> Iterator[Check]:
        """Whether the name servers tell the truth: eight questions at most, beside everything else."""
        servers = [Target(address=a, port=p, transport="udp") for a, p in self.selection.resolvers]
        installed = HIJACK in self.registry.installed and HIJACK not in self.selection.skip
        if not servers or not installed or not self.profile.controls:
            return
        values = {
            "unknown": tuple(unknown_names(self.profile, self.seed)),
            "known": next(self._printed_names(), ""),
            "nobody": self._nobody(),
        }
        name, targets = f"control/{HIJACK}", servers[:_HIJACK_SERVERS]
        aim = _Aim(id=name, scope=Scope.HONESTY, targets=targets, certain=False, values=values)
        yield self._check(None, HIJACK, aim)

    def _printed_names(self) -> Iterator[str]:
        """Names that the vendor's document prints, those of the product's own servers first."""
        groups = [g for r in self.profile.requirements if r.pinned for g in r.targets.names]
        for group in (*groups, *self.profile.names):
            domains = self.profile.names[group].domains
            yield from (entry.pattern for entry in domains if not entry.is_wildcard)

    def _nobody(self) -> str:
        """An address without a name server, outside the product's networks."""
        known = [ip_network(n) for group in self.profile.networks.values() for n in group.networks]
        free = (a for a in _NOBODY if not any(ip_address(a) in network for network in known))
        return next(free, "")

    def _sampled(self, requirement: Requirement, group: str) -> Iterator[Check]:
        slices = self._slices(requirement)
        for turn, network in enumerate(self._turned(requirement, group)):
            sample = self._sample(network, self._count(requirement))
            for index, stratum in enumerate(slices):
                if self._is_left_out(len(stratum.ports), turn + index):
                    continue
                # Single ports get every address; each stratum of a range gets one, and known ones besides.
                mine = sample if len(stratum.ports) < 2 else self._share(sample, index)
                yield self._slice(requirement, network, stratum, mine)

    def _turned(self, requirement: Requirement, group: str) -> Sequence[str]:
        """Whoever cannot ask all of them starts elsewhere than the one before, so that all are met by somebody."""
        networks, quota = self.networks[group], self._quota[requirement.id]
        if not networks or quota >= self._size(requirement):
            return networks
        start = self._turn[requirement.id] * quota % len(networks)
        return (*networks[start:], *networks[:start])

    def _sample(self, network: str, count: int) -> Sequence[str]:
        """Drawn once for all requirements that ask the network."""
        if (network, count) not in self._samples:
            self._samples[network, count] = addresses(network, count, self.seed, self.known)
        return self._samples[network, count]

    def _is_left_out(self, ports: int, turn: int) -> bool:
        """A quick run asks a quarter of the strata of a range in each network, and all of them in all."""
        return ports > 1 and self.selection.effort is Effort.QUICK and turn % PARTS != 0

    def _count(self, requirement: Requirement) -> int:
        """Calls and registration get the whole sample, the rest a third of it."""
        vital = requirement.area in (Area.SIGNALLING, Area.MEDIA_REACHABILITY)
        whole = vital and requirement.importance is Importance.REQUIRED
        return self.count if whole else max(1, self.count // 3)

    def _slice(
        self, requirement: Requirement, network: str, stratum: Stratum, sample: Sequence[str]
    ) -> Check:
        targets = [
            Target(network=network, address=address, port=_port(stratum, i), transport=requirement.transport)
            for i, address in enumerate(sample)
        ]
        aim = _Aim(
            id=f"{requirement.id}/{network}{_suffix(stratum)}",
            scope=Scope.SAMPLED,
            targets=targets,
            network=network,
            ports=stratum.name,
        )
        return self._check(requirement, requirement.probe or "", aim)

    def _share(self, sample: Sequence[str], index: int) -> Sequence[str]:
        """Rotating, so that the strata meet every part of the network."""
        known = list(islice((address for address in sample if address in self._known), 2))
        return tuple(dict.fromkeys((*known, sample[index % len(sample)])))

    def _named_group(self, requirement: Requirement, group: str) -> Iterator[Check]:
        for entry in self.profile.names[group].domains:
            for host in entry.hosts:
                certain = entry.certain or not entry.is_wildcard
                yield from self._hosts(requirement, host, certain, entry.pattern)

    def _hosts(self, requirement: Requirement, host: str, certain: bool, group: str) -> Iterator[Check]:
        for stratum in self._slices(requirement):
            place = {"address": host} if is_address(host) else {"host": host}
            target = Target(port=_port(stratum, 0), transport=requirement.transport, **place)
            aim = _Aim(
                id=f"{requirement.id}/{host}{_suffix(stratum)}",
                scope=Scope.NAMED,
                targets=[target],
                ports=stratum.name,
                certain=certain,
                group=group,
            )
            yield self._check(requirement, requirement.probe or "", aim)

    def _slices(self, requirement: Requirement) -> Sequence[Stratum]:
        """The ports to ask for; a range is asked in its strata, and ICMP has no ports."""
        if requirement.transport == "icmp":
            return (Stratum("", ()),)
        return [stratum for ports in requirement.ports for stratum in strata(ports, self.seed)]

    def _resolver(self, requirement: Requirement) -> Iterator[Check]:
        transport = requirement.transport
        for address, port in self.selection.resolvers:
            target = Target(address=address, port=port, transport=transport)
            name = f"{requirement.id}/{address}:{port}/{transport}"
            aim = _Aim(id=name, scope=Scope.RESOLVERS, targets=[target])
            yield self._check(requirement, requirement.probe or "", aim)

    def _far_end(self, requirement: Requirement, host: str, port: int) -> Check:
        """The responder is no server of the product: what it is asked is marked as the product's own traffic."""
        place = {"address": host} if is_address(host) else {"host": host}
        target = Target(port=port, transport="udp", **place)
        probe = self.registry.probe(requirement.probe or "")
        settable = {one.name: one.default for one in fields(probe.Params)}
        traffic = str(requirement.params.get("traffic", settable.get("traffic")))
        roles = set(self.selection.roles or self.profile.default_roles()) & set(requirement.roles)
        values: dict[str, Any] = {}
        if "marks" in settable:
            values["marks"] = tuple(self.profile.marks(roles, traffic))
        if requirement.probe == CAPACITY:
            values["wanted"] = self.selection.capacity or 0
        if requirement.probe == IDLE and self.selection.idle_minutes:
            values["upto_s"] = 60.0 * self.selection.idle_minutes
        if "called" in settable:
            values |= {"called": tuple(self._called(requirement)), "transport": requirement.transport}
        aim = _Aim(id=requirement.id, scope=Scope.FAR_END, targets=[target], values=values)
        return self._check(requirement, requirement.probe or "", aim)

    def _called(self, requirement: Requirement) -> Iterator[int]:
        """The ports of this host at which it has to be reached: of a range one for each of its ends and its middle."""
        for stratum in islice(self._slices(requirement), MOST_CALLED):
            yield from stratum.ports[:1]

    def _check(self, requirement: Requirement | None, probe: str, aim: _Aim) -> Check:
        """A control has no requirement."""
        implementation = self.registry.probe(probe)
        via = self._via(requirement, aim.targets)
        targets = [replace(target, via=via) for target in aim.targets]
        params = self._params(implementation, requirement, targets, aim.values)
        proves = _said("proves", params, implementation)
        # The proxy makes the connection; what we see of it is that it says so.
        tunnelled = via is not None and proves is Step.CONNECT
        lasts_s = params.lasts_s(self.selection.effort) if hasattr(params, "lasts_s") else 0.0
        return Check(
            id=aim.id,
            requirement=requirement.id if requirement else None,
            probe=probe,
            scope=aim.scope,
            target=aim.about(via),
            params=params,
            budget_s=BUDGET_S[self.selection.effort] + lasts_s,
            proves=Step.PROXY_CONNECT if tunnelled else proves,
            may_be_silent=_said("may_be_silent", params, implementation),
            must_stay=_said("must_stay", params, implementation),
            certain=aim.certain,
            group=aim.group,
            lasts_s=lasts_s,
            waits=_said("waits", params, implementation),
        )

    def _params(
        self,
        probe: Probe[Any],
        requirement: Requirement | None,
        targets: Sequence[Target],
        planned: Mapping[str, Any],
    ) -> Any:
        values = requirement.params if requirement else {}
        where = f"{self.profile.name}: requirements[{requirement.id}]" if requirement else self.profile.name
        return build_params(probe.Params, values, where=where, targets=tuple(targets), **planned)

    def _via(self, requirement: Requirement | None, targets: Sequence[Target]) -> str | None:
        """The proxy, for TCP that may follow it; a check goes one way as a whole."""
        if not self.selection.proxy or requirement is None or not may_use_proxy(requirement):
            return None
        if ways := self.selection.ways:
            return ways.get(lane(targets[0]), ways.get(""))
        rules = self.selection.past_proxy
        past = all(is_exempt(target.host or target.address or "", rules) for target in targets)
        return None if past else self.selection.via


def unknown_names(profile: Profile, seed: int) -> Iterator[str]:
    """A name that nobody has, in each of two zones that have nothing to do with each other.

    They are those of the controls, not the product's, which may be wildcarded; `invalid` exists nowhere (RFC 6761).
    """
    zones = dict.fromkeys(".".join(control.host.split(".")[-2:]) for control in profile.controls)
    for zone in (*zones, "invalid")[:_HIJACK_ZONES]:
        label = blake2b(f"{seed}/{zone}".encode(), digest_size=6).hexdigest()
        yield f"readycheck-{label}.{zone}"


def _page(control: Control) -> dict[str, Any]:
    """Plain HTTP: who answers in place of the host shows by the page."""
    return {"scheme": "http", "method": "GET", "path": control.path, "contains": control.contains}


def _said(what: str, params: Any, probe: Probe[Any]) -> Any:
    """What a probe says of itself; its parameters, which may know better, come first."""
    return getattr(params, what, getattr(probe, what, False))


def _port(stratum: Stratum, turn: int) -> int | None:
    return stratum.ports[turn % len(stratum.ports)] if stratum.ports else None


def _suffix(stratum: Stratum) -> str:
    """What tells a check from those of other ports; ICMP has only the one."""
    return f":{stratum.name.replace(' ', '-')}" if stratum.name else ""


def _number(group: NameGroup) -> int:
    return sum(len(entry.hosts) for entry in group.domains)


def _given(targets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`HOST` or `HOST=ADDRESS`; a HOST that is an address stands for itself."""
    for text in targets:
        host, _, address = text.partition("=")
        address = address or (host if is_address(host) else "")
        if not host or (address and not is_address(address)):
            raise UsageError(f"--target {text}: not HOST or HOST=ADDRESS")
        yield host, address
