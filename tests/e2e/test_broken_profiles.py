"""Files that are no profile: for each mistake one clear line with its place, status 3, soon, and in little memory."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from readycheck.__main__ import main

Captured = pytest.CaptureFixture[str]

HEAD = """\
schema_version = 1
name = "small"
title = "Small"
revision = "1"
checked = 2026-01-01
documents.d = { title = "D", publisher = "P", revision = "1" }
roles = [{ name = "app", title = "App" }]
[networks.service]
title = "N"
networks = ["192.0.2.0/24"]
source = { document = "d", section = "s" }
"""
ROW = """\
[[requirements]]
id = "sip"
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
GOOD = HEAD + ROW
DEEP = "requirements[sip].params.x"


def changed(*pairs: tuple[str, str]) -> str:
    text = GOOD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def ports(written: str) -> str:
    return changed(('["8934"]', written))


def network(written: str) -> str:
    return changed(('["192.0.2.0/24"]', written))


HUGE = ": not TOML: integer number overflowed "
PORT = ":19: requirements[sip].ports[0]: "
NETWORK = ":10: networks.service.networks[0]: "
Lines = tuple[str, ...]

TEXTS: dict[str, tuple[str | bytes, Lines]] = {
    # bytes
    "empty": ("", (": empty",)),
    "only a comment": ("# nothing", (": empty",)),
    "zeros": (bytes(4096), (": not TOML: ",)),
    "a zero in a text": (changed(('"SIP"', '"S\0P"')), (": not TOML: ",)),
    "a zero by its number": (changed(('id = "sip"', 'id = "s\\u0000p"')), (":13: requirements[s?p].id: ",)),
    "invalid UTF-8": (b"\xff\xfe", (": not UTF-8 text (byte 0)",)),
    "UTF-16": (GOOD.encode("utf-16"), (": not UTF-8 text",)),
    "Latin-1": (changed(("SIP", "Zürich")).encode("latin-1"), (": not UTF-8 text",)),
    "a surrogate": (changed(("SIP", "\ud800")).encode("utf-8", "surrogatepass"), (": not UTF-8 text",)),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), (": begins with a byte order mark",)),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), (": not UTF-8 text",)),
    # TOML
    "no TOML": ("{]", (": not TOML: ",)),
    "JSON": ('{"schema_version": 1}', (": not TOML: ",)),
    "half a text": (GOOD[:-20], (": not TOML: ",)),
    "a text without end": (changed(('"SIP"', '"SIP')), ("at line 14",)),
    "a key twice": (changed(('title = "SIP"', 'title = "a"\ntitle = "b"')), ("at line 15",)),
    "a table twice": (GOOD + "[networks.service]\n", (": not TOML: ",)),
    "a row as a table": (GOOD + "[requirements]\n", (": not TOML: ",)),
    "an inline table that is added to": (GOOD + "[documents.d.more]\n", (": not TOML: ",)),
    "a date that is none": (changed(("2026-01-01", "2026-13-01")), (": not TOML: ",)),
    "brackets without end": ("a = " + "[" * 100_000, (": not TOML: nested too deeply",)),
    "a deep array": ("a = " + "[" * 100_000 + "]" * 100_000, (": not TOML: nested too deeply",)),
    "a deep inline table": ("a = " + "{a = " * 3000 + "1" + "}" * 3000, (": not TOML: nested too deeply",)),
    "a deep key": ("a" + ".a" * 5000 + " = 1", (": not TOML: nested too deeply",)),
    "a deep header": ("[a" + ".a" * 5000 + "]", (": not TOML: nested too deeply",)),
    "a million tables": ("[[a]]\n" * 1_000_000, (": more than 50000 tables",)),
    "a number of many digits": ("a = " + "9" * 100_000, (": not TOML: integer number overflowed",)),
    "seventeen megabytes": ("#" * 17_000_000, (": larger than 16000000 bytes",)),
    # types
    "an array for a table": (
        changed(("documents.d = {", "documents.d = [{"), ('"1" }', '"1" }]')),
        (":6: documents.d: Input should be a valid table",),
    ),
    "a table for an array": (
        changed(("[[requirements]]", "[requirements]")),
        (":12: requirements: Input should be a valid array",),
    ),
    "a text for an array": (
        ports('"8934"'),
        (":19: requirements[sip].ports: Input should be a valid array",),
    ),
    "a number for a text": (
        changed(('"SIP"', "5")),
        (":14: requirements[sip].title: Input should be a valid string",),
    ),
    "a date for a text": (changed(('"SIP"', "2026-01-01")), (":14: requirements[sip].title: ",)),
    "a time for a date": (changed(("2026-01-01", "12:00:00")), (":5: checked: ",)),
    "a text for a date": (changed(("2026-01-01", '"soon"')), (":5: checked: ",)),
    "a huge date": (changed(("2026-01-01", "0x" + "f" * 5000)), (HUGE + "at line 5",)),
    "an array of arrays": (changed(('["app"]', '[["app"]]')), (":17: requirements[sip].roles[0]: ",)),
    "a number for a row": (
        changed((ROW, "")).replace("[networks", "requirements = [1, 2]\n[networks"),
        (
            ":8: requirements[0]: Input should be a valid table",
            ":8: requirements[1]: Input should be a valid table",
        ),
    ),
    "another version": (changed(("schema_version = 1", "schema_version = 9")), (":1: schema_version: ",)),
    "a huge version": (
        changed(("schema_version = 1", "schema_version = 0x" + "f" * 5000)),
        (HUGE + "at line 1",),
    ),
    # keys
    "no key at all that is known": (
        "a = 1",
        (
            ":1: a: unknown key",
            *(
                f":1: {key}: missing"
                for key in (
                    "checked",
                    "documents",
                    "name",
                    "requirements",
                    "revision",
                    "roles",
                    "schema_version",
                    "title",
                )
            ),
        ),
    ),
    "misspelt keys": (
        changed(('title = "SIP"', 'titel = "SIP"'), ("transport", "transprot")),
        (
            ":12: requirements[sip].title: missing",
            ":14: requirements[sip].titel: unknown key",
            ":18: requirements[sip].transprot: unknown key",
        ),
    ),
    "a key of 100 000 characters": (changed(("transport", "x" * 100_000)), (":18: requirements[sip].xxx",)),
    "a key that steers": (
        changed(("transport", '"\\u001b]0;x\\u0007"')),
        (":18: requirements[sip].?]0;x?: unknown key",),
    ),
    "an id that steers": (changed(('id = "sip"', 'id = "\\u001b[31m"')), (":13: requirements[?[31m].id: ",)),
    "a right-to-left id": (changed(('id = "sip"', 'id = "\u202ecod"')), (":13: requirements[?cod].id: ",)),
    "an id of 100 000 characters": (
        changed(('id = "sip"', f'id = "{"x" * 100_000}"')),
        (":13: requirements[xxx",),
    ),
    "no probe and no reason": (
        changed(('probe = "sip"\n', "")),
        (":12: requirements[sip]: needs a 'probe', or 'untestable'",),
    ),
    "something removed from nothing": (
        GOOD + "remove = true\n",
        (":23: requirements[sip].remove: unknown key",),
    ),
    # ports
    "port 0": (ports("[0]"), (PORT + "port 0 is outside 1 to 65535",)),
    "port 65536": (ports('["65536"]'), (PORT + "port 65536 is outside 1 to 65535",)),
    "a negative port": (ports("[-1]"), (PORT + "'-1' is not a port",)),
    "a huge port": (ports("[" + "9" * 4000 + "]"), (HUGE + "at line 19",)),
    "a huge hexadecimal port": (ports("[0x" + "f" * 100_000 + "]"), (HUGE + "at line 19",)),
    "a port of 100 000 characters": (ports(f'["{"1" * 100_000}"]'), (PORT + "'111",)),
    "a fraction of a port": (ports("[1.5]"), (PORT,)),
    "infinite ports": (ports("[inf]"), (PORT,)),
    "a reversed range": (ports('["20-10"]'), (PORT + "the range '20-10' is reversed",)),
    "three ends": (ports('["1-2-3"]'), (PORT + "'1-2-3' is not a port",)),
    "a service for a port": (ports('["https"]'), (PORT + "'https' is not a port",)),
    # networks and names
    "host bits": (
        network('["192.0.2.1/24"]'),
        (NETWORK + "'192.0.2.1/24' is not a network: 192.0.2.1/24 has host bits set",),
    ),
    "a long mask": (network('["192.0.2.0/33"]'), (NETWORK + "'192.0.2.0/33' is not a network",)),
    "a zone": (network('["fe80::1%eth0/128"]'), (NETWORK + "'fe80::1%eth0/128' is not a network: a zone",)),
    "a network of 100 000 characters": (network(f'["{"1" * 100_000}"]'), (NETWORK + "'111",)),
    "a name for a network": (network('["example.com"]'), (NETWORK + "'example.com' is not a network",)),
    "a table for a network": (network("[{ a = 1 }]"), (NETWORK,)),
    "a name that is none": (
        GOOD
        + '[names.n]\ntitle = "N"\ndomains = [{ pattern = "a b" }]\nsource = { document = "d", section = "s" }\n',
        (":25: names.n.domains[a b].pattern: 'a b' is not a host name",),
    ),
    "a pin that is none": (
        GOOD + '[[pins]]\nname = "a"\nspki_sha256 = "x"\nsource = "d"\n',
        (":25: pins[a].spki_sha256: ",),
    ),
    # what does not hold together
    "the same id twice": (GOOD + ROW, (":24: requirements[sip].id: duplicate id 'sip'",)),
    "the same role twice": (
        changed(('"App" }', '"App" }, { name = "app", title = "B" }')),
        (":7: roles[app].name: duplicate id 'app'",),
    ),
    "an unknown role": (
        changed(('["app"]', '["ap", "app", "boss"]')),
        (
            ":17: requirements[sip].roles[0]: 'ap' is not defined",
            ":17: requirements[sip].roles[2]: 'boss' is not defined",
        ),
    ),
    "an unknown network": (
        changed(('["service"]', '["servce"]')),
        (":20: requirements[sip].targets.networks[0]: 'servce' is not defined",),
    ),
    "an unknown document": (
        GOOD.replace('document = "d"', 'document = "e"'),
        (
            ":11: networks.service.source.document: 'e' is not defined",
            ":22: requirements[sip].source.document: 'e' is not defined",
        ),
    ),
    "an unknown placeholder": (
        changed(('networks = ["service"] }', 'hosts = ["{a}.example.com", "{}"] }')),
        (
            ":20: requirements[sip].targets.hosts[0]: 'a' is not defined",
            ":20: requirements[sip].targets.hosts[1]: '' is not defined",
        ),
    ),
    "no requirements": (HEAD + "", (":1: requirements: missing",)),
    "an empty array of requirements": ("requirements = []\n" + HEAD, (":1: requirements: ",)),
    "an empty array where one is needed": (
        GOOD + '[[exemptions]]\nnames = []\nreason = "x"\nsource = { document = "d", section = "s" }\n',
        (":24: exemptions[0].names: ",),
    ),
    # for the probes
    "an unknown probe": (
        changed(('"sip"\nsource', '"sipp"\nsource')),
        (":21: requirements[sip].probe: 'sipp' is not an installed probe",),
    ),
    "parameters that are none": (
        changed(('"sip"\nsource', '"dns"\nparams = { names = 5, nmes = [] }\nsource')),
        (
            ":22: requirements[sip].params.names: Input should be a valid array",
            ":22: requirements[sip].params.nmes: unknown key (known: ",
        ),
    ),
    "limits that are none": (
        GOOD + "limits.rtt = { warn = 1 }\nlimits.rtt_ms = { warm = 1, fail = 'x' }\n",
        (
            ":23: requirements[sip].limits.rtt: probe 'sip' has no such metric",
            ":24: requirements[sip].limits.rtt_ms.fail: ",
            ":24: requirements[sip].limits.rtt_ms.warm: unknown key",
        ),
    ),
    "a weight that is no number": (GOOD + "weight = nan\n", (":23: requirements[sip].weight: ",)),
    "an infinite limit of an area": (
        GOOD.replace("[networks", "weights.signalling = inf\n[networks", 1),
        (":8: weights.signalling: ",),
    ),
    # all at once
    "one mistake of each kind": (
        changed(
            ('title = "Small"', 'titel = "Small"'),
            ("192.0.2.0/24", "192.0.2.1/24"),
            ('["app"]', '["boss"]'),
            ('["8934"]', '["0", 70000]'),
            ('"sip"\nsource', '"sipp"\nsource'),
        ),
        (
            ":1: title: missing",
            ":3: titel: unknown key",
            NETWORK,
            ":17: requirements[sip].roles[0]: 'boss' is not defined",
            PORT + "port 0",
            ":19: requirements[sip].ports[1]: port 70000",
            ":21: requirements[sip].probe: 'sipp'",
        ),
    ),
    # extends
    "a base that is not there": ('extends = "./none.toml"\n', ("none.toml: No such file or directory",)),
    "a base that nobody knows": ('extends = "webx"\n', (": extends: profile 'webx' is not known (known: ",)),
    "itself as a base": ('extends = "./broken.toml"\n', (": extends: goes round in a circle: ",)),
    "a base that is no text": (
        GOOD.replace("schema", "extends = 5\nschema", 1),
        (":1: extends: Input should be a valid string",),
    ),
    "mistakes beside a base": (
        'extends = "webex-calling"\n[[requirements]]\nid = "nothing"\nremove = true\n[documents.none]\nremove = true\n',
        (":2: requirements[nothing]: nothing to remove", ":5: documents.none: nothing to remove"),
    ),
    "a new row beside a base": (
        'extends = "webex-calling"\n[[requirements]]\nid = "new"\nports = [0]\n',
        (
            *(
                f":2: requirements[new].{key}: missing"
                for key in ("area", "importance", "roles", "source", "title")
            ),
            ":4: requirements[new].ports[0]: port 0",
        ),
    ),
}


def complaints(path: Path | str, capsys: Captured) -> list[str]:
    """What `profile validate` says of the file, which it takes little time for."""
    began = time.process_time()
    assert main(["profile", "validate", str(path)]) == 3
    assert time.process_time() - began < 3.0
    told, said = capsys.readouterr()
    assert told == ""
    assert "Traceback" not in said and "internal error" not in said
    lines = said.splitlines()
    assert lines and all(line.startswith("readycheck: ") and line.isprintable() for line in lines)
    assert all(len(line) < 1100 for line in lines)
    return lines


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """What is built on first use does not count."""
    main(["profile", "validate", "webex-calling"])


@pytest.mark.parametrize("name", TEXTS)
def test_a_broken_text(name: str, tmp_path: Path, capsys: Captured) -> None:
    text, wanted = TEXTS[name]
    path = tmp_path / "broken.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    lines = complaints(path, capsys)
    for line, words in zip(lines, wanted, strict=True):
        assert words in line
        assert "broken.toml" in line or "none.toml" in line


def test_the_text_that_all_of_these_are_made_from_is_good(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    assert main(["profile", "validate", str(tmp_path / "good.toml")]) == 0
    assert capsys.readouterr().err == ""


def test_a_thousand_mistakes_are_enough(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "broken.toml").write_text(network('["x", ' + '"y",' * 20_000 + "]"))
    lines = complaints(tmp_path / "broken.toml", capsys)
    assert len(lines) == 1001
    assert lines[-1].endswith("broken.toml: 19001 more")


# --- what is no text ----------------------------------------------------------------------------------


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


def circle(path: Path) -> None:
    path.symlink_to("other.toml")
    path.with_name("other.toml").symlink_to(path.name)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(path.parent)  # a socket's path is short
        server.bind(path.name)
        os.chdir(before)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a sparse gigabyte": (sparse, "larger than 16000000 bytes"),
    "links in a circle": (circle, "Too many levels of symbolic links"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "No such file or directory"),
    "a folder": (lambda path: path.mkdir(), "Is a directory"),
    "a pipe": (lambda path: os.mkfifo(path), "a pipe, not a file"),
    "a socket": (bound_socket, "No such device or address"),
    "an endless device": (lambda path: path.symlink_to("/dev/zero"), "larger than 16000000 bytes"),
    "an empty device": (lambda path: path.symlink_to("/dev/null"), "empty"),
    "a device of chance": (lambda path: path.symlink_to("/dev/urandom"), "larger than 16000000 bytes"),
    "a file below a file": (lambda path: path.parent.joinpath("x").touch(), "No such file or directory"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other files")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.timeout(20)
def test_a_file_that_is_no_text(name: str, tmp_path: Path, capsys: Captured) -> None:
    make, words = FILES[name]
    path = tmp_path / "broken.toml"
    make(path)
    [line] = complaints(path, capsys)
    assert line == f"readycheck: {path}: {words}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.toml"
    path.write_text(GOOD)
    path.chmod(0)
    command = [sys.executable, "-m", "readycheck", "profile", "validate", str(path)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (package util-linux) is not installed")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"readycheck: {path}: Permission denied\n"


MOST_MEMORY, MOST_RESIDENT_KB = 1_500_000_000, 600_000
ALL_OF_THEM = """
import resource, sys
from readycheck.__main__ import main
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
for path in sys.argv[2:]:
    assert main(["profile", "validate", path]) == 3, path
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux")
def test_none_of_them_needs_much_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.toml" for number in range(len(TEXTS))]
    for path, (text, _) in zip(paths, TEXTS.values(), strict=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    command = [sys.executable, "-c", ALL_OF_THEM, str(MOST_MEMORY), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MemoryError" not in done.stderr
    assert int(done.stdout) < MOST_RESIDENT_KB
