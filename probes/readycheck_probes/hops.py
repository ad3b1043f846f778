"""Packets with a hop limit, of the kind that the port's service expects: what each of them meets."""

import secrets
import struct
from collections.abc import Mapping

from readycheck.failure import classify_icmp
from readycheck.net.interface import Received
from readycheck.probe import Failure, Net, NetError, Target
from readycheck.wire import ntp, stun
from readycheck.wire.rtp import RtpPacket, pack_packet
from readycheck_probes.options import NOWHERE, Options

LONGEST_WAIT_S, SHORTEST_WAIT_S = 0.5, 0.2
_RTP = pack_packet(RtpPacket(payload_type=0, sequence=1, timestamp=160, ssrc=0x5EAD, payload=bytes(24)))
_SIP_PORT = 5060
_NAME_SERVICE = ("dns", "hijack")
_KNOWN_BY_CONTENT = ("stun", "sip")
_QUESTION = struct.pack("!6H", 0x5EAD, 0x0100, 1, 0, 0, 0) + struct.pack("!xHH", 2, 1)
"""Who the root's name servers are (RFC 1035 section 4): every resolver knows."""
_ID = slice(4, 20)  # cookie and transaction of STUN (RFC 8489 section 5), by which an answer is known


def patience_s(rtt_ms: float | None) -> float:
    """Routers answer more slowly than services: four round trips, within bounds."""
    if rtt_ms is None:
        return LONGEST_WAIT_S
    return min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, 4 * rtt_ms / 1000))


class Sender:
    """Sends hop-limited packets of the kind that the port's service expects."""

    def __init__(self, net: Net, kinds: Mapping[int, str], wait_s: float) -> None:
        self.net, self.wait_s = net, wait_s
        self._kinds = kinds

    def as_media(self) -> "Sender":
        """One that sends RTP to whatever port."""
        return Sender(self.net, {}, self.wait_s)

    def speaks(self, target: Target) -> bool:
        """The packets to it are of a kind that boxes on the way know by what it says, and filter on any port."""
        return target.transport == "udp" and self._kinds.get(target.port or 0) in _KNOWN_BY_CONTENT

    def payload(self, target: Target) -> bytes:
        kind = self._kinds.get(target.port or 0)
        if kind == "stun":
            return stun.pack_binding_request(secrets.token_bytes(12))
        if kind in _NAME_SERVICE:
            return _QUESTION
        if kind == "sip":
            return Options(target, "udp", (NOWHERE, _SIP_PORT)).payload(0)
        return ntp.pack_request(self.net.now_ns() / 1e9) if kind == "ntp" else _RTP

    async def once(
        self, target: Target, ttl: int | None, again_s: float | None = None
    ) -> tuple[Failure | None, dict[str, object]]:
        """The failure that one hop-limited packet meets; None when the destination answered.

        After `again_s` a datagram is followed by a second one of the same flow, whatever has come by then; the first is
        waited for no longer than one that comes alone.
        """
        try:
            if target.transport != "tcp":
                return await self._datagram(target, ttl, again_s)
            stream = await self.net.plain.connect(endpoint_of(target), timeout=self.wait_s, ttl=ttl)
            stream.close()
            return None, {"arrived": True}
        except NetError as error:
            return error.failure, {k: v for k, v in error.facts.items() if k in ("offender", "meaning")}

    async def _datagram(
        self, target: Target, ttl: int | None, again_s: float | None
    ) -> tuple[Failure | None, dict[str, object]]:
        datagrams = await self.net.plain.open_datagram(family=family_of(target), ttl=ttl)
        try:
            payload = self.payload(target)
            await datagrams.send(payload, endpoint_of(target))
            if again_s is not None:
                await self.net.sleep(again_s)
                await datagrams.send(payload, endpoint_of(target))
            reply = await datagrams.receive(timeout=self.wait_s - (again_s or 0.0))
        finally:
            datagrams.close()
        if isinstance(reply, Received):
            stuns = self._kinds.get(target.port or 0) == "stun"
            foreign = stuns and (reply.payload[_ID] != payload[_ID] or reply.payload[:1] == payload[:1])
            return None, {"arrived": True, **({"foreign": True} if foreign else {})}
        return classify_icmp(reply.meaning), {"offender": reply.offender, "meaning": reply.meaning}


def endpoint_of(target: Target) -> tuple[str, int]:
    return target.address or "", target.port or 0


def family_of(target: Target) -> int:
    return 6 if ":" in (target.address or "") else 4
