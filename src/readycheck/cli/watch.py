"""`watch`: `run` again and again, for where there is no timer, as in a container."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from platform import node
from typing import Annotated, Any

import typer

from readycheck.cli import options as o
from readycheck.cli.forwarding import WithRunOptions, given
from readycheck.cli.output import complain, tell_lines
from readycheck.cli.signals import ENDING
from readycheck.errors import UsageError
from readycheck.render.files import refuse_unwritable
from readycheck.schedule.child import Runs, beyond_s, program
from readycheck.schedule.grid import Grid, interval, offset
from readycheck.schedule.health import Health, check, write
from readycheck.schedule.watching import World, once, watch

WHEN = "When"

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Every = Annotated[
    str,
    typer.Option("--every", metavar="INTERVAL", help="From 1m to 1d, as 15m or 1h.", rich_help_panel=WHEN),
]


def _check_health(path: Path | None) -> None:
    if path is not None:
        tell_lines(check(path, time.time()))
        raise typer.Exit(0)


@app.command("watch", cls=WithRunOptions)
def command(
    context: typer.Context,
    profile: o.ProfileName,
    every: Every = "15m",
    now: Annotated[
        bool, typer.Option("--now", help="Begin with a run at once.", rich_help_panel=WHEN)
    ] = False,
    once_: Annotated[
        bool,
        typer.Option("--once", help="One run, now: its verdict is the exit status.", rich_help_panel=WHEN),
    ] = False,
    health: Annotated[
        Path | None,
        typer.Option(
            "--health", metavar="FILE", help="Keep a file that says how the watch is.", rich_help_panel=WHEN
        ),
    ] = None,
    check_health: Annotated[
        Path | None,
        typer.Option(
            "--check-health",
            metavar="FILE",
            help="Say whether the watch that keeps FILE is well (status 0 or 3), and run nothing.",
            rich_help_panel=WHEN,
            is_eager=True,
            callback=_check_health,
        ),
    ] = None,
) -> int:
    """Run again and again, each site at a time of its own.

    Runs are due at fixed times of the wall clock, which follow from the interval, --site (or else the host's name)
    and PROFILE. Each is a process of its own, with the options of 'run'. SIGTERM and SIGINT end it with the report
    of what it knows by then, and then the watch, with status 0.
    """
    every_s = interval("--every", every)
    site = o.label("--site", context.obj["site"])
    if health is not None:
        refuse_unwritable(health, option="--health")
    arguments = given(context)
    if not usable(arguments):
        return 3  # why not is said
    longest_s = context.obj["deadline"] + beyond_s(context.obj["idle"])
    first = Health(profile=profile, site=site, every_s=every_s)
    with _world(Runs(arguments, longest_s), health) as world:
        if once_:
            return once(world, first, longest_s).last_status or 0
        watch(world, Grid(every_s, offset(site or node(), profile, every_s)), first, longest_s, at_once=now)
    return 0


def usable(arguments: Sequence[str]) -> bool:
    """Tried in another process, as a run is: what this one imports it keeps."""
    return subprocess.run([*program(), "run", *arguments, "--dry-run"], check=False).returncode == 0


@contextmanager
def _world(runs: Runs, health: Path | None) -> Iterator[World]:
    """While it lasts, signals stop it; not those that whoever started the program has ignored, as `nohup` does."""
    stopped = False

    def stop(number: int, frame: Any) -> None:
        nonlocal stopped
        stopped = True
        runs.stop()

    def wait(seconds: float) -> bool:
        """A `threading.Event` would have a lock, at which its handler may find whom it has interrupted."""
        time.sleep(seconds)
        return stopped

    heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield World(
            now=time.time,
            wait=wait,
            run=runs.run,
            tell=lambda state: _write(health, state),
            say=lambda line: complain([line]),
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(path: Path | None, health: Health) -> None:
    """A full disk costs the file, not the watch."""
    if path is None:
        return
    try:
        write(path, health)
    except UsageError as error:
        complain([str(error)])
