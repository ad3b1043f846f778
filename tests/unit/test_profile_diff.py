"""From one profile to another: exactly what to open and to close, and what else is not as it was."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.catalog import read
from readycheck.profile import Profile
from readycheck.profile_diff import Change, Way, compare
from tests.unit.builders import PIN, SOURCE, make_profile, requirement


def with_networks(*networks: str, **changes: Any) -> Profile:
    group = {"title": "S", "networks": networks, "source": SOURCE}
    return make_profile(requirement("r", **changes), networks={"service": group})


def with_names(*patterns: str, **changes: Any) -> Profile:
    group = {"title": "N", "domains": [{"pattern": p} for p in patterns], "source": SOURCE}
    row = requirement("r", **{"targets": {"names": ["web"]}, **changes})
    return make_profile(row, names={"web": group})


def told(ways: tuple[Way, ...]) -> list[tuple[Any, ...]]:
    return [(way.change, way.ports, way.place, way.so_far) for way in ways]


# --- networks, ports and names ------------------------------------------------------------------------


def test_nothing_changed() -> None:
    found = compare(make_profile(), make_profile())
    assert (found.to_open, found.to_close, found.changed) == ((), (), ())


def test_a_network_that_replaces_two_is_widened_and_closes_nothing() -> None:
    before, after = with_networks("10.0.1.0/24", "10.0.2.0/24"), with_networks("10.0.0.0/16")
    assert told(compare(before, after).to_open) == [
        ("widened", "8934", "10.0.0.0/16", ("10.0.1.0/24", "10.0.2.0/24"))
    ]
    assert compare(before, after).to_close == ()
    assert told(compare(after, before).to_close) == [
        ("narrowed", "8934", "10.0.0.0/16", ("10.0.1.0/24", "10.0.2.0/24"))
    ]
    assert compare(after, before).to_open == ()


def test_a_network_that_is_written_otherwise_is_the_same() -> None:
    found = compare(with_networks("10.0.0.0/24", "10.0.1.0/24"), with_networks("10.0.0.0/23"))
    assert (found.to_open, found.to_close) == ((), ())


def test_new_and_gone() -> None:
    found = compare(with_networks("192.0.2.0/24"), with_networks("198.51.100.0/24"))
    assert told(found.to_open) == [("new", "8934", "198.51.100.0/24", ())]
    assert told(found.to_close) == [("gone", "8934", "192.0.2.0/24", ())]
    assert found.to_open[0].requirements == ("r",)


def test_more_ports_of_a_known_network_widen_it() -> None:
    before = with_networks("192.0.2.0/24", ports=["443", "5000-5010"])
    after = with_networks("192.0.2.0/24", ports=["5000-5100", "443", "8443"])
    found = compare(before, after)
    assert told(found.to_open) == [("widened", "5011-5100, 8443", "192.0.2.0/24", ("TCP 443, 5000-5010",))]
    assert found.to_close == ()


def test_a_part_of_a_known_network_on_another_port() -> None:
    rows = [requirement("r"), requirement("s", ports=["443"], targets={"networks": ["part"]})]
    groups = {
        "service": {"title": "S", "networks": ["10.0.0.0/16"], "source": SOURCE},
        "part": {"title": "P", "networks": ["10.0.1.0/24"], "source": SOURCE},
    }
    found = compare(make_profile(rows[0], networks=groups), make_profile(*rows, networks=groups))
    assert told(found.to_open) == [("widened", "443", "10.0.1.0/24", ("TCP 8934",))]


def test_a_wildcard_that_replaces_names_is_widened() -> None:
    found = compare(with_names("a.example.com", "b.example.com"), with_names("*.example.com"))
    assert told(found.to_open) == [("widened", "8934", "*.example.com", ("a.example.com", "b.example.com"))]
    assert found.to_close == ()


def test_directions_and_protocols_are_ways_of_their_own() -> None:
    found = compare(with_networks("192.0.2.0/24"), with_networks("192.0.2.0/24", transport="udp"))
    assert [(way.transport, way.change) for way in found.to_open] == [("udp", "new")]
    found = compare(with_networks("192.0.2.0/24"), with_networks("192.0.2.0/24", direction="inbound"))
    assert [(way.direction, way.change) for way in found.to_open] == [("inbound", "new")]


def test_hosts_are_names_addresses_or_what_is_given() -> None:
    """The address lies in a network that is open already."""
    hosts = {"hosts": ["a.example.com", "192.0.2.1", "{x}"], "resolvers": True}
    values = {"placeholders": {"x": {"title": "X"}}}
    before = make_profile(requirement("r"), requirement("s", direction="none"), **values)
    after = make_profile(requirement("r", targets=hosts), **values)
    assert {(way.kind, way.place) for way in compare(before, after).to_open} == {
        ("name", "a.example.com"),
        ("host", "{x}"),
        ("host", "the name servers in use"),
    }


def test_what_has_no_ports_is_compared_too() -> None:
    row = {"transport": "icmp", "ports": [], "probe": "tcp"}
    found = compare(with_networks("192.0.2.0/24", **row), with_networks("198.51.100.0/24", **row))
    assert told(found.to_open) == [("new", "", "198.51.100.0/24", ())]
    port_1 = compare(with_networks("192.0.2.0/24", ports=[]), with_networks("192.0.2.0/24", ports=["1"]))
    assert told(port_1.to_open) == [("new", "1", "192.0.2.0/24", ())]


def test_the_most_important_need_counts() -> None:
    rows = [requirement("a", importance="optional"), requirement("b", importance="recommended")]
    group = {"title": "S", "networks": ["10.0.0.0/8"], "source": SOURCE}
    [way] = compare(with_networks("192.0.2.0/24"), make_profile(*rows, networks={"service": group})).to_open
    assert (way.importance.value, way.requirements) == ("recommended", ("a", "b"))


PLACES = st.sampled_from(
    ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.1/32", "10.0.0.4/30", "10.0.0.0/29"]
)
PORTS = st.tuples(st.integers(1, 6), st.integers(0, 3)).map(lambda pair: f"{pair[0]}-{sum(pair)}")
ROWS = st.lists(
    st.tuples(st.lists(PLACES, min_size=1, max_size=3), st.lists(PORTS, min_size=1, max_size=2)),
    min_size=1,
    max_size=3,
)


def drawn(rows: list[tuple[list[str], list[str]]]) -> Profile:
    groups = {
        f"g{n}": {"title": "G", "networks": n_and_p[0], "source": SOURCE} for n, n_and_p in enumerate(rows)
    }
    wanted = [
        requirement(f"r{n}", ports=ports, targets={"networks": [f"g{n}"]})
        for n, (_, ports) in enumerate(rows)
    ]
    return make_profile(*wanted, networks=groups)


def open_points(profile: Profile) -> set[tuple[object, int]]:
    return {
        (address, port)
        for r in profile.requirements
        for group in r.targets.networks
        for network in profile.networks[group].networks
        for address in ipaddress.ip_network(network)
        for ports in r.ports
        for port in range(ports.low, ports.high + 1)
    }


def points(ways: tuple[Way, ...]) -> Iterator[tuple[object, int]]:
    for way in ways:
        for network in way.exactly or (way.place,):
            for span in way.ports.split(", "):
                low, _, high = span.partition("-")
                for port in range(int(low), int(high or low) + 1):
                    yield from ((address, port) for address in ipaddress.ip_network(network))


@settings(deadline=None)
@given(ROWS, ROWS)
def test_what_is_to_be_opened_and_closed_is_exact(one: Any, other: Any) -> None:
    before, after = drawn(one), drawn(other)
    found = compare(before, after)
    assert set(points(found.to_open)) == open_points(after) - open_points(before)
    assert set(points(found.to_close)) == open_points(before) - open_points(after)


# --- what else ----------------------------------------------------------------------------------------


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[tuple[str, str, str, str]]:
    found = compare(make_profile(**before), make_profile(**after)).changed
    return {(c.what, c.of, c.before, c.after) for c in found}


def of_row(**changed: Any) -> list[Change]:
    one, other = make_profile(requirement("r")), make_profile(requirement("r", **changed))
    return list(compare(one, other).changed)


def test_a_requirement_that_is_new_or_gone() -> None:
    found = compare(make_profile(requirement("a")), make_profile(requirement("b", importance="optional")))
    assert list(found.changed) == [
        Change(what="requirement", of="b", before="", after="b (optional)"),
        Change(what="requirement", of="a", before="a (required)", after=""),
    ]


def test_what_a_requirement_may_change() -> None:
    assert of_row(importance="optional") == [
        Change(what="importance", of="r", before="required", after="optional")
    ]
    assert of_row(roles=["app", "gateway"]) == [
        Change(what="roles", of="r", before="app", after="app, gateway")
    ]
    assert of_row(limits={"rtt_ms": {"warn": 5}}) == [
        Change(what="limit", of="rtt_ms of r", before="", after="warns from 5")
    ]
    assert of_row(source_ports=["1024-65535"]) == [
        Change(what="source ports", of="r", before="", after="1024-65535")
    ]
    assert of_row(untestable="needs a far end") == [
        Change(what="verified by", of="r", before="sip", after="not testable from here")
    ]


def test_pins_roles_values_and_exemptions() -> None:
    other = "B" * 43 + "="
    assert changes(
        {"pins": [{"name": "old", "spki_sha256": PIN, "source": "d"}]},
        {"pins": [{"name": "new", "spki_sha256": other, "source": "d"}]},
    ) == {("pin", other, "", "new"), ("pin", PIN, "old", "")}
    assert changes({}, {"placeholders": {"x": {"title": "X", "required": True}}}) == {
        ("value to give", "x", "", "X (needed)")
    }
    exempt = [{"names": ["a.example.com"], "reason": "pinned", "source": SOURCE}]
    assert changes({}, {"exemptions": exempt}) == {("never to be inspected", "a.example.com", "", "pinned")}
    roles = [{"name": "app", "title": "App"}, {"name": "gateway", "title": "Gateway"}]
    assert changes({}, {"roles": roles}) == {("role", "app", "App (tested by default)", "App")}


def test_profiles_of_different_products_can_be_compared() -> None:
    found = compare(read("webex-calling"), read("webex"))
    assert found.to_open and found.to_close and found.changed
    assert compare(read("webex"), read("webex")).to_open == ()
