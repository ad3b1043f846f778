"""Probes against real servers on loopback: nothing here ever sends to another host."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509

from readycheck.net.interface import NetError, Resolution, Shown, Stream, TlsFacts, TlsSettings
from readycheck.net.proxy import parse_proxy
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.tls import handshake, vouch
from readycheck.net.traced import SharedNetwork
from readycheck.net.trust import TrustStore
from readycheck.observation import Observation, Trace
from readycheck.probe import Effort, Endpoint, Failure, MetricValue, Probe, Step

from .servers.authority import Authority


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe observed, and the metrics it made of that."""

    observations: tuple[Observation, ...]
    metrics: Mapping[str, MetricValue]

    def of(self, step: Step) -> list[Observation]:
        return [one for one in self.observations if one.step is step]

    def failures(self, step: Step) -> list[Failure | None]:
        return [one.failure for one in self.of(step)]


@dataclass(slots=True)
class Bench:
    """This host's real network, with names, name servers, a proxy and an authority of the test's."""

    names: dict[str, Sequence[str] | Failure] = field(default_factory=dict)
    resolvers: tuple[Endpoint, ...] = ()
    trusted: str = ""
    proxy: str = ""
    looked_up: list[str] = field(default_factory=list)

    async def measure(
        self, probe: Probe[Any], params: Any, *, effort: Effort = Effort.QUICK, deadline_s: float = 8.0
    ) -> Seen:
        """Run a probe as the engine does: what it has seen by the deadline is kept."""
        proxy = parse_proxy(self.proxy) if self.proxy else None
        options = NetworkOptions(resolvers=self.resolvers, proxy=proxy)
        network = SystemNetwork(options, self, self._handshake, self._vouch)
        shared, trace = SharedNetwork(network, effort=effort), Trace()
        deadline = asyncio.get_running_loop().time() + deadline_s
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await probe.measure(params, shared.traced(trace, deadline))
        observations = trace.observations(shared.now_ms())
        return Seen(observations, probe.summarize(observations))

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        self.looked_up.append(host)
        found = self.names.get(host, Failure.DNS_NXDOMAIN)
        if isinstance(found, Failure):
            raise NetError(found, host)
        return Resolution(tuple(found), "the test")

    async def _handshake(self, stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream:
        return await handshake(stream, settings, self._trust, timeout=timeout)

    def _vouch(self, shown: Shown, settings: TlsSettings, /) -> TlsFacts:
        return vouch(shown, settings, self._trust)

    @property
    def _trust(self) -> TrustStore:
        anchors = x509.load_pem_x509_certificates(self.trusted.encode()) if self.trusted else []
        return TrustStore(tuple(anchors))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fence the tests in, and keep the proxies of the developer's shell out."""
    monkeypatch.setenv("READYCHECK_LOOPBACK_ONLY", "1")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "somebody else")
