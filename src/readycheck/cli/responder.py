"""`responder`: the far end of media tests."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import tell_lines

_PLACE, _LIMITS = "Where it serves, and whom", "What it grants"


def responder(
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            metavar="IP[:PORT]",
            help="Serve this address (repeat), at port 3478 unless told.  [default: all of them]",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    second_port: Annotated[
        int | None,
        typer.Option(
            "--second-port",
            metavar="PORT",
            min=1,
            max=65535,
            help="Serve each address there, too.  [default: one above, with two addresses of a family]",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Be silent to whoever lacks this file: any secret text, such as of 'openssl rand -hex 32'.",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="FILE",
            help="PEM chain and key for TLS.  [default: one is made, and its pin shown]",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    sessions: Annotated[
        int,
        typer.Option(
            "--sessions", metavar="N", help="Streams at once.", min=1, max=5000, rich_help_panel=_LIMITS
        ),
    ] = 500,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="S", help="The longest stream.", min=1, max=86_400, rich_help_panel=_LIMITS
        ),
    ] = 300.0,
    packets: Annotated[
        float,
        typer.Option(
            "--packets",
            metavar="N",
            help="Packets a second of a stream.",
            min=1,
            max=10_000,
            rich_help_panel=_LIMITS,
        ),
    ] = 500.0,
    calls: Annotated[
        int,
        typer.Option(
            "--calls",
            metavar="N",
            help="Calls at once; they need 'readycheck[call]'.",
            min=0,
            max=1000,
            rich_help_panel=_LIMITS,
        ),
    ] = 8,
    bandwidth: Annotated[
        float,
        typer.Option(
            "--bandwidth",
            metavar="MBIT",
            help="Megabits a second each way for all who measure throughput; 0 for nobody.",
            min=0,
            max=100_000,
            rich_help_panel=_LIMITS,
        ),
    ] = 100.0,
    volume: Annotated[
        float,
        typer.Option(
            "--volume",
            metavar="MB",
            help="Megabytes of throughput for one address in an hour.",
            min=1,
            max=1_000_000,
            rich_help_panel=_LIMITS,
        ),
    ] = 1000.0,
    idle: Annotated[
        int,
        typer.Option(
            "--idle",
            metavar="N",
            help="Connections that are held idle at once, for two hours at most; 0 for nobody.",
            min=0,
            max=512,
            rich_help_panel=_LIMITS,
        ),
    ] = 128,
    rate: Annotated[
        float,
        typer.Option(
            "--rate",
            metavar="N",
            help="Requests a second of one address.",
            min=1,
            max=10_000,
            rich_help_panel=_LIMITS,
        ),
    ] = 20.0,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="IP[:PORT]",
            help="Serve figures for Prometheus there, at port 9478 unless told, under /metrics.",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    quiet: o.Quiet = False,
) -> None:
    """Be the far end of 'run --responder' and of 'call'.

    It serves until it is told to stop: UDP, TCP and TLS on one port (3478, to be let in by its own firewall for both),
    streams, STUN, and SIP requests, which it returns byte for byte, each turned over so that no gateway reads them. It
    answers who has shown that its address is its own, with no more than it was sent. STUN and SIP over UDP ask for no
    proof unless there is a key: they are bounded in rate instead. Throughput is served over TCP alone, after the same
    proof, within --bandwidth and --volume and for ten seconds. Calls back go only to the address that asked for them.
    """
    from readycheck.responder.hold import HoldLimits
    from readycheck.responder.identity import read_identity
    from readycheck.responder.load import LoadLimits
    from readycheck.responder.offer import CallLimits
    from readycheck.responder.server import METRICS_PORT, Responder, Settings, everywhere
    from readycheck.responder.session import Limits
    from readycheck.wire.far_end import PORT

    places = [o.endpoint("--listen", text, PORT) for text in listen or ()]
    settings = Settings(
        listen=tuple(places) or everywhere(PORT),
        limits=Limits(sessions=sessions, seconds=seconds, packets_per_second=packets),
        calls=CallLimits(calls=calls),
        loads=LoadLimits(bits_per_second=bandwidth * 1e6, bytes_per_source=volume * 1e6),
        holds=HoldLimits(at_once=idle),
        key=o.key("--key", key),
        second_port=second_port,
        identity=read_identity(certificate) if certificate else None,
        metrics=o.endpoint("--metrics", metrics, METRICS_PORT) if metrics else None,
        requests_per_source=rate,
    )
    serving = Responder(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    serving.start()
    if not quiet:
        shown = ", ".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in serving.places
        )
        keyed = ", for who has the key" if settings.key else ""
        tell_lines(f"listening on UDP, TCP and TLS {shown}{keyed}; pin of the certificate: {serving.pin}")
    try:
        stop.wait()
    finally:
        serving.stop()
