"""From options to a run: what cannot be used ends here, before anything is sent."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import certifi
import pytest

from readycheck import pins
from readycheck.cli.setting import Setting, check, prepare
from readycheck.errors import ReadycheckError, UsageError
from readycheck.net import trust

PIN = "B" * 43 + "="


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_run_is_prepared() -> None:
    request, _, environment = prepare(Setting(profile="webex-calling", site="here", effort="quick"))
    assert (request.profile.name, request.site, request.seed) == ("webex-calling", "here", 1)
    assert request.trusted_pins == frozenset()
    assert request.options["effort"] == "quick"
    assert environment.host


def test_the_responder_is_in_the_report_and_its_key_is_not() -> None:
    setting = Setting(profile="webex-calling", responder=("far.example", 3478), responder_key=b"hush")
    request, *_ = prepare(setting)
    assert request.options["responder"] == "far.example:3478"
    assert "hush" not in repr(setting) + repr(request)
    planned = [check for check in request.draft.checks if check.probe == "stream"]
    assert [check.id for check in planned] == ["media-quality-audio", "media-quality-video"]
    audio, video = (check.params.marks for check in planned)
    assert audio == (("app", 46, "8500-8599"), ("device", 46, "19560-19660"))
    assert video == (("app", 34, "8600-8699"), ("device", 34, "19560-19660"))
    assert all(check.lasts_s >= 10 for check in planned)


@pytest.mark.parametrize(
    ("asked", "upto_s"),
    [
        ({"idle_minutes": 30}, 1800.0),
        ({"effort": "thorough"}, 115.0),
        ({"only": ("idle",)}, 115.0),
        ({}, None),
        ({"idle_minutes": 30, "skip": ("idle",)}, None),
    ],
)
def test_idle_connections_are_waited_for_when_somebody_asks(
    asked: dict[str, Any], upto_s: float | None
) -> None:
    request, *_ = prepare(Setting(profile="webex-calling", responder=("192.0.2.99", 3478), **asked))
    planned = [check for check in request.draft.checks if check.probe == "idle"]
    assert [check.params.upto_s for check in planned] == ([] if upto_s is None else [upto_s])
    assert all(check.waits and check.lasts_s > check.params.upto_s for check in planned)
    told = request.draft.untested.get("nat-connection-timeout", "")
    assert (upto_s is not None) or "skip" in asked or "--idle MINUTES" in told


def test_a_profile_is_looked_for_in_the_given_folders(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "webex-calling"\nname = "mine"\n')
    request, *_ = prepare(Setting(profile="mine", profile_dirs=(tmp_path,)))
    assert (request.profile.name, request.profile.extends) == ("mine", "webex-calling")
    assert request.profile.requirements


def test_what_was_learned_is_in_force() -> None:
    pins.save("webex-calling", {PIN: "CN=issuer"})
    request, *_ = prepare(Setting(profile="webex-calling"))
    assert PIN in request.trusted_pins


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("profile 'nosuch' is not known", {"profile": "nosuch"}),
        ("--profile-dir nosuch: No such file", {"profile_dirs": (Path("nosuch"),)}),
        ("--only nosuch: no such probe", {"only": ("nosuch",)}),
        ("--skip nosuch: no such probe", {"skip": ("nosuch",)}),
        ("--role nosuch: profile 'webex-calling' has the roles", {"roles": ("nosuch",)}),
        ("--set nosuch: profile 'webex-calling' has the placeholders", {"values": {"nosuch": "1"}}),
        ("--responder-key: of no use without --responder", {"responder_key": b"x"}),
        ("--capacity: of no use without --responder", {"capacity": 5}),
        ("--idle: of no use without --responder", {"idle_minutes": 5}),
        ("--source here: not an address", {"source": "here"}),
        ("--source ::1: not an IPv4 address, as -4 wants", {"source": "::1", "family": "4"}),
        ("--source 127.0.0.1: not an IPv6 address, as -6 wants", {"source": "127.0.0.1", "family": "6"}),
        ("--source 192.0.2.77: this host has no such address", {"source": "192.0.2.77"}),
        ("--interface nosuch0: this host has no such interface", {"interface": "nosuch0"}),
        ("--interface : not the name of an interface", {"interface": ""}),
        ("--interface a/b: not the name of an interface", {"interface": "a/b"}),
        ("--interface \udcff: not the name of an interface", {"interface": "\udcff"}),
        ("--proxy: a: only http and https proxies", {"proxy": "ftp://user:secret@a"}),
        ("--proxy: the proxy script that it names is no URL", {"proxy": "pac+ftp://user:secret@a/p.pac"}),
        ("--trust-roots .*nosuch.pem: cannot be read: No such file", {"trust_roots": (Path("nosuch.pem"),)}),
        ("--remap .*nosuch: ", {"remap": Path("nosuch")}),
    ],
)
def test_what_cannot_be_used_names_its_option(told: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ReadycheckError, match=f"^{told}") as caught:
        prepare(Setting(**{"profile": "webex-calling", **changes}))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="all of 127.0.0.0/8 is loopback on Linux")
def test_what_this_host_has_can_be_used() -> None:
    request, *_ = prepare(Setting(profile="webex-calling", source="127.0.0.1"))
    assert request.options["source"] == "127.0.0.1"


@pytest.mark.parametrize("begin", [check, prepare])
def test_public_authorities_that_cannot_be_read_end_the_run_before_it_begins(
    begin: Callable[[Setting], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path))
    with pytest.raises(ReadycheckError, match=r"public certificate authorities .*: cannot be read: "):
        begin(Setting(profile="webex-calling"))


def test_pins_that_cannot_be_read_end_the_run(own_home: Path) -> None:
    pins.save("webex-calling", {PIN: "CN=issuer"}).write_text("{")
    with pytest.raises(UsageError, match=r"webex-calling\.json: not a JSON file of learned pins"):
        prepare(Setting(profile="webex-calling"))


@pytest.mark.parametrize("proxy", ["none", "http://proxy.example:3128"])
def test_the_trust_set_is_read_once_when_the_run_gets_ready(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(trust, "load_trust", lambda files: read.append(files) or trust.TrustStore(()))
    imported: list[str] = []
    monkeypatch.setattr("readycheck.cli.setting.import_module", imported.append)
    request, *_ = prepare(Setting(profile="webex-calling", proxy=proxy))
    assert read == []
    request.get_ready()
    request.get_ready()
    assert read == [()]
    assert set(imported) == ({"readycheck.net.tunnel"} if proxy != "none" else set())


def test_who_wants_the_trust_set_while_it_is_read_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    both, read = Event(), list[object]()

    def load(files: object) -> trust.TrustStore:
        read.append(files)
        both.wait(0.1)  # as long as another one may take to come in, were it let
        return trust.TrustStore(())

    monkeypatch.setattr(trust, "load_trust", load)
    request, *_ = prepare(Setting(profile="webex-calling"))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(request.get_ready) for _ in range(2)]:
            done.result()
    assert len(read) == 1


SCRIPT = """function FindProxyForURL(url, host) {
  if (host == "example.com") return "DIRECT";
  return url.indexOf(":6970/") > 0 ? "PROXY a.corp:1" : "PROXY b.corp:2";
}"""


def test_a_script_makes_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "proxy.pac"
    file.write_text(SCRIPT)
    request, _, environment = prepare(Setting(profile="webex-calling", proxy=f"pac:{file}"))
    vias = {(c.target.via, c.target.ports) for c in request.draft.checks if c.target.via}
    assert {via for via, _ in vias} == {"a.corp:1", "b.corp:2"}
    assert {ports for via, ports in vias if via == "a.corp:1"} == {"6970"}
    assert {proxy.url for proxy in environment.proxies} == {"http://a.corp:1", "http://b.corp:2"}
    assert environment.script is not None
    assert environment.script.place == "~/proxy.pac"  # HOME is here
    assert request.options["proxy"] == "pac:proxy.pac"


def test_a_broken_script_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "proxy.pac").write_text("function FindProxyForURL(")
    request, _, environment = prepare(Setting(profile="webex-calling", proxy=f"{tmp_path}/proxy.pac"))
    assert {check.target.via for check in request.draft.checks} == {None}
    assert environment.script is not None and environment.script.error.startswith("SyntaxError")


def test_a_script_that_is_not_there_is_refused_where_the_option_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"^--proxy nosuch\.pac: the proxy script does not exist$"):
        check(Setting(profile="webex-calling", proxy="pac:nosuch.pac"))
    monkeypatch.setenv("auto_proxy", str(tmp_path / "nosuch.pac"))
    assert check(Setting(profile="webex-calling")) == "webex-calling"


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("pac+http://u:secret@a/p?q", "pac+http://a/p?q"),
        ("pac:/home/jo/p.pac", "pac:p.pac"),
        ("wpad:", "wpad:"),
        ("http://u:secret@a:1", "http://a:1"),
    ],
)
def test_the_report_shows_neither_passwords_nor_paths(proxy: str, shown: str) -> None:
    assert Setting(profile="p", proxy=proxy).shown()["proxy"] == shown


def test_the_options_that_the_report_shows_are_json() -> None:
    shown = Setting(
        profile="p", resolvers=(("192.0.2.1", 53),), values={"a": "b"}, trust_roots=(Path("/x"),)
    ).shown()
    assert json.loads(json.dumps(shown)) == shown
    assert "/x" not in json.dumps(shown)
