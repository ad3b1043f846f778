"""A STUN request that leaves by one socket and whose answer may be awaited at another."""

from collections.abc import Callable, Mapping
from typing import Any

from readycheck.net.interface import Received
from readycheck.probe import Datagrams, Endpoint, Failure, Net, NetError, Observation, Step, Target
from readycheck_probes.binding import Binding

_WAITS_S = (0.3, 0.4, 0.6)
"""Three losses in a row are no accident; together they are what a silent filter costs."""

_MOST = 64


class Errand:
    """Sends by `out`, listens at `back`; what arrives besides is passed over."""

    def __init__(self, net: Net, out: Datagrams, back: Datagrams) -> None:
        self.net = net
        self._out, self._back = out, back

    async def ask(self, to: Endpoint, **asked: Any) -> Mapping[str, Any] | None:
        """The facts of the answer, from wherever it comes; None is silence."""
        binding = Binding(**asked)

        def facts(data: bytes) -> Mapping[str, Any] | None:
            try:
                return binding.recognise(data)
            except ValueError:
                return None

        return await self._send(binding, to, facts)

    async def send_round(self, to: Endpoint) -> bool:
        """Whether the request itself arrives at the other socket."""
        binding = Binding()
        return bool(
            await self._send(binding, to, lambda data: {"came": 1} if binding.came_back(data) else None)
        )

    def record(self, target: Target, began_ms: float, facts: Mapping[str, Any]) -> None:
        self.net.record(
            Observation(
                step=Step.ECHO,
                target=target,
                started_ms=round(began_ms, 3),
                elapsed_ms=round(self.net.now_ms() - began_ms, 3),
                facts=facts,
            )
        )

    async def _send(
        self, binding: Binding, to: Endpoint, read: Callable[[bytes], Mapping[str, Any] | None]
    ) -> Mapping[str, Any] | None:
        for attempt, wait_s in enumerate(_WAITS_S):
            await self._out.send(binding.payload(attempt), to)
            found = await self._listen(wait_s, read)
            if found is not None:
                return found
        return None

    async def _listen(
        self, wait_s: float, read: Callable[[bytes], Mapping[str, Any] | None]
    ) -> Mapping[str, Any] | None:
        until_ms = self.net.now_ms() + wait_s * 1000
        for _ in range(_MOST):
            try:
                item = await self._back.receive(timeout=max(0.0, until_ms - self.net.now_ms()) / 1000)
            except NetError as error:
                if error.failure is Failure.TIMED_OUT:
                    return None
                raise
            found = read(item.payload) if isinstance(item, Received) else None
            if found is not None:
                return found
        return None


def endpoint(target: Target) -> Endpoint:
    return target.address or "", target.port or 0
