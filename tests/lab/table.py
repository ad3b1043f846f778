"""The scenarios of the lab: what is broken, and what the agent must and must not say of it."""

from dataclasses import dataclass, field, replace

from .cloud import NODES, CloudMode, Population, Sip, Web
from .forwarder import Wire
from .world import RowMode, Rule

SITE, ISP, VENDOR, HOST, UNKNOWN = "site", "isp", "vendor", "host", "unknown"

MEDIA = "{ 5004, 9000, 8500-8699, 19560-65535 }"
SUBNET = "135.84.168.0/21"
HALF = "170.72.128.0/17"

# What accuses somebody of filtering; no scenario without such a filter may have any of them.
BLOCKS = (
    "udp-blocked",
    "udp-return-blocked",
    "port-blocked",
    "port-rejected",
    "subnet-blocked",
    "address-blocked",
    "rtp-range-partial",
    "site-offline",
    "host-firewall",
)
TLS_CAUSES = (
    "tls-inspection",
    "tls-version",
    "tls-cipher",
    "sni-filter",
    "certificate-expired",
    "certificate-untrusted",
    "certificate-name-mismatch",
    "certificate-chain-incomplete",
)
NAME_CAUSES = ("dns-unreachable", "dns-filter", "dns-hijack", "dns-tcp-blocked")


@dataclass(frozen=True)
class Expected:
    """A finding: one of `causes`, at one of the places `where`, with `words` in its summary."""

    causes: tuple[str, ...]
    where: tuple[str, ...]
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`exits` are the exit statuses that are right; `forbidden` are causes that would be wrong in any confidence.

    `beyond` says why the program does not come to the right answer yet: the expectation stands all the same.
    """

    name: str
    row: RowMode = field(default_factory=RowMode)
    cloud: CloudMode = field(default_factory=CloudMode)
    arguments: tuple[str, ...] = ()
    exits: tuple[int, ...] = (0,)
    expected: tuple[Expected, ...] = ()
    forbidden: tuple[str, ...] = ()
    why: str = ""
    beyond: str = ""


def _one(causes: str, where: str, words: str = "") -> tuple[Expected, ...]:
    return (Expected(tuple(causes.split()), tuple(where.split()), words),)


def _edge(*texts: str) -> RowMode:
    """Rules of the edge for what leaves the site; answers on the same ports are not theirs."""
    return _out("edge", *texts)


def _out(place: str, *texts: str) -> RowMode:
    return RowMode(rules=tuple(Rule(place, f'iifname "lan" {text}') for text in texts))


def _targets(*nodes: str) -> tuple[str, ...]:
    return tuple(word for node in nodes for word in ("--target", node))


DENSE = CloudMode(population=Population.DENSE)
SPARSE = CloudMode(population=Population.SPARSE)
NAMED = CloudMode(population=Population.NAMED)
NO_TIME_EXCEEDED = "icmp type time-exceeded drop"

_SILENT_ISPS = RowMode(rules=tuple(Rule(f"isp{i}", NO_TIME_EXCEEDED, "output") for i in (1, 2, 3)))
_NO_ICMP_IN = RowMode(rules=(Rule("edge", 'iifname "wan" meta l4proto icmp drop'),))

OPEN = (
    Scenario(name="open-dense", cloud=DENSE, forbidden=(*BLOCKS, *TLS_CAUSES, *NAME_CAUSES)),
    Scenario(name="open-sparse", cloud=SPARSE, forbidden=(*BLOCKS, *TLS_CAUSES, *NAME_CAUSES)),
    Scenario(
        name="open-sparse-other-seed",
        cloud=replace(SPARSE, seed=11),
        arguments=("--seed", "5", "--set", "ntp-server=ntp.lab.example"),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="open-named-serving",
        cloud=replace(NAMED, named_serve_all=True),
        forbidden=BLOCKS,
        why="the only live addresses are those of names, some of them in the service's networks",
    ),
    Scenario(
        name="open-named-with-targets",
        cloud=NAMED,
        arguments=_targets(*NODES),
        forbidden=BLOCKS,
        why="names serve the web only; signalling, media and time answer at three given nodes alone",
    ),
    Scenario(
        name="open-named-nothing-known",
        cloud=NAMED,
        exits=(0, 1, 3),  # ready only where the sample happens upon one of the three nodes
        forbidden=BLOCKS,
        why="no live media node is known: only what the sample happens upon is proven, and nobody may be blamed",
    ),
    Scenario(name="open-sip-silent", cloud=replace(SPARSE, sip=Sip.SILENT), forbidden=BLOCKS),
    Scenario(
        name="open-dense-sip-silent",
        cloud=replace(DENSE, sip=Sip.SILENT),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="open-dense-quick",
        cloud=DENSE,
        arguments=("--quick",),
        exits=(0, 1),
        forbidden=(*BLOCKS, *TLS_CAUSES, *NAME_CAUSES),
        why="a quick run may prove less, but it blames nobody",
    ),
    Scenario(
        name="open-sparse-quick",
        arguments=("--quick",),
        exits=(0, 1, 3),
        forbidden=(*BLOCKS, *TLS_CAUSES, *NAME_CAUSES),
        why="a quick run may meet no living media node at all",
    ),
    Scenario(
        name="open-gateway-client-certificate",
        cloud=replace(SPARSE, sip=Sip.MUTUAL),
        arguments=("--role", "local-gateway"),
        forbidden=(*BLOCKS, *TLS_CAUSES),
        why="a server that asks for a client certificate has answered",
    ),
    Scenario(
        name="open-one-isp-hop",
        row=RowMode(isps=1),
        exits=(0, 1),
        forbidden=BLOCKS,
        why="one router beyond the edge answers six times and then once a second: less can be proven",
    ),
    Scenario(name="open-five-isp-hops", row=RowMode(isps=5), forbidden=BLOCKS),
    Scenario(name="open-without-nat", row=RowMode(nat=False), forbidden=BLOCKS),
    Scenario(
        name="open-edge-sends-no-icmp",
        row=RowMode(rules=(Rule("edge", NO_TIME_EXCEEDED, "output"),)),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="open-first-isp-hop-silent",
        beyond="two routers beyond the edge answer too seldom to prove every network in 15 s",
        row=RowMode(rules=(Rule("isp1", NO_TIME_EXCEEDED, "output"),)),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="open-closed-ports-refuse",
        cloud=replace(DENSE, udp_refused=True),
        forbidden=BLOCKS,
        why="the far end says port unreachable where nobody listens: the way there is open",
    ),
    Scenario(
        name="open-40-ms",
        row=RowMode(wire=Wire(delay_ms=20.0)),
        cloud=DENSE,
        forbidden=BLOCKS,
    ),
    Scenario(
        name="open-poor-line",
        row=RowMode(wire=Wire(delay_ms=40.0, jitter_ms=15.0, loss_ratio=0.02, burst=2.0, reorder_ratio=0.02)),
        cloud=DENSE,
        exits=(0, 1),
        forbidden=BLOCKS,
        why="poor is not blocked",
    ),
    Scenario(name="icmp-silent-isps", row=_SILENT_ISPS, exits=(1,), forbidden=BLOCKS),
    Scenario(name="icmp-silent-isps-dense", row=_SILENT_ISPS, cloud=DENSE, exits=(1,), forbidden=BLOCKS),
    Scenario(name="icmp-dropped-at-edge", row=_NO_ICMP_IN, exits=(1,), forbidden=BLOCKS),
    Scenario(
        name="udp-loss",
        row=RowMode(rules=(Rule("edge", "meta l4proto udp numgen random mod 100 < 5 drop"),)),
        cloud=DENSE,
        exits=(0, 1),
        forbidden=BLOCKS,
        why="5 % loss each way is not a block",
    ),
)

UDP = (
    Scenario(
        name="udp-blocked",
        row=_edge(f"udp dport {MEDIA} drop"),
        exits=(2,),
        expected=_one("udp-blocked", SITE),
        forbidden=(
            "subnet-blocked",
            "address-blocked",
            "udp-return-blocked",
            "rtp-range-partial",
            "ntp-blocked",
        ),
    ),
    Scenario(
        name="udp-blocked-dense",
        row=_edge(f"udp dport {MEDIA} drop"),
        cloud=DENSE,
        exits=(2,),
        expected=_one("udp-blocked", SITE),
        forbidden=("subnet-blocked", "address-blocked", "rtp-range-partial"),
    ),
    Scenario(
        name="udp-blocked-but-dns",
        row=_edge("udp dport != 53 drop"),
        exits=(2,),
        expected=_one("udp-blocked", SITE),
        forbidden=("subnet-blocked", "address-blocked", "dns-unreachable", "site-offline"),
    ),
    Scenario(
        name="udp-rejected",
        row=_edge(f"udp dport {MEDIA} reject with icmp type admin-prohibited"),
        exits=(2,),
        expected=_one("udp-blocked", SITE),
        forbidden=("subnet-blocked", "address-blocked", "service-down", "udp-return-blocked"),
    ),
    Scenario(
        name="udp-blocked-at-isp",
        beyond="a packet that passes the first routers of the provider counts as having left",
        row=_out("isp2", f"udp dport {MEDIA} drop"),
        exits=(2,),
        expected=_one("udp-blocked", f"{ISP} {UNKNOWN}"),
        forbidden=("subnet-blocked", "address-blocked"),
    ),
    Scenario(
        name="udp-return-blocked",
        row=RowMode(rules=(Rule("edge", f'iifname "wan" udp sport {MEDIA} drop'),)),
        cloud=DENSE,
        exits=(1, 2, 3),
        expected=_one("udp-return-blocked", f"{SITE} {ISP} {UNKNOWN}"),
        forbidden=("udp-blocked", "port-blocked", "subnet-blocked"),
    ),
    Scenario(
        name="stun-9000-dropped",
        row=_edge("udp dport 9000 drop"),
        exits=(2,),
        expected=_one("port-blocked", SITE, "9000"),
        forbidden=("udp-blocked", "subnet-blocked", "rtp-range-partial"),
    ),
    Scenario(
        name="rtp-upper-part-dropped",
        beyond="three routers beyond the edge answer too seldom to settle every part of the range in 15 s",
        row=_edge("udp dport 40000-65535 drop"),
        exits=(2,),
        expected=_one("rtp-range-partial", SITE, "upper"),
        forbidden=("udp-blocked", "subnet-blocked", "port-blocked"),
    ),
    Scenario(
        name="rtp-lower-part-dropped",
        row=_edge("udp dport 19560-32000 drop"),
        exits=(2,),
        expected=_one("rtp-range-partial", SITE, "lower"),
        forbidden=("udp-blocked", "subnet-blocked", "port-blocked"),
    ),
    Scenario(
        name="rtp-odd-ports-dropped",
        beyond="three routers beyond the edge answer too seldom to settle every part of the range in 15 s",
        row=_edge("udp dport 19560-65535 udp dport & 1 == 1 drop"),
        exits=(2,),
        expected=_one("rtp-range-partial", SITE, "odd"),
        forbidden=("udp-blocked", "subnet-blocked", "port-blocked"),
    ),
)

SIGNALLING = (
    Scenario(
        name="sip-dropped",
        row=_edge("tcp dport 8934 drop"),
        exits=(2,),
        expected=_one("port-blocked", SITE, "8934"),
        forbidden=("subnet-blocked", "port-rejected", "service-down", "udp-blocked"),
    ),
    Scenario(
        name="sip-dropped-without-nat",
        row=replace(_edge("tcp dport 8934 drop"), nat=False),
        exits=(2,),
        expected=_one("port-blocked", f"{SITE} {UNKNOWN}", "8934"),
        forbidden=("subnet-blocked", "port-rejected", "service-down"),
    ),
    Scenario(
        name="sip-reset",
        row=_edge("tcp dport 8934 reject with tcp reset"),
        exits=(2,),
        expected=_one("port-rejected", SITE, "8934"),
        forbidden=("subnet-blocked", "service-down", "port-blocked"),
    ),
    Scenario(
        name="sip-rejected-by-icmp",
        row=_edge("tcp dport 8934 reject with icmp type admin-prohibited"),
        exits=(2,),
        expected=_one("port-rejected", SITE, "8934"),
        forbidden=("subnet-blocked", "service-down"),
    ),
    Scenario(
        name="sip-rejected-by-port-unreachable",
        row=_edge("tcp dport 8934 reject"),
        exits=(2,),
        expected=_one("port-rejected", SITE, "8934"),
        forbidden=("subnet-blocked", "service-down"),
    ),
    Scenario(
        name="sip-dropped-at-isp",
        beyond="a packet that passes the first routers of the provider counts as having left",
        row=_out("isp2", "tcp dport 8934 drop"),
        exits=(2,),
        expected=_one("port-blocked", f"{ISP} {UNKNOWN}", "8934"),
        forbidden=("subnet-blocked", "service-down"),
    ),
    Scenario(
        name="sip-reset-at-isp",
        row=_out("isp2", "tcp dport 8934 reject with tcp reset"),
        exits=(2,),
        expected=_one("port-rejected", f"{ISP} {UNKNOWN}", "8934"),
        forbidden=("subnet-blocked", "port-blocked"),
    ),
    Scenario(
        name="sip-down-at-vendor",
        cloud=replace(SPARSE, sip=Sip.DOWN),
        exits=(2,),
        expected=_one("service-down", f"{VENDOR} {UNKNOWN}"),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="sip-down-at-vendor-dense",
        cloud=replace(DENSE, sip=Sip.DOWN),
        exits=(2,),
        expected=_one("service-down", f"{VENDOR} {UNKNOWN}"),
        forbidden=BLOCKS,
    ),
    Scenario(
        name="subnet-blocked",
        row=_edge(f"ip daddr {SUBNET} drop"),
        exits=(2,),
        expected=_one("subnet-blocked", SITE, SUBNET),
        forbidden=("udp-blocked", "port-blocked", "service-down", "rtp-range-partial"),
    ),
    Scenario(
        name="subnet-rejected",
        row=_edge(f"ip daddr {SUBNET} reject with icmp type admin-prohibited"),
        exits=(2,),
        expected=_one("subnet-blocked", SITE, SUBNET),
        forbidden=("udp-blocked", "port-blocked", "service-down", "rtp-range-partial"),
    ),
    Scenario(
        name="half-subnet-blocked",
        beyond="three routers beyond the edge answer too seldom to ask every part of every network in 15 s",
        row=_edge(f"ip daddr {HALF} drop"),
        exits=(2,),
        expected=_one("subnet-blocked", SITE, "170.72.0.0/16"),
        forbidden=("udp-blocked", "port-blocked", "service-down", "rtp-range-partial"),
    ),
    Scenario(
        name="half-subnet-blocked-dense",
        row=_edge(f"ip daddr {HALF} drop"),
        cloud=DENSE,
        exits=(2,),
        expected=_one("subnet-blocked", SITE, "170.72.0.0/16"),
        forbidden=("udp-blocked", "port-blocked", "service-down", "rtp-range-partial"),
    ),
    Scenario(
        name="webex-names-dropped-by-address",
        row=_edge("ip daddr { 64.68.96.0/19, 207.182.160.0/19, 62.109.192.0/18 } drop"),
        exits=(2,),
        expected=_one("subnet-blocked address-blocked", f"{SITE} {UNKNOWN}"),
        forbidden=("udp-blocked", "port-blocked", "service-down", *NAME_CAUSES),
        why="the identity brokers live there",
    ),
)

NAMES_AND_TIME = (
    Scenario(
        name="dns-dropped",
        row=_edge("meta l4proto { tcp, udp } th dport 53 drop"),
        exits=(2,),
        expected=_one("dns-unreachable", f"{SITE} {UNKNOWN}"),
        forbidden=("udp-blocked", "site-offline", "no-network", *TLS_CAUSES),
    ),
    Scenario(
        name="dns-tcp-dropped",
        row=_edge("tcp dport 53 drop"),
        exits=(1,),
        expected=_one("dns-tcp-blocked", f"{SITE} {UNKNOWN}"),
        forbidden=("dns-unreachable", "udp-blocked", "site-offline"),
    ),
    Scenario(
        name="ntp-dropped",
        row=_edge("udp dport 123 drop"),
        exits=(2,),
        expected=_one("ntp-blocked", f"{SITE} {UNKNOWN}"),
        forbidden=("udp-blocked", "port-blocked", "subnet-blocked", "clock-skew"),
    ),
    Scenario(
        name="no-resolv-conf",
        row=RowMode(resolv_conf=None),
        exits=(2,),
        expected=_one("dns-unreachable", HOST),
        forbidden=("udp-blocked", "site-offline", "no-network", *TLS_CAUSES),
    ),
    Scenario(
        name="wrong-resolver",
        row=RowMode(resolv_conf="nameserver 10.77.2.1\n"),
        exits=(2,),
        expected=_one("dns-unreachable", f"{HOST} {SITE} {UNKNOWN}"),
        forbidden=("udp-blocked", "site-offline", "no-network"),
        why="the edge router runs no name server and says so",
    ),
)

TLS = (
    Scenario(
        name="sip-unknown-authority",
        cloud=replace(SPARSE, sip=Sip.UNKNOWN_AUTHORITY),
        exits=(2,),
        expected=_one("certificate-untrusted", f"{SITE} {VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "certificate-expired", "tls-version"),
    ),
    Scenario(
        name="sip-expired",
        cloud=replace(SPARSE, sip=Sip.EXPIRED),
        exits=(2,),
        expected=_one("certificate-expired", f"{VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "tls-inspection", "certificate-untrusted"),
    ),
    Scenario(
        name="sip-leaf-only",
        cloud=replace(DENSE, sip=Sip.LEAF_ONLY),
        exits=(2,),
        expected=_one("certificate-chain-incomplete", f"{VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "tls-inspection"),
    ),
    Scenario(
        name="sip-old-tls",
        cloud=replace(DENSE, sip=Sip.OLD_TLS),
        exits=(2,),
        expected=_one("tls-version", f"{VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "tls-inspection", "certificate-untrusted"),
    ),
    Scenario(
        name="web-old-tls",
        cloud=replace(SPARSE, web=Web.OLD_TLS),
        exits=(2,),
        expected=_one("tls-version", f"{SITE} {VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "tls-inspection", "certificate-untrusted"),
    ),
    Scenario(
        name="web-misnamed",
        cloud=replace(SPARSE, web=Web.MISNAMED),
        exits=(2,),
        expected=_one("certificate-name-mismatch", f"{SITE} {VENDOR} {UNKNOWN}"),
        forbidden=(*BLOCKS, "tls-version", "certificate-expired"),
    ),
)

HOST_AND_SITE = (
    Scenario(
        name="all-dropped",
        row=_edge("drop"),
        exits=(2, 3),
        expected=_one("site-offline", f"{SITE} {ISP} {UNKNOWN}"),
        forbidden=("host-firewall", "udp-blocked", "subnet-blocked", "service-down", *TLS_CAUSES),
    ),
    Scenario(
        name="all-dropped-but-dns",
        row=_edge("meta l4proto { tcp, udp } th dport 53 accept", "drop"),
        exits=(2, 3),
        expected=_one("site-offline udp-blocked port-blocked", f"{SITE} {ISP} {UNKNOWN}"),
        forbidden=("host-firewall", "service-down", "dns-unreachable", *TLS_CAUSES),
    ),
    Scenario(
        name="no-default-route",
        row=RowMode(default_route=False),
        exits=(2, 3),
        expected=_one("no-network", HOST),
        forbidden=("site-offline", "udp-blocked", "port-blocked", "host-firewall", *TLS_CAUSES),
    ),
    Scenario(
        name="host-forbids-udp",
        row=RowMode(rules=(Rule("client", f"udp dport {MEDIA} drop", "output"),)),
        exits=(2, 3),
        expected=_one("host-firewall", HOST),
        forbidden=("udp-blocked", "rtp-range-partial", "subnet-blocked", "udp-return-blocked"),
    ),
    Scenario(
        name="host-resets-sip",
        row=RowMode(rules=(Rule("client", "tcp dport 8934 reject with tcp reset", "output"),)),
        exits=(2, 3),
        expected=_one("host-firewall port-rejected", f"{HOST} {UNKNOWN}"),
        forbidden=("service-down", "subnet-blocked"),
    ),
    Scenario(
        name="host-drops-sip",
        row=RowMode(rules=(Rule("client", "tcp dport 8934 drop", "output"),)),
        exits=(2, 3),
        expected=_one("host-firewall port-blocked", f"{HOST} {UNKNOWN}"),
        forbidden=("service-down", "subnet-blocked"),
    ),
)

SCENARIOS = (*OPEN, *UDP, *SIGNALLING, *NAMES_AND_TIME, *TLS, *HOST_AND_SITE)
