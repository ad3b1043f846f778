"""A run that is ended at any moment leaves no socket, task or timer behind."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readycheck.engine import Limits, Run, RunState
from readycheck.failure import Failure
from readycheck.net import raw
from readycheck.net.resolver import Resolver
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.traced import SharedNetwork
from readycheck.plan import Check, CheckTarget, Scope
from readycheck.probe import Effort, Target
from readycheck.registry import Installed, Registry

from .conftest import Bench
from .servers.authority import Authority
from .servers.tcp import TcpServer, silent
from .servers.udp import UdpServer
from .test_hostile_servers import NAME, OVER_DATAGRAMS, OVER_STREAMS, OVER_TLS, Measured

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into the selector of the event loop")

TURNS = (0, 1, 2, 3, 5, 8, 13, 34, 144)
"""After how many turns of the event loop a run is ended: from before its first packet to silence."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What was dropped unclosed warns when it is collected, and a warning is an error."""
    yield
    gc.collect()


@pytest.mark.parametrize("turns", TURNS)
async def test_probes_over_streams(bench: Bench, authority: Authority, turns: int) -> None:
    farther = TcpServer(silent, authority.context(NAME))
    with TcpServer(silent) as plain, farther as secured:
        bench.trusted = authority.certificate
        for name, measured in OVER_STREAMS.items():
            known = {"transport": "tcp"} if name == "dns" else {}
            await _end(bench, measured, _target(plain, **known), turns)
        for measured in OVER_TLS.values():
            await _end(bench, measured, _target(plain), turns)
            await _end(bench, measured, _target(secured), turns)


@pytest.mark.parametrize("turns", TURNS)
async def test_probes_over_datagrams(bench: Bench, turns: int) -> None:
    with UdpServer(lambda data, source: ()) as server:
        for measured in OVER_DATAGRAMS.values():
            await _end(bench, measured, _target(server), turns)


@pytest.mark.parametrize("turns", TURNS)
async def test_probes_behind_a_proxy(bench: Bench, turns: int) -> None:
    with TcpServer(silent) as proxy:
        place = f"127.0.0.1:{proxy.endpoint[1]}"
        bench.proxy = f"http://{place}"
        for name in ("tcp", "http"):
            await _end(bench, OVER_STREAMS[name], Target(host=NAME, port=443, via=place), turns)


@pytest.mark.parametrize("turns", TURNS)
async def test_the_resolver(turns: int) -> None:
    with UdpServer(lambda data, source: ()) as mute, UdpServer(lambda data, source: ()) as other:
        network = SystemNetwork(NetworkOptions(), None, None)  # type: ignore[arg-type]
        resolver = Resolver((mute.endpoint, other.endpoint), network.open_datagram, network.connect)
        async with _tidy():
            await _cancelled(resolver.resolve(NAME, timeout=5), turns)


@pytest.mark.parametrize("turns", TURNS)
async def test_the_engine(bench: Bench, turns: int) -> None:
    """What was seen is kept, and says that the run was interrupted."""
    network = SystemNetwork(NetworkOptions(), bench, bench._handshake)
    shared = SharedNetwork(network, effort=Effort.QUICK)
    with TcpServer(silent) as server, UdpServer(lambda data, source: ()) as mute:
        probes = {
            **_measured(OVER_STREAMS, _target(server, transport="tcp")),
            **_measured(OVER_TLS, _target(server)),
            **_measured(OVER_DATAGRAMS, _target(mute)),
        }
        registry = Registry({name: Installed(name, p, "tests", "1") for name, (p, _) in probes.items()}, {})
        run = Run(registry, shared.traced, shared.now_ms, Limits(asyncio.get_running_loop().time() + 20))
        async with _tidy():
            await _cancelled(run.run([_check(*one) for one in probes.items()]), turns)

    if turns:
        assert run.state is RunState.INTERRUPTED
        assert len(run.outcomes) == len(probes)
    ends = {o.failure for outcome in run.outcomes for o in outcome.observations}
    assert ends <= {None, Failure.INTERRUPTED}


@pytest.mark.parametrize("turns", TURNS)
async def test_the_raw_socket_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    said = "import os, threading\nprint(os.getpid(), flush=True)\nthreading.Event().wait()\n"
    (tmp_path / "readycheck_trace.py").write_text(said, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    target = Target(address="127.0.0.1", port=5004, transport="udp")
    children = _children()
    await _cancelled(raw.send_raw([(target, 1)], timeout_ms=100), turns)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    assert _children() == children


def _children() -> set[str]:
    """The processes that this one has started, those that nobody has waited for included."""
    file = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(file.read_text().split()) if file.exists() else set()


def _measured(table: Mapping[str, Measured], target: Target) -> dict[str, Measured]:
    return {
        f"{name} {target.port} {probe.name}": (probe, replace(params, targets=(target,)))
        for name, (probe, params) in table.items()
    }


def _check(name: str, measured: Measured) -> Check:
    probe, params = measured
    return Check(
        id=name,
        requirement=None,
        probe=name,
        scope=Scope.NAMED,
        target=CheckTarget(),
        params=params,
        budget_s=8.0,
        proves=probe.proves,
    )


def _target(server: TcpServer | UdpServer, **known: Any) -> Target:
    return Target(host=NAME, address="127.0.0.1", port=server.endpoint[1], **known)


async def _end(bench: Bench, measured: Measured, target: Target, turns: int) -> None:
    probe, params = measured
    async with _tidy():
        await _cancelled(bench.measure(probe, replace(params, targets=(target,))), turns)


async def _cancelled(work: Coroutine[Any, Any, Any], turns: int) -> None:
    """Start, let the loop turn so many times, and end it; what has ended by itself before is fine too."""
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()


@asynccontextmanager
async def _tidy() -> AsyncIterator[None]:
    """Afterwards there are the tasks and the watched sockets that there were before, and no other."""
    before = _left()
    yield
    assert _left() == before


def _left() -> tuple[int, int]:
    loop: Any = asyncio.get_running_loop()
    return len(asyncio.all_tasks()), len(loop._selector.get_map())
