"""`python -m bench.agent FOLDER CAPTURE ARGUMENTS...`: the program, and what it cost, in a file beside its report.

Runs inside the stand-in network. With CAPTURE `wire`, another process takes down every packet meanwhile.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

# A tool of development brings it, and httpx would import a command line of its own with it.
sys.modules["click"] = None  # type: ignore[assignment]

from readycheck.__main__ import main  # noqa: E402


def run(folder: Path, capture: bool, arguments: list[str]) -> int:
    listener = _listen(folder) if capture else None
    report = folder / "report.json"
    started, began = time.time(), time.perf_counter()
    status = main([*arguments, "--format", "json", "--quiet", "--output", str(report)])
    took_s = time.perf_counter() - began
    told_s = report.stat().st_mtime - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = {
        "took_s": took_s,
        "told_s": told_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_mb(),
        "traffic": traffic(Path("/proc/self/net/dev").read_text()),
    }
    (folder / "cost.json").write_text(json.dumps(cost))
    if listener is not None:
        listener.terminate()
        listener.wait()
    return status


def peak_mb() -> float:
    """Of this program alone: the figure of getrusage remembers the process that it was forked from."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def traffic(counters: str) -> dict[str, int]:
    """What the links of this network have carried; it was made for this run."""
    rows = [line.partition(":")[2].split() for line in counters.splitlines()[2:] if " lo:" not in line]
    places = {"received_bytes": 0, "received_packets": 1, "sent_bytes": 8, "sent_packets": 9}
    return {name: sum(int(row[place]) for row in rows) for name, place in places.items()}


def _listen(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "bench.capture", str(folder / "packets")]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert listener.stdout is not None
    listener.stdout.readline()
    return listener


if __name__ == "__main__":
    sys.stdout = open(os.devnull, "w")
    sys.exit(run(Path(sys.argv[1]), sys.argv[2] == "wire", sys.argv[3:]))
