"""`explain` and `report-schema`."""

from typing import Annotated

import typer

from readycheck.cli.output import screen, tell

_WIDEST = 88  # longer lines are hard to follow


def explain(
    cause: Annotated[str, typer.Argument(metavar="CAUSE", help="A cause code, such as udp-blocked.")],
) -> None:
    """Say what a cause means, what to do, who owns the fix."""
    from readycheck.diagnose.causes import explain as text

    width, _ = screen()
    tell(text(cause, min(width or _WIDEST, _WIDEST)) + "\n")


def report_schema(
    call: Annotated[bool, typer.Option("--call", help="That of 'readycheck call -f json'.")] = False,
) -> None:
    """Print the JSON Schema of the report."""
    if call:
        from readycheck.call.document import schema_text
    else:
        from readycheck.report import schema_text

    tell(schema_text())
