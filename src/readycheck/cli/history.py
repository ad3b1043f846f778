"""`history list`, `show`, `diff`, `trend`, `export`, `check` and `prune`."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import complain, screen, tell, tell_lines
from readycheck.errors import ReadycheckError, UsageError

if TYPE_CHECKING:
    from readycheck.history.place import Place
    from readycheck.history.store import Store, Wanted
    from readycheck.history.summary import Summary

app = typer.Typer(
    help="Look into the runs that are kept.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_AGE = re.compile(r"([0-9]{1,5})([hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 366 * 24}
_MOST, _SHOWN = 1_000_000, 10


Site = Annotated[str | None, typer.Option("--site", metavar="NAME", help="Only runs of this site.")]
Product = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Only runs of this profile.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="AGE", help="Only runs of the last 12h, 30d, 8w or 1y.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="'last', or the beginning of a run's id.")]


@app.command("list")
def list_runs(
    site: Site = None,
    profile: Product = None,
    since: Since = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=_MOST, help="At most so many, the newest.")
    ] = 20,
    format_: o.TableFormat = o.Table.TEXT,
    store: o.Store = None,
) -> None:
    """List runs, the newest to arrive first."""
    from readycheck.history import listing
    from readycheck.history.store import opened

    wanted = _wanted(site, profile, since)
    with opened(_place(store)) as stored:
        runs = stored.recent(wanted, count)
    made = {o.Table.TEXT: listing.table, o.Table.JSON: listing.table_json, o.Table.CSV: listing.table_csv}
    tell(made[format_](runs))


@app.command()
def show(
    run: RunName = "last",
    rejudge: Annotated[
        bool,
        typer.Option("--rejudge", help="Judge it again by the rules of this version; nothing is probed."),
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="PROFILE", help="Judge it again by this revision of its profile."),
    ] = None,
    profile_dir: o.ProfileDirs = None,
    format_: o.OutputFormat = o.Format.TEXT,
    verbose: o.InFull = False,
    store: o.Store = None,
) -> None:
    """Show a run as it was reported, or judged again."""
    from readycheck.catalog import read
    from readycheck.cli.run import _text
    from readycheck.history.again import judge_again
    from readycheck.history.store import opened
    from readycheck.render import FORMATS

    newer = read(profile, tuple(profile_dir or ())) if profile else None
    with opened(_place(store)) as stored:
        report = stored.report(stored.find(run))
    if rejudge or newer:
        report = judge_again(report, newer)
    tell(_text(report, verbose) if format_ is o.Format.TEXT else FORMATS[format_.value](report))


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(metavar="[BEFORE]", help="A run's id.")] = None,
    after: Annotated[str | None, typer.Argument(metavar="[AFTER]", help="A run's id, or 'last'.")] = None,
    site: Site = None,
    profile: Product = None,
    format_: o.TableFormat = o.Table.TEXT,
    verbose: o.InFull = False,
    store: o.Store = None,
) -> None:
    """Say what changed between two runs, and what else changed with it.

    Without names: the last two of the same site and profile. With one: from that run to the last like it.
    """
    from readycheck.cli.compare import tell_both
    from readycheck.history.store import opened

    with opened(_place(store)) as stored:
        first, second = _pair(stored, before, after, _wanted(site, profile, None))
        runs = stored.report(first), stored.report(second)
    tell_both(*runs, format_.value, verbose)


def _pair(
    stored: "Store", before: str | None, after: str | None, wanted: "Wanted"
) -> tuple["Summary", "Summary"]:
    if before is not None and after is not None:
        return stored.find(before), stored.find(after)
    if before is not None:
        named = stored.find(before)
        (last,) = stored.recent(_like(named), 1)
        if last.id == named.id:
            raise UsageError(f"run {named.id[:8]}: there is no later one of its site and profile")
        return named, last
    newest = stored.recent(wanted, 1)
    if not newest:
        raise UsageError(f"no such run in {stored.place.shown}")
    two = stored.recent(_like(newest[0]), 2)
    if len(two) < 2:
        raise UsageError(
            f"only one run of profile '{newest[0].profile}' at this site: nothing to compare with"
        )
    return two[1], two[0]


def _like(run: "Summary") -> "Wanted":
    from readycheck.history.store import Wanted

    return Wanted(site=run.site, profile=run.profile)


@app.command()
def trend(
    number: Annotated[
        str,
        typer.Argument(metavar="NUMBER", help="'score', 'coverage', an area's or a requirement's number."),
    ] = "score",
    site: Site = None,
    profile: Product = None,
    since: Since = "90d",
    plot: Annotated[bool, typer.Option("--plot", help="A plot instead of a line.")] = False,
    names: Annotated[bool, typer.Option("--names", help="List the numbers that the last run has.")] = False,
    format_: o.TableFormat = o.Table.TEXT,
    store: o.Store = None,
) -> None:
    """Show one number over time.

    Of the site and profile of the last run, unless others are named.
    """
    from readycheck.history import listing
    from readycheck.history.store import Wanted, opened

    wanted = _wanted(site, profile, since)
    with opened(_place(store)) as stored:
        newest = stored.recent(wanted, 1)
        if not newest:
            raise UsageError(f"no such run in {stored.place.shown}")
        if names:
            tell_lines(*newest[0].numbers)
            return
        one = Wanted(site=newest[0].site, profile=newest[0].profile, since_ms=wanted.since_ms)
        points = stored.series(one, number)
    if not any(value is not None for _, value in points) and number not in newest[0].numbers:
        raise UsageError(
            f"{number}: no run has such a number ('readycheck history trend --names' lists them)"
        )
    if format_ is o.Table.TEXT:
        tell(listing.trend(number, points, screen()[0] or 80, plotted=plot))
    else:
        tell((listing.trend_json if format_ is o.Table.JSON else listing.trend_csv)(number, points))


@app.command()
def export(run: RunName = "last", otlp: o.Otlp = None, store: o.Store = None) -> None:
    """Send trace and metrics of a run to an OpenTelemetry collector.

    Again, or later: a run has the same ids whenever it is sent.
    """
    import os

    from readycheck.history.store import opened
    from readycheck.telemetry.attribute import trace_id
    from readycheck.telemetry.collector import OPTION, collector

    to = collector(otlp, os.environ)
    if to is None:
        raise UsageError(f"{OPTION} or OTEL_EXPORTER_OTLP_ENDPOINT is to say where")
    with opened(_place(store)) as stored:
        report = stored.report(stored.find(run))
    if troubles := to.send(report):
        raise ReadycheckError("; ".join(troubles))
    tell_lines(f"run {report.run.id[:8]} is sent: trace {trace_id(report)}")


@app.command()
def check(
    salvage: Annotated[
        Path | None,
        typer.Option("--salvage", metavar="FILE", help="Save what can be read into this new database."),
    ] = None,
    store: o.Store = None,
) -> None:
    """Read every run, and tell what is damaged.

    Also what waits to be stored. Nothing is repaired by itself.
    """
    from readycheck.history.salvage import examine
    from readycheck.history.spool import of
    from readycheck.history.store import opened

    place = _place(store)
    if salvage is not None:
        _salvage(place, salvage)
        return
    waiting = of(place)
    if waiting.waiting():
        tell_lines(f"{waiting.told()}; the next run that is stored takes along what waits")
    aside = waiting.aside()
    if len(aside) > _SHOWN:
        tell_lines(f"{len(aside)} runs are set aside in {waiting.folder}; the last ones:")
    tell_lines(*(f"set aside, with the reason beside it: {path}" for path in aside[-_SHOWN:]))
    with opened(place) as stored:
        health = examine(stored)
    if health.troubles:
        complain(health.troubles)
        raise ReadycheckError(f"{place.shown}: damaged; --salvage FILE saves what can be read")
    tell_lines(f"{place.shown}: {health.runs} runs, {health.kept} with their reports, all readable")


def _salvage(place: "Place", to: Path) -> None:
    from readycheck.history.place import place_of
    from readycheck.history.salvage import salvage

    if place.file is None:
        raise UsageError(f"--salvage {to}: only for a file; a server has tools of its own")
    found = salvage(place.file, place_of(str(to.absolute())))
    if not found.reports + found.summaries:
        to.unlink(missing_ok=True)
        raise ReadycheckError(f"{place.shown}: nothing of a run can be read in it; it is left as it is")
    tell_lines(
        f"{to}: {found.reports} runs saved whole, {found.summaries} without their reports, {found.lost} lost; "
        f"{place.shown} is as it was: move it away and put the new file in its place"
    )


@app.command()
def prune(
    keep: Annotated[
        str, typer.Option("--keep", metavar="AGE", help="Keep the reports of the last 12h, 30d, 8w or 1y.")
    ] = "90d",
    site: Site = None,
    profile: Product = None,
    store: o.Store = None,
) -> None:
    """Drop the reports of old runs.

    A line for each stays, with its verdict, causes and numbers.
    """
    from readycheck.history.store import opened

    wanted = replace(_wanted(site, profile, None), until_ms=_ago("--keep", keep))
    place = _place(store)
    with opened(place):
        pass  # what is not there is not made
    with opened(place, writing=True) as stored:
        gone = stored.prune(wanted)
        runs, kept = stored.counts()
    tell_lines(f"{place.shown}: {gone} reports dropped; {runs} runs, {kept} with their reports")


def _place(store: str | None) -> "Place":
    from readycheck.cli.storing import store_at

    place = store_at(store)
    if place is None:
        raise UsageError("--store none: there are no runs")
    return place


def _wanted(site: str | None, profile: str | None, since: str | None) -> "Wanted":
    from readycheck.history.store import Wanted

    site, profile = o.label("--site", site), o.label("--profile", profile)
    return Wanted(site=site, profile=profile, since_ms=_ago("--since", since) if since else None)


def _ago(option: str, age: str) -> int:
    from time import time

    found = _AGE.fullmatch(age)
    if not found:
        raise UsageError(f"{option} {age}: not an age as 12h, 30d, 8w or 1y")
    return round((time() - int(found[1]) * _HOURS[found[2]] * 3600) * 1000)
