"""What an HTTP proxy is asked for: tunnels (RFC 9110 section 9.3.6) and plain requests, with the login it may want."""

import asyncio
import base64
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from readycheck.failure import Failure
from readycheck.net.digest import Request
from readycheck.net.interface import (
    Endpoint,
    Handed,
    NetError,
    Network,
    PlainRequest,
    Stream,
    TlsFacts,
)
from readycheck.net.login import Access, Credentials, Login, Unable, logins
from readycheck.net.proxy import ProxyUrl, authority, is_plain
from readycheck.net.proxy_talk import Answer, Talk, Unbound

_MAX_TEXT = 100
_MOST_OFFERS = 8
_AUTH_REQUIRED = 407
_KNOWN_OFFERS = {"basic", "bearer", "digest", "kerberos", "negotiate", "ntlm"}


async def open_tunnel(
    network: Network,
    proxy: ProxyUrl,
    to_host: str,
    to_port: int,
    *,
    timeout: float,
    access: Access | None = None,
) -> Stream:
    """CONNECT, first without credentials: a proxy that wants none of them must not get to log them.

    The proxy resolves the name. A proxy that cannot be reached fails with the facts `stage` (`resolve`,
    `connect` or `tls`), `because` and, as far as it is known, its `proxy_address`. One that wants a login leaves
    the facts `offered` (its schemes) and `realm`, with `login` when it was accepted and `tried` when it was not;
    `lacks` is what this host would need to try.
    """
    if not is_plain(to_host):
        raise NetError(Failure.PROTOCOL_ERROR, "not a host name that can be asked for")
    place = authority(to_host, to_port)
    talk = Talk(network, proxy, Request("CONNECT", place), place, timeout)
    with ExitStack() as undo:
        undo.callback(talk.close)
        answer, facts = await _enter(talk, access)
        if not 200 <= answer.status < 300:
            raise _denied(answer, proxy, facts)
        undo.pop_all()
    return Tunnel(talk.stream, answer.rest, facts)


async def open_forward(
    network: Network,
    proxy: ProxyUrl,
    request: PlainRequest,
    *,
    timeout: float,
    access: Access | None = None,
) -> Handed:
    """Have the proxy make a request of plain HTTP, in absolute form; it fails as `open_tunnel` does.

    Of an answer that is the proxy's own only its words tell: that it is at fault, or that it is no proxy's at all.
    """
    if not is_plain(request.host):
        raise NetError(Failure.PROTOCOL_ERROR, "not a host name that can be asked for")
    talk = Talk(network, proxy, Request(request.method, request.url), request.authority, timeout)
    with ExitStack() as undo:
        undo.callback(talk.close)
        answer, facts = await _enter(talk, access)
        if _is_its_own(answer):
            raise _denied(answer, proxy, facts)
        undo.pop_all()
    signed = any(answer.values(name) for name in _SIGNATURES)
    return Handed(Tunnel(talk.stream, answer.head + b"\r\n\r\n" + answer.rest, facts), answer.status, signed)


_SIGNATURES = ("via", "proxy-status", "proxy-connection", "x-cache")
"""What those add who hand answers on (RFC 9110 section 7.6.3, RFC 9209)."""
_GATEWAY_FAILED = 500


def _is_its_own(answer: Answer) -> bool:
    """It refuses, or could not get there; a failure that nobody handed on is taken for the proxy's."""
    told = answer.values("x-squid-error") or any("error=" in one for one in answer.values("proxy-status"))
    return bool(told) or (answer.status >= _GATEWAY_FAILED and not answer.values("via"))


async def _enter(talk: Talk, access: Access | None) -> tuple[Answer, dict[str, Any]]:
    """Ask, and log in where the proxy wants it: its answer then, and what the login showed."""
    answer = await talk.ask()
    if answer.status != _AUTH_REQUIRED:
        return answer, {}
    facts = _offer(answer, talk.proxy)
    return await _log_in(talk, answer, facts, access or Access()), facts


def _denied(answer: Answer, proxy: ProxyUrl, facts: Mapping[str, Any]) -> NetError:
    known = {**facts, "status": answer.status, "reason": _told(answer.reason, proxy)}
    return NetError(Failure.PROXY_DENIED, f"{proxy} says {answer.status}", known)


# --- the login ----------------------------------------------------------------------------------------


async def _log_in(talk: Talk, first: Answer, facts: dict[str, Any], access: Access) -> Answer:
    """The answer to the first login that this host can make; `facts` learn which one was accepted."""
    proxy, lacks = talk.proxy, list[str]()
    user = Credentials(proxy.host, proxy.username, proxy.password or "")
    for login in logins(user, first.challenges, talk.request):
        async with access.turn(talk.deadline):
            if access.is_closed:
                raise _refused(proxy, facts, tried=login.scheme, given_up=True)
            try:
                answer = await _try(talk, login, first)
            except Unable as why:
                lacks.append(str(why))
                continue
            except Unbound:
                raise _refused(proxy, facts, tried=login.scheme, closed=True) from None
            access.count(accepted=answer.status != _AUTH_REQUIRED)
        known = {"mechanism": login.mechanism} if login.mechanism else {}
        if answer.status == _AUTH_REQUIRED:
            raise _refused(proxy, facts, tried=login.scheme, **known)
        facts.update(known, login=login.scheme)
        return answer
    raise _refused(proxy, facts, tried=None, **({"lacks": lacks} if lacks else {}))


async def _try(talk: Talk, login: Login, answer: Answer) -> Answer:
    legs = 0
    while answer.status == _AUTH_REQUIRED:
        said = await _in_time(talk, login, answer)
        if said is None:
            break
        answer = await talk.ask(said, bound=login.bound and legs > 0)
        legs += 1
    return answer


async def _in_time(talk: Talk, login: Login, answer: Answer) -> str | None:
    try:
        async with asyncio.timeout_at(talk.deadline):
            return await login.answer(answer.challenges)
    except TimeoutError:
        raise Unable(f"{login.scheme} takes too long to prepare") from None


def _refused(proxy: ProxyUrl, facts: Mapping[str, Any], **more: Any) -> NetError:
    detail = f"{proxy} offers {', '.join(facts['offered']) or 'no way'} to log in"
    return NetError(Failure.PROXY_AUTH_REQUIRED, detail, {**facts, **more})


# --- what is told -------------------------------------------------------------------------------------


def _offer(answer: Answer, proxy: ProxyUrl) -> dict[str, Any]:
    secrets = _secrets(proxy)
    schemes = dict.fromkeys(challenge.scheme[:32] for challenge in answer.challenges)
    told = [s for s in schemes if s.lower() in _KNOWN_OFFERS or not any(s in x or x in s for x in secrets)]
    realms = (c.params["realm"] for c in answer.challenges if c.params.get("realm"))
    realm = _told(next(realms, ""), proxy)
    return {"offered": tuple(told[:_MOST_OFFERS]), **({"realm": realm} if realm else {})}


def _told(text: str, proxy: ProxyUrl) -> str:
    for secret in _secrets(proxy):
        text = text.replace(secret, "…")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:_MAX_TEXT])


def _secrets(proxy: ProxyUrl) -> list[str]:
    """What a proxy that was told the credentials may echo."""
    pair = f"{proxy.username}:{proxy.password or ''}"
    encoded = base64.b64encode(pair.encode()).decode()
    given = (encoded, encoded.rstrip("="), pair, proxy.password, proxy.username)
    return [secret for secret in given if secret] if proxy.username is not None else []


class Tunnel:
    """What lies beyond the proxy; `early` is what that said at once, `facts` what the login showed."""

    tls: TlsFacts | None = None

    def __init__(self, stream: Stream, early: bytes, facts: Mapping[str, Any]) -> None:
        self._stream = stream
        self._early = early
        self.facts = dict(facts)

    @property
    def local(self) -> Endpoint:
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        return self._stream.peer

    async def read(self, limit: int, *, timeout: float) -> bytes:
        if self._early:
            data, self._early = self._early[:limit], self._early[limit:]
            return data
        return await self._stream.read(limit, timeout=timeout)

    async def write(self, data: bytes, *, timeout: float) -> None:
        await self._stream.write(data, timeout=timeout)

    def close(self) -> None:
        self._stream.close()
