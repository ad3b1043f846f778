"""What goes out by each way, to real servers and programs, and that no secret is shown."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from readycheck.alert.channel import DeliveryError, Heartbeat, Syslog, Webhook, body_of, channel, shown, sign
from readycheck.errors import UsageError
from tests.unit.alert.test_queue import message

MESSAGE = message()


class Server(HTTPServer):
    answer = 200
    got: list[tuple[str, dict[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.got = []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_webhook_is_signed(server: Server) -> None:
    way = channel(f"webhook+http://127.0.0.1:{server.server_port}/hook?token=x", b"secret")
    way.send(MESSAGE)
    ((path, headers, body),) = server.got
    assert (path, headers["Idempotency-Key"]) == ("/hook?token=x", "m1")
    stamp, _, mac = headers["X-Readycheck-Signature"].partition(",v1=")
    assert abs(float(stamp.removeprefix("t=")) - time.time()) < 60  # of sending: it may have waited for days
    assert mac == sign(b"secret", stamp.removeprefix("t="), body)
    assert json.loads(body)["title"] == "t"


def test_a_webhook_that_does_not_take_it(server: Server) -> None:
    server.answer = 500
    with pytest.raises(DeliveryError, match="it answered with status 500"):
        channel(f"webhook+http://127.0.0.1:{server.server_port}/").send(MESSAGE)


def test_a_webhook_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryError, match=r"^ConnectError$"):
            channel(f"webhook+http://u:geheim@127.0.0.1:{taken.getsockname()[1]}/").send(MESSAGE)


def test_healthchecks_hears_of_each_run(server: Server) -> None:
    way = channel(f"healthchecks+http://127.0.0.1:{server.server_port}/uuid")
    assert isinstance(way, Heartbeat)
    way.send(MESSAGE)
    way.begin("0123456789abcdef0123456789abcdef")
    way.end("0123456789abcdef0123456789abcdef", "webex: not-ready", good=False)
    way.end("0123456789abcdef0123456789abcdef", "webex: warnings", good=True)
    rid = "?rid=01234567-89ab-cdef-0123-456789abcdef"
    assert [path for path, _, _ in server.got] == [f"/uuid/start{rid}", f"/uuid/fail{rid}", f"/uuid{rid}"]
    assert [body for _, _, body in server.got] == [b"", b"webex: not-ready", b"webex: warnings"]


def test_a_command_reads_it() -> None:
    script = "import sys,json; sys.exit(json.load(sys.stdin)['id'] != 'm1')"
    channel(f'command:{sys.executable} -c "{script}"').send(MESSAGE)
    with pytest.raises(DeliveryError, match="status 1"):
        channel(f'command:{sys.executable} -c "raise SystemExit(1)"').send(MESSAGE)
    with pytest.raises(DeliveryError, match="No such file"):
        channel("command:/nosuch").send(MESSAGE)


def test_a_command_that_leaves_another_behind_is_not_waited_for(tmp_path: Path) -> None:
    """It was delivered, and would be again if that took too long."""
    os.mkfifo(tmp_path / "held")
    started = time.monotonic()
    try:
        channel(f"command:sh -c 'cat >/dev/null; cat {tmp_path}/held &'").send(MESSAGE)
        assert time.monotonic() - started < 20
    finally:
        os.close(os.open(tmp_path / "held", os.O_RDWR | os.O_NONBLOCK))


def test_an_answer_without_end_is_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        way = channel(f"webhook+http://127.0.0.1:{listening.getsockname()[1]}/")
        thread = threading.Thread(target=way.send, args=(MESSAGE,))
        thread.start()
        with listening.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome")
            thread.join(5)
            assert not thread.is_alive()


def test_a_line_in_a_log() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(5)
        channel(f"syslog://127.0.0.1:{log.getsockname()[1]}").send(MESSAGE)
        assert log.recv(2000).startswith(b"<10>readycheck: t (x)")
        channel(f"syslog://127.0.0.1:{log.getsockname()[1]}").send(replace(MESSAGE, title="north: x"))
        assert log.recv(2000) == b"<10>readycheck: north: x\0", "nothing is said twice"


def test_a_host_without_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="this host has no such log"):
        channel("syslog:")


def test_a_log_that_is_not_there() -> None:
    with pytest.raises(DeliveryError):
        Syslog("i", "n", "/nosuch/log").send(MESSAGE)


def test_apprise_takes_what_it_knows(server: Server) -> None:
    pytest.importorskip("apprise")
    channel(f"json://user:geheim@127.0.0.1:{server.server_port}/").send(MESSAGE)
    assert json.loads(server.got[0][2])["title"] == "t"


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:geheim@host/geheim",
        "webhook+https:///geheim",
        "webhook+http://[geheim",
        "command:",
        "command:'geheim",
        "syslog://:geheim",
        "geheim",
        "",
    ],
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--alert ") as refused:
        channel(url)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("webhook+https://u:geheim@hooks.example/geheim?k=geheim", "webhook+https://hooks.example"),
        ("slack://geheim/geheim", "slack://..."),
        ("command:/x geheim", "command:..."),
    ],
)
def test_what_is_shown(url: str, text: str) -> None:
    assert shown(url) == text
    assert "geheim" not in repr(Webhook("i", shown(url), url, b"geheim"))


def test_the_body_is_the_same_each_time() -> None:
    assert body_of(MESSAGE) == body_of(message())
