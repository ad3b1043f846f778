"""Certificates from strangers: what is read of them, and that none of them can do harm."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.net.certificate import cleaned, matches_name, read_certificate, spki_pin

from .minting import mint

LEAF = mint("leaf", names=["host.example", "*.wild.example", "192.0.2.1", "2001:db8::1"])
fuzz = settings(deadline=None, database=None, max_examples=300)


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("host.example", True),
        ("HOST.Example.", True),
        ("other.example", False),
        ("a.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        (".wild.example", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:DB8:0::1", True),
        ("[2001:db8::1]", True),
        ("", False),
        ("ho\nst", False),
        ("x" * 70 + "é.example", False),
    ],
)
def test_names_are_matched_as_rfc_9525_says(name: str, matches: bool) -> None:
    certificate = read_certificate(LEAF.der)
    assert certificate is not None
    assert matches_name(certificate, name) is matches


@pytest.mark.parametrize("pattern", ["*", "*.example", "f*.host.example", "*.*.example", "a.*.example"])
def test_other_wildcards_cover_nothing(pattern: str) -> None:
    certificate = read_certificate(mint("leaf", names=[pattern]).der)
    assert certificate is not None
    assert not any(
        matches_name(certificate, name) for name in ("foo.host.example", "a.b.example", "b.example")
    )


def test_the_subject_is_no_name() -> None:
    certificate = read_certificate(mint("host.example").der)
    assert certificate is not None
    assert not matches_name(certificate, "host.example")


def test_an_address_is_not_looked_for_among_names() -> None:
    wild = mint("leaf", extensions=[x509.SubjectAlternativeName([x509.DNSName("192.0.2.1")])])
    certificate = read_certificate(wild.der)
    assert certificate is not None
    assert not matches_name(certificate, "192.0.2.1")


def test_an_international_name_is_matched_in_ascii() -> None:
    certificate = read_certificate(mint("leaf", names=["xn--bcher-kva.example"]).der)
    assert certificate is not None
    assert matches_name(certificate, "bücher.example")


def test_facts_are_printable_and_bounded() -> None:
    names = [f"n{number}.example" for number in range(3000)]
    certificate = read_certificate(
        mint("e\x1b[31mvil\u202e" + "x" * 40, names=["a\x07b.example", *names]).der
    )
    assert certificate is not None
    facts = certificate.facts()
    assert facts.subject.isprintable() and facts.names[0] == "a\ufffdb.example"
    assert len(facts.names) == 64
    assert matches_name(certificate, "n2999.example")


def test_long_names_leave_room_for_the_rest_of_the_report() -> None:
    names = [f"{n}{'x' * 60}.{'y' * 60}.{'z' * 60}.example" for n in range(64)]
    certificate = read_certificate(mint("leaf", names=names).der)
    assert certificate is not None
    told = certificate.facts().names
    assert told == tuple(names[: len(told)])
    assert 1200 < sum(map(len, told)) <= 1500


def test_text_is_cut() -> None:
    assert cleaned("y" * 500) == "y" * 199 + "…"


def test_usages_decide_what_a_certificate_may_do() -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    signs_no_certificates = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    client = read_certificate(mint("leaf", extensions=[usage]).der)
    weak = read_certificate(mint("ca", ca=True, extensions=[signs_no_certificates]).der)
    assert client is not None and not client.serves
    assert weak is not None and not weak.is_ca


@pytest.mark.parametrize("tail", [b"", b"trailing"])
def test_what_is_no_certificate_is_none(tail: bytes) -> None:
    assert read_certificate(tail) is None


def test_unreadable_extensions_make_it_unsound() -> None:
    broken = x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, b"\x30\x05\xff")
    certificate = read_certificate(mint("leaf", extensions=[broken]).der)
    assert certificate is not None and not certificate.sound
    assert certificate.facts().names == ()


@fuzz
@given(st.binary(max_size=2000))
def test_garbage_is_survived(der: bytes) -> None:
    assert read_certificate(der) is None


@fuzz
@given(st.data())
def test_damaged_certificates_are_survived(data: st.DataObject) -> None:
    der = bytearray(LEAF.der)
    for position in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=6)):
        der[position] = data.draw(st.integers(0, 255))
    certificate = read_certificate(bytes(der))
    if certificate is not None:
        matches_name(certificate, "host.example")
        facts = certificate.facts()
        assert all(text.isprintable() for text in (facts.subject, facts.issuer, *facts.names))


def test_the_pin_is_that_of_openssl() -> None:
    import base64
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = LEAF.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki_pin(LEAF.certificate) == base64.b64encode(hashlib.sha256(spki).digest()).decode()
