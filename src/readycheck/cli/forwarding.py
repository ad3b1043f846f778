"""Commands that take the options of `run` too, and hand them on as they were given."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any, get_type_hints

import typer
from typer.main import get_command

from readycheck.cli.baseline import is_file
from readycheck.cli.grouped import GroupedCommand


class WithRunOptions(GroupedCommand):
    """Its function has what is its own as parameters, and asks `given` for the rest."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._own = {parameter.name for parameter in self.params}
        self.params += [each for each in _run_command().params if each.name not in self._own]

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = {name: ctx.params.pop(name) for name in list(ctx.params) if name not in self._own}
        return super().invoke(ctx)


def given(context: typer.Context, *, absolute: bool = False) -> list[str]:
    """The arguments for `run`: what the command line has, not what the environment has, which may be secret."""
    values = {**context.params, **context.obj}
    arguments: list[str] = []
    for parameter in _run_command().params:
        name, value = parameter.name or "", values.get(parameter.name or "")
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            text = _absolute(name, str(each)) if absolute else str(each)
            arguments += _written(parameter, text)
    return arguments


@cache
def _run_command() -> Any:
    from readycheck.cli.run import run

    app = typer.Typer(add_completion=False)
    app.command("run", cls=GroupedCommand)(run)
    return get_command(app)


def _written(parameter: Any, text: str) -> Iterator[str]:
    if parameter.param_type_name == "argument":
        yield text
    elif parameter.is_flag:
        yield parameter.opts[0]
    else:
        yield f"{parameter.opts[0]}={text}"


def _absolute(name: str, text: str) -> str:
    """A path as it is from everywhere."""
    if name == "proxy" and text.startswith("pac:") and "://" not in text:
        return "pac:" + os.path.abspath(text.removeprefix("pac:"))
    return os.path.abspath(text) if _is_path(name, text) else text


def _is_path(name: str, text: str) -> bool:
    if name == "store":
        return text != "none" and "://" not in text
    if name == "profile":
        return "/" in text or text.endswith(".toml")
    return is_file(text) if name == "baseline" else name in _typed_paths()


@cache
def _typed_paths() -> frozenset[str]:
    from readycheck.cli.run import run

    return frozenset(name for name, hint in get_type_hints(run).items() if "Path" in str(hint))
