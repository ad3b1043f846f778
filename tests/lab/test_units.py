"""The shipped units, started by a real systemd: PID 1 of namespaces of its own, on a view of this host."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.doors import DOOR

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "packaging" / "systemd"
SYSTEMD = Path("/lib/systemd/systemd")
CGROUPS = [
    path
    for path in map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
    if (path / "cgroup.procs").exists()
]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not (SYSTEMD.exists() and CGROUPS), reason="needs systemd and cgroups of version 2"),
]
PATIENCE_S = 30.0
FROM = "--site north --no-controls --resolver 127.0.0.1:9 --proxy none --responder 127.0.0.1"
OPTIONS = {
    "door": f"READYCHECK_OPTIONS={FROM}",
    "gate": f"READYCHECK_OPTIONS={FROM} --every 1m --now",
    "exporter": f"READYCHECK_OPTIONS=-- {FROM}",
}
BOOT = """
mount --make-rprivate /
mount -t tmpfs tmpfs work
mkdir work/upper work/rest work/root
cp -a prepared/. work/upper
mount -t overlay -o "lowerdir=/,upperdir=work/upper,workdir=work/rest" overlay work/root
while read -r from to; do mount --bind "$from" "work/root$to"; done <binds
cd work/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /dev dev
# What a host does as it starts is none of this: of it the targets alone are reached.
for folder in lib/systemd/system/*.target.wants etc/systemd/system/*.target.wants; do
    [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder"
done
ip link set lo up
pivot_root . old
umount -l old
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin "$1" --unit=basic.target --log-target=null
"""


class Host:
    """`call` runs a program in it."""

    def __init__(self, pid: int) -> None:
        self._enter = ("nsenter", "--target", str(pid), "--all")

    def call(self, *command: str) -> str:
        done = subprocess.run(
            [*self._enter, *command], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        return (done.stdout + done.stderr).strip()

    def results(self, unit: str) -> str:
        return self.call("systemctl", "show", "--property=Result,ExecMainStatus", unit)


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.fixture
def host(tmp_path: Path, _equipped: None) -> Iterator[Host]:
    _prepare(tmp_path / "prepared", tmp_path / "binds")
    (tmp_path / "work").mkdir()
    group = CGROUPS[0] / f"readycheck-{os.getpid()}"
    group.mkdir()
    enter = f'echo $$ >{group}/cgroup.procs && exec unshare -pmuinC --fork --kill-child sh -euc "$0" "$@"'
    command = ["sh", "-c", enter, BOOT, "boot", str(SYSTEMD)]
    try:
        with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL) as booting:
            try:
                yield _started(booting)
            finally:
                booting.kill()
    finally:
        until(lambda: _is_gone(group))


def _started(booting: "subprocess.Popen[bytes]") -> Host:
    def has_ended() -> bool:
        return booting.poll() is not None

    until(lambda: has_ended() or _first_of(booting) > 0)
    made = Host(_first_of(booting))
    until(lambda: has_ended() or made.call("systemctl", "is-system-running") in ("running", "degraded"))
    if has_ended():
        pytest.skip("lab: systemd cannot be started in namespaces here")
    return made


def _first_of(booting: "subprocess.Popen[bytes]") -> int:
    """The process that is number 1 in there; 0 while there is none."""
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/{booting.pid}/task/{booting.pid}/children").read_text())
    return 0


def _is_gone(group: Path) -> bool:
    """Once all that was in it has ended."""
    with suppress(OSError):
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    return not group.exists()


def _prepare(root: Path, binds: Path) -> None:
    """This Python and what it imports, where a unit of the system sees it; the units, their options and profiles."""
    home, base = root / "opt" / "readycheck", Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = [Path(each) for each in dict.fromkeys(sys.path) if each and Path(each).is_dir()]
    ours = [each for each in ours if not each.is_relative_to(base) or each == ROOT]
    places = {str(base): "/opt/python"} | {str(each): f"/opt/ours/{n}" for n, each in enumerate(ours)}
    for to in ("/old", *places.values()):
        (root / to[1:]).mkdir(parents=True)
    binds.write_text("".join(f"{each} {to}\n" for each, to in places.items()))
    files = {
        home / "pyvenv.cfg": "home = /opt/python/bin\n",
        home / "lib" / version / "site-packages" / "ours.pth": "".join(
            f"/opt/ours/{n}\n" for n in range(len(ours))
        ),
        home / "bin" / "readycheck": "#!/opt/readycheck/bin/python\nfrom readycheck.__main__ import main\n"
        "raise SystemExit(main())\n",
        root / "etc/systemd/system.conf.d/python.conf": "[Manager]\n"
        "DefaultEnvironment=LD_LIBRARY_PATH=/opt/python/lib\n",
        root / "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    }
    files |= {root / f"etc/readycheck/{name}.env": f"{text}\n" for name, text in OPTIONS.items()}
    files |= {
        root / f"etc/readycheck/profiles/{name}.toml": DOOR.format(name=name, port=3478)
        for name in ("door", "gate")
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (home / "bin" / "readycheck").chmod(0o755)
    (home / "bin" / "python").symlink_to(f"/opt/python/bin/{version}")
    shutil.copytree(UNITS, root / "etc/systemd/system")


@pytest.mark.skipif(not shutil.which("nsenter"), reason="needs nsenter")
def test_units_run_with_the_rights_that_they_have(host: Host) -> None:
    """The far end, a run that measures it, a watch that is stopped, and the exporter, as users of the moment."""
    ready = "Result=success\nExecMainStatus=0"
    for unit in ("readycheck-responder", "readycheck-exporter"):
        assert host.call("systemctl", "start", unit) == ""
    until(lambda: ":3478 " in host.call("ss", "-ltn") and ":10478 " in host.call("ss", "-ltn"))
    assert host.call("systemctl", "start", "readycheck@door") == ""
    assert host.results("readycheck@door") == ready
    assert host.call("systemctl", "start", "readycheck-watch@gate") == ""
    until(lambda: len(runs(host)) == 2)
    assert host.call("systemctl", "stop", "readycheck-watch@gate") == ""
    assert host.results("readycheck-watch@gate") == ready
    page = host.call("curl", "-sS", "http://127.0.0.1:10478/probe?profile=door")
    assert 'readycheck_verdict{profile="door",site="north",verdict="ready"} 1' in page
    assert runs(host)[:2] == [("door", "ready"), ("gate", "ready")]
    for unit in ("readycheck-responder", "readycheck-exporter"):
        assert host.call("systemctl", "stop", unit) == ""
        assert host.results(unit) == ready


def runs(host: Host) -> list[tuple[str, str]]:
    """Oldest first, as they are kept where the documents say."""
    listing = ("history", "list", "--format=json", "--store=/var/lib/readycheck/history.db")
    found = json.loads(host.call("/opt/readycheck/bin/readycheck", *listing))
    return [(run["profile"], run["verdict"]) for run in reversed(found)]
