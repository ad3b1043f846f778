"""`schedule` as it is called: what it refuses, and what it shows."""

from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.schedule.job import Job
from readycheck.schedule.placing import Crontab

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("readycheck.cli.schedule._is_root", lambda: False)
    monkeypatch.delenv("READYCHECK_STORE", raising=False)


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("--every 7m: not minutes that divide an hour", ["--every", "7m", "--print"]),
        ("--every soon: not an interval", ["--every", "soon"]),
        ("--deadline 60: not shorter than --every 1m", ["--every", "1m", "--deadline", "60", "--print"]),
        (
            "--idle 15: with the rest of a run not shorter",
            ["--idle", "15", "--responder", "r.example", "--print"],
        ),
        ("--name A/b: not of up to 41 small letters", ["--name", "A/b", "--print"]),
        ("--run-as www: a user's name, for systemd and as root only", ["--run-as", "www"]),
        ("--kind kubernetes: only with --print", ["--kind", "kubernetes"]),
        ("--kind windows: set READYCHECK_ALERT", ["--kind", "windows", "--alert", "slack://t", "--print"]),
        ("Invalid value for '--kind'", ["--kind", "at"]),
    ],
)
def test_a_refusal(told: str, arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(["schedule", "install", "webex", *arguments]) == 3
    out, complaint = capsys.readouterr()
    assert (out, complaint.count("\n")) == ("", 1)
    assert complaint.startswith(f"readycheck: {told}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["systemd", "cron", "kubernetes"])
def test_what_is_shown_has_no_secret_and_writes_nothing(
    kind: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READYCHECK_ALERT_SECRET", "hidden")
    options = [
        "--alert=webhook+https://h/hidden",
        "--otlp=https://o/hidden",
        "--store=postgresql://u:hidden@h/d",
        "--proxy=http://u:hidden@p:1",
    ]
    assert main(["schedule", "install", "webex", "--print", "--kind", kind, "--site=north", *options]) == 0
    out, complaint = capsys.readouterr()
    assert complaint == "" and "hidden" not in out
    assert "--site=north" in out and "# READYCHECK_PROXY " in out and "# READYCHECK_ALERT_SECRET " in out
    assert not list(tmp_path.iterdir())


def test_paths_hold_in_another_folder_but_not_in_another_machine(tmp_path: Path, capsys: Captured) -> None:
    assert main(["schedule", "install", "./mine.toml", "--print", "--kind", "cron"]) == 0
    assert f" run {Path.cwd()}/mine.toml " in capsys.readouterr().out
    assert main(["schedule", "install", "./mine.toml", "--print", "--kind", "kubernetes"]) == 0
    assert '"./mine.toml"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("systemd", "TimeoutStartSec=4515s\n"),
        ("kubernetes", "activeDeadlineSeconds: 4515\n"),
        ("windows", "<ExecutionTimeLimit>PT4515S<"),
    ],
)
def test_idle_connections_are_given_their_time(kind: str, told: str, capsys: Captured) -> None:
    options = ["--every=2h", "--idle=60", "--responder=r.example", f"--kind={kind}", "--print"]
    assert main(["schedule", "install", "webex", *options]) == 0
    assert told in capsys.readouterr().out


def test_what_a_run_would_refuse_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("readycheck.cli.schedule._refuse_absent", lambda kind: None)
    assert main(["schedule", "install", "webex", "--kind=cron", "--role=nosuch", "--proxy=none"]) == 3
    assert "nosuch" in capfd.readouterr().err


def test_an_installation(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    jobs: list[Job] = []

    def install(self: Crontab, job: Job, force: bool) -> list[str]:
        jobs.append(job)
        return ["wrote crontab: x"]

    monkeypatch.setattr(Crontab, "install", install)
    monkeypatch.setattr("readycheck.cli.schedule._refuse_absent", lambda kind: None)
    monkeypatch.setenv("READYCHECK_ALERT", "slack://t")
    assert main(["schedule", "install", "webex", "--kind=cron", "--proxy=none", "--site=north"]) == 0
    out, complaint = capsys.readouterr()
    assert out == "wrote crontab: x\n"
    assert complaint == "readycheck: READYCHECK_ALERT of this shell is not carried over; give --alert\n"
    assert jobs[0].arguments == ("webex", "--site=north", "--proxy=none")
    assert jobs[0].name == "readycheck-webex"


def test_the_proxy_of_a_shell_is_missed(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(Crontab, "install", lambda self, job, force: [])
    monkeypatch.setattr("readycheck.cli.schedule._refuse_absent", lambda kind: None)
    monkeypatch.setattr("readycheck.cli.schedule.usable", lambda arguments: True)
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://u:hidden@proxy:3128")
    assert main(["schedule", "install", "webex", "--kind=cron"]) == 0
    told = "readycheck: https_proxy of this shell is not carried over; give --proxy\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/root/mine.toml", ["/root/mine.toml"]),
        ("/home/me/mine.toml", ["/home/me/mine.toml"]),
        ("/tmp/mine.toml", ["/tmp/mine.toml"]),
        ("/tmp/proxy.pac", ["webex", "--proxy=pac:/tmp/proxy.pac"]),
        ("/root/tell --all", ["webex", "--alert=command:/root/tell --all"]),
    ],
)
def test_what_a_unit_of_the_system_could_not_see(
    path: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("readycheck.cli.schedule._is_root", lambda: True)
    monkeypatch.setattr("readycheck.cli.schedule._refuse_absent", lambda kind: None)
    monkeypatch.setattr("readycheck.cli.schedule._program", lambda: ("/opt/readycheck",))
    assert main(["schedule", "install", *arguments, "--kind=systemd"]) == 3
    assert capsys.readouterr().err.startswith(f"readycheck: {path}: out of sight of the system's units")
