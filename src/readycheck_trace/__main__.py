"""One request on stdin, one answer on stdout."""

import json
import os
import sys
import tempfile
from typing import Any

from readycheck_trace.journey import travel
from readycheck_trace.request import MAX_BYTES, TraceError, parse

UNKNOWN = 3


def main() -> int:
    """Exit status 0 with the replies, 3 with an error."""
    status, answer = 0, {}
    try:
        answer = {"version": 1, "replies": _answer(sys.stdin.buffer.read(MAX_BYTES + 1))}
    except TraceError as error:
        status, answer = UNKNOWN, _error(error.code, str(error))
    except Exception as error:
        status, answer = UNKNOWN, _error("internal", f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(answer) + "\n")
    return status


def _answer(data: bytes) -> dict[str, dict[str, Any]]:
    request = parse(data)
    _refuse_elsewhere([str(probe.address) for probe in request.probes])
    if sys.platform != "linux":
        raise TraceError("platform", f"raw sockets of this kind are Linux's, and this is {sys.platform}")
    with tempfile.TemporaryDirectory(prefix="readycheck-trace-") as folder:
        # scapy writes a cache when it is imported: not into anybody's home.
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[name] = folder
        return travel(request)


def _refuse_elsewhere(addresses: list[str]) -> None:
    """The fences of the tests and of the stand-in world, as readycheck keeps them."""
    wanted = os.environ.get("READYCHECK_ONLY_NETNS", "").strip()
    if wanted and wanted != _own_namespace():
        raise TraceError("namespace", f"may only run in network namespace {wanted}")
    if os.environ.get("READYCHECK_LOOPBACK_ONLY"):
        for address in addresses:
            if not address.startswith("127.") and address != "::1":
                raise TraceError("namespace", f"READYCHECK_LOOPBACK_ONLY is set: not sending to {address}")


def _own_namespace() -> str:
    try:
        return str(os.stat("/proc/self/ns/net").st_ino)
    except OSError:
        return "unknown"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


if __name__ == "__main__":
    sys.exit(main())
