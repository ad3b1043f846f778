"""`explain` and `report-schema`."""

from typing import Annotated

import typer


def explain(cause: Annotated[str, typer.Argument(help="A cause code, such as udp-blocked.")]) -> None:
    """Say what a cause means, what it rests on, what to do and who owns the fix."""
    from readycheck.diagnose.causes import explain as text

    typer.echo(text(cause))


def report_schema() -> None:
    """Print the JSON Schema of the report."""
    from readycheck.report import schema_text

    typer.echo(schema_text(), nl=False)
