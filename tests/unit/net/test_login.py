"""Which logins are tried, in which order; the handshakes themselves are tested with the tunnel."""

import asyncio
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net import login as module
from readycheck.net.challenge import parse
from readycheck.net.digest import Request
from readycheck.net.interface import NetError
from readycheck.net.login import Access, Credentials, Digest, Handshake, Unable, logins

USER = Credentials("proxy.example", "jo", "s3cret")
NOBODY = Credentials("proxy.example")
ALL = ["Basic realm=x", 'Digest realm="x", nonce="n", qop="auth"', "NTLM", "Negotiate"]
REQUEST = Request("CONNECT", "host.example:443")


def order(user: Credentials, offers: list[str], monkeypatch: pytest.MonkeyPatch, tickets: bool) -> list[str]:
    monkeypatch.setattr(module, "has_kerberos", lambda: tickets)
    return [login.scheme for login in logins(user, parse(offers), REQUEST)]


def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert order(USER, ALL, monkeypatch, True) == ["Negotiate", "NTLM", "Digest", "Basic"]
    assert order(USER, ALL, monkeypatch, False) == ["NTLM", "Digest", "Basic", "Negotiate"]
    assert order(USER, ["Bearer", "Digest nonce=n, algorithm=SHA-9"], monkeypatch, True) == []


def test_without_a_name_only_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert order(NOBODY, ALL, monkeypatch, True) == ["Negotiate"]
    assert order(NOBODY, ALL, monkeypatch, False) == []


async def test_a_ticket_is_asked_for_as_kerberos(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    class Context:
        complete = True
        negotiated_protocol = "kerberos"

        def step(self, token: bytes | None) -> bytes:
            return b"ticket"

    def client(*given: Any, protocol: str) -> Context:
        asked.append((*given, protocol))
        return Context()

    monkeypatch.setattr("spnego.client", client)
    login = Handshake("Negotiate", NOBODY)
    assert await login.answer(parse(["Negotiate"])) == "Negotiate dGlja2V0"
    assert await login.answer(parse(["Negotiate"])) is None
    assert asked == [(None, None, "proxy.example", "HTTP", "kerberos")]
    assert login.mechanism == "kerberos"


async def test_no_ticket_is_said_so() -> None:
    with pytest.raises(Unable, match=r"^Negotiate: "):
        await Handshake("Negotiate", NOBODY).answer(parse(["Negotiate"]))


async def test_a_helper_that_never_comes_back_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = module.threading.Event()
    login = Handshake("NTLM", USER)
    monkeypatch.setattr(login, "_step", lambda token: release.wait(5) and None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await login.answer(parse(["NTLM"]))
    release.set()


async def test_the_strongest_digest_is_answered() -> None:
    offers = parse(
        ['Digest realm="x", nonce="a", algorithm=MD5', 'Digest realm="x", nonce="b", algorithm=SHA-256']
    )
    login = Digest(USER, REQUEST)
    said = await login.answer(offers)
    assert said is not None and 'nonce="b"' in said and login.mechanism == "SHA-256"
    assert await login.answer(offers) is None
    assert await Digest(USER, REQUEST).answer(parse(["Basic"])) is None


def test_credentials_are_not_shown() -> None:
    assert "s3cret" not in repr(USER) and "jo" not in repr(USER).replace("proxy", "")


# --- how often ----------------------------------------------------------------------------------------


async def test_one_login_at_a_time_until_one_is_accepted() -> None:
    access, inside = Access(), 0
    before: list[int] = []
    together = asyncio.Barrier(3)

    async def log_in(wanted: bool) -> None:
        nonlocal inside
        async with access.turn(asyncio.get_running_loop().time() + 1):
            inside += 1
            if access.accepted:
                await together.wait()
            else:
                before.append(inside)
                await asyncio.sleep(0)
            access.count(accepted=wanted)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for wanted in (False, True, True, True, True):
            group.create_task(log_in(wanted))
    assert before == [1, 1]


async def test_a_turn_that_does_not_come() -> None:
    access, now = Access(), asyncio.get_running_loop().time()
    async with access.turn(now + 1):
        with pytest.raises(NetError) as caught:
            async with access.turn(now):
                pytest.fail("two at once")
    assert caught.value.failure is Failure.INTERRUPTED


async def test_a_login_that_is_not_refused_at_once_keeps_nobody_waiting() -> None:
    access, until = Access(patience_s=0.01), asyncio.get_running_loop().time() + 2
    async with access.turn(until):
        async with access.turn(until), access.turn(until):
            pass
    assert access.is_open and not access.accepted


def test_refusals_close_it_unless_one_was_accepted() -> None:
    access = Access()
    for closed in (False, True):
        access.count(accepted=False)
        assert access.is_closed is closed
    access.count(accepted=True)
    assert not access.is_closed
