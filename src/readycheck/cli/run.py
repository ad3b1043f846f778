"""`run`: the main job."""

import asyncio
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from readycheck.cli import options as o
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.assess import Request
    from readycheck.net.traced import SharedNetwork
    from readycheck.report import Report

STATUS = {"ready": 0, "warnings": 1, "not-ready": 2, "unknown": 3}


def run(
    profile: Annotated[str, typer.Argument(help="A name, or a path if it contains / or ends in .toml.")],
    role: o.Roles = None,
    only: o.Only = None,
    skip: o.Skip = None,
    target: o.Targets = None,
    set_: o.Values = None,
    proxy: Annotated[str, typer.Option("--proxy", metavar="auto|none|URL", help="Which proxy.")] = "auto",
    resolver: Annotated[
        list[str] | None,
        typer.Option("--resolver", metavar="IP[:PORT]", help="Name server to use (repeat)."),
    ] = None,
    trust_roots: Annotated[
        list[Path] | None,
        typer.Option("--trust-roots", metavar="FILE", help="PEM certificates to take as the vendor's own."),
    ] = None,
    interface: Annotated[str | None, typer.Option("--interface", metavar="NAME", help="Way out.")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ADDRESS", help="Source address.")] = None,
    ipv4: Annotated[bool, typer.Option("-4", help="IPv4 only.")] = False,
    ipv6: Annotated[bool, typer.Option("-6", help="IPv6 only.")] = False,
    site: o.Site = None,
    quick: o.Quick = False,
    thorough: o.Thorough = False,
    deadline: o.Deadline = 15.0,
    rate: o.Rate = 1000.0,
    no_controls: o.NoControls = False,
    seed: o.Seed = None,
    format_: o.OutputFormat = o.Format.TEXT,
    output: o.Outputs = None,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    remap: Annotated[Path | None, typer.Option("--remap", hidden=True)] = None,
) -> int:
    """Probe what a product needs of this network; judge it, name the cause, score it."""
    from readycheck.cli.setting import Setting, prepare
    from readycheck.net.guard import refuse_outside

    refuse_outside()
    setting = Setting(
        profile=profile,
        roles=tuple(role or ()),
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        targets=tuple(target or ()),
        values=o.pairs("--set", set_ or ()),
        proxy=proxy,
        resolvers=tuple(o.endpoint("--resolver", text, 53) for text in resolver or ()),
        trust_roots=tuple(trust_roots or ()),
        interface=interface,
        source=source,
        family=_family(ipv4, ipv6),
        site=site,
        effort=_effort(quick, thorough),
        deadline_s=deadline,
        rate=rate,
        controls=not no_controls,
        seed=seed,
        remap=remap,
    )
    outputs = _outputs(output or [])
    request, network, environment = prepare(setting)
    from readycheck.render.progress import Display

    with Display(request.profile.title, quiet=quiet, verbose=verbose) as display:
        report = _with_signals(request, network, environment, display)
    _tell(report, format_, verbose, outputs)
    return STATUS[report.verdict.value]


def _family(ipv4: bool, ipv6: bool) -> Literal["any", "4", "6"]:
    if ipv4 and ipv6:
        raise UsageError("-4 and -6 exclude each other")
    return "4" if ipv4 else "6" if ipv6 else "any"


def _effort(quick: bool, thorough: bool) -> str:
    if quick and thorough:
        raise UsageError("--quick and --thorough exclude each other")
    return "quick" if quick else "thorough" if thorough else "normal"


def _outputs(paths: list[Path]) -> list[tuple[Path, str]]:
    """Refuse before the run what could not be written after it."""
    from readycheck.render import format_of
    from readycheck.render.files import refuse_unwritable

    for path in paths:
        refuse_unwritable(path)
    return [(path, format_of(path)) for path in paths]


def _with_signals(request: "Request", shared_factory: Any, environment: Any, watch: Any) -> "Report":
    """SIGINT and SIGTERM end the run, not the report."""
    from readycheck.assess import assess

    async def job() -> "Report":
        task = asyncio.current_task()
        if task is not None and sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        shared: SharedNetwork = shared_factory()
        return await assess(request, shared, environment, watch)

    return asyncio.run(job())


def _tell(report: "Report", format_: o.Format, verbose: bool, outputs: list[tuple[Path, str]]) -> None:
    from readycheck.render import FORMATS
    from readycheck.render.files import write_beside

    for path, kind in outputs:
        write_beside(path, FORMATS[kind](report))
    text = _text(report, verbose) if format_ is o.Format.TEXT else FORMATS[format_.value](report)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a title in another script must not end a run
    with suppress(BrokenPipeError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _text(report: "Report", verbose: bool) -> str:
    import shutil

    from readycheck.render.text import render

    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((100, 24)).columns if terminal else 100
    return render(report, width=width, colour=colour, verbose=verbose)
