"""Commands as a person types them: real processes, in networks of their own or in the stand-in world."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from readycheck.catalog import read
from readycheck.cli.run import STATUS
from readycheck.report import schema
from readycheck.twin import world
from readycheck.twin.scenarios import SCENARIOS

pytestmark = pytest.mark.twin

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
READYCHECK = [sys.executable, "-m", "readycheck"]
ENTER = 'READYCHECK_ONLY_NETNS=$(stat -Lc %i /proc/self/ns/net) exec "$@"'
UP = "ip link set lo up;"
LINK = (
    f"{UP} ip link add near type veth peer name far; ip link set near up; ip link set far up;"
    "ip addr add 192.168.7.2/24 dev near;"
)


def readycheck(
    folder: Path, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *READYCHECK, *arguments],
        cwd=folder,
        env=os.environ | {"PATH": PATH, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


def in_network(state: str) -> tuple[str, ...]:
    """A host in this state: what a shell does before the program starts."""
    return ("unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec", f"{state} {ENTER}", "sh")


def with_resolvers(text: str) -> str:
    """Another /etc/resolv.conf, which only this host sees."""
    return f"printf '{text}' >resolv.conf; mount --bind resolv.conf /etc/resolv.conf;"


NO_NETWORK = {
    "not even loopback": "true;",
    "loopback only": UP,
    "a link without a route": LINK,
    "a link that is down": f"{UP} ip link add near type veth peer name far;",
    "a route that says unreachable": f"{LINK} ip route add unreachable default;",
    "no name server": UP + with_resolvers(""),
    "rubbish for name servers": UP
    + with_resolvers(r"\377\376\000nameserver\nnameserver x\nnameserver 999.1.1.1\n"),
}
OTHER_STATES = {
    "a name server that is not there": UP
    + with_resolvers("nameserver 127.0.0.1\nnameserver fe80::1%%near\n"),
    "everything is dropped on the way": f"{LINK} ip route add default via 192.168.7.1;",
    "a route into nothing": f"{LINK} ip route add blackhole default;",
    "a route that is forbidden": f"{LINK} ip route add prohibit default;",
    "everybody is this host": f"{UP} ip route add local 0.0.0.0/0 dev lo;",
}


def report_from(state: str, folder: Path) -> dict[str, Any]:
    """The report of a quick run on a host in this state, which is what INTERFACE says whatever it holds."""
    done = readycheck(folder, "run", "webex-calling", "--quick", "-f", "json", prefix=in_network(state))
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(report, schema())
    assert done.returncode == STATUS[report["verdict"]]
    assert report["run"]["duration_ms"] < 15_500
    assert report["verdict"] in ("not-ready", "unknown")
    assert report["score"]["overall"] is None
    assert not [one["id"] for one in report["requirements"] if one["status"] == "pass"]
    assert "Traceback" not in done.stderr
    assert "bug in probe" not in done.stdout
    return report


@pytest.mark.parametrize("state", NO_NETWORK.values(), ids=NO_NETWORK)
def test_a_host_without_a_network_gets_a_report_that_says_so(state: str, tmp_path: Path) -> None:
    findings = report_from(state, tmp_path)["findings"]
    assert [(one["cause"], one["where"], one["severity"]) for one in findings] == [
        ("no-network", "host", "blocking")
    ]


@pytest.mark.parametrize("state", OTHER_STATES.values(), ids=OTHER_STATES)
def test_a_network_in_any_state_gives_a_report(state: str, tmp_path: Path) -> None:
    assert report_from(state, tmp_path)["findings"]


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_family_that_is_not_there(family: str, tmp_path: Path) -> None:
    done = readycheck(
        tmp_path, "run", "webex-calling", "--quick", family, "-f", "json", prefix=in_network(UP)
    )
    assert json.loads(done.stdout)["findings"][0]["cause"] == "no-network"


Demo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return lambda *arguments: readycheck(tmp_path, "demo", *arguments)


def test_all_the_outputs_of_one_run(demo: Demo, tmp_path: Path) -> None:
    endings = ("json", "md", "html", "xml", "prom", "csv", "txt")
    outputs = [word for ending in endings for word in ("-o", f"report.{ending}")]
    done = demo("--quick", "--break", "sip-port-rejected", "-f", "nagios", *outputs)
    assert done.returncode == 2
    assert done.stderr == "", "check_by_ssh takes words there for a failure"
    assert done.stdout.startswith("READYCHECK CRITICAL - webex-calling at twin not-ready, ")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        f"report.{ending}" for ending in endings
    }
    report = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(report, json.loads(readycheck(tmp_path, "report-schema").stdout))
    for ending in endings:
        assert (tmp_path / f"report.{ending}").stat().st_size > 500


@pytest.mark.parametrize("format_", ["text", "html"])  # all of them as files: see above
def test_stdout_holds_the_result_and_stderr_the_progress(format_: str, demo: Demo) -> None:
    done = demo("--quick", "--loopback", "-f", format_)
    assert done.returncode in (0, 1)
    assert done.stdout
    assert "\x1b" not in done.stdout, "a pipe is no terminal"
    assert all(line.startswith("readycheck") for line in done.stderr.splitlines())


def test_a_part_is_not_graded(demo: Demo) -> None:
    report = json.loads(demo("--loopback", "--quick", "--only", "stun", "-f", "json").stdout)
    assert {check["probe"] for check in report["checks"]} == {"stun"}
    assert (report["score"]["grade"], report["score"]["overall"]) == ("not-graded", None)


def test_the_demo_keeps_its_hands_off_the_folder(demo: Demo, tmp_path: Path) -> None:
    demo("--quick", "--loopback", "-q")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".db"]


def test_what_a_person_types_first(tmp_path: Path) -> None:
    for arguments, expected in (
        (["--version"], r"readycheck \d+\.\d+\.\d+\n"),
        (["-h"], r"Usage: readycheck .*"),
        (["profile", "list"], r".*webex-calling  .*"),
        (["profile", "show", "webex-calling"], r"Webex Calling \(webex-calling\), .*"),
        (["profile", "validate", "webex-calling"], r"webex-calling: usable, \d+ requirements\n"),
        (["probe", "list"], r".*stun  \(readycheck .*"),
        (["pin", "show", "webex-calling"], r"[A-Za-z0-9+/]{43}=  \S.*"),
        (["demo", "--list"], r"SCENARIO .*udp-blocked.*"),
        (["explain", "udp-blocked"], r"udp-blocked: .*"),
    ):
        done = readycheck(tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert re.fullmatch(expected, done.stdout, re.DOTALL), done.stdout
    assert not list(tmp_path.iterdir()), "nothing is written by looking"


Learn = Callable[..., tuple[int, str]]


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Learn:
    """`pin learn` in the client of a world; its status and what it said."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    profile = read("webex-calling")

    def learn(scenario: str, *options: str) -> tuple[int, str]:
        arguments = ["pin", "learn", "webex-calling", "--deadline", "4", *options]
        status = world.run(profile, arguments, scenario=SCENARIOS[scenario], seed=1)
        told = capfd.readouterr()
        assert (told.out == "") is (status != 0)
        return status, told.out + told.err

    return learn


def kept(folder: Path) -> dict[str, str]:
    files = list(folder.rglob("webex-calling.json"))
    return json.loads(files[0].read_text()) if files else {}


@pytest.mark.parametrize("scenario", ["tls-inspection", "certificate-expired"])
def test_nothing_is_learned_where_tls_is_not_as_it_should_be(
    scenario: str, learn: Learn, tmp_path: Path
) -> None:
    status, told = learn(scenario)
    assert (status, told.count("\n"), kept(tmp_path)) == (3, 1, {}), told
    assert "show chains that do not verify" in told and "--trust-roots" in told


def test_nothing_is_learned_where_nothing_answers(learn: Learn, tmp_path: Path) -> None:
    status, told = learn("all-dropped")
    assert (status, kept(tmp_path)) == (3, {})
    assert told == "readycheck: nothing learned: no server showed an issuer in a chain that verifies\n"


@pytest.mark.timeout(120)  # three worlds
def test_issuers_are_learned_in_a_clean_network(learn: Learn, tmp_path: Path) -> None:
    status, told = learn("none")
    assert status == 0, told
    clean = kept(tmp_path)
    assert set(clean.values()) == {"CN=readycheck twin issuing authority"}, (
        "no leaf, and no root that was not sent"
    )
    assert f"1 issuer keys learned, 1 kept in {tmp_path}" in told

    # The authorities of another world are strangers to what was learned here.
    status, told = learn("tls-inspection")
    assert (status, kept(tmp_path)) == (3, clean), told

    status, told = learn("certificate-untrusted", "--force")
    assert status == 0, told
    assert clean.items() < kept(tmp_path).items()
