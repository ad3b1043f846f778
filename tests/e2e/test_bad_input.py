"""What bad input gets: one line that names it, status 3, nothing on stdout, nothing written.

Every command runs in a network of its own without an uplink, so that not even a bug would send anything.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.twin

ROOT = Path(__file__).parents[2]
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
ENTER = 'ip link set lo up; READYCHECK_ONLY_NETNS=$(stat -Lc %i /proc/self/ns/net) exec "$@"'
NOWHERE = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", ENTER, "sh"]

GOOD = """
schema_version = 1
name = "small"
title = "Small"
revision = "1"
checked = 2026-01-01

[documents.d]
title = "D"
publisher = "P"
revision = "1"

[[roles]]
name = "app"
title = "App"
default = true

[networks.service]
title = "N"
networks = ["192.0.2.0/24"]
source = { document = "d", section = "s" }

[[requirements]]
id = "registrar"
title = "SIP"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = ["8934"]
targets = { networks = ["service"] }
probe = "sip"
source = { document = "d", section = "s" }
"""
ROW = GOOD[GOOD.index("[[requirements]]") :]


SERVER = """
import json, os, sys
import readycheck.assess, readycheck.cli.setting, readycheck.render.progress
from readycheck.__main__ import main

for line in sys.stdin:
    given = json.loads(line)
    child = os.fork()
    if not child:
        try:
            os.chdir(given["folder"])
            os.environ.update(HOME=given["folder"], XDG_DATA_HOME=given["folder"] + "/data")
            for number, name in enumerate(given["streams"]):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
            status = main(given["arguments"])
            sys.stdout.flush()
            os._exit(status)
        finally:
            os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root without what lets it read and write everything."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Refused:
    """What a refused command said, in its one line."""

    line: str

    def names(self, *words: str) -> None:
        for word in words:
            assert word in self.line, f"{word!r} is not in {self.line!r}"


class Server:
    """Runs each command in a process of its own, which need not import everything again."""

    def __init__(self, folder: Path, prefix: list[str]) -> None:
        self.streams = [os.devnull, str(folder / "out"), str(folder / "err")]
        self.process = subprocess.Popen(
            [*NOWHERE, *prefix, sys.executable, "-c", SERVER],
            env=os.environ | {"PATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, arguments: tuple[str | bytes, ...]) -> Done:
        assert self.process.stdin is not None and self.process.stdout is not None
        for stream in self.streams[1:]:
            Path(stream).write_bytes(b"")
        order = {"folder": str(folder), "streams": self.streams, "arguments": [*map(os.fsdecode, arguments)]}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        return Done(status, *(Path(stream).read_text("utf-8") for stream in self.streams[1:]))


@contextmanager
def serving(folder: Path, *prefix: str) -> Iterator[Server]:
    server = Server(folder, list(prefix))
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("streams")) as server:
        yield server


@pytest.fixture(scope="module")
def unprivileged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if shutil.which("setpriv", path=PATH) is None:
        pytest.skip("setpriv (package util-linux) is not installed")
    with serving(tmp_path_factory.mktemp("streams"), *UNPRIVILEGED) as server:
        yield server


Refuse = Callable[..., Refused]


@pytest.fixture
def refuse(tmp_path: Path, server: Server) -> Refuse:
    """Run a command in an empty folder, and see it refused."""
    return lambda *arguments: refused_by(server, tmp_path, arguments)


def refused_by(server: Server, folder: Path, arguments: tuple[str | bytes, ...]) -> Refused:
    before = snapshot(folder)
    done = server.run(folder, arguments)
    told = done.stderr
    assert (done.status, done.stdout) == (3, ""), told
    assert told.startswith("readycheck: ") and told.endswith("\n") and told[:-1].isprintable(), told
    assert "Traceback" not in told and "internal error" not in told, told
    assert snapshot(folder) == before, "something was written"
    return Refused(told)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in folder.rglob("*")}


OPTIONS: dict[str, tuple[list[str | bytes], tuple[str, ...]]] = {
    "no command": ([], ("Missing command", "readycheck --help")),
    "unknown command": (["rum"], ("No such command 'rum'", "run")),
    "unknown option": (["run", "webex-calling", "--frob"], ("--frob",)),
    "no profile": (["run"], ("PROFILE",)),
    "unknown profile": (["run", "webex-caling"], ("webex-caling", "webex-calling")),
    "a profile that is no text": (["run", b"\xff\xfe"], ("profile",)),
    "a profile of another name": (["profile", "show", "x" * 5000], ("profile",)),
    "unknown probe": (["run", "webex-calling", "--only", "stunn"], ("--only stunn", "stun")),
    "unknown probe to skip": (["run", "webex-calling", "--skip", "stunn"], ("--skip stunn", "stun")),
    "unknown role": (["run", "webex-calling", "--role", "ap"], ("--role ap", "app")),
    "unknown placeholder": (["run", "webex-calling", "--set", "a=b"], ("--set a", "ntp-server")),
    "a placeholder without value": (["run", "webex-calling", "--set", "ntp-server="], ("--set ntp-server=",)),
    "a value that is no host": (
        ["run", "webex-calling", "--set", "ntp-server=http://a"],
        ("--set ntp-server",),
    ),
    "bad target": (["run", "webex-calling", "--target", "a=b"], ("--target a=b",)),
    "a target that is no text": (["run", "webex-calling", "--target", b"\xff"], ("--target",)),
    "bad resolver": (
        ["run", "webex-calling", "--resolver", "dns.example.com"],
        ("--resolver dns.example.com",),
    ),
    "bad port of a resolver": (
        ["run", "webex-calling", "--resolver", "192.0.2.1:70000"],
        ("--resolver", "70000"),
    ),
    "both families": (["run", "webex-calling", "-4", "-6"], ("-4", "-6")),
    "both efforts": (["run", "webex-calling", "--quick", "--thorough"], ("--quick", "--thorough")),
    "bad source": (["run", "webex-calling", "--source", "eth0"], ("--source eth0",)),
    "a source that is not here": (["run", "webex-calling", "--source", "192.0.2.9"], ("--source 192.0.2.9",)),
    "an interface that is not here": (["run", "webex-calling", "--interface", "eth9"], ("--interface eth9",)),
    "an interface that is no text": (["run", "webex-calling", "--interface", b"\xff"], ("--interface",)),
    "bad proxy": (["run", "webex-calling", "--proxy", "ftp://a"], ("--proxy",)),
    "bad deadline": (["run", "webex-calling", "--deadline", "soon"], ("--deadline",)),
    "no time at all": (["run", "webex-calling", "--deadline", "0"], ("--deadline",)),
    "endless": (["run", "webex-calling", "--deadline", "inf"], ("--deadline",)),
    "no number": (["run", "webex-calling", "--deadline", "nan"], ("--deadline",)),
    "bad rate": (["run", "webex-calling", "--rate", "0"], ("--rate",)),
    "bad seed": (["run", "webex-calling", "--seed", "1.5"], ("--seed",)),
    "negative seed": (["run", "webex-calling", "--seed", "-1"], ("--seed",)),
    "an option without its value": (["run", "webex-calling", "--rate"], ("--rate",)),
    "a flag with a value": (["run", "webex-calling", "--quick=1"], ("--quick",)),
    "unknown format": (["run", "webex-calling", "-f", "pdf"], ("--format", "pdf", "json")),
    "unknown ending": (["run", "webex-calling", "-o", "x.pdf"], ("--output x.pdf", ".json")),
    "no ending": (["run", "webex-calling", "-o", "x"], ("--output x", ".json")),
    "a folder that is not there": (
        ["run", "webex-calling", "-o", "a/x.json"],
        ("--output a/x.json", "No such file"),
    ),
    "a name that is too long": (
        ["run", "webex-calling", "-o", "x" * 300 + ".json"],
        ("--output", "too long"),
    ),
    "one good and one bad output": (
        ["run", "webex-calling", "-o", "x.json", "-o", "/x/y.md"],
        ("--output /x/y.md",),
    ),
    "no roots": (
        ["run", "webex-calling", "--trust-roots", "none.pem"],
        ("--trust-roots none.pem", "No such file"),
    ),
    "a folder of roots": (
        ["run", "webex-calling", "--trust-roots", "/etc"],
        ("--trust-roots /etc", "directory"),
    ),
    "empty roots": (
        ["run", "webex-calling", "--trust-roots", "/dev/null"],
        ("--trust-roots /dev/null", "empty"),
    ),
    "roots that are none": (
        ["run", "webex-calling", "--trust-roots", "/etc/passwd"],
        ("--trust-roots /etc/passwd", "no PEM certificate"),
    ),
    "a label that steers": (["run", "webex-calling", "--site", "\x1b[31m"], ("--site",)),
    "one argument too many": (["run", "webex-calling", "more"], ("more",)),
    "unknown scenario": (["demo", "--break", "udp"], ("--break udp", "udp-blocked")),
    "demo of an unknown profile": (["demo", "webex-caling"], ("webex-caling", "webex-calling")),
    "edge rules without namespaces": (["demo", "--loopback", "--edge-rules", "x"], ("--edge-rules x",)),
    "unknown cause": (["explain", "udp-bloked"], ("udp-bloked", "udp-blocked")),
    "a cause that steers": (["explain", "\x1b]0;x\x07"], ("cause",)),
    "nothing to validate": (["profile", "validate", "./none.toml"], ("none.toml", "No such file")),
    "role of a shown profile": (["profile", "show", "webex-calling", "--role", "ap"], ("--role ap", "app")),
    "pins of nothing": (["pin", "show", "nothing"], ("nothing",)),
    "learn from nothing": (["pin", "learn", "nothing"], ("nothing",)),
    "half a group": (["pin"], ("readycheck pin --help",)),
}


@pytest.mark.parametrize(("arguments", "words"), OPTIONS.values(), ids=OPTIONS)
def test_an_argument(arguments: list[str | bytes], words: tuple[str, ...], refuse: Refuse) -> None:
    refuse(*arguments).names(*words)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": ("", ("empty",)),
    "only a comment": ("# nothing\n", ("empty",)),
    "not TOML": ("{]", ("not TOML", "line 1")),
    "rubbish": (bytes(range(256)) * 40, ("not UTF-8",)),
    "zeros": (b"\0" * 4096, ("not TOML",)),
    "another encoding": (GOOD.encode("utf-16"), ("not UTF-8",)),
    "an old encoding": (changed('"Small"', '"Zürich"').encode("latin-1"), ("not UTF-8",)),
    "huge": ("#" * 16_000_001, ("larger than",)),
    "nested too deeply": ("a = " + "[" * 100_000 + "]" * 100_000, ("nested too deeply",)),
    "tables nested too deeply": ("a = " + "{a=" * 3000 + "1" + "}" * 3000, ("nested too deeply",)),
    "a key twice": (changed('title = "Small"', 'title = "a"\ntitle = "b"'), ("line 5",)),
    "misspelt key": (GOOD + "weigth = 2\n", ("requirements[registrar].weigth", "unknown key")),
    "misspelt table": (changed("[[roles]]", "[[role]]"), ("role",)),
    "missing key": (changed('probe = "sip"\n', ""), ("requirements[registrar]", "probe")),
    "wrong type": (changed('ports = ["8934"]', 'ports = "8934"'), ("requirements[registrar].ports",)),
    "wrong type of a title": (changed('"SIP"', "5"), ("requirements[registrar].title", "string")),
    "wrong version": (changed("schema_version = 1", "schema_version = 9"), ("schema_version",)),
    "a port of 70000": (changed('"8934"', "70000"), ("requirements[registrar].ports[0]", "70000")),
    "a port of 0": (changed('"8934"', "0"), ("requirements[registrar].ports[0]", "port 0")),
    "a negative port": (changed('"8934"', "-1"), ("requirements[registrar].ports[0]", "-1")),
    "a reversed range": (changed('"8934"', '"9000-8000"'), ("requirements[registrar].ports[0]", "9000-8000")),
    "host bits": (changed("192.0.2.0/24", "192.0.2.1/24"), ("networks.service.networks[0]", "host bits")),
    "no network": (changed("192.0.2.0/24", "192.0.2/24"), ("networks.service.networks[0]", "192.0.2/24")),
    "a duplicate id": (GOOD + ROW, ("requirements", "duplicate", "registrar")),
    "unknown role": (changed('roles = ["app"]', 'roles = ["ap"]'), ("registrar", "roles", "'ap'")),
    "unknown network": (changed('["service"]', '["servce"]'), ("registrar", "targets.networks", "'servce'")),
    "unknown document": (
        GOOD.replace('document = "d"', 'document = "e"'),
        ("networks.service.source.document", "'e'", "(and 1 more)"),
    ),
    "unknown probe": (changed('"sip"', '"sipp"'), ("requirements[registrar].probe", "'sipp'")),
    "misspelt parameter": (GOOD + "params = { optoins = 1 }\n", ("requirements[registrar].params.optoins",)),
    "wrong type of a parameter": (
        changed('probe = "sip"', 'probe = "dns"\nparams = { names = 5 }'),
        ("requirements[registrar].params.names",),
    ),
    "limit of an unknown metric": (
        GOOD + "limits = { rtt = { warn = 1 } }\n",
        ("requirements[registrar].limits.rtt", "metric"),
    ),
    "misspelt limit": (
        GOOD + "limits = { rtt_ms = { warm = 1 } }\n",
        ("requirements[registrar].limits.rtt_ms.warm", "unknown key"),
    ),
    "a placeholder without value": (
        changed('networks = ["service"] }', 'hosts = ["{customer}.example.com"] }')
        + '[placeholders.customer]\ntitle = "Your name"\nrequired = true\n',
        ("--set customer=VALUE", "Your name"),
    ),
    "an undefined placeholder": (
        changed('networks = ["service"] }', 'hosts = ["{customer}.example.com"] }'),
        ("registrar", "targets.hosts", "'customer'"),
    ),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_a_profile(content: str | bytes, words: tuple[str, ...], refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(content.encode() if isinstance(content, str) else content)
    refused = refuse("run", "mine.toml", "--no-controls")
    refused.names(*words)
    assert "mine.toml" in refused.line or "--set" in refused.line


def test_the_profile_that_all_of_these_are_made_from_is_good(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    done = server.run(tmp_path, ("profile", "validate", "mine.toml"))
    assert done == Done(0, "mine.toml: usable, 1 requirements\n", "")


@pytest.mark.parametrize(
    "command", [["run"], ["demo"], ["profile", "validate"], ["pin", "show"]], ids=" ".join
)
def test_a_directory_instead_of_a_file(command: list[str], refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    refuse(*command, "folder.toml").names("folder.toml", "Is a directory")


def test_an_output_that_is_a_directory(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    refuse("run", "webex-calling", "-o", "folder.json").names("--output folder.json", "is a directory")


def test_what_was_written_before_stays(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    refuse("run", "webex-calling", "-o", "old.json", "--only", "nosuch")
    assert (tmp_path / "old.json").read_text() == "old"


def test_a_leaf_for_a_root(refuse: Refuse, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out leaf.pem"
    leaf = ["-days", "2", "-subj", "/CN=leaf", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*made.split(), *leaf], cwd=tmp_path, capture_output=True, check=True)
    refuse("run", "webex-calling", "--trust-roots", "leaf.pem").names(
        "leaf.pem", "not a certificate authority"
    )
    refuse("run", "webex-calling", "--trust-roots", "key.pem").names("key.pem", "no PEM certificate")


def test_pins_that_are_damaged(refuse: Refuse, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "readycheck" / "pins"
    folder.mkdir(parents=True)
    (folder / "webex-calling.json").write_text("{")
    for command in (["run"], ["pin", "show"], ["pin", "learn"]):
        refuse(*command, "webex-calling").names("webex-calling.json", "not a JSON file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "secret.toml"], ("secret.toml", "Permission denied")),
        (["demo", "secret.toml"], ("secret.toml", "Permission denied")),
        (["run", "webex-calling", "--trust-roots", "secret.toml"], ("--trust-roots", "not readable")),
        (["run", "./closed/secret.toml"], ("closed/secret.toml", "Permission denied")),
        (["run", "webex-calling", "-o", "closed/x.json"], ("--output closed/x.json", "Permission denied")),
        (["pin", "show", "./closed/secret.toml"], ("closed/secret.toml", "Permission denied")),
    ],
    ids=str,
)
def test_a_file_that_may_not_be_read_or_written(
    arguments: list[str], words: tuple[str, ...], tmp_path: Path, unprivileged: Server
) -> None:
    (tmp_path / "secret.toml").write_text(GOOD)
    (tmp_path / "secret.toml").chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "secret.toml").write_text(GOOD)
    closed.chmod(0o500 if "-o" in arguments else 0)
    try:
        refused_by(unprivileged, tmp_path, tuple(arguments)).names(*words)
    finally:
        closed.chmod(0o700)


def test_a_real_process_ends_with_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NOWHERE, sys.executable, "-m", "readycheck", "run", "nosuch"],
        env=os.environ | {"PATH": PATH},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
