"""The lab's internet: client - site router - edge - ISP hops - cloud, rebuilt for each scenario but for the cloud."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from readycheck.profile import Profile
from readycheck.twin.offer import filled

from .certificates import SIP_NAMES, Certificates, make_certificates
from .cloud import ELSEWHERE, RESOLVER, SERVERS, CloudMode, cloud_rules, names_of, networks_of, place
from .forwarder import Wire
from .machine import LabError, Machine, Process
from .ports import ports_of
from .servers import PROGRAMS, Servers, wait_until
from .spoken import PROGRAMS as SPEAKERS

CLOUD = "cloud"
CLIENT_ADDRESS = "10.77.1.20"
_FORWARDER = str(Path(__file__).with_name("forwarder.py"))
TOOLS = ("ip", "nft", "ss", "conntrack", "unshare", "nsenter", "setpriv", "timeout", *PROGRAMS, *SPEAKERS)


@dataclass(frozen=True)
class Rule:
    """nftables rules at one place of the row: "client", "site", "edge", "isp1"..., at one hook."""

    at: str
    text: str
    hook: str = "forward"


@dataclass(frozen=True, kw_only=True)
class RowMode:
    """What varies between client and cloud; `wire` is a long wire behind the first ISP hop."""

    isps: int = 3
    rules: tuple[Rule, ...] = ()
    wire: Wire | None = None
    nat: bool = True
    default_route: bool = True
    resolv_conf: str | None = f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n"


def missing_tools() -> list[str]:
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return [tool for tool in TOOLS if shutil.which(tool, path=path) is None]


@dataclass(frozen=True, slots=True)
class _Link:
    low: str
    low_address: str
    high: str
    high_address: str
    length: int = 30


@dataclass
class World:
    """Everything that a scenario happens in. Built by `build`; `arrange` makes it fit a scenario."""

    machine: Machine
    profile: Profile
    certificates: Certificates
    addresses: Mapping[str, str]
    servers: Servers
    row: list[str] = field(default_factory=list)
    generation: int = 0
    wire: Process | None = None

    @classmethod
    def build(cls, profile: Profile) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="readycheck-lab-"))
        folder.chmod(0o755)
        machine = None
        try:
            machine = Machine(folder)
            return cls._furnish(machine, profile)
        except BaseException:
            if machine is not None:
                machine.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @classmethod
    def _furnish(cls, machine: Machine, profile: Profile) -> Self:
        profile = filled(profile, {})
        names = names_of(profile)
        addresses = place(names, networks_of(profile))
        certificates = make_certificates(machine.folder, [*names, *SIP_NAMES])
        machine.open_paths(_python_paths())
        machine.run(None, "ip", "netns", "add", CLOUD)
        local = [*networks_of(profile), str(ELSEWHERE)]
        lines = ["link set lo up", *(f"addr add {a}/32 dev lo" for a in (RESOLVER, SERVERS))]
        lines += [f"route add local {network} dev lo" for network in local]
        _batch(machine, CLOUD, lines)
        _settings(machine, CLOUD, forward=False)
        servers = Servers(machine, CLOUD, certificates, addresses, ports_of(profile))
        servers.start()
        return cls(machine, profile, certificates, addresses, servers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.machine.close()
        shutil.rmtree(self.machine.folder, ignore_errors=True)

    def arrange(self, row: RowMode, cloud: CloudMode) -> None:
        """A fresh row of routers, so that no state (connections, ICMP tokens) is left of the last scenario."""
        self._tear_row()
        self.servers.sip(cloud.sip)
        networks, ports = networks_of(self.profile), ports_of(self.profile)
        self._nft(CLOUD, cloud_rules(networks, self.addresses, ports, cloud))
        self.machine.run(CLOUD, "conntrack", "-F", check=False)
        self.generation += 1
        names = ["client", "site", "edge", *(f"isp{i + 1}" for i in range(row.isps))]
        links = _links([*names, CLOUD], self.generation)
        self.row = names
        _batch(self.machine, None, [f"netns add {name}" for name in names])
        long = [link for link in links if row.wire and link.low == "isp1"]
        _batch(self.machine, None, [_veth(link) for link in links if link not in long])
        for link in long:
            self._stretch(link, row.wire or Wire())
        for name in names:
            _settings(self.machine, name, forward=name != "client")
        self._let_ping("client")
        for name in [*names, CLOUD]:
            _batch(self.machine, name, _interfaces(name, links, row))
        self._rules(row)
        self.machine.write("/etc/resolv.conf", row.resolv_conf)

    def _let_ping(self, name: str) -> None:
        """As most distributions do; the machine of a build may not."""
        self.machine.run(name, "sh", "-c", "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range")

    def _tear_row(self) -> None:
        if self.wire is not None:
            self.machine.stop(self.wire)
            self.wire = None
        if self.row:
            _batch(self.machine, None, [f"netns del {name}" for name in self.row])
            self.machine.run(CLOUD, "ip", "link", "del", "lan", check=False)
        self.row = []

    def _stretch(self, link: _Link, wire: Wire) -> None:
        ends = (f"/run/netns/{link.low}:wan", f"/run/netns/{link.high}:lan")
        text = json.dumps(asdict(wire))
        self.wire = self.machine.start(link.low, "wire", sys.executable, "-I", _FORWARDER, *ends, text)
        wait_until(self.wire.said, "the long wire")
        self.wire.require_running()

    def _rules(self, row: RowMode) -> None:
        unknown = {rule.at for rule in row.rules} - {*self.row, CLOUD}
        if unknown:
            raise LabError(f"rules for {', '.join(unknown)}, which is not in the row")
        if row.nat:
            self._nft("edge", _EDGE)
        for name in {rule.at for rule in row.rules}:
            mine = [rule for rule in row.rules if rule.at == name]
            chains = [
                f"chain {hook} {{ type filter hook {hook} priority -10; policy accept;\n{_lines(mine, hook)}\n}}"
                for hook in dict.fromkeys(rule.hook for rule in mine)
            ]
            body = "\n".join(chains)
            self._nft(name, f"table ip broken {{\n{body}\n}}\n")

    def _nft(self, name: str, text: str) -> None:
        self.machine.run(name, "nft", "-f", "-", text=text)


_EDGE = """\
table ip edge {
  chain translate { type nat hook postrouting priority srcnat; policy accept; oifname "wan" masquerade; }
  chain firewall { type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan" accept
  }
}
"""


def _lines(rules: Iterable[Rule], hook: str) -> str:
    return "\n".join(rule.text for rule in rules if rule.hook == hook)


def _links(names: Sequence[str], generation: int) -> list[_Link]:
    """Private addresses in the site, public-like ones beyond; the public address changes with each scenario."""
    outside = 4 * (generation % 60)
    links = [
        _Link("client", CLIENT_ADDRESS, "site", "10.77.1.1", 24),
        _Link("site", "10.77.2.2", "edge", "10.77.2.1"),
        _Link("edge", f"198.51.100.{outside + 2}", names[3], f"198.51.100.{outside + 1}"),
    ]
    for index, (low, high) in enumerate(pairwise(names[3:])):
        base = 128 + 4 * index
        links.append(_Link(low, f"203.0.113.{base + 2}", high, f"203.0.113.{base + 1}"))
    return links


def _veth(link: _Link) -> str:
    return f"link add name wan netns {link.low} type veth peer name lan netns {link.high}"


def _interfaces(name: str, links: Sequence[_Link], row: RowMode) -> list[str]:
    """Each namespace has `wan` towards the cloud and `lan` towards the client."""
    lines = ["link set lo up"] if name != CLOUD else []
    for link in links:
        if link.high == name:
            lines += [f"addr add {link.high_address}/{link.length} dev lan", "link set lan up"]
            lines += [f"route replace {net} via {link.low_address}" for net in _behind(links, link, row)]
        if link.low == name:
            lines += [f"addr add {link.low_address}/{link.length} dev wan", "link set wan up"]
            if name != "client" or row.default_route:
                lines.append(f"route add default via {link.high_address}")
    return lines


def _behind(links: Sequence[_Link], last: _Link, row: RowMode) -> list[str]:
    """What a router reaches through `lan`, besides the link itself."""
    if last.high == CLOUD:
        return ["default"]
    nearer = links[: links.index(last)]
    if last.low not in ("client", "site") and row.nat:
        nearer = [link for link in nearer if not link.low_address.startswith("10.")]
    return [f"{link.low_address}/32" for link in nearer] + (
        [] if last.low not in ("client", "site") and row.nat else ["10.77.1.0/24"] if nearer else []
    )


def _settings(machine: Machine, name: str, *, forward: bool) -> None:
    values = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
    values += ["net.ipv4.ip_forward=1"] if forward else []
    machine.run(name, "sh", "-c", "".join(f"echo {v.split('=')[1]} >/proc/sys/{_path(v)};" for v in values))


def _path(setting: str) -> str:
    return setting.partition("=")[0].replace(".", "/")


def _batch(machine: Machine, name: str | None, lines: Sequence[str]) -> None:
    machine.run(name, "ip", "-batch", "-", text="\n".join(lines) + "\n")


def _python_paths() -> list[str]:
    """What the agent's interpreter reads."""
    return [sys.prefix, sys.base_prefix, *(path for path in sys.path if path and os.path.isdir(path))]
