"""`probe list`."""

import dataclasses
from typing import Any

import typer

app = typer.Typer(help="The installed probes.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """The installed probes."""


@app.command("list")
def list_probes() -> None:
    """List probes, built in and third-party, with version, parameters and metrics."""
    from readycheck.registry import find

    registry = find()
    for name, installed in registry.installed.items():
        probe = installed.probe
        typer.echo(f"{name}  ({installed.distribution} {installed.version})  {probe.title}")
        typer.echo(f"    parameters: {', '.join(_parameters(probe.Params)) or 'none'}")
        typer.echo(f"    metrics:    {', '.join(f'{m.name} [{m.unit}]' for m in probe.metrics) or 'none'}")
        typer.echo(f"    needs:      {_needs(probe)}")
    for name, error in registry.broken.items():
        typer.echo(f"{name}  BROKEN: {error}")


def _parameters(params: type[Any]) -> list[str]:
    return [f.name for f in dataclasses.fields(params) if f.name != "targets"]


def _needs(probe: Any) -> str:
    return str(getattr(probe, "privileges", "no privilege"))
