"""The entry of a job, as each of those who wait for its time wants it. Pure."""

import json
import shlex
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from subprocess import list2cmdline
from xml.sax.saxutils import escape

from readycheck.errors import UsageError
from readycheck.schedule import calendar
from readycheck.schedule.job import MARK, Job

_STATE = "/var/lib/readycheck"
_WRITES = ("--output=", "--store=", "--alert-folder=")
_KEY = "--responder-key="


def service(job: Job, *, system: bool) -> str:
    command = [_unit_word(each) for each in job.command]
    rights = _template("rights.user").strip()
    if system:
        rights = system_rights(job.run_as, _folders(job))
        for place, each in enumerate(job.command):
            if each.startswith(_KEY):  # which its owner alone may read: systemd hands it on
                rights += f"\nLoadCredential=responder-key:{_specifiers(each.removeprefix(_KEY))}"
                command[place] = f"{_KEY}${{CREDENTIALS_DIRECTORY}}/responder-key"  # %d is of systemd 250
    return unit(
        "readycheck.service",
        subject=_specifiers(job.profile),
        command=" ".join(command),
        environment=_specifiers(job.environment),
        rights=rights,
        longest_s=job.longest_s,
    )


def unit(template: str, **values: object) -> str:
    """A service of texts that systemd takes as they are."""
    return _filled(template, **values)


def timer(subject: str, every: str, every_s: int) -> str:
    return _filled(
        "readycheck.timer",
        subject=subject,
        every=every,
        every_s=every_s,
        calendar=calendar.of_systemd(every_s),
    )


def system_rights(run_as: str | None = None, folders: Iterable[str] = ()) -> str:
    """Without a name, a user that exists only while a run lasts; one for all profiles, which share a folder."""
    user = f"User={run_as}" if run_as else "User=readycheck\nDynamicUser=yes"
    writes = "".join(f"\nReadWritePaths={_unit_word(folder)}" for folder in folders)
    return _template("rights.system").strip().format(user=user) + writes


def crontab_line(job: Job) -> str:
    """Two lines; the first one tells whose the second is. What a run says on stdout would be a mail each time."""
    command = shlex.join([*job.command, "--quiet"]) + " >/dev/null"
    if job.environment:  # read where it is there, as systemd does
        file = shlex.quote(job.environment)
        command = f"set -a; [ ! -r {file} ] || . {file}; {command}"
    if delay := job.offset_s % 60:
        command = f"sleep {delay}; {command}"
    if len(command) > 900:
        raise UsageError(
            "--kind cron: with its options the line is longer than cron takes; use a profile's own"
        )
    escaped = command.replace("%", r"\%")
    return f"# {MARK}: {job.name}\n{calendar.of_cron(job.every_s, job.offset_s)} {escaped}\n"


def task(job: Job) -> str:
    """For the task scheduler of Windows."""
    hours, rest = divmod(job.offset_s, 3600)
    program, *arguments = job.command
    return _filled(
        "task.xml",
        subject=escape(job.profile),
        start=f"2026-01-01T{hours:02}:{rest // 60:02}:{rest % 60:02}Z",
        longest_s=job.longest_s,
        interval=f"PT{job.every_s // 60}M" if job.every_s < 86_400 else "P1D",
        command=escape(program),
        arguments=escape(list2cmdline([*arguments, "--quiet"])),
    )


def cronjob(job: Job, image: str) -> str:
    """The agent's image; JSON is YAML, and `$(NAME)` would be a variable."""
    arguments = ["run", *job.arguments]
    return _filled(
        "cronjob.yaml",
        name=job.name,
        schedule=calendar.of_cron(job.every_s, job.offset_s),
        longest_s=job.longest_s,
        image=json.dumps(image),
        arguments=json.dumps([each.replace("$(", "$$(") for each in arguments]),
    )


def _folders(job: Job) -> list[str]:
    """What a run writes to besides its own folder; a user of the moment owns nothing there."""
    paths = [each.partition("=")[2] for each in job.arguments if each.startswith(_WRITES)]
    elsewhere = [path for path in paths if path != "none" and not PurePath(path).is_relative_to(_STATE)]
    if elsewhere and not job.run_as:
        raise UsageError(
            f"{elsewhere[0]}: only {_STATE} can be written to, unless --run-as names a user who may"
        )
    return list(dict.fromkeys(str(PurePath(path).parent) for path in elsewhere))


def _unit_word(text: str) -> str:
    """One word of a command line of systemd."""
    escaped = _specifiers(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    plain = text and all(character.isalnum() or character in "%-_./:=@,+" for character in text)
    return escaped if plain else f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _filled(template: str, **values: object) -> str:
    return _template(template).format(mark=MARK, **values)


@cache
def _template(name: str) -> str:
    return (files("readycheck.schedule") / "templates" / name).read_text("utf-8")
