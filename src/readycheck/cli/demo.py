"""`demo`: the same job against a stand-in world on this machine, with no network at all."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readycheck.cli import options as o
from readycheck.cli.output import screen, tell_lines
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.profile import Profile

_SHOWN = "webex-calling"
_WORLD = "The stand-in world"
_OWN = {"profile", "break_", "list_", "loopback", "edge_rules", "raw", "seed", "site", "store", "no_store"}


def demo(
    context: typer.Context,
    profile: o.ProfileName = _SHOWN,
    break_: Annotated[
        str,
        typer.Option(
            "--break", metavar="SCENARIO", help="Break the world in a known way.", rich_help_panel=_WORLD
        ),
    ] = "none",
    list_: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Name the scenarios, their causes and exit status; run nothing.",
            rich_help_panel=_WORLD,
        ),
    ] = False,
    loopback: Annotated[
        bool,
        typer.Option(
            "--loopback", help="Remapped loopback addresses, no namespaces.", rich_help_panel=_WORLD
        ),
    ] = False,
    edge_rules: Annotated[
        Path | None,
        typer.Option(
            "--edge-rules",
            metavar="FILE",
            help="Your own nftables rules on the edge: rehearse a change.",
            rich_help_panel=_WORLD,
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", hidden=True)] = False,
    profile_dir: o.ProfileDirs = None,
    role: o.Roles = None,
    only: o.Only = None,
    skip: o.Skip = None,
    set_: o.Values = None,
    site: o.Site = "twin",
    target: o.Targets = None,
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
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Run against a stand-in cloud; needs no network.

    The cloud is built from the profile on this machine, broken on request, and tested by the unmodified agent.
    """
    from readycheck.catalog import read
    from readycheck.cli.storing import store_at, storing_demo
    from readycheck.plan import DEFAULT_SEED
    from readycheck.twin.offer import filled
    from readycheck.twin.scenarios import SCENARIOS

    if break_ not in SCENARIOS:
        raise UsageError(f"--break {break_}: no such scenario (known: {', '.join(SCENARIOS)})")
    needs = read(profile, tuple(profile_dir or ()))
    given = o.pairs("--set", set_ or ())
    if list_:
        tell_lines(*_listing(filled(needs, given)))
        return 0
    arguments = ["run", profile, "--site", site or "twin", *_forwarded(context)]
    drawn = DEFAULT_SEED if seed is None else seed
    arguments += ["--seed", str(drawn)]
    arguments += _examples(needs, given)
    with storing_demo(store_at(store, no_store)) as beside:
        arguments += ["--no-store", *beside]
        status = _play(
            filled(needs, given), arguments, break_, drawn, loopback=loopback, edge_rules=edge_rules, raw=raw
        )
    if not status and SCENARIOS[break_].exit_status and not context.params["quiet"]:
        sys.stderr.write(f"readycheck: nothing that this run asks for is broken by {break_} (see --role)\n")
    return status


def _play(
    needs: "Profile",
    arguments: list[str],
    name: str,
    seed: int,
    *,
    loopback: bool,
    edge_rules: Path | None,
    raw: bool,
) -> int:
    from readycheck.twin import loopback as fallback
    from readycheck.twin import world
    from readycheck.twin.scenarios import SCENARIOS

    scenario = SCENARIOS[name]
    reason = None if loopback else world.available()
    if loopback or reason:
        if scenario.needs_namespaces:
            raise UsageError(f"--break {name}: needs namespaces{': ' + reason if reason else ''}")
        if edge_rules:
            raise UsageError(f"--edge-rules {edge_rules}: needs namespaces{': ' + reason if reason else ''}")
        if reason:
            sys.stderr.write(f"readycheck: {reason}; falling back to remapped loopback addresses\n")
        return fallback.run(needs, arguments, scenario=scenario, seed=seed)
    return world.run(needs, arguments, scenario=scenario, seed=seed, edge_rules=edge_rules, raw=raw)


def _examples(profile: "Profile", given: Mapping[str, str]) -> Iterator[str]:
    """The customer's own hosts stand in this world too, under the names of the profile's examples."""
    for name, placeholder in profile.placeholders.items():
        if placeholder.example and name not in given:
            yield from ("--set", f"{name}={placeholder.example}")


def _listing(profile: "Profile") -> list[str]:
    """Exit statuses of one product: another may not require what is broken."""
    from readycheck.twin.offer import read_offer
    from readycheck.twin.scenarios import SCENARIOS

    offer = read_offer(profile)
    shown = profile.name == _SHOWN
    rows = [("SCENARIO", "CAUSE", "EXIT", "WHAT IS BROKEN")]
    for each in SCENARIOS.values():
        missing = each.missing(offer)
        causes = "-" if missing else ", ".join(each.causes) or "none"
        rows.append((each.name, causes, str(each.exit_status), missing or each.summary))
    told = list(_table([row if shown else (*row[:2], row[3]) for row in rows]))
    if not shown:
        named = f"A run of {profile.name} names the cause if it asks for what is broken (see --role);"
        told += ["", named, "its exit status follows from what it requires."]
    return told


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """On a terminal the last column is folded into what the others leave of its width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + 2 * len(widths[:-1])
    room = max(20, (screen()[0] or sys.maxsize) - before)
    for row in rows:
        first, *rest = wrap(row[-1], room)
        yield "  ".join((*map(str.ljust, row[:-1], widths), first))
        yield from (" " * before + line for line in rest)


def _forwarded(context: typer.Context) -> Iterator[str]:
    """The options that are the agent's, as it would have been given them."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in _OWN or value in (None, (), [], False) or value == parameter.default:
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            yield parameter.opts[0]
            if not _is_flag(parameter):
                yield str(each)


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))
