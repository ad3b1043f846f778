"""The options of `run` on other commands, and what is handed on of them."""

from pathlib import Path
from typing import Annotated, get_type_hints

import pytest
import typer
from typer.main import get_command

from readycheck.cli.forwarding import WithRunOptions, _typed_paths, given
from readycheck.cli.run import run

HANDED_ON: list[list[str]] = []


def command(
    context: typer.Context,
    profile: str,
    own: Annotated[bool, typer.Option("--own")] = False,
    absolute: Annotated[bool, typer.Option("--absolute")] = False,
) -> None:
    HANDED_ON.append(given(context, absolute=absolute))


def handed_on(*arguments: str) -> list[str]:
    app = typer.Typer(add_completion=False)
    app.command(cls=WithRunOptions)(command)
    get_command(app)([*arguments], standalone_mode=False)
    return HANDED_ON.pop()


def test_it_is_handed_on_as_it_was_given() -> None:
    assert handed_on(
        "-q", "webex", "--own", "--role=app", "--role", "device", "-4", "--site", "-a b", "-f", "json"
    ) == [
        "webex",
        "--role=app",
        "--role=device",
        "--site=-a b",
        "-4",
        "--format=json",
        "--quiet",
    ]


def test_defaults_and_the_environment_are_the_runs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYCHECK_ALERT", "webhook+https://secret")
    monkeypatch.setenv("READYCHECK_STORE", "postgresql://u:secret@h/d")
    monkeypatch.setenv("READYCHECK_PROXY", "http://u:secret@proxy:3128")
    assert handed_on("webex") == ["webex"]


def test_paths_hold_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = handed_on(
        *("./mine.toml", "--absolute", "--responder-key=key", "--store=runs.db", "--proxy=pac:proxy.pac"),
        *("--baseline=before.json", "-o", "out.prom", "-o", "out.json"),
    )
    assert sorted(told) == sorted(
        [
            f"{tmp_path}/mine.toml",
            f"--responder-key={tmp_path}/key",
            f"--store={tmp_path}/runs.db",
            f"--proxy=pac:{tmp_path}/proxy.pac",
            f"--baseline={tmp_path}/before.json",
            f"--output={tmp_path}/out.prom",
            f"--output={tmp_path}/out.json",
        ]
    )


@pytest.mark.parametrize(
    "argument",
    [
        "--store=none",
        "--store=postgresql://h/d",
        "--baseline=last",
        "--proxy=none",
        "--proxy=pac:http://h/x.pac",
    ],
)
def test_what_is_no_path_stays(argument: str) -> None:
    assert handed_on("webex", "--absolute", argument) == ["webex", argument]


def test_it_knows_which_options_are_paths() -> None:
    assert _typed_paths() == {
        "profile_dir",
        "responder_key",
        "trust_roots",
        "output",
        "alert_folder",
        "remap",
    }
    assert "profile" in get_type_hints(run)
