"""`readycheck call` as a process: what it says, what it refuses, and what it costs nobody else."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from readycheck.responder.server import Responder, Settings

COMMAND = [sys.executable, "-m", "readycheck", "call"]
WITHOUT = """
import sys
sys.modules["aiortc"] = None
from readycheck.__main__ import main
sys.exit(main(["call", "webex-calling", "--responder", "192.0.2.1"]))
"""
TELLING = """
import sys
from readycheck.cli import call
call._watch = lambda quiet: lambda via, stage: print(stage, flush=True)
from readycheck.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
WHAT_HELP_IMPORTS = """
import sys
from readycheck.__main__ import main
main(["call", "--help"])
heavy = {"aiortc", "aioice", "av", "asyncio", "cryptography"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


@pytest.fixture
def place() -> Iterator[str]:
    serving = Responder(Settings(listen=(("127.0.0.1", 0),)))
    serving.start()
    yield f"127.0.0.1:{serving.places[0][1]}"
    serving.stop()


def ran(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["webex-calling"], "Missing option '--responder'"),
        (["webex-calling", "--responder", "no host"], "--responder no host: not HOST or HOST:PORT"),
        (["nothing-like-it", "--responder", "192.0.2.1"], "nothing-like-it"),
        (
            ["webex-calling", "--responder", "192.0.2.1", "--role", "king"],
            "--role king: profile 'webex-calling' has",
        ),
        (
            ["webex-calling", "--responder", "192.0.2.1", "--responder-key", "/nowhere"],
            "--responder-key /nowhere: No such file or directory",
        ),
        (["webex-calling", "--responder", "192.0.2.1", "--via", "pigeon"], "pigeon"),
        (["webex-calling", "--responder", "192.0.2.1", "--seconds", "1"], "--seconds"),
        (["webex-calling", "--responder", "192.0.2.1", "-f", "html"], "html"),
        (["webex-calling", "--responder", "192.0.2.1", "-4", "-6"], "-4 and -6 exclude each other"),
        (
            ["webex-calling", "--responder", "192.0.2.1", "--set", "x=y"],
            "--set x: profile 'webex-calling' has",
        ),
        (["webex-calling", "--responder", "192.0.2.1", "--source", "192.0.2.7"], "no such address"),
        (["webex-calling", "--responder", "192.0.2.1", "--interface", "no0"], "no such interface"),
        (["webex-calling", "--responder", "192.0.2.1", "--proxy", "ftp://x"], "only http and https proxies"),
        (
            ["webex-calling", "--responder", "192.0.2.1", "--trust-roots", "/nowhere"],
            "--trust-roots /nowhere",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: list[str], message: str) -> None:
    done = ran(*COMMAND, *options)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1 and message in done.stderr


def test_without_the_extra_one_line_says_how_to_get_it() -> None:
    done = ran(sys.executable, "-c", WITHOUT)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "readycheck: call: aiortc is not installed: pip install 'readycheck[call]'\n"


def test_help_imports_nothing_heavy() -> None:
    done = ran(sys.executable, "-c", WHAT_HELP_IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Place a real call to a responder" in done.stdout


def test_a_sound_call_by_tcp(place: str) -> None:
    pytest.importorskip("aiortc", reason="call: aiortc is not installed")
    done = ran(
        *COMMAND, "webex-calling", "--responder", place, "--via", "tcp", "--seconds", "3", "-f", "json"
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], done.stderr) == (0, "ready", "")
    assert report["run"]["responder"] == place and report["calls"][0]["talked_ms"] == 3000


def test_a_port_that_is_closed_is_not_ready_in_words() -> None:
    pytest.importorskip("aiortc", reason="call: aiortc is not installed")
    done = ran(*COMMAND, "webex-calling", "--responder", "127.0.0.1:9")
    assert (done.returncode, done.stderr) == (2, "")
    assert "by UDP: FAILS at signalling" in done.stdout
    assert done.stdout.endswith("NOT READY: the call does not work\n")


def test_who_hangs_up_gets_no_verdict(place: str) -> None:
    pytest.importorskip("aiortc", reason="call: aiortc is not installed")
    options = ["webex-calling", "--responder", place, "--via", "tcp", "--seconds", "100"]
    with subprocess.Popen(
        [sys.executable, "-c", TELLING, "call", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as calling:
        assert calling.stdout is not None and calling.stderr is not None
        while calling.stdout.readline() != "media-both-ways\n":
            assert calling.poll() is None
        calling.send_signal(signal.SIGINT)
        assert calling.wait(10) == 3
        assert calling.stderr.read() == "readycheck: interrupted\n"
