"""Profile -> firewall rules, as text, CSV, or the language of a firewall. Each format is loaded when it is used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readycheck.firewall.sheet import Sheet

FORMATS = {
    "text": "text",
    "csv": "spreadsheet",
    "nftables": "nftables",
    "cisco-asa": "cisco_asa",
    "cisco-ios": "cisco_ios",
    "paloalto": "paloalto",
    "fortinet": "fortinet",
    "aws-sg": "aws",
    "terraform": "terraform",
}
"""The name of each format, and the module that prints it."""


def render(sheet: "Sheet", form: str) -> str:
    text: str = import_module(f"readycheck.firewall.{FORMATS[form]}").render(sheet)
    return text
