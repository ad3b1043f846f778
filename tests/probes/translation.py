"""A NAT out of tables in front of STUN servers, on a clock that jumps: mapping, filtering, hairpin, lifetime."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from readycheck.net.interface import Datagrams, Endpoint, IcmpReport, NetError, Received
from readycheck.probe import Failure
from readycheck.testing import FakeNetwork
from readycheck.wire import mirror, stun

PUBLIC = "198.51.100.7"
FAR, OTHER = ("203.0.113.1", 3478), ("203.0.113.2", 3479)

Edit = Callable[[bytes, Endpoint], bytes]


@dataclass
class _Binding:
    inside: int
    port: int
    until_s: float
    sent_to: set[Endpoint] = field(default_factory=set)


class Translation(FakeNetwork):
    """`mapping` and `filtering` are "any", "address" or "both": how much of the destination counts.

    Servers of `plain` only tell the mapped address; the far end does RFC 5780, and it is `deaf` to
    RESPONSE-PORT or not. `routers` are on the way to the public address. `lost(number)` says which of all
    packets never arrive. `edit` is done to what leaves.
    """

    def __init__(
        self, *, mapping: str = "any", filtering: str = "both", lives_s: float = 300.0, keeps_ports: bool = True,
        hairpin: bool = False, deaf: bool = False, plain: tuple[Endpoint, ...] = (),
        routers: tuple[str, ...] = (), edit: Edit = lambda data, to: data,
        lost: Callable[[int], bool] = lambda number: False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mapping, self.filtering, self.lives_s, self.keeps_ports = (
            mapping,
            filtering,
            lives_s,
            keeps_ports,
        )
        self.routers = routers
        self.hairpin, self.deaf, self.plain, self.edit, self.lost = hairpin, deaf, plain, edit, lost
        self._inside: dict[int, TranslatedDatagrams] = {}
        self._bindings: dict[object, _Binding] = {}
        self._local, self._free, self._number = iter(range(40000, 50000)), iter(range(50001, 60000)), 0

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        made = TranslatedDatagrams(self, ("0.0.0.0", source_port or next(self._local)), ttl)
        self._inside[made.local[1]] = made
        return made

    def leave(self, inside: int, data: bytes, to: Endpoint) -> None:
        """A packet on its way out, and all that comes of it."""
        self._number += 1
        binding = self._bind(inside, to)
        binding.sent_to.add(to)
        if self.lost(self._number):
            return
        if to[0] == PUBLIC:
            if self.hairpin:
                self._enter(to[1], data, (PUBLIC, binding.port))
            return
        data = self.edit(data, to)
        for answer, source, port in self._served(data, to, (PUBLIC, binding.port)):
            self._enter(port, answer, source)

    def _bind(self, inside: int, to: Endpoint) -> _Binding:
        now_s = asyncio.get_running_loop().time()
        key = (inside, {"any": None, "address": to[0], "both": to}[self.mapping])
        found = self._bindings.get(key)
        if found is None or found.until_s <= now_s:
            taken = {b.port for b in self._bindings.values() if b.until_s > now_s}
            keep = self.keeps_ports and inside not in taken
            found = self._bindings[key] = _Binding(inside, inside if keep else next(self._free), 0.0)
        found.until_s = now_s + self.lives_s
        return found

    def _enter(self, port: int, data: bytes, source: Endpoint) -> None:
        now_s = asyncio.get_running_loop().time()
        for binding in self._bindings.values():
            hosts = {host for host, _ in binding.sent_to}
            welcome = {"any": True, "address": source[0] in hosts, "both": source in binding.sent_to}
            if binding.port == port and binding.until_s > now_s and (
                welcome[self.filtering] or source[0] == PUBLIC
            ):  # fmt: skip
                binding.until_s = now_s + self.lives_s
                asyncio.get_running_loop().call_later(0.02, self._inside[binding.inside].arrive, data, source)
                return

    def _served(self, data: bytes, to: Endpoint, source: Endpoint) -> list[tuple[bytes, Endpoint, int]]:
        far = to[0] in (FAR[0], OTHER[0])
        turned = mirror.mirrored(data)
        if turned is not None:
            return [(turned, to, source[1])] if far else []
        if not (far or to in self.plain) or data[0] > 3:
            return []
        asked = stun.unpack_message(data)
        other = (OTHER[0] if to[0] == FAR[0] else FAR[0], OTHER[1] if to[1] == FAR[1] else FAR[1])
        origin = (other[0] if asked.change_ip else to[0], other[1] if asked.change_port else to[1])
        answer = stun.pack_binding_success(asked.transaction_id, source, other_address=other if far else None)
        port = asked.response_port if asked.response_port and far and not self.deaf else source[1]
        return [(answer, origin if far else to, port)]


@dataclass
class TranslatedDatagrams:
    """A socket behind it."""

    network: Translation
    local: Endpoint
    ttl: int | None = None
    _arrived: deque[Received | IcmpReport] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, payload: bytes, to: Endpoint) -> int:
        routers = self.network.routers
        if self.ttl is not None:
            if self.ttl <= len(routers):
                self._keep(IcmpReport(to, routers[self.ttl - 1], "time_exceeded", 0, payload))
            return self.network.now_ns()
        self.network.leave(self.local[1], payload, to)
        return self.network.now_ns()

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        while not self._arrived:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                raise NetError(Failure.TIMED_OUT, "nothing") from None
        return self._arrived.popleft()

    def arrive(self, data: bytes, source: Endpoint) -> None:
        self._keep(Received(data, source, self.network.now_ns()))

    def _keep(self, item: Received | IcmpReport) -> None:
        self._arrived.append(item)
        self._news.set()

    def close(self) -> None:
        self._arrived.clear()
