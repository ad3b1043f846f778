"""Paths from a leaf to the trust set: which there are, what they pin, and why there is none."""

import random
import time
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.failure import Failure
from readycheck.net import chain
from readycheck.net.certificate import Certificate, spki_pin
from readycheck.net.chain import ChainVerdict, assess_chain
from readycheck.net.trust import TrustStore

from .minting import CURRENT, DAY, FUTURE, NOW, PAST, Party, mint

ROOT = mint("root", ca=True)
OTHER_ROOT = mint("other root", ca=True)
STRANGER = mint("stranger", ca=True)
ISSUING = mint("issuing", ROOT, ca=True, path_length=0)
LEAF = mint("leaf", ISSUING, names=["host.example"])
ROOT_CROSSED = mint("root", OTHER_ROOT, ca=True)
_SMALL_KEY = rsa.generate_private_key(65537, 2048)
AIA = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example")
        )
    ]
)


def assess(
    *sent: Party | bytes, trusted: Sequence[Party] = (ROOT,), name: str | None = "host.example"
) -> ChainVerdict:
    ders = [one if isinstance(one, bytes) else one.der for one in sent]
    trust = TrustStore(tuple(one.certificate for one in trusted))
    return assess_chain(ders, trust, verify_name=name, now=NOW)


def pins(*parties: Party) -> tuple[str, ...]:
    return tuple(spki_pin(one.certificate) for one in parties)


def test_a_good_chain_without_its_root() -> None:
    found = assess(LEAF, ISSUING)
    assert found.trust_failure is None
    assert found.pins == pins(LEAF, ISSUING, ROOT)
    assert found.anchor == "CN=root"
    assert found.name_matches is True
    assert [one.subject for one in found.chain] == ["CN=leaf", "CN=issuing"]
    assert found.expires_days == pytest.approx(60)
    assert found.age_days == pytest.approx((NOW - CURRENT[0]) / DAY)


@pytest.mark.parametrize(
    "sent", [(LEAF, ISSUING, ROOT), (LEAF, STRANGER, ROOT, ISSUING), (LEAF, LEAF, ISSUING)]
)
def test_order_and_surplus_do_not_matter(sent: tuple[Party, ...]) -> None:
    assert set(assess(*sent).pins) == set(pins(LEAF, ISSUING, ROOT))


def test_what_was_verified_once_is_not_verified_for_the_next_server() -> None:
    trust = TrustStore((ROOT.certificate,))
    for _ in range(2):
        before = chain._verifies.cache_info().misses
        assert assess_chain([LEAF.der, ISSUING.der], trust, verify_name=None, now=NOW).pins
    assert chain._verifies.cache_info().misses == before


def test_every_path_is_pinned_when_authorities_are_cross_signed() -> None:
    found = assess(LEAF, ISSUING, ROOT_CROSSED, trusted=(ROOT, OTHER_ROOT))
    assert found.trust_failure is None
    assert set(found.pins) == set(pins(LEAF, ISSUING, ROOT, OTHER_ROOT))
    assert found.anchor == "CN=root"


def test_a_cross_signature_alone_leads_to_the_anchor() -> None:
    found = assess(LEAF, ISSUING, ROOT_CROSSED, trusted=(OTHER_ROOT,))
    assert (found.trust_failure, found.anchor) == (None, "CN=other root")


def test_an_untrusted_path_pins_nothing() -> None:
    found = assess(LEAF, ISSUING, ROOT, trusted=(STRANGER,))
    assert (found.trust_failure, found.pins, found.anchor) == (Failure.CERTIFICATE_UNTRUSTED, (), None)


@pytest.mark.parametrize("extensions", [(), (AIA,)])
def test_a_leaf_alone_is_an_incomplete_chain(extensions: tuple[x509.ExtensionType, ...]) -> None:
    leaf = mint("leaf", ISSUING, extensions=extensions)
    assert assess(leaf).trust_failure is Failure.CERTIFICATE_CHAIN_INCOMPLETE


def test_unrelated_certificates_do_not_complete_it() -> None:
    assert assess(LEAF, STRANGER).trust_failure is Failure.CERTIFICATE_CHAIN_INCOMPLETE


@pytest.mark.parametrize("ca", [False, True])
def test_a_self_signed_leaf_is_untrusted(ca: bool) -> None:
    assert assess(mint("alone", ca=ca)).trust_failure is Failure.CERTIFICATE_UNTRUSTED


def test_a_self_signed_leaf_of_the_trust_set_is_its_own_anchor() -> None:
    found = assess(ROOT)
    assert (found.trust_failure, found.pins) == (None, pins(ROOT))


def test_a_forged_signature_is_untrusted() -> None:
    forged = mint("leaf", STRANGER, says_issuer="root")
    assert assess(forged).trust_failure is Failure.CERTIFICATE_UNTRUSTED
    assert assess(mint("leaf", STRANGER, says_issuer="issuing"), ISSUING).trust_failure is (
        Failure.CERTIFICATE_UNTRUSTED
    )


@pytest.mark.parametrize("lifetime", [PAST, FUTURE])
def test_a_leaf_out_of_its_dates_is_expired(lifetime: tuple[object, object]) -> None:
    leaf = mint("leaf", ISSUING, lifetime=lifetime)  # type: ignore[arg-type]
    found = assess(leaf, ISSUING)
    assert (found.trust_failure, found.pins) == (Failure.CERTIFICATE_EXPIRED, ())
    assert found.anchor == "CN=root"
    assert found.expires_days == pytest.approx(-1 if lifetime == PAST else 60)


def test_an_expired_link_on_the_only_path() -> None:
    old = mint("issuing", ROOT, ca=True, lifetime=PAST)
    assert assess(LEAF, old).trust_failure is Failure.CERTIFICATE_EXPIRED


def test_an_expired_path_beside_a_valid_one_does_no_harm() -> None:
    old = mint("root", OTHER_ROOT, ca=True, lifetime=PAST)
    found = assess(LEAF, ISSUING, old, trusted=(ROOT, OTHER_ROOT))
    assert (found.trust_failure, found.pins) == (None, pins(LEAF, ISSUING, ROOT))


def test_expired_and_untrusted_is_untrusted() -> None:
    alone = mint("alone", lifetime=PAST)
    assert assess(alone).trust_failure is Failure.CERTIFICATE_UNTRUSTED


def test_the_path_ends_with_its_weakest_link() -> None:
    short = mint("issuing", ROOT, ca=True, lifetime=(CURRENT[0], NOW + 2 * DAY))
    assert assess(LEAF, short).expires_days == pytest.approx(2)


def test_only_an_authority_may_sign() -> None:
    layman = mint("issuing", ROOT)
    assert assess(LEAF, layman).trust_failure is Failure.CERTIFICATE_UNTRUSTED


def test_the_path_length_is_kept() -> None:
    below = mint("below", ISSUING, ca=True)
    leaf = mint("leaf", below)
    assert assess(leaf, below, ISSUING).trust_failure is Failure.CERTIFICATE_UNTRUSTED


def test_a_client_certificate_serves_nobody() -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    assert assess(mint("leaf", ROOT, extensions=[usage])).trust_failure is Failure.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(("name", "matches"), [(None, None), ("host.example", True), ("else.example", False)])
def test_the_name(name: str | None, matches: bool | None) -> None:
    assert assess(LEAF, ISSUING, name=name).name_matches is matches


@pytest.mark.parametrize("sent", [(), (b"",), (b"garbage", ISSUING)])
def test_no_leaf_is_untrusted(sent: tuple[Party | bytes, ...]) -> None:
    found = assess(*sent)
    assert (found.trust_failure, found.name_matches) == (Failure.CERTIFICATE_UNTRUSTED, False)


def test_garbage_among_the_rest_is_passed_over() -> None:
    assert assess(LEAF, b"garbage", ISSUING).trust_failure is None


def test_a_maze_of_cross_signatures_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every authority signs every other one: without bounds there are 15! paths.
    halls = [mint(f"hall {n}", ca=True) for n in range(5)]
    doors = [mint(f"hall {a}", halls[b], ca=True) for a in range(5) for b in range(5) if a != b][:15]
    leaf = mint("leaf", halls[0])
    asked: list[Certificate] = []
    verifies = chain._verifies

    def counted(child: Certificate, issuer: Certificate) -> bool:
        asked.append(child)
        return verifies(child, issuer)

    monkeypatch.setattr(chain, "_verifies", counted)
    assert assess(leaf, *doors).trust_failure is Failure.CERTIFICATE_UNTRUSTED
    assert len(asked) <= 64


@pytest.mark.parametrize(("bits", "exponent"), [(16384, (1 << 63) + 1), (3072, (1 << 3000) + 1)])
def test_the_keys_that_cost_most_are_left_in_time(bits: int, exponent: int) -> None:
    forged = [_forged(bits, exponent, seed) for seed in range(16)]
    began = time.process_time()
    assert assess(*forged).trust_failure is Failure.CERTIFICATE_UNTRUSTED
    assert time.process_time() - began < 1


def _forged(bits: int, exponent: int, seed: int) -> bytes:
    """An authority that claims to have signed every other one, with a signature that takes all the time there is."""
    chosen = random.Random(seed)
    modulus = chosen.getrandbits(bits) | 1 | 1 << (bits - 1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "anybody")])
    builder = (
        x509.CertificateBuilder(name, name, rsa.RSAPublicNumbers(exponent, modulus).public_key(), seed + 1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
    )
    signed = builder.sign(_SMALL_KEY, hashes.SHA256())
    whole = signed.public_bytes(serialization.Encoding.DER)
    algorithm = whole.removesuffix(signed.signature)[4 + len(signed.tbs_certificate_bytes) : -5]
    signature = b"\0\0" + chosen.randbytes(bits // 8 - 1)
    content = signed.tbs_certificate_bytes + algorithm + _long_element(0x03, signature)
    return _long_element(0x30, content)


def _long_element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


def test_a_path_has_at_most_eight_links() -> None:
    links = [ROOT]
    for n in range(8):
        links.append(mint(f"link {n}", links[-1], ca=True))
    deep = mint("leaf", links[-1])
    assert assess(deep, *reversed(links[1:])).trust_failure is Failure.CERTIFICATE_UNTRUSTED
    shallow = mint("leaf", links[4])
    assert assess(shallow, *reversed(links[1:5])).trust_failure is None


def test_a_thousand_certificates_are_bounded() -> None:
    assert len(assess(LEAF, *[ISSUING] * 1000).chain) == 8


@settings(deadline=None, database=None, max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([p.der for p in (LEAF, ISSUING, ROOT)]))))
def test_any_mixture_gets_a_verdict(ders: list[bytes]) -> None:
    found = assess(*ders)
    assert (found.trust_failure is None) == bool(found.pins)
