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
            self.send_response(fake.status)
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
