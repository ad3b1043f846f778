"""`call`: what a help desk runs while the user waits."""

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readycheck.cli import options as o
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from readycheck.call.dial import Order
    from readycheck.call.document import Called
    from readycheck.call.stage import Stage, Via
    from readycheck.net.interface import Datagrams, Endpoint, Network, Stream, TlsSettings
    from readycheck.profile import Profile


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class Way(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


STATUS = {"ready": 0, "warnings": 1, "not-ready": 2, "unknown": 3}


def call(
    profile: o.ProfileName,
    responder: Annotated[
        str,
        typer.Option(
            "--responder",
            metavar="HOST[:PORT]",
            help="The far end ('readycheck responder').",
            rich_help_panel=o.WHAT,
        ),
    ],
    responder_key: o.ResponderKey = None,
    profile_dir: o.ProfileDirs = None,
    role: o.Roles = None,
    via: Annotated[
        list[Way] | None,
        typer.Option(
            "--via",
            metavar="udp|tcp|tls",
            help="Only this way (repeat).  [default: what the product's media uses]",
            rich_help_panel=o.WHAT,
        ),
    ] = None,
    resolver: o.Resolvers = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="S", min=3, max=110, help="Talk for so long.", rich_help_panel=o.COST
        ),
    ] = 8.0,
    format_: Annotated[
        Format,
        typer.Option("--format", "-f", metavar="FORMAT", help="text or json.", rich_help_panel=o.RESULT),
    ] = Format.TEXT,
    quiet: o.Quiet = False,
) -> int:
    """Place a real call to a responder, and say at which stage it fails.

    ICE, DTLS and SRTP as the product's endpoints have them, by UDP and by what its media falls back to. Over TCP and
    TLS there is no ICE: the media goes through the connection that the call was agreed on. Needs 'readycheck[call]',
    here and at the responder.
    """
    import asyncio

    from readycheck import catalog
    from readycheck.cli.interrupt import Interruption
    from readycheck.net.guard import refuse_outside

    refuse_outside()
    to = o.responder("--responder", responder)
    assert to is not None
    key = o.key("--responder-key", responder_key)
    servers = tuple(o.endpoint("--resolver", text, 53) for text in resolver or ())
    wanted = catalog.read(profile, tuple(profile_dir or ()))
    roles = _roles(wanted, role or [])
    _refuse_without_extra()

    from readycheck.call.attempt import verdict
    from readycheck.call.dial import Order
    from readycheck.call.ladder import ladder
    from readycheck.call.stage import Via

    order = Order(host=to[0], port=to[1], key=key, seconds=seconds)
    vias = tuple(Via(one) for one in via or ladder(wanted, roles))
    interruption = Interruption()
    with interruption.minded():
        try:
            called = interruption.run(lambda: _placed(wanted, roles, order, vias, servers, _watch(quiet)))
        except asyncio.CancelledError:  # half a call is no call
            raise KeyboardInterrupt from None
        _tell(called, format_)
    return STATUS[verdict(called.attempts, called.limits).value]


def _roles(profile: "Profile", wanted: list[str]) -> tuple[str, ...]:
    known = [role.name for role in profile.roles]
    for role in wanted:
        if role not in known:
            raise UsageError(f"--role {role}: profile '{profile.name}' has the roles {', '.join(known)}")
    return tuple(wanted) or profile.default_roles()


def _refuse_without_extra() -> None:
    """Before anything is sent."""
    from importlib.util import find_spec

    if find_spec("aiortc") is None:
        raise UsageError("call: aiortc is not installed: pip install 'readycheck[call]'")


async def _placed(
    profile: "Profile",
    roles: tuple[str, ...],
    order: "Order",
    vias: "Sequence[Via]",
    servers: "tuple[Endpoint, ...]",
    watch: "Callable[[Via, Stage], None]",
) -> "Called":
    """All ways in turn: two at once would be each other's disturbance."""
    import asyncio
    from datetime import UTC, datetime
    from functools import partial

    from readycheck.call.dial import Dial
    from readycheck.call.document import Called
    from readycheck.call.ladder import limits

    began, loop = datetime.now(UTC), asyncio.get_running_loop()
    began_s, network = loop.time(), _network(servers)
    attempts = [await Dial(network, order, via, partial(watch, via)).place() for via in vias]
    return Called(
        title=profile.title,
        profile=profile.name,
        revision=profile.revision,
        roles=roles,
        place=f"[{order.host}]:{order.port}" if ":" in order.host else f"{order.host}:{order.port}",
        started_at=began,
        duration_ms=(loop.time() - began_s) * 1000,
        seconds=order.seconds,
        attempts=attempts,
        limits=limits(profile, roles),
    )


def _network(servers: "tuple[Endpoint, ...]") -> "Network":
    from readycheck.net.resolver import Resolver, system_servers
    from readycheck.net.system import NetworkOptions, SystemNetwork
    from readycheck.net.tls import handshake
    from readycheck.net.trust import load_trust

    trust = load_trust(())
    options = NetworkOptions(resolvers=servers or tuple(system_servers()))

    async def greet(stream: "Stream", settings: "TlsSettings", /, *, timeout: float) -> "Stream":
        return await handshake(stream, settings, trust, timeout=timeout)

    async def open_datagram(**wanted: Any) -> "Datagrams":
        return await network.open_datagram(**wanted)

    async def connect(to: "Endpoint", **wanted: Any) -> "Stream":
        return await network.connect(to, **wanted)

    network = SystemNetwork(options, Resolver(options.resolvers, open_datagram, connect), greet)
    return network


def _watch(quiet: bool) -> "Callable[[Via, Stage], None]":
    """On a terminal, what is under way: somebody waits."""
    import sys

    def tell(via: "Via", stage: "Stage") -> None:
        if not quiet and sys.stderr.isatty():
            with suppress(OSError, ValueError):
                print(f"by {via.upper()}: {stage}", file=sys.stderr, flush=True)  # noqa: T201

    return tell


def _tell(called: "Called", format_: Format) -> None:
    from readycheck.call.document import document
    from readycheck.call.text import render
    from readycheck.cli.output import tell, tell_lines

    if format_ is Format.TEXT:
        tell_lines(*render(called).splitlines())
    else:
        import json

        tell(json.dumps(document(called), indent=2) + "\n")
