"""The formats by name and by ending."""

import subprocess
import sys

import pytest

from readycheck.errors import UsageError
from readycheck.render import FORMATS, format_of

from . import factory


@pytest.mark.parametrize("state", list(factory.STATES))
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_every_state(name: str, state: str) -> None:
    report = factory.STATES[state]()
    text = FORMATS[name](report)
    assert text.endswith("\n")
    assert text == FORMATS[name](report)


def test_the_names_are_those_of_the_interface() -> None:
    assert " ".join(FORMATS) == "text json markdown html junit nagios prometheus csv"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.json", "json"),
        ("a.md", "markdown"),
        ("dir.json/a.HTML", "html"),
        ("a.xml", "junit"),
        ("a.prom", "prometheus"),
        ("a.csv", "csv"),
        ("a.b.txt", "text"),
    ],
)
def test_a_file_says_its_format(path: str, name: str) -> None:
    assert format_of(path) == name


@pytest.mark.parametrize("path", ["report", "report.pdf", ".json", "dir.json/report"])
def test_an_ending_that_says_nothing_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=r"the ending is none of \.json") as raised:
        format_of(path)
    assert str(raised.value).startswith(f"--output {path}: ")


def test_importing_the_room_imports_no_library() -> None:
    """`--help` and the progress of a run do without rich, jinja2 and pydantic."""
    program = (
        "import sys, readycheck.render, readycheck.render.progress, readycheck.render.files;"
        "print([m for m in ('rich', 'jinja2', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
