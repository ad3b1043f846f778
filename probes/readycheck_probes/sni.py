"""`sni`: what becomes of TLS greetings that differ in nothing but the server name, or in how it is sent.

A server hears the same in each shape of a greeting; a box that looks for names in packets does not.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from readycheck.probe import (
    Capability,
    Effort,
    Failure,
    HopLimited,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Stream,
    Target,
    TlsSettings,
    Unit,
)
from readycheck.wire.client_hello import as_records, as_segments, is_greeting

SPACING_S = 0.08
"""Between two greetings, because some boxes count them."""
HOPS = 12
LOCATED = 2
_TRIES = 2
REPEATS = 4
"""Of greetings that meet silence, beside as many that do not: whether it is the name's or the flow's luck."""

_WAIT_S = {Effort.QUICK: 1.0, Effort.NORMAL: 1.5, Effort.THOROUGH: 3.0}
_HOP_WAIT_S = 0.9  # TCP has sent it again by then
_NOBODY = "readycheck-{}.invalid"


class Variant(StrEnum):
    """How a greeting differs from the one in question, which is `asked`."""

    ASKED = "asked"
    DECOY = "decoy"
    NAMELESS = "nameless"
    LONGER = "longer"
    SEGMENTS = "segments"
    RECORDS = "records"
    ELSEWHERE = "elsewhere"
    STRANGE = "strange"
    OLDER = "older"


@dataclass(frozen=True, slots=True, kw_only=True)
class SniParams:
    """`targets` are the names in question, each at its address; one without a host is about greetings without.

    `decoy` is a name that nobody minds, and `controls` the address at which it answers. There the `witnesses`,
    further names in question, are asked for as well. At most `hops` are looked at.
    """

    targets: tuple[Target, ...] = ()
    witnesses: tuple[Target, ...] = ()
    controls: tuple[Target, ...] = ()
    decoy: str = ""
    seed: int = 0
    hops: int = HOPS


@dataclass(frozen=True, slots=True)
class Greeting:
    """One greeting: of `target` (whose host is the name in question) with a server name, at an endpoint."""

    target: Target
    variant: Variant
    server_name: str | None
    at: Target


@dataclass(slots=True)
class _Results:
    """The failure of each greeting, None where one was answered."""

    found: dict[tuple[Target, Variant], list[Failure | None]] = field(default_factory=dict)

    def add(self, greeting: Greeting, failure: Failure | None) -> None:
        self.found.setdefault((greeting.target, greeting.variant), []).append(failure)

    def is_killed(self, target: Target) -> bool:
        """Whether the greeting in question always fails, and another does not."""
        asked = self.found.get((target, Variant.ASKED), [])
        others = [
            f for (t, v), found in self.found.items() if t == target for f in found if v in _ABOUT_NAMES
        ]
        return bool(asked) and None not in asked and None in others

    def is_silent(self, target: Target) -> bool:
        return Failure.TIMED_OUT in self.found.get((target, Variant.ASKED), [])

    def is_sealed(self, target: Target) -> bool:
        """Whether connections stand, and whatever is said there gets no answer at all."""
        found = [
            f for (t, v), some in self.found.items() if t == target and v not in _AT_CONTROL for f in some
        ]
        return bool(found) and set(found) <= _WORDLESS

    @property
    def are_all_cut(self) -> bool:
        """Whether every greeting was cut off, whatever its name, and hosts outside the product no better."""
        found = {failure for some in self.found.values() for failure in some}
        return bool(found) and found <= _CUT


_ABOUT_NAMES = (Variant.DECOY, Variant.NAMELESS, Variant.LONGER, Variant.SEGMENTS, Variant.RECORDS)
_AT_CONTROL = (Variant.ELSEWHERE, Variant.STRANGE)
_CUT = {Failure.CONNECTION_RESET, Failure.CONNECTION_CLOSED}
_WORDLESS = {*_CUT, Failure.TIMED_OUT}


class SniProbe:
    """Name by address, in every shape; what is killed again, and with every hop limit, beside what passes."""

    name: ClassVar[str] = "sni"
    title: ClassVar[str] = "Server names in TLS greetings"
    Params: ClassVar[type[SniParams]] = SniParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="greetings sent with the usual hop limit"),
        Metric("answered", Unit.COUNT, title="greetings that a server answered with its certificate"),
        Metric("hops_asked", Unit.COUNT, title="greetings sent with a small hop limit"),
    )
    proves: ClassVar[Step] = Step.TLS_HANDSHAKE

    async def measure(self, params: SniParams, net: Net) -> None:
        results = _Results()
        # 1. every name at every address, in an order that is no pattern
        async with asyncio.TaskGroup() as group:
            for turn, greeting in enumerate(shuffled(params)):
                group.create_task(_after(turn * SPACING_S, greeting, net, results))
        # 2. where no name is let through, what offers less than TLS 1.3
        for greeting in older(params) if results.are_all_cut else ():
            await _after(SPACING_S, greeting, net, results)
        # 3. how far the killed ones come, beside those that pass
        killed = [target for target in params.targets if results.is_killed(target)][:LOCATED]
        sealed = [target for target in params.targets if results.is_sealed(target)][:1]
        silent = [target for target in killed if results.is_silent(target)] if params.decoy else []
        found = [*_beside_decoy(killed, params), *_beside_control(sealed, params)]
        can_limit = params.decoy and Capability.HOP_LIMIT in net.capabilities()
        async with asyncio.TaskGroup() as group:
            group.create_task(_locate(found if can_limit else [], params.hops, net))
            for greeting in [*_beside_decoy(silent, params)] * REPEATS:
                group.create_task(_after(0.0, greeting, net, results))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        greetings = [o for o in observations if o.step is Step.TLS_HANDSHAKE]
        return {
            "sent": len(greetings),
            "answered": sum(o.failure is None for o in greetings),
            "hops_asked": sum(o.step is Step.HOP for o in observations),
        }


def shuffled(params: SniParams) -> list[Greeting]:
    """All greetings in the order of the seed; what nobody minds is said first where a box may bear a grudge."""
    found = [g for target in params.targets for g in _of_target(target, params)]
    found += [
        Greeting(witness, Variant.ELSEWHERE, witness.host, at)
        for witness in params.witnesses
        for at in params.controls[:1]
    ]
    random.Random(params.seed).shuffle(found)
    return sorted(found, key=lambda greeting: greeting.variant is Variant.ELSEWHERE)


def _of_target(target: Target, params: SniParams) -> Iterator[Greeting]:
    """At most ten."""
    name = target.host
    said: list[tuple[Variant, str | None]] = [(Variant.ASKED, name), (Variant.ASKED, name)]
    if params.decoy:
        said += [(Variant.DECOY, params.decoy)] * 2
    if name:
        said += [
            (Variant.NAMELESS, None),
            (Variant.LONGER, f"{name}.invalid"),
            (Variant.SEGMENTS, name),
            (Variant.RECORDS, name),
        ]
    for variant, server_name in said:
        yield Greeting(target, variant, server_name, target)
    for at in params.controls[:1]:
        yield Greeting(target, Variant.ELSEWHERE, name, at)
        if name:
            yield Greeting(target, Variant.STRANGE, _NOBODY.format(params.seed % 1000), at)


async def _after(delay_s: float, greeting: Greeting, net: Net, results: _Results) -> None:
    await net.sleep(delay_s)
    at = greeting.at
    target = Target(host=greeting.target.host, address=at.address, port=at.port, sni=greeting.server_name)
    traced = net.towards(
        target, variant=greeting.variant.value, asked=greeting.target.host, about=_at(greeting)
    )
    wait_s = _WAIT_S[net.effort]
    with suppress(NetError):
        stream = await traced.connect((at.address or "", at.port or 0), timeout=wait_s)
        with closing(stream):
            failure: Failure | None = None
            try:
                shaped = _Shaped(stream, _SHAPES.get(greeting.variant))
                await traced.start_tls(shaped, _settings(greeting), timeout=wait_s)
            except NetError as error:
                failure = error.failure
            results.add(greeting, failure)


def _at(greeting: Greeting) -> str:
    """The endpoint of the name in question, wherever the greeting goes."""
    return f"{greeting.target.address}:{greeting.target.port}"


_OF_THE_SERVER = (Variant.ASKED, Variant.SEGMENTS, Variant.RECORDS)
"""Greetings that ask a server for a name that is its own, so that its certificate should have it."""


def _settings(greeting: Greeting) -> TlsSettings:
    """Nothing is fatal here: whoever answers, answers."""
    expected = greeting.target.host if greeting.variant in _OF_THE_SERVER else None
    newest = "1.2" if greeting.variant is Variant.OLDER else "1.3"
    return TlsSettings(server_name=greeting.server_name, verify_name=expected, verify=False, maximum=newest)


class _Shaped:
    """A stream whose greeting is sent in another shape."""

    tls = None

    def __init__(self, below: Stream, shape: Callable[[bytes], Sequence[bytes]] | None) -> None:
        self._below, self._shape = below, shape
        self.local, self.peer = below.local, below.peer

    async def read(self, limit: int, *, timeout: float) -> bytes:
        return await self._below.read(limit, timeout=timeout)

    def tcp_unacked(self) -> int | None:
        """What the connection below knows of it."""
        told: Callable[[], int | None] = getattr(self._below, "tcp_unacked", lambda: None)
        return told()

    async def write(self, data: bytes, *, timeout: float) -> None:
        shape, self._shape = self._shape, None
        for part in shape(data) if shape and is_greeting(data) else (data,):
            await self._below.write(part, timeout=timeout)

    def close(self) -> None:
        self._below.close()


_SHAPES: Mapping[Variant, Callable[[bytes], Sequence[bytes]]] = {
    Variant.SEGMENTS: as_segments,
    Variant.RECORDS: lambda data: (as_records(data),),
}


def older(params: SniParams) -> Iterator[Greeting]:
    """At most eight: TLS 1.2 and no more is offered, by turns with the usual greeting, here and at a control.

    By turns, because a box that counts greetings may have let this one pass for the time that went by.
    """
    for _ in range(_TRIES):
        for target in params.targets[: 1 if params.controls else 2]:
            yield Greeting(target, Variant.OLDER, target.host, target)
            yield Greeting(target, Variant.ASKED, target.host, target)
        for target, at in zip(params.targets, params.controls[:1], strict=False):
            yield Greeting(target, Variant.OLDER, params.decoy or None, at)
            yield Greeting(target, Variant.ELSEWHERE, target.host, at)


def _beside_decoy(killed: Sequence[Target], params: SniParams) -> Iterator[Greeting]:
    """The name in question, and one that passes at the same address."""
    for target in killed:
        yield Greeting(target, Variant.ASKED, target.host, target)
        yield Greeting(target, Variant.DECOY, params.decoy, target)


def _beside_control(sealed: Sequence[Target], params: SniParams) -> Iterator[Greeting]:
    """Where nothing passes, only another host can show how far a greeting may come."""
    for target in sealed:
        yield Greeting(target, Variant.ASKED, target.host, target)
        for at in params.controls[:1]:
            yield Greeting(target, Variant.ELSEWHERE, params.decoy, at)


async def _locate(greetings: Sequence[Greeting], hops: int, net: Net) -> None:
    """Connect as usual, then greet with every hop limit at once."""
    async with asyncio.TaskGroup() as group:
        for ttl in range(1, hops + 1):
            for greeting in greetings:
                group.create_task(_climb(greeting, ttl, net))


async def _climb(greeting: Greeting, ttl: int, net: Net) -> None:
    at, name = greeting.at, greeting.server_name
    try:
        stream = await net.plain.connect((at.address or "", at.port or 0), timeout=_HOP_WAIT_S)
    except NetError:
        return  # nothing was asked
    began_ms, failure = net.now_ms(), None
    with closing(stream):
        if not isinstance(stream, HopLimited):
            return
        try:
            stream.limit_hops(ttl)
            settings = TlsSettings(server_name=name, verify=False)
            await net.plain.start_tls(stream, settings, timeout=_HOP_WAIT_S)
        except NetError as error:
            failure = error.failure
    net.record(
        Observation(
            step=Step.HOP,
            target=Target(
                host=greeting.target.host, address=at.address, port=at.port, transport="tls", sni=name
            ),
            started_ms=round(began_ms, 3),
            elapsed_ms=round(net.now_ms() - began_ms, 3),
            failure=failure,
            facts={
                "purpose": "greeting",
                "ttl": ttl,
                "variant": greeting.variant.value,
                "asked": greeting.target.host,
                "about": _at(greeting),
            },
        )
    )
