"""The tree of commands, and what their help looks like."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from readycheck.__main__ import main
from readycheck.cli.app import PLACES, command

HEAVY = (
    "scapy",
    "aiortc",
    "aioquic",
    "dns",
    "cryptography",
    "asyncio",
    "pydantic",
    "rich",
    "httpx",
    "websockets",
    "jinja2",
    "sqlalchemy",
    "alembic",
    "sqlite3",
    "zstandard",
)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, group
    for name, child in getattr(group, "commands", {}).items():
        yield from commands(child, (*path, name))


TREE = dict(commands(command()))


def test_the_commands_of_the_interface() -> None:
    assert {path for path, found in TREE.items() if not hasattr(found, "commands")} == {
        ("run",),
        ("watch",),
        ("demo",),
        ("call",),
        ("responder",),
        ("serve",),
        ("schedule", "install"),
        ("schedule", "remove"),
        ("schedule", "show"),
        ("explain",),
        ("report-schema",),
        ("compare",),
        ("profile", "list"),
        ("profile", "show"),
        ("profile", "validate"),
        ("profile", "diff"),
        ("profile", "new"),
        ("profile", "schema"),
        ("profile", "firewall"),
        ("probe", "list"),
        ("pin", "show"),
        ("pin", "learn"),
        ("history", "list"),
        ("history", "show"),
        ("history", "diff"),
        ("history", "trend"),
        ("history", "check"),
        ("history", "prune"),
        ("history", "export"),
    }


@pytest.mark.parametrize("name", PLACES)
def test_the_list_says_what_each_says_of_itself(name: str) -> None:
    assert TREE[(name,)].get_short_help_str(100) == PLACES[name].summary


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_help_is_readable_at_80_columns(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*path, "--help"]) == 0
    told, complaint = capsys.readouterr()
    assert complaint == ""
    assert told.startswith(f"Usage: {' '.join(('readycheck', *path))} ")
    assert max(map(len, told.splitlines())) <= 80
    assert "completion" not in told
    assert "..." not in told.replace("]...", ""), "a summary is cut"


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    for parameter in TREE[path].params:
        assert getattr(parameter, "hidden", False) or getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("name", ["run", "watch", "demo"])
def test_their_many_options_stand_under_headings(name: str) -> None:
    panels = [
        p.rich_help_panel
        for p in TREE[(name,)].params
        if p.param_type_name == "option" and not getattr(p, "hidden", False) and p.name != "help"
    ]
    assert None not in panels
    headings = list(dict.fromkeys(panels))
    assert panels == sorted(panels, key=headings.index), "options of one heading stand together"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_nothing_heavy_is_imported_for_it(arguments: list[str]) -> None:
    ask = (
        "import sys; from readycheck.__main__ import main; status = main(sys.argv[1:]);"
        f"sys.exit(status or ' '.join(sorted(set({HEAVY!r}) & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr.strip() == ""


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from readycheck import __version__

    assert main(["--version"]) == 0
    assert main(["--version", "run"]) == 0
    assert capsys.readouterr().out == f"readycheck {__version__}\n" * 2
