"""A real Prometheus, configured as is shipped, scrapes a real exporter; both are on loopback."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.e2e.test_serve import exporter
from tests.ports import free_port

PROMETHEUS = shutil.which("prometheus")
SHIPPED = Path(__file__).parents[2] / "packaging" / "prometheus"
PATIENCE_S = 20.0


def configuration(exporter_port: int) -> str:
    text = (SHIPPED / "prometheus.yml").read_text()
    for shipped, here in {
        "berlin.example:10478": f"127.0.0.1:{exporter_port}",
        "127.0.0.1:10478": f"127.0.0.1:{exporter_port}",
        "node-1.vendor.example": "127.0.0.1",
        "profile: webex-calling": "profile: door",
        "profile: [webex-calling]": "profile: [door]",
        '      - targets: ["bonn.example:10478"]\n': "      - targets: []\n",
        ', "bonn.example:10478"': "",
        ', "node-2.vendor.example"': "",
        "scrape_interval: 1m": "scrape_interval: 1s\n  evaluation_interval: 1s",
        "scrape_timeout: 30s": "scrape_timeout: 1s",
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return text


@contextmanager
def prometheus(folder: Path, exporter_port: int) -> Iterator[int]:
    (folder / "prometheus.yml").write_text(configuration(exporter_port))
    shutil.copy(SHIPPED / "readycheck.rules.yml", folder)
    port = free_port()
    command = [str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}", "--log.level=error"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command) as serving:
        try:
            yield port
        finally:
            serving.terminate()


def asked(port: int, query: str) -> dict[tuple[str, ...], float]:
    """Values by profile, site and instance, as soon as there are any."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(query)}", timeout=5) as response:
                found: list[dict[str, Any]] = json.load(response)["data"]["result"]
        except (URLError, ConnectionError):
            found = []
        if found:
            return {
                tuple(one["metric"].get(label, "") for label in ("profile", "site", "instance")): float(
                    one["value"][1]
                )
                for one in found
            }
        time.sleep(0.1)
    pytest.fail(f"Prometheus knows nothing of {query}")


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not here")
def test_prometheus_reads_what_the_exporter_serves(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        exporter(tmp_path, door.getsockname()[1], "--fresh", "600") as (port, _),
        prometheus(tmp_path, port) as asking,
    ):
        instance = f"127.0.0.1:{port}"
        ready = asked(asking, 'readycheck_verdict{job="readycheck", verdict="ready"} == 1')
        assert ready == {("door", "Berlin", instance): 1}
        node = asked(asking, 'readycheck_verdict{job="readycheck-nodes", verdict="ready"} == 1')
        assert node == {("door", "127.0.0.1", "127.0.0.1"): 1}
        assert asked(asking, 'profile_site:readycheck_not_ready:max{site="Berlin"}') == {
            ("door", "Berlin", ""): 0
        }
        assert asked(asking, 'up{job="readycheck"} == 1') == {("door", "Berlin", instance): 1}
        assert asked(asking, "readycheck_exporter_runs_started_total == 2") == {("", "", instance): 2}
        assert asked(asking, "readycheck_exporter_shared_answers_total > 3")
        assert asked(asking, 'count(ALERTS{alertstate="firing"}) or vector(0)') == {("", "", ""): 0}
