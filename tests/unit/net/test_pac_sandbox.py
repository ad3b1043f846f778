"""The program that runs a proxy script, spoken to as its parent does."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from readycheck.net.pac_sandbox import Sandbox

COMMAND = (sys.executable, "-P", "-m", "readycheck.net.pac_sandbox")


def talk(*messages: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    ended = subprocess.run(
        COMMAND,
        input="".join(json.dumps(message) + "\n" for message in messages),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.returncode


def load(script: str) -> dict[str, Any]:
    return {"script": script, "own": [], "now": None}


def test_a_name_is_asked_for_and_the_answer_used() -> None:
    script = "function FindProxyForURL(url, host) { return 'PROXY ' + dnsResolve(host) + ':1'; }"
    replies, status = talk(
        load(script), {"url": "https://a/", "host": "a"}, {"addresses": ["2001:db8::1", "192.0.2.1"]}
    )
    assert replies == [{"ready": True}, {"ask": "a"}, {"answer": "PROXY 192.0.2.1:1"}]
    assert status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are the system's to keep")
def test_the_process_is_held_to_little_memory_and_time() -> None:
    program = (
        "import resource\nfrom readycheck.net.pac_sandbox import _limit\n_limit()\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrlimit(resource.RLIMIT_AS)[0] >> 20)\n"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE)[0])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["5", "1024", "0"]


def test_an_error_names_its_line() -> None:
    sandbox = Sandbox(lambda message: None, lambda: {"addresses": []})
    assert sandbox.load("var a;\n  b.c;", (), None) == {
        "error": "ReferenceError: b is not defined",
        "line": 2,
    }


def test_a_dead_parent_ends_it() -> None:
    replies, status = talk(load("function FindProxyForURL() { return 'DIRECT'; }"))
    assert (replies, status) == ([{"ready": True}], 0)
