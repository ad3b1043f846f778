"""How a failure to build is told; that it succeeds is shown in tests/e2e/test_twin.py."""

import sys
from pathlib import Path

import pytest

from readycheck.twin import build, kernel


def test_a_failed_command_is_told_in_one_line() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('first line\\nsecond line')"]
    with pytest.raises(build.BuildError, match="first line second line") as caught:
        build._run(command, "")
    assert not caught.value.usage


def test_a_missing_program_is_told() -> None:
    with pytest.raises(build.BuildError, match=r"/no/such/ip"):
        build._run(["/no/such/ip"], "")


def test_the_users_own_rules_are_to_blame_for_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "tool", lambda _: sys.executable)
    with pytest.raises(build.BuildError, match=r"--edge-rules /no/rules\.nft: ") as caught:
        build._nft_file("/no/rules.nft")
    assert caught.value.usage


def test_what_nft_says_first_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, nft = tmp_path / "rules.nft", tmp_path / "nft"
    rules.write_bytes(b"\xff\xfe")
    nft.write_text("#!/bin/sh\nprintf '%s:7:1-3: Error: syntax error\\n\\377\\n^' \"$2\" >&2; exit 1\n")
    nft.chmod(0o755)
    monkeypatch.setattr(kernel, "tool", lambda _: str(nft))
    with pytest.raises(build.BuildError) as caught:
        build._nft_file(str(rules))
    assert str(caught.value) == f"--edge-rules {rules}: line 7: syntax error"


def test_a_setting_that_cannot_be_made_is_told() -> None:
    with pytest.raises(build.BuildError, match="/no/such/setting: No such file"):
        build._write("/no/such/setting", "1")


def test_a_kernel_without_ipv6_needs_none_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_NO_IPV6", ("/no/such/setting",))
    build._settings(forward=False)


def test_where_pinging_cannot_be_granted_the_world_is_built_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_PING", "/no/such/setting")
    build._let_ping()


def test_without_the_program_there_are_no_nftables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "tool", lambda _: None)
    assert not build._nftables_work()
