"""The options that `run` and `demo` share, and how their texts become values."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from readycheck.errors import UsageError


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"
    CSV = "csv"


Roles = Annotated[
    list[str] | None, typer.Option("--role", metavar="ROLE", help="Only what this role needs (repeat).")
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="PROBE", help="Only this probe (repeat).")]
Skip = Annotated[list[str] | None, typer.Option("--skip", metavar="PROBE", help="All but this probe (repeat).")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="HOST[=ADDRESS]", help="A known-live vendor node to ask first (repeat)."),
]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Fill a placeholder of the profile (repeat)."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller samples, shorter waits.")]
Thorough = Annotated[bool, typer.Option("--thorough", help="Larger samples, longer waits.")]
Deadline = Annotated[
    float, typer.Option("--deadline", metavar="SECONDS", min=0.1, max=3600, help="Hard end of the run.")
]
Rate = Annotated[
    float, typer.Option("--rate", metavar="PACKETS", min=1, max=100_000, help="Packets a second at most.")
]
NoControls = Annotated[bool, typer.Option("--no-controls", help="Contact nothing but the product.")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="Sampling seed; fixed by the profile by default.")
]
OutputFormat = Annotated[Format, typer.Option("--format", "-f", help="What goes to stdout.")]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write FILE; its ending says how: .json .md .html .xml .prom .csv (repeat).",
    ),
]
Site = Annotated[str | None, typer.Option("--site", metavar="NAME", help="Label of this run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every check in the text report.")]


def pairs(option: str, texts: Iterable[str]) -> Mapping[str, str]:
    """`NAME=VALUE` texts. Raises `UsageError` that names the option."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise UsageError(f"{option} {text}: not NAME=VALUE")
        found[name] = value
    return found


def endpoint(option: str, text: str, default_port: int) -> tuple[str, int]:
    """`IP`, `IP:PORT` or `[IPv6]:PORT`. Raises `UsageError` that names the option."""
    from readycheck.net.address import is_address

    host, port = text, str(default_port)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else str(default_port) if not rest else "bad"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not is_address(host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UsageError(f"{option} {text}: not an address, or address:port")
    return host, int(port)
