"""The fences: one network namespace, loopback only."""

import os
from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.net import guard


@pytest.fixture(autouse=True)
def no_fences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(guard.ONLY_NETNS, raising=False)
    monkeypatch.delenv(guard.LOOPBACK_ONLY, raising=False)


def test_without_fences_everything_is_allowed() -> None:
    guard.refuse_outside()
    guard.allow("192.0.2.1")


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="no network namespaces here")
def test_the_own_namespace_is_allowed() -> None:
    guard.refuse_outside(str(os.stat("/proc/self/ns/net").st_ino))


def test_another_namespace_is_refused_by_argument_and_by_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="may only run in network namespace 1, but this is"):
        guard.refuse_outside("1")
    monkeypatch.setenv(guard.ONLY_NETNS, "1")
    with pytest.raises(UsageError):
        guard.refuse_outside()


def test_where_there_are_no_namespaces_the_fence_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(guard, "_NAMESPACE", tmp_path / "absent")
    with pytest.raises(UsageError, match="this is unknown"):
        guard.refuse_outside("4026531840")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_loopback_is_allowed(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(guard.LOOPBACK_ONLY, "1")
    guard.allow(address)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "0.0.0.0", "", "localhost"]
)
def test_anything_else_is_a_bug_of_the_test(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(guard.LOOPBACK_ONLY, "1")
    with pytest.raises(guard.OutsideLoopback):
        guard.allow(address)
