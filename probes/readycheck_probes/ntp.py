"""Asks NTP servers for the time, and whether they know it."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from readycheck.failure import classify_icmp
from readycheck.net.interface import IcmpReport, Received
from readycheck.probe import (
    Datagrams,
    Endpoint,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Schedule,
    Step,
    Target,
    Unit,
)
from readycheck.wire import ntp
from readycheck_probes.asking import schedule_of
from readycheck_probes.dialling import endpoints, family_of
from readycheck_probes.hostile import tame
from readycheck_probes.tally import COMMON_METRICS, successes, tally

_AGAIN_S = 1.0
_WITHOUT_TIME = {"kiss-of-death", "unsynchronised", "zero-transmit"}


@dataclass(frozen=True, slots=True)
class NtpParams:
    """Servers; those given by name are asked `samples` times, sampled addresses once."""

    targets: tuple[Target, ...] = ()
    samples: int = 4


class NtpProbe:
    """Client requests; the sample with the least delay says how far this host's clock is off."""

    name: ClassVar[str] = "ntp"
    title: ClassVar[str] = "NTP time requests"
    Params: ClassVar[type[NtpParams]] = NtpParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        Metric("offset_ms", Unit.MILLISECONDS, title="server's clock less ours, at the least delay"),
    )
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: NtpParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params.samples))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        usable = [one.facts for one in successes(observations, Step.ECHO)]
        best = min(usable, key=lambda facts: float(facts["delay_ms"]), default={"offset_ms": None})
        return {**tally(observations, self.proves, timed=Step.ECHO), "offset_ms": best["offset_ms"]}


async def _visit(samples: int, target: Target, net: Net) -> None:
    count = samples if target.host else 1
    for endpoint in await endpoints(net, target):
        with suppress(NetError), net.step(Step.ECHO, replace(target, address=endpoint[0])) as step:
            with closing(await net.plain.open_datagram(family=family_of(endpoint[0]))) as datagrams:
                client = _Client(net, datagrams, endpoint)
                step.facts.update(await _best_sample(client, schedule_of(net, [target], once=True), count))
            return


async def _best_sample(client: "_Client", schedule: Schedule, count: int) -> Mapping[str, Any]:
    samples = [await client.persist(schedule)]
    # Many servers limit how often one client may ask: silence after an answer says nothing against them.
    with suppress(NetError):
        while len(samples) < count:
            samples.append(await client.ask(_AGAIN_S))
    return {**min(samples, key=lambda facts: float(facts["delay_ms"])), "samples": len(samples)}


class _Client:
    """Asks one server; does without `net.ask`, because an offset needs the very moments of each packet."""

    def __init__(self, net: Net, datagrams: Datagrams, server: Endpoint) -> None:
        self._net = net
        self._datagrams = datagrams
        self._server = server
        self._sent_ns: dict[bytes, int] = {}

    async def persist(self, schedule: Schedule) -> dict[str, Any]:
        """Ask again as the schedule says, until an answer or its end."""
        moments = (0.0, *schedule.again_ms, schedule.give_up_ms)
        for begin_ms, end_ms in pairwise(moments):
            try:
                return await self.ask((end_ms - begin_ms) / 1000)
            except NetError as error:
                if error.failure is not Failure.TIMED_OUT:
                    raise
        raise NetError(Failure.TIMED_OUT, f"no answer to {len(moments) - 1} requests")

    async def ask(self, timeout: float) -> dict[str, Any]:
        """The facts of an answer to this request or an earlier one."""
        request = ntp.pack_request(self._net.now_ns() / 1e9)
        self._sent_ns[request] = await self._datagrams.send(request, self._server)
        deadline_ms = self._net.now_ms() + timeout * 1000
        while True:
            left_s = max(0.0, deadline_ms - self._net.now_ms()) / 1000
            received = await self._datagrams.receive(timeout=left_s)
            if isinstance(received, IcmpReport):
                raise NetError(classify_icmp(received.meaning), facts={"offender": received.offender})
            if received.source == self._server:
                return self._facts(received)
            if not left_s:  # what strangers send may have no end
                raise NetError(Failure.TIMED_OUT, "nothing but what others sent")

    def _facts(self, received: Received) -> dict[str, Any]:
        try:
            reply = ntp.unpack_reply(received.payload)
        except ValueError as error:
            raise NetError(Failure.PROTOCOL_ERROR, str(error)) from error
        request = self._answered(reply)
        said = {"stratum": reply.stratum, "leap": reply.leap, "reference_id": tame(reply.reference_id)}
        reason = ntp.check_reply(request, reply)
        if reason in _WITHOUT_TIME:
            raise NetError(Failure.CLOCK_UNSYNCHRONISED, reason, said)
        if reason is not None:
            raise NetError(Failure.PROTOCOL_ERROR, f"NTP answer with the wrong {reason}", said)
        sent_ns = self._sent_ns[request]
        offset_ms, delay_ms = ntp.offset_and_delay_ms(reply, sent_ns / 1e9, received.at_ns / 1e9)
        rtt_ms = (received.at_ns - sent_ns) / 1e6
        return said | {
            "offset_ms": round(offset_ms, 3),
            "delay_ms": round(delay_ms, 3),
            "rtt_ms": round(rtt_ms, 3),
        }

    def _answered(self, reply: ntp.NtpReply) -> bytes:
        asked = {int.from_bytes(request[40:48], "big"): request for request in self._sent_ns}
        return asked.get(reply.origin_raw) or next(reversed(self._sent_ns))
