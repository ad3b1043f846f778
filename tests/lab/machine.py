"""A machine of the lab's own: network, mount and process namespaces that vanish with their first process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534

# Process 1 of the machine. It says its pid as the makers see it, hides the host's sockets, takes a copy of /etc to
# write into, and lives as long as its standard input: everything ends with it, whatever becomes of the tests.
_FIRST = r"""
set -eu
read -r pid rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
# What is named after a process there (as by faketime) would outlive it, and meet the next machine's.
if test -d /dev/shm; then mount -t tmpfs -o mode=1777 tmpfs /dev/shm; fi
mkdir -p /run/netns /run/etc
cp -a /etc/. /run/etc/
mount --bind /run/etc /etc
rm -f /etc/resolv.conf
printf '127.0.0.1 localhost\n' >/etc/hosts
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >/etc/nsswitch.conf
ip link set lo up
echo "$pid"
exec cat
"""

# Makes paths readable that lie in a closed folder such as /root: the folder is replaced by one with nothing else in it.
_OPEN = r"""
set -eu
closed=$1; shift
mkdir -p /run/opened
number=0
for path; do number=$((number + 1)); mkdir "/run/opened/$number"; mount --bind "$path" "/run/opened/$number"; done
mount -t tmpfs -o mode=755 tmpfs "$closed"
number=0
for path; do number=$((number + 1)); mkdir -p "$path"; mount --move "/run/opened/$number" "$path"; done
"""


class LabError(Exception):
    """The lab itself is broken: never a result about the agent."""


class Process:
    """A server in one of the machine's networks, with its log."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path) -> None:
        self._popen, self._log = popen, log

    @property
    def pid(self) -> int:
        """Of what entered the network for it, as the makers of the machine see it."""
        return self._popen.pid

    def wait(self, patience_s: float) -> int:
        """Until it ends by itself; its status."""
        try:
            return self._popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self._log.stem} did not end within {patience_s:.0f} s: {self.said()}") from None

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def running(self) -> bool:
        return self._popen.poll() is None

    def require_running(self) -> None:
        if not self.running():
            raise LabError(f"{self._log.stem} ended with status {self._popen.returncode}: {self.said()}")

    def stop(self) -> None:
        """End the process group that was started for it, and nothing else."""
        for number, patience_s in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            if self._popen.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(patience_s)


class Machine:
    """Runs commands in networks that have no way out. `folder` is a folder of the host that everybody may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        with (folder / "machine.log").open("wb") as log:
            self._first = subprocess.Popen(
                ["unshare", *namespaces, "sh", "-c", _FIRST],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"PATH": SBIN},
            )
        assert self._first.stdout is not None
        said = self._first.stdout.readline().strip()
        if not said.isdigit():
            self.close()
            raise LabError(f"no machine: {(folder / 'machine.log').read_text()}")
        self._pid = int(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Process 1 ends, and the kernel ends everything that runs in its namespaces."""
        assert self._first.stdin is not None and self._first.stdout is not None
        self._first.stdin.close()
        self._first.stdout.close()
        try:
            self._first.wait(5.0)
        except subprocess.TimeoutExpired:
            self._first.kill()
            self._first.wait()
        for process in self._processes:
            process.stop()
        self._processes.clear()

    def inside(self, network: str | None, *command: str) -> list[str]:
        """The command line that runs `command` in a network, by default the machine's empty first one."""
        target = f"/proc/{self._pid}"
        net = f"{target}/root/run/netns/{network}" if network else f"{target}/ns/net"
        return ["nsenter", f"--target={self._pid}", "--mount", "--pid", f"--net={net}", "--wdns=/", *command]

    def run(
        self, network: str | None, *command: str, text: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            self.inside(network, *command),
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            env={"PATH": SBIN},
        )
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise LabError(f"{' '.join(command[:4])} in {network}: {said or done.returncode}")
        return done

    def start(self, network: str, name: str, *command: str, fds: Sequence[int] = ()) -> Process:
        log = self.folder / f"{name}.log"
        with log.open("wb") as file:
            popen = subprocess.Popen(
                self.inside(network, *command),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={"PATH": SBIN},
                pass_fds=tuple(fds),
                start_new_session=True,
            )
        process = Process(popen, log)
        self._processes.append(process)
        return process

    def stop(self, process: Process) -> None:
        process.stop()
        self._processes.remove(process)

    def write(self, path: str, text: str | None) -> None:
        """Write a file of the machine, or remove it."""
        if text is None:
            self.run(None, "rm", "-f", path)
        else:
            self.run(None, "sh", "-c", 'cat >"$1"', "sh", path, text=text)

    def open_paths(self, paths: Iterable[str]) -> None:
        """Let an ordinary user of the machine read these paths of the host, wherever they are."""
        closed: dict[str, list[str]] = {}
        for path in dict.fromkeys(os.path.realpath(p) for p in paths if os.path.exists(p)):
            folder = _closed_folder(Path(path))
            if folder is not None:
                closed.setdefault(str(folder), []).append(path)
        for folder_name, inside in closed.items():
            outermost = [p for p in inside if not any(p != q and Path(p).is_relative_to(q) for q in inside)]
            self.run(None, "sh", "-c", _OPEN, "sh", folder_name, *outermost)

    def inode(self, network: str) -> int:
        return int(self.run(network, "stat", "-L", "-c", "%i", "/proc/self/ns/net").stdout)


def _closed_folder(path: Path) -> Path | None:
    """The outermost folder on the way to a path that an ordinary user cannot pass."""
    return next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)
