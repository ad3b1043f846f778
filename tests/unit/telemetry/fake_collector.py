"""A collector on loopback that keeps what it is sent, and answers as it is told."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class FakeCollector:
    url: str
    status: int = 200
    answer: bytes = b"{}"
    after: str = ""
    """What it says as `Retry-After`."""
    busy: int = 0
    """So many requests get status 503 first."""
    requests: list[tuple[str, Message, bytes]] = field(default_factory=list)
    held: Event = field(default_factory=Event)
    """Answers come once it is set."""

    def body(self, path: str) -> bytes:
        return next(body for asked, _, body in self.requests if asked == path)


@contextmanager
def collecting(*, holds: bool = False) -> Iterator[FakeCollector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.requests.append((self.path, self.headers, gzip.decompress(body)))
            fake.held.wait(20)
            busy, fake.busy = fake.busy > 0, fake.busy - 1
            self.send_response(503 if busy else fake.status)
            if fake.after:
                self.send_header("Retry-After", fake.after)
            self.send_header("Content-Length", str(len(fake.answer)))
            self.end_headers()
            self.wfile.write(fake.answer)

        def log_message(self, *_: object) -> None:
            """The output is the tests'."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake = FakeCollector(f"http://127.0.0.1:{server.server_port}")
        if not holds:
            fake.held.set()
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            fake.held.set()
            server.shutdown()
            thread.join()
