"""Whole runs in the stand-in network: how long, and how much memory."""

import subprocess
import sys
from typing import Any

from bench.stand_in import play
from bench.table import Row, remark, show

RTT_MS = 40.0
# A TLS 1.2 handshake takes two. Routers are asked for hops in turn, but side by side with all else.
ROUND_TRIPS = {"resolve": 1, "connect": 1, "tls_handshake": 2, "response": 1, "echo": 1}
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
        trips, steps = longest_chain(result.report)
        chain_s = trips * RTT_MS / 1000
        chain, promised_s = f"its longest chain of {trips} trips", 1.5 * chain_s + 1.5
        rows = [
            Row("until its report is out", result.told_s, "s", chain, chain_s, promised_s),
            Row("until it is stored, too", result.took_s, "s", chain, chain_s),
        ]
        show(f"Open network with {RTT_MS:.0f} ms round trip, --quick", rows)
        remark(f"the longest chain: {steps}")
        remark(f"verdict {result.report['verdict']}, {len(result.report['checks'])} checks")


def measure_dropped() -> None:
    for options in ((), ("--quick",)):
        with play("all-dropped", *options) as result:
            waited_s = sum(one["elapsed_ms"] for one in _observations(result.report)) / 1000
            name = " ".join(["the run", *options])
            row = Row(name, result.took_s, "s", "the sum of its waits", waited_s, BUDGET_S)
            show("Everything dropped", [row])
            remark(f"verdict {result.report['verdict']}, {len(result.report['checks'])} checks")


def measure_traffic() -> None:
    """What a run puts on the network, with the frames' own bytes."""
    for options in ((), ("--quick",)):
        with play("none", *options) as result:
            seen = result.traffic
            rows = [
                Row("sent", seen["sent_bytes"] / 1024, "KB"),
                Row("received", seen["received_bytes"] / 1024, "KB"),
            ]
            show(" ".join(["Traffic of a run, open network", *options]), rows)
            remark(
                f"{seen['sent_packets']} packets sent, {seen['received_packets']} received, "
                f"in {result.took_s:.1f} s"
            )


def longest_chain(report: dict[str, Any]) -> tuple[int, str]:
    """The most round trips that one target needed, one after the other, and the steps that they were for."""
    chains: dict[tuple[str, str, int], list[str]] = {}
    for check in report["checks"]:
        for one in check["observations"]:
            target = one["target"]
            key = (check["id"], target["host"] or target["address"] or "", target["port"] or 0)
            if one["failure"] is None:
                chains.setdefault(key, []).append(one["step"])
    trips, steps = max((sum(ROUND_TRIPS.get(step, 0) for step in chain), chain) for chain in chains.values())
    return trips, " + ".join(step for step in steps if step in ROUND_TRIPS)


def _observations(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for check in report["checks"] for one in check["observations"]]
