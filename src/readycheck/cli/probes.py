"""`probe list`."""

import dataclasses
from typing import Any

import typer

from readycheck.cli.output import tell_lines

app = typer.Typer(
    help="The installed probes.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def _group() -> None:
    """The installed probes."""


@app.command("list")
def list_probes() -> None:
    """List them, built in and third-party: version, parameters, metrics."""
    from readycheck.registry import find

    registry = find()
    for name, installed in registry.installed.items():
        probe = installed.probe
        tell_lines(
            f"{name}  ({installed.distribution} {installed.version})  {probe.title}",
            f"    parameters: {', '.join(_parameters(probe.Params)) or 'none'}",
            f"    metrics:    {', '.join(f'{m.name} [{m.unit}]' for m in probe.metrics) or 'none'}",
            f"    needs:      {_needs(probe)}",
        )
    tell_lines(*(f"{name}  BROKEN: {error}" for name, error in registry.broken.items()))


def _parameters(params: type[Any]) -> list[str]:
    return [f.name for f in dataclasses.fields(params) if f.name != "targets"]


def _needs(probe: Any) -> str:
    return str(getattr(probe, "privileges", "no privilege"))
