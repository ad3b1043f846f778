"""`readycheck responder` as a process: an agent's stream, a signal, and what it refuses."""

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509

from readycheck.net.certificate import spki_pin
from readycheck.net.datagram import SocketOptions
from readycheck.net.far_end import play
from readycheck.net.interface import Leg
from tests.ports import free_port

COMMAND = [sys.executable, "-m", "readycheck", "responder"]
AUDIO = Leg(payload_type=0, payload_bytes=160, packets_per_second=50, seconds=0.2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    key = tmp_path / "key"
    key.write_text("of this site\n")
    command = [*COMMAND, "--listen", f"127.0.0.1:{free_port()}", "--key", str(key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None and serving.stderr is not None
        said = re.fullmatch(
            r"listening on UDP, TCP and TLS 127\.0\.0\.1:(\d+), for who has the key; pin of the certificate: \S{44}\n",
            serving.stdout.readline(),
        )
        assert said is not None
        to = ("127.0.0.1", int(said[1]))
        (played,) = play(to, [AUDIO], SocketOptions(), b"of this site", threading.Event())
        assert played.counted == len(played.returned) == 10
        serving.send_signal(number)
        assert serving.wait(10) == 0
        assert serving.stderr.read() == ""


def test_figures_are_served_and_tls_shows_the_pin_that_was_told(tmp_path: Path) -> None:
    place, page = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
    command = [*COMMAND, "--listen", f"{place[0]}:{place[1]}", "--metrics", f"{page[0]}:{page[1]}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        pin = serving.stdout.readline().rpartition(" ")[2].strip()
        shown = ssl.get_server_certificate(place, timeout=5)
        assert spki_pin(x509.load_pem_x509_certificate(shown.encode())) == pin
        play(place, [AUDIO], SocketOptions(), b"", threading.Event())
        with urlopen(f"http://{page[0]}:{page[1]}/metrics", timeout=5) as response:
            assert b"readycheck_responder_packets_answered_total 10\n" in response.read()
        serving.terminate()
        assert serving.wait(10) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "nowhere.example"], "--listen nowhere.example: not an address, or address:port"),
        (["--listen", "127.0.0.1:70000"], "--listen 127.0.0.1:70000: not an address"),
        (
            ["--listen", "203.0.113.77"],
            "--listen 203.0.113.77: UDP port 3478: Cannot assign requested address",
        ),
        (["--key", "/nowhere/key"], "--key /nowhere/key: No such file or directory"),
        (["--sessions", "0"], "--sessions"),
        (["--certificate", "/nowhere/pem"], "--certificate /nowhere/pem: No such file or directory"),
        (["--listen", "127.0.0.1", "--metrics", "nowhere"], "--metrics nowhere: not an address"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: list[str], message: str) -> None:
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1 and message in done.stderr
