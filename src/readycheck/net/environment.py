"""Facts about this host, read without asking anybody; what cannot be read is absent, and said in `notes`."""

import platform
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from pathlib import Path
from typing import TypeVar

from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net.interface import Endpoint
from readycheck.net.proxy import parse_proxy

_MAX_INTERFACES = 64
_MAX_BYTES = 256 << 10
_MAX_LEASES = 32
_LOOPBACK, _ETHERNET = 772, 1  # linux/if_arp.h
_TUNNELS = {512, 768, 769, 776, 778, 65534}  # ppp, ipip, ip6ip6, sit, gre, none (tun, WireGuard)
_SIOCGIFCONF = 0x8912
_GATEWAY = 0x2
_GLOBAL_6 = ip_network("2000::/3")
LEASES = (
    "run/systemd/netif/leases/*",
    "var/lib/NetworkManager/*.lease",
    "var/lib/dhcp/dhclient*.leases",
    "var/lib/dhclient/*.lease*",
)
_LEASE_SERVER = re.compile(r"(?:^SERVER_ADDRESS=|option dhcp-server-identifier )([0-9.]+)", re.MULTILINE)
_Fact = TypeVar("_Fact")
_Route = tuple[str | None, str | None]  # gateway and interface
_Addresses = dict[str, tuple[str, ...]]


class Kind(StrEnum):
    """What an interface is, as far as it shows."""

    WIRED = "wired"
    WIFI = "wifi"
    VPN = "vpn"
    LOOPBACK = "loopback"
    VIRTUAL = "virtual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A link of this host."""

    name: str
    kind: Kind = Kind.UNKNOWN
    addresses: tuple[str, ...] = ()
    mtu: int | None = None
    signal_dbm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProxy:
    """A proxy for a scheme, without its credentials, and what named it."""

    scheme: str
    url: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAnswer:
    """One answer of a proxy script, and some of the `number` of hosts that got it.

    `via` is the proxy that the run uses for them, None for the direct way; `error` says what is wrong with it.
    """

    text: str
    via: str | None = None
    hosts: tuple[str, ...] = ()
    number: int = 0
    error: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundScript:
    """A proxy script (PAC), who named it, and what it answers.

    `error` says why it is of no use, and `failure` by what the network kept it from being fetched.
    """

    place: str
    source: str
    size: int = 0
    sha256: str = ""
    error: str = ""
    line: int | None = None
    failure: Failure | None = None
    answers: tuple[ScriptAnswer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where the run was made. `default_interface` is the link of the default route."""

    host: str
    platform: str
    interfaces: tuple[Interface, ...] = ()
    gateway: str | None = None
    default_interface: str | None = None
    resolvers: tuple[str, ...] = ()
    dhcp_server: str | None = None
    proxies: tuple[FoundProxy, ...] = ()
    script: FoundScript | None = None
    capabilities: tuple[str, ...] = ()
    python: str = ""
    notes: tuple[str, ...] = ()


def has_ipv6(environment: Environment) -> bool:
    """An interface has an address that leads out (2000::/3): only then do programs try IPv6 (RFC 6724)."""
    return any(
        parsed.version == 6 and parsed in _GLOBAL_6 for parsed in map(ip_address, _addresses_out(environment))
    )


def is_ipv6_only(environment: Environment) -> bool:
    """No interface has IPv4, that of a translator on the host (RFC 7335) included; False where nobody could look."""
    fours = [a for a in map(ip_address, _addresses_out(environment)) if a.version == 4]
    return has_ipv6(environment) and all(a.is_link_local for a in fours)


def _addresses_out(environment: Environment) -> Iterable[str]:
    links = (link for link in environment.interfaces if link.kind is not Kind.LOOPBACK)
    return (address.partition("%")[0] for link in links for address in link.addresses)


def gather(
    *,
    resolvers: Sequence[Endpoint] = (),
    proxies: Mapping[str, str] | None = None,
    capabilities: Iterable[str] = (),
    root: Path = Path("/"),
) -> Environment:
    """Read what there is; never raises. `proxies` are those of `discover`, `root` holds proc and sys."""
    host = _Host(root)
    nowhere: _Route = (None, None)
    gateway, default_interface = host.fact("the default route", host.default_route, nowhere)
    return Environment(
        host=host.fact("the host name", platform.node, ""),
        platform=host.fact("the platform", platform.platform, ""),
        interfaces=host.fact("the interfaces", host.interfaces, ()),
        gateway=gateway,
        default_interface=default_interface,
        resolvers=tuple(_place(server) for server in resolvers),
        dhcp_server=host.fact("the DHCP lease", host.dhcp_server, None),
        proxies=tuple(host.proxy(scheme, url) for scheme, url in (proxies or {}).items()),
        capabilities=tuple(sorted(map(str, capabilities))),
        python=platform.python_version(),
        notes=tuple(host.notes),
    )


class _Host:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._linux = sys.platform == "linux"
        self.notes: list[str] = []
        if not self._linux:
            self.notes.append("addresses, gateway, DHCP server and signal are not read on this system")

    def fact(self, what: str, read: Callable[[], _Fact], otherwise: _Fact) -> _Fact:
        # No state of a host may cost the report.
        try:
            return read()
        except Exception as error:
            self.notes.append(
                f"{what} cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
            )
            return otherwise

    def proxy(self, scheme: str, url: str) -> FoundProxy:
        try:
            shown = str(parse_proxy(url))
        except UsageError:
            shown = "unusable"
            self.notes.append(f"the environment's proxy for {scheme} is not a usable URL")
        return FoundProxy(scheme=scheme, url=shown, source="environment")

    def interfaces(self) -> tuple[Interface, ...]:
        unknown: _Addresses = {}
        addresses = self.fact("addresses", self._addresses, unknown)
        signals = self._signals()
        found = islice(socket.if_nameindex(), _MAX_INTERFACES)
        return tuple(self._interface(index, name, addresses.get(name, ()), signals) for index, name in found)

    def _interface(
        self, index: int, name: str, addresses: tuple[str, ...], signals: Mapping[str, float]
    ) -> Interface:
        folder = self._root / "sys/class/net" / name
        # A mounted sysfs may show another network namespace than ours.
        ours = self._linux and self._number(folder / "ifindex") == index
        kind = self._kind(folder, name in signals) if ours else _kind_by_name(name)
        if kind is Kind.WIFI and name not in signals:
            self.notes.append(f"the signal of {name} cannot be read")
        mtu = self._number(folder / "mtu") if ours else None
        return Interface(name=name, kind=kind, addresses=addresses, mtu=mtu, signal_dbm=signals.get(name))

    def _kind(self, folder: Path, has_signal: bool) -> Kind:
        link_type = self._number(folder / "type")
        if link_type == _LOOPBACK:
            return Kind.LOOPBACK
        if has_signal or (folder / "wireless").exists() or (folder / "phy80211").exists():
            return Kind.WIFI
        if link_type in _TUNNELS:
            return Kind.VPN
        if link_type == _ETHERNET:
            return Kind.WIRED if (folder / "device").exists() else Kind.VIRTUAL
        return Kind.UNKNOWN

    def _addresses(self) -> _Addresses:
        found: _Addresses = {}
        if not self._linux:
            return found
        pairs = [*_ipv4_addresses(), *_ipv6_addresses(self._text("proc/net/if_inet6"))]
        for name, address in pairs:
            found[name] = (*found.get(name, ()), address)
        return found

    def _signals(self) -> dict[str, float]:
        rows = (line.split() for line in self._text("proc/net/wireless").splitlines()[2:])
        levels = {row[0].rstrip(":"): row[3].rstrip(".") for row in rows if len(row) > 3}
        return {name: float(level) for name, level in levels.items() if re.fullmatch(r"-\d+", level)}

    def default_route(self) -> _Route:
        rows = [line.split() for line in self._text("proc/net/route").splitlines()[1:]]
        routes = [row for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
        if routes:
            name, _, gateway, flags = min(routes, key=lambda row: int(row[6]))[:4]
            packed = struct.pack("=I", int(gateway, 16))
            return (socket.inet_ntoa(packed) if int(flags, 16) & _GATEWAY else None), name
        return self._default_route_6()

    def _default_route_6(self) -> _Route:
        rows = [line.split() for line in self._text("proc/net/ipv6_route").splitlines()]
        for row in rows:
            if len(row) > 9 and row[1] == "00" and int(row[0], 16) == 0 and row[9] != "lo":
                via = IPv6Address(int(row[4], 16))
                return (None if via.is_unspecified else str(via)), row[9]
        return None, None

    def dhcp_server(self) -> str | None:
        files = (file for pattern in LEASES for file in self._root.glob(pattern))
        newest = sorted(islice(files, _MAX_LEASES), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in newest:
            if told := _LEASE_SERVER.findall(self._text(file)):
                return str(ip_address(told[-1]))
        return None

    def _number(self, file: Path) -> int | None:
        text = self._text(file).strip()
        return int(text, 0) if re.fullmatch(r"-?(\d+|0x[0-9a-fA-F]+)", text) else None

    def _text(self, file: str | Path) -> str:
        try:
            with (self._root / file).open("rb") as opened:
                return opened.read(_MAX_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""


def _ipv4_addresses() -> list[tuple[str, str]]:
    if sys.platform != "linux":
        return []
    import array
    import fcntl

    size = 40 if struct.calcsize("P") == 8 else 32  # sizeof(struct ifreq)
    room = array.array("B", bytes(size * 4 * _MAX_INTERFACES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("iP", len(room), room.buffer_info()[0])
        used = struct.unpack("iP", fcntl.ioctl(sock, _SIOCGIFCONF, request))[0]
    rows = [room[start : start + size].tobytes() for start in range(0, used, size)]
    return [(_interface_name(row), socket.inet_ntoa(row[20:24])) for row in rows]


def _interface_name(row: bytes) -> str:
    label = row[:16].partition(b"\0")[0].decode("utf-8", "replace")
    return label.partition(":")[0]  # an address may bear a label such as eth0:1


def _ipv6_addresses(text: str) -> list[tuple[str, str]]:
    rows = (line.split() for line in text.splitlines())
    return [(row[5], str(IPv6Address(int(row[0], 16)))) for row in rows if len(row) > 5]


def _kind_by_name(name: str) -> Kind:
    if re.match(r"lo\d*$|loopback", name):
        return Kind.LOOPBACK
    if re.match(r"(tun|utun|wg|ppp|ipsec|tailscale)\d*", name):
        return Kind.VPN
    return Kind.WIFI if re.match(r"wl|wireless", name) else Kind.UNKNOWN


def _place(server: Endpoint) -> str:
    address, port = server
    if port == 53:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
