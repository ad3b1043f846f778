"""`schedule`: entries for those who wait for the time: systemd, cron, Windows, Kubernetes."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.forwarding import WithRunOptions, given
from readycheck.cli.output import complain, tell, tell_lines
from readycheck.cli.watch import Every, usable
from readycheck.errors import UsageError
from readycheck.schedule import entries
from readycheck.schedule.calendar import refuse_uneven
from readycheck.schedule.child import SINGLE_FILE, beyond_s, program
from readycheck.schedule.grid import interval, offset
from readycheck.schedule.job import SECRETS, USUALLY_LONGEST_S, Job, name_of, without_secrets
from readycheck.schedule.placing import PROGRAMS, of_kind

_ENTRY = "Which entry"
_SYSTEMD_RUNS = Path("/run/systemd/system")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")
_PROXIES = ("https_proxy", "http_proxy", "all_proxy")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

app = typer.Typer(
    help="Write the entry that has runs come back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class Kind(StrEnum):
    SYSTEMD = "systemd"
    CRON = "cron"
    WINDOWS = "windows"
    KUBERNETES = "kubernetes"


KindOption = Annotated[
    Kind | None,
    typer.Option(
        "--kind", metavar="KIND", help=f"{', '.join(Kind)} (default: what fits).", rich_help_panel=_ENTRY
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="Of the entry (default: readycheck-PROFILE).", rich_help_panel=_ENTRY
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what another has written.", rich_help_panel=_ENTRY)
]


@app.command("install", cls=WithRunOptions)
def install(
    context: typer.Context,
    profile: o.ProfileName,
    every: Every = "15m",
    kind: KindOption = None,
    name: Name = None,
    print_: Annotated[
        bool,
        typer.Option("--print", help="Only show it; what is secret is left out.", rich_help_panel=_ENTRY),
    ] = False,
    force: Force = False,
    run_as: Annotated[
        str | None,
        typer.Option(
            "--run-as",
            metavar="USER",
            help="Who runs it (systemd, as root; default: a user of the moment).",
            rich_help_panel=_ENTRY,
        ),
    ] = None,
    image: Annotated[
        str,
        typer.Option(
            "--image", metavar="IMAGE", help="The agent's image (kubernetes).", rich_help_panel=_ENTRY
        ),
    ] = "readycheck",
) -> int:
    """Write a timer, a line of the crontab, a task or a CronJob.

    It runs 'readycheck run' with the options given here, at a time of its own for each site. URLs of --alert, --store,
    --proxy and --otlp that may hold a password go into a file that its owner alone can read.
    """
    chosen = kind or _fitting()
    here = chosen is not Kind.KUBERNETES
    arguments = given(context, absolute=here)
    job = _job(context, profile, every, chosen, name, run_as, arguments)
    if print_:
        tell("\n".join(_texts(job, chosen, image)))
        return 0
    if not here:
        raise UsageError("--kind kubernetes: only with --print, for 'kubectl apply -f -'")
    _refuse_absent(chosen)
    if chosen is Kind.SYSTEMD and _is_root():
        _refuse_hidden(job)
    if not usable(arguments):
        return 3  # why not is said
    tell_lines(*of_kind(chosen, _is_root()).install(job, force))
    _remarks(chosen, arguments)
    return 0


@app.command("remove")
def remove(profile: o.ProfileName, kind: KindOption = None, name: Name = None, force: Force = False) -> None:
    """Take an entry away again."""
    chosen, called = kind or _fitting(), _called(profile, name)
    if chosen is Kind.KUBERNETES:
        raise UsageError("--kind kubernetes: 'kubectl delete cronjob,pvc' does that")
    tell_lines(*of_kind(chosen, _is_root()).remove(called, _environment(called), force))


@app.command("show")
def show(kind: KindOption = None) -> None:
    """List the entries that were written here, and when they are due."""
    usual = [Kind.WINDOWS] if platform.system() == "Windows" else [Kind.SYSTEMD, Kind.CRON]
    if kind is Kind.KUBERNETES:
        raise UsageError("--kind kubernetes: 'kubectl get cronjob' does that")
    kinds = [kind] if kind else [each for each in usual if shutil.which(PROGRAMS[each])]
    found = [line for each in kinds for line in of_kind(each, _is_root()).show()]
    tell_lines(*found or ["nothing was scheduled here"])


def _job(
    context: typer.Context,
    profile: str,
    every: str,
    kind: Kind,
    name: str | None,
    run_as: str | None,
    arguments: Sequence[str],
) -> Job:
    every_s, deadline_s, idle = interval("--every", every), context.obj["deadline"], context.obj["idle"]
    refuse_uneven("--every", every, every_s)
    if deadline_s >= every_s:
        raise UsageError(f"--deadline {deadline_s:g}: not shorter than --every {every}")
    if idle and deadline_s + 60 * idle >= every_s:
        raise UsageError(f"--idle {idle}: with the rest of a run not shorter than --every {every}")
    system = kind is Kind.SYSTEMD and _is_root()
    if run_as is not None and not (system and _USER.fullmatch(run_as)):
        raise UsageError(f"--run-as {run_as}: a user's name, for systemd and as root only")
    called = _called(profile, name)
    kept, secrets = without_secrets(arguments, os.environ)
    if secrets and kind is Kind.WINDOWS:
        raise UsageError(
            f"--kind windows: set {' and '.join(secrets)} as variables of the system, not as options"
        )
    return Job(
        name=called,
        profile=profile,
        every=every,
        every_s=every_s,
        offset_s=offset(o.label("--site", context.obj["site"]) or platform.node(), profile, every_s),
        program=_program(),
        arguments=kept,
        secrets=secrets,
        environment=str(_environment(called)),
        run_as=run_as,
        longest_s=max(USUALLY_LONGEST_S, ceil(deadline_s + beyond_s(idle))),
    )


def _called(profile: str, name: str | None) -> str:
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--name {name}: not of up to 41 small letters, digits and hyphens")
    return name_of(name or profile)


def _texts(job: Job, kind: Kind, image: str) -> Iterator[str]:
    hidden = "".join(f"# {name} goes into {job.environment}\n" for name in job.secrets)
    match kind:
        case Kind.SYSTEMD:
            yield hidden + f"# {job.name}.service\n" + entries.service(job, system=_is_root())
            yield f"# {job.name}.timer\n" + entries.timer(job.profile, job.every, job.every_s)
        case Kind.CRON:
            yield hidden + entries.crontab_line(job)
        case Kind.WINDOWS:
            yield entries.task(job)
        case Kind.KUBERNETES:
            hidden = "".join(f"# {name} belongs into the secret {job.name}\n" for name in job.secrets)
            yield hidden + entries.cronjob(job, image)


def _remarks(kind: Kind, arguments: Sequence[str]) -> None:
    """What a person would find out too late."""
    told = {each.partition("=")[0] for each in arguments}
    options = SECRETS | {name: "--proxy" for name in os.environ if name.lower() in _PROXIES}
    left = [name for name in options if name in os.environ and options[name] not in told]
    complain(f"{name} of this shell is not carried over; give {options[name]}" for name in left)
    if kind is Kind.SYSTEMD and not _is_root():
        complain(
            ["a user's timers rest while the user is logged out, unless 'loginctl enable-linger' was called"]
        )


def _refuse_absent(kind: Kind) -> None:
    if kind is Kind.SYSTEMD and not _SYSTEMD_RUNS.exists():
        raise UsageError("--kind systemd: it does not run here; --print shows the units")
    if not shutil.which(PROGRAMS[kind]):
        raise UsageError(f"--kind {kind}: there is no {PROGRAMS[kind]} here; --print shows the entry")


def _fitting() -> Kind:
    if platform.system() == "Windows":
        return Kind.WINDOWS
    return Kind.SYSTEMD if _SYSTEMD_RUNS.exists() else Kind.CRON


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _environment(name: str) -> Path:
    folder = Path("/etc/readycheck") if _is_root() else Path("~/.config/readycheck").expanduser()
    return folder / f"{name}.env"


def _program() -> tuple[str, ...]:
    """How this program was called, from everywhere."""
    script = Path(sys.argv[0]).absolute()
    is_command = script.name.startswith("readycheck") and script.suffix != SINGLE_FILE
    return (str(script),) if is_command else program()


def _refuse_hidden(job: Job) -> None:
    """A unit of the system sees nobody's home, and a /tmp of its own. systemd hands a key on."""
    for word in job.command:
        path = word.partition("=")[2] if word.startswith("--") else word
        path = path.removeprefix("pac:").removeprefix("command:")
        if path.startswith(_HIDDEN) and not word.startswith("--responder-key="):
            raise UsageError(
                f"{path}: out of sight of the system's units; put it into /opt or /etc/readycheck"
            )
