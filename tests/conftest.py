"""What holds for every test: no proxy, no packet to a real network, and loud reasons for what is skipped."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine draws slowly, which is no defect. A gate must answer the same twice; new examples are looked for
# outside of it.
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", settings.get_profile("patient"), derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "patient")


_PROXY_VARIABLES = (
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "ws_proxy",
    "wss_proxy",
    "auto_proxy",
    "xdg_current_desktop",
)
_OWN_PREFIX = "READYCHECK_"
_LAB_PROGRAMS = ("ip", "nft", "turnserver", "kamailio", "chronyd", "nginx", "openssl")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_WORLD = "ip link add near type veth peer name far && mount -t tmpfs none /mnt"

_SHARED_NETWORKS = (
    "tests/e2e/test_call_networks.py",
    "tests/lab/test_firewall_rules.py",
    "tests/lab/test_media.py",
    "tests/lab/test_products.py",
    "tests/lab/test_world.py",
)
"""The tests of each share networks, or what was played in them once: a second worker would do all of it again."""

_escaped: list[str] = []


def _hear_signals() -> None:
    """What starts the suite in the background, or for longer than its terminal, has them ignored."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
            signal.signal(getattr(signal, name), handler)


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name.lower() in _PROXY_VARIABLES or name.startswith(_OWN_PREFIX):
            del os.environ[name]
    # The program is started hundreds of times: whoever forbids to write bytecode has it compiled each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.environ["XDG_CONFIG_HOME"] = os.devnull  # no profiles of whoever runs the tests
    os.environ["READYCHECK_STORE"] = "none"  # and no runs among theirs; tests of storing name a place
    _hear_signals()
    sys.addaudithook(_stay_on_loopback)


@pytest.fixture(autouse=True)
def fence(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tell the program, here and in subprocesses, to send to loopback only.

    Not in tests of the twin and the lab, whose agents live in networks of their own and are fenced by
    READYCHECK_ONLY_NETNS. This process itself is held to loopback in every test.
    """
    if not _marks(request.node):
        monkeypatch.setenv("READYCHECK_LOOPBACK_ONLY", "1")
    _escaped.clear()
    yield
    if _escaped:
        pytest.fail(f"the test tried to leave this machine: {', '.join(_escaped)}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, one worker plays all tests that share networks; all others go to whoever is free."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # pytest-xdist 3.8 finds no groups with pytest 9.2
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in _SHARED_NETWORKS else nodeid

    return Scheduling(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = _lacking("lab") if "lab" in _marks(item) else _lacking("twin") if _marks(item) else None
    if reason is not None:
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once for each reason what was not tested on this machine."""
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not skipped:
        return
    terminalreporter.section(f"NOT TESTED ON THIS MACHINE: {skipped.total()} tests", red=True, bold=True)
    for reason, number in skipped.most_common():
        terminalreporter.line(f"{number:5} {reason}")


def _marks(item: pytest.Item) -> set[str]:
    return {"twin", "lab"} & {mark.name for mark in item.iter_markers()}


@cache
def _lacking(mark: str) -> str | None:
    """Why tests with this mark cannot run here."""
    if sys.platform != "linux":
        return f"{mark}: network namespaces are Linux's, and this is {sys.platform}"
    if mark == "lab":
        if os.geteuid() != 0:
            return "lab: needs root"
        programs = [
            name for name in _LAB_PROGRAMS if not (shutil.which(name) or shutil.which(name, path=_SBIN))
        ]
        if programs:
            return f"lab: not installed: {', '.join(programs)} (as root, `make test` installs them)"
    world = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", _WORLD]
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    try:
        tried = subprocess.run(
            world, env={"PATH": path}, capture_output=True, text=True, timeout=20, check=False
        )
    except OSError as error:
        return f"{mark}: unshare cannot be started: {error}"
    if tried.returncode:
        return f"{mark}: no user namespaces with networks of their own: {tried.stderr.strip() or 'refused'}"
    return None


def _reason(report: Any) -> str:
    place = report.longrepr
    text = place[2] if isinstance(place, tuple) else str(place)
    return str(text).removeprefix("Skipped: ")


def _stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: it sees what a library does, too."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if name not in (None, "", "localhost") and not _is_address(name):
            _refuse(f"asked this machine's name servers for {name}")
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = arguments
        # Connecting a datagram socket sends nothing: it asks the routing table.
        quiet = event == "socket.connect" and sock.type == socket.SOCK_DGRAM
        if sock.family in (socket.AF_INET, socket.AF_INET6) and address and not quiet:
            host = str(address[0])
            if _is_address(host) and not _is_loopback(host):
                _refuse(f"{event.removeprefix('socket.')} to {host}")


def _refuse(deed: str) -> None:
    _escaped.append(deed)
    raise AssertionError(f"a test may not leave this machine: {deed}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    found = ip_address(text.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback or (mapped or found).is_unspecified)
