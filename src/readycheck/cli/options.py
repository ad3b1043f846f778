"""The options that commands share, and how their texts become values."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from readycheck.errors import UsageError

# The headings of `--help`, in the order of the options.
WHAT, WAY_OUT, COST, RESULT = "What to test", "Which way out", "How much it may cost", "What comes of it"

_LONGEST_LABEL = 200
_LONGEST_KEY = 4096
_NAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_ADDRESS = re.compile(r"[A-Fa-f0-9.:]+(%[A-Za-z0-9_.-]{1,40})?")  # elsewhere a zone may hold anything


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"
    CSV = "csv"


class Table(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


TableFormat = Annotated[
    Table, typer.Option("--format", "-f", metavar="FORMAT", help=f"How: {', '.join(Table)}.")
]
ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE", help="A name ('readycheck profile list'), or a path with a / or ending in .toml."
    ),
]
ProfileDirs = Annotated[
    list[Path] | None,
    typer.Option(
        "--profile-dir",
        metavar="DIR",
        help="Look for profiles here before anywhere else (repeat).",
        rich_help_panel=WHAT,
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="Only what this role needs (repeat).", rich_help_panel=WHAT),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="PROBE", help="Only this probe (repeat).", rich_help_panel=WHAT),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="PROBE", help="All but this probe (repeat).", rich_help_panel=WHAT),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Fill a placeholder of the profile (repeat).",
        rich_help_panel=WHAT,
    ),
]
Site = Annotated[
    str | None,
    typer.Option("--site", metavar="NAME", help="Label of this run.", rich_help_panel=WHAT),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="HOST[=ADDRESS]",
        help="A known-live vendor node to ask first (repeat).",
        rich_help_panel=WHAT,
    ),
]
Proxy = Annotated[
    str,
    typer.Option(
        "--proxy",
        metavar="auto|none|URL",
        envvar="READYCHECK_PROXY",
        show_envvar=False,
        help="Proxy, or proxy script (pac:PLACE), for what may use one.",
        rich_help_panel=WAY_OUT,
    ),
]
Interface = Annotated[
    str | None,
    typer.Option("--interface", metavar="NAME", help="Send from this interface.", rich_help_panel=WAY_OUT),
]
SourceAddress = Annotated[
    str | None,
    typer.Option("--source", metavar="ADDRESS", help="Send from this address.", rich_help_panel=WAY_OUT),
]
IPv4 = Annotated[bool, typer.Option("-4", help="IPv4 only.", rich_help_panel=WAY_OUT)]
IPv6 = Annotated[bool, typer.Option("-6", help="IPv6 only.", rich_help_panel=WAY_OUT)]
Resolvers = Annotated[
    list[str] | None,
    typer.Option(
        "--resolver",
        metavar="IP[:PORT]",
        help="Name server to use instead of the system's (repeat).",
        rich_help_panel=WAY_OUT,
    ),
]
TrustRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust-roots",
        metavar="FILE",
        help="PEM certificates to take as the vendor's own authorities (repeat).",
        rich_help_panel=WAY_OUT,
    ),
]
Responder = Annotated[
    str | None,
    typer.Option(
        "--responder",
        metavar="HOST[:PORT]",
        help="Far end for media streams ('readycheck responder').",
        rich_help_panel=WHAT,
    ),
]
ResponderKey = Annotated[
    Path | None,
    typer.Option(
        "--responder-key",
        metavar="FILE",
        help="The key that the responder wants, if it wants one.",
        rich_help_panel=WHAT,
    ),
]
Capacity = Annotated[
    int | None,
    typer.Option(
        "--capacity",
        metavar="CALLS",
        min=1,
        max=500,
        help="Fill the line to the responder: does it carry so many calls at once?",
        rich_help_panel=WHAT,
    ),
]
Idle = Annotated[
    int | None,
    typer.Option(
        "--idle",
        metavar="MINUTES",
        min=1,
        max=124,
        help="Leave connections to the responder idle for up to so long: are they cut?",
        rich_help_panel=WHAT,
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller samples, shorter waits.", rich_help_panel=COST)]
Thorough = Annotated[
    bool, typer.Option("--thorough", help="Larger samples, longer waits.", rich_help_panel=COST)
]
Deadline = Annotated[
    float,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        min=0.1,
        max=3600,
        help="Hard end of the run.",
        rich_help_panel=COST,
    ),
]
Rate = Annotated[
    float,
    typer.Option(
        "--rate",
        metavar="PACKETS",
        min=1,
        max=100_000,
        help="Packets a second at most.",
        rich_help_panel=COST,
    ),
]
NoControls = Annotated[
    bool, typer.Option("--no-controls", help="Contact nothing but the product.", rich_help_panel=COST)
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Draw other samples: runs of the same seed compare.",
        rich_help_panel=COST,
    ),
]
OutputFormat = Annotated[
    Format,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"What goes to stdout: {', '.join(Format)}.",
        rich_help_panel=RESULT,
    ),
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        readable=False,
        help="Also write FILE; its ending says how: .json .md .html .xml .prom .csv .txt (repeat).",
        rich_help_panel=RESULT,
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="READYCHECK_STORE",
        show_envvar=True,
        help="Where runs are kept: FILE or postgresql://USER@HOST/DB (default: in the user's data folder).",
        rich_help_panel=RESULT,
    ),
]
NoStore = Annotated[bool, typer.Option("--no-store", help="Do not keep this run.", rich_help_panel=RESULT)]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="RUN",
        help="Say what changed since: last, last-good, a run's id, or the file of a report.",
        rich_help_panel=RESULT,
    ),
]
Otlp = Annotated[
    str | None,
    typer.Option(
        "--otlp",
        metavar="URL",
        help="Send trace and metrics to this OpenTelemetry collector; OTEL_EXPORTER_OTLP_ENDPOINT does too.",
        rich_help_panel=RESULT,
    ),
]
Alerts = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="URL",
        envvar="READYCHECK_ALERT",
        show_envvar=False,
        help="Tell of regressions: webhook+https:, command:, syslog:, healthchecks+https:, or Apprise's (repeat).",
        rich_help_panel=RESULT,
    ),
]
AlertQuiet = Annotated[
    str | None,
    typer.Option(
        "--alert-quiet",
        metavar="HH:MM-HH:MM",
        help="Hold alerts back in these hours; a time zone may follow.",
        rich_help_panel=RESULT,
    ),
]
AlertRepeat = Annotated[
    str | None,
    typer.Option(
        "--alert-repeat",
        metavar="TIME",
        help="Remind of what goes on after 12h or 7d, or never (default 24h).",
        rich_help_panel=RESULT,
    ),
]
AlertFolder = Annotated[
    Path | None,
    typer.Option(
        "--alert-folder",
        metavar="DIR",
        help="Where alerts wait, and what they go by is remembered.",
        rich_help_panel=RESULT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.", rich_help_panel=RESULT)]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Every check, as it ends and in the text.", rich_help_panel=RESULT),
]
InFull = Annotated[
    bool, typer.Option("--verbose", "-v", help="Every check, in the text.", rich_help_panel=RESULT)
]


def family(ipv4: bool, ipv6: bool) -> Literal["any", "4", "6"]:
    if ipv4 and ipv6:
        raise UsageError("-4 and -6 exclude each other")
    return "4" if ipv4 else "6" if ipv6 else "any"


def pairs(option: str, texts: Iterable[str], *, networks: bool = False) -> Mapping[str, str]:
    """`NAME=VALUE` texts; with `networks`, a value may be one. Raises `UsageError` that names the option."""
    from readycheck.net.address import is_network

    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise UsageError(f"{option} {text}: not NAME=VALUE")
        if not (_is_host(value) or (networks and is_network(value))):
            raise UsageError(f"{option} {text}: the value is not fit for a host name")
        if found.get(name, value) != value:
            raise UsageError(f"{option} {text}: {name} was given another value before")
        found[name] = value
    return found


def _is_host(text: str) -> bool:
    """A name that can be asked for, or an address; never one with a port."""
    from readycheck.net.address import is_address

    return bool(_NAME.fullmatch(text) or (_ADDRESS.fullmatch(text) and is_address(text)))


def nodes(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    """`HOST` or `HOST=ADDRESS` texts. Raises `UsageError` that names the option."""
    from readycheck.net.address import is_address

    found = tuple(texts)
    for text in found:
        host, equals, address = text.partition("=")
        if not _is_host(host) or (equals and not is_address(address)):
            raise UsageError(f"{option} {text}: not HOST or HOST=ADDRESS")
    return found


def label(option: str, text: str | None) -> str | None:
    """A short printable text. Raises `UsageError` that names the option."""
    if text is not None and (len(text) > _LONGEST_LABEL or not text.isprintable()):
        raise UsageError(f"{option} {text}: not up to {_LONGEST_LABEL} printable characters")
    return text


def endpoint(option: str, text: str, default_port: int) -> tuple[str, int]:
    """`IP`, `IP:PORT` or `[IPv6]:PORT`. Raises `UsageError` that names the option."""
    from readycheck.net.address import is_address

    host, port = _place(text, default_port)
    if not is_address(host) or not _is_port(port):
        raise UsageError(f"{option} {text}: not an address, or address:port")
    return host, int(port)


def responder(option: str, text: str | None) -> tuple[str, int] | None:
    """`HOST`, `HOST:PORT` or `[IPv6]:PORT`. Raises `UsageError` that names the option."""
    if text is None:
        return None
    from readycheck.wire.far_end import PORT

    host, port = _place(text, PORT)
    if not _is_host(host) or not _is_port(port):
        raise UsageError(f"{option} {text}: not HOST or HOST:PORT")
    return host, int(port)


def key(option: str, path: Path | None) -> bytes:
    """What the file holds, without the white space around it. Raises `UsageError` that names option and file."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            found = file.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}") from None
    if not found.strip() or len(found) > _LONGEST_KEY:
        raise UsageError(f"{option} {path}: not a key of 1 to {_LONGEST_KEY} bytes")
    return found.strip()


def _place(text: str, default_port: int) -> tuple[str, str]:
    host, port = text, str(default_port)
    if bracketed := re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text):
        host, port = bracketed[1], port if bracketed[2] is None else bracketed[2]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    return host, port


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 1 <= int(text) <= 65535
