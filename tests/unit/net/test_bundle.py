"""The public bundle: what cannot be used is told, with its place."""

from pathlib import Path

import certifi
import pytest

from readycheck.errors import ReadycheckError
from readycheck.net.bundle import public_bundle


def test_the_bundle_is_that_of_certifi() -> None:
    assert public_bundle() == Path(certifi.where()).read_bytes()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "holds no certificate"),
        (b"\xff<html>404", "holds no certificate"),
    ],
)
def test_one_that_is_of_no_use_is_named(
    content: bytes | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cacert.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(certifi, "where", lambda: str(path))
    with pytest.raises(ReadycheckError) as caught:
        public_bundle()
    assert str(caught.value) == f"{path}: the public certificate authorities (package certifi): {why}"
