"""Linux calls; what they do is shown in tests/e2e/test_twin.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from readycheck.twin import kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")


def test_a_tool_is_found_outside_an_ordinary_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kernel, "_SBIN", str(tmp_path / "sbin"))
    assert kernel.tool("something") is None
    (tmp_path / "sbin").mkdir()
    program = tmp_path / "sbin" / "something"
    program.touch(0o755)
    assert kernel.tool("something") == str(program)


def test_the_current_network_is_where_this_process_is() -> None:
    descriptor = kernel.current_network()
    try:
        assert os.fstat(descriptor).st_ino == os.stat("/proc/self/ns/net").st_ino
    finally:
        os.close(descriptor)


def test_a_failed_call_is_an_error_with_its_reason() -> None:
    with pytest.raises(OSError, match="mount nothing /nowhere: "):
        kernel.mount("none", "/nowhere", "nothing")


@pytest.mark.parametrize("keep_raw", [False, True])
def test_privileges_are_gone_after_the_next_program(keep_raw: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has privileges to drop outside a user namespace")
    told = subprocess.run(
        ["/bin/cat", "/proc/self/status"],
        preexec_fn=lambda: kernel.drop_privileges(keep_raw=keep_raw),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    fields = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    raw = 1 << kernel.CAP_NET_RAW if keep_raw else 0
    assert {name: int(fields[name], 16) for name in ("CapEff", "CapPrm", "CapAmb", "CapBnd")} == {
        "CapEff": raw,
        "CapPrm": raw,
        "CapAmb": raw,
        "CapBnd": 0,
    }
    assert fields["NoNewPrivs"] == "1"


def test_a_process_whose_parent_is_another_ends() -> None:
    code = "from readycheck.twin import kernel; kernel.die_with(1 << 30)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3
