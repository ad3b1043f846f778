"""The responder as a whole: a reflector for each address, each in a thread of its own."""

import secrets
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from readycheck.errors import UsageError
from readycheck.net.interface import Endpoint
from readycheck.responder.binding import Bindings, corners, is_wildcard
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Known, Sources
from readycheck.responder.others import Others
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions

REQUESTS_PER_SOURCE = 20.0
BURST_PER_SOURCE = 300.0
"""Three requests for each stream: a site may open a hundred at once, and one every few seconds after that."""
REQUESTS_OVERALL = 5000.0
_OTHER_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen, and what to grant; with a `key` whoever lacks it hears nothing.

    With a `second_port` each address has that, too; two addresses of a family have one in any case (RFC 5780).
    """

    listen: tuple[Endpoint, ...]
    limits: Limits = field(default_factory=Limits)
    key: bytes = field(default=b"", repr=False)
    second_port: int | None = None

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
        known = Known()
        try:
            for place in settings.places:
                self._reflectors.append(_reflector(place, settings, known))
        except OSError as error:
            self.close()
            host, port = place
            raise UsageError(f"--listen {host}: UDP port {port}: {error.strerror or error}") from None
        at = {one.local: one for one in self._reflectors}
        for corner in corners(at):
            one = at[corner.here]
            bindings = Bindings(corner, one.control.sources)
            others = Others(bindings, known if settings.key else None)
            one.other = partial(_answer, others, at)
        self._threads = [threading.Thread(target=one.run, name="reflector") for one in self._reflectors]

    @property
    def places(self) -> Sequence[Endpoint]:
        """Where it listens."""
        return [one.local for one in self._reflectors]

    @property
    def streams(self) -> int:
        """How many are open."""
        return sum(len(one.control.sessions) for one in self._reflectors)

    def start(self) -> None:
        _allow_files(sum(one.control.sessions.limits.sessions for one in self._reflectors) + _OTHER_FILES)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every stream, and wait for the threads."""
        for one in self._reflectors:
            one.stop()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Of one that was never started."""
        for one in self._reflectors:
            one.close()


def _answer(others: Others, at: Mapping[Endpoint, Reflector], data: bytes, source: Endpoint) -> None:
    """By the reflector of the place that the answer has to come from."""
    said = others.answer(data, source, time.monotonic())
    if said is not None:
        at[said.origin].say(said.data, said.to)


def _reflector(place: Endpoint, settings: Settings, known: Known) -> Reflector:
    sources = Sources(REQUESTS_PER_SOURCE, BURST_PER_SOURCE, REQUESTS_OVERALL)
    cookies = Cookies(secrets.token_bytes(32))
    return Reflector(place, Control(Sessions(settings.limits), cookies, sources, settings.key, known))


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
