"""The units of what serves, as far as they can be judged without starting them."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
COMMANDS = {
    "readycheck-responder.service": "readycheck responder",
    "readycheck-exporter.service": "readycheck serve",
}
ANALYZE = shutil.which("systemd-analyze")


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", COMMANDS)
def test_it_has_no_rights_of_its_own(unit: str) -> None:
    told = settings(unit)
    assert told["DynamicUser"] == told["NoNewPrivileges"] == ["yes"]
    assert told["CapabilityBoundingSet"] == [""]
    assert told["ProtectSystem"] == ["strict"]
    assert COMMANDS[unit] in told["ExecStart"][0]
    assert told["MemoryMax"] and told["TasksMax"], "a flood fills this, not the host"


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", COMMANDS)
def test_systemd_understands_it(unit: str) -> None:
    done = subprocess.run(
        [str(ANALYZE), "verify", str(UNITS / unit)], capture_output=True, text=True, check=False
    )
    about_it = [line for line in done.stderr.splitlines() if unit in line]
    assert not about_it, "\n".join(about_it)
