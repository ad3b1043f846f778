"""`serve`: the exporter for Prometheus."""

from pathlib import Path
from typing import Annotated, Any

import typer

from readycheck.cli import options as o
from readycheck.errors import UsageError

_WHO = "Who may ask"
_PROBE = "What a request may cost"


def serve(
    run_options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- RUN_OPTIONS",
            help="After two dashes: options of 'run' that hold for every run, such as --quick or --resolver.",
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="IP[:PORT]",
            help="Serve there. Other hosts reach only what is not loopback.",
            rich_help_panel=_WHO,
        ),
    ] = "127.0.0.1:10478",
    web_config: Annotated[
        Path | None,
        typer.Option(
            "--web-config",
            metavar="FILE",
            help="TLS and logins: tls_server_config and basic_auth_users, as other exporters have them.",
            rich_help_panel=_WHO,
        ),
    ] = None,
    fresh: Annotated[
        float,
        typer.Option(
            "--fresh",
            metavar="SECONDS",
            min=0,
            max=86_400,
            help="Give the answer of the last run again while it is younger: scrape often, run seldom.",
            rich_help_panel=_PROBE,
        ),
    ] = 0.0,
    timeout_offset: Annotated[
        float,
        typer.Option(
            "--timeout-offset",
            metavar="SECONDS",
            min=0,
            max=60,
            help="End a run that long before the scrape's timeout.",
            rich_help_panel=_PROBE,
        ),
    ] = 1.0,
    runs: Annotated[
        int,
        typer.Option(
            "--runs", metavar="N", min=1, max=100, help="Runs at once; others wait.", rich_help_panel=_PROBE
        ),
    ] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say where it serves.")] = False,
) -> None:
    """Serve metrics to Prometheus; a request is a run.

    It serves until it is told to stop: /probe in the pattern of the blackbox exporter, with target=, role=, set= and
    site= besides; /metrics about itself and the last runs; /-/healthy. Those who ask for the same at once get the
    answer of one run. A run ends before the scrape times out, and at the --deadline of RUN_OPTIONS at the latest; it is
    kept in the history as any other, unless RUN_OPTIONS have --no-store. Whoever reaches the port may start runs,
    unless --web-config has logins.
    """
    from readycheck.catalog import available
    from readycheck.cli.interrupt import Interruption
    from readycheck.cli.output import complain, tell_lines
    from readycheck.net.guard import is_loopback
    from readycheck.schedule.child import beyond_s
    from readycheck.web.access import Access, read_access
    from readycheck.web.exporter import PORT, serve_pages
    from readycheck.web.runs import Settings

    place = o.endpoint("--listen", listen, PORT)
    access = read_access(web_config) if web_config else Access()
    options = tuple(run_options or ())
    given = _parsed(options)
    folders = tuple(given["profile_dir"] or ())
    settings = Settings(
        options=options,
        deadline_s=given["deadline"],
        fresh_s=fresh,
        offset_s=timeout_offset,
        at_once=runs,
        beyond_s=beyond_s(given["idle"]),
    )
    shown = f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"

    def names() -> set[str]:
        return {name for name, _ in available(folders)}

    def ready() -> None:
        if not quiet:
            tell_lines(f"serving {'https' if access.tls else 'http'}://{shown}/")
        if not access.users and not is_loopback(place[0]):
            complain([f"whoever reaches {shown} may start runs; --web-config FILE asks for a login"])

    names()  # a folder that cannot be read is told now
    interruption = Interruption()
    with interruption.minded():
        interruption.run(
            lambda: serve_pages(
                settings,
                names,
                given["site"] or "",
                place,
                ready,
                lambda line: complain([line]),
                access,
            )
        )


def _parsed(options: tuple[str, ...]) -> dict[str, Any]:
    """What `run` makes of them. Raises what the command line's library does for those that it does not have."""
    from readycheck.cli.app import command

    # The last one of the arguments makes sure that those before it end as options.
    arguments = ["PROFILE", *options, "--quiet"]
    given: dict[str, Any] = command().commands["run"].make_context("readycheck run", arguments).params
    if given["format_"] is not o.Format.TEXT:
        raise UsageError("--format: the exporter has one of its own")
    return given
