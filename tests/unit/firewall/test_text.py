"""The text for reading."""

from tests.unit.builders import SOURCE

from .sample import (
    BETWEEN,
    CALLED,
    DNS,
    FORWARDED,
    MEDIA,
    OPTIONAL,
    PING,
    SIGNALLING,
    TIME,
    WEB,
    WORDS,
    printed,
)


def test_a_rule_reads_like_a_line_of_a_table() -> None:
    lines = printed("text", MEDIA)
    start = lines.index("OUTBOUND: from hosts of this site")
    assert lines[start:] == [
        "OUTBOUND: from hosts of this site",
        "",
        "UDP 5004, 9000-9010 to 3 networks",
        "    198.51.100.0/24, 203.0.113.7/32, 2001:db8:1::/48",
        "    required: media [media]",
        "        from source ports 8000-8099",
        "        source: doc, 1, revision 1",
    ]


def heads(*rows: object, **wish: object) -> list[str]:
    lines = printed("text", *rows, **wish)  # type: ignore[arg-type]
    return [line for line in lines if line.startswith(("TCP ", "UDP ", "ICMP "))]


def test_each_kind_of_far_end() -> None:
    one = {**WEB, "targets": {"hosts": ["a.example"]}}
    assert heads(SIGNALLING, {**WEB, "id": "one", "ports": ["1"], "targets": one["targets"]}, PING) == [
        "ICMP echo request to 3 networks",
        "TCP 1 to 1 domain",
        "TCP 5061 to 3 networks",
    ]
    assert heads(DNS, TIME, WORDS) == [
        "TCP 5060 to what is told in words",
        "UDP 53 to your name servers",
        "UDP 123 to what you give",
    ]
    assert "    <ntp-server>" in printed("text", TIME)
    assert heads(WEB, any_name=True) == ["TCP 443 to anywhere"]
    assert heads(MEDIA, source_ports=True) == [
        "UDP 5004, 9000-9010 from source ports 8000-8099 to 3 networks"
    ]


def test_inbound_rules_have_a_heading_of_their_own() -> None:
    lines = printed("text", CALLED, {**FORWARDED, "ports": []})
    assert "INBOUND: to hosts of this site" in lines
    assert "OUTBOUND: from hosts of this site" not in lines
    assert heads(CALLED, {**FORWARDED, "ports": []}) == [
        "TCP ports of your choice from anywhere to gateway",
        "TCP 5061 from 3 networks to gateway",
    ]


def test_what_is_not_in_force_says_so() -> None:
    assert "    not in force: optional" in printed("text", OPTIONAL)
    assert "    not in force: give name-servers" in printed("text", DNS)


def test_what_is_between_segments() -> None:
    assert "    tcp 5060" in printed("text", BETWEEN)
    assert "INTERNAL: between segments of this site" in printed("text", BETWEEN, internal=True)


def test_where_it_comes_from() -> None:
    lines = printed("text", SIGNALLING)
    assert lines[0] == "Firewall rules for Example (example), revision 1"
    assert "    doc = Ports, Example, revision 1" in lines
    assert SOURCE["document"] == "doc"


def test_nothing_is_beyond_this_format() -> None:
    assert not any("cannot express" in line for line in printed("text", WEB))
