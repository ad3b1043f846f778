"""`call`: what a help desk runs while the user waits."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readycheck.cli import options as o
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from readycheck.call.dial import Order
    from readycheck.call.document import Called
    from readycheck.call.stage import Stage, Via
    from readycheck.cli.setting import Setting
    from readycheck.net.interface import Network
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
            help="The far end ('readycheck responder'), at port 3478 unless told.",
            rich_help_panel=o.WHAT,
        ),
    ],
    responder_key: o.ResponderKey = None,
    profile_dir: o.ProfileDirs = None,
    role: o.Roles = None,
    set_: o.Values = None,
    via: Annotated[
        list[Way] | None,
        typer.Option(
            "--via",
            metavar="udp|tcp|tls",
            help="Only this way (repeat).  [default: what the product's media uses]",
            rich_help_panel=o.WHAT,
        ),
    ] = None,
    proxy: o.Proxy = "auto",
    resolver: o.Resolvers = None,
    trust_roots: o.TrustRoots = None,
    interface: o.Interface = None,
    source: o.SourceAddress = None,
    ipv4: o.IPv4 = False,
    ipv6: o.IPv6 = False,
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
    TLS there is no ICE: the media goes through the connection that the call was agreed on, by way of a proxy where
    the product's may. Who vouches for the responder's certificate is told: its key, or an authority; with --trust-roots
    the call fails where neither does. What carries media is marked as the profile's audio is. Needs 'readycheck[call]',
    here and at the responder. Ends with status 0 when the call works, 1 when it does so with warnings (by a fallback
    alone, or in poor quality), 2 when it fails or is too bad, and 3 when the far end took no call.
    """
    import asyncio

    from readycheck import catalog
    from readycheck.cli.interrupt import Interruption
    from readycheck.cli.setting import Setting
    from readycheck.net.guard import refuse_outside
    from readycheck.plan import refuse_unknown_values, roles_of

    refuse_outside()
    setting = Setting(
        profile=profile,
        roles=tuple(role or ()),
        values=o.pairs("--set", set_ or ()),
        proxy=proxy,
        responder=o.responder("--responder", responder),
        responder_key=o.key("--responder-key", responder_key),
        resolvers=tuple(o.endpoint("--resolver", text, 53) for text in resolver or ()),
        trust_roots=tuple(trust_roots or ()),
        interface=interface,
        source=source,
        family=o.family(ipv4, ipv6),
    )
    wanted = catalog.read(profile, tuple(profile_dir or ()))
    roles = roles_of(wanted, setting.roles)
    refuse_unknown_values(wanted, setting.values)
    _refuse_without_extra()

    from readycheck.call.attempt import verdict
    from readycheck.call.ladder import ladder
    from readycheck.call.stage import Via

    order, network = _ordered(wanted, roles, setting, seconds)
    vias = tuple(Via(one) for one in via or ladder(wanted, roles))
    plan = _Plan(profile=wanted, roles=roles, vias=vias, order=order, options=_shown(setting))
    interruption = Interruption()
    with interruption.minded():
        try:
            called = interruption.run(lambda: _placed(plan, network, _watch(quiet)))
        except asyncio.CancelledError:  # half a call is no call
            raise KeyboardInterrupt from None
        _tell(called, format_)
    return STATUS[verdict(called.attempts, called.limits).value]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    profile: "Profile"
    roles: tuple[str, ...]
    vias: "Sequence[Via]"
    order: "Order"
    options: "Mapping[str, Any]"


_ASKED = ("values", "proxy", "resolvers", "interface", "source", "family")


def _shown(setting: "Setting") -> "Mapping[str, Any]":
    """What of the options is told in JSON."""
    shown = setting.shown()
    return {name: shown[name] for name in _ASKED}


def _ordered(
    profile: "Profile", roles: tuple[str, ...], setting: "Setting", seconds: float
) -> "tuple[Order, Network]":
    from readycheck.call.dial import Order
    from readycheck.call.ladder import mark, proxied
    from readycheck.cli.setting import way_to

    assert setting.responder is not None
    network, proxy = way_to(setting, *setting.responder)
    dscp, source_ports = mark(profile, roles)
    order = Order(
        host=setting.responder[0],
        port=setting.responder[1],
        key=setting.responder_key,
        seconds=seconds,
        strict=bool(setting.trust_roots),
        proxies=dict.fromkeys(proxied(profile, roles), proxy) if proxy else {},
        interface=setting.interface,
        dscp=dscp,
        source_ports=source_ports,
    )
    return order, network


def _refuse_without_extra() -> None:
    """Before anything is sent."""
    from importlib.util import find_spec

    if find_spec("aiortc") is None:
        raise UsageError("call: aiortc is not installed: pip install 'readycheck[call]'")


async def _placed(plan: _Plan, network: "Network", watch: "Callable[[Via, Stage], None]") -> "Called":
    """All ways in turn: two at once would be each other's disturbance."""
    import asyncio
    from datetime import UTC, datetime
    from functools import partial

    from readycheck.call.dial import Dial
    from readycheck.call.document import Called
    from readycheck.call.ladder import limits

    began, loop = datetime.now(UTC), asyncio.get_running_loop()
    began_s, order, profile = loop.time(), plan.order, plan.profile
    attempts = [await Dial(network, order, via, partial(watch, via)).place() for via in plan.vias]
    return Called(
        title=profile.title,
        profile=profile.name,
        revision=profile.revision,
        roles=plan.roles,
        place=f"[{order.host}]:{order.port}" if ":" in order.host else f"{order.host}:{order.port}",
        started_at=began,
        duration_ms=(loop.time() - began_s) * 1000,
        seconds=order.seconds,
        attempts=attempts,
        limits=limits(profile, plan.roles),
        options=plan.options,
    )


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
