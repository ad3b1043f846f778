"""The unit of the responder, as far as it can be judged without starting it."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "readycheck-responder.service"
ANALYZE = shutil.which("systemd-analyze")


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_it_has_no_user_and_no_rights_of_its_own() -> None:
    told = settings()
    assert told["DynamicUser"] == told["NoNewPrivileges"] == ["yes"]
    assert told["CapabilityBoundingSet"] == [""]
    assert told["ProtectSystem"] == ["strict"]
    assert "readycheck responder" in told["ExecStart"][0]
    assert told["MemoryMax"] and told["TasksMax"], "a flood fills this, not the host"


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
def test_systemd_understands_it() -> None:
    done = subprocess.run([str(ANALYZE), "verify", str(UNIT)], capture_output=True, text=True, check=False)
    about_it = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert not about_it, "\n".join(about_it)
