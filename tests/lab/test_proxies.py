"""Real proxies between the client and the cloud: squid in the site's router, and what the agent says of it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .agent import run_agent
from .cloud import NODES, CloudMode
from .machine import SBIN, Machine, Process
from .row import RowMode, Rule
from .waiting import wait_until
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

ROUTER = "10.77.1.1"
PORT, HIDDEN = 3128, 3129
PLACE = f"{ROUTER}:{PORT}"
USER, PASSWORD = "jo", "s3cret"
GIVEN = f"http://{USER}:{PASSWORD}@{PLACE}"
HELPERS = "/usr/lib/squid"

_SQUID = """\
http_port {place}
{ports}
dns_nameservers 203.0.113.53
visible_hostname gate.lab.test
pid_filename none
access_log none
cache_log stdio:/dev/stderr
cache deny all
coredump_dir none
shutdown_lifetime 0 seconds
forward_timeout 3 seconds
connect_timeout 2 seconds
acl users proxy_auth REQUIRED
{rules}
"""


def _login(scheme: str, program: str) -> str:
    realm = f"auth_param {scheme} realm lab" if scheme == "digest" else ""
    lines = (f"auth_param {scheme} program {HELPERS}/{program}", f"auth_param {scheme} children 4", realm)
    return "\n".join(filter(None, lines))


DIGEST = _login("digest", "digest_file_auth /run/plain")
NTLM = _login("ntlm", "ntlm_fake_auth")
"""It lets every password pass: what it shows is that the handshake is spoken as squid wants it."""
WITH_LOGIN = "http_access allow users\nhttp_access deny all"
_HIDDEN = f"""\
table ip hidden {{
  chain lead {{ type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" ip daddr != {ROUTER} tcp dport 80 redirect to :{HIDDEN}; }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What squid is told, how the agent is run, and what it must find: these causes, and no others."""

    name: str
    login: str = ""
    rules: str = WITH_LOGIN
    arguments: tuple[str, ...] = ("--proxy", GIVEN)
    variables: Mapping[str, str] = field(default_factory=dict)
    walls: tuple[Rule, ...] = ()
    hidden: bool = False
    causes: tuple[str, ...] = ()
    logged_in: str = ""


GATES = (
    Gate(name="proxy-digest", login=DIGEST, logged_in="Digest"),
    Gate(name="proxy-auth-unsupported", login=NTLM, logged_in="NTLM", causes=("proxy-auth-unsupported",)),
    Gate(
        name="proxy-required",
        rules="http_access allow all",
        arguments=("--proxy", "none"),
        variables={"https_proxy": f"http://{PLACE}"},
        walls=(Rule("site", "tcp dport { 80, 443, 6970 } drop"),),
        causes=("proxy-required",),
    ),
    Gate(
        name="proxy-transparent",
        rules="http_access allow all\nnever_direct allow all",
        arguments=(),
        hidden=True,
        causes=("proxy-transparent",),
    ),
)


@contextmanager
def squid(world: World, gate: Gate) -> Iterator[None]:
    """In the site's router, as long as the scenario lasts."""
    machine = world.machine
    machine.write("/run/plain", f"{USER}:{PASSWORD}\n")
    ports = f"http_port {HIDDEN} intercept" if gate.hidden else ""
    known = _SQUID.format(place=PLACE, ports="\n".join(filter(None, (ports, gate.login))), rules=gate.rules)
    machine.write(
        "/run/squid.conf", known if gate.login else known.replace("acl users proxy_auth REQUIRED\n", "")
    )
    server = machine.start("site", "squid", "squid", "-N", "-d", "1", "-f", "/run/squid.conf")
    if gate.hidden:
        machine.run("site", "nft", "-f", "-", text=_HIDDEN)
    try:
        wait_until(lambda: _listens(machine, server), "squid")
        yield
        server.require_running()
    finally:
        machine.stop(server)


def _listens(machine: Machine, server: Process) -> bool:
    server.require_running()
    return f":{PORT} " in machine.run("site", "ss", "-ltnH").stdout


def played(world: World, gate: Gate, bytecode: Path | None = None) -> dict[str, Any]:
    """The report of the agent behind this gate."""
    world.arrange(RowMode(rules=gate.walls), CloudMode(media_answers=True))
    with squid(world, gate):
        known = ["run", "webex-calling", "--role", "device", "--quick", "-f", "json", "--target", NODES[0]]
        arguments = [*known, "--trust-roots", str(world.certificates.roots), *gate.arguments]
        run = run_agent(world.machine, "client", arguments, bytecode, gate.variables)
    assert run.report is not None, run.stderr
    assert PASSWORD not in run.stdout + run.stderr and "wrong" not in run.stdout
    return run.report


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_what_is_said_of_the_gate(world: World, gate: Gate, bytecode: Path) -> None:
    if shutil.which("squid", path=SBIN) is None:
        pytest.skip("lab: not installed: squid (as root, `make test` installs it)")
    report = played(world, gate, bytecode)
    assert tuple(f["cause"] for f in report["findings"]) == gate.causes, report["findings"]
    steps = [o for c in report["checks"] for o in c["observations"] if o["step"] == "proxy_connect"]
    if gate.logged_in:
        assert {o["facts"].get("login") for o in steps if o["failure"] is None} == {gate.logged_in}
        named = [
            c for c in report["checks"] if c["requirement"] and c["target"]["via"] and c["target"]["host"]
        ]
        assert named and {c["status"] for c in named if c["certain"]} == {"pass"}
