"""Probes and whole runs through a proxy on loopback: no name is looked up, and no password is told."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeNetwork, FakeService, run_probe, tls_facts
from readycheck_probes.http import HttpParams, HttpProbe
from readycheck_probes.protocols import MUTE, PROTOCOLS, SECURE, Speaks
from readycheck_probes.tcp import TcpParams, TcpProbe
from readycheck_probes.tls import TlsParams, TlsProbe

from .conftest import Bench
from .servers.authority import Authority
from .servers.http import RESPONSES
from .servers.proxy import Proxy, dripping, endless_headers
from .servers.spoken import server_of
from .servers.tcp import Endpoint, Serve, TcpServer, hang_up, reset, saying, silent
from .servers.websocket import websocket

USER, PASSWORD = "jo@corp", "p:w/é s3cret"
QUOTED = "jo%40corp:p%3Aw%2F%C3%A9%20s3cret"
ENCODED = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def through(bench: Bench, proxy: Proxy | Serve, login: str = "") -> Iterator[str]:
    """The proxy of the bench; its `host:port`."""
    with TcpServer(proxy.serve if isinstance(proxy, Proxy) else proxy) as server:
        place = _place(server.endpoint)
        bench.proxy = f"http://{f'{login}@' if login else ''}{place}"
        yield place


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"


def _far(host: str | None = "config.example", port: int = 443, **known: Any) -> Target:
    return Target(host=host, port=port, transport="tcp", via="proxy", **known)


# --- probes -------------------------------------------------------------------------------------------


async def test_a_port_behind_the_proxy(bench: Bench) -> None:
    with TcpServer(silent) as server:
        proxy = Proxy({"config.example:443": server.endpoint})
        with through(bench, proxy) as place:
            seen = await bench.measure(TcpProbe(), TcpParams((_far(),)))

    (step,) = seen.observations
    assert (step.step, step.failure, step.facts) == (Step.PROXY_CONNECT, None, {"proxy_address": "127.0.0.1"})
    assert step.target == Target(host="config.example", port=443, transport="tcp", via=place)
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["rtt_ms"]) == (1, 1, None)
    assert bench.looked_up == []


async def test_an_address_behind_the_proxy(bench: Bench) -> None:
    target = _far(None, 443, address="198.51.100.7", network="198.51.100.0/24")
    with TcpServer(silent) as server:
        with through(bench, Proxy({"198.51.100.7:443": server.endpoint})):
            seen = await bench.measure(TcpProbe(), TcpParams((target,)))

    (step,) = seen.observations
    assert (step.failure, step.target.host, step.target.address) == (None, None, "198.51.100.7")
    assert step.target.network == "198.51.100.0/24"


async def test_tls_behind_the_proxy(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context("config.example")) as server:
        proxy = Proxy({"config.example:443": server.endpoint})
        with through(bench, proxy):
            seen = await bench.measure(TlsProbe(), TlsParams((_far(),)))

    assert seen.failures(Step.PROXY_CONNECT) == [None, None]
    assert [one.facts["purpose"] for one in seen.of(Step.TLS_HANDSHAKE)] == ["tls1.2", "client"]
    assert seen.failures(Step.TLS_HANDSHAKE) == [None, None]
    for one in seen.of(Step.TLS_HANDSHAKE):
        place = one.target.host, one.target.port, one.target.sni, one.target.via
        assert place == ("config.example", 443, "config.example", "proxy")
        assert one.target.address is None  # the proxy knows it, we do not
    assert seen.metrics["answered"] == 1 and bench.looked_up == []


async def test_the_certificate_is_checked_behind_the_proxy(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context("other.example")) as server:
        with through(bench, Proxy({"config.example:443": server.endpoint})):
            seen = await bench.measure(TlsProbe(), TlsParams((_far(),)))

    assert set(seen.failures(Step.TLS_HANDSHAKE)) == {Failure.CERTIFICATE_NAME_MISMATCH}


async def test_a_page_behind_the_proxy(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    heard: list[bytes] = []

    def serve(connection: Any) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(RESPONSES["ok"])

    with TcpServer(serve, authority.context("config.example")) as server:
        with through(bench, Proxy({"config.example:8443": server.endpoint})):
            seen = await bench.measure(HttpProbe(), HttpParams((_far(port=8443),), path="/x"))

    assert [one.step for one in seen.observations] == [
        Step.PROXY_CONNECT,
        Step.TLS_HANDSHAKE,
        Step.RESPONSE,
    ]
    assert {one.failure for one in seen.observations} == {None}
    assert b"\r\nHost: config.example:8443\r\n" in heard[0]
    assert b"Proxy" not in heard[0]


# --- plain HTTP ---------------------------------------------------------------------------------------

PLAIN = HttpParams((_far(port=80),), scheme="http", method="GET", path="/x y")
SAID = ("GET http://config.example/x%20y HTTP/1.1", "CONNECT config.example:80 HTTP/1.1")


def page(connection: Any) -> None:
    assert connection.recv(65536).startswith(b"GET /x%20y HTTP/1.1\r\nHost: config.example\r\n")
    connection.sendall(RESPONSES["ok"])


async def plain(bench: Bench, proxy: Proxy | Serve, login: str = "") -> Any:
    with through(bench, proxy, login):
        return await bench.measure(HttpProbe(), PLAIN)


def said(proxy: Proxy) -> tuple[str, ...]:
    return tuple(request.partition("\r\n")[0] for request in proxy.heard)


@pytest.mark.parametrize(("via", "asked"), [("Via: 1.1 test\r\n", SAID[:1]), ("", SAID)])
async def test_a_plain_page_is_asked_for_in_absolute_form(
    bench: Bench, via: str, asked: tuple[str, ...]
) -> None:
    """Who does not sign what it hands on has to show that it is a proxy at all: it refuses CONNECT as one."""
    with TcpServer(page) as server:
        proxy = Proxy({"config.example:80": server.endpoint}, via=via, connects=False)
        seen = await plain(bench, proxy)

    assert said(proxy) == asked
    assert (seen.observations[-1].step, seen.observations[-1].failure) == (Step.RESPONSE, None)
    assert seen.observations[-1].facts["status"] == 200
    assert (seen.metrics["answered"], bench.looked_up) == (1, [])
    assert seen.observations[0].facts == {
        "form": "absolute",
        "proxy_address": "127.0.0.1",
        "signed": bool(via),
    }


async def test_a_proxy_that_does_not_sign_may_open_a_tunnel(bench: Bench) -> None:
    with TcpServer(page) as server:
        proxy = Proxy({"config.example:80": server.endpoint}, via="")
        seen = await plain(bench, proxy)

    assert said(proxy) == SAID
    assert seen.failures(Step.PROXY_CONNECT) == [None, None]
    assert seen.failures(Step.RESPONSE) == [None]


async def test_a_login_for_a_plain_page(bench: Bench) -> None:
    with TcpServer(page) as server:
        proxy = Proxy({"config.example:80": server.endpoint}, login=f"{USER}:{PASSWORD}")
        seen = await plain(bench, proxy, QUOTED)

    assert said(proxy) == (SAID[0], SAID[0])
    assert seen.observations[0].facts["login"] == "Basic"
    assert seen.failures(Step.RESPONSE) == [None]


def web_server(connection: Any) -> None:
    """It takes any name for its own, and knows no CONNECT."""
    asked = connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n" if asked[:7] == b"CONNECT" else RESPONSES["ok"]
    )


def refusing(connection: Any) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 403 No\r\nVia: 1.1 squid\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 0\r\n\r\n"
    )


def out_of_reach(connection: Any) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "status"),
    [(web_server, 405), (refusing, 403), (out_of_reach, 503)],
    ids=("a web server", "a refusal", "out of reach"),
)
async def test_what_the_other_side_never_said_is_no_answer_of_it(
    bench: Bench, serve: Serve, status: int
) -> None:
    seen = await plain(bench, serve)
    last = seen.observations[-1]
    assert (last.step, last.failure) == (Step.PROXY_CONNECT, Failure.PROXY_DENIED)
    assert last.facts["status"] == status
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize("speaks", [*PROTOCOLS, *sorted(MUTE)])
async def test_a_protocol_behind_the_proxy(bench: Bench, authority: Authority, speaks: Speaks) -> None:
    bench.trusted = authority.certificate
    context = authority.context("config.example") if speaks in SECURE else None
    serve = silent if speaks in MUTE else server_of(speaks)
    with TcpServer(serve, context) as server:
        with through(bench, Proxy({"config.example:7000": server.endpoint})) as place:
            seen = await bench.measure(TcpProbe(), TcpParams((_far(port=7000),), speaks))

    assert {one.failure for one in seen.observations} == {None}
    tunnel, last = seen.observations[0], seen.observations[-1]
    assert (tunnel.step, tunnel.target.via) == (Step.PROXY_CONNECT, place)
    assert (last.target.host, last.target.port, last.target.address) == ("config.example", 7000, None)
    if speaks in MUTE:
        assert (last.step, last.facts["exercised"]) == (Step.PROXY_CONNECT, False)
    else:
        assert (last.step, last.facts["speaks"]) == (Step.RESPONSE, speaks)
    assert seen.metrics["answered"] == 1 and bench.looked_up == []


async def test_the_way_to_the_proxy_may_be_tls(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with ExitStack() as running:
        server = running.enter_context(TcpServer(silent, authority.context("config.example")))
        proxy = Proxy({"config.example:443": server.endpoint})
        outer = running.enter_context(TcpServer(proxy.serve, authority.context("proxy.example")))
        bench.names = {"proxy.example": ("127.0.0.1",)}
        bench.proxy = f"https://proxy.example:{outer.endpoint[1]}"
        seen = await bench.measure(TlsProbe(), TlsParams((_far(),)))

    assert seen.failures(Step.TLS_HANDSHAKE) == [None, None]
    assert set(bench.looked_up) == {"proxy.example"}


async def test_without_a_proxy_targets_are_reached_directly(bench: Bench) -> None:
    with through(bench, Proxy({})), TcpServer(silent) as server:
        host, port = server.endpoint
        seen = await bench.measure(TcpProbe(), TcpParams((Target(address=host, port=port),)))

    assert [one.step for one in seen.observations] == [Step.CONNECT]


async def test_a_run_without_a_proxy_has_no_tunnels(bench: Bench) -> None:
    network = SystemNetwork(NetworkOptions(), bench, bench._handshake)
    assert network.proxy() is None
    with pytest.raises(ValueError, match="no proxy"):
        await network.tunnel("config.example", 443, timeout=1)


def test_plugin_authors_have_tunnels_too() -> None:
    services = {
        ("config.example", 443): FakeService(tls=tls_facts()),
        ("no.example", 443): Failure.PROXY_DENIED,
    }
    network = FakeNetwork(tunnels=services)
    hosts = ("config.example", "no.example", "silent.example")
    observations, metrics = run_probe(TlsProbe(), TlsParams(tuple(map(_far, hosts))), network)

    ended = {one.target.host: (one.step, one.failure) for one in observations}
    assert ended == {
        "config.example": (Step.TLS_HANDSHAKE, None),
        "no.example": (Step.PROXY_CONNECT, Failure.PROXY_DENIED),
        "silent.example": (Step.PROXY_CONNECT, Failure.TIMED_OUT),
    }
    vias = {one.target.via for one in observations if one.step is Step.PROXY_CONNECT}
    assert vias == {network.proxy()} == {"192.0.2.128:3128"}
    assert (metrics["sent"], metrics["answered"], FakeNetwork().proxy()) == (3, 1, None)


# --- credentials --------------------------------------------------------------------------------------


async def test_credentials_follow_the_demand(bench: Bench) -> None:
    with TcpServer(silent) as server:
        proxy = Proxy({"config.example:443": server.endpoint}, login=f"{USER}:{PASSWORD}")
        with through(bench, proxy, QUOTED):
            seen = await bench.measure(TcpProbe(), TcpParams((_far(),)))

    assert seen.failures(Step.PROXY_CONNECT) == [None]
    assert ["Proxy-Authorization" in request for request in proxy.heard] == [False, True]


@pytest.mark.parametrize(
    ("login", "schemes", "tried", "requests"),
    [
        ("", ("Basic",), None, 1),
        ("jo:wrong", ("Basic",), "Basic", 2),
        (QUOTED, ("Bearer",), None, 1),
        (QUOTED, ("NTLM",), "NTLM", 2),
    ],
)
async def test_a_login_that_fails(
    bench: Bench, login: str, schemes: tuple[str, ...], tried: str | None, requests: int
) -> None:
    proxy = Proxy({}, login=f"{USER}:{PASSWORD}", schemes=schemes)
    with through(bench, proxy, login):
        seen = await bench.measure(TcpProbe(), TcpParams((_far(),)))

    (step,) = seen.observations
    assert step.failure is Failure.PROXY_AUTH_REQUIRED
    assert (step.facts["tried"], step.facts["offered"]) == (tried, schemes)
    assert len(proxy.heard) == requests
    assert ENCODED not in str(proxy.heard)


# --- hostile proxies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (endless_headers, Failure.PROTOCOL_ERROR),
        (saying(b"\x00\xff" * 50_000), Failure.PROTOCOL_ERROR),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), Failure.PROTOCOL_ERROR),
        (saying(b"HTTP/1.1 200"), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["missing"]), Failure.PROXY_DENIED),
        (saying(b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n"), Failure.PROXY_DENIED),
        (hang_up, None),
        (reset, Failure.CONNECTION_RESET),
        (silent, Failure.TIMED_OUT),
        (dripping, Failure.TIMED_OUT),
    ],
)
async def test_hostile_proxies(bench: Bench, serve: Serve, failure: Failure | None) -> None:
    with through(bench, serve):
        seen = await bench.measure(TlsProbe(), TlsParams((_far(),)), deadline_s=1.0)

    (step,) = seen.observations
    assert step.step is Step.PROXY_CONNECT and step.elapsed_ms < 1500
    ended = (Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET)
    assert step.failure in ((failure,) if failure else ended)


# --- whole runs ---------------------------------------------------------------------------------------

PROFILE = """
schema_version = 1
name = "acme"
title = "Acme"
revision = "1"
checked = 2026-01-01

[documents.manual]
title = "Manual"
publisher = "Acme"
revision = "1"

[[roles]]
name = "app"
title = "App"
default = true

[[requirements]]
id = "web"
title = "Web"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [443]
targets = {{ hosts = ["config.example", "api.example"] }}
probe = "tls"
proxied = true
source = {{ document = "manual", section = "1" }}

[[requirements]]
id = "portal"
title = "Portal"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [{open}]
targets = {{ hosts = ["127.0.0.1"] }}
probe = "tcp"
proxied = true
source = {{ document = "manual", section = "1" }}

[[requirements]]
id = "sip"
title = "SIP"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [{open}]
targets = {{ hosts = ["127.0.0.1"] }}
probe = "tcp"
source = {{ document = "manual", section = "1" }}

[[requirements]]
id = "names"
title = "DNS"
area = "names and time"
importance = "required"
roles = ["app"]
transport = "udp"
ports = [53]
targets = {{ resolvers = true }}
probe = "dns"
params = {{ names = ["config.example"] }}
source = {{ document = "manual", section = "1" }}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A product on loopback, and the proxy in front of it."""

    folder: Path
    server: TcpServer
    proxy: TcpServer

    def run(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
        """The exit status, the report, and all that was written anywhere."""
        command = [
            *(sys.executable, "-m", "readycheck", "run", str(self.folder / "acme.toml"), "-f", "json"),
            *("--no-controls", "--resolver", "127.0.0.1:1", "--quiet"),
            *("--trust-roots", str(self.folder / "roots.pem"), "-o", str(self.folder / "report.html")),
            *arguments,
        ]
        home = {"HOME": str(self.folder), "READYCHECK_LOOPBACK_ONLY": "1"}
        variables = {**os.environ, **home, **environment}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout, done.stderr
        page = (self.folder / "report.html").read_text(encoding="utf-8")
        return done.returncode, json.loads(done.stdout), done.stdout + done.stderr + page


@contextmanager
def world(folder: Path, authority: Authority, **manners: Any) -> Iterator[tuple[World, Proxy]]:
    context = authority.context("config.example", "api.example")
    with TcpServer(silent, context) as server, TcpServer(silent) as plain:
        open_port = plain.endpoint[1]
        places = {
            "config.example:443": server.endpoint,
            "api.example:443": server.endpoint,
            f"127.0.0.1:{open_port}": plain.endpoint,
        }
        kind = manners.pop("kind", Proxy)
        proxy = kind({} if manners.pop("closed", False) else places, **manners)
        (folder / "acme.toml").write_text(PROFILE.format(open=open_port))
        (folder / "roots.pem").write_text(authority.certificate)
        with TcpServer(proxy.serve) as front:
            yield World(folder, server, front), proxy


def _vias(report: dict[str, Any]) -> dict[str, set[str | None]]:
    """How the targets of each requirement were reached, as checks and observations have it."""
    found: dict[str, set[str | None]] = {}
    for check in filter(lambda check: check["requirement"], report["checks"]):
        vias = found.setdefault(check["requirement"], set())
        vias |= {check["target"]["via"], *(o["target"]["via"] for o in check["observations"])}
    return found


def _statuses(report: dict[str, Any]) -> dict[str, str]:
    return {r["id"]: r["status"] for r in report["requirements"]}


def _causes(report: dict[str, Any]) -> dict[str, list[str]]:
    return {f["cause"]: f["affects"] for f in report["findings"]}


def test_a_run_through_a_given_proxy_tells_all_but_the_password(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority, login=f"{USER}:{PASSWORD}") as (here, proxy):
        place = _place(here.proxy.endpoint)
        _, report, everything = here.run("--proxy", f"http://{QUOTED}@{place}")

    assert _statuses(report) == {"web": "pass", "portal": "pass", "sip": "pass", "names": "fail"}
    assert _vias(report) == {"web": {place}, "portal": {place}, "sip": {None}, "names": {None}}
    expected = [{"scheme": "https", "url": f"http://{place}", "source": "--proxy"}]
    assert report["environment"]["proxies"] == expected
    assert report["run"]["options"]["proxy"] == f"http://{place}"
    assert _causes(report) == {"dns-unreachable": ["names"]}
    assert {"config.example:443", "api.example:443"} < set(proxy.asked())
    bare = json.dumps(PASSWORD)[1:-1]
    for secret in (PASSWORD, bare, USER, ENCODED, ENCODED.rstrip("="), "s3cret", *QUOTED.split(":")):
        assert secret not in everything
    steps = {o["step"] for c in report["checks"] if c["requirement"] == "web" for o in c["observations"]}
    assert steps == {"proxy_connect", "tls_handshake"}  # and no look-up


def test_the_environment_names_the_proxy_and_who_goes_past_it(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, proxy):
        place = _place(here.proxy.endpoint)
        said = {"https_proxy": f"http://jo:s3cret@{place}", "no_proxy": "127.0.0.0/8,other.example"}
        _, report, everything = here.run(**said)

    assert _vias(report) == {"web": {place}, "portal": {None}, "sip": {None}, "names": {None}}
    assert _statuses(report)["portal"] == "pass"
    assert set(proxy.asked()) == {"config.example:443", "api.example:443"}
    expected = [{"scheme": "https", "url": f"http://{place}", "source": "environment"}]
    assert report["environment"]["proxies"] == expected
    assert report["run"]["options"]["proxy"] == "auto"
    assert "s3cret" not in everything


def test_none_goes_past_the_proxy_until_something_fails(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, proxy):
        place = _place(here.proxy.endpoint)
        _, report, _ = here.run("--proxy", "none", "--only", "tcp", ALL_PROXY=f"http://{place}")

    assert proxy.heard == []
    assert report["environment"]["proxies"][0]["url"] == f"http://{place}"
    assert {via for vias in _vias(report).values() for via in vias} == {None}
    assert _statuses(report)["portal"] == "pass"


def test_what_fails_without_the_proxy_is_asked_through_it(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, proxy):  # which knows names that nobody here can look up
        place = _place(here.proxy.endpoint)
        _, report, _ = here.run("--proxy", "none", HTTPS_PROXY=f"http://{place}")

    found = next(f for f in report["findings"] if f["cause"] == "proxy-required")
    assert (found["where"], found["owner"], found["affects"]) == ("site", "proxy", ["web"])
    assert f"through the proxy {place} (from the environment)" in found["summary"]
    assert set(proxy.asked()) == {"config.example:443", "api.example:443"}


def test_no_password_is_in_a_list_of_processes(tmp_path: Path, authority: Authority) -> None:
    lists: list[str] = []

    class Watching(Proxy):
        def _serve(self, connection: Any) -> None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    lists.append(path.read_bytes().decode(errors="replace"))
            super()._serve(connection)

    with world(tmp_path, authority, kind=Watching, login=f"{USER}:{PASSWORD}") as (here, _):
        _, report, _ = here.run(HTTPS_PROXY=f"http://{QUOTED}@{_place(here.proxy.endpoint)}")
    assert _statuses(report)["web"] == "pass"
    assert any("readycheck" in one for one in lists)
    assert not [one for one in lists if QUOTED in one or PASSWORD in one or ENCODED in one]


@pytest.mark.parametrize(
    ("login", "manners", "cause", "words"),
    [
        ("", {"login": "a:b"}, "proxy-auth-required", "it offers Basic"),
        ("jo:s3cret@", {"login": "a:b"}, "proxy-auth-failed", "refuses the credentials"),
        ("jo:s3cret@", {"login": "a:b", "schemes": ("Bearer",)}, "proxy-auth-required", "it offers Bearer"),
        ("jo:s3cret@", {"login": "a:b", "schemes": ("NTLM",)}, "proxy-auth-failed", "(NTLM; it offers NTLM)"),
        ("", {"closed": True}, "proxy-denies", "status 403"),
    ],
)
def test_one_finding_for_all_that_the_proxy_stops(
    tmp_path: Path, authority: Authority, login: str, manners: dict[str, Any], cause: str, words: str
) -> None:
    with world(tmp_path, authority, **manners) as (here, _):
        status, report, everything = here.run("--proxy", f"http://{login}{_place(here.proxy.endpoint)}")

    assert status == 2
    found = _causes(report)
    assert found.pop("dns-unreachable") == ["names"]
    assert found == {cause: ["web", "portal"]}
    (finding,) = [f for f in report["findings"] if f["cause"] == cause]
    assert (finding["where"], finding["owner"]) == ("site", "proxy")
    assert words in finding["summary"] and "s3cret" not in everything
    failed = [c for c in report["checks"] if c["requirement"] == "web"]
    assert {(c["status"], c["step"]) for c in failed} == {("fail", "proxy_connect")}


EVENTS = """
[[requirements]]
id = "events"
title = "Events"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [{port}]
targets = {{ hosts = ["127.0.0.1"] }}
probe = "websocket"
params = {{ scheme = "ws", hold_s = 2.0 }}
proxied = true
source = {{ document = "manual", section = "1" }}
"""


def test_a_proxy_that_cuts_long_connections(tmp_path: Path, authority: Authority) -> None:
    with TcpServer(websocket()) as server, world(tmp_path, authority) as (here, _):
        place = _place(server.endpoint)
        proxy = Proxy({place: server.endpoint}, cut_after_s=0.5)
        text = PROFILE.format(open=1).partition("[[requirements]]")[0]
        (tmp_path / "acme.toml").write_text(text + EVENTS.format(port=server.endpoint[1]))
        with TcpServer(proxy.serve) as front:
            _, report, _ = here.run("--proxy", f"http://{_place(front.endpoint)}")

    (finding,) = report["findings"]
    assert (finding["cause"], finding["confidence"]) == ("proxy-breaks-websocket", "certain")
    assert "is cut after" in finding["summary"] and "past the proxy it works" in finding["summary"]
    assert any(c["id"] == f"past-proxy/websocket/{place}" for c in report["checks"])


def test_a_proxy_that_is_gone(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, _):
        with TcpServer(silent) as gone:
            place = _place(gone.endpoint)
        status, report, _ = here.run("--proxy", f"http://{place}")

    assert status == 2
    assert _causes(report) == {"dns-unreachable": ["names"], "proxy-unreachable": ["web", "portal"]}
    assert _statuses(report)["sip"] == "pass"


def test_an_unusable_url_is_a_usage_error_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(PROFILE.format(open=1))
    command = [sys.executable, "-m", "readycheck", "run", str(tmp_path / "acme.toml")]
    command += ["--proxy", "socks5://jo:s3cret@127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1 and "--proxy" in done.stderr and "s3cret" not in done.stderr


# --- runs that follow a proxy script ------------------------------------------------------------------


@contextmanager
def served(text: str) -> Iterator[str]:
    """The URL of a script."""

    def serve(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + text.encode())

    with TcpServer(serve) as server:
        yield f"http://{_place(server.endpoint)}/proxy.pac"


def test_a_script_sends_each_host_its_way(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, proxy), TcpServer(proxy.serve) as other:
        first, second = _place(here.proxy.endpoint), _place(other.endpoint)
        script = f"""
            function FindProxyForURL(url, host) {{
              if (isInNet(host, "127.0.0.0", "255.0.0.0")) return "DIRECT";
              return host == "api.example" ? "PROXY {second}" : "PROXY {first}; DIRECT";
            }}
        """
        with served(script) as url:
            _, report, _ = here.run(auto_proxy=url)

    assert _vias(report) == {"web": {first, second}, "portal": {None}, "sip": {None}, "names": {None}}
    assert {name: _statuses(report)[name] for name in ("web", "portal", "sip")} == dict.fromkeys(
        ("web", "portal", "sip"), "pass"
    )
    assert set(proxy.asked()) == {"config.example:443", "api.example:443"}
    found = report["environment"]["script"]
    assert (found["place"], found["source"], found["error"]) == (url, "environment", "")
    assert {(a["via"], *a["hosts"]) for a in found["answers"]} == {
        (first, "config.example"),
        (second, "api.example"),
        (None, "127.0.0.1"),
    }
    assert {p["source"] for p in report["environment"]["proxies"]} == {f"proxy script {url}"}
    assert _causes(report) == {"dns-unreachable": ["names"]}


def test_a_broken_script_is_a_finding_and_not_followed(tmp_path: Path, authority: Authority) -> None:
    with world(tmp_path, authority) as (here, proxy):
        with served("function FindProxyForURL(url, host) {\n  return 'PROXY ' +;\n}") as url:
            _, report, _ = here.run("--proxy", f"pac+{url}")

    (finding,) = [f for f in report["findings"] if f["cause"] == "pac-error"]
    assert (finding["where"], finding["owner"], finding["confidence"]) == ("site", "proxy", "certain")
    assert "SyntaxError" in finding["summary"] and "(line 2)" in finding["summary"]
    assert url in finding["summary"] and "(from --proxy)" in finding["summary"]
    assert report["run"]["options"]["proxy"] == f"pac+{url}"
    assert proxy.heard == [] and report["environment"]["proxies"] == []
