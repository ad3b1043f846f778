"""Texts of options become values, or one line that names the option."""

from pathlib import Path

import pytest

from readycheck.cli import options as o
from readycheck.errors import UsageError

NO_HOSTS = ["a..b", ".a", ".", "a:443", "192.0.2.1:443", "x" * 64, "::1%" + "x" * 41, "fe80::1%a b", "1:2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("fe80::1%eth0", ("fe80::1%eth0", 53)),
    ],
)
def test_an_endpoint(text: str, expected: tuple[str, int]) -> None:
    assert o.endpoint("--resolver", text, 53) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dns.example.com",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:x",
        "192.0.2.1:" + "9" * 5000,
        "192.0.2.1:٣٤",
        "192.0.2.1/24",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "[2001:db8::1]:",
        "[[2001:db8::1]]",
        "\0",
    ],
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--resolver"):
        o.endpoint("--resolver", text, 53)


def test_pairs() -> None:
    assert o.pairs("--set", ["customer=acme", "sbc=sip-1.acme.com", "customer=acme"]) == {
        "customer": "acme",
        "sbc": "sip-1.acme.com",
    }


@pytest.mark.parametrize(
    "text", ["", "a", "=", "a=", "=b", "a=b c", "a=http://b", "a=\udcff", "a=b\0", "a={b}"]
)
def test_what_is_no_pair(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--set"):
        o.pairs("--set", [text])


@pytest.mark.parametrize("value", ["10.0.0.0/8", "2001:db8::/32", "pbx.example.com"])
def test_networks_where_they_are_of_use(value: str) -> None:
    assert o.pairs("--set", [f"a={value}"], networks=True) == {"a": value}


@pytest.mark.parametrize("value", ["a/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/1000", "10.0.0.1/8", "/8"])
def test_what_is_no_network(value: str) -> None:
    with pytest.raises(UsageError, match=r"^--set"):
        o.pairs("--set", [f"a={value}"], networks=True)


@pytest.mark.parametrize("value", NO_HOSTS)
def test_what_cannot_be_asked_for_is_no_value(value: str) -> None:
    with pytest.raises(UsageError, match=r"the value is not fit for a host name$"):
        o.pairs("--set", [f"a={value}"])


@pytest.mark.parametrize(
    "value", ["a", "a.", "_x._tcp.A-b.example", "x" * 63, "::1", "fe80::1%eth0.7", "1.2.3.4"]
)
def test_what_a_host_may_be_called(value: str) -> None:
    assert o.pairs("--set", [f"a={value}"]) == {"a": value}


def test_two_values_for_one_name() -> None:
    with pytest.raises(UsageError, match="another value before"):
        o.pairs("--set", ["a=1", "a=2"])


def test_nodes() -> None:
    given = ("sip.example.com", "192.0.2.1", "sip.example.com=192.0.2.1", "sip.example.com=2001:db8::1")
    assert o.nodes("--target", given) == given


@pytest.mark.parametrize(
    "text", ["", "=192.0.2.1", "a=", "a=b", "a b", "a\x1b[31m", "\udcff", "http://a/", "a" * 254, *NO_HOSTS]
)
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--target"):
        o.nodes("--target", [text])


@pytest.mark.parametrize("text", [None, "", "Hauptsitz Zürich", "本社"])
def test_a_label(text: str | None) -> None:
    assert o.label("--site", text) == text


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\udcff", "x" * 201])
def test_what_is_no_label(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--site"):
        o.label("--site", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("far.example.com", ("far.example.com", 3478)),
        ("far.example.com:9000", ("far.example.com", 9000)),
        ("192.0.2.1:9000", ("192.0.2.1", 9000)),
        ("2001:db8::1", ("2001:db8::1", 3478)),
        ("[2001:db8::1]:9000", ("2001:db8::1", 9000)),
    ],
)
def test_a_responder(text: str, expected: tuple[str, int]) -> None:
    assert o.responder("--responder", text) == expected
    assert o.responder("--responder", None) is None


@pytest.mark.parametrize(
    "text", ["", ":9000", "a b", "far.example.com:", "far.example.com:0", "far/x", "[::1"]
)
def test_no_responder(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--responder .*: not HOST or HOST:PORT$"):
        o.responder("--responder", text)


def test_a_key_is_what_its_file_holds(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"of this site\n")
    assert o.key("--responder-key", tmp_path / "key") == b"of this site"
    assert o.key("--responder-key", None) == b""


@pytest.mark.parametrize("content", [None, b"", b" \n", b"x" * 5000])
def test_no_key(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError, match=r"^--responder-key .*key: "):
        o.key("--responder-key", tmp_path / "key")
