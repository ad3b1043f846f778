"""The lab itself, without the agent: servers answer from where they were asked, hops show, and nothing gets out."""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from .agent import as_user
from .boxes import Box, Program
from .cloud import NODES, RESOLVER, RESPONDER, CloudMode, Population, Sip
from .machine import NOBODY
from .responder import SIP_PORT
from .row import Ipv6, RowMode, Rule
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

NODE = NODES[0]
DEAD = "170.72.29.78"
IPV6_WEB = "2001:db8:ffff::101"
_WHO = """
import json, os
print(json.dumps([os.getuid(), os.listdir("/sys/class/net"), open("/proc/self/status").read()]))
"""
_QUESTIONS = Path(__file__).with_name("questions.py").read_text()


def ask(world: World, *questions: str) -> list[Any]:
    """Ask from the client's place, without the agent's code; each question is `verb address port`."""
    done = world.machine.run(
        "client",
        *("setpriv", f"--reuid={NOBODY}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"),
        *(sys.executable, "-I", "-c", _QUESTIONS, *questions),
    )
    answers = json.loads(done.stdout)
    assert isinstance(answers, list)
    return answers


def test_servers_answer_from_the_address_that_was_asked(world: World) -> None:
    world.arrange(RowMode(), CloudMode(population=Population.NAMED))
    asked = [
        f"stun {NODE} 5004",
        f"stun {NODE} 9000",
        f"ntp {NODE} 123",
        f"sip {NODE} 8934",
        f"sip {NODE} 5062",
    ]
    answers = ask(world, *asked, f"dns {RESOLVER} 53")
    assert [answer["from"] for answer in answers] == [NODE] * 5 + [RESOLVER]
    assert answers[0]["mapped"].startswith("198.51.100.")
    assert answers[3]["status"] == "SIP/2.0 200 OK"
    assert answers[5]["addresses"] == [world.addresses["cscan.webex.com"]]


def test_dead_addresses_and_unserved_ports_are_silent(world: World) -> None:
    world.arrange(RowMode(), CloudMode(population=Population.NAMED))
    questions = [f"stun {DEAD} 5004", f"tcp {DEAD} 8934", f"udp {NODE} 20000", f"tcp {NODE} 4444"]
    assert [answer.get("failure") for answer in ask(world, *questions)] == ["TimeoutError"] * 4


def test_a_sparse_cloud_has_its_share_of_living_addresses(world: World) -> None:
    world.arrange(RowMode(), CloudMode())
    listed = world.machine.run("cloud", "nft", "-j", "list", "set", "ip", "cloud", "living").stdout
    living = json.loads(listed)["nftables"][1]["set"]["elem"]
    assert sum(a.startswith("144.196.") for a in living) == round(65536 * 0.02)


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        (RowMode(isps=1), "10.77.1.1 10.77.2.1 198.51.100."),
        (RowMode(site_hops=1, isps=2), "10.77.1.1 198.51.100. 203.0.113."),
        (RowMode(site_hops=3, isps=1), "10.77.1.1 10.77.2.1 10.77.3.1 198.51.100."),
        (RowMode(carrier_nat=True, isps=2), "10.77.1.1 10.77.2.1 100.64.9. 203.0.113."),
        (RowMode(isp_private=True), "10.77.1.1 10.77.2.1 198.51.100. 10.200.1.1 10.200.2.1"),
        (RowMode(nat=False, isps=5), "10.77.1.1 10.77.2.1 198.51.100." + 4 * " 203.0.113."),
    ],
)
def test_each_router_shows_itself_once(world: World, row: RowMode, seen: str) -> None:
    world.arrange(row, CloudMode(population=Population.DENSE))
    hops = ask(world, *(f"hop {NODE} {ttl}" for ttl in range(1, row.site_hops + row.isps + 1)))
    routers = [hop["router"] for hop in hops]
    assert all(map(str.startswith, routers, seen.split())), routers
    assert len(set(routers)) == len(routers) == len(seen.split())


@pytest.mark.parametrize("deep", [False, True])
def test_two_translations_are_invisible_to_the_far_end(world: World, deep: bool) -> None:
    world.arrange(RowMode(carrier_nat=True, isp_private=deep), CloudMode(population=Population.DENSE))
    assert ask(world, f"stun {NODE} 5004")[0]["mapped"].startswith("203.0.113.")


def test_a_box_of_the_site_answers(world: World) -> None:
    box = Box(program=Program.UNBOUND, lines=('local-data: "cscan.webex.com. 60 IN A 10.77.9.9"',))
    world.arrange(RowMode(boxes=(box,)), CloudMode())
    assert ask(world, "dns 10.77.1.1 53")[0]["addresses"] == ["10.77.9.9"]


def test_names_have_ipv6_addresses_when_the_cloud_has(world: World) -> None:
    world.arrange(RowMode(ipv6=Ipv6.ONLY), CloudMode(ipv6=True))
    assert ask(world, f"tcp {IPV6_WEB} 443", f"tcp {NODE} 443")[0] == {"from": IPV6_WEB, "ms": ANY}


def test_a_resolver_forgets_the_names_that_are_retired(world: World) -> None:
    world.arrange(RowMode(), CloudMode(retired=("cscan.webex.com",)))
    assert ask(world, f"dns {RESOLVER} 53")[0]["addresses"] == []


def test_the_kernel_limits_time_exceeded(world: World) -> None:
    world.arrange(RowMode(), CloudMode())
    hops = ask(world, *[f"hop {NODE} 4"] * 9)
    assert 6 <= sum("router" in hop for hop in hops) < 9


def test_sip_that_ignores_options_still_shakes_hands(world: World) -> None:
    world.arrange(RowMode(), CloudMode(sip=Sip.SILENT))
    answer = ask(world, f"sip {NODE} 8934")[0]
    assert answer["from"] == NODE
    assert answer["status"] is None


def test_sip_that_is_down_resets(world: World) -> None:
    world.arrange(RowMode(), CloudMode(sip=Sip.DOWN))
    assert ask(world, f"tcp {NODE} 8934")[0]["failure"] == "ConnectionRefusedError"


def test_rules_hold_where_they_are_put(world: World) -> None:
    world.arrange(RowMode(rules=(Rule("edge", "udp dport 9000 drop"),)), CloudMode())
    answers = ask(world, f"stun {NODE} 5004", f"stun {NODE} 9000")
    assert [answer.get("from") for answer in answers] == [NODE, None]


def test_rules_at_the_cloud_go_with_the_network_that_they_are_of(world: World) -> None:
    drop = Rule(at="cloud", hook="prerouting", text="tcp dport 8934 drop")
    seen = []
    for rules in ((drop,), ()):
        world.arrange(RowMode(rules=rules), CloudMode(population=Population.NAMED))
        seen += ask(world, f"tcp {NODE} 8934")
    assert [answer.get("failure") for answer in seen] == ["TimeoutError", None]


def test_a_responder_goes_with_the_network_that_it_is_of(world: World) -> None:
    seen = []
    for responder in (True, False):
        world.arrange(RowMode(), CloudMode(responder=responder))
        seen += ask(world, f"stun {RESPONDER} {SIP_PORT}")
    assert [answer.get("from") for answer in seen] == [RESPONDER, None]
    assert seen[0]["mapped"].startswith("198.51.100.")


def test_a_router_has_the_settings_of_its_network(world: World) -> None:
    setting, held = "net.netfilter.nf_conntrack_udp_timeout", []
    for settings in ({"edge": {setting: 4}}, {}):
        world.arrange(RowMode(settings=settings), CloudMode())
        path = f"/proc/sys/{setting.replace('.', '/')}"
        held += [world.machine.run(name, "cat", path).stdout.strip() for name in ("edge", "isp1")]
    assert held == ["4", "30", "30", "30"]


def test_nothing_leads_out(world: World) -> None:
    world.arrange(RowMode(), CloudMode())
    for name in (None, "cloud", *world.row):
        links = json.loads(world.machine.run(name, "ip", "-json", "-details", "link").stdout)
        kinds = {link.get("linkinfo", {}).get("info_kind", link["link_type"]) for link in links}
        assert kinds <= {"veth", "loopback"}
        peers = [link for link in links if link["ifname"] != "lo"]
        assert all("link_netnsid" in link for link in peers)
    mounts = world.machine.run(None, "cat", "/proc/self/mounts").stdout
    assert " /run tmpfs" in mounts and " /etc tmpfs" in mounts


def test_the_agent_is_an_ordinary_user(world: World) -> None:
    world.arrange(RowMode(), CloudMode())
    command = [*as_user(world.machine, "client"), sys.executable, "-c", _WHO]
    uid, interfaces, status = json.loads(world.machine.run("client", *command).stdout)
    assert uid == NOBODY
    assert sorted(interfaces) == ["lo", "wan"]
    held = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]
    assert set(held) == {"0000000000000000"}
