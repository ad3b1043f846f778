"""Whole runs in the stand-in network: how long, and how much memory."""

import subprocess
import sys
from typing import Any

from bench.stand_in import play
from bench.table import Row, remark, show

RTT_MS = 40.0
BUDGET_S = 15.0
PROMISED_MB = 120.0


def measure_memory() -> None:
    script = "print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    bare = int(told.split("VmHWM:")[1].split()[0]) / 1024
    with play("none", "--quick") as result:
        row = Row("run --quick, open network", result.peak_mb, "MB", "python -c pass", bare, PROMISED_MB)
        show("Peak memory", [row, Row("its processor time", result.cpu_s, "s")])


def measure_open() -> None:
    with play("slow", "--quick") as result:
        chain_ms, steps = longest_chain(result.report)
        limit_s = 1.5 * chain_ms / 1000 + 1.5
        show(
            f"Open network with {RTT_MS:.0f} ms round trip, --quick",
            [
                Row("the run", result.took_s, "s", f"its longest chain, {steps}", chain_ms / 1000, limit_s),
                Row("the longest chain", chain_ms, "ms", "one round trip", RTT_MS),
            ],
        )
        remark(f"verdict {result.report['verdict']}, {len(result.report['checks'])} checks")


def measure_dropped() -> None:
    for options in ((), ("--quick",)):
        with play("all-dropped", *options) as result:
            waited_s = sum(one["elapsed_ms"] for one in _observations(result.report)) / 1000
            name = " ".join(["the run", *options])
            row = Row(name, result.took_s, "s", "the sum of its waits", waited_s, BUDGET_S)
            show("Everything dropped", [row])
            remark(f"verdict {result.report['verdict']}, {len(result.report['checks'])} checks")


def longest_chain(report: dict[str, Any]) -> tuple[float, str]:
    """The most time that one target took whose every step was answered, and its steps."""
    chains: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for check in report["checks"]:
        for one in check["observations"]:
            if one["step"] == "hop":  # routers are asked in turn, but side by side with all else
                continue
            target = one["target"]
            key = (check["id"], target["host"] or target["address"] or "", target["port"] or 0)
            chains.setdefault(key, []).append(one)
    answered = [chain for chain in chains.values() if not any(one["failure"] for one in chain)]
    took = {
        sum(one["facts"].get("rtt_ms", one["elapsed_ms"]) for one in chain): " + ".join(
            one["step"] for one in chain
        )
        for chain in answered
    }
    longest = max(took)
    return longest, took[longest]


def _observations(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for check in report["checks"] for one in check["observations"]]
