"""Everything imports on Windows and macOS, as far as that can be shown on another system.

In a process of its own the modules and names that Linux alone has are taken away before ours are imported. What
is simulated is the absence of things, not the presence of Windows' own: that the libraries below have wheels
and work there is for their authors to say.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

POSIX_ONLY = (
    "crypt fcntl grp nis posix pty pwd readline resource spwd syslog termios tty curses _curses _posixsubprocess"
).split()

LINUX_ONLY_NAMES = {
    "os": (
        "memfd_create pidfd_open setns unshare eventfd posix_spawn sendfile splice sched_getaffinity "
        "CLONE_NEWNET CLONE_NEWUSER"
    ).split(),
    "socket": (
        "AF_NETLINK AF_PACKET SO_BINDTODEVICE SO_MARK IP_RECVTOS PACKET_OUTGOING SOCK_CLOEXEC SOCK_NONBLOCK "
        "MSG_ERRQUEUE TCP_INFO TCP_USER_TIMEOUT"
    ).split(),
    "select": "epoll EPOLLIN EPOLLERR".split(),
    "signal": [],
    "time": "clock_settime pthread_getcpuclockid".split(),
}
POSIX_ONLY_NAMES = {
    "os": (
        "fork forkpty geteuid getuid getegid getgid getppid_of setsid killpg waitid WNOHANG uname getpgid "
        "openpty chown fchmod mkfifo register_at_fork"
    ).split(),
    "socket": "AF_UNIX SCM_RIGHTS SO_REUSEPORT CMSG_LEN CMSG_SPACE sethostname".split(),
    "select": "poll POLLIN kqueue".split(),
    "signal": "SIGHUP SIGKILL SIGTTOU SIGTTIN SIGCHLD SIGUSR1 SIGALRM SIGWINCH setitimer pthread_sigmask".split(),
    "time": "clock_gettime_ns tzset".split(),
}

# What the standard library needs of the names above is imported before they go; ours comes after.
PRELUDE = """
import asyncio, importlib, json, pkgutil, sys, traceback
import http.client, ipaddress, ssl, subprocess, tempfile, typing, unittest.mock, uuid
import os, select, signal, socket, time
import logging.handlers, multiprocessing, secrets, shutil, sysconfig, webbrowser, xml.etree.ElementTree, zoneinfo
from pydantic import BaseModel, TypeAdapter
import certifi, dns.asyncquery, dns.asyncresolver, httpx, jinja2, platformdirs, pydantic, rich.console, rich.progress
import aiortc, apprise, cryptography.x509, pg8000, sqlalchemy, typer
system, modules, names = json.loads(sys.argv[1])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in modules:
            raise ModuleNotFoundError(f"No module named {name!r} on {system}", name=name)

for name in modules:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for module, gone in names.items():
    for name in gone:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
sys.platform = system  # and not os.name, by which pathlib chooses the paths of this real machine
"""

IMPORT_ALL = """
failed = {}
tried = []
for package in ("readycheck", "readycheck_probes", "readycheck_profiles", "readycheck_trace"):
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, package + "."):
        tried.append(found.name)
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except BaseException as error:
            failed[found.name] = "".join(traceback.format_exception(error)[-3:])
print(json.dumps({"failed": failed, "tried": len(tried)}))
"""


def elsewhere(system: str, script: str) -> str:
    names = LINUX_ONLY_NAMES if system == "darwin" else merged(LINUX_ONLY_NAMES, POSIX_ONLY_NAMES)
    modules = [] if system == "darwin" else POSIX_ONLY
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script, json.dumps([system, modules, names])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def merged(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, list[str]]:
    return {module: one[module] + other[module] for module in one}


@cache
def import_failures(system: str) -> dict[str, str]:
    told = json.loads(elsewhere(system, IMPORT_ALL))
    assert told["tried"] > 50
    failed: dict[str, str] = told["failed"]
    return failed


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_everything_imports(system: str) -> None:
    assert not import_failures(system), "\n".join(import_failures(system).values())


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_probes_are_found(system: str) -> None:
    script = """
from readycheck.registry import find
registry = find()
print(json.dumps([sorted(registry.installed), {k: str(v) for k, v in registry.broken.items()}]))
"""
    installed, broken = json.loads(elsewhere(system, script))
    assert {"dns", "ntp", "stun", "tcp", "tls"} <= set(installed)
    assert not broken


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_twin_says_why_it_is_not_to_be_had(system: str) -> None:
    script = "from readycheck.twin.world import available\nprint(available())"
    assert system in elsewhere(system, script)


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_raw_socket_program_says_why_it_cannot(system: str) -> None:
    script = """
import io, runpy
sys.stdin = io.TextIOWrapper(io.BytesIO(
    b'{"probes":[{"id":"a","transport":"udp","address":"127.0.0.1","port":9,"ttl":1}],"timeout_ms":1,"interval_ms":0}'
))
sys.argv = ["readycheck_trace"]
try:
    runpy.run_module("readycheck_trace", run_name="__main__")
except SystemExit as ended:
    print(ended.code)
"""
    answer, status = elsewhere(system, script).splitlines()
    assert json.loads(answer)["error"]["code"] == "platform"
    assert status == "3"
