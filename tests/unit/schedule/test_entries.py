"""Entries as their readers read them: a shell, systemd, Windows, Kubernetes."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from readycheck.errors import UsageError
from readycheck.schedule import entries
from readycheck.schedule.job import MARK, Job

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('READYCHECK_ALERT')]))"
NASTY = ("webex", '--site=a "b" c\'s 100% $HOME `id` \\n %i;x', "--set=customer=acme")
JOB = Job(
    name="readycheck-webex",
    profile="webex",
    every="15m",
    every_s=900,
    offset_s=437,
    program=(sys.executable, "-c", SHOW),
    arguments=NASTY,
    environment="/etc/readycheck/readycheck-webex.env",
)
PLAIN = replace(JOB, program=("/usr/bin/env", "readycheck"), arguments=("webex", "--quick"))
TASKS = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
ANALYZE = shutil.which("systemd-analyze")


def test_a_line_of_a_crontab_survives_cron_and_the_shell(tmp_path: Path) -> None:
    environment = tmp_path / "a b.env"
    environment.write_text("READYCHECK_ALERT='slack://$x'\n")
    job = replace(JOB, secrets={"READYCHECK_ALERT": "slack://$x"}, environment=str(environment), offset_s=420)
    head, line = entries.crontab_line(job).splitlines()
    assert head == f"# {MARK}: readycheck-webex"
    fields, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert fields == ["7-59/15", "*", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", command), "cron would end the command there"
    command = command.replace(r"\%", "%").removesuffix(" >/dev/null")
    told = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == [["run", *NASTY, "--quiet"], "slack://$x"]


def test_a_line_without_secrets_reads_those_that_are_put_there_later(tmp_path: Path) -> None:
    """As a unit does; where there are none, it runs all the same."""
    job = replace(JOB, environment=str(tmp_path / "b.env"), offset_s=420)
    command = entries.crontab_line(job).splitlines()[1].split(" ", 5)[5]
    command = command.replace(r"\%", "%").removesuffix(" >/dev/null")

    def told() -> str:
        ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
        assert ended.stderr == ""
        return str(json.loads(ended.stdout)[1])

    assert told() == "None"
    (tmp_path / "b.env").write_text("READYCHECK_ALERT='slack://x'\n")
    assert told() == "slack://x"


def test_the_seconds_of_the_offset_are_slept() -> None:
    assert " * * * * sleep 17; " in entries.crontab_line(JOB)


def test_a_line_that_cron_would_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than cron takes"):
        entries.crontab_line(replace(JOB, arguments=("webex", f"--site={'x' * 900}")))


def test_words_of_a_unit_are_quoted() -> None:
    unit = entries.service(JOB, system=False)
    line = next(each for each in unit.splitlines() if each.startswith("ExecStart="))
    assert line.endswith(
        r"""run webex "--site=a \"b\" c's 100%% $$HOME `id` \\n %%i;x" --set=customer=acme"""
    )


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("system", [True, False])
def test_systemd_understands_the_units(system: bool, tmp_path: Path) -> None:
    job = replace(PLAIN, arguments=(*NASTY, "--responder-key=/etc/readycheck/key"))
    (tmp_path / "readycheck-webex.service").write_text(entries.service(job, system=system))
    (tmp_path / "readycheck-webex.timer").write_text(entries.timer("webex", "15m", 900))
    units = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "readycheck" in line]


def test_a_key_reaches_a_user_who_may_not_read_it() -> None:
    unit = entries.service(replace(PLAIN, arguments=("webex", "--responder-key=/etc/k")), system=True)
    assert "LoadCredential=responder-key:/etc/k\n" in unit
    assert "--responder-key=${CREDENTIALS_DIRECTORY}/responder-key\n" in unit


def test_a_user_of_the_moment_writes_only_to_the_folder_of_the_service() -> None:
    job = replace(
        PLAIN, arguments=("webex", "--output=/srv/prom/x.prom", "--output=/var/lib/readycheck/x.json")
    )
    with pytest.raises(UsageError, match=r"/srv/prom/x\.prom: only /var/lib/readycheck"):
        entries.service(job, system=True)
    unit = entries.service(replace(job, run_as="prometheus"), system=True)
    assert "User=prometheus\n" in unit and "DynamicUser" not in unit
    assert "ReadWritePaths=/srv/prom\n" in unit


def names(element: ElementTree.Element) -> list[str]:
    return [child.tag.removeprefix(TASKS) for child in element]


def in_order(found: list[str], documented: str) -> bool:
    """The types of Task Scheduler's schema are sequences of optional elements."""
    order = documented.split()
    return (
        set(found) <= set(order) and found == sorted(found, key=order.index) and len(found) == len(set(found))
    )


def test_a_task_has_the_structure_that_microsoft_documents() -> None:
    job = replace(
        JOB, program=(r"C:\Program Files\rc\readycheck.exe",), arguments=("webex", "--site=<a & b>")
    )
    root = ElementTree.fromstring(entries.task(job))
    assert root.tag == f"{TASKS}Task" and root.get("version") == "1.2"
    assert set(names(root)) <= {"RegistrationInfo", "Triggers", "Principals", "Settings", "Data", "Actions"}
    part = {name: root.find(f"{TASKS}{name}") for name in names(root)}
    trigger, principal, action = part["Triggers"][0], part["Principals"][0], part["Actions"][0]  # type: ignore[index]
    assert in_order(
        names(trigger), "Enabled StartBoundary EndBoundary Repetition ExecutionTimeLimit RandomDelay"
    )
    assert in_order(names(trigger.find(f"{TASKS}Repetition")), "Interval Duration StopAtDurationEnd")  # type: ignore[arg-type]
    assert set(names(principal)) <= {"UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"}
    assert in_order(names(action), "Command Arguments WorkingDirectory")
    assert part["Actions"].get("Context") == principal.get("id")  # type: ignore[union-attr]
    assert set(names(part["Settings"])) <= set(  # type: ignore[arg-type]
        "MultipleInstancesPolicy DisallowStartIfOnBatteries StopIfGoingOnBatteries StartWhenAvailable "
        "RunOnlyIfNetworkAvailable ExecutionTimeLimit Enabled".split()
    )
    assert trigger.findtext(f"{TASKS}StartBoundary") == "2026-01-01T00:07:17Z"
    assert trigger.findtext(f"{TASKS}Repetition/{TASKS}Interval") == "PT15M"
    assert action.findtext(f"{TASKS}Arguments") == 'run webex "--site=<a & b>" --quiet'


def test_a_cluster_takes_the_manifests_and_the_agent_gets_its_arguments() -> None:
    job = replace(PLAIN, arguments=("webex", '--site=$(HOME): "a" {b}', "--role=app"))
    volume, cronjob = documents(entries.cronjob(job, "registry.example/readycheck:1"))
    for each in (volume, cronjob):
        kubernetes_validate.validate(each, "1.31", strict=True)
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["args"] == ["run", "webex", '--site=$$(HOME): "a" {b}', "--role=app"]
    assert cronjob["spec"]["concurrencyPolicy"] == "Forbid"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert volume["metadata"]["name"] == pod["volumes"][0]["persistentVolumeClaim"]["claimName"]


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))
