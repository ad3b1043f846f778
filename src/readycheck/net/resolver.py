"""Names to addresses: the hosts file, then name servers, with word of who said what."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from readycheck.failure import Failure
from readycheck.net.address import family_of, is_address
from readycheck.net.interface import Datagrams, Endpoint, NetError, Resolution, Stream
from readycheck.net.query import DnsAnswer, query

__all__ = ["DnsAnswer", "Resolver", "query", "system_servers"]

Family = Literal["any", "4", "6"]

_DNS_PORT = 53
_STAGGER_SECONDS = 0.3
_GRACE_SECONDS = 0.3
_MAX_SERVERS = 4
_MAX_FILE_BYTES = 4 << 20
_MAX_LOCAL = 64  # addresses of one name in the hosts file
_RESOLV_CONF = Path("/etc/resolv.conf")
_TYPES = {"A": "4", "AAAA": "6"}
_LOCALHOST = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class _Sockets:
    open_datagram: Callable[..., Awaitable[Datagrams]]
    connect: Callable[..., Awaitable[Stream]]


class Resolver:
    """Looks up addresses. `servers` None means the system's; `open_datagram` and `connect` are `Network`'s."""

    def __init__(
        self,
        servers: Sequence[Endpoint] | None,
        open_datagram: Callable[..., Awaitable[Datagrams]],
        connect: Callable[..., Awaitable[Stream]],
        *,
        family: Family = "any",
        hosts_file: Path | None = None,
    ) -> None:
        self._given = servers
        self._sockets = _Sockets(open_datagram, connect)
        self._family = family
        self._hosts_file = hosts_file or _default_hosts_file()

    @cached_property
    def servers(self) -> tuple[Endpoint, ...]:
        """The name servers that are asked, in their order."""
        return tuple(system_servers() if self._given is None else self._given)[:_MAX_SERVERS]

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        """An address is its own answer, then the hosts file counts, then the name servers."""
        if is_address(host):
            return Resolution((host,), "literal")
        name = host.lower().rstrip(".")
        if local := self._wanted(self._hosts.get(name, ())):
            return Resolution(local, "hosts file")
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: never a name server's affair
            return Resolution(self._wanted(_LOCALHOST), "system")
        if not self.servers:
            raise NetError(Failure.DNS_NO_RESOLVER, "this host has no name server")
        return await self._look_up(name, timeout)

    async def _look_up(self, name: str, timeout: float) -> Resolution:
        types = [rdtype for rdtype, family in _TYPES.items() if self._family in ("any", family)]
        races = [_Race(self._sockets, self.servers, name, rdtype, timeout) for rdtype in types]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(race.run()) for race in races]
            await tasks[0]
            if tasks[1:] and races[0].settles_all():
                # A resolver that drops the second question must not hold up what the first one gave.
                await asyncio.wait(tasks[1:], timeout=_GRACE_SECONDS)
                tasks[1].cancel()
        return _resolution(races)

    def _wanted(self, addresses: Sequence[str]) -> tuple[str, ...]:
        return tuple(one for one in addresses if self._family in ("any", str(family_of(one))))

    @cached_property
    def _hosts(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for line in _read_text(self._hosts_file).splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if is_address(address):
                for name in (one.lower().rstrip(".") for one in names):
                    found[name] = (*found.get(name, ()), address)[:_MAX_LOCAL]
        return found


def system_servers() -> tuple[Endpoint, ...]:
    """The name servers that this host is set to use; lines that make no sense are passed over."""
    if sys.platform == "win32":
        return _registry_servers()
    words = (line.split() for line in _read_text(_RESOLV_CONF).splitlines())
    named = (line[1] for line in words if len(line) > 1 and line[0] == "nameserver")
    return tuple((one, _DNS_PORT) for one in dict.fromkeys(named) if is_address(one))[:_MAX_SERVERS]


def _registry_servers() -> tuple[Endpoint, ...]:
    import dns.exception
    import dns.resolver

    with suppress(dns.exception.DNSException, OSError, ValueError):
        found = map(str, dns.resolver.Resolver().nameservers)
        return tuple((one, _DNS_PORT) for one in found if is_address(one))[:_MAX_SERVERS]
    return ()


@dataclass(slots=True)
class _Race:
    """One question to all servers: the next begins when the last one failed, or has been slow to answer."""

    sockets: _Sockets
    servers: Sequence[Endpoint]
    name: str
    rdtype: str
    timeout: float
    answer: DnsAnswer | None = None
    winner: str = ""
    errors: list[NetError] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.timeout
        async with asyncio.TaskGroup() as group:
            for server in self.servers:
                if self._is_decided():
                    break
                self.tasks.append(group.create_task(self._ask(server, deadline)))
                await asyncio.wait(self.tasks[-1:], timeout=_STAGGER_SECONDS)

    async def _ask(self, server: Endpoint, deadline: float) -> None:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            answer = await query(self.sockets, server, self.name, self.rdtype, timeout=left)
        except NetError as error:
            self.errors.append(error)
        else:
            self.answer, self.winner = self.answer or answer, self.winner or server[0]
        if self._is_decided():
            for task in self.tasks:
                if task is not asyncio.current_task():
                    task.cancel()

    def settles_all(self) -> bool:
        """There are addresses, or there is no such name; but a name may have no record of this type only."""
        return self.answer is not None or any(e.failure is Failure.DNS_NXDOMAIN for e in self.errors)

    def _is_decided(self) -> bool:
        # That a name or a record does not exist is an answer: another server is not asked to differ.
        final = (Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER)
        return self.answer is not None or any(error.failure in final for error in self.errors)


def _resolution(races: Sequence[_Race]) -> Resolution:
    told = [(race, race.answer) for race in races if race.answer is not None]
    if not told:
        raise _why_there_is_none(races)
    first, answer = told[0]
    addresses = dict.fromkeys(one for _, given in told for one in given.records if is_address(one))
    silent = {race.rdtype: race.errors[-1].failure for race in races if race.answer is None and race.errors}
    facts = {
        "rtt_ms": answer.rtt_ms,
        "truncated": answer.truncated,
        "edns_fallback": answer.edns_fallback,
        **answer.said,
        **({"without": {rdtype: failure.value for rdtype, failure in silent.items()}} if silent else {}),
    }
    return Resolution(tuple(addresses), first.winner, facts)


def _why_there_is_none(races: Sequence[_Race]) -> NetError:
    """That there is no record of another type says nothing of the first, which may have been refused or lost."""
    first_type, *others = (race.errors for race in races)
    asked_first = _most_telling(first_type)
    if asked_first.failure in (Failure.DNS_REFUSED, Failure.DNS_SERVFAIL):
        return asked_first
    more = (error for errors in others for error in errors if error.failure is not Failure.DNS_NO_ANSWER)
    return _most_telling([*first_type, *more])


def _most_telling(errors: Sequence[NetError]) -> NetError:
    order = [Failure.DNS_NO_ANSWER, Failure.DNS_NXDOMAIN, Failure.DNS_REFUSED, Failure.DNS_SERVFAIL]
    ranked = [e for failure in order for e in errors if e.failure is failure]
    other = [e for e in errors if e.failure is not Failure.TIMED_OUT]
    silent = NetError(Failure.TIMED_OUT, "no name server answers")
    return next(iter((*ranked, *other, *errors)), silent)


def _default_hosts_file() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("SystemRoot", r"C:\Windows"), r"System32\drivers\etc\hosts")
    return Path("/etc/hosts")


def _read_text(file: Path) -> str:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
    return ""
