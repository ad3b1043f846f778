"""What a product is given in the lab: the customer's own hosts, and the place of its network."""

from readycheck.profile import Profile

from .cloud import NODES
from .row import RowMode

PEERED = ("webex-calling-dedicated-instance",)
"""Its page forbids address translation, and its networks are reached over a link of their own."""


def row_of(profile: Profile) -> RowMode:
    return RowMode(nat=profile.name not in PEERED)


def given(profile: Profile) -> list[str]:
    """The customer's hosts stand in the lab under the names of the profile's examples."""
    return [
        word
        for name, row in profile.placeholders.items()
        if row.example
        for word in ("--set", f"{name}={row.example}")
    ]


def known_nodes(profile: Profile) -> list[str]:
    """An administrator of a Webex product knows a live node."""
    return [word for node in NODES[:1] if "webex" in profile.name for word in ("--target", node)]
