"""`sip-alg`: has the far end return a SIP request as it was received, and compares it byte by byte."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from typing import ClassVar

from readycheck.net.interface import Received
from readycheck.probe import (
    Better,
    Datagrams,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Target,
    Unit,
)
from readycheck.wire import mirror, sip
from readycheck_probes.dialling import addresses, family_of, own_address
from readycheck_probes.hostile import tame
from readycheck_probes.introduction import introduce
from readycheck_probes.options import NOWHERE

_WAITS_S = (0.5, 0.7, 1.0)
_MOST_LINES = 12
_MOST_ARRIVALS = 16
_MEDIA_PORT = 20000


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAlgParams:
    """`targets` are far ends with a mirror, by the port where no gateway looks for SIP; `ports` are where they do.

    `local` is this host's address as the request names it, for gateways replace the one that they translate; if it is
    not given, a connection to the target shows it.
    """

    targets: tuple[Target, ...] = ()
    ports: tuple[int, ...] = (5060,)
    local: str = ""


class SipAlgProbe:
    """The same OPTIONS with a session description to each port; it rings nowhere, whoever gets it."""

    name: ClassVar[str] = "sip-alg"
    title: ClassVar[str] = "SIP requests as they arrive at the far end"
    Params: ClassVar[type[SipAlgParams]] = SipAlgParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="ports asked"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "ports that returned the request"),
        Metric(
            "rewritten",
            Unit.COUNT,
            Better.LOWER,
            "ports at which it arrived with other bytes; none is known while no port that gateways look at answers",
        ),
    )
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: SipAlgParams, net: Net) -> None:
        await net.each(params.targets, partial(_compare, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        asked = [o for o in observations if o.step is Step.ECHO]
        returned = [o for o in asked if o.failure is None]
        rewritten = sum(bool(o.facts.get("changed")) for o in returned)
        looked_at = any(o.facts.get("looked_at") for o in returned)
        return {
            "sent": len(asked),
            "answered": len(returned),
            "rewritten": rewritten if rewritten or looked_at else None,
        }


async def _compare(params: SipAlgParams, target: Target, net: Net) -> None:
    """The same request to all ports at once."""
    address = (await addresses(net, target))[0]
    await introduce(net, replace(target, address=address))
    local = params.local or await own_address(net, (address, target.port or 0)) or NOWHERE
    places = dict.fromkeys((*params.ports, target.port or 0))
    targets = [replace(target, address=address, port=port, transport="udp") for port in places]
    await net.each(targets, partial(_reflect, params, local))


async def _reflect(params: SipAlgParams, local: str, target: Target, net: Net) -> None:
    address = target.address or ""
    with net.step(Step.ECHO, target) as step:
        step.facts.update(purpose="mirror", looked_at=target.port in params.ports)
        with closing(await net.plain.open_datagram(family=family_of(address))) as sock:
            request = Request(local, sock.local[1], (address, target.port or 0))
            sent, received = await _ask(net, sock, request)
        step.facts.update(changed=[list(pair) for pair in differences(sent, received)])
        step.facts.update(sent_bytes=len(sent), received_bytes=len(received))


@dataclass(frozen=True, slots=True)
class Request:
    """An OPTIONS with this host's address in all places in which gateways look for one."""

    local: str
    port: int
    to: tuple[str, int]

    def packed(self, call_id: str, attempt: int) -> bytes:
        host, port = self.to
        bare = sip.pack_options(
            uri=f"sip:{f'[{host}]' if ':' in host else host}:{port}",
            via_transport="UDP",
            local=(self.local, self.port),
            branch=f"{sip.BRANCH_COOKIE}{call_id[:12]}.{attempt}",
            call_id=call_id,
            tag=call_id[:8],
            cseq=attempt + 1,
        )
        body = self._description()
        head = bare.removesuffix(b"Content-Length: 0\r\n\r\n")
        return head + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def _description(self) -> bytes:
        """RFC 8866; the port of the media is even, as in a call."""
        address = f"IP{6 if ':' in self.local else 4} {self.local}"
        lines = (
            "v=0", f"o=readycheck 1 1 IN {address}", "s=-", f"c=IN {address}", "t=0 0",
            f"m=audio {_MEDIA_PORT} RTP/AVP 0",
        )  # fmt: skip
        return "".join(f"{line}\r\n" for line in lines).encode()


async def _ask(net: Net, sock: Datagrams, request: Request) -> tuple[bytes, bytes]:
    """What was sent, and what came of it; raises `NetError` for silence."""
    call_id = secrets.token_hex(12)
    attempts = [request.packed(call_id, number) for number in range(len(_WAITS_S))]
    for number, wait_s in enumerate(_WAITS_S):
        await sock.send(attempts[number], request.to)
        received = await _listen(net, sock, wait_s)
        for sent in attempts[: number + 1] if received else ():
            if _cseq(sent) == _cseq(received):
                return sent, received
    raise NetError(Failure.TIMED_OUT, f"no request came back in {len(_WAITS_S)} tries")


async def _listen(net: Net, sock: Datagrams, wait_s: float) -> bytes:
    """The request as it was received, empty when none comes; what is no SIP underneath is passed over."""
    until_ms = net.now_ms() + wait_s * 1000
    for _ in range(_MOST_ARRIVALS):
        try:
            item = await sock.receive(timeout=max(0.0, until_ms - net.now_ms()) / 1000)
        except NetError as error:
            if error.failure is Failure.TIMED_OUT:
                return b""
            raise
        if isinstance(item, Received) and item.payload[:1] == mirror.turned_over(b"O"):
            return mirror.turned_over(item.payload)
    return b""


def _cseq(request: bytes) -> bytes:
    """No gateway has a reason to touch it."""
    return next((line for line in request.split(b"\r\n") if line.lower().startswith(b"cseq:")), b"")


def differences(sent: bytes, received: bytes) -> Iterator[tuple[str, str]]:
    """Lines that were replaced, added or taken away, side by side; none when every byte is the same."""
    if sent == received:
        return
    old, new = _lines(sent), _lines(received)
    shown = 0
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for turn in range(max(i2 - i1, j2 - j1)):
            if shown == _MOST_LINES:
                return
            shown += 1
            before = old[i1 + turn] if i1 + turn < i2 else ""
            after = new[j1 + turn] if j1 + turn < j2 else ""
            yield before, after
    if not shown:
        yield "", f"{len(received) - len(sent):+d} bytes at the ends of lines"


def _lines(data: bytes) -> list[str]:
    return [tame(line.decode("utf-8", "replace")) or "" for line in data[:4096].split(b"\r\n")[:80]]
