"""The tree of commands. A command is imported when it is called for: most calls need one of them."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

_HELP = """Network readiness for cloud calling, meetings and PBX products.

Exit status of run, watch --once, demo and call: 0 ready, 1 ready with warnings, 2 not ready, 3 unknown or unusable.
Every other command: 0 done, 3 error.
"""


class _Place(NamedTuple):
    """Where a command, or a group of them, is, and what the list of commands says of it."""

    module: str
    name: str
    summary: str


PLACES = {
    "run": _Place("run", "run", "Test whether this network carries a product."),
    "watch": _Place("watch", "app", "Run again and again, each site at a time of its own."),
    "demo": _Place("demo", "demo", "Run against a stand-in cloud; needs no network."),
    "call": _Place("call", "call", "Place a real call to a responder, and say at which stage it fails."),
    "responder": _Place("responder", "responder", "Be the far end of 'run --responder' and of 'call'."),
    "serve": _Place("serve", "serve", "Serve metrics to Prometheus; a request is a run."),
    "profile": _Place("profiles", "app", "Look into profiles and check them."),
    "probe": _Place("probes", "app", "The installed probes."),
    "pin": _Place("pins", "app", "The pins in force; learn issuer pins."),
    "history": _Place("history", "app", "Look into the runs that are kept."),
    "schedule": _Place("schedule", "app", "Write the entry that has runs come back."),
    "compare": _Place("compare", "compare", "Set two runs side by side, and say what changed."),
    "explain": _Place("explain", "explain", "Say what a cause means, what to do, who owns the fix."),
    "report-schema": _Place("explain", "report_schema", "Print the JSON Schema of the report."),
}


def command() -> Any:
    """The command group, ready to be invoked."""
    app = typer.Typer(
        cls=_Commands,
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_version)
    return get_command(app)


class _Loaded(Mapping[str, Any]):
    """The commands by name, each imported when it is first looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, PLACES[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class _Commands(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Loaded()  # type: ignore[assignment]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in PLACES.items()])


def _load(name: str, place: _Place) -> Any:
    found = getattr(import_module(f"readycheck.cli.{place.module}"), place.name)
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return group
    from readycheck.cli.grouped import GroupedCommand

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=GroupedCommand)(found)
    return get_command(app)


def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        from readycheck import __version__
        from readycheck.cli.output import tell_lines

        tell_lines(f"readycheck {__version__}")
        raise typer.Exit(0)
