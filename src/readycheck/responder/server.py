"""The responder as a whole: a reflector for each address, each in a thread of its own."""

import secrets
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from readycheck.errors import UsageError
from readycheck.net.interface import Endpoint
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Sources
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions

REQUESTS_PER_SOURCE = 20.0
BURST_PER_SOURCE = 300.0
"""Three requests for each stream: a site may open a hundred at once, and one every few seconds after that."""
REQUESTS_OVERALL = 5000.0
_OTHER_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen, and what to grant; with a `key` whoever lacks it hears nothing."""

    listen: tuple[Endpoint, ...]
    limits: Limits = field(default_factory=Limits)
    key: bytes = field(default=b"", repr=False)


def everywhere(port: int) -> tuple[Endpoint, ...]:
    """All addresses of the families that this host has."""
    hosts = ("0.0.0.0", "::") if socket.has_dualstack_ipv6() else ("0.0.0.0",)
    return tuple((host, port) for host in hosts)


class Responder:
    """Serves until `stop`. Raises `UsageError` when it cannot listen where it should."""

    def __init__(self, settings: Settings) -> None:
        self._reflectors: list[Reflector] = []
        try:
            for place in settings.listen:
                self._reflectors.append(_reflector(place, settings))
        except OSError as error:
            self.close()
            host, port = place
            raise UsageError(f"--listen {host}: UDP port {port}: {error.strerror or error}") from None
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


def _reflector(place: Endpoint, settings: Settings) -> Reflector:
    sources = Sources(REQUESTS_PER_SOURCE, BURST_PER_SOURCE, REQUESTS_OVERALL)
    cookies = Cookies(secrets.token_bytes(32))
    return Reflector(place, Control(Sessions(settings.limits), cookies, sources, settings.key))


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
