"""A small product with a row of each kind, and what a format prints of it without its comments."""

from collections.abc import Mapping
from typing import Any

from readycheck.firewall import render
from readycheck.firewall.rules import Known
from readycheck.firewall.sheet import Sheet, Wish, draw_up
from readycheck.profile import Profile
from tests.unit.builders import SOURCE, make_profile, requirement

NETWORKS = {
    "service": {
        "title": "Service",
        "networks": ["198.51.100.0/24", "203.0.113.7/32", "2001:db8:1::/48"],
        "source": SOURCE,
    },
    "old": {"title": "Old", "networks": ["192.0.2.0/25"], "source": SOURCE},
}
DOMAINS = {
    "web": [{"pattern": "api.example.com"}, {"pattern": "*.example.net"}, {"pattern": "*-cdn.example.org"}]
}
NAMES = {key: {"title": key, "domains": rows, "source": SOURCE} for key, rows in DOMAINS.items()}
PLACEHOLDERS = {"ntp-server": {"title": "Time server", "example": "ntp.example.com"}}

UDP = {"transport": "udp", "area": "media reachability"}
INBOUND = {"direction": "inbound", "untestable": "needs a far end", "probe": None}
SIGNALLING = requirement("sip", ports=["5061"])
MEDIA = requirement("media", **UDP, ports=["5004", "9000-9010"], source_ports=["8000-8099"])
WEB = requirement("web", targets={"names": ["web"]}, ports=["443"])
PING = requirement("ping", transport="icmp", ports=[])
DNS = requirement("dns", **UDP, targets={"resolvers": True}, ports=["53"])
TIME = requirement("time", **UDP, targets={"hosts": ["{ntp-server}"]}, ports=["123"])
WORDS = requirement("provider", targets={"description": "your provider"}, ports=["5060"])
CALLED = requirement("trunk", **INBOUND, roles=["gateway"], ports=["5061"])
FORWARDED = requirement("portal", **INBOUND, roles=["gateway"], targets={}, ports=["443"])
OPTIONAL = requirement("extra", importance="optional", ports=["8443"], targets={"networks": ["old"]})
LEGACY = requirement("ancient", importance="legacy", ports=["80"], targets={"networks": ["old"]})
BETWEEN = requirement(
    "pbx", direction="internal", untestable="elsewhere", ports=["5060"], targets={"hosts": ["192.0.2.200"]}
)
STATEMENT = requirement("statement", importance="informational", direction="none", untestable="a statement")
EVERY_KIND = (
    SIGNALLING,
    MEDIA,
    WEB,
    PING,
    DNS,
    TIME,
    WORDS,
    CALLED,
    FORWARDED,
    OPTIONAL,
    LEGACY,
    BETWEEN,
    STATEMENT,
)


def product(*rows: Mapping[str, Any], **changes: Any) -> Profile:
    """A profile of these rows, by default of one of each kind, for both roles."""
    roles = [{"name": "app", "title": "App"}, {"name": "gateway", "title": "Gateway"}]
    given = {"networks": NETWORKS, "names": NAMES, "placeholders": PLACEHOLDERS, "roles": roles}
    return make_profile(*(rows or EVERY_KIND), **{**given, **changes})


def sheet(*rows: Mapping[str, Any], values: Mapping[str, str] | None = None, **wish: Any) -> Sheet:
    known = Known(values=values or {}, resolvers=wish.pop("resolvers", ()))
    return draw_up(product(*rows), Wish(known=known, **wish))


def printed(form: str, *rows: Mapping[str, Any], **wish: Any) -> list[str]:
    """The lines of a format."""
    return render(sheet(*rows, **wish), form).splitlines()


def in_force(form: str, mark: str, *rows: Mapping[str, Any], **wish: Any) -> list[str]:
    """The same without comments and empty lines."""
    return [
        line for line in printed(form, *rows, **wish) if line.strip() and not line.lstrip().startswith(mark)
    ]
