"""The responder as a whole: a thread for the reflector of each place, and one for all TCP connections."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from readycheck.errors import UsageError
from readycheck.net.interface import Endpoint
from readycheck.responder.binding import Bindings, Corner, corners, is_wildcard
from readycheck.responder.callbacks import CallBacks
from readycheck.responder.caller import Caller
from readycheck.responder.calls import Calls
from readycheck.responder.connection import Desk
from readycheck.responder.control import Control
from readycheck.responder.figures import Figure, render
from readycheck.responder.guard import Cookies, Known, Sources
from readycheck.responder.hold import HoldLimits, Holds
from readycheck.responder.identity import Identity, make_identity
from readycheck.responder.listener import Listener
from readycheck.responder.load import LoadLimits, Loads
from readycheck.responder.mirrors import Mirrors
from readycheck.responder.offer import CallLimits
from readycheck.responder.others import Others
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions

REQUESTS_PER_SOURCE = 20.0
BURST_PER_SOURCE = 300.0
"""Three requests for each stream: a site may open a hundred at once, and one every few seconds after that."""
REQUESTS_OVERALL = 5000.0
METRICS_PORT = 9478
_OTHER_FILES = 64
_TRIES = 8
_COUNTED = {
    "packets": ("packets_total", "Packets from those who have a stream."),
    "packets_answered": ("packets_answered_total", "Packets of streams that were sent back."),
    "messages": ("messages_total", "Control messages over UDP."),
    "messages_answered": ("messages_answered_total", "Control messages over UDP that got an answer."),
    "others": ("others_total", "STUN, SIP, RTCP and rubbish that passed the filter."),
    "others_answered": ("others_answered_total", "STUN, SIP and RTCP that got an answer."),
    "failed": ("failed_total", "What came over UDP and met a fault of this program."),
}
"""Of what the reflectors count: the name for monitoring, and the meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen, and what to grant; with a `key` whoever lacks it hears nothing.

    With a `second_port` each address has that, too; two addresses of a family have one in any case (RFC 5780).
    """

    listen: tuple[Endpoint, ...]
    limits: Limits = field(default_factory=Limits)
    calls: CallLimits = field(default_factory=CallLimits)
    loads: LoadLimits = field(default_factory=LoadLimits)
    holds: HoldLimits = field(default_factory=HoldLimits)
    key: bytes = field(default=b"", repr=False)
    second_port: int | None = None
    identity: Identity | None = None
    metrics: Endpoint | None = None
    requests_per_source: float = REQUESTS_PER_SOURCE

    @property
    def places(self) -> tuple[Endpoint, ...]:
        """All that is listened on."""
        second = {(host, self._second(host, port)) for host, port in self.listen}
        return tuple(dict.fromkeys((*self.listen, *sorted((h, p) for h, p in second if p))))

    def _second(self, host: str, port: int) -> int | None:
        """One above, as STUN servers have it, where two addresses ask for one."""
        if self.second_port is not None:
            return self.second_port
        others = {
            h for h, p in self.listen if (":" in h) == (":" in host) and not is_wildcard(h) and p == port
        }
        own = {p for h, p in self.listen if h == host}
        return port + 1 if len(others) > 1 and len(own) == 1 and 0 < port < 65535 else None


def everywhere(port: int) -> tuple[Endpoint, ...]:
    """All addresses of the families that this host has."""
    hosts = ("0.0.0.0", "::") if socket.has_dualstack_ipv6() else ("0.0.0.0",)
    return tuple((host, port) for host in hosts)


class Responder:
    """Serves until `stop`. Raises `UsageError` when it cannot listen where it should."""

    def __init__(self, settings: Settings) -> None:
        self._reflectors: list[Reflector] = []
        self._listener: Listener | None = None
        self._settings, self._known, self._callbacks = settings, Known(), CallBacks()
        self._loads, self._caller = Loads(settings.loads), Caller(self._callbacks)
        self._holds = Holds(settings.holds)
        self._identity = settings.identity or make_identity()
        self._bind_somewhere()
        self._threads = [threading.Thread(target=one.run, name="reflector") for one in self._reflectors]
        self._threads.append(threading.Thread(target=self.listener.run, name="listener"))
        self._threads.append(threading.Thread(target=self._caller.run, name="caller"))

    @property
    def listener(self) -> Listener:
        assert self._listener is not None
        return self._listener

    @property
    def places(self) -> Sequence[Endpoint]:
        """Where it listens, by UDP and by TCP."""
        return [one.local for one in self._reflectors]

    @property
    def pin(self) -> str:
        """Of the certificate that it shows."""
        return self._identity.pin

    @property
    def streams(self) -> int:
        """How many are open."""
        return sum(len(control.sessions) for control in self._controls())

    def start(self) -> None:
        sessions = sum(one.control.sessions.limits.sessions for one in self._reflectors)
        _allow_files(sessions + self.listener.doors.overall + _OTHER_FILES)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every stream and connection, and wait for the threads."""
        for one in self._reflectors:
            one.stop()
        self.listener.stop()
        self._caller.stop()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Of one that was never started."""
        for one in self._reflectors:
            one.close()
        if self._listener is not None:
            self._listener.close()

    def figures(self) -> Iterator[Figure]:
        """What monitoring is told."""
        counts = [one.counts for one in self._reflectors]
        yield Figure("streams", "gauge", "Streams that are open.", self.streams)
        for name, (title, meaning) in _COUNTED.items():
            yield Figure(title, "counter", meaning, sum(getattr(one, name) for one in counts))
        on = sum(map(len, self._calls.values()))
        yield Figure("calls", "gauge", "Calls that are on.", on)
        yield Figure("loads", "gauge", "Connections that are filled for throughput.", len(self._loads))
        yield Figure("holds", "gauge", "Connections that are kept idle.", len(self._holds))
        yield Figure("connections", "gauge", "TCP connections that are open.", len(self.listener.doors))
        yield Figure(
            "connections_refused_total", "counter", "TCP connections turned away.", self.listener.refused
        )
        met = "TCP connections that met a fault of this program."
        yield Figure("connections_failed_total", "counter", met, self.listener.failed)

    def _controls(self) -> Iterator[Control]:
        yield from (one.control for one in self._reflectors)
        yield from (desk.control for desk in self._desks.values())

    def _bind_somewhere(self) -> None:
        """A port that is free for UDP may be taken for TCP: where any will do, another is tried."""
        tries = _TRIES if any(port == 0 for _, port in self._settings.places) else 1
        for left in reversed(range(tries)):
            try:
                return self._bind()
            except UsageError:
                self.close()
                self._reflectors, self._listener = [], None
                if not left:
                    raise

    def _bind(self) -> None:
        for place in self._settings.places:
            with _named("--listen", "UDP", place):
                above = int(_above(place) in self._settings.places)
                control = self._control(callbacks=self._callbacks, rtcp_above=above)
                self._reflectors.append(Reflector(place, control))
                self._reflectors[-1].asked = self._caller.wake
        at = {one.local: one for one in self._reflectors}
        for place in filter(lambda place: _above(place) in at, at):
            at[_above(place)].streams_below = (at[place].control.sessions,)
        self._calls = {place: Calls(place, one.connected, self._settings.calls) for place, one in at.items()}
        for corner in corners(at):
            others = self._others(corner, at[corner.here].control)
            calls = self._calls[corner.here]
            at[corner.here].other = partial(_answer, others, calls, at)
        self._desks = {place: self._desk(place) for place in at}
        page = self._settings.metrics
        self._listener = Listener(lambda: render(self.figures()))
        for place, desk in self._desks.items():
            with _named("--listen", "TCP", place):
                self._listener.listen(place, desk)
        if page is not None:
            with _named("--metrics", "TCP", page):
                self._listener.listen(page, None)

    def _control(
        self,
        mirrors: Mirrors | None = None,
        loads: Loads | None = None,
        callbacks: CallBacks | None = None,
        holds: Holds | None = None,
        rtcp_above: int = 0,
    ) -> Control:
        """Each thread has its own: a stream is of one place, and so are its limits."""
        return Control(
            Sessions(self._settings.limits),
            Cookies(secrets.token_bytes(32)),
            Sources(self._settings.requests_per_source, BURST_PER_SOURCE, REQUESTS_OVERALL),
            self._settings.key,
            self._known,
            mirrors,
            loads,
            callbacks,
            holds,
            rtcp_above,
        )

    def _desk(self, place: Endpoint) -> Desk:
        control = self._control(Mirrors(), self._loads, holds=self._holds)
        return Desk(control, self._others(Corner(place), control), self._identity, self._calls[place])

    def _others(self, corner: Corner, control: Control) -> Others:
        known = self._known if self._settings.key else None
        return Others(Bindings(corner, control.sources), known)


def _above(place: Endpoint) -> Endpoint:
    """Where RTCP belongs (RFC 3550 section 11)."""
    return place[0], place[1] + 1


@contextmanager
def _named(option: str, protocol: str, place: Endpoint) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        host, port = place
        raise UsageError(f"{option} {host}: {protocol} port {port}: {error.strerror or error}") from None


def _answer(
    others: Others, calls: Calls, at: Mapping[Endpoint, Reflector], data: bytes, source: Endpoint
) -> None:
    """By the call that it is of, or by the reflector of the place that the answer has to come from."""
    if calls.introduce(data, source):
        return
    said = others.answer(data, source, time.monotonic())
    if said is not None:
        there = at[said.origin]
        there.counts.others_answered += 1
        there.say(said.data, said.to)


def _allow_files(wanted: int) -> None:
    """Every stream has a socket of its own: as many as the system lets this user have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
