"""From the options of `run` to everything that a run needs; whatever cannot be used ends here."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from readycheck import catalog
from readycheck.assess import Request
from readycheck.check import lane, may_use_proxy
from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net import desktop
from readycheck.net.address import family_of, is_address
from readycheck.net.bundle import public_bundle
from readycheck.net.discovery import Routing
from readycheck.net.discovery import route as find_route
from readycheck.net.environment import Environment, gather
from readycheck.net.interface import (
    Datagrams,
    Endpoint,
    NetError,
    Network,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.net.pac import Question
from readycheck.net.pac_fetch import FetchError, place_of, read
from readycheck.net.precedence import OPTION, Named, named, names_script
from readycheck.net.proxy import ProxyChoice, discover, is_exempt
from readycheck.net.resolver import Resolver, system_servers
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Target
from readycheck.pins import load as learned_pins
from readycheck.plan import DEFAULT_SEED, Plan, Selection, plan, usable
from readycheck.probe import Effort
from readycheck.profile import Profile
from readycheck.registry import Registry, find

if TYPE_CHECKING:
    from readycheck.net.trust import TrustStore

    Trusted = Callable[[], TrustStore]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The options as they were given."""

    profile: str
    profile_dirs: tuple[Path, ...] = ()
    roles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    proxy: str = field(default="auto", repr=False)  # may hold a password
    resolvers: tuple[Endpoint, ...] = ()
    responder: Endpoint | None = None
    responder_key: bytes = field(default=b"", repr=False)
    capacity: int | None = None
    idle_minutes: int | None = None
    trust_roots: tuple[Path, ...] = ()
    interface: str | None = None
    source: str | None = None
    family: Literal["any", "4", "6"] = "any"
    site: str | None = None
    effort: str = "normal"
    deadline_s: float = 15.0
    rate: float = 1000.0
    controls: bool = True
    seed: int | None = None
    remap: Path | None = None

    @cached_property
    def named(self) -> Named:
        """What names the proxy of this run. Raises `UsageError` when what was given cannot be used."""
        return named(self.proxy, os.environ, _no_settings if self.remap else desktop.read)

    @property
    def route(self) -> ProxyChoice:
        """The proxy that is named outright, if any."""
        return self.named.choice

    def shown(self) -> dict[str, Any]:
        """What the report records of them: nothing secret, no paths of this machine."""
        return {
            "only": list(self.only),
            "skip": list(self.skip),
            "targets": list(self.targets),
            "values": dict(self.values),
            "proxy": self._shown_proxy(),
            "resolvers": [f"{host}:{port}" for host, port in self.resolvers],
            "responder": f"{self.responder[0]}:{self.responder[1]}" if self.responder else None,
            "capacity": self.capacity,
            "idle_minutes": self.idle_minutes,
            "interface": self.interface,
            "source": self.source,
            "family": self.family,
            "effort": self.effort,
            "deadline_s": self.deadline_s,
            "rate": self.rate,
            "controls": self.controls,
        }

    def _shown_proxy(self) -> str:
        if self.proxy in ("auto", "none"):
            return self.proxy
        if self.named.script:
            place = place_of(self.named.script)
            return f"pac+{place.shown}" if place.is_url else f"pac:{Path(place.text).name}"
        return "wpad:" if self.named.detect else str(self.route.proxy)


def _no_settings(_: Mapping[str, str]) -> None:
    """A stand-in world is not set to anything."""


class _Draft(NamedTuple):
    """All that is known before anything is sent."""

    registry: Registry
    profile: Profile
    trust: "Trusted"
    network: Network
    selection: Selection
    seed: int
    plan: Plan


def check(setting: Setting) -> str:
    """The name of the profile. Raises what `prepare` would, and sends nothing."""
    return _drafted(setting).profile.name


def _drafted(setting: Setting) -> _Draft:
    registry = find()
    profile = usable(catalog.draft(setting.profile, setting.profile_dirs), registry)
    _refuse_unusable(setting)
    trust = _trusted(setting)
    network = _network(setting, trust, Routing(choice=setting.route))
    selection = _selection(setting, tuple(network.resolvers()), Routing(choice=setting.route))
    seed = DEFAULT_SEED if setting.seed is None else setting.seed
    draft = plan(profile, registry, selection, seed)
    _try_way_out(setting, network)
    return _Draft(registry, profile, trust, network, selection, seed, draft)


def prepare(setting: Setting) -> tuple[Request, Callable[[], SharedNetwork], Environment]:
    """Read and check everything; only a proxy script is looked for in the network by now.

    Raises `ReadycheckError`.
    """
    registry, profile, trust, network, selection, seed, draft = _drafted(setting)
    environment = _environment(setting, network)
    routing = _routing(setting, network, _questions(draft), environment)
    if routing.ways:
        network = _network(setting, trust, routing)
        selection = _selection(setting, tuple(network.resolvers()), routing)
        draft = plan(profile, registry, selection, seed)
    given = trust() if setting.trust_roots else None
    request = Request(
        profile=profile,
        registry=registry,
        selection=selection,
        draft=draft,
        deadline_s=setting.deadline_s,
        options=setting.shown(),
        site=setting.site,
        trusted_pins=(given.accepted_pins if given else frozenset()) | learned_pins(profile.name).keys(),
        trust_roots=given.fingerprints if given else (),
        notes=_notes(setting),
        get_ready=partial(_get_ready, trust, is_proxied=bool(routing.proxies)),
    )
    shared = partial(SharedNetwork, network, effort=selection.effort, concurrency=_at_once())
    return request, shared, _with_routing(environment, routing)


def way_to(setting: Setting, host: str, port: int) -> tuple[Network, str | None]:
    """A network as the options want it, and the proxy that leads to a host, if one does. Raises `UsageError`."""
    _refuse_unusable(setting)
    trust = _trusted(setting)
    trust()  # a call has no time for it later
    network = _network(setting, trust, Routing(choice=setting.route))
    _try_way_out(setting, network)
    asked = {"": _question(Target(host=host, port=port))}
    routing = _routing(setting, network, asked, _environment(setting, network))
    if routing.ways:
        network = _network(setting, trust, routing)
    past = not routing.ways and is_exempt(host, routing.choice.exempt)
    return network, routing.usual.place if routing.usual and not past else None


def _refuse_unusable(setting: Setting) -> None:
    """What can be told from the options alone."""
    _refuse_missing_script(setting.named)
    if setting.responder_key and not setting.responder:
        raise UsageError("--responder-key: of no use without --responder")
    if setting.capacity and not setting.responder:
        raise UsageError("--capacity: of no use without --responder")
    if setting.idle_minutes and not setting.responder:
        raise UsageError("--idle: of no use without --responder")
    if setting.interface is not None and not _is_plain(setting.interface):
        raise UsageError(f"--interface {setting.interface}: not the name of an interface")
    if setting.source is not None:
        if not is_address(setting.source):
            raise UsageError(f"--source {setting.source}: not an address")
        if setting.family not in ("any", str(family_of(setting.source))):
            raise UsageError(
                f"--source {setting.source}: not an IPv{setting.family} address, as -{setting.family} wants"
            )


def _refuse_missing_script(told: Named) -> None:
    """What the option names is the user's; a file that the system is set to is this host's fault, and is reported."""
    if told.source != OPTION or not told.script or place_of(told.script).is_url:
        return
    try:
        read(Path(place_of(told.script).text))
    except FetchError as error:
        raise UsageError(f"{OPTION} {told.script}: the proxy script {error}") from None


def _is_plain(name: str) -> bool:
    return bool(name) and name.isascii() and name.isprintable() and "/" not in name and " " not in name


def _try_way_out(setting: Setting, network: Network) -> None:
    """An interface or address that this host does not have is refused; nothing is sent.

    That it may not be used is no fault of the argument, and the report says it.
    """
    if setting.source is None and setting.interface is None:
        return
    family = 6 if setting.family == "6" else family_of(setting.source) if setting.source else 4

    async def attempt() -> None:
        (await network.open_datagram(family=family)).close()

    try:
        asyncio.run(attempt())
    except NetError as error:
        if error.failure is Failure.ADDRESS_NOT_AVAILABLE:
            raise UsageError(f"--source {setting.source}: this host has no such address") from None
        if error.failure is Failure.UNKNOWN:
            raise UsageError(f"--interface {setting.interface}: this host has no such interface") from None


def _selection(setting: Setting, resolvers: tuple[Endpoint, ...], routing: Routing) -> Selection:
    return Selection(
        roles=setting.roles,
        only=setting.only,
        skip=setting.skip,
        targets=setting.targets,
        values=setting.values,
        effort=Effort(setting.effort),
        controls=setting.controls,
        resolvers=resolvers,
        responder=setting.responder,
        capacity=setting.capacity,
        idle_minutes=setting.idle_minutes,
        **_proxying(routing),
    )


def _proxying(routing: Routing) -> dict[str, Any]:
    if not routing.proxies:
        return {}
    ways = {lane: proxy.place if proxy else None for lane, proxy in routing.ways.items()}
    if ways:
        ways[""] = routing.usual.place if routing.usual else None
    first = routing.proxies[0]
    return {"proxy": True, "via": first.place, "past_proxy": routing.choice.exempt, "ways": ways}


def _questions(draft: Plan) -> dict[str, Question]:
    """What a proxy script is to be asked, by lane."""
    following = {requirement.id for requirement in draft.selected if may_use_proxy(requirement)}
    found: dict[str, Question] = {}
    for check in draft.checks:
        if check.requirement in following:
            target = check.params.targets[0]
            found.setdefault(lane(target), _question(target))
    return found


def _question(target: Target) -> Question:
    host = target.host or target.address or ""
    scheme = "http" if target.port == 80 else "https"
    place = f"[{host}]" if ":" in host else host
    port = "" if target.port in (80, 443, None) else f":{target.port}"
    return Question(f"{scheme}://{place}{port}/", host)


def _routing(
    setting: Setting, network: Network, lanes: Mapping[str, Question], environment: Environment
) -> Routing:
    links = {link.name: link.addresses for link in environment.interfaces}
    own = (setting.source,) if setting.source else links.get(environment.default_interface or "", ())
    return asyncio.run(find_route(setting.named, network, lanes, own=own))


def _trusted(setting: Setting) -> "Trusted":
    """Read at once where a file may have to be refused, else for the first certificate: it takes long to import.

    A bundle that is of no use is refused in any case. Raises `ReadycheckError`.
    """
    public_bundle()

    lock = Lock()

    @cache
    def load() -> "TrustStore":
        from readycheck.net.trust import load_trust

        return load_trust(setting.trust_roots)

    def read() -> "TrustStore":
        with lock:  # a handshake that comes early waits: reading twice takes longer, and warnings are muted by process
            return load()

    if setting.trust_roots:
        read()
    return read


def _get_ready(trust: "Trusted", *, is_proxied: bool) -> None:
    """What is read and imported at the first handshake is counted as its time, and holds up all others."""
    if is_proxied:
        import_module("readycheck.net.tunnel")
    trust()


def _network(setting: Setting, trust: "Trusted", routing: Routing) -> Network:
    options = NetworkOptions(
        source=setting.source,
        interface=setting.interface,
        family=setting.family,
        resolvers=setting.resolvers or tuple(system_servers()),
        rate=setting.rate,
        proxy=next(iter(routing.proxies), setting.route.beside),
        more_proxies=routing.proxies[1:],
        responder_key=setting.responder_key,
    )

    async def open_datagram(**wanted: Any) -> Datagrams:
        return await network.open_datagram(**wanted)

    async def connect(to: Endpoint, **wanted: Any) -> Stream:
        return await network.connect(to, **wanted)

    async def greet(stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream:
        from readycheck.net.tls import handshake

        return await handshake(stream, settings, trust(), timeout=timeout)

    def judge(shown: Shown, settings: TlsSettings, /) -> TlsFacts:
        from readycheck.net.tls import vouch

        return vouch(shown, settings, trust())

    resolver = Resolver(options.resolvers, open_datagram, connect, family=setting.family)
    network = SystemNetwork(options, resolver, greet, judge)
    return _remapped(network, setting.remap) if setting.remap else network


def _remapped(network: Network, remap: Path) -> Network:
    from readycheck.twin.remap import Remap, RemappedNetwork  # the twin is no part of an ordinary run

    return RemappedNetwork(network, Remap.load(remap))


def _environment(setting: Setting, network: Network) -> Environment:
    variables = discover(os.environ) if setting.proxy in ("auto", "none") else {}
    proxies = {scheme: url for scheme, url in variables.items() if not names_script(url)}
    return gather(resolvers=network.resolvers(), proxies=proxies, capabilities=network.capabilities())


def _with_routing(environment: Environment, routing: Routing) -> Environment:
    known = not routing.ways and routing.choice.source == "environment"
    return replace(
        environment,
        proxies=environment.proxies if known else (*environment.proxies, *routing.found),
        script=routing.script,
        notes=(*environment.notes, *routing.notes),
    )


def _at_once() -> int:
    """Connections at once: a silent address must not keep the next one waiting, so as many as files allow."""
    try:
        import resource
    except ImportError:
        return 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(4096, hard) if hard > 0 else 4096
    if 0 < soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(50, min(1500, soft // 2))


def _notes(setting: Setting) -> tuple[str, ...]:
    return ("loopback twin: addresses are remapped, there are no hops",) if setting.remap else ()
