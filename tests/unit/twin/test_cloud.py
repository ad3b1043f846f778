"""The processes of the servers; what they answer is in test_prompt.py and test_streams.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from readycheck.twin import isolation
from readycheck.twin.cloud import SERVICES
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw

PORTS = {"streams": {"tcp"}, "prompt": {"udp", "names"}}


@pytest.mark.parametrize("service", SERVICES)
def test_servers_say_when_they_listen_and_end_with_their_stdin(
    offer: Offer, tmp_path: Path, service: str
) -> None:
    blueprint = draw(offer, SCENARIOS["none"], seed=1, ratio=1.0)
    with subprocess.Popen(
        [sys.executable, "-m", "readycheck.twin.cloud", str(tmp_path), "loopback", service],
        env=isolation.clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as servers:
        assert servers.stdin is not None and servers.stdout is not None
        servers.stdin.write(blueprint.to_json() + "\n")
        servers.stdin.flush()
        assert json.loads(servers.stdout.readline()).keys() == PORTS[service]
        servers.stdin.close()
        assert servers.wait() == 0
