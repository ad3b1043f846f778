"""The throw-away authorities."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from readycheck.twin.blueprint import Chain
from readycheck.twin.certificates import KEY_FILE, ROOT_FILE, utc_now, write_certificates

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = ["web.vendor.example", "sip.vendor.example"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, NAMES, Chain, NOW)
    return folder


def verify(folder: Path, chain: Chain, name: str = NAMES[0]) -> None:
    roots = Store(x509.load_pem_x509_certificates((folder / ROOT_FILE).read_bytes()))
    leaf, *others = x509.load_pem_x509_certificates((folder / f"{chain}.pem").read_bytes())
    PolicyBuilder().store(roots).time(NOW).build_server_verifier(x509.DNSName(name)).verify(leaf, others)


@pytest.mark.parametrize("name", NAMES)
def test_the_good_chain_is_good_for_every_name(folder: Path, name: str) -> None:
    verify(folder, Chain.GOOD, name)


@pytest.mark.parametrize("chain", [chain for chain in Chain if chain is not Chain.GOOD])
def test_each_other_chain_is_wrong(folder: Path, chain: Chain) -> None:
    with pytest.raises(VerificationError):
        verify(folder, chain)


def test_what_is_wrong_is_one_thing(folder: Path) -> None:
    verify(folder, Chain.MISNAMED, "somebody-else.example")
    leaves = {c: x509.load_pem_x509_certificates((folder / f"{c}.pem").read_bytes())[0] for c in Chain}
    good = leaves[Chain.GOOD]
    assert leaves[Chain.INCOMPLETE].issuer == leaves[Chain.EXPIRED].issuer == good.issuer
    assert leaves[Chain.EXPIRED].not_valid_after_utc < NOW < good.not_valid_after_utc
    assert "Inspection" in leaves[Chain.INSPECTED].issuer.rfc4514_string()


def test_only_what_is_wanted_is_written(tmp_path: Path) -> None:
    write_certificates(tmp_path, [], [], NOW)
    assert {path.name for path in tmp_path.iterdir()} == {ROOT_FILE, KEY_FILE, "good.pem"}


def test_the_clock_is_utc() -> None:
    assert utc_now().tzinfo is UTC
