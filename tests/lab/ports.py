"""Which kind of server answers on which port of a product, read from its profile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from readycheck.profile import Profile, Requirement


class Kind(StrEnum):
    """What is spoken on a port. Where a profile asks for several, the first of them serves all."""

    SIP = "sip"
    CLEAR_SIP = "clear sip"
    MUTUAL = "mutual"
    SSH = "ssh"
    SMTP = "smtp"
    IMAPS = "imaps"
    XMPP = "xmpp"
    XMPP_TLS = "xmpp-tls"
    LDAP = "ldap"
    LDAPS = "ldaps"
    HTTP = "http"
    HTTPS = "https"
    STUN = "stun"
    TFTP = "tftp"


_ORDER = tuple(Kind)
_SPOKEN = {
    kind.value: kind
    for kind in (Kind.SSH, Kind.SMTP, Kind.IMAPS, Kind.XMPP, Kind.XMPP_TLS, Kind.LDAP, Kind.LDAPS)
}
_BY_PROBE = {
    "stun": Kind.STUN,
    "tls": Kind.HTTPS,
    "mtls": Kind.MUTUAL,
    "tftp": Kind.TFTP,
}
_CLEAR = ("http", "ws")
_LONGEST_RANGE = 64


@dataclass(frozen=True)
class Ports:
    """The ports of each kind; those of a datagram kind are UDP's, the others TCP's. `media` are ranges for RTP."""

    served: dict[Kind, tuple[int, ...]]
    media: tuple[str, ...] = ()

    def of(self, *kinds: Kind) -> tuple[int, ...]:
        return tuple(port for kind in kinds for port in self.served.get(kind, ()))

    @property
    def web(self) -> tuple[int, ...]:
        return self.of(Kind.HTTP, Kind.HTTPS)

    @property
    def tcp(self) -> tuple[int, ...]:
        return self.of(*(kind for kind in Kind if kind not in (Kind.STUN, Kind.TFTP)))


def ports_of(profile: Profile) -> Ports:
    """Long ranges have no server: nobody answers there, as in the wild."""
    wanted: dict[tuple[str, int], Kind] = {}
    for requirement in profile.requirements:
        kind = _kind(requirement)
        if kind is not None and requirement.direction != "inbound":
            for port in _ports(requirement):
                place = requirement.transport, port
                wanted[place] = min(wanted.get(place, kind), kind, key=_ORDER.index)
    for control in profile.controls:
        if (control.transport, control.port) not in (("udp", 53), ("udp", 123)):
            plain = Kind.HTTP if control.port == 80 else Kind.HTTPS
            kind = plain if control.transport == "tcp" else Kind.STUN
            wanted.setdefault((control.transport, control.port), kind)
    served = {kind: sorted({port for (_, port), k in wanted.items() if k is kind}) for kind in Kind}
    return Ports(
        {kind: tuple(ports) for kind, ports in served.items() if ports}, tuple(dict.fromkeys(_media(profile)))
    )


def _media(profile: Profile) -> Iterator[str]:
    for requirement in profile.requirements:
        if requirement.probe == "rtp" and requirement.direction == "outbound":
            yield from map(str, requirement.ports)


def _kind(requirement: Requirement) -> Kind | None:
    probe, params = "" if requirement.untestable else requirement.probe or "", requirement.params
    if probe in ("http", "websocket"):
        return Kind.HTTP if params.get("scheme") in _CLEAR else Kind.HTTPS
    if probe == "sip":
        return Kind.SIP if params.get("transport", "tls") == "tls" else Kind.CLEAR_SIP
    if probe == "tcp":
        return _SPOKEN.get(params.get("speaks", ""), Kind.HTTPS)
    return _BY_PROBE.get(probe)


def _ports(requirement: Requirement) -> Iterator[int]:
    for ports in requirement.ports:
        if len(ports) <= _LONGEST_RANGE:
            yield from range(ports.low, ports.high + 1)


def dash(ports: Sequence[int]) -> str:
    """As nftables wants a set of ports."""
    return "{ " + ", ".join(map(str, sorted(set(ports)))) + " }"
