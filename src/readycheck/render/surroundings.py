"""The environment of a run as labelled sentences: what the host is, what it may do, and what it may not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from readycheck.net.environment import Kind
from readycheck.net.interface import Capability
from readycheck.render.clean import clean

if TYPE_CHECKING:
    from readycheck.net.environment import Environment, FoundScript, Interface

MOST_INTERFACES, MOST_ADDRESSES = 12, 6
MOST_ANSWERS, MOST_HOSTS = 8, 4
_KINDS = {Kind.WIRED: "wired", Kind.WIFI: "Wi-Fi", Kind.VPN: "VPN or tunnel", Kind.VIRTUAL: "virtual"}
_LOSSES = {
    Capability.RAW_SOCKETS: "no raw sockets: at which router a QoS mark changes stays open",
    Capability.ICMP_ERRORS: "no ICMP errors: where silent packets stop is not seen, so silence stays inconclusive",
    Capability.KERNEL_TIMESTAMPS: "no kernel time stamps: round trips include the time that this program took",
    Capability.HOP_LIMIT: "no hop limit: packets that get no answer cannot be proven to leave the site",
}


def facts(environment: "Environment") -> Iterator[tuple[str, str]]:
    """Label and text of everything that is known; what is not known is left out."""
    python = f"Python {clean(environment.python, 20)}" if environment.python else ""
    parts = (clean(environment.host, 120), clean(environment.platform, 120), python)
    yield "host", ", ".join(part for part in parts if part) or "not known"
    yield from _links(environment)
    yield "gateway", clean(environment.gateway or "no default route is known")
    yield "resolvers", ", ".join(clean(r, 60) for r in environment.resolvers[:8]) or "none is configured"
    if environment.dhcp_server:
        yield "DHCP server", clean(environment.dhcp_server)
    proxies = (f"{clean(p.url)} for {clean(p.scheme)} ({clean(p.source)})" for p in environment.proxies)
    yield "proxies", ", ".join(proxies) or "none found"
    if environment.script is not None:
        yield from _script(environment.script)
    yield from _privileges(environment)
    yield from (("note", clean(note)) for note in environment.notes)


def _script(script: "FoundScript") -> Iterator[tuple[str, str]]:
    """Where it is, who named it, and which hosts go where."""
    trouble = f": {clean(script.error)}" if script.error else ""
    yield "proxy script", f"{clean(script.place)} ({clean(script.source)}){trouble}"
    for answer in script.answers[:MOST_ANSWERS]:
        shown = ", ".join(clean(host, 80) for host in answer.hosts[:MOST_HOSTS])
        more = answer.number - len(answer.hosts[:MOST_HOSTS])
        way = clean(answer.via or "direct", 80)
        said = clean(answer.error or answer.text or "nothing", 120)
        yield "its answer", f"{said} ({way}) for {shown}{f' and {more} more' if more > 0 else ''}"


def _links(environment: "Environment") -> Iterator[tuple[str, str]]:
    """The way out first; loopback says nothing."""
    default = environment.default_interface
    links = [link for link in environment.interfaces if link.kind is not Kind.LOOPBACK]
    links.sort(key=lambda link: link.name != default)
    for link in links[:MOST_INTERFACES]:
        yield "interface", _link(link, link.name == default)
    if len(links) > MOST_INTERFACES:
        yield "interface", f"and {len(links) - MOST_INTERFACES} more"


def _link(link: "Interface", is_way_out: bool) -> str:
    kind = f"{_KINDS.get(link.kind, 'of unknown kind')}{', the way out' if is_way_out else ''}"
    parts = [f"{clean(link.name, 40)} ({kind})", *(clean(a, 60) for a in link.addresses[:MOST_ADDRESSES])]
    if link.mtu is not None:
        parts.append(f"MTU {link.mtu}")
    if link.signal_dbm is not None:
        parts.append(f"signal {link.signal_dbm:g} dBm")
    return ", ".join(parts)


def _privileges(environment: "Environment") -> Iterator[tuple[str, str]]:
    """What the host lets the program do, and a sentence for each thing that it does not."""
    held = {str(name) for name in environment.capabilities}
    if held:
        yield "may use", ", ".join(clean(name, 40).replace("_", " ") for name in sorted(held))
    yield from (("limit", sentence) for name, sentence in _LOSSES.items() if name.value not in held)
