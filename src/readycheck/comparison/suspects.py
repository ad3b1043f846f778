"""Which difference around two runs may be behind what became worse, the likeliest first. Pure.

A difference that is known to bring about a cause that is new goes before one that merely fits the area; among
equals the one nearer to the host goes first, because it brings about the others: who moves to another link gets
another gateway, another resolver and another egress address with it.
"""

from collections.abc import Collection, Mapping, Sequence

from readycheck.comparison.change import Aspect, Change, Difference, Direction, Suspect
from readycheck.comparison.change import Circumstance as C

_QUALITY = ("loss", "burst-loss", "jitter", "delay", "reordering", "duplication", "bandwidth-insufficient")
_QUALITY_TOO = ("bufferbloat", "slow-connect", "dscp-changed", "rate-limited", "intermittent")
_BLOCKS = ("udp-", "port-", "subnet-", "address-", "rtp-range-")
_NAT = ("nat-", "idle-timeout-", "sip-alg", "egress-")

BRINGS_ABOUT: Mapping[C, tuple[str, ...]] = {
    C.TRUST: ("tls-inspection", "certificate-"),
    C.HOST: ("host-firewall", "clock-skew", "no-network"),
    C.LINK: ("wifi-", "vpn-", "no-network", "pmtu-", "ipv6-", *_QUALITY, *_QUALITY_TOO, *_BLOCKS, *_NAT),
    C.ADDRESS: ("address-", "subnet-", "no-network", "captive-portal", *_BLOCKS),
    C.GATEWAY: ("site-offline", "captive-portal", "vpn-", *_BLOCKS, *_NAT, *_QUALITY, *_QUALITY_TOO),
    C.DHCP: ("no-network", "dns-", "site-offline"),
    C.RESOLVER: ("dns-", "captive-portal"),
    C.PROXY: ("proxy-", "pac-", "tls-inspection", "slow-connect"),
    C.EGRESS: ("site-offline", *_NAT, *_BLOCKS, *_QUALITY, *_QUALITY_TOO),
    C.SYSTEM: (*_QUALITY, *_QUALITY_TOO, *_BLOCKS, *_NAT),
    C.ISSUER: ("tls-inspection", "certificate-", "captive-portal", "proxy-transparent"),
    C.PATH: ("pmtu-", "dscp-", *_QUALITY, *_QUALITY_TOO, *_BLOCKS),
}
"""The causes that a difference is known to bring about, by how their codes begin."""

REACHES_ALL = (
    C.STATE,
    C.OPTIONS,
    C.AGENT,
    C.PROFILE,
    C.CAPABILITIES,
    C.LINK,
    C.GATEWAY,
    C.PROXY,
    C.EGRESS,
    C.PATH,
)
"""What may be behind a requirement or a figure that no finding explains, too."""

_ORDER = tuple(C)
_WHYS: Mapping[C, str] = {
    C.STATE: "one of the runs was cut off, so it saw less",
    C.OPTIONS: "the runs were not made with the same options, so not all of what differs is the network",
    C.TRUST: "other authorities were trusted in this run",
    C.AGENT: "another version of this program measured and judged",
    C.PROFILE: "the profile was revised, so something else is asked of the network",
    C.HOST: "the run was made on another host",
    C.CAPABILITIES: "this program may do other things on the host than before, so it sees more or less",
    C.LINK: "the host goes out over another link",
    C.ADDRESS: "the host has another address, which other rules may apply to",
    C.GATEWAY: "the host goes out through another gateway",
    C.DHCP: "another DHCP server configures the host",
    C.RESOLVER: "names are asked of other servers",
    C.PROXY: "another proxy, or another proxy script, is in force",
    C.EGRESS: "the site goes out with another public address",
    C.SYSTEM: "the site goes out through another provider",
    C.ISSUER: "somebody else signs the certificates that are shown",
    C.PATH: "packets take another way",
}


def suspects(
    changes: Sequence[Change],
    differences: Sequence[Difference],
    *,
    explained: Collection[str] = (),
    redefined: Collection[str] = (),
) -> tuple[Suspect, ...]:
    """The differences that fit what became worse; none where nothing did.

    `explained` are the requirements that a finding affects: its cause stands for them. `redefined` are those of
    which the profile asks something else than before.
    """
    worse = [change for change in changes if change.direction is Direction.WORSE]
    causes = [change.of for change in worse if change.aspect is Aspect.FINDING]
    others = [change.of for change in worse if change.aspect in (Aspect.REQUIREMENT, Aspect.FIGURE)]
    others = [name for name in others if _requirement(name) not in explained]
    asked = [name for name in others if _requirement(name) in redefined]
    around = dict.fromkeys(difference.circumstance for difference in differences)
    found = (_fit(each, causes, others, asked if each is C.PROFILE else ()) for each in around)
    ranked = sorted(found, key=lambda fit: (fit[0], _ORDER.index(fit[1].circumstance)))
    return tuple(suspect for _, suspect in ranked if suspect.explains)


def _requirement(name: str) -> str:
    """Figures are written `requirement/metric`."""
    return name.partition("/")[0]


def _fit(
    circumstance: C, causes: Sequence[str], others: Sequence[str], asked: Sequence[str]
) -> tuple[int, Suspect]:
    """The rank goes before the place in the order: what brings about a cause, what is asked otherwise, the rest."""
    brought = [cause for cause in causes if cause.startswith(BRINGS_ABOUT.get(circumstance, ()))]
    reached = [*causes, *others] if circumstance in REACHES_ALL else []
    rank = 0 if brought else 1 if asked else 2
    explains = tuple(dict.fromkeys(brought or asked or reached))
    return rank, Suspect(circumstance=circumstance, explains=explains, why=_WHYS[circumstance])
