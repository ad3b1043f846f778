"""Asks the separate raw-socket program `readycheck_trace` to send hop-limited packets."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readycheck.failure import Failure
from readycheck.net.guard import allow
from readycheck.net.interface import NetError
from readycheck.observation import Target

MAX_ANSWER_BYTES = 1_000_000
START_S = 3.0

_FAILURES = {
    "time_exceeded": Failure.HOP_LIMIT_EXCEEDED,
    "rst": Failure.CONNECTION_REFUSED,
    "synack": None,
    "udp": None,
}
_UNREACHABLE = {3: Failure.PORT_UNREACHABLE, **dict.fromkeys((9, 10, 13), Failure.ICMP_ADMIN_PROHIBITED)}


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back to one packet: as `net.connect` with a hop limit would tell it, and the raw facts."""

    failure: Failure | None
    facts: Mapping[str, Any]


async def send_raw(
    rungs: Sequence[tuple[Target, int]],
    *,
    timeout_ms: float,
    start_s: float = START_S,
    tos: int = 0,
    source_port: int = 0,
) -> list[RawReply]:
    """One packet for each target and hop limit. Raises `NetError` when the program cannot do it.

    `start_s` is how long the program may take until it sends.
    """
    for target, _ in rungs:
        allow(target.address or "")
    request = {
        "probes": [
            {**_probe(index, target, ttl), "tos": tos, "source_port": source_port}
            for index, (target, ttl) in enumerate(rungs)
        ],
        "timeout_ms": round(timeout_ms),
        "interval_ms": 5,
    }
    answer = await _run(json.dumps(request).encode(), start_s + timeout_ms / 1000)
    if not isinstance(answer, dict) or not isinstance(answer.get("replies"), dict):
        error = answer.get("error") if isinstance(answer, dict) else None
        code = str(error.get("code")) if isinstance(error, dict) else "no answer"
        raise NetError(Failure.PERMISSION_DENIED if code == "permission" else Failure.PLATFORM, code)
    return [_reply(answer["replies"].get(str(index))) for index in range(len(rungs))]


def _probe(index: int, target: Target, ttl: int) -> dict[str, Any]:
    transport = "tcp" if target.transport == "tcp" else "udp"
    where = {"address": target.address, "port": target.port}
    return {"id": str(index), "transport": transport, "ttl": ttl, **where}


async def _run(request: bytes, timeout: float) -> Any:
    """A process of its own: it alone has the privilege, and scapy's licence."""
    pipe = asyncio.subprocess.PIPE
    program = [sys.executable, "-m", "readycheck_trace"]
    process = await asyncio.create_subprocess_exec(
        *program, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(timeout):
            out, _ = await process.communicate(request)
    except TimeoutError:
        raise NetError(Failure.TIMED_OUT, "readycheck_trace did not answer") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return json.loads(out[:MAX_ANSWER_BYTES])
    except ValueError:
        raise NetError(Failure.PLATFORM, "readycheck_trace gave no JSON") from None


def _reply(found: Any) -> RawReply:
    if not isinstance(found, dict) or not found.get("reply"):
        return RawReply(Failure.TIMED_OUT, {"raw": True})
    kind = str(found["reply"])
    unreachable = _UNREACHABLE.get(int(found.get("code") or 0), Failure.HOST_UNREACHABLE)
    facts = {"raw": True, "reply": kind, "reply_ttl": found.get("ttl"), "quoted_tos": found.get("quoted_tos")}
    if kind in ("time_exceeded", "unreachable"):
        facts["offender"] = found.get("from")
    return RawReply(_FAILURES.get(kind, unreachable), {k: v for k, v in facts.items() if v is not None})
