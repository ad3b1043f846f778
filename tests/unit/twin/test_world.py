"""Where a world of namespaces is not to be had; where it is, see tests/e2e/test_twin.py."""

import subprocess
import sys

import pytest

from readycheck.twin import kernel, world


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_have_no_namespaces(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert world.available() == f"network namespaces are Linux's, and this is {platform}"


@pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "tool", lambda _: None)
    assert world.available() == "the program 'ip' (package iproute2) is not installed"


@pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")
def test_a_frozen_program_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "frozen" in (world.available() or "")


@pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[Errno 1] unshare: Operation not permitted", "[Errno 1] unshare: Operation not permitted"),
        ("[Errno 28] unshare: No space left on device", "the limit of this host (user.max_user_namespaces, "),
    ],
)
def test_a_refusal_is_quoted_unless_it_misleads(
    said: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = subprocess.CompletedProcess([], 3, "", f"warning\n{said}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    monkeypatch.setattr(kernel, "tool", lambda _: "/sbin/ip")
    assert (world.available() or "").startswith(f"namespaces are not to be had here: {told}")
