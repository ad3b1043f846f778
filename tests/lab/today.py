"""Asks the tools that people use today about some of the faults, in the same namespaces."""

import re
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readycheck.catalog import read

from .cloud import NODES
from .machine import SBIN, LabError
from .scenario import Scenario, fitted, scenarios
from .waiting import await_bound
from .world import World

PROFILE = "webex-calling"
NAME = "webexapis.com"
CLASSES = {
    "cause": "names the cause",
    "symptom": "shows a symptom",
    "nothing": "says nothing",
    "misleading": "misleading",
}
_TABLE = Path(__file__).with_name("today.toml")
_PATIENCE_S = 55
_LONGEST = 240
# Its programs are called by other names than their packages.
_PROGRAMS = {"testssl.sh": "testssl"}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a tool said of a network, in few words, and what that is worth."""

    scenario: str
    tool: str
    status: int
    seconds: float
    words: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Tool:
    """`keep` are the lines that say something, `drop` what differs in them from run to run."""

    name: str
    command: str
    keep: str = ".*"
    drop: str = ""


def compare() -> Iterator[Heard]:
    table = tomllib.loads(_TABLE.read_text())
    tools = [tool for name, row in table["tools"].items() if _is_there(tool := Tool(name=name, **row))]
    known = {scenario.name: scenario for scenario in scenarios()}
    well: dict[str, str] = {}
    with World.build(read(PROFILE)) as world:
        for network in table["networks"]:
            scenario = fitted(known[network], world.profile, world.addresses)
            world.arrange(scenario.network, scenario.cloud)
            reads = table["reads"].get(network, {})
            with ThreadPoolExecutor(len(tools)) as pool:  # each mostly waits for answers that do not come
                asked = [pool.submit(_hear, world, scenario, t, reads.get(t.name, ()), well) for t in tools]
            for heard in (future.result() for future in asked):
                sys.stderr.write(f"{network} {heard.tool}: {heard.says}: {heard.words}\n")
                yield heard


def _is_there(tool: Tool) -> bool:
    return shutil.which(_PROGRAMS.get(tool.name, tool.name), path=SBIN) is not None


def _hear(world: World, scenario: Scenario, tool: Tool, reads: Any, well: dict[str, str]) -> Heard:
    began = time.monotonic()
    status, output = _asked(world, tool, _values(world, scenario))
    words = in_few_words(output, tool)
    return Heard(
        scenario=scenario.name,
        tool=tool.name,
        status=status,
        seconds=round(time.monotonic() - began, 1),
        words=words[:_LONGEST],
        says=meaning(words, well.setdefault(tool.name, words), reads),
    )


def _values(world: World, scenario: Scenario) -> Mapping[str, str]:
    """The part that speaks TLS is asked where the fault is: at the web where that is broken, else at SIP."""
    is_of_web = scenario.topic in ("names", "proxies", "interference")
    node = NODES[1] if scenario.name == "subnet-blocked" else NODES[0]
    return {
        "$node": node,
        "$name": NAME,
        "$port": "8934",
        "$tls": f"{NAME}:443" if is_of_web else f"{node}:8934",
        "$(roots)": str(world.certificates.roots),
    }


def in_few_words(output: str, tool: Tool) -> str:
    lines = [re.sub(tool.drop, "", line) if tool.drop else line for line in output.splitlines()]
    kept = [" ".join(line.split()) for line in lines if re.fullmatch(tool.keep, line.strip())]
    return "; ".join(dict.fromkeys(kept)) or "(nothing)"


def meaning(words: str, well: str, reads: Any) -> str:
    """One of `CLASSES`. `well` is what it says when nothing is wrong."""
    for pattern, means in reads:
        if re.search(pattern, words):
            return str(means)
    return "nothing" if words == well else "symptom"


def _asked(world: World, tool: Tool, values: Mapping[str, str]) -> tuple[int, str]:
    command = tool.command
    for variable, value in values.items():
        command = command.replace(variable, value)
    if tool.name == "prometheus-blackbox-exporter":
        return _ask_exporter(world, command)
    try:
        done = world.machine.run(
            "client", "timeout", str(_PATIENCE_S), "sh", "-c", f"TERM=dumb {command} 2>&1", check=False
        )
    except OSError as error:
        raise LabError(f"{tool.name}: {error}") from None
    return done.returncode, done.stdout


# --- the exporter, which is asked over HTTP -----------------------------------------------------------

_EXPORTER = """\
modules:
  sip_tls:
    prober: tcp
    timeout: 8s
    tcp: { tls: true, tls_config: { ca_file: @ROOTS@, server_name: sip.lab.example } }
  web:
    prober: http
    timeout: 8s
    http: { preferred_ip_protocol: ip4, tls_config: { ca_file: @ROOTS@ } }
  dns:
    prober: dns
    timeout: 8s
    dns: { query_name: "@NAME@", query_type: A, preferred_ip_protocol: ip4 }
"""
_ASK = """
import sys, urllib.parse, urllib.request
for module, target in (pair.split(" ", 1) for pair in sys.argv[1].split("; ")):
    query = urllib.parse.urlencode({"module": module, "target": target, "debug": "true"})
    text = urllib.request.urlopen("http://127.0.0.1:9115/probe?" + query, timeout=20).read().decode()
    success = "probe_success 1" in text
    errors = [l.split("err=", 1)[1] for l in text.splitlines() if "err=" in l and not success]
    print(module, "succeeds" if success else "fails", *errors[:1])
"""


def _ask_exporter(world: World, questions: str) -> tuple[int, str]:
    """The resolver is the one that the host has."""
    resolver = world.machine.run(None, "cat", "/etc/resolv.conf").stdout.split()[1]
    path = world.machine.folder / "blackbox.yml"
    text = _EXPORTER.replace("@ROOTS@", str(world.certificates.roots)).replace("@NAME@", NAME)
    path.write_text(text)
    exporter = world.machine.start(
        "client",
        "blackbox",
        "prometheus-blackbox-exporter",
        f"--config.file={path}",
        "--web.listen-address=127.0.0.1:9115",
    )
    try:
        await_bound(world.machine, "client", exporter, "t", "127.0.0.1:9115")
        asked = questions.replace(f"dns {NAME}", f"dns {resolver}")
        done = world.machine.run("client", sys.executable, "-I", "-c", _ASK, asked, check=False)
    finally:
        world.machine.stop(exporter)
    return done.returncode, done.stdout or done.stderr[-200:]


if __name__ == "__main__":
    for one in compare():
        sys.stdout.write(f"{one.scenario:26} {one.tool:30} {one.status:3} {one.says:10} {one.words}\n")
