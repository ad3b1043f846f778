"""Many options stand under headings."""

from typing import Annotated

import pytest
import typer

from readycheck.cli.grouped import GroupedCommand


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom to greet.")],
    loud: Annotated[bool, typer.Option("--loud", help="In capitals.", rich_help_panel="Manner")] = False,
    secret: Annotated[bool, typer.Option("--secret", hidden=True)] = False,
) -> None:
    """Greet."""


def test_the_headings_are_the_panels(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(cls=GroupedCommand)(command)
    app(["--help"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "Arguments:\n  NAME  Whom to greet." in told
    assert "Manner:\n  --loud  In capitals." in told
    assert told.index("Manner:") < told.index("Help:")
    assert "secret" not in told
