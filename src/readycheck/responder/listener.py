"""The TCP side of the responder: who gets in, and a task for each connection, all in a thread of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress

from readycheck.net.headers import show_headers, shown_by_handshake
from readycheck.net.interface import Endpoint
from readycheck.responder.channel import ClearChannel
from readycheck.responder.connection import Connection, Desk
from readycheck.responder.figures import Page, answer_scraper
from readycheck.responder.guard import Doors, Sources

CONNECTIONS_PER_SOURCE, CONNECTIONS_BURST, CONNECTIONS_OVERALL = 10.0, 60.0, 300.0
"""A handshake of TLS takes about a millisecond of the processor."""

_BUFFER = 1 << 14
_PAUSE_S = 0.5


class Listener:
    """Serves until `stop`; `run` is for a thread of its own."""

    def __init__(self, page: Page) -> None:
        self.doors = Doors()
        self.refused = self.failed = 0
        self._sources = Sources(CONNECTIONS_PER_SOURCE, CONNECTIONS_BURST, CONNECTIONS_OVERALL)
        self._page = page
        self._open: list[tuple[socket.socket, Desk | None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._inside: set[socket.socket] = set()
        self._ending = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self, place: Endpoint, desk: Desk | None) -> Endpoint:
        """At a desk, or without one for who comes for the figures. Raises `OSError` when the port is taken."""
        sock = listening(place)
        self._open.append((sock, desk))
        host, port = sock.getsockname()[:2]
        return str(host), int(port)

    def run(self) -> None:
        # Windows has another by default, which cannot watch a socket.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        self._ending.set()
        if self._loop is not None and self._end is not None:
            with suppress(RuntimeError):  # it has ended before
                self._loop.call_soon_threadsafe(self._end.set)

    def close(self) -> None:
        """Of one that never ran."""
        for sock, _ in self._open:
            sock.close()

    async def _serve(self) -> None:
        self._end, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if self._ending.is_set():
            self._end.set()
        try:
            async with asyncio.TaskGroup() as group:
                for sock, desk in self._open:
                    self._watch(group, sock, desk)
                await self._end.wait()
                for sock, _ in self._open:
                    self._loop.remove_reader(sock)
                for task in tuple(self._tasks):
                    task.cancel()
        finally:
            self.close()

    def _begin(self, group: asyncio.TaskGroup, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = group.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _watch(self, group: asyncio.TaskGroup, sock: socket.socket, desk: Desk | None) -> None:
        if self._loop is not None and not self._ending.is_set():
            self._loop.add_reader(sock, self._accept, group, sock, desk)

    def _accept(self, group: asyncio.TaskGroup, sock: socket.socket, desk: Desk | None) -> None:
        """In one step: whom asyncio's own server, or a task that awaits one, has accepted is lost when it ends."""
        try:
            connection, peer = sock.accept()
        except (BlockingIOError, ConnectionError):  # who came has gone
            return
        except OSError:  # no file is left
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock)
            loop.call_later(_PAUSE_S, self._watch, group, sock, desk)
            return
        connection.setblocking(False)
        self._enter(group, desk, connection, (str(peer[0]), int(peer[1])))

    def _enter(
        self, group: asyncio.TaskGroup, desk: Desk | None, connection: socket.socket, source: Endpoint
    ) -> None:
        """Whoever may not come in is turned away at once: a queue would be theirs to fill."""
        if not self._sources.allows(source[0], time.monotonic()) or not self.doors.enter(source[0]):
            self.refused += 1
            connection.close()
            return
        self._inside.add(connection)
        task = self._begin(group, self._attend(desk, source, connection))
        # Not in the task alone, which may be cancelled before it begins.
        task.add_done_callback(lambda _: self._leave(connection, source))
        task.add_done_callback(lambda _: connection.close())

    def _leave(self, connection: socket.socket, source: Endpoint) -> None:
        """Once, and before the other end sees that it may come again."""
        if connection in self._inside:
            self._inside.remove(connection)
            self.doors.leave(source[0])

    async def _attend(self, desk: Desk | None, source: Endpoint, connection: socket.socket) -> None:
        """A fault that a stranger's bytes lay bare ends the stranger's connection, and no other."""
        try:
            await self._talk(desk, source, connection)
        except Exception:
            self.failed += 1

    async def _talk(self, desk: Desk | None, source: Endpoint, connection: socket.socket) -> None:
        seen = shown_by_handshake(connection)
        reader, writer = await asyncio.open_connection(sock=connection, limit=_BUFFER)
        channel = ClearChannel(reader, writer)
        try:
            if desk is not None:
                await Connection(desk, source, seen).talk(channel)
            else:
                await answer_scraper(channel, self._page)
            self._leave(connection, source)
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PAUSE_S):
                    await writer.wait_closed()
        finally:
            with suppress(AttributeError):  # what Python 3.11 has for one that was lost while it was closing
                writer.transport.abort()


def listening(place: Endpoint) -> socket.socket:
    """Raises `OSError` when the port is taken."""
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR would share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        show_headers(sock)
        sock.bind(place)
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock
