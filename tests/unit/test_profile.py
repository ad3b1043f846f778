"""The profile: whatever the bytes, a profile or one line that says what is wrong and where."""

import hashlib
from datetime import date
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from readycheck.errors import ProfileError
from readycheck.notation import PortRange
from readycheck.profile import (
    DEFAULT_WEIGHTS,
    Area,
    DomainEntry,
    Importance,
    NetworkGroup,
    Profile,
    Requirement,
)
from readycheck.profile_file import parse
from readycheck.toml_text import MAX_BYTES
from tests.unit.builders import SOURCE, make_profile, requirement

HEAD = """
schema_version = 1
name = "p"
title = "P"
revision = "1"
checked = 2026-01-01
[documents.doc]
title = "D"
publisher = "Q"
revision = "1"
[[roles]]
name = "app"
title = "App"
[networks.service]
title = "S"
networks = ["198.51.100.0/24"]
source = { document = "doc", section = "1" }
"""
ROW = """
[[requirements]]
id = "sip"
title = "SIP"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = ["8934"]
targets = { networks = ["service"] }
probe = "sip"
source = { document = "doc", section = "2" }
"""


def read(text: str) -> Profile:
    return parse(text.encode(), "p.toml")


def complaint(text: str | bytes) -> str:
    with pytest.raises(ProfileError) as refused:
        parse(text if isinstance(text, bytes) else text.encode(), "p.toml")
    message = str(refused.value)
    assert message.startswith("p.toml: ")
    assert "\n" not in message
    return message.removeprefix("p.toml: ")


def test_a_profile_is_read_into_types_and_knows_its_text() -> None:
    profile = read(HEAD + ROW)
    only = profile.requirements[0]
    assert profile.checked == date(2026, 1, 1)
    assert only.importance is Importance.REQUIRED
    assert only.area is Area.SIGNALLING
    assert only.ports == (PortRange(low=8934, high=8934),)
    assert profile.hash == hashlib.sha256((HEAD + ROW).encode()).hexdigest()
    assert profile.weights == DEFAULT_WEIGHTS
    assert profile.default_roles() == ("app",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
        (b"a = ", "not TOML: "),
        (b"a = " + b"[" * 20000, "not TOML: "),
        (b"a = " + b"9" * 5000, "not TOML: "),
        (b"x" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
        (b"a = 1", "a: unknown key (and 8 more)"),
    ],
    ids=["empty", "comment", "encoding", "syntax", "nesting", "digits", "size", "keys"],
)
def test_what_is_no_profile(text: bytes, message: str) -> None:
    assert complaint(text).startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('transport = "tcp"', 'transprot = "tcp"', "requirements[sip].transprot: unknown key"),
        ('"8934"', '"70000"', "requirements[sip].ports[0]: port 70000 is outside 1 to 65535"),
        ('"8934"', '"0"', "requirements[sip].ports[0]: port 0 is outside 1 to 65535"),
        ('"8934"', '"20-10"', "requirements[sip].ports[0]: the range '20-10' is reversed"),
        ('"8934"', '"sip"', "requirements[sip].ports[0]: 'sip' is not a port"),
        ('"8934"', "true", "requirements[sip].ports[0]: "),
        ('"8934"', '"1-2-3"', "requirements[sip].ports[0]: '1-2-3' is not a port"),
        ('["app"]', '["boss"]', "requirements[sip].roles[0]: 'boss' is not defined"),
        ('["service"]', '["srvice"]', "requirements[sip].targets.networks[0]: 'srvice' is not defined"),
        ('section = "2"', 'section = "2", page = 3', "requirements[sip].source.page: unknown key"),
        ('id = "sip"', 'id = "S I P"', "requirements[S I P].id: "),
        ('probe = "sip"', "", "requirements[sip]: needs a 'probe', or 'untestable' with the reason"),
        ('"required"', '"essential"', "requirements[sip].importance: "),
        (
            '"198.51.100.0/24"',
            '"198.51.100.1/24"',
            "networks.service.networks[0]: '198.51.100.1/24' is not a network",
        ),
        ("schema_version = 1", "schema_version = 2", "schema_version: "),
    ],
)
def test_errors_name_table_and_key(old: str, new: str, message: str) -> None:
    text = HEAD + ROW
    assert old in text
    assert complaint(text.replace(old, new, 1)).startswith(message)


def test_the_number_of_further_errors_is_told() -> None:
    assert complaint(HEAD + ROW.replace("title", "titel") + ROW.replace('"sip"', '"other"', 1)) == (
        "requirements[sip].titel: unknown key (and 1 more)"
    )


def test_ids_are_unique() -> None:
    assert complaint(HEAD + ROW + ROW) == "requirements[sip].id: duplicate id 'sip'"


def test_a_key_with_a_line_break_does_not_break_the_line() -> None:
    complaint(HEAD + ROW + '"two\\nlines" = 1\n')


@pytest.mark.parametrize("value", ["inf", "nan", "-1.0", "0"])
def test_a_weight_is_a_positive_finite_number(value: str) -> None:
    assert complaint(HEAD + ROW + f"weight = {value}\n").startswith("requirements[sip].weight: ")


@pytest.mark.parametrize("host", ["{}", "{0}", "{a.b}", "{customer!r}", "{customer:>9999999999}"])
def test_a_placeholder_that_cannot_be_filled_is_refused_when_it_is_read(host: str) -> None:
    row = ROW.replace('{ networks = ["service"] }', f"{{ hosts = ['{host}'] }}")
    extra = '\n[placeholders.customer]\ntitle = "Customer"\n'
    assert "is not defined" in complaint(HEAD + row + extra)


def test_the_roles_of_a_proxy_table_must_be_defined() -> None:
    rest = 'product = "Phone"\nconfiguration = []\nauthentication = ["basic"]\n'
    source = 'source = { document = "doc", section = "1" }\n'
    table = HEAD + ROW + "\n[[proxies]]\n" + rest + source
    assert read(table).proxies[0].roles is None
    assert read(table + "roles = []\n").proxies[0].roles == ()
    assert "roles[0]: 'boss' is not defined" in complaint(table + 'roles = ["boss"]\n')


def test_placeholders_must_be_declared() -> None:
    row = ROW.replace('{ networks = ["service"] }', '{ hosts = ["{customer}.example.com"] }')
    assert "targets.hosts[0]: 'customer' is not defined" in complaint(HEAD + row)
    assert read(HEAD + row + '\n[placeholders.customer]\ntitle = "C"\n').placeholders


def test_what_is_measured_with_another_names_it() -> None:
    assert "measured_with: 'nosuch' is not defined" in complaint(HEAD + ROW + 'measured_with = "nosuch"\n')
    assert "measured_with: 'sip' is not defined" in complaint(HEAD + ROW + 'measured_with = "sip"\n')


# --- properties ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_profile_error(text: bytes) -> None:
    complaint(text)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.integers(0, len(HEAD + ROW)), st.integers(0, 40))
def test_a_damaged_profile_is_a_profile_or_a_profile_error(junk: str, at: int, cut: int) -> None:
    text = HEAD + ROW
    try:
        damaged = (text[:at] + junk + text[at + cut :]).encode("utf-8", "surrogatepass")
        assert isinstance(parse(damaged, "p.toml"), Profile)
    except ProfileError as error:
        assert "\n" not in str(error)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(Requirement.model_fields)), VALUES)
def test_any_value_of_any_key_is_taken_or_refused(key: str, value: Any) -> None:
    try:
        Requirement.model_validate(requirement("sip") | {key: value})
    except ValidationError:
        pass


_PARTS = st.sampled_from(["0", "1", "10", "128", "255", "256", "01", "a", ""])


@given(st.lists(_PARTS, min_size=4, max_size=4), st.integers(0, 40).map(str) | st.sampled_from(["", "08"]))
def test_a_network_is_what_the_library_says_it_is(octets: list[str], length: str) -> None:
    text = f"{'.'.join(octets)}/{length}"
    group = {"title": "S", "networks": [text], "source": SOURCE}
    try:
        wanted = (str(ip_network(text)),)
    except ValueError:
        with pytest.raises(ValidationError, match="is not a network"):
            NetworkGroup.model_validate(group)
        return
    assert NetworkGroup.model_validate(group).networks == wanted


@pytest.mark.parametrize("text", ["x" * 100_000, 10**5000, -(10**5000)], ids=["text", "large", "small"])
def test_a_message_does_not_repeat_a_value_without_end(text: str | int) -> None:
    with pytest.raises(ValidationError) as refused:
        Requirement.model_validate(requirement("r", ports=[text]))
    assert len(refused.value.errors()[0]["msg"]) < 300


# --- words of the profile -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "low", "high"), [("8934", 8934, 8934), ("19560-65535", 19560, 65535), ("1", 1, 1)]
)
def test_a_range_of_ports_reads_as_it_is_written(written: str, low: int, high: int) -> None:
    ports = make_profile(requirement("r", ports=[written])).requirements[0].ports[0]
    assert (ports.low, ports.high, str(ports), len(ports)) == (low, high, written, high - low + 1)
    assert low in ports
    assert high in ports
    assert high + 1 not in ports
    assert low - 1 not in ports


@pytest.mark.parametrize(
    ("entry", "hosts"),
    [
        ({"pattern": "a.example.com"}, ("a.example.com",)),
        ({"pattern": "*.example.com"}, ()),
        ({"pattern": "*.example.com", "representatives": ["w.example.com"]}, ("w.example.com",)),
    ],
)
def test_a_wildcard_is_tested_by_its_representatives(entry: dict[str, Any], hosts: tuple[str, ...]) -> None:
    assert DomainEntry.model_validate(entry).hosts == hosts


@pytest.mark.parametrize(
    "name", ["", "example", "-a.example.com", "a..com", "*.*.com", "a.example.com.", "a b.com"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        DomainEntry.model_validate({"pattern": name})


@pytest.mark.parametrize("pattern", ["*s3.example.com", "*mcs*.example.com", "*.example.com"])
def test_a_star_may_stand_for_a_part_of_a_label(pattern: str) -> None:
    entry = DomainEntry.model_validate({"pattern": pattern})
    assert entry.is_wildcard
    assert entry.hosts == ()


def test_what_stands_for_a_wildcard_is_no_wildcard() -> None:
    with pytest.raises(ValidationError, match="not a host name"):
        DomainEntry.model_validate({"pattern": "*.example.com", "representatives": ["*.a.example.com"]})


def test_every_citation_names_a_document_of_the_profile() -> None:
    cited = {"says": "one", "source": {**SOURCE, "document": "elsewhere"}}
    row = {"about": "ports", "statements": [cited, cited], "used": "one", "reason": "newer"}
    with pytest.raises(
        ValidationError, match=r"contradictions.0.statements.1.source.document\n  'elsewhere'"
    ):
        make_profile(contradictions=[row])


def test_a_contradiction_has_two_sides() -> None:
    row = {"about": "ports", "statements": [{"says": "one", "source": SOURCE}], "used": "one", "reason": "x"}
    with pytest.raises(ValidationError, match="at least 2 items"):
        make_profile(contradictions=[row])


def test_without_a_default_role_all_roles_are_the_default() -> None:
    roles = [{"name": "a", "title": "A"}, {"name": "app", "title": "B"}]
    assert make_profile(roles=roles).default_roles() == ("a", "app")


def test_a_profile_is_frozen() -> None:
    with pytest.raises(ValidationError):
        make_profile().title = "other"


def test_a_source_of_a_document_that_is_not_there() -> None:
    row = requirement("r", source={**SOURCE, "document": "elsewhere"})
    with pytest.raises(
        ValidationError, match=r"requirements.0.source.document\n  'elsewhere' is not defined"
    ):
        make_profile(row)
