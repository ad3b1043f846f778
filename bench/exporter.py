"""What the exporter takes: for a page of figures, in memory, and for a run besides the run itself.

The stand-in for a run only prints the metrics of a large report, so that what is measured is the exporter.
"""

import lzma
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench.table import Row, remark, show
from readycheck.render.prometheus import render
from readycheck.report import load

CASES = Path(__file__).parents[1] / "tests" / "cases" / "reports"
SITES = 200
PAGES = 2000
ROUNDS = 100
PAGE_MS, MEMORY_MB, ADDED_MS = 5.0, 100.0, 5.0
"""200 pages a second are one every 5 ms."""


def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="readycheck-bench-") as name:
        file = Path(name) / "run.prom"
        file.write_text(_largest())
        with _serving(file) as (port, process), closing(HTTPConnection("127.0.0.1", port)) as client:
            plain, probed = [], []
            for number in range(ROUNDS):
                plain.append(_ms(lambda: subprocess.run(["cat", str(file)], capture_output=True, check=True)))
                probed.append(_ms(lambda number=number: _get(client, f"/probe?profile=webex&site={number}")))
            for number in range(ROUNDS, SITES):
                _get(client, f"/probe?profile=webex&site={number}")
            page = _get(client, "/metrics")
            bare = [_ms(lambda: _get(client, "/-/healthy")) for _ in range(PAGES)]
            used = _processor_ms(process.pid)
            pages = [_ms(lambda: _get(client, "/metrics")) for _ in range(PAGES)]
            used = _processor_ms(process.pid) - used
            memory = _memory_mb(process.pid)
    show(
        f"The exporter, with {SITES} sites ({PAGES} pages, {ROUNDS} runs)",
        [
            Row("a page of /metrics", sum(pages) / PAGES, "ms", "/-/healthy", sum(bare) / PAGES),
            Row("its processor time", used / PAGES, "ms", limit=PAGE_MS),
            Row("memory after that", memory, "MB", limit=MEMORY_MB),
            Row("/probe", median(probed), "ms", "what stands in for the run", median(plain)),
            Row("/probe adds", median(probed) - median(plain), "ms", limit=ADDED_MS),
        ],
    )
    remark(
        f"{PAGES / sum(pages) * 1000:.0f} pages a second of {len(page) / 1024:.0f} KB, one after the other"
    )


def _largest() -> str:
    reports = (load(lzma.decompress(path.read_bytes()), path.name) for path in sorted(CASES.glob("*.xz")))
    return max(map(render, reports), key=len)


@contextmanager
def _serving(file: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "bench.exporter", str(file), "serve", "--listen", f"127.0.0.1:{port}"]
    with subprocess.Popen([*command, "--fresh", "3600"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield port, process
        finally:
            process.terminate()


def _get(client: HTTPConnection, path: str) -> bytes:
    client.request("GET", path)
    response = client.getresponse()
    body = response.read()
    assert response.status == 200, body
    return body


def _ms(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return (time.perf_counter() - began) * 1000


def _processor_ms(pid: int) -> float:
    """Its own, whatever else the machine does meanwhile."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    """The most that it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _stand_in(file: str, arguments: Sequence[str]) -> int:
    """The whole program, but for what it runs."""
    from readycheck.__main__ import main
    from readycheck.web import exporter
    from readycheck.web.agent import Ended, run_agent

    async def agent(command: Sequence[str], limit_s: float, told: Callable[[str], None]) -> Ended:
        return await run_agent(["cat", file], limit_s, told)

    exporter.run_agent = agent  # type: ignore[attr-defined]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(_stand_in(sys.argv[1], sys.argv[2:]))
