"""The protocols that a connection can be asked for: what is sent, if anything, and how the answer reads."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from readycheck.probe import Failure, Net, NetError, Step, Stream, Target
from readycheck.wire import banner, ldap, xmpp
from readycheck_probes.dialling import patience, reached
from readycheck_probes.hostile import tame

Speaks = Literal[
    "",
    "ssh",
    "smtp",
    "imap",
    "imaps",
    "xmpp",
    "xmpp-tls",
    "ldap",
    "ldaps",
    "h323",
    "sccp",
    "mgcp",
]

SECURE = frozenset({"imaps", "xmpp-tls", "ldaps"})
"""Inside TLS from the first byte."""

MUTE = frozenset({"h323", "sccp", "mgcp"})
"""These answer a call or a registration only, and neither is ours to make."""

_READ_BYTES = 16 * 1024
_MESSAGE_ID = 1


@dataclass(frozen=True, slots=True)
class Protocol:
    """`request` is empty where the server speaks first; `unpack` returns None until it has heard enough."""

    unpack: Callable[[bytes], Mapping[str, Any] | None]
    request: Callable[[Target], bytes] = lambda target: b""


async def converse(speaks: Speaks, target: Target, stream: Stream, net: Net) -> None:
    """One step, which succeeds when the server answers in its protocol."""
    protocol = PROTOCOLS[speaks]
    deadline_ms = net.now_ms() + patience(net, target) * 1000
    with net.step(Step.RESPONSE) as step:
        step.at(**reached(target, stream))
        step.facts["speaks"] = speaks
        try:
            facts = await _ask(protocol, target, stream, lambda: max(0.0, deadline_ms - net.now_ms()) / 1000)
        except ValueError as error:
            raise NetError(Failure.PROTOCOL_ERROR, str(error)) from error
        step.facts.update({name: tame(v) if isinstance(v, str) else v for name, v in facts.items()})


async def _ask(
    protocol: Protocol, target: Target, stream: Stream, left_s: Callable[[], float]
) -> Mapping[str, Any]:
    request, heard = protocol.request(target), b""
    if request:
        await stream.write(request, timeout=left_s())
    while (facts := protocol.unpack(heard)) is None:
        try:
            more = await stream.read(_READ_BYTES, timeout=left_s())
        except NetError as error:
            raise _ended(error, heard, asked=bool(request)) from error
        if not more:
            how = f"after {len(heard)} bytes" if heard else "without a word"
            closed = NetError(Failure.CONNECTION_CLOSED, f"closed {how}")
            raise _ended(closed, heard, asked=bool(request))
        heard += more
    return facts


def _ended(error: NetError, heard: bytes, *, asked: bool) -> NetError:
    """Silence after whole lines that a server may begin with, but not end with, is another protocol's."""
    if asked or b"\n" not in heard:
        return error
    said = heard.partition(b"\n")[0].decode("utf-8", "replace").removesuffix("\r")
    return NetError(Failure.PROTOCOL_ERROR, f"the server said {said[:40]!r} and nothing that was expected")


def _banner(unpack: Callable[[bytes], Any]) -> Protocol:
    def facts(heard: bytes) -> Mapping[str, Any] | None:
        found = unpack(heard)
        return None if found is None else asdict(found)

    return Protocol(facts)


def _stream_header(target: Target) -> bytes:
    return xmpp.pack_header(target.host or target.address or "")


def _unpack_stream_header(heard: bytes) -> Mapping[str, Any] | None:
    found = xmpp.unpack_header(heard)
    return None if found is None else {name: text for name, text in asdict(found).items() if text}


def _unpack_root_search(heard: bytes) -> Mapping[str, Any] | None:
    message = ldap.unpack_message(heard)
    if message is None:
        return None
    notice = (0, ldap.Operation.EXTENDED_RESPONSE)  # of disconnection (RFC 4511 section 4.4.1)
    ours = message.message_id == _MESSAGE_ID and message.operation is not ldap.Operation.SEARCH
    if not ours and (message.message_id, message.operation) != notice:
        raise ValueError(f"LDAP message {message.message_id} ({message.operation.name}) answers nothing")
    facts = {"operation": message.operation.name.lower(), "result_code": message.result_code}
    return {**facts, "diagnostic": message.diagnostic} if message.diagnostic else facts


_XMPP = Protocol(_unpack_stream_header, _stream_header)
_LDAP = Protocol(_unpack_root_search, lambda target: ldap.pack_root_search(_MESSAGE_ID))
_IMAP = _banner(banner.unpack_imap)

PROTOCOLS: Mapping[str, Protocol] = {
    "ssh": _banner(banner.unpack_ssh),
    "smtp": _banner(banner.unpack_smtp),
    "imap": _IMAP,
    "imaps": _IMAP,
    "xmpp": _XMPP,
    "xmpp-tls": _XMPP,
    "ldap": _LDAP,
    "ldaps": _LDAP,
}
