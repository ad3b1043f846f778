"""Where entries are put, what is left alone, and what is taken back when it fails."""

import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from readycheck.errors import ReadycheckError, UsageError
from readycheck.schedule.entries import crontab_line
from readycheck.schedule.job import MARK, Job
from readycheck.schedule.placing import Crontab, Systemd, Tasks, call, of_kind

JOB = Job(
    name="readycheck-webex",
    profile="webex",
    every="15m",
    every_s=900,
    offset_s=420,
    program=("/opt/readycheck/bin/readycheck",),
    arguments=("webex",),
)
OTHERS = "MAILTO=root\n# mine\n5 * * * * backup\n"


@dataclass
class Host:
    """Answers for systemctl, crontab and schtasks; `fails` names the word that one of them does not take."""

    crontab: str | None = OTHERS
    tasks: dict[str, str] = field(default_factory=dict)
    fails: str = ""
    called: list[str] = field(default_factory=list)

    def call(self, *command: str, text: str | None = None) -> tuple[int, str, str]:
        self.called.append(" ".join(command))
        if self.fails and self.fails in command:
            return 1, "", f"{self.fails} is not permitted\n"
        if command == ("crontab", "-l"):
            return (0, self.crontab, "") if self.crontab is not None else (1, "", "no crontab for me\n")
        if command == ("crontab", "-"):
            self.crontab = text
        if command[0] == "schtasks":
            return self._task(*command[1:])
        return 0, "", ""

    def _task(self, verb: str, *words: str) -> tuple[int, str, str]:
        name = words[1]
        if verb == "/Query":
            return (0, self.tasks[name], "") if name in self.tasks else (1, "", "not found")
        if verb == "/Create":
            self.tasks[name] = Path(words[3]).read_text("utf-8")
        else:
            del self.tasks[name]
        return 0, "", ""


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    environment = str(tmp_path / "etc" / "readycheck-webex.env")
    return replace(JOB, environment=environment, secrets={"READYCHECK_ALERT": "slack://t"})


@pytest.fixture
def systemd(tmp_path: Path, host: Host) -> Systemd:
    return Systemd(tmp_path / "units", True, host.call)


def test_units_and_the_timer_that_starts_at_once(systemd: Systemd, job: Job, host: Host) -> None:
    told = systemd.install(job, False)
    assert [line.partition(" ")[0] for line in told] == ["wrote"] * 3
    assert host.called == ["systemctl daemon-reload", "systemctl enable --now readycheck-webex.timer"]
    mode = {path.name: stat.S_IMODE(path.stat().st_mode) for path in systemd.units.iterdir()}
    assert mode == {"readycheck-webex.service": 0o644, "readycheck-webex.timer": 0o644}
    assert stat.S_IMODE(Path(job.environment).stat().st_mode) == 0o600
    assert not any("slack" in path.read_text() for path in systemd.units.iterdir())
    assert all(line.startswith("unchanged") for line in systemd.install(job, False))


def test_secrets_that_are_left_from_before_are_told_of(systemd: Systemd, job: Job) -> None:
    assert len(systemd.install(replace(job, secrets={}), False)) == 2
    systemd.install(job, False)
    assert systemd.install(replace(job, secrets={}), False)[2:] == [f"in force as before: {job.environment}"]


@pytest.mark.parametrize("word", ["daemon-reload", "enable"])
def test_what_systemd_does_not_take_is_taken_back(word: str, systemd: Systemd, job: Job, host: Host) -> None:
    host.fails = word
    with pytest.raises(ReadycheckError, match=f"^systemctl {word}.*: {word} is not permitted$"):
        systemd.install(job, False)
    assert not list(systemd.units.iterdir()) and not Path(job.environment).exists()
    host.fails = ""
    systemd.install(job, False)
    before = {path: path.read_text() for path in systemd.units.iterdir()}
    host.fails = word
    with pytest.raises(ReadycheckError):
        systemd.install(replace(job, arguments=("webex", "--quick")), False)
    assert {path: path.read_text() for path in systemd.units.iterdir()} == before


def test_a_unit_of_another_is_left_alone(systemd: Systemd, job: Job, host: Host) -> None:
    systemd.units.mkdir()
    (systemd.units / "readycheck-webex.timer").write_text("# mine\n")
    with pytest.raises(
        UsageError, match=r"readycheck-webex\.timer was not written by this; --force replaces it"
    ):
        systemd.install(job, False)
    assert [path.read_text() for path in systemd.units.iterdir()] == ["# mine\n"] and not host.called
    systemd.install(job, True)
    assert MARK in (systemd.units / "readycheck-webex.timer").read_text()


def test_units_go_again(systemd: Systemd, job: Job, host: Host) -> None:
    with pytest.raises(UsageError, match="there is no such timer"):
        systemd.remove(job.name, Path(job.environment), False)
    systemd.install(job, False)
    assert len(list(systemd.show())) == 1
    assert len(systemd.remove(job.name, Path(job.environment), False)) == 3
    assert "systemctl disable --now readycheck-webex.timer" in host.called
    assert not list(systemd.units.iterdir())


def test_a_users_timer_is_asked_of_the_users_systemd(tmp_path: Path, host: Host) -> None:
    Systemd(tmp_path, False, host.call).install(JOB, False)
    assert host.called[0] == "systemctl --user daemon-reload"


def test_a_crontab_keeps_the_lines_of_others(host: Host, job: Job) -> None:
    cron = Crontab(host.call)
    cron.install(job, False)
    assert host.crontab == OTHERS + crontab_line(job)
    assert all(line.startswith("unchanged") for line in cron.install(job, False))
    in_force = f"in force as before: {job.environment}"
    assert cron.install(replace(job, secrets={}), False)[1:] == [in_force]
    cron.install(replace(job, arguments=("webex", "--quick")), False)
    assert host.crontab is not None and host.crontab.count(MARK) == 1 and "--quick --quiet" in host.crontab
    assert len(list(cron.show())) == 1
    cron.remove(job.name, Path(job.environment), False)
    assert host.crontab == OTHERS
    assert not Path(job.environment).exists()
    with pytest.raises(UsageError, match="no such line in the crontab"):
        cron.remove(job.name, Path(job.environment), False)


def test_what_the_crontab_does_not_take_is_taken_back(host: Host, job: Job) -> None:
    host.fails = "-"
    with pytest.raises(ReadycheckError):
        Crontab(host.call).install(job, False)
    assert not Path(job.environment).exists()


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_variables_that_somebody_else_wrote_are_read_and_left(
    kind: str, systemd: Systemd, host: Host, job: Job
) -> None:
    placing = systemd if kind == "systemd" else Crontab(host.call)
    path = Path(job.environment)
    path.parent.mkdir()
    path.write_text("READYCHECK_ALERT=slack://mine\n")
    with pytest.raises(UsageError, match=r"webex\.env was not written by this"):
        placing.install(job, False)
    assert placing.install(replace(job, secrets={}), False)[-1] == f"in force as before: {path}"
    assert placing.remove(job.name, path, True)[-1] == f"left as it is: {path}"
    assert path.read_text() == "READYCHECK_ALERT=slack://mine\n"


def test_who_had_no_crontab_gets_one(host: Host) -> None:
    host.crontab = None
    Crontab(host.call).install(JOB, False)
    assert host.crontab == crontab_line(JOB)


def test_a_line_that_another_wrote_for_the_same_is_not_doubled(host: Host) -> None:
    host.crontab = "*/15 * * * * readycheck run webex -q\n"
    with pytest.raises(UsageError, match="has a line for webex"):
        Crontab(host.call).install(JOB, False)
    assert host.crontab.count("\n") == 1


@pytest.mark.parametrize("word", ["-l", "-"])
def test_a_crontab_that_cannot_be_had_is_not_written_over(word: str, host: Host) -> None:
    host.fails = word
    with pytest.raises(ReadycheckError, match=r"crontab.*is not permitted"):
        Crontab(host.call).install(JOB, False)
    assert host.crontab == OTHERS


def test_tasks(host: Host) -> None:
    tasks = Tasks(host.call)
    tasks.install(JOB, False)
    assert host.tasks["readycheck-webex"].startswith("<?xml")
    tasks.install(JOB, False)
    tasks.remove(JOB.name, Path("none"), False)
    assert not host.tasks
    host.tasks["readycheck-webex"] = "<Task/>"
    with pytest.raises(UsageError, match="was not written by this"):
        tasks.install(JOB, False)
    with pytest.raises(UsageError, match="was not written by this"):
        tasks.remove(JOB.name, Path("none"), False)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ReadycheckError, match=r"^no-such-program: No such file or directory$"):
        call("no-such-program")


def test_kinds() -> None:
    assert of_kind("systemd", True) == Systemd(Path("/etc/systemd/system"), True)
    assert isinstance(of_kind("cron", False), Crontab)
    assert isinstance(of_kind("windows", False), Tasks)
