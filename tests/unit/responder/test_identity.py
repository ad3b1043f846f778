"""The certificate of the responder: a file of its owner's, or one that is made."""

from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.responder.identity import make_identity, read_identity
from readycheck.twin.blueprint import Chain
from readycheck.twin.certificates import KEY_FILE, utc_now, write_certificates


def test_each_throw_away_one_has_a_key_of_its_own() -> None:
    assert make_identity().pin != make_identity().pin


def test_a_chain_and_its_key_are_read_from_one_file(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["far.example"], [], utc_now())
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / f"{Chain.GOOD}.pem").read_bytes() + (tmp_path / KEY_FILE).read_bytes())
    assert len(read_identity(both).pin) == 44


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAA\n"])
def test_what_is_none_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"^--certificate .*bad\.pem: no certificate"):
        read_identity(path)


def test_a_chain_without_its_key_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["far.example"], [], utc_now())
    with pytest.raises(UsageError, match="with its key"):
        read_identity(tmp_path / f"{Chain.GOOD}.pem")
    with pytest.raises(UsageError, match="No such file"):
        read_identity(tmp_path / "nowhere.pem")
