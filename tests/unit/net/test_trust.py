"""The trust set: the public bundle, and the authorities that a file adds."""

import os
import ssl
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readycheck.errors import UsageError
from readycheck.net import trust
from readycheck.net.certificate import fingerprint, spki_pin
from readycheck.net.trust import TrustStore, installed_pins, load_trust, public_anchors

from .minting import mint

ROOT = mint("private root", ca=True)
INSPECTOR = mint("inspection root", ca=True)


@pytest.fixture(autouse=True)
def bare_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host whose only trust anchors are in the folder that this gives."""
    folder = tmp_path / "anchors"
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(trust, "_ANCHOR_DIRS", ())
    found = ssl.get_default_verify_paths
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: found()._replace(openssl_capath=str(folder)))
    return folder


def file_of(folder: Path, content: bytes) -> Path:
    path = folder / "roots.pem"
    path.write_bytes(content)
    return path


def test_the_public_bundle_is_there_by_default() -> None:
    store = load_trust()
    assert len(store.anchors) > 80
    assert (store.accepted_pins, store.fingerprints) == (frozenset(), ())


def test_anchors_are_found_by_subject() -> None:
    again = mint("private root", ca=True, keyed="its successor")
    store = TrustStore((ROOT.certificate, INSPECTOR.certificate, again.certificate))
    subject = ROOT.certificate.subject.public_bytes()
    assert [one.pin for one in store.named(subject)] == [spki_pin(p.certificate) for p in (ROOT, again)]
    assert store.named(b"nobody") == ()


def test_given_roots_join_the_anchors_and_the_pins(tmp_path: Path) -> None:
    other = mint("other private root", ca=True)
    path = file_of(tmp_path, b"a comment\r\n" + ROOT.pem.replace(b"\n", b"\r\n") + ROOT.secret + other.pem)
    store = load_trust([path])
    parties = (ROOT, other)
    assert store.anchors[-2:] == tuple(p.certificate for p in parties)
    assert store.accepted_pins == {spki_pin(p.certificate) for p in parties}
    assert store.fingerprints == tuple(fingerprint(p.certificate).hex() for p in parties)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hello", "holds no PEM certificate"),
        (ROOT.der, "holds no PEM certificate"),
        (ROOT.secret, "holds no PEM certificate"),
        (ROOT.pem.replace(b"MII", b"AII"), "certificate 1 is damaged"),
        (ROOT.pem + b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----", "certificate 2 is damaged"),
        (mint("a server").pem, "CN=a server is not a certificate authority"),
        (ROOT.pem * 257, "holds more than 256"),
        (b"x" * (5 << 20), "is too large"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = file_of(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        load_trust([path])
    assert str(caught.value).startswith("--trust-roots ") and str(path) in str(caught.value)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


PIECES = (b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", ROOT.pem, b"\n", b"AAAA", ROOT.der)


@settings(
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=8))
def test_any_file_is_read_or_refused(bare_host: Path, tmp_path: Path, pieces: list[bytes]) -> None:
    path = file_of(tmp_path, b"".join(pieces))
    try:
        found = load_trust([path])
    except UsageError as error:
        assert str(error).isprintable()
    else:
        assert found.accepted_pins


def test_a_file_that_never_ends_a_certificate_is_left_in_time(tmp_path: Path) -> None:
    began = b"-----BEGIN CERTIFICATE-----\n"
    for content in (began + b"A" * (4 << 20), began * (100 << 10), (began + b"A" * 60 + b"\n") * (40 << 10)):
        before = time.process_time()
        with pytest.raises(UsageError, match="holds no PEM certificate"):
            load_trust([file_of(tmp_path, content[: 4 << 20])])
        assert time.process_time() - before < 3


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b", Path("a\nb")):
        with pytest.raises(UsageError, match="--trust-roots") as caught:
            load_trust([path])
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path, ROOT.pem)
    path.chmod(0)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        load_trust([path])


@pytest.mark.parametrize("name", ["corp.pem", "corp.crt", "deadbeef.0"])
def test_an_anchor_of_this_host_is_refused(bare_host: Path, tmp_path: Path, name: str) -> None:
    (bare_host / name).write_bytes(INSPECTOR.pem)
    path = file_of(tmp_path, ROOT.pem + INSPECTOR.pem)
    with pytest.raises(UsageError, match="CN=inspection root is a trust anchor of this host"):
        load_trust([path])


def test_a_renewed_certificate_of_the_same_key_is_refused_too(bare_host: Path, tmp_path: Path) -> None:
    (bare_host / "corp.pem").write_bytes(INSPECTOR.pem)
    renewed = mint("renamed inspection root", ca=True, keyed="inspection root")
    with pytest.raises(UsageError, match="trust anchor of this host"):
        load_trust([file_of(tmp_path, renewed.pem)])


def test_the_systems_bundle_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(INSPECTOR.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(UsageError, match="trust anchor of this host"):
        load_trust([file_of(tmp_path, INSPECTOR.pem)])


def test_a_local_anchor_that_is_public_too_is_not_held_against_anybody(bare_host: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    public = public_anchors()
    (bare_host / "public.pem").write_bytes(public[0].public_bytes(Encoding.PEM))
    (bare_host / "broken.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (bare_host / "readme.txt").write_bytes(INSPECTOR.pem)
    assert installed_pins(public) == frozenset()


def test_a_loop_of_links_is_survived(bare_host: Path, tmp_path: Path) -> None:
    (bare_host / "loop.pem").symlink_to(bare_host / "loop.pem")
    (bare_host / "again").symlink_to(bare_host)
    assert load_trust([file_of(tmp_path, ROOT.pem)]).fingerprints


def test_what_this_host_trusts_besides_is_read_once_and_when_asked(
    bare_host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = load_trust()
    (bare_host / "inspector.pem").write_bytes(INSPECTOR.pem)
    assert store.of_host() == (INSPECTOR.certificate,)
    (bare_host / "inspector.pem").unlink()
    assert store.of_host() == (INSPECTOR.certificate,)
    assert INSPECTOR.certificate not in store.anchors
