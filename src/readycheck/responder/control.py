"""Control messages of the responder: one answer each at most, never longer than itself. Pure; time is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.callbacks import LASTS_S, CallBacks
from readycheck.responder.guard import Cookies, Known, Sources
from readycheck.responder.hold import Holds
from readycheck.responder.load import Loads
from readycheck.responder.mirrors import WAIT_S, Mirrors
from readycheck.responder.session import Refused, Session, Sessions
from readycheck.wire.far_end import Kind, Message, pack_message, unpack_message

Said = tuple[Kind, Mapping[str, Any]]

_MOST_NUMBER = 0xFFFFFFFF
_ANSWERS = {Kind.REPORT: Kind.COUNTED, Kind.CLOSE: Kind.CLOSED}


@dataclass(frozen=True, slots=True)
class Control:
    """What is known of everybody; with a `key` it is silent to whoever lacks it."""

    sessions: Sessions
    cookies: Cookies
    sources: Sources
    key: bytes = b""
    known: Known = field(default_factory=Known)
    mirrors: Mirrors | None = None
    loads: Loads | None = None
    callbacks: CallBacks | None = None
    holds: Holds | None = None
    rtcp_above: int = 0
    """By how much the port that answers sender reports lies above that of the streams."""

    def answer(
        self, data: bytes, source: Endpoint, now_s: float, shown: Mapping[str, Any] = MappingProxyType({})
    ) -> bytes | None:
        """The answer to a message, with what else was `shown` of its source; None is silence."""
        message = self.read(data, source, now_s)
        if message is None:
            return None
        said = self.reply(message, source, now_s, shown, size=len(data))
        if said is None:
            return None
        return self.packed(said, len(data), whole=said[0] is Kind.SIZED and message.body.get("down") is True)

    def read(self, data: bytes, source: Endpoint, now_s: float) -> Message | None:
        """What is to be answered: of who has the key, and within its rate."""
        try:
            message = unpack_message(data, self.key)
        except ValueError:
            return None
        return message if self.sources.allows(source[0], now_s) else None

    def packed(self, said: Said, room: int, *, whole: bool = False) -> bytes | None:
        """Nothing that is longer than what it answers; the `whole` room is filled where that is the question."""
        answer = pack_message(*said, self.key, size=room if whole else 0)
        return answer if len(answer) <= room else None

    def reply(
        self, message: Message, source: Endpoint, now_s: float, shown: Mapping[str, Any], *, size: int
    ) -> Said | None:
        """To a message of so many bytes."""
        if message.kind is Kind.HELLO:
            self.is_proved(message.body, source, now_s)
            cookie = self.cookies.make(source, now_s)
            return Kind.COOKIE, {"cookie": cookie, "seen_as": list(source), **shown}
        if message.kind is Kind.OPEN:
            return self._granted(message.body, source, now_s, lambda: self._open(message.body, source, now_s))
        if message.kind is Kind.MIRROR:
            return self._mirrored(message.body, source, now_s)
        if message.kind is Kind.SIZE:
            number = message.body.get("number")
            proved = self.is_proved(message.body, source, now_s)
            return (Kind.SIZED, {"number": number}) if proved and _is_short(number) else None
        if message.kind is Kind.LOAD:
            return self._granted(message.body, source, now_s, lambda: self._load(message.body, source, now_s))
        if message.kind is Kind.HOLD:
            return self._held(message.body, source, now_s)
        if message.kind is Kind.CALL_BACK:
            return self._called(message.body, source, now_s, size)
        if message.kind in _ANSWERS:
            token = message.body.get("token")
            session = self.sessions.of(token, source)
            if message.kind is Kind.CLOSE and session is not None:
                self.sessions.close(session)
            elif message.kind is Kind.CLOSE:
                session = self.sessions.ended(token, source)
            if session is None:
                return None
            return _ANSWERS[message.kind], session.counted(message.body.get("offset"))
        return None

    def _mirrored(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> Said | None:
        """With a cookie, wait for the next ClientHello of this address; with a token, tell a part of it."""
        if "token" in body:
            told = self.mirrors and self.mirrors.tell(body["token"], source[0], body.get("offset"), now_s)
            return (Kind.MIRRORED, told) if told else None
        return self._granted(body, source, now_s, lambda: self._mirror(source, now_s))

    def _mirror(self, source: Endpoint, now_s: float) -> Said:
        if self.mirrors is None:
            raise Refused("what is mirrored is told over TCP")
        return Kind.MIRRORED, {"token": self.mirrors.wait(source[0], now_s), "seconds": WAIT_S}

    def _load(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> Said:
        """What follows on the connection is the load itself; datagrams would be an amplifier.

        Without a way it is asked whether others had their share of the rate, too.
        """
        if self.loads is None:
            raise Refused("throughput is measured over TCP")
        if "way" not in body:
            return Kind.LOADED, {"shared": self.loads.crowded(source, body)}
        return Kind.LOADING, self.loads.open(source, body, now_s).terms()

    def _held(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> Said | None:
        """A cookie once, for a connection that has had its answer is its source's own."""
        if self.holds is not None and self.holds.of(source):
            return self._checked(lambda: self._hold(body, source, now_s))
        return self._granted(body, source, now_s, lambda: self._hold(body, source, now_s))

    def _hold(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> Said:
        if self.holds is None:
            raise Refused("connections are held, which is for TCP")
        return Kind.HELD, {"seconds": self.holds.open(source, body, now_s).rings_s - now_s}

    def _called(self, body: Mapping[str, Any], source: Endpoint, now_s: float, size: int) -> Said | None:
        """With a cookie, call this address at its ports; with a token, tell what came of it."""
        if "token" in body:
            told = self.callbacks and self.callbacks.tell(body["token"], source[0], now_s)
            return (Kind.CALLED, told) if told else None
        return self._granted(body, source, now_s, lambda: self._call(body, source, now_s, size))

    def _call(self, body: Mapping[str, Any], source: Endpoint, now_s: float, size: int) -> Said:
        if self.callbacks is None:
            raise Refused("calls are asked for over UDP")
        order = self.callbacks.order(source, body, size, now_s)
        return Kind.CALLED, {"token": order.token, "seconds": LASTS_S}

    def _granted(
        self, body: Mapping[str, Any], source: Endpoint, now_s: float, grant: Callable[[], Said]
    ) -> Said | None:
        """What is granted to who has shown that its address is its own, or why it is not; to others nothing."""
        return self._checked(grant) if self.is_proved(body, source, now_s) else None

    def _checked(self, grant: Callable[[], Said]) -> Said:
        try:
            return grant()
        except Refused as refused:
            return Kind.REFUSED, {"because": str(refused)}

    def is_proved(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> bool:
        """Whether it has shown that it receives at its address; who has is known for a while."""
        cookie = body.get("cookie")
        if not isinstance(cookie, str) or not cookie.isascii():
            return False
        proved = self.cookies.holds(cookie, source, now_s)
        if proved:
            self.known.note(source[0], now_s)
        return proved

    def _open(self, body: Mapping[str, Any], source: Endpoint, now_s: float) -> Said:
        terms = _terms(self.sessions.open(source, body, now_s))
        return Kind.OPENED, {**terms, "rtcp_above": self.rtcp_above}


def _is_short(number: object) -> bool:
    """What is sent back as it came has to be what it claims to be, or the answer may be longer than the question."""
    return isinstance(number, int) and 0 <= number <= _MOST_NUMBER


def _terms(session: Session) -> Mapping[str, Any]:
    granted = session.granted
    return {
        "token": session.token,
        "ssrc": session.ssrc,
        "seconds": granted.seconds,
        "packets_per_second": granted.packets_per_second,
        "payload_bytes": granted.payload_bytes,
    }
