"""`profile firewall`: the rules that a product needs, in the language of a firewall."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import tell
from readycheck.errors import UsageError

_WHICH, _PLACE, _RESULT = "Which rules", "What only you know", "What comes of it"
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,30}")


class Format(StrEnum):
    TEXT = "text"
    CSV = "csv"
    NFTABLES = "nftables"
    CISCO_ASA = "cisco-asa"
    CISCO_IOS = "cisco-ios"
    PALOALTO = "paloalto"
    FORTINET = "fortinet"
    AWS_SG = "aws-sg"
    TERRAFORM = "terraform"


class Names(StrEnum):
    LIST = "list"
    ANY = "any"


def firewall(
    profile: o.ProfileName,
    profile_dir: Annotated[
        list[Path] | None,
        typer.Option(
            "--profile-dir",
            metavar="DIR",
            help="Look for profiles here before anywhere else (repeat).",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Only this role (repeat).", rich_help_panel=_WHICH),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also make rules of what is optional or legacy.", rich_help_panel=_WHICH),
    ] = False,
    internal: Annotated[
        bool,
        typer.Option("--internal", help="Also of what passes between segments.", rich_help_panel=_WHICH),
    ] = False,
    names: Annotated[
        Names,
        typer.Option(
            "--names",
            metavar="HOW",
            help="list: let through the domains, as far as the platform can; any: open their ports to "
            "everywhere, and those of destinations that are told in words.",
            rich_help_panel=_WHICH,
        ),
    ] = Names.LIST,
    source_ports: Annotated[
        bool,
        typer.Option(
            "--source-ports",
            help="Match source ports too. Address translation before the firewall rewrites them.",
            rich_help_panel=_WHICH,
        ),
    ] = False,
    withdrawn: Annotated[
        bool,
        typer.Option(
            "--withdrawn",
            help="Also list what the vendor took back: it may be closed.",
            rich_help_panel=_WHICH,
        ),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Fill a placeholder, the address or network of hosts that are called from outside (by their "
            "role), or ports that the vendor leaves to you (repeat).",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    resolver: Annotated[
        list[str] | None,
        typer.Option(
            "--resolver",
            metavar="IP",
            help="Name server that the hosts of the site ask (repeat).",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    lan: Annotated[
        str,
        typer.Option(
            "--lan",
            metavar="NAME",
            help="Interface or zone of the hosts (nftables: lan0, ASA: inside, IOS: GigabitEthernet0/1, "
            "Palo Alto: trust, Fortinet: internal).",
            rich_help_panel=_PLACE,
        ),
    ] = "",
    wan: Annotated[
        str,
        typer.Option(
            "--wan",
            metavar="NAME",
            help="Interface or zone of the internet (wan0, outside, GigabitEthernet0/0, untrust, wan1).",
            rich_help_panel=_PLACE,
        ),
    ] = "",
    format_: Annotated[
        Format,
        typer.Option(
            "--format", "-f", metavar="FORMAT", help=f"{', '.join(Format)}.", rich_help_panel=_RESULT
        ),
    ] = Format.TEXT,
) -> None:
    """Print the firewall rules that a product needs.

    Rules are what is required or recommended, and the fallbacks. What is optional or legacy, and what needs
    something that only you know, is in the text behind comment marks. Each rule names its requirements.
    """
    from readycheck.catalog import read
    from readycheck.firewall import render
    from readycheck.firewall.rules import Known
    from readycheck.firewall.sheet import Wish, draw_up

    wish = Wish(
        roles=tuple(role or ()),
        known=Known(
            values=o.pairs("--set", set_ or (), networks=True),
            resolvers=_addresses("--resolver", resolver or ()),
        ),
        everything=everything,
        internal=internal,
        any_name=names is Names.ANY,
        source_ports=source_ports,
        withdrawn=withdrawn,
        lan=_interface("--lan", lan),
        wan=_interface("--wan", wan),
    )
    tell(render(draw_up(read(profile, tuple(profile_dir or ())), wish), format_.value))


def _addresses(option: str, texts: list[str] | tuple[()]) -> tuple[str, ...]:
    from readycheck.net.address import is_address

    for text in texts:
        if not is_address(text):
            raise UsageError(f"{option} {text}: not an address")
    return tuple(dict.fromkeys(texts))


def _interface(option: str, text: str) -> str:
    """Fit to stand in any configuration without quotes."""
    if text and not _INTERFACE.fullmatch(text):
        raise UsageError(f"{option} {text}: not the name of an interface or a zone")
    return text
