"""`run`: the main job."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readycheck.cli import options as o
from readycheck.errors import ReadycheckError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from readycheck.cli.alerting import Alerting
    from readycheck.history.place import Place
    from readycheck.report import Report

STATUS = {"ready": 0, "warnings": 1, "not-ready": 2, "unknown": 3}


def run(
    profile: o.ProfileName,
    profile_dir: o.ProfileDirs = None,
    role: o.Roles = None,
    only: o.Only = None,
    skip: o.Skip = None,
    set_: o.Values = None,
    site: o.Site = None,
    target: o.Targets = None,
    responder: o.Responder = None,
    responder_key: o.ResponderKey = None,
    capacity: o.Capacity = None,
    idle: o.Idle = None,
    proxy: o.Proxy = "auto",
    resolver: o.Resolvers = None,
    trust_roots: o.TrustRoots = None,
    interface: o.Interface = None,
    source: o.SourceAddress = None,
    ipv4: o.IPv4 = False,
    ipv6: o.IPv6 = False,
    quick: o.Quick = False,
    thorough: o.Thorough = False,
    deadline: o.Deadline = 15.0,
    rate: o.Rate = 1000.0,
    no_controls: o.NoControls = False,
    seed: o.Seed = None,
    format_: o.OutputFormat = o.Format.TEXT,
    output: o.Outputs = None,
    store: o.Store = None,
    no_store: o.NoStore = False,
    baseline: o.Baseline = None,
    alert: o.Alerts = None,
    alert_quiet: o.AlertQuiet = None,
    alert_repeat: o.AlertRepeat = None,
    alert_folder: o.AlertFolder = None,
    otlp: o.Otlp = None,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    remap: Annotated[Path | None, typer.Option("--remap", hidden=True)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", hidden=True)] = False,
) -> int:
    """Test whether this network carries a product.

    Probes what the profile asks for, judges it, names the cause of what is wrong, and scores it.
    """
    from readycheck.assess import assess
    from readycheck.cli.interrupt import Interruption
    from readycheck.cli.output import complain
    from readycheck.cli.setting import Setting, check, prepare
    from readycheck.cli.storing import remembered, store_at, stored
    from readycheck.cli.telemetry import telemetry
    from readycheck.net.guard import refuse_outside
    from readycheck.render.progress import Display

    refuse_outside()
    setting = Setting(
        profile=profile,
        profile_dirs=tuple(profile_dir or ()),
        roles=tuple(role or ()),
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        targets=o.nodes("--target", target or ()),
        values=o.pairs("--set", set_ or ()),
        proxy=proxy,
        responder=o.responder("--responder", responder),
        responder_key=o.key("--responder-key", responder_key),
        capacity=capacity,
        idle_minutes=idle,
        resolvers=tuple(o.endpoint("--resolver", text, 53) for text in resolver or ()),
        trust_roots=tuple(trust_roots or ()),
        interface=interface,
        source=source,
        family=o.family(ipv4, ipv6),
        site=o.label("--site", site),
        effort=_effort(quick, thorough),
        deadline_s=deadline,
        rate=rate,
        controls=not no_controls,
        seed=seed,
        remap=remap,
    )
    outputs = _outputs(output or [])
    place = store_at(store, no_store)
    people = _alerting(alert or [], alert_quiet, alert_folder, alert_repeat)
    send = telemetry(otlp)
    if dry_run:
        _earlier(baseline, setting.site, check(setting), place)
        complain(people.troubles if people else ())
        return 0
    request, network, environment = prepare(setting)
    request = replace(request, remembered=remembered(request.profile.name, setting.site, place))
    earlier = _earlier(baseline, setting.site, request.profile.name, place)
    interruption = Interruption()
    with interruption.minded():
        if people:
            people.begin(request.run_id, setting.site)
        silent = quiet or format_ is o.Format.NAGIOS  # check_by_ssh takes words on stderr for a failure
        with Display(request.profile.title, quiet=silent, verbose=verbose and not silent) as display:
            report = interruption.run(lambda: assess(request, network(), environment, display))
        report = earlier(report)
        with stored(report, place):
            _tell(report, format_, verbose, outputs)
        if people:
            people.tell(report)
        send(report)
    return STATUS[report.verdict.value]


def _alerting(
    urls: list[str], quiet: str | None, folder: Path | None, repeat: str | None
) -> "Alerting | None":
    """Who is to be told."""
    if not urls and quiet is None and repeat is None:
        return None
    from readycheck.cli.alerting import alerting

    return alerting(urls, quiet, folder, repeat)


def _earlier(
    text: str | None, site: str | None, profile: str, place: "Place | None"
) -> "Callable[[Report], Report]":
    """What tells the report what changed since the baseline; refused before the run if there is none to be had."""
    if text is None:
        return lambda report: report
    from readycheck.cli.baseline import compared, find

    before = find(text, site=site, profile=profile, place=place)
    return lambda report: compared(report, before)


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


def _tell(report: "Report", format_: o.Format, verbose: bool, outputs: list[tuple[Path, str]]) -> None:
    """To stdout first: a disk that has become full since must not cost the report."""
    from readycheck.cli.output import tell
    from readycheck.render import FORMATS
    from readycheck.render.files import write_beside

    @cache
    def written(kind: str) -> str:
        return FORMATS[kind](report)

    tell(_text(report, verbose) if format_ is o.Format.TEXT else written(format_.value))
    troubles = []
    for path, kind in outputs:
        try:
            write_beside(path, written(kind))
        except UsageError as error:
            troubles.append(str(error))
    if troubles:
        raise ReadycheckError("; ".join(troubles))


def _text(report: "Report", verbose: bool) -> str:
    from readycheck.cli.output import screen
    from readycheck.render.text import render

    width, colour = screen()
    return render(report, width=width or 100, colour=colour, verbose=verbose)
