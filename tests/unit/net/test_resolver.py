"""Names to addresses: hosts file, literals, several servers of which some are silent or wrong."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readycheck.failure import Failure
from readycheck.net import resolver as module
from readycheck.net.interface import Endpoint, NetError
from readycheck.net.query import DnsAnswer
from readycheck.net.resolver import Family, Resolver, system_servers

from .test_query import HOST, NET, Message, Script, answer, name_server

NOWHERE = Path("/nonexistent")


def resolver(*servers: Endpoint, family: Family = "any", hosts: Path = NOWHERE) -> Resolver:
    return Resolver(servers, NET.open_datagram, NET.connect, family=family, hosts_file=hosts)


def zone(*records: str, rcode: str = "NOERROR") -> Script:
    """A script that gives the records of the type that is asked for."""

    def script(asked: Message) -> Message:
        kind = "A" if asked.question[0].rdtype == 1 else "AAAA"
        return answer(asked, *[r for r in records if r.split()[1] in (kind, "CNAME")], rcode=rcode)

    return script


BOTH = zone(f"{HOST} A 192.0.2.1", f"{HOST} AAAA 2001:db8::1")


@pytest.mark.parametrize(
    ("family", "addresses"),
    [("any", ("192.0.2.1", "2001:db8::1")), ("4", ("192.0.2.1",)), ("6", ("2001:db8::1",))],
)
async def test_the_families_in_use_are_asked_for(family: Family, addresses: tuple[str, ...]) -> None:
    async with name_server(BOTH) as (place, fake):
        found = await resolver(place, family=family).resolve("Host.Example.", timeout=3)
    assert (found.addresses, found.server) == (addresses, "127.0.0.1")
    assert found.facts["rtt_ms"] > 0
    assert len(fake.asked) == len(addresses)


async def test_one_family_alone_is_an_answer() -> None:
    async with name_server(zone(f"{HOST} AAAA 2001:db8::1")) as (place, _):
        found = await resolver(place).resolve(HOST, timeout=3)
    assert found.addresses == ("2001:db8::1",)
    assert found.facts["without"] == {"A": "dns_no_answer"}


async def test_a_dropped_second_question_costs_little() -> None:
    def script(asked: Message) -> Message | None:
        return answer(asked, f"{HOST} A 192.0.2.1") if asked.question[0].rdtype == 1 else None

    began = asyncio.get_running_loop().time()
    async with name_server(script) as (place, _):
        assert (await resolver(place).resolve(HOST, timeout=20)).addresses == ("192.0.2.1",)
    assert asyncio.get_running_loop().time() - began < 2


@pytest.mark.parametrize("literal", ["192.0.2.7", "2001:db8::7", "fe80::1%lo"])
async def test_an_address_is_its_own_answer(literal: str) -> None:
    found = await resolver().resolve(literal, timeout=1)
    assert (found.addresses, found.server) == ((literal,), "literal")


async def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes(
        b"# comment\n192.0.2.5 Other host.example # x\nnot-an-address host.example\n\xff\xfe\n"
        b"2001:db8::5\thost.example.\r\n192.0.2.6 host.example\n192.0.2.9\n"
    )
    found = await resolver(hosts=hosts).resolve("HOST.example", timeout=1)
    assert (found.addresses, found.server) == (("192.0.2.5", "2001:db8::5", "192.0.2.6"), "hosts file")
    assert (await resolver(hosts=hosts, family="6").resolve(HOST, timeout=1)).addresses == ("2001:db8::5",)


async def test_a_hosts_file_of_the_other_family_does_not_count(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.5 host.example")
    async with name_server(BOTH) as (place, _):
        found = await resolver(place, family="6", hosts=hosts).resolve(HOST, timeout=3)
    assert found.addresses == ("2001:db8::1",)


@pytest.mark.parametrize("name", ["localhost", "a.localhost."])
async def test_localhost_is_nobody_elses_affair(name: str) -> None:
    assert (await resolver().resolve(name, timeout=1)).addresses == ("127.0.0.1", "::1")


async def test_no_resolver() -> None:
    with pytest.raises(NetError) as caught:
        await resolver().resolve(HOST, timeout=1)
    assert caught.value.failure is Failure.DNS_NO_RESOLVER


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        ("NXDOMAIN", Failure.DNS_NXDOMAIN),
        ("NOERROR", Failure.DNS_NO_ANSWER),
        ("SERVFAIL", Failure.DNS_SERVFAIL),
        ("REFUSED", Failure.DNS_REFUSED),
        ("NOTZONE", Failure.PROTOCOL_ERROR),
    ],
)
async def test_failures_have_their_names(rcode: str, failure: Failure) -> None:
    async with name_server(zone(rcode=rcode)) as (place, _):
        with pytest.raises(NetError) as caught:
            await resolver(place).resolve(HOST, timeout=3)
    assert (caught.value.failure, caught.value.facts["server"]) == (failure, "127.0.0.1")


@pytest.mark.parametrize(
    ("of_a", "of_aaaa", "failure"),
    [
        ("SERVFAIL", "NOERROR", Failure.DNS_SERVFAIL),
        ("SERVFAIL", "NXDOMAIN", Failure.DNS_SERVFAIL),
        (None, "NOERROR", Failure.TIMED_OUT),
        (None, "NXDOMAIN", Failure.DNS_NXDOMAIN),
        ("NOERROR", "SERVFAIL", Failure.DNS_NO_ANSWER),
    ],
)
async def test_that_there_is_none_of_another_type_says_nothing(
    of_a: str | None, of_aaaa: str, failure: Failure
) -> None:
    def script(asked: Message) -> Message | None:
        rcode = of_a if asked.question[0].rdtype == 1 else of_aaaa
        return answer(asked, rcode=rcode) if rcode else None

    async with name_server(script) as (place, _):
        with pytest.raises(NetError) as caught:
            await resolver(place).resolve(HOST, timeout=0.5)
    assert caught.value.failure is failure


async def test_silence_is_a_timeout() -> None:
    async with name_server(lambda _: None) as (place, _):
        with pytest.raises(NetError) as caught:
            await resolver(place).resolve(HOST, timeout=0.1)
    assert caught.value.failure is Failure.TIMED_OUT


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTZONE"])
async def test_the_next_server_is_asked_when_one_fails(rcode: str) -> None:
    async with name_server(zone(rcode=rcode)) as (bad, _), name_server(BOTH) as (good, _):
        found = await resolver(bad, good).resolve(HOST, timeout=3)
    assert found.addresses == ("192.0.2.1", "2001:db8::1")


async def test_the_next_server_is_asked_when_one_is_silent() -> None:
    began = asyncio.get_running_loop().time()
    async with name_server(lambda _: None) as (mute, _), name_server(BOTH) as (good, _):
        found = await resolver(mute, good).resolve(HOST, timeout=20)
    assert found.addresses == ("192.0.2.1", "2001:db8::1")
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_name_that_does_not_exist_is_not_asked_for_elsewhere() -> None:
    async with name_server(zone(rcode="NXDOMAIN")) as (first, _), name_server(BOTH) as (second, fake):
        with pytest.raises(NetError) as caught:
            await resolver(first, second).resolve(HOST, timeout=3)
    assert (caught.value.failure, fake.asked) == (Failure.DNS_NXDOMAIN, [])


async def test_a_refusal_says_more_than_a_silence() -> None:
    async with name_server(lambda _: None) as (mute, _), name_server(zone(rcode="REFUSED")) as (bad, _):
        with pytest.raises(NetError) as caught:
            await resolver(mute, bad).resolve(HOST, timeout=0.5)
    assert caught.value.failure is Failure.DNS_REFUSED


async def test_at_most_four_servers_are_asked() -> None:
    places = [("127.0.0.1", 1000 + n) for n in range(9)]
    assert resolver(*places).servers == tuple(places[:4])


async def test_cancellation_leaves_no_task_behind() -> None:
    async with name_server(lambda _: None) as (place, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await resolver(place, place).resolve(HOST, timeout=20)
    assert len(asyncio.all_tasks()) == 1


async def test_a_bug_is_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> DnsAnswer:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "query", broken)
    with pytest.raises(ExceptionGroup):
        await resolver(("127.0.0.1", 9)).resolve(HOST, timeout=1)


@pytest.mark.skipif(sys.platform == "win32", reason="read from the registry there")
@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.1", ["192.0.2.1", "2001:db8::1"]),
        ("search a b\nnameserver\nnameserver x.example\n nameserver fe80::1%lo", ["fe80::1%lo"]),
        ("# nameserver 192.0.2.1\noptions edns0 timeout:x\n\0\xff", []),
        ("\n".join(f"nameserver 192.0.2.{n}" for n in range(9)), [f"192.0.2.{n}" for n in range(4)]),
        ("", []),
    ],
)
def test_the_systems_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, servers: list[str]
) -> None:
    monkeypatch.setattr(module, "_RESOLV_CONF", tmp_path / "resolv.conf")
    assert system_servers() == ()
    (tmp_path / "resolv.conf").write_text(text, encoding="latin-1")
    assert system_servers() == tuple((one, 53) for one in servers)


async def test_a_name_on_every_line_of_a_hosts_file_is_bounded(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"192.0.2.1 {HOST}\n" * 100_000)
    assert len((await resolver(hosts=hosts).resolve(HOST, timeout=1)).addresses) == 64


@settings(
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=400))
async def test_any_hosts_file_is_survived(tmp_path: Path, content: bytes) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes(content)
    with pytest.raises(NetError):
        await resolver(hosts=hosts).resolve(HOST, timeout=1)
