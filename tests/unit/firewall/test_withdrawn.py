"""What may be closed, and what of it is still needed."""

from typing import Any

import pytest

from readycheck.firewall.withdrawn import Closable, closable
from tests.unit.builders import SOURCE, requirement

from .sample import LEGACY, MEDIA, OPTIONAL, SIGNALLING, WEB, product

SERVICE = "198.51.100.0/24, which is needed by sip"


def judged(*rows: Any, **withdrawn: Any) -> Closable:
    row = {"what": "something", "when": "2020", "source": SOURCE, **withdrawn}
    (found,) = closable(product(*(rows or (SIGNALLING, WEB)), withdrawn=[row]))
    return found


def test_a_network_that_nobody_needs() -> None:
    found = judged(networks=["192.0.2.7/32"])
    assert (found.networks, found.kept, found.anything) == (("192.0.2.7/32",), (), True)


def test_an_address_within_a_network_of_today() -> None:
    found = judged(networks=["198.51.100.9/32"])
    assert (found.networks, found.anything) == ((), False)
    assert found.kept == (f"198.51.100.9/32 lies within {SERVICE}",)


def test_a_network_with_something_of_today_in_it() -> None:
    found = judged(networks=["198.51.0.0/16"])
    assert found.networks == ("198.51.0.0/16",)
    assert found.kept == ("198.51.100.0/24 of 198.51.0.0/16, which is needed by sip",)


def test_a_network_that_is_all_in_use_though_in_parts() -> None:
    halves = requirement("halves", targets={"hosts": ["192.0.2.0", "192.0.2.1"]})
    assert judged(halves, networks=["192.0.2.0/31"]).networks == ()


def test_a_network_is_free_on_ports_that_are_not_needed_there() -> None:
    found = judged(networks=["198.51.100.9/32"], transport="tcp", ports=["80"])
    assert (found.networks, [str(span) for span in found.ports]) == (("198.51.100.9/32",), ["80"])
    assert not judged(networks=["198.51.100.9/32"], transport="tcp", ports=["5061"]).anything
    assert judged(networks=["198.51.100.9/32"], transport="udp", ports=["5061"]).anything


@pytest.mark.parametrize(
    ("ports", "left", "kept"),
    [
        (["9000-9020"], ["9011-9020"], "udp 9000-9010, which is needed by media"),
        (["5004"], [], "udp 5004, which is needed by media"),
    ],
)
def test_ports(ports: list[str], left: list[str], kept: str) -> None:
    found = judged(MEDIA, transport="udp", ports=ports)
    assert ([str(span) for span in found.ports], found.kept) == (left, (kept,))
    assert judged(MEDIA, transport="tcp", ports=ports).kept == ()


def test_names() -> None:
    assert judged(names=["*.example.com"]).names == ("*.example.com",)
    assert judged(names=["*.example.com"]).kept == (
        "api.example.com of *.example.com, which is needed by web",
    )
    within = judged(names=["deep.example.net"])
    assert within.names == ()
    assert within.kept == ("deep.example.net belongs to *.example.net, which is needed by web",)
    assert judged(names=["example.net"]).names == ()
    assert judged(names=["badexample.net"]).names == ("badexample.net",)


def test_a_star_within_a_label_still_needs_what_it_stands_for() -> None:
    assert judged(names=["eu-cdn.example.org"]).kept == (
        "eu-cdn.example.org belongs to *-cdn.example.org, which is needed by web",
    )
    assert judged(names=["cdn.example.org"]).names == ("cdn.example.org",)


def test_optional_and_legacy_needs_of_all_roles_count() -> None:
    rows = [{**OPTIONAL, "roles": ["gateway"]}, LEGACY]
    (reason,) = judged(*rows, networks=["192.0.2.3/32"]).kept
    assert reason == "192.0.2.3/32 lies within 192.0.2.0/25, which is needed by extra, ancient"


def test_information_does_not_count() -> None:
    assert judged(requirement("told", importance="informational"), networks=["198.51.100.9/32"]).anything


def test_many_needs_are_counted() -> None:
    rows = [requirement(f"need-{number}") for number in range(5)]
    (reason,) = judged(*rows, networks=["203.0.113.7/32"]).kept
    assert reason.endswith("is needed by need-0, need-1, need-2 and 2 more")


def test_words_alone_close_nothing() -> None:
    found = judged(what="a feature")
    assert (found.anything, found.kept, found.source) == (False, (), "doc, 1")
