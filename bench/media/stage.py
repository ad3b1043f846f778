"""Three networks of the lab's own: inside, near and far; the way is direct, or long and with faults."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.lab.forwarder import Wire
from tests.lab.machine import LabError, Machine, Process
from tests.lab.waiting import await_bound, wait_until

ROOT = Path(__file__).parents[2]
NEAR, FAR, INSIDE = "near", "far", "inside"
DIRECT, LONG = "10.9.1.2", "10.9.9.2"
PORT, IRTT_PORT, IPERF_PORT = 3478, 2112, 5201
SOURCES = tuple(f"10.9.1.{host}" for host in range(11, 21))
"""Of the crowd: the responder grants 64 streams to each."""
DEVICE = "long"

_FORWARDER = str(ROOT / "tests/lab/forwarder.py")
_NETWORK = f"""
ip link add direct netns {NEAR} type veth peer name direct netns {FAR}
ip link add lan netns {INSIDE} type veth peer name lan netns {NEAR}
ip -n {NEAR} addr add 10.9.1.1/24 dev direct
ip -n {NEAR} addr add 10.9.9.1/32 dev lo
ip -n {NEAR} addr add 10.9.2.1/24 dev lan
ip -n {FAR} addr add {DIRECT}/24 dev direct
ip -n {FAR} addr add {LONG}/32 dev lo
ip -n {INSIDE} addr add 10.9.2.2/24 dev lan
for name in {NEAR} {FAR} {INSIDE}; do ip -n $name link set lo up; done
for name in {NEAR} {FAR}; do ip -n $name link set direct up; done
for name in {NEAR} {INSIDE}; do ip -n $name link set lan up; done
ip -n {INSIDE} route add default via 10.9.2.1
"""
_NAT = """
table ip nat {
  chain out { type nat hook postrouting priority srcnat; ip saddr 10.9.2.0/24 masquerade; }
}
"""
_PROFILE = Path(__file__).with_name("bench.toml")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the program reported, and the processor time that it took."""

    report: Mapping[str, Any]
    cpu_s: float

    def check(self, requirement: str) -> Mapping[str, Any]:
        return next(one for one in self.report["checks"] if one["requirement"] == requirement)

    @property
    def legs(self) -> Sequence[Mapping[str, Any]]:
        """Of audio."""
        seen = self.check("audio")["observations"]
        return [one["facts"] for one in seen if "up" in one["facts"]]


class Stage:
    """The networks, with a responder in the far one."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        for name in (NEAR, FAR, INSIDE):
            machine.run(None, "ip", "netns", "add", name)
        machine.run(None, "sh", "-ec", _NETWORK)
        for source in SOURCES:
            machine.run(NEAR, "ip", "addr", "add", f"{source}/24", "dev", "direct")
        machine.run(NEAR, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        machine.run(NEAR, "nft", "-f", "-", text=_NAT)
        places = [word for host in (DIRECT, LONG) for word in ("--listen", f"{host}:{PORT}")]
        self.responder = self.start(FAR, "responder", "readycheck", "responder", *places, "--sessions", "600")
        await_bound(machine, FAR, self.responder, "u", f"{LONG}:{PORT}")
        self._start_others()

    def _start_others(self) -> None:
        """The programs that it is compared with, at the far end of the long way."""
        self.machine.start(FAR, "irtt", "irtt", "server", "-b", f"{LONG}:{IRTT_PORT}")
        self.machine.start(FAR, "iperf3", "iperf3", "-s", "-B", LONG, "-p", str(IPERF_PORT))

    def start(
        self, network: str, name: str, module: str, *arguments: str, core: int | None = None
    ) -> Process:
        """A Python program; on one `core` alone if told so."""
        pinned = ("taskset", "-c", str(core)) if core is not None else ()
        known = (f"PYTHONPATH={ROOT}", "READYCHECK_STORE=none", f"HOME={self.machine.folder}")
        return self.machine.start(
            network, name, "env", *known, *pinned, sys.executable, "-m", module, *arguments
        )

    @contextmanager
    def long_way(self, wire: Wire) -> Iterator[list[Any]]:
        """What the forwarder did is in the list afterwards."""
        record = self.machine.folder / "record.json"
        record.unlink(missing_ok=True)
        ends = [f"/run/netns/{name}:{DEVICE}" for name in (NEAR, FAR)]
        command = (sys.executable, "-I", _FORWARDER, *ends, json.dumps(asdict(wire)), str(record))
        forwarder = self.machine.start(NEAR, "forwarder", *command)
        wait_until(forwarder.said, "the long way")
        for name, there, own in ((NEAR, LONG, "10.9.9.1"), (FAR, "10.9.9.1", LONG)):
            self.machine.run(name, "ip", "link", "set", DEVICE, "up")
            self.machine.run(name, "ip", "route", "add", there, "dev", DEVICE, "src", own)
        events: list[Any] = []
        try:
            yield events
            forwarder.require_running()
        finally:
            self.machine.stop(forwarder)
        events += read_when_there(record)

    @contextmanager
    def seen(self, device: str, *networks: str) -> Iterator[dict[str, list[Any]]]:
        """What the kernel stamped on a device of each network is there afterwards."""
        files = {network: self.machine.folder / f"seen-{network}.json" for network in networks}
        for file in files.values():
            file.unlink(missing_ok=True)
        watching = [self.start(n, f"seen-{n}", "bench.media.seen", device, str(f)) for n, f in files.items()]
        for one in watching:
            wait_until(one.said, "the capture")
        found: dict[str, list[Any]] = {}
        try:
            yield found
        finally:
            for one in watching:
                self.machine.stop(one)
        found |= {network: read_when_there(file) for network, file in files.items()}

    def begin_agent(
        self,
        to: str,
        *options: str,
        network: str = NEAR,
        seconds: float = 10.0,
        calls: int = 1,
        ladder: Sequence[int] = (2, 7),
    ) -> tuple[Process, Path]:
        """A run of the program, in a folder of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.machine.folder))
        profile = folder / "bench.toml"
        text = _PROFILE.read_text()
        for name, value in (("seconds", float(seconds)), ("calls", calls), ("ladder", list(ladder))):
            text = text.replace(f"{{{name}}}", str(value))
        profile.write_text(text)
        arguments = ("run", str(profile), "--responder", f"{to}:{PORT}", "--no-controls", *options)
        process = self.start(network, f"agent-{folder.name}", "bench.agent", str(folder), "-", *arguments)
        return process, folder

    def await_streams(self, number: int) -> None:
        """Until the responder has so many sockets with a peer: one for each stream."""

        def are_open() -> bool:
            listed = self.machine.run(FAR, "ss", "-Hun", "state", "established", f"sport = :{PORT}").stdout
            return len(listed.splitlines()) >= number

        wait_until(are_open, f"{number} streams to be open")

    def ran(self, begun: tuple[Process, Path]) -> Ran:
        process, folder = begun
        process.wait(180.0)
        if not (folder / "report.json").exists():
            raise LabError(f"the program left no report: {process.said()}")
        cost = json.loads((folder / "cost.json").read_text())
        return Ran(json.loads((folder / "report.json").read_text()), cost["cpu_s"])

    def pin(self, process: Process, *cores: int) -> None:
        """All threads of the program that was started."""
        for thread in Path(f"/proc/{_child(process)}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)

    def cpu_s(self, process: Process) -> float:
        """Of the program that was started, since its beginning."""
        fields = Path(f"/proc/{_child(process)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(process: Process) -> int:
    """The program itself: what enters its network for it waits for it."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def read_when_there(file: Path) -> Any:
    """What a program that was ended writes on its way out."""
    wait_until(file.exists, str(file))
    return json.loads(file.read_text())


@contextmanager
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="readycheck-bench-"))
    try:
        with Machine(folder) as machine:
            yield Stage(machine)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
