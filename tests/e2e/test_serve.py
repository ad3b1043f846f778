"""`readycheck serve` as a process, whose runs are processes too."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.doors import DOOR
from tests.ports import free_port


@contextmanager
def exporter(folder: Path, door: int, *options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """It asks this machine alone."""
    (folder / "door.toml").write_text(DOOR.format(name="door", port=door))
    port = free_port()
    command = [sys.executable, "-m", "readycheck", "serve", "--listen", f"127.0.0.1:{port}", *options, "--"]
    command += ["--profile-dir", str(folder), "--no-controls", "--resolver", "127.0.0.1:9", "--proxy", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == f"serving http://127.0.0.1:{port}/\n"
        try:
            yield port, serving
        finally:
            serving.terminate()


def get(port: int, target: str) -> tuple[int, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", target, headers={"X-Prometheus-Scrape-Timeout-Seconds": "20"})
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_a_probe_is_a_run_and_the_end_is_quiet(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        with exporter(tmp_path, door.getsockname()[1]) as (port, serving):
            with ThreadPoolExecutor() as asking:
                both = list(asking.map(lambda _: get(port, "/probe?profile=door&site=Lab"), range(2)))
            assert both[0] == both[1]
            status, text = both[0]
            assert status == 200
            assert 'readycheck_verdict{profile="door",site="Lab",verdict="ready"} 1\n' in text
            assert get(port, "/probe?profile=door&role=cook") == (
                400,
                "--role cook: profile 'door' has the roles app\n",
            )
            metrics = get(port, "/metrics")[1]
            assert "readycheck_exporter_runs_started_total 2\n" in metrics
            assert "readycheck_exporter_shared_answers_total 1\n" in metrics
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(10) == 0
            refusal = "readycheck: door: --role cook: profile 'door' has the roles app\n"
            assert serving.stderr is not None and serving.stderr.read() == refusal
