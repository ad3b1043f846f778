"""Discovery of proxies: who is asked first, what a script leads to, and what is only a note."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net import discovery, pac
from readycheck.net.discovery import Routing, route
from readycheck.net.environment import FoundProxy
from readycheck.net.guard import LOOPBACK_ONLY
from readycheck.net.pac import Question
from readycheck.net.precedence import Named
from readycheck.net.proxy import ProxyChoice, ProxyUrl
from readycheck.testing import FakeNetwork, FakeService

A, B = ProxyUrl("http", "a.corp", 3128), ProxyUrl("http", "b.corp", 8080)
SCRIPT = """
function FindProxyForURL(url, host) {
  if (dnsDomainIs(host, '.corp')) return 'DIRECT';
  if (shExpMatch(host, 'sip*')) return 'PROXY b.corp:8080';
  return 'PROXY a.corp:3128';
}
"""
Written = Callable[..., Named]
LANES = {
    "www.example:443": Question("https://www.example/", "www.example"),
    "sip.example:8443": Question("https://sip.example:8443/", "sip.example"),
    "pbx.corp:443": Question("https://pbx.corp/", "pbx.corp"),
    "192.0.2.0/24:443": Question("https://192.0.2.7/", "192.0.2.7"),
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that runs many tests at once may take long to start a process."""
    for name, limit_s in (("_START_S", 20.0), ("SCRIPT_S", 10.0), ("TOTAL_S", 30.0)):
        monkeypatch.setattr(pac, name, limit_s)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A script in a file, as the option names it."""

    def write(text: str = SCRIPT) -> Named:
        path = tmp_path / "proxy.pac"
        path.write_text(text)
        return script_at(path)

    return write


def script_at(place: object) -> Named:
    return Named(script=str(place), source="--proxy")


async def test_each_lane_has_its_way(written: Written, tmp_path: Path) -> None:
    file = tmp_path / "proxy.pac"
    found = await route(written(), FakeNetwork(), LANES)
    assert found.ways == {
        "www.example:443": A,
        "sip.example:8443": B,
        "pbx.corp:443": None,
        "192.0.2.0/24:443": A,
    }
    assert found.proxies == (A, B)
    assert found.usual == A
    assert found.found == (
        FoundProxy(scheme="https", url="http://a.corp:3128", source=f"proxy script {file}"),
        FoundProxy(scheme="https", url="http://b.corp:8080", source=f"proxy script {file}"),
    )
    script = found.script
    assert script is not None
    assert (script.place, script.source, script.size) == (str(file), "--proxy", len(SCRIPT))
    assert [(a.text, a.via, a.hosts, a.number) for a in script.answers] == [
        ("PROXY a.corp:3128", "a.corp:3128", ("www.example", "192.0.2.7"), 2),
        ("PROXY b.corp:8080", "b.corp:8080", ("sip.example",), 1),
        ("DIRECT", None, ("pbx.corp",), 1),
    ]
    assert found.notes == ()


async def test_names_are_resolved_by_the_run(written: Written) -> None:
    what = written(
        "function FindProxyForURL(u, h) { return isInNet(h, '10.0.0.0', '255.0.0.0') ? 'DIRECT' : 'PROXY p:1'; }"
    )
    lanes = {
        f"{h}:443": Question(f"https://{h}/", h) for h in ("in.corp", "out.example", *map(str, range(50)))
    }
    names: dict[str, Any] = {"in.corp": ["10.0.0.9"], "out.example": ["192.0.2.1"]}
    found = await route(
        what,
        FakeNetwork(names={**names, **{str(n): Failure.DNS_SERVFAIL for n in range(50)}}),
        lanes,
    )
    assert found.ways["in.corp:443"] is None
    assert found.ways["out.example:443"] == ProxyUrl("http", "p", 1)


async def test_silent_name_servers_are_given_up(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "NAME_S", 0.05)
    asked: list[str] = []

    class Silent(FakeNetwork):
        async def resolve(self, host: str, *, timeout: float) -> Any:
            asked.append(host)
            return await super().resolve(host, timeout=timeout)

    what = written(SCRIPT + "for (var i = 0; i < 100; i++) isResolvable('h' + i);")
    network = Silent(names={f"h{n}": Failure.TIMED_OUT for n in range(100)})
    found = await route(what, network, {"www.example:443": LANES["www.example:443"]})
    assert found.ways == {"www.example:443": A}
    assert len(asked) == 4  # the host itself, which does not exist, and three that stay silent


async def test_the_first_proxy_that_is_there(written: Written) -> None:
    what = written("function FindProxyForURL() { return 'PROXY dead.corp:1; PROXY a.corp:3128; DIRECT'; }")
    network = FakeNetwork(
        names={"dead.corp": ["192.0.2.1"], "a.corp": ["192.0.2.2"]},
        tcp={("192.0.2.1", 1): Failure.CONNECTION_REFUSED, ("192.0.2.2", 3128): FakeService()},
    )
    found = await route(what, network, LANES)
    assert set(found.ways.values()) == {A}
    assert found.notes == (
        "the proxy http://dead.corp:1 of the script does not answer; the next of its answer is used",
    )


async def test_many_proxies_cost_no_more_time(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "CONNECT_S", 0.1)
    what = written("var n = 0; function FindProxyForURL() { n++; return `PROXY 192.0.2.9:${n}; DIRECT`; }")
    lanes = {f"h{n}:443": Question(f"https://h{n}/", f"h{n}") for n in range(300)}
    found = await route(what, FakeNetwork(), lanes)
    assert (len(found.notes), len(found.found)) == (8, 16)
    assert found.script is not None
    assert len(found.script.answers) == 64


async def test_a_host_that_is_too_slow_blames_no_script(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pac, "TOTAL_S", 0.5)

    class Slow(FakeNetwork):
        async def resolve(self, host: str, *, timeout: float) -> Any:
            await self.sleep(0.6 if host == "slow" else 0)
            return await super().resolve(host, timeout=timeout)

    what = written("function FindProxyForURL() { dnsResolve('slow'); return 'DIRECT'; }")
    found = await route(what, Slow(), LANES)
    assert (found.ways, found.script and found.script.error) == ({}, "")
    assert "too slow" in found.notes[0]


async def test_socks_is_said_to_be_unsupported(written: Written) -> None:
    what = written("function FindProxyForURL() { return 'SOCKS5 s.corp:1080'; }")
    found = await route(what, FakeNetwork(), LANES)
    assert set(found.ways.values()) == {None}
    assert found.proxies == ()
    assert "SOCKS is not supported" in found.notes[0]
    assert found.script is not None
    assert found.script.answers[0].error == ""


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("function FindProxyForURL(", "SyntaxError", 1),
        ("", "it has no function FindProxyForURL", None),
        ("\nnosuch()", "ReferenceError: nosuch is not defined", 2),
    ],
)
async def test_a_broken_script_is_told_and_leads_nowhere(
    written: Written, text: str, error: str, line: int
) -> None:
    what = written(text)
    found = await route(what, FakeNetwork(), LANES)
    assert found.ways == {}
    assert found.script is not None
    assert found.script.error.startswith(error)
    assert (found.script.line, found.script.failure) == (line, None)


async def test_hosts_at_which_it_fails_go_directly(written: Written) -> None:
    what = written(SCRIPT.replace("'PROXY b.corp:8080'", "'PROXY http://b.corp:8080'"))
    found = await route(what, FakeNetwork(), LANES)
    assert found.ways["sip.example:8443"] is None
    assert found.script is not None
    assert [a.error for a in found.script.answers if a.error] == [
        "it names 'PROXY http://b.corp:8080', which is no proxy"
    ]


async def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    found = await route(script_at(tmp_path / "nosuch.pac"), FakeNetwork(), LANES)
    assert found.script is not None
    assert found.script.error == "it does not exist"
    refused = await route(script_at("http://u:secret@x.corp/p.pac"), FakeNetwork(), LANES)
    assert refused.script is not None
    assert refused.script.place == "http://x.corp/p.pac"
    assert refused.script.error == "it cannot be fetched (dns_nxdomain)"
    assert refused.script.failure is Failure.DNS_NXDOMAIN


async def test_without_an_engine_it_is_a_note(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "find_spec", lambda name: None)
    found = await route(written(), FakeNetwork(), LANES)
    assert (found.ways, found.script and found.script.error) == ({}, "")
    assert "quickjs-ng is not installed" in found.notes[0]


# --- WPAD ---------------------------------------------------------------------------------------------

ADDRESS = "192.0.2.8"


def served(body: bytes, status: str = "200 OK") -> FakeService:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return FakeService(chunks=(head + body,))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a search domain, and no fence."""
    monkeypatch.delenv(LOOPBACK_ONLY)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("search corp.example\n")
    return tmp_path


def lease(host: Path, url: str) -> None:
    folder = host / "run/systemd/netif/leases"
    folder.mkdir(parents=True)
    (folder / "2").write_text(f"OPTION_252={url.encode().hex()}\n")


async def detect(host: Path, **tables: Any) -> Routing:
    return await route(Named(detect=True), FakeNetwork(**tables), LANES, root=host)


async def test_the_name_wpad_leads_to_a_script(host: Path) -> None:
    found = await detect(
        host, names={"wpad.corp.example": [ADDRESS]}, tcp={(ADDRESS, 80): served(SCRIPT.encode())}
    )
    assert found.script is not None
    assert (found.script.place, found.script.source) == (
        "http://wpad.corp.example/wpad.dat",
        "the name wpad.corp.example",
    )
    assert found.proxies == (A, B)


async def test_what_dhcp_names_comes_first(host: Path) -> None:
    lease(host, "http://pac.corp.example/x")
    found = await detect(
        host,
        names={"pac.corp.example": [ADDRESS], "wpad.corp.example": ["192.0.2.9"]},
        tcp={(ADDRESS, 80): served(SCRIPT.encode())},
    )
    assert found.script is not None
    assert (found.script.place, found.script.source) == ("http://pac.corp.example/x", "DHCP option 252")


async def test_what_dhcp_names_must_be_there(host: Path) -> None:
    lease(host, "http://pac.corp.example/x")
    found = await detect(
        host, names={"pac.corp.example": [ADDRESS]}, tcp={(ADDRESS, 80): served(b"", "404 No")}
    )
    assert found.script is not None
    assert found.script.error == "it is not there (status 404)"


@pytest.mark.parametrize(
    ("tables", "note"),
    [
        ({}, None),
        ({"names": {"wpad.corp.example": Failure.TIMED_OUT}}, None),
        ({"names": {"wpad.corp.example": [ADDRESS]}}, "exists, and there is no proxy script"),
        (
            {"names": {"wpad.corp.example": [ADDRESS]}, "tcp": {(ADDRESS, 80): served(b"", "404 No")}},
            "exists, and there is no proxy script: it is not there (status 404)",
        ),
        (
            {
                "names": {"wpad.corp.example": [ADDRESS]},
                "tcp": {(ADDRESS, 80): served(b"<html>Parked</html>")},
            },
            "what it serves is no proxy script",
        ),
    ],
)
async def test_no_script_at_a_guessed_place_is_no_fault(
    host: Path, tables: dict[str, Any], note: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "NAME_S", 0.1)
    monkeypatch.setattr(discovery, "GUESS_S", 0.3)
    found = await detect(host, **tables)
    assert (found.script, found.proxies) == (None, ())
    assert (note is None and found.notes == ()) or str(note) in found.notes[0]


async def test_a_broken_script_at_a_guessed_place_is_one(host: Path) -> None:
    body = b"function FindProxyForURL("
    found = await detect(host, names={"wpad.corp.example": [ADDRESS]}, tcp={(ADDRESS, 80): served(body)})
    assert found.script is not None
    assert found.script.error.startswith("SyntaxError")


async def test_a_program_held_to_loopback_asks_nobody(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOOPBACK_ONLY, "1")
    lease(host, "http://pac.corp.example/x")
    found = await detect(
        host, names={"pac.corp.example": [ADDRESS]}, tcp={(ADDRESS, 80): served(SCRIPT.encode())}
    )
    assert found == Routing()


async def test_a_named_proxy_needs_no_script() -> None:
    choice = ProxyChoice(A, "environment", (".corp",))
    found = await route(Named(choice=choice), FakeNetwork(), LANES)
    assert (found.proxies, found.usual, found.script) == ((A,), A, None)
    assert found.found == (FoundProxy(scheme="https", url="http://a.corp:3128", source="environment"),)
