"""Few rules let through what many did: no more, and no less."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.firewall.aggregate import absorb, aggregate, labelled, networks, wanting
from readycheck.firewall.rules import Need, Peer, Rule
from readycheck.notation import PortRange
from readycheck.profile import Importance

SMALL = ("192.0.2.0/30", "192.0.2.4/30", "192.0.2.0/29", "192.0.2.6/32", "2001:db8::/126", "2001:db8::4/126")
DOMAINS = ("*.example.com", "a.example.com", "b.example.net")
Atom = tuple[object, ...]


def need(name: str, importance: Importance = Importance.REQUIRED, peers: tuple[str, ...] = ()) -> Need:
    return Need(id=name, title=name, importance=importance, source="doc, 1", peers=peers)


def rule(name: str = "a", **changes: object) -> Rule:
    given: dict[str, object] = {
        "direction": "outbound",
        "transport": "tcp",
        "peer": Peer.NETWORKS,
        "peers": ("192.0.2.0/24",),
        "ports": (PortRange(low=443, high=443),),
        "needs": (need(name),),
    }
    return Rule(**{**given, **changes})  # type: ignore[arg-type]


def port(low: int, high: int | None = None) -> tuple[PortRange, ...]:
    return (PortRange(low=low, high=high or low),)


def atoms(rules: Iterable[Rule]) -> set[Atom]:
    """Every single thing that rules let through."""
    return {
        (one.direction, one.transport, one.hosts, source, number, end)
        for one in rules
        for source in _numbers(one.source_ports)
        for number in _numbers(one.ports)
        for end in _ends(one)
    }


def _numbers(ports: tuple[PortRange, ...]) -> list[int]:
    return [number for span in ports for number in range(span.low, span.high + 1)] or [0]


def _ends(one: Rule) -> list[str]:
    if one.peer is Peer.NETWORKS:
        return [str(address) for network in one.peers for address in ip_network(network)]
    return [f"{one.peer}:{peer}" for peer in one.peers or ("",)]


def far_ends() -> st.SearchStrategy[tuple[Peer, tuple[str, ...]]]:
    some = st.sampled_from
    return st.one_of(
        st.lists(some(SMALL), min_size=1, max_size=3).map(lambda found: (Peer.NETWORKS, tuple(found))),
        st.lists(some(DOMAINS), min_size=1, max_size=3).map(lambda found: (Peer.NAMES, tuple(found))),
        some([(Peer.GIVEN, ("{a}",)), (Peer.GIVEN, ("{b}",)), (Peer.WORDS, ("there",)), (Peer.ANY, ())]),
    )


def spans(least: int = 0) -> st.SearchStrategy[tuple[PortRange, ...]]:
    ends = st.tuples(st.integers(1, 12), st.integers(0, 3))
    return st.lists(
        ends.map(lambda e: PortRange(low=e[0], high=e[0] + e[1])), min_size=least, max_size=3
    ).map(tuple)


@st.composite
def many_rules(draw: st.DrawFn) -> list[Rule]:
    found = []
    for index in range(draw(st.integers(0, 6))):
        peer, peers = draw(far_ends())
        direction = draw(st.sampled_from(["outbound", "inbound"]))
        found.append(
            rule(
                direction=direction,
                transport=draw(st.sampled_from(["tcp", "udp"])),
                peer=peer,
                peers=peers,
                ports=draw(spans()),
                source_ports=draw(st.just(()) | spans()),
                hosts=("{pbx}",) if direction == "inbound" else (),
                needs=(need(f"need-{index}", draw(st.sampled_from(Importance)), peers),),
            )
        )
    return found


@settings(max_examples=40)
@given(many_rules())
def test_the_same_is_let_through(rules: list[Rule]) -> None:
    assert atoms(aggregate(rules)) == atoms(rules)


@settings(max_examples=40)
@given(many_rules())
def test_each_requirement_is_named_where_something_of_it_is_let_through(rules: list[Rule]) -> None:
    found = aggregate(rules)
    for one in rules:
        mine = [other for other in found if one.needs[0] in other.needs]
        assert atoms([one]) <= atoms(mine)
    assert {n for one in found for n in one.needs} == {n for one in rules for n in one.needs}


@settings(max_examples=40)
@given(many_rules().flatmap(lambda rules: st.tuples(st.just(rules), st.permutations(rules))))
def test_the_order_of_the_profile_does_not_matter(both: tuple[list[Rule], list[Rule]]) -> None:
    one, other = ([replace(rule, needs=()) for rule in aggregate(rules)] for rules in both)
    assert sorted(map(repr, one)) == sorted(map(repr, other))


@settings(max_examples=40)
@given(many_rules())
def test_it_can_be_done_again_without_a_difference(rules: list[Rule]) -> None:
    assert aggregate(aggregate(rules)) == aggregate(rules)


@settings(max_examples=40)
@given(many_rules(), many_rules())
def test_what_is_open_already_is_not_offered(rules: list[Rule], spare: list[Rule]) -> None:
    active, left = absorb(aggregate(rules), aggregate(spare))
    assert atoms(active) == atoms(rules)
    assert atoms(active) | atoms(left) == atoms(rules) | atoms(spare)
    assert {n.id for one in (*active, *left) for n in one.needs} == {
        n.id for one in (*rules, *spare) for n in one.needs
    }


def test_rules_of_the_same_ports_share_their_far_ends() -> None:
    (found,) = aggregate([rule("a", peers=("192.0.2.0/25",)), rule("b", peers=("192.0.2.128/25",))])
    assert found.peers == ("192.0.2.0/24",)
    assert [n.id for n in found.needs] == ["a", "b"]


def test_rules_of_the_same_far_ends_share_their_ports() -> None:
    (found,) = aggregate(
        [rule("a", ports=port(80)), rule("b", ports=port(81, 90)), rule("c", ports=port(443))]
    )
    assert [str(span) for span in found.ports] == ["80-90", "443"]


def test_ports_that_are_to_be_given_stay_apart() -> None:
    assert len(aggregate([rule("a"), rule("b", ports=())])) == 2


def test_what_is_to_be_given_stays_apart() -> None:
    found = aggregate(rule(name, peer=Peer.GIVEN, peers=(f"{{{name}}}",)) for name in "ab")
    assert [one.peers for one in found] == [("{a}",), ("{b}",)]


def test_the_most_important_comes_first() -> None:
    rows = [
        rule("late", ports=port(1), needs=(need("late", Importance.FALLBACK),)),
        rule("early", ports=port(9), peers=("198.51.100.0/24",)),
    ]
    assert [one.needs[0].id for one in aggregate(rows)] == ["early", "late"]
    (both,) = aggregate([rule("b", needs=(need("b", Importance.RECOMMENDED),)), rule("a")])
    assert [n.id for n in both.needs] == ["a", "b"]


def test_an_optional_rule_within_an_open_one_is_named_there() -> None:
    optional = rule("b", peers=("192.0.2.64/26",), needs=(need("b", Importance.OPTIONAL),))
    (found,), left = absorb([rule("a", ports=port(1, 1000))], [optional])
    assert ([n.id for n in found.needs], left) == (["a", "b"], ())


def test_a_single_name_is_not_within_a_wildcard_as_not_every_firewall_knows_wildcards() -> None:
    wide = rule(peer=Peer.NAMES, peers=("*.example.com",))
    assert absorb([wide], [rule("b", peer=Peer.NAMES, peers=("a.example.com",))])[1]


def test_labels_are_unique_and_speak() -> None:
    rows = [rule("a"), rule("b", peers=("198.51.100.0/24",)), rule("c", transport="icmp", ports=())]
    assert [one.label for one in labelled(rows, {})] == ["out-tcp-443", "out-tcp-443-2", "out-icmp-networks"]


def test_networks_are_collapsed_within_their_family() -> None:
    texts = ["2001:db8::/33", "192.0.2.0/25", "2001:db8:8000::/33", "192.0.2.128/25", "192.0.2.7/32"]
    assert [str(network) for network in networks(texts)] == ["192.0.2.0/24", "2001:db8::/32"]


def test_who_wants_a_far_end() -> None:
    wide, narrow = need("wide", peers=("192.0.2.0/24",)), need("narrow", peers=("192.0.2.9/32",))
    both = rule(peers=("192.0.2.0/24", "198.51.100.0/24"), needs=(wide, narrow))
    assert wanting(both, "192.0.2.0/24") == (wide, narrow)
    assert wanting(both, "198.51.100.0/24") == ()
