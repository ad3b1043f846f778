"""What the world hides; that it hides it is shown in tests/e2e/test_twin.py."""

import os
import socket
import sys
from pathlib import Path

import pytest

from readycheck.twin import isolation


def test_the_environment_names_no_proxy_bus_or_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTPS_PROXY",
        "no_proxy",
        "auto_proxy",
        "XDG_CURRENT_DESKTOP",
        "DBUS_SESSION_BUS_ADDRESS",
        "RES_OPTIONS",
        "READYCHECK_LOOPBACK_ONLY",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEPT", "x")
    environment = isolation.clean_environment()
    assert "KEPT" in environment
    assert not {name.lower() for name in environment} & isolation._VARIABLES


def test_a_proxy_script_is_a_file_of_this_world(tmp_path: Path) -> None:
    assert isolation.told_to_follow("", tmp_path) == {}
    told = isolation.told_to_follow("function f() {}", tmp_path)
    assert Path(told["auto_proxy"]).read_text() == "function f() {}"


def test_children_find_what_this_process_finds() -> None:
    path = isolation.clean_environment()["PYTHONPATH"].split(os.pathsep)
    assert path == [entry for entry in sys.path if entry]


@pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")
def test_leaks_are_seen_where_there_are_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = str(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={path},guid=1")
    monkeypatch.setattr(isolation, "_ETC", {})
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(path)
        bus.listen()
        found = list(isolation.leaks())
    assert f"{path} answers" in found
    assert "variable DBUS_SESSION_BUS_ADDRESS" in found
    assert "not the network namespace that was made for this world" in found
