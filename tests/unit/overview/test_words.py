"""The parts of a profile in words."""

import pytest

from readycheck.overview import words
from readycheck.profile import Limit
from tests.unit.builders import SOURCE, make_profile, requirement


@pytest.mark.parametrize(
    ("transport", "ports", "told"),
    [
        ("tcp", ["443", "5004-5006"], "TCP 443, 5004-5006"),
        ("icmp", [], "ICMP"),
        ("none", [], ""),
        ("udp", [], "UDP"),
    ],
)
def test_a_protocol(transport: str, ports: list[str], told: str) -> None:
    row = make_profile(requirement("r", transport=transport, ports=ports)).requirements[0]
    assert words.protocol(row.transport, row.ports) == told


def test_ports_of_both_protocols() -> None:
    assert words.protocol("any", ()) == "TCP and UDP"


@pytest.mark.parametrize(
    ("code", "name"),
    [(46, "EF"), (34, "AF41"), (26, "AF31"), (10, "AF11"), (38, "AF43"), (24, "CS3"), (0, "CS0")],
)
def test_a_class_of_traffic_has_its_name(code: int, name: str) -> None:
    assert words.marking([code]) == f"{code} ({name})"


def test_a_code_point_without_a_name_is_a_number() -> None:
    assert words.marking([5, 46, 11]) == "5, 46 (EF), 11"


@pytest.mark.parametrize(
    ("band", "told"),
    [
        ({"warn": 150, "fail": 400}, "warns from 150, fails from 400"),
        ({"warn": 14, "higher": True, "source": "us"}, "warns below 14 (us)"),
        ({"warn": 30, "higher": True, "ended_by": "died_s"}, "warns below 30, given a died_s"),
        ({}, "is shown"),
    ],
)
def test_a_limit(band: dict[str, object], told: str) -> None:
    assert words.limit(Limit.model_validate(band)) == told


def test_a_value_is_told_as_it_is_written() -> None:
    assert words.value({"a": [1, "x"], "b": True, "c": []}) == "{ a = 1, x, b = true, c = none }"


def test_where_a_requirement_leads() -> None:
    targets = {
        "networks": ["service"],
        "names": ["web"],
        "hosts": ["{x}"],
        "resolvers": True,
        "description": "D",
    }
    profile = make_profile(requirement("r", targets=targets), placeholders={"x": {"title": "X"}})
    found = words.destinations(profile.requirements[0], profile)
    assert found == ["D", "Service", "Web", "{x}", "the name servers in use"]


def test_what_cannot_be_tested_says_why() -> None:
    row = make_profile(requirement("r", probe=None, untestable="needs a far end")).requirements[0]
    assert words.verification(row) == "not testable from here: needs a far end"


def test_only_what_a_role_needs() -> None:
    rows = [requirement("a"), requirement("b", roles=["gateway"], targets={"names": ["web"]})]
    qos = [
        {"source_role": role, "traffic": role, "dscp": [46], "printed": "EF", "source": SOURCE}
        for role in ("app", "gateway", "anything")
    ]
    found = words.narrowed(make_profile(*rows, qos=qos), ["app"])
    assert [r.id for r in found.requirements] == ["a"]
    assert [role.name for role in found.roles] == ["app"]
    assert set(found.networks) == {"service"}
    assert set(found.names) == {"wild"}, "what nobody is led to is of the whole"
    assert [row.source_role for row in found.qos] == ["app", "anything"]
