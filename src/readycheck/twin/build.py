"""Build the row of namespaces: links, addresses, routes, firewalls."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from readycheck.twin import kernel, topology
from readycheck.twin.blueprint import Blueprint

_NO_IPV6 = ("/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6")
_FORWARD = "/proc/sys/net/ipv4/ip_forward"
_PING = "/proc/sys/net/ipv4/ping_group_range"


class BuildError(Exception):
    """The world cannot be built; `usage` says that the user's own firewall rules are to blame."""

    def __init__(self, reason: str, *, usage: bool = False) -> None:
        super().__init__(reason)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Row:
    """The namespaces, each as a descriptor; `home` is the empty one that the first process began in."""

    home: int
    namespaces: Mapping[str, int]

    def enter(self, name: str) -> None:
        kernel.enter_network(self.namespaces[name])

    def inode(self, name: str) -> int:
        return os.fstat(self.namespaces[name]).st_ino


def prove() -> None:
    """Do what a locked-down container refuses: a wire, and a setting of the network."""
    _ip("link add rc0 type veth peer name rc1\nlink set rc0 up\n")
    _settings(forward=True)


def make_namespaces() -> Row:
    home = kernel.current_network()
    namespaces = {name: kernel.new_network() for name in topology.ROW}
    kernel.enter_network(home)
    return Row(home, namespaces)


Ends = tuple[int, int]


def connect(
    row: Row, blueprint: Blueprint, *, edge_rules: str | None, nftables: bool
) -> dict[tuple[str, str], Ends]:
    """Wire the namespaces up; returns the two ends of each wire that is to be carried.

    Raises `BuildError`.
    """
    translated = nftables and _nftables_work()
    if edge_rules and not translated:
        raise BuildError("--edge-rules needs nftables (the program nft and its kernel part)", usage=True)
    links = topology.links(blueprint.carrier_nat and translated)
    carried = topology.carried(blueprint)
    loose = [link for link in links if (link.low, link.high) in carried]
    _ip("".join(_veth(row, link) for link in links if link not in loose), row.namespaces.values())
    ends = {(link.low, link.high): _loose_ends(row, link) for link in loose}
    for name in topology.ROW:
        row.enter(name)
        _settings(forward=name not in (topology.CLIENT, topology.CLOUD))
        _ip(topology.interfaces(links, name, carried=carried, translated=translated))
    row.enter(topology.CLIENT)
    _let_ping()
    _cloud(row, blueprint, translated)
    _edge(row, blueprint, translated, edge_rules)
    if blueprint.wan_mtu:
        _narrow(row, links, blueprint.wan_mtu, translated)
    return ends


def _veth(row: Row, link: topology.Link) -> str:
    low, high = row.namespaces[link.low], row.namespaces[link.high]
    return (
        f"link add {link.low_name} netns /proc/self/fd/{low}"
        f" type veth peer name {link.high_name} netns /proc/self/fd/{high}\n"
    )


def _loose_ends(row: Row, link: topology.Link) -> Ends:
    row.enter(link.low)
    low = _tun(link.low_name)
    row.enter(link.high)
    return low, _tun(link.high_name)


def _tun(interface: str) -> int:
    try:
        return kernel.open_tun(interface)
    except OSError as error:
        raise BuildError(f"a wire that meddles with packets needs /dev/net/tun: {error}") from None


def _settings(*, forward: bool) -> None:
    for path in _NO_IPV6:
        with suppress(BuildError):
            _write(path, "1")
    if forward:
        _write(_FORWARD, "1")


def _let_ping() -> None:
    """Grant the only group of this world ICMP sockets, as many distributions grant them to all."""
    with suppress(BuildError):
        _write(_PING, "0 0")


def _cloud(row: Row, blueprint: Blueprint, translated: bool) -> None:
    row.enter(topology.CLOUD)
    _ip(topology.population_routes(blueprint.population()))
    if translated:
        _nft(topology.cloud_firewall(blueprint))
    else:
        _ip(topology.cloud_silence(blueprint))


def _edge(row: Row, blueprint: Blueprint, translated: bool, edge_rules: str | None) -> None:
    row.enter(topology.EDGE)
    if edge_rules is not None:
        # First, because it may begin with "flush ruleset".
        _nft_file(edge_rules)
    if not translated:
        _ip(topology.edge_policy(blueprint))
        return
    _nft(topology.edge_firewall(blueprint))
    if blueprint.carrier_nat:
        row.enter(topology.ACCESS)
        _nft(topology.carrier_firewall())


def _narrow(row: Row, links: Iterable[topology.Link], mtu: int, translated: bool) -> None:
    if not translated:
        raise BuildError("a black hole of the path MTU needs nftables (the program nft and its kernel part)")
    link = next(link for link in links if (link.low, link.high) == topology.NARROW_LINK)
    for name in topology.NARROW_LINK:
        row.enter(name)
        _ip(topology.narrowing(link, name, mtu))
        _nft(topology.silence())


def _nftables_work() -> bool:
    program = kernel.tool("nft")
    if program is None:
        return False
    return subprocess.run([program, "list", "tables"], capture_output=True, check=False).returncode == 0


def _nft(text: str) -> None:
    _run([kernel.tool("nft") or "nft", "-f", "-"], text)


def _nft_file(path: str) -> None:
    """The user's own rules: what is wrong with them is the first thing that nft says."""
    try:
        with open(path, "rb"):
            done = subprocess.run([kernel.tool("nft") or "nft", "-f", path], capture_output=True, check=False)
    except OSError as error:
        raise BuildError(f"--edge-rules {path}: {error.strerror}", usage=True) from None
    if done.returncode:
        first, *_ = done.stderr.decode("utf-8", "replace").splitlines() or [f"nft: status {done.returncode}"]
        place, _, what = first.removeprefix(f"{path}:").rpartition(": Error: ")
        line = f"line {place.partition(':')[0]}: " if place else ""
        raise BuildError(f"--edge-rules {path}: {line}{what}", usage=True)


def _ip(text: str, descriptors: Iterable[int] = ()) -> None:
    if text:
        _run([kernel.tool("ip") or "ip", "-batch", "-"], text, tuple(descriptors))


def _run(command: list[str], text: str, descriptors: tuple[int, ...] = ()) -> None:
    try:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, check=False, pass_fds=descriptors
        )
    except OSError as error:
        raise BuildError(f"{command[0]}: {error}") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise BuildError(f"{os.path.basename(command[0])}: {said[:400]}")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from None
