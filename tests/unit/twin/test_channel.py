"""The server's side of TLS."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from readycheck.responder.channel import Channel, ClearChannel, TlsChannel
from readycheck.twin.blueprint import Chain
from readycheck.twin.certificates import ROOT_FILE, utc_now, write_certificates
from readycheck.twin.channel import Contexts, wanted_chains
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw

T = TypeVar("T")

HOST = "web.vendor.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, [HOST], Chain, utc_now())
    return folder


class Pipe:
    """One end of a connection in memory."""

    def __init__(self, reader: asyncio.StreamReader, peer: asyncio.StreamReader) -> None:
        self._reader, self._peer = reader, peer

    async def read(self) -> bytes:
        return await self._reader.read(4096)

    async def write(self, data: bytes) -> None:
        self._peer.feed_data(data)

    def end(self) -> None:
        self._peer.feed_eof()


@asynccontextmanager
async def served(contexts: Contexts, port: int) -> AsyncIterator[Pipe]:
    """A server that greets, reads once and answers."""
    here, there = asyncio.StreamReader(), asyncio.StreamReader()
    near, far = Pipe(here, there), Pipe(there, here)

    async def serve() -> None:
        channel = TlsChannel(far, contexts.of_port(port))
        try:
            await channel.handshake()
            await channel.write(b"echo " + await channel.read())
        except ssl.SSLError:
            far.end()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve())
        yield near
        task.cancel()


async def talk(pipe: Channel, context: ssl.SSLContext, name: str | None = HOST) -> tuple[str, bytes]:
    """Greet as a client, send one message; the version and the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)

    async def drive(operation: Callable[[], T]) -> T:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await pipe.write(outgoing.read())
                data = await pipe.read()
                incoming.write(data) if data else incoming.write_eof()
            else:
                await pipe.write(outgoing.read())
                return result

    await drive(tls.do_handshake)
    await drive(lambda: tls.write(b"hello"))
    return tls.version() or "", await drive(lambda: tls.read(100))


def client(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / ROOT_FILE)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def contexts(offer: Offer, folder: Path, scenario: str) -> Contexts:
    return Contexts(folder, draw(offer, SCENARIOS[scenario], seed=1, ratio=0.02))


async def test_a_client_that_trusts_the_root_is_served(offer: Offer, folder: Path) -> None:
    async with served(contexts(offer, folder, "none"), 443) as pipe:
        assert await talk(pipe, client(folder)) == ("TLSv1.3", b"echo hello")


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA384", "AES128-SHA"])
async def test_rsa_suites_of_tls_1_2_are_spoken(offer: Offer, folder: Path, suite: str) -> None:
    context = client(folder)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    async with served(contexts(offer, folder, "none"), 443) as pipe:
        assert (await talk(pipe, context))[0] == "TLSv1.2"


@pytest.mark.parametrize(
    ("scenario", "port", "reason"),
    [
        ("certificate-untrusted", 8934, "self-signed certificate|unable to get"),
        ("certificate-expired", 8934, "expired"),
        ("certificate-chain-incomplete", 8934, "unable to get local issuer"),
        ("certificate-name-mismatch", 443, "Hostname mismatch"),
        ("tls-inspection", 443, "unable to get"),
    ],
)
async def test_a_wrong_chain_is_noticed(
    offer: Offer, folder: Path, scenario: str, port: int, reason: str
) -> None:
    async with served(contexts(offer, folder, scenario), port) as pipe:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            await talk(pipe, client(folder))


async def test_hosts_outside_the_product_keep_their_good_chain(offer: Offer, folder: Path) -> None:
    blueprint = draw(offer, SCENARIOS["certificate-expired"], seed=1, ratio=0.02)
    spared = replace(blueprint, faults=replace(blueprint.faults, spared=(HOST,)))
    assert offer.controls == blueprint.faults.spared == ("control.example.net",)
    async with served(Contexts(folder, spared), 8934) as pipe:
        assert (await talk(pipe, client(folder)))[1] == b"echo hello"


async def test_a_failed_handshake_ends_with_an_alert(offer: Offer, folder: Path) -> None:
    async with served(contexts(offer, folder, "tls-version"), 443) as pipe:
        with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
            await talk(pipe, client(folder))


async def test_old_versions_are_spoken_to_those_who_ask(offer: Offer, folder: Path) -> None:
    context = client(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with served(contexts(offer, folder, "tls-version"), 443) as pipe:
        assert (await talk(pipe, context))[0] == "TLSv1.1"


async def test_a_certificate_based_port_wants_one(offer: Offer, folder: Path) -> None:
    async with served(contexts(offer, folder, "none"), 9962) as pipe:
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            await talk(pipe, client(folder))


async def test_a_clear_channel_gives_back_what_was_read_ahead() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"rest")
    reader.feed_eof()
    channel = ClearChannel(reader, None, b"first")  # type: ignore[arg-type]
    assert [await channel.read(), await channel.read(), await channel.read()] == [b"first", b"rest", b""]


def test_the_chains_that_a_world_needs(offer: Offer) -> None:
    needs = {name: wanted_chains(draw(offer, s, seed=1, ratio=0.02)) for name, s in SCENARIOS.items()}
    assert needs["none"] == {Chain.GOOD}
    assert needs["certificate-expired"] == {Chain.GOOD, Chain.EXPIRED}
    assert needs["certificate-name-mismatch"] == {Chain.GOOD, Chain.MISNAMED}
