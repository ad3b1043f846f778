"""The files of packaging/ that come of the same templates: python -m readycheck.schedule.shipped packaging"""

import sys
from dataclasses import replace
from pathlib import Path

from readycheck.schedule import entries
from readycheck.schedule.job import MARK, Job

_MADE = "Made by 'make docs'"
_OF_INSTANCES = f"""{_MADE}. An instance is a profile: systemctl enable --now readycheck@webex-calling.timer
# Its options are in /etc/readycheck/webex-calling.env, for root alone to read, as in
#   READYCHECK_OPTIONS='--site north --quick'
#   READYCHECK_ALERT='slack://TOKEN'"""
_JOB = Job(
    name="readycheck-webex-calling",
    profile="webex-calling",
    every="15m",
    every_s=900,
    offset_s=420,
    program=("/opt/readycheck/bin/readycheck",),
    arguments=("webex-calling",),
    environment="/etc/readycheck/webex-calling.env",
)
_WINDOWS = (r"C:\Program Files\readycheck\Scripts\readycheck.exe",)


def shipped() -> dict[str, str]:
    """What each of them holds, by its place."""
    single = {
        "cron/readycheck": entries.crontab_line(_JOB),
        "windows/readycheck.xml": entries.task(replace(_JOB, program=_WINDOWS)),
        "kubernetes/cronjob.yaml": entries.cronjob(_JOB, "registry.example/readycheck:0.1.0"),
    }
    return {name: text.replace(MARK, _MADE) for name, text in single.items()} | {
        f"systemd/{name}": text.replace(MARK, _OF_INSTANCES) for name, text in _units().items()
    }


def _units() -> dict[str, str]:
    program, options = _JOB.program[0], "%i $READYCHECK_OPTIONS"
    rest = {"subject": "%i", "environment": "/etc/readycheck/%i.env", "rights": entries.system_rights()}
    run = {"command": f"{program} run {options}", "longest_s": _JOB.longest_s}
    return {
        "readycheck@.service": entries.unit("readycheck.service", **run, **rest),
        "readycheck@.timer": entries.timer("%i", _JOB.every, _JOB.every_s),
        "readycheck-watch@.service": entries.unit(
            "readycheck-watch.service", command=f"{program} watch {options}", **rest
        ),
    }


def main(folder: Path) -> None:
    for name, text in shipped().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
