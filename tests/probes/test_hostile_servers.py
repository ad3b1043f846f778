"""Every probe against every hostile server of its transport: bounded time and memory, and a named failure."""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from readycheck.probe import Failure, Observation, Probe, Step, Target
from readycheck.registry import find
from readycheck_probes.dns import DnsParams, DnsProbe
from readycheck_probes.http import HttpParams, HttpProbe
from readycheck_probes.mtls import MtlsParams, MtlsProbe
from readycheck_probes.ntp import NtpParams, NtpProbe
from readycheck_probes.rtp import RtpParams, RtpProbe
from readycheck_probes.sip import SipParams, SipProbe
from readycheck_probes.stun import StunParams, StunProbe
from readycheck_probes.tcp import TcpParams, TcpProbe
from readycheck_probes.tftp import TftpParams, TftpProbe
from readycheck_probes.tls import TlsParams, TlsProbe
from readycheck_probes.websocket import WebsocketParams, WebsocketProbe

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.hostile import ATTACK, DATAGRAMS, STREAMS
from .servers.tcp import Serve, TcpServer, hang_up
from .servers.udp import UdpServer

NAME = "calls.example"
FRAMES = [
    name
    for name in STREAMS
    if name.startswith(("frame", "endless p", "endless empty", "endless f", "masked", "attack in f"))
]
# They record packets whose wait is over, which takes longer than the budget here.
WHOLE_ONLY = ("path", "flow", "repeat")
BUDGET_S = 0.2
AT_ONCE = 8
SLACK_S = 4.0  # for a busy machine: what does not end takes longer than any
MOST_CPU_S = 1.0  # twice what it takes on a machine that does nothing else
MOST_BYTES = 64_000
# The servers are of this process, too, and send as fast as they can: eight at once and what asks them take 13 to 53 MB.
# What keeps all that one of them sends in that time takes about a hundred.
MOST_GROWTH = 64 << 20

Measured = tuple[Probe[Any], Any]

OVER_STREAMS: Mapping[str, Measured] = {
    "tcp": (TcpProbe(), TcpParams()),
    **{name: (TcpProbe(), TcpParams(speaks=name)) for name in ("ssh", "smtp", "imap", "xmpp", "ldap")},
    "http": (HttpProbe(), HttpParams(scheme="http", method="GET")),
    "http HEAD": (HttpProbe(), HttpParams(scheme="http")),
    "ws": (WebsocketProbe(), WebsocketParams(scheme="ws", hold_s=0.1)),
    "sip": (SipProbe(), SipParams(transport="tcp")),
    "dns": (DnsProbe(), DnsParams(names=(NAME,), srv=(f"_sips._tcp.{NAME}",))),
}
OVER_TLS: Mapping[str, Measured] = {
    "tls": (TlsProbe(), TlsParams()),
    "mtls": (MtlsProbe(), MtlsParams()),
    **{name: (TcpProbe(), TcpParams(speaks=name)) for name in ("imaps", "xmpp-tls", "ldaps")},
    "https": (HttpProbe(), HttpParams(method="GET")),
    "wss": (WebsocketProbe(), WebsocketParams(hold_s=0.1)),
    "sips": (SipProbe(), SipParams()),
}
OVER_DATAGRAMS: Mapping[str, Measured] = {
    "stun": (StunProbe(), StunParams()),
    "rtp": (RtpProbe(), RtpParams()),
    "ntp": (NtpProbe(), NtpParams()),
    "tftp": (TftpProbe(), TftpParams()),
    "sip": (SipProbe(), SipParams(transport="udp")),
    "dns": (DnsProbe(), DnsParams(names=(NAME,), types=("A", "TXT"), srv=(f"_sips._tcp.{NAME}",))),
}
_TABLES = (OVER_STREAMS, OVER_TLS, OVER_DATAGRAMS)
# Those that speak over what they like, and those that are yet to come.
_FILLED = {"hijack": {"known": NAME, "unknown": ("nobody.invalid",)}}
OTHERS: Mapping[str, Measured] = {
    name: (one.probe, one.probe.Params(**_FILLED.get(name, {})))
    for name, one in find().installed.items()
    if name not in {probe.name for table in _TABLES for probe, _ in table.values()}
}
Ports = Mapping[str, int]


@pytest.mark.parametrize("name", OVER_STREAMS)
async def test_streams(bench: Bench, name: str) -> None:
    with _streams(STREAMS) as ports:
        await _endure(bench, OVER_STREAMS[name], ports, transport="tcp")


@pytest.mark.parametrize("name", OVER_TLS)
async def test_streams_without_tls(bench: Bench, name: str) -> None:
    with _streams(STREAMS) as ports:
        await _endure(bench, OVER_TLS[name], ports)


@pytest.mark.parametrize("name", OVER_TLS)
async def test_streams_inside_tls(bench: Bench, authority: Authority, name: str) -> None:
    bench.trusted = authority.certificate
    with _streams(STREAMS, authority.context(NAME)) as ports:
        await _endure(bench, OVER_TLS[name], ports)


@pytest.mark.parametrize("name", ["ws", "wss"])
async def test_frames(bench: Bench, authority: Authority, name: str) -> None:
    """With time enough to hold what was upgraded."""
    bench.trusted = authority.certificate
    frames = {server: serve for server, serve in STREAMS.items() if server in FRAMES}
    with _streams(frames, authority.context(NAME) if name == "wss" else None) as ports:
        found = await _endure(bench, {**OVER_STREAMS, **OVER_TLS}[name], ports, budget_s=6.0)
    for server, seen in found.items():
        (failure,) = seen.failures(Step.ECHO)
        if server.startswith("endless"):  # on a busy machine the pong may be missed first
            assert failure in (Failure.PROTOCOL_ERROR, Failure.TIMED_OUT)
        else:
            farewell = server == "attack in farewell"
            assert failure is (Failure.CONNECTION_CLOSED if farewell else Failure.PROTOCOL_ERROR)


@pytest.mark.parametrize("name", OVER_TLS)
async def test_certificates(bench: Bench, authority: Authority, name: str) -> None:
    bench.trusted = authority.certificate
    tickets = authority.context(NAME)
    tickets.num_tickets = 1000
    contexts = {
        "10 MB": authority.context(NAME, ballast=10 << 20),
        "chain of 100": authority.context(NAME, links=99),
        "3000 names": authority.context(NAME, *(f"\x1b[2J{n}.evil.example" for n in range(3000))),
        "long names": authority.context(NAME, *(f"{n}.{'x' * 60}.{'y' * 60}" for n in range(60)), links=99),
        "attack in the subject": authority.context(NAME, subject=ATTACK[:50]),
        "1000 tickets": tickets,
    }
    with ExitStack() as running:
        ports = {
            server: running.enter_context(TcpServer(hang_up, context)).endpoint[1]
            for server, context in contexts.items()
        }
        found = await _endure(bench, OVER_TLS[name], ports, budget_s=4.0)
    ends = {server: set(seen.failures(Step.TLS_HANDSHAKE)) for server, seen in found.items()}
    assert ends == {server: {None} for server in contexts} | {"10 MB": {Failure.PROTOCOL_ERROR}}


@pytest.mark.parametrize("name", ["tcp", "http", "tls"])
async def test_proxies(bench: Bench, name: str) -> None:
    with _streams(STREAMS) as ports:
        proxies = {server: f"127.0.0.1:{port}" for server, port in ports.items()}
        await _endure(bench, {**OVER_STREAMS, **OVER_TLS}[name], dict.fromkeys(ports, 443), proxies=proxies)


@pytest.mark.parametrize("name", OVER_DATAGRAMS)
async def test_datagrams(bench: Bench, name: str) -> None:
    with _datagrams() as ports:
        await _endure(bench, OVER_DATAGRAMS[name], ports)


@pytest.mark.parametrize("name", OTHERS)
async def test_other_probes(bench: Bench, name: str) -> None:
    with _streams(STREAMS) as ports:
        await _endure(bench, OTHERS[name], ports)
    with _datagrams() as ports:
        await _endure(bench, OTHERS[name], ports)


@contextmanager
def _datagrams() -> Iterator[Ports]:
    with ExitStack() as running:
        yield {name: running.enter_context(UdpServer(reply)).endpoint[1] for name, reply in DATAGRAMS.items()}


@contextmanager
def _streams(table: Mapping[str, Serve], context: ssl.SSLContext | None = None) -> Iterator[Ports]:
    with ExitStack() as running:
        yield {
            name: running.enter_context(TcpServer(serve, context)).endpoint[1]
            for name, serve in table.items()
        }


async def _endure(
    bench: Bench,
    measured: Measured,
    ports: Ports,
    *,
    budget_s: float = BUDGET_S,
    proxies: Mapping[str, str] | None = None,
    transport: str | None = None,
) -> dict[str, Seen]:
    """Measure a few servers at a time; tells all that went wrong at once."""
    probe, params = measured
    found: dict[str, Seen] = {}
    wrong: list[str] = []

    async def visit(server: str) -> None:
        there = replace(bench, names={NAME: ("127.0.0.1",)})
        target = Target(host=NAME, address="127.0.0.1", port=ports[server], transport=transport)
        if proxies is not None:
            there.proxy = f"http://{proxies[server]}"
            target = replace(target, address=None, via=proxies[server])
        planned = {"targets": (target,), **({"controls": (target,)} if probe.name == "flow" else {})}
        began = time.perf_counter()
        seen = found[server] = await there.measure(probe, replace(params, **planned), deadline_s=budget_s)
        took_s = time.perf_counter() - began
        faults = {
            f"took {took_s:.2f} s": took_s > budget_s + SLACK_S,
            "saw nothing": not seen.observations and probe.name not in WHOLE_ONLY,
            **_told(seen.observations),
        }
        wrong.extend(f"{server}: {fault}" for fault, is_so in faults.items() if is_so)

    for servers in _batches(list(ports)):
        before, beat = _restarted_peak(), _Beat()
        async with asyncio.TaskGroup() as group:
            counting = group.create_task(beat.count())
            async with asyncio.TaskGroup() as visits:
                for server in servers:
                    visits.create_task(visit(server))
            counting.cancel()
        grown = _peak() - before
        if beat.longest_s > MOST_CPU_S:
            wrong.append(f"one of {servers} kept others waiting for {beat.longest_s:.2f} s")
        if grown > MOST_GROWTH:
            wrong.append(f"one of {servers} made this process grow by {grown >> 20} MB")
    assert not wrong
    return found


def _batches(servers: Sequence[str]) -> Iterator[Sequence[str]]:
    return (servers[first : first + AT_ONCE] for first in range(0, len(servers), AT_ONCE))


def _told(observations: Sequence[Observation]) -> dict[str, bool]:
    """What is wrong with what will be in the report."""
    text = json.dumps([asdict(one) for one in observations], ensure_ascii=False)
    raw = sorted({letter for letter in text if not letter.isprintable()})
    return {
        f"{len(text)} bytes of facts": len(text.encode()) > MOST_BYTES,
        f"holds {raw}, escaped {_escaped(observations)}": bool(raw or _escaped(observations)),
        f"{[o.detail for o in observations]} is no named failure": any(
            one.failure is Failure.UNKNOWN for one in observations
        ),
    }


def _escaped(value: Any) -> set[str]:
    """Letters that JSON would hide."""
    if isinstance(value, str):
        return {letter for letter in value if not letter.isprintable()}
    if isinstance(value, Observation):
        return _escaped(asdict(value))
    if isinstance(value, Mapping):
        return {x for pair in value.items() for one in pair for x in _escaped(one)}
    if isinstance(value, list | tuple):
        return {x for one in value for x in _escaped(one)}
    return set()


class _Beat:
    """How much of the processor was used while everybody else had to wait, at most."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def count(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.thread_time() - began)


def _restarted_peak() -> int:
    """Have the kernel forget how large this process has been."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
    return int(status.split()[0]) << 10
