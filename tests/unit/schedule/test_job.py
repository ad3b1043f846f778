"""What of a job nobody else may read, and its name."""

import subprocess

import pytest

from readycheck.errors import UsageError
from readycheck.schedule.job import name_of, text_of, without_secrets


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("webex-calling", "readycheck-webex-calling"),
        ("/etc/x/My Site.toml", "readycheck-my-site"),
        ("é", "readycheck-"),
        ("b" * 40 + "-cd", "readycheck-" + "b" * 40),  # a CronJob's has 52 characters at most
        ("b" * 80, "readycheck-" + "b" * 41),
    ],
)
def test_a_name(profile: str, name: str) -> None:
    assert name_of(profile) == name


def test_urls_go_and_the_rest_stays() -> None:
    kept, secrets = without_secrets(
        [
            *(
                "webex",
                "--quick",
                "--alert=slack://token",
                "--alert=syslog:",
                "--proxy=http://u:p@proxy:3128",
            ),
            *("--store=postgresql://u:p@h/d", "--alert-quiet=22:00-06:00", "--otlp=https://o.example/token"),
        ],
        {},
    )
    assert kept == ("webex", "--quick", "--alert-quiet=22:00-06:00")
    assert secrets == {
        "READYCHECK_ALERT": "slack://token syslog:",
        "READYCHECK_STORE": "postgresql://u:p@h/d",
        "READYCHECK_PROXY": "http://u:p@proxy:3128",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://o.example/token",
    }


def test_nothing_secret_stays_where_it_is() -> None:
    arguments = (
        *("webex", "--alert=command:/bin/x 'a b'", "--store=/var/runs.db", "--proxy=http://proxy:3128"),
        "--otlp=http://127.0.0.1:4318/",
    )
    assert without_secrets(arguments, {"READYCHECK_ALERT_SECRET": "s", "HOME": "/"}) == (arguments, {})


def test_what_has_no_option_goes_with_one() -> None:
    environ = {"READYCHECK_ALERT_SECRET": "a b", "OTEL_EXPORTER_OTLP_HEADERS": "key=token", "HOME": "/"}
    kept, secrets = without_secrets(("webex", "--alert=webhook+https://h/x", "--otlp=http://o:4318"), environ)
    assert kept == ("webex", "--otlp=http://o:4318")
    assert secrets == {
        "READYCHECK_ALERT": "webhook+https://h/x",
        "READYCHECK_ALERT_SECRET": "a b",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=token",
    }
    with pytest.raises(UsageError, match=r"^READYCHECK_ALERT_SECRET: printable"):
        without_secrets(("--alert=webhook+https://h/x",), {"READYCHECK_ALERT_SECRET": "it's"})


@pytest.mark.parametrize(
    "alerts", [("--alert=command:/bin/x y", "--alert=slack://t"), ("--alert=slack://it's",)]
)
def test_what_a_file_of_variables_cannot_hold(alerts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--alert: beside what is secret"):
        without_secrets(("webex", *alerts), {})


def test_a_shell_reads_the_file() -> None:
    text = text_of({"READYCHECK_ALERT": "slack://$HOME`id`\\n %20", "READYCHECK_STORE": "x"})
    script = 'set -a; eval "$1"; exec printenv READYCHECK_ALERT'
    told = subprocess.run(["sh", "-c", script, "sh", text], capture_output=True, text=True, check=True).stdout
    assert told == "slack://$HOME`id`\\n %20\n"
