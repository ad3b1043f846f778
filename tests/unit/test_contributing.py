"""What CONTRIBUTING.md says of writing a probe is true: its example is short, typed, and works."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROBE = "probes/readycheck_probes/banner.py"
TEST = "tests/probes/test_banner.py"


def example(path: str) -> str:
    """The block of the document that begins with a path."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL)
    return dict(blocks)[path]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The example as a package of its own: ours has no such probe."""
    for path in (PROBE, TEST):
        text = example(path).replace("readycheck_probes.banner", "banner")
        (tmp_path / Path(path).name).write_text(text, encoding="utf-8")
    return tmp_path


def run(*command: str, cwd: Path, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_has_40_lines() -> None:
    assert len([line for line in example(PROBE).splitlines() if line.strip()]) <= 40


def test_its_test_passes(package: Path) -> None:
    out = run("pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=.", cwd=package)
    assert "2 passed" in out


def test_it_is_typed(package: Path) -> None:
    run("mypy", "--strict", f"--cache-dir={ROOT / '.mypy_cache'}", ".", cwd=package)


@pytest.mark.parametrize("path", [PROBE, TEST])
# The groups of imports are left out: ruff knows modules of ours by their files, and the example has none.
@pytest.mark.parametrize("command", [["check", "--ignore=I001"], ["format", "--check"]])
def test_it_is_formatted(path: str, command: list[str]) -> None:
    run("ruff", *command, "--quiet", f"--stdin-filename={path}", "-", cwd=ROOT, text=example(path))


def test_paths_that_it_names_exist() -> None:
    named = set(re.findall(r"`((?:src|probes|profiles|tests|docs)/[\w./-]+)`", DOCUMENT)) - {PROBE, TEST}
    assert len(named) > 8
    missing = [path for path in sorted(named) if not (ROOT / path).exists()]
    assert not missing
