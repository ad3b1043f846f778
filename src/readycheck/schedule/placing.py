"""Where entries are put: files of systemd, a crontab, the tasks of Windows. What is another's is left alone."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from readycheck.errors import ReadycheckError, UsageError
from readycheck.render.files import write_beside
from readycheck.schedule import entries
from readycheck.schedule.job import MARK, Job, text_of

_TIMEOUT_S = 60.0


class Call(Protocol):
    """Runs a program; returns its status, stdout and stderr."""

    def __call__(self, *command: str, text: str | None = None) -> tuple[int, str, str]: ...


def call(*command: str, text: str | None = None) -> tuple[int, str, str]:
    try:
        ended = subprocess.run(
            command, input=text or "", capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReadycheckError(f"{command[0]}: {getattr(error, 'strerror', None) or 'no answer'}") from None
    return ended.returncode, ended.stdout, ended.stderr


@dataclass(frozen=True, slots=True)
class Systemd:
    units: Path
    system: bool
    call: Call = call

    def install(self, job: Job, force: bool) -> list[str]:
        """All files, or none of them; the timer is enabled and started."""
        wanted = self._texts(job)
        changed = {path: text for path, text in wanted.items() if _read(path) != text}
        _refuse_strangers(changed, force)
        before = {path: _read(path) for path in changed}
        try:
            for path, text in changed.items():
                _write(path, text, secret=path.suffix == ".env")
            self._ctl("daemon-reload")
            self._ctl("enable", "--now", f"{job.name}.timer")
        except (ReadycheckError, OSError):
            _restore(before)
            raise
        told = [f"{'wrote' if path in changed else 'unchanged'} {path}" for path in wanted]
        return [*told, *_left_in_force(job)]

    def remove(self, name: str, environment: Path, force: bool) -> list[str]:
        paths = [self.units / f"{name}.timer", self.units / f"{name}.service"]
        found = [path for path in paths if _read(path) is not None]
        if not found:
            raise UsageError(f"{name}: there is no such timer in {self.units}")
        _refuse_strangers(found, force)
        self._ctl("disable", "--now", f"{name}.timer")
        for path in found:
            path.unlink()
        self._ctl("daemon-reload")
        return [*(f"removed {path}" for path in found), *_without_environment(environment)]

    def show(self) -> Iterator[str]:
        for path in sorted(self.units.glob("readycheck-*.timer")):
            if MARK in (_read(path) or ""):
                _, told, _ = self._ask("list-timers", "--all", "--no-legend", "--no-pager", path.name)
                yield f"{path}: {' '.join(told.split()) or 'not loaded'}"

    def _texts(self, job: Job) -> dict[Path, str]:
        secret = {Path(job.environment): text_of(job.secrets)} if job.secrets else {}
        return secret | {
            self.units / f"{job.name}.service": entries.service(job, system=self.system),
            self.units / f"{job.name}.timer": entries.timer(job.profile, job.every, job.every_s),
        }

    def _ctl(self, *words: str) -> None:
        status, _, complaint = self._ask(*words)
        if status:
            raise ReadycheckError(f"systemctl {' '.join(words)}: {complaint.strip() or f'status {status}'}")

    def _ask(self, *words: str) -> tuple[int, str, str]:
        return self.call("systemctl", *(() if self.system else ("--user",)), *words)


@dataclass(frozen=True, slots=True)
class Crontab:
    """Of the user who calls."""

    call: Call = call

    def install(self, job: Job, force: bool) -> list[str]:
        lines = self._lines()
        if any(_is_same_job(line, job) for line in _without(lines, job.name)) and not force:
            raise UsageError(
                f"the crontab has a line for {job.profile} that was not written by this; --force adds one"
            )
        wanted = [*_without(lines, job.name), *entries.crontab_line(job).splitlines()]
        secret = {Path(job.environment): text_of(job.secrets)} if job.secrets else {}
        changed = {path: text for path, text in secret.items() if _read(path) != text}
        _refuse_strangers(changed, force)
        before = {path: _read(path) for path in changed}
        try:
            for path, text in changed.items():
                _write(path, text, secret=True)
            if wanted != lines:
                self._replace(wanted)
        except (ReadycheckError, OSError):
            _restore(before)
            raise
        told = [f"{'wrote' if path in changed else 'unchanged'} {path}" for path in secret]
        line = f"{'unchanged' if wanted == lines else 'wrote'} crontab: {wanted[-1]}"
        return [*told, line, *_left_in_force(job)]

    def remove(self, name: str, environment: Path, force: bool) -> list[str]:
        lines = self._lines()
        kept = _without(lines, name)
        if kept == lines:
            raise UsageError(f"{name}: there is no such line in the crontab")
        self._replace(kept)
        return [f"removed crontab: {name}", *_without_environment(environment)]

    def show(self) -> Iterator[str]:
        lines = self._lines()
        for head, line in pairwise(lines):
            if head.startswith(f"# {MARK}: "):
                yield f"crontab: {line}"

    def _lines(self) -> list[str]:
        status, told, complaint = self.call("crontab", "-l")
        if status and "no crontab" not in complaint:
            raise ReadycheckError(f"crontab -l: {complaint.strip() or f'status {status}'}")
        return told.splitlines() if not status else []

    def _replace(self, lines: list[str]) -> None:
        status, _, complaint = self.call("crontab", "-", text="".join(f"{line}\n" for line in lines))
        if status:
            raise ReadycheckError(f"crontab: {complaint.strip() or f'status {status}'}")


@dataclass(frozen=True, slots=True)
class Tasks:
    """Of Windows; needs an administrator."""

    call: Call = call

    def install(self, job: Job, force: bool) -> list[str]:
        status, told, _ = self.call("schtasks", "/Query", "/TN", job.name, "/XML")
        if not status and MARK not in told and not force:
            raise UsageError(f"the task {job.name} was not written by this; --force replaces it")
        with tempfile.TemporaryDirectory(prefix="readycheck-") as folder:
            file = Path(folder) / "task.xml"
            file.write_text(entries.task(job), encoding="utf-8")
            self._do("/Create", "/TN", job.name, "/XML", str(file), "/F")
        return [f"wrote task {job.name}"]

    def remove(self, name: str, environment: Path, force: bool) -> list[str]:
        status, told, _ = self.call("schtasks", "/Query", "/TN", name, "/XML")
        if status:
            raise UsageError(f"{name}: there is no such task")
        if MARK not in told and not force:
            raise UsageError(f"the task {name} was not written by this; --force removes it")
        self._do("/Delete", "/TN", name, "/F")
        return [f"removed task {name}"]

    def show(self) -> Iterator[str]:
        _, told, _ = self.call("schtasks", "/Query", "/FO", "CSV", "/NH")
        yield from (line for line in told.splitlines() if "readycheck-" in line)

    def _do(self, *words: str) -> None:
        status, _, complaint = self.call("schtasks", *words)
        if status:
            raise ReadycheckError(f"schtasks {words[0]}: {complaint.strip() or f'status {status}'}")


Placing = Systemd | Crontab | Tasks


def _left_in_force(job: Job) -> list[str]:
    """Variables of an earlier call, or of whoever deploys: they are read all the same."""
    left = not job.secrets and job.environment and _read(Path(job.environment)) is not None
    return [f"in force as before: {job.environment}"] if left else []


def _without_environment(path: Path) -> list[str]:
    text = _read(path)
    if text is None:
        return []
    if MARK not in text:
        return [f"left as it is: {path}"]
    path.unlink()
    return [f"removed {path}"]


def _is_same_job(line: str, job: Job) -> bool:
    return not line.startswith("#") and "readycheck" in line and f" run {job.arguments[0]}" in line


def _without(lines: list[str], name: str) -> list[str]:
    """The lines of all others."""
    kept, own = [], False
    for line in lines:
        if not own and line != f"# {MARK}: {name}":
            kept.append(line)
        own = line == f"# {MARK}: {name}"
    return kept


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def _refuse_strangers(paths: Mapping[Path, str] | list[Path], force: bool) -> None:
    for path in paths:
        text = _read(path)
        if text is not None and MARK not in text and not force:
            raise UsageError(f"{path} was not written by this; --force replaces it")


def _write(path: Path, text: str, *, secret: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    before = os.umask(0o077 if secret else 0o022)
    try:
        write_beside(path, text, option="schedule install:")
    finally:
        os.umask(before)


def _restore(before: Mapping[Path, str | None]) -> None:
    for path, text in before.items():
        with suppress(OSError, ReadycheckError):
            if text is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, text, secret=path.suffix == ".env")


PROGRAMS = {"systemd": "systemctl", "cron": "crontab", "windows": "schtasks"}


def of_kind(kind: str, system: bool) -> Placing:
    if kind == "systemd":
        units = Path("/etc/systemd/system") if system else Path("~/.config/systemd/user").expanduser()
        return Systemd(units, system)
    return Crontab() if kind == "cron" else Tasks()
