"""Under the rules that `profile firewall` prints, with all else denied, a site is ready; and all else is denied."""

import ipaddress
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .agent import run_agent
from .cloud import NODES, RESOLVER, CloudMode
from .products import given, row_of
from .row import RowMode
from .test_world import ask
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

CASES = [
    ("webex-calling", ()),
    ("webex-calling", ("local-gateway",)),
    ("webex-calling", ("app", "admin")),
    ("webex", ()),
    ("cisco-spark", ()),
    ("starface", ("pbx", "browser", "ucc-client", "phone")),
    ("webex-calling-dedicated-instance", ("endpoint", "jabber", "browser")),
]
NAMESET = re.compile(r"# nftset=/([^/]+)/(\S+)")
NODE = NODES[0]


def printed(profile: str, *options: str) -> str:
    command = [sys.executable, "-m", "readycheck", "profile", "firewall", profile, "-f", "nftables"]
    place = ["--lan", "lan", "--wan", "wan", "--resolver", RESOLVER]
    return subprocess.run([*command, *place, *options], capture_output=True, text=True, check=True).stdout


def learned(rules: str, names: Mapping[str, str]) -> Iterator[str]:
    """What dnsmasq would do to the sets: it takes the line of the longest domain that a name belongs to."""
    sets = {domain: text.split(",") for domain, text in NAMESET.findall(rules)}
    for name, address in names.items():
        mine = [domain for domain in sets if name == domain or name.endswith(f".{domain}")]
        for place in sets[max(mine, key=len)] if mine else ():
            version, family, table, called = place.split("#")
            if version == str(ipaddress.ip_address(address).version):
                yield f"add element {family} {table} {called} {{ {address} }}"


def guard(world: World, rules: str) -> None:
    """Nothing is translated or let through at the edge but by the lab's own rules, and these besides."""
    world.arrange(row_of(world.profile), CloudMode())
    elements = "\n".join(learned(rules, world.addresses))
    world.machine.run("edge", "nft", "-f", "-", text=f"{rules}\n{elements}\n")


@pytest.mark.parametrize(("product", "roles"), CASES, indirect=["product"])
def test_the_site_is_ready_under_its_rules(product: World, bytecode: Path, roles: tuple[str, ...]) -> None:
    name = product.profile.name
    wanted = [word for role in roles for word in ("--role", role)]
    wanted += given(product.profile)
    guard(product, printed(name, *wanted))
    arguments = ["run", name, "-f", "json", "--trust-roots", str(product.certificates.roots), "--no-controls"]
    run = run_agent(product.machine, "client", [*arguments, *wanted], bytecode)
    assert run.report is not None, run.stderr
    assert (run.status, run.report["verdict"]) == (0, "ready"), run.report["findings"]


def test_what_the_product_does_not_need_is_denied(world: World) -> None:
    rules = printed("webex-calling")
    control = world.addresses["example.com"]
    named = world.addresses["webexapis.com"]
    allowed = [
        f"tcp {NODE} 8934",
        f"stun {NODE} 5004",
        f"ntp {NODE} 123",
        f"dns {RESOLVER} 53",
        f"tcp {named} 443",
    ]
    denied = [
        *(f"tcp {control} 443", f"tcp {control} 80", f"ntp {control} 123"),
        *(f"tcp {NODE} 443", f"tcp {NODE} 5062", f"dns {NODE} 53", f"tcp {named} 80"),
    ]
    world.arrange(RowMode(), CloudMode())
    reachable = [question for question in denied if "failure" not in ask(world, question)[0]]
    assert reachable, "the lab serves nothing that could be denied"
    guard(world, rules)
    assert [answer.get("failure") for answer in ask(world, *allowed)] == [None] * len(allowed)
    assert [answer.get("failure") for answer in ask(world, *denied)] == ["TimeoutError"] * len(denied)


def test_icmp_errors_come_back_without_a_rule_of_their_own(world: World) -> None:
    guard(world, printed("webex-calling"))
    control = world.addresses["example.com"]
    let_out, kept_in = ask(world, f"hop {NODE} 4", f"hop {control} 4")
    assert "router" in let_out
    assert "router" not in kept_in
