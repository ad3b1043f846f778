"""A third party's probes and profiles come through the same door as ours, and a broken one harms nobody else."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

{entry_points}
"""

PROFILE = """
schema_version = 1
name = "acme-mail"
title = "Acme Mail"
revision = "1"
checked = 2026-01-01

[documents.manual]
title = "Acme Mail manual"
publisher = "Acme"
revision = "1"

[[roles]]
name = "server"
title = "Mail server"
default = true

[[requirements]]
id = "mail-relay"
title = "Mail relay for voicemail messages"
area = "signalling"
importance = "required"
roles = ["server"]
transport = "tcp"
ports = [2525]
targets = { hosts = ["127.0.0.1"] }
probe = "banner"
params = { starts_with = "220 " }
source = { document = "manual", section = "Voicemail" }
"""

WORLD = r"""
ip link set lo up || exit 99
"$PYTHON" -c '
import socket
listener = socket.create_server(("127.0.0.1", 2525))
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"220 acme ready\r\n")
    connection.close()' >"$DIR/server" & server=$!
trap 'kill $server' EXIT
until [ -s "$DIR/server" ]; do sleep 0.02; done
READYCHECK_ONLY_NETNS=$(stat -Lc %i /proc/self/ns/net) "$PYTHON" -m readycheck "$@"
"""


def build(folder: Path, name: str, files: dict[str, str], entry_points: str, version: str = "1.2.3") -> None:
    """Write a small distribution and install it where the fixture `installed` puts it on the path."""
    package = name.replace("-", "_")
    source = folder / f"{name}-source"
    (source / package).mkdir(parents=True)
    project = PROJECT.format(name=name, version=version, package=package, entry_points=entry_points)
    (source / "pyproject.toml").write_text(project)
    for path, text in files.items():
        (source / package / path).write_text(textwrap.dedent(text))
    install = (
        "pip install --quiet --no-index --no-deps --no-build-isolation --disable-pip-version-check".split()
    )
    done = subprocess.run(
        [sys.executable, "-m", *install, "--target", str(folder / "site"), str(source)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a probe, a profile and two plug-ins that do not work, each a distribution of its own."""
    folder = tmp_path_factory.mktemp("third-parties")
    document = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    banner = re.search(r"```python\n# probes/readycheck_probes/banner.py\n(.*?)```", document, re.DOTALL)
    assert banner is not None
    build(
        folder,
        "acme-probes",
        {"__init__.py": "", "banner.py": banner[1]},
        '[project.entry-points."readycheck.probes"]\nbanner = "acme_probes.banner:BannerProbe"',
    )
    build(
        folder,
        "acme-profiles",
        {"__init__.py": "", "acme-mail.toml": PROFILE},
        '[project.entry-points."readycheck.profiles"]\nacme = "acme_profiles"',
    )
    build(
        folder,
        "faulty-plugin",
        {
            "__init__.py": "",
            "late.py": "import a_library_that_nobody_installed\n",
            "poor.py": "class Poor: ...",
        },
        """
        [project.entry-points."readycheck.probes"]
        faulty = "faulty_plugin.late:Probe"
        nowhere = "faulty_plugin.late_and_gone:Probe"
        poor = "faulty_plugin.poor:Poor"

        [project.entry-points."readycheck.profiles"]
        faulty = "faulty_plugin_of_profiles"
        """,
        version="0.0.9",
    )
    return folder


def environment(installed: Path) -> dict[str, str]:
    home = installed / "home"
    home.mkdir(exist_ok=True)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return os.environ | {"PYTHONPATH": str(installed / "site"), "HOME": str(home), "PATH": path}


def readycheck(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "readycheck", *arguments],
        env=environment(installed),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def run_in_a_network_of_its_own(
    installed: Path, folder: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """`readycheck run`, where there is loopback and the service, and nothing else."""
    told = environment(installed) | {"DIR": str(folder), "PYTHON": sys.executable}
    world = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", WORLD, "sh"]
    command = [*world, "run", *arguments, "--format", "json"]
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=50, check=False)
    return done, json.loads(done.stdout) if done.stdout else {}


def test_the_probe_is_listed_with_its_origin(installed: Path) -> None:
    done = readycheck(installed, "probe", "list")
    assert done.returncode == 0, done.stderr
    assert "banner  (acme-probes 1.2.3)  Banner of a service that speaks first" in done.stdout
    assert "starts_with" in done.stdout
    assert "stun  (readycheck " in done.stdout


def test_the_profile_is_listed_and_valid(installed: Path) -> None:
    listed = readycheck(installed, "profile", "list")
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"^acme-mail\b.*Acme Mail", listed.stdout, re.MULTILINE)
    assert re.search(r"^webex-calling\b", listed.stdout, re.MULTILINE)
    assert readycheck(installed, "profile", "validate", "acme-mail").returncode == 0


def test_a_broken_plugin_breaks_only_itself(installed: Path) -> None:
    listed = readycheck(installed, "probe", "list").stdout
    for name, reason in (
        ("faulty", "ModuleNotFoundError: No module named 'a_library_that_nobody_installed'"),
        ("nowhere", "ModuleNotFoundError: No module named 'faulty_plugin.late_and_gone'"),
    ):
        assert f"probe '{name}' of faulty-plugin cannot be loaded: {reason}" in listed
    assert "probe 'poor' of faulty-plugin lacks name, title, Params" in listed
    assert "tcp  (readycheck " in listed


@pytest.mark.twin
def test_a_requirement_of_a_broken_plugin_stays_open_and_says_why(installed: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    again = PROFILE[PROFILE.index("[[requirements]]") :].replace('id = "mail-relay"', 'id = "second"')
    profile.write_text(PROFILE + again.replace('probe = "banner"', 'probe = "faulty"'))
    done, report = run_in_a_network_of_its_own(installed, tmp_path, str(profile), "--no-controls")
    assert report, done.stderr
    one, other = report["requirements"]
    assert (one["id"], one["status"]) == ("mail-relay", "pass")
    assert (other["id"], other["status"]) == ("second", "inconclusive")
    assert "probe 'faulty' of faulty-plugin cannot be loaded: ModuleNotFoundError" in other["because"]
    assert report["verdict"] != "ready", "what was not measured is not passed"


def test_a_typo_in_its_parameters_is_refused(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE.replace("starts_with", "begins_with"))
    done = readycheck(installed, "run", str(tmp_path / "mine.toml"), "--no-controls")
    assert (done.returncode, done.stdout) == (3, "")
    for word in ("mine.toml", "mail-relay", "begins_with", "starts_with"):
        assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.twin
def test_the_probe_measures_for_the_profile(installed: Path, tmp_path: Path) -> None:
    done, report = run_in_a_network_of_its_own(installed, tmp_path, "acme-mail", "--no-controls")
    assert report, done.stderr
    checks = [check for check in report["checks"] if check["probe"] == "banner"]
    assert [check["metrics"]["answered"] for check in checks] == [1]
    assert [(one["id"], one["status"]) for one in report["requirements"]] == [("mail-relay", "pass")]
    assert (report["verdict"], done.returncode) == ("ready", 0)


@pytest.mark.twin
def test_its_failure_is_judged_as_ours_are(installed: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(PROFILE.replace("220 ", "421 "))
    done, report = run_in_a_network_of_its_own(installed, tmp_path, str(profile), "--no-controls")
    assert report, done.stderr
    checks = [check for check in report["checks"] if check["probe"] == "banner"]
    assert [(check["failure"], check["step"]) for check in checks] == [("protocol_error", "response")]
    assert (report["verdict"], done.returncode) == ("not-ready", 2)
