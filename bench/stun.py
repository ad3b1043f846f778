"""STUN round trips as the program tells them, against a capture of the same packets on the wire."""

import json
from statistics import median, quantiles
from typing import Any

from bench.capture import Packet
from bench.stand_in import Result, play
from bench.table import Row, remark, show

PROMISED_US = 50.0
PROMISED_DEAD_S = 3.0


def measure() -> None:
    for scenario in ("none", "slow"):
        with play(scenario, wire=True) as result:
            differences = [(told - wire) * 1000 for told, wire in _pairs(result)]
            if len(differences) < 2:
                remark(f"{scenario}: too few round trips to compare ({len(differences)})")
                continue
            size = [abs(one) for one in differences]
            rtt_us = median(wire for _, wire in _pairs(result)) * 1000
            show(
                f"STUN round trip, told minus wire, scenario {scenario} ({len(size)} pairs)",
                [
                    Row("median difference", median(size), "us", "the round trip", rtt_us, PROMISED_US),
                    Row("9 of 10 within", quantiles(size, n=10)[-1], "us"),
                    Row(
                        "dead addresses: the longest wait",
                        _longest_wait(result.report),
                        "s",
                        limit=PROMISED_DEAD_S,
                    ),
                ],
            )


def _pairs(result: Result) -> list[tuple[float, float]]:
    """Round trips in milliseconds: as told, and on the wire, of the same packets."""
    packets = [Packet(**one) for one in json.loads((result.folder / "packets").read_text())]
    out = {(one.transaction, one.destination): one for one in packets}
    wire: dict[tuple[str, int, int], float] = {}
    for one in packets:
        asked = out.get((one.transaction, one.source))
        if asked is not None and one.at_ns > asked.at_ns:
            wire[one.source, one.source_port, one.port] = (one.at_ns - asked.at_ns) / 1e6
    found = []
    for check in result.report["checks"]:
        for seen in check["observations"]:
            facts, target = seen["facts"], seen["target"]
            if seen["step"] == "echo" and "mapped_address" in facts and "rtt_ms" in facts:
                # The edge keeps the source port where it can; where it cannot, the pair is left out.
                port = int(facts["mapped_address"].rpartition(":")[2])
                key = (target["address"], target["port"], port)
                if key in wire:
                    found.append((facts["rtt_ms"], wire[key]))
    return found


def _longest_wait(report: dict[str, Any]) -> float:
    waits = [
        one["elapsed_ms"]
        for check in report["checks"]
        if check["probe"] == "stun"
        for one in check["observations"]
        if one["failure"] == "timed_out"
    ]
    return max(waits, default=0.0) / 1000
