"""Runs the agent in the lab as its users do: as an ordinary user without any capability, in a subprocess."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .machine import NOBODY, LabError, Machine

_PATIENCE_S = 200
"""A run that fills the line or waits for what a NAT forgets takes its time."""
# /sys shows the interfaces of the network that it was mounted in.
_PREPARE = """
set -eu
mount -t sysfs sysfs /sys
mkdir -p "$1/config" "$1/data" "$1/cache" "$1/tmp"
chown "$2:$2" "$1" "$1"/*
shift 2
exec "$@"
"""
# A radio for a program that asks the kernel: its own /proc/net has one more file, as a driver would fill it. What is
# mounted there is seen by one process, which the program replaces.
_RADIO = r"""
set -eu
mkdir -p /run/radio
for file in /proc/self/net/*; do ln -sfn "/proc/thread-self/net/${file##*/}" /run/radio/; done
printf '%s\n' 'Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE' \
    ' face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22' \
    "   wan: 0000   40.  $1.  -256        0      0      0      0      0        0" >/run/radio/wireless
mount --bind /run/radio "/proc/$$/net"
shift
exec "$@"
"""
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_KEPT = ("PYTHONPATH", "LANG", "LC_ALL")


@dataclass(frozen=True)
class Run:
    """What came of it. `report` is None when stdout held no JSON."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    report: dict[str, Any] | None


def warm_up(bytecode: Path) -> None:
    """Compile the program once for all runs; it refuses to do anything else in no network at all."""
    bytecode.mkdir(exist_ok=True)
    subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "readycheck", "run", "webex-calling"],
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode), "READYCHECK_ONLY_NETNS": "none"},
        capture_output=True,
        check=False,
    )


def run_agent(
    machine: Machine,
    network: str,
    arguments: Sequence[str],
    bytecode: Path | None = None,
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    raw: bool = False,
    radio_dbm: int | None = None,
) -> Run:
    """`bytecode` is a folder that `warm_up` filled, `variables` are set besides the usual ones; `raw`: CAP_NET_RAW.

    `radio_dbm`: the signal that its system shows of the link `wan`.
    """
    began = time.monotonic()
    done = subprocess.run(
        machine.inside(
            network,
            *as_user(machine, network, bytecode, variables, raw=raw, radio_dbm=radio_dbm),
            *(sys.executable, "-m", "readycheck", *arguments),
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S + 20,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode in (124, 137):
        raise LabError(f"the agent did not end within {_PATIENCE_S} s: {done.stderr[-1000:]}")
    return Run(done.returncode, done.stdout, done.stderr, seconds, _json(done.stdout))


def as_user(
    machine: Machine,
    network: str,
    bytecode: Path | None = None,
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    raw: bool = False,
    radio_dbm: int | None = None,
) -> list[str]:
    """No root, no capability to be had (but CAP_NET_RAW, if `raw`), its own home, no other network than this one."""
    home = "/run/home"
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "XDG_CONFIG_HOME": f"{home}/config",
        "XDG_DATA_HOME": f"{home}/data",
        "XDG_CACHE_HOME": f"{home}/cache",
        "TMPDIR": f"{home}/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "READYCHECK_STORE": "none",
        **({"PYTHONPYCACHEPREFIX": str(bytecode)} if bytecode else {}),
        "READYCHECK_ONLY_NETNS": str(machine.inode(network)),
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        **variables,
    }
    held = "-all,+net_raw" if raw else "-all"
    radio = () if radio_dbm is None else ("sh", "-c", _RADIO, "sh", str(radio_dbm))
    return [
        *("unshare", "--mount", "sh", "-c", _PREPARE, "sh", home, str(NOBODY)),
        *("timeout", "--kill-after=5", str(_PATIENCE_S)),
        *radio,
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *(f"--inh-caps={held}", f"--bounding-set={held}", "--no-new-privs"),
        *(("--ambient-caps=+net_raw",) if raw else ()),
        *("env", "-i", *(f"{name}={value}" for name, value in environment.items())),
    ]


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
