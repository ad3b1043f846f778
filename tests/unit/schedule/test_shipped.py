"""The files of packaging/: made from the templates, and taken by the tools that read such files."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from jinja2 import Environment

from readycheck.schedule.job import name_of
from readycheck.schedule.shipped import main, shipped

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
ROLE = PACKAGING / "ansible"
ANALYZE, LINT = shutil.which("systemd-analyze"), shutil.which("ansible-lint")
WORST = 20  # tenths of systemd's exposure level: what reaches the network cannot be nearer to nothing


@pytest.mark.parametrize("name", shipped())
def test_it_is_what_the_templates_make(name: str) -> None:
    assert (PACKAGING / name).read_text() == shipped()[name], "make docs"


def test_they_are_written(tmp_path: Path) -> None:
    main(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) >= [
        "kubernetes/cronjob.yaml"
    ]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
def test_systemd_understands_them_and_finds_them_hardened(tmp_path: Path) -> None:
    for name, text in shipped().items():
        if name.startswith("systemd/"):
            unit = tmp_path / name.removeprefix("systemd/").replace("@", "@webex")
            unit.write_text(text.replace("/opt/readycheck/bin/readycheck", "/usr/bin/env readycheck"))
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "readycheck" in line]
    services = [unit for unit in units if unit.endswith(".service")]
    asked = [str(ANALYZE), "security", "--offline=true", f"--threshold={WORST}", *services]
    judged = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout.splitlines()[-1:]


def test_kubernetes_takes_the_manifest() -> None:
    for each in yaml.safe_load_all((PACKAGING / "kubernetes" / "cronjob.yaml").read_text()):
        kubernetes_validate.validate(each, "1.31", strict=True)


def test_the_role_asks_for_what_it_documents() -> None:
    role = ROLE / "roles" / "readycheck"
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    documented = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    assert set(defaults) == set(documented)
    tasks = (role / "tasks" / "main.yml").read_text()
    assert all(name in tasks for name in defaults)


@pytest.mark.parametrize("profile", ["webex-calling", "/etc/x/My Site.toml", "_a_.toml", "b" * 40 + "-cd"])
def test_the_role_names_its_file_as_the_entry_does(profile: str) -> None:
    filters = {
        "basename": lambda text: Path(text).name,
        "regex_replace": lambda text, a, b: re.sub(a, b, text),
    }
    surroundings = Environment()
    surroundings.filters |= filters
    tasks = yaml.safe_load((ROLE / "roles" / "readycheck" / "tasks" / "main.yml").read_text())
    (task,) = (task for task in tasks if "vars" in task)
    known = {"readycheck_profile": profile}
    for name, text in task["vars"].items():
        known[name] = surroundings.from_string(text).render(known)
    place = surroundings.from_string(task["ansible.builtin.copy"]["dest"]).render(known)
    assert place == f"/etc/readycheck/{name_of(profile)}.env"


@pytest.mark.skipif(LINT is None, reason="ansible-lint is not here: the Ansible role is NOT linted")
def test_ansible_lint_finds_nothing() -> None:
    asked = [str(LINT), "--offline", "--profile=production", "--nocolor", "-q", str(ROLE)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROLE)
    assert done.returncode == 0, done.stdout + done.stderr
