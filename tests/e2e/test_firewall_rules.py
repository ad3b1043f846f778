"""The printed rules, given to the programs that read them: nft, Terraform, and the stand-in world's own edge."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readycheck.catalog import available, read
from readycheck.firewall import render
from readycheck.firewall.rules import Known
from readycheck.firewall.sheet import Wish, draw_up
from readycheck.twin.blueprint import RESOLVER
from tests.unit.builders import SOURCE
from tests.unit.firewall.sample import SIGNALLING, product

pytestmark = [pytest.mark.twin, pytest.mark.alone]

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PROFILES = sorted(name for name, _ in available())
ADDRESSES = ("192.0.2.53", "2001:db8::53")
WISHES = {
    "default": Wish(),
    "everything": Wish(everything=True, internal=True, source_ports=True, withdrawn=True),
    "any": Wish(any_name=True, known=Known(resolvers=ADDRESSES)),
}


def needs(program: str) -> str:
    found = shutil.which(program, path=PATH)
    if found is None:
        pytest.skip(f"not installed: {program}")
    return found


def alone(*command: str, text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run in a network of its own, without a way out."""
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", *command],
        input=text,
        cwd=folder,
        env={"PATH": PATH, "HOME": str(folder or "/"), "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def accepted(text: str) -> None:
    done = alone(needs("nft"), "--check", "--file", "-", text=text)
    assert done.returncode == 0, done.stderr[:2000]


@pytest.mark.parametrize("wish", WISHES.values(), ids=list(WISHES))
@pytest.mark.parametrize("profile", PROFILES)
def test_nft_accepts_the_rules_of_every_profile(profile: str, wish: Wish) -> None:
    found = read(profile)
    for roles in ((), tuple(role.name for role in found.roles)):
        accepted(render(draw_up(found, replace(wish, roles=roles)), "nftables"))


@pytest.mark.parametrize("host", ["192.0.2.2", "2001:db8::2"])
def test_nft_accepts_every_kind_of_rule(host: str) -> None:
    values = {"ntp-server": "192.0.2.1", "gateway": host}
    wish = Wish(
        everything=True, internal=True, source_ports=True, known=Known(values=values, resolvers=ADDRESSES)
    )
    sheet = draw_up(product(), wish)
    text = render(sheet, "nftables")
    accepted(text)
    in_force = sum("accept comment" in line and "# " not in line for line in text.splitlines())
    assert in_force >= len(sheet.rules) - 1  # all but what is told in words only


def test_nft_accepts_a_rule_for_all_addresses() -> None:
    everywhere = {"all": {"title": "All", "networks": ["0.0.0.0/0", "::/0"], "source": SOURCE}}
    row = {**SIGNALLING, "targets": {"networks": ["all"]}}
    accepted(render(draw_up(product(row, networks=everywhere), Wish()), "nftables"))


def test_the_rules_can_be_loaded_again(tmp_path: Path) -> None:
    nft = needs("nft")
    (tmp_path / "rules.nft").write_text(render(draw_up(read("webex-calling"), Wish()), "nftables"))
    script = '"$0" -f rules.nft && "$0" -f rules.nft && "$0" list table inet readycheck'
    done = alone("sh", "-c", script, nft, folder=tmp_path)
    assert done.stderr == ""
    assert done.stdout.count("sip-endpoints (required)") == 1


def test_terraform_accepts_the_configuration(tmp_path: Path) -> None:
    """With a resource that needs no provider in the place of those of AWS."""
    terraform = needs("terraform")
    document = json.loads(render(draw_up(product(), Wish()), "terraform"))
    document["resource"] = {"terraform_data": dict(_stand_ins(document["resource"]))}
    (tmp_path / "readycheck.tf.json").write_text(json.dumps(document))
    for words in (["init", "-input=false"], ["validate"]):
        done = alone(terraform, *words, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    given = ['readycheck_name_servers=["192.0.2.53/32"]', "readycheck_optional=true", "vpc_id=vpc-1"]
    plan = alone(
        *(terraform, "plan", "-input=false", "-no-color", *(f"-var={one}" for one in given)), folder=tmp_path
    )
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert 'input  = {\n          + cidr_ipv4         = "192.0.2.53/32"' in plan.stdout


def _stand_ins(resources: dict[str, Any]) -> Any:
    for kind, blocks in resources.items():
        for name, block in blocks.items():
            repeated = {key: value for key, value in block.items() if key == "for_each"}
            values = {key: value for key, value in block.items() if key != "for_each"}
            text = json.dumps(values).replace("aws_security_group.readycheck.id", "terraform_data.group.id")
            label = "group" if kind == "aws_security_group" else f"{kind}_{name}"
            yield label, {**repeated, "input": json.loads(text)}


@pytest.mark.timeout(120)
def test_the_stand_in_world_is_ready_behind_the_rules(tmp_path: Path) -> None:
    needs("nft")
    command = [sys.executable, "-m", "readycheck"]
    options = [
        "-f",
        "nftables",
        "--names",
        "any",
        "--resolver",
        RESOLVER,
        "--set",
        "ntp-server=ntp.example.com",
    ]
    rules = subprocess.run(
        [*command, "profile", "firewall", "webex-calling", *options],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (tmp_path / "edge.nft").write_text(rules)
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(
        [*command, "demo", "--edge-rules", str(tmp_path / "edge.nft"), "--no-controls", "-q", "-f", "json"],
        env=os.environ | home,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "ready"), report["findings"]
    closed = {r["id"]: r["status"] for r in report["requirements"]}["certificate-renewal"]
    assert closed == "fail"  # port 80 is optional, and so not let out
