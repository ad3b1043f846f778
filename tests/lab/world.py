"""The lab's internet: client - site router - edge - ISP hops - cloud, rebuilt for each scenario but for the cloud."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from readycheck.profile import Profile
from readycheck.twin.offer import filled

from .boxes import start_box
from .certificates import SIP_NAMES, Certificates, make_certificates
from .cloud import ELSEWHERE, RESOLVER, SERVERS, CloudMode, cloud_rules, names_of, networks_of, place
from .forwarder import Wire
from .machine import LabError, Machine, Process
from .ports import ports_of
from .responder import start_responder
from .row import CLOUD, Ipv6, Link, RowMode, Rule, Table, interfaces, links_of
from .servers import PROGRAMS, Servers
from .spoken import PROGRAMS as SPEAKERS
from .waiting import wait_until

_FORWARDER = str(Path(__file__).with_name("forwarder.py"))
TOOLS = ("ip", "nft", "ss", "conntrack", "unshare", "nsenter", "setpriv", "timeout", *PROGRAMS, *SPEAKERS)


def missing_tools() -> list[str]:
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return [tool for tool in TOOLS if shutil.which(tool, path=path) is None]


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
    wires: list[Process] = field(default_factory=list)
    boxes: list[Process] = field(default_factory=list)

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
        self._arrange_cloud(cloud)
        self.generation += 1
        links = links_of(row, self.generation)
        self.row = ["client", *row.routers]
        _batch(self.machine, None, [f"netns add {name}" for name in self.row])
        for name in [*self.row, CLOUD]:
            forward = name not in ("client", CLOUD)
            _settings(self.machine, name, forward=forward, ipv6=row.ipv6 is not Ipv6.NONE)
        long = {link.low: wire for link in links if (wire := _wire(link, row))}
        _batch(self.machine, None, [_veth(link) for link in links if link.low not in long])
        for link in links:
            if link.low in long:
                self._stretch(link, long[link.low])
        self._let_ping("client")
        for name in [*self.row, CLOUD]:
            _batch(self.machine, name, [*interfaces(name, links, row)])
        self._rules(row)
        for name, settings in row.settings.items():
            _set(self.machine, name, settings)
        self.machine.write("/etc/resolv.conf", row.resolv_conf or None)
        self._place_boxes(row)

    def _arrange_cloud(self, cloud: CloudMode) -> None:
        self.servers.sip(cloud.sip)
        leads = self.servers.leads(cloud)
        networks, ports = networks_of(self.profile), ports_of(self.profile)
        self._nft(CLOUD, cloud_rules(networks, self.addresses, ports, cloud, leads))
        self.machine.run(CLOUD, "conntrack", "-F", check=False)
        if cloud.responder:
            self.boxes.append(start_responder(self.machine))

    def _let_ping(self, name: str) -> None:
        """As most distributions do; the machine of a build may not."""
        self.machine.run(name, "sh", "-c", "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range")

    def _tear_row(self) -> None:
        for process in (*self.boxes, *self.wires):
            self.machine.stop(process)
        self.boxes, self.wires = [], []
        if self.row:
            _batch(self.machine, None, [f"netns del {name}" for name in self.row])
            self.machine.run(CLOUD, "ip", "link", "del", "lan", check=False)
            self._nft(CLOUD, "".join(f"table {h.table}\ndelete table {h.table}\n" for h in _TABLES.values()))
        self.row = []

    def _stretch(self, link: Link, wire: Wire) -> None:
        ends = (f"/run/netns/{link.low}:{link.device}", f"/run/netns/{link.high}:lan")
        text = json.dumps(asdict(wire))
        made = self.machine.start(link.low, f"wire-{link.low}", sys.executable, "-I", _FORWARDER, *ends, text)
        self.wires.append(made)
        wait_until(made.said, "the long wire")
        made.require_running()

    def _place_boxes(self, row: RowMode) -> None:
        for box in row.boxes:
            self.boxes.append(start_box(self.machine, self.certificates, box))

    def require_running(self) -> None:
        """Raises `LabError` when a server or a box died."""
        self.servers.require_running()
        for process in self.boxes:
            process.require_running()

    def _rules(self, row: RowMode) -> None:
        rules = row.all_rules
        unknown = {rule.at for rule in rules} - {*self.row, CLOUD}
        if unknown:
            raise LabError(f"rules for {', '.join(unknown)}, which is not in the row")
        if row.nat:
            self._nft("edge", _EDGE)
        if row.carrier_nat:
            self._nft(row.carrier, _CARRIER)
        for at in dict.fromkeys(rule.at for rule in rules):
            self._rules_at(at, [rule for rule in rules if rule.at == at])

    def _rules_at(self, at: str, rules: Sequence[Rule]) -> None:
        for table, head in _TABLES.items():
            mine = [rule for rule in rules if rule.table is table]
            chains = [
                f"chain {hook} {{ {head.kind.format(hook)} policy accept;\n{_lines(mine, hook)}\n}}"
                for hook in dict.fromkeys(rule.hook for rule in mine)
            ]
            if chains:
                body = "\n".join(chains)
                self._nft(at, f"table {head.table} {{\n{head.more}{body}\n}}\n")
        for rule in rules:
            if rule.table is Table.IPTABLES:
                self.machine.run(at, "sh", "-c", f"exec iptables {rule.text}")

    def _nft(self, name: str, text: str) -> None:
        self.machine.run(name, "nft", "-f", "-", text=text)


@dataclass(frozen=True)
class _Head:
    table: str
    kind: str
    more: str = ""


_SIP_HELPER = """ct helper sip { type "sip" protocol udp; }
"""
_TABLES = {
    Table.FILTER: _Head("ip broken", "type filter hook {} priority -10;", _SIP_HELPER),
    Table.FILTER6: _Head("ip6 broken", "type filter hook {} priority -10;"),
    Table.NAT: _Head("ip translated", "type nat hook {} priority -110;"),
}
_CARRIER = """\
table ip carrier {
  chain translate { type nat hook postrouting priority srcnat; policy accept; oifname "wan" masquerade; }
}
"""
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


def _wire(link: Link, row: RowMode) -> Wire | None:
    if row.wire and link.low == row.wire_at:
        return row.wire
    return Wire() if row.tunnel and link.low == "client" else None


def _veth(link: Link) -> str:
    return f"link add name wan netns {link.low} type veth peer name lan netns {link.high}"


def _settings(machine: Machine, name: str, *, forward: bool, ipv6: bool = False) -> None:
    off = int(not ipv6)
    values = {f"net.ipv6.conf.{which}.disable_ipv6": off for which in ("all", "default")}
    values |= {f"net.ipv6.conf.default.{which}": 0 for which in ("accept_dad", "dad_transmits") if ipv6}
    values |= {"net.ipv4.ip_forward": 1} if forward else {}
    values |= {"net.ipv6.conf.all.forwarding": 1} if forward and ipv6 else {}
    _set(machine, name, values)


def _set(machine: Machine, name: str, values: Mapping[str, int]) -> None:
    lines = (f"echo {value} >/proc/sys/{setting.replace('.', '/')}" for setting, value in values.items())
    machine.run(name, "sh", "-euc", "\n".join(lines))


def _batch(machine: Machine, name: str | None, lines: Sequence[str]) -> None:
    machine.run(name, "ip", "-batch", "-", text="\n".join(lines) + "\n")


def _python_paths() -> list[str]:
    """What the agent's interpreter reads."""
    return [sys.prefix, sys.base_prefix, *(path for path in sys.path if path and os.path.isdir(path))]
