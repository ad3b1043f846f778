"""Files are written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.render.files import refuse_unwritable, write_beside, write_lasting


def test_it_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_beside(tmp_path / "report.txt", "grün\n")
    assert (tmp_path / "report.txt").read_bytes() == "grün\n".encode()
    assert os.listdir(tmp_path) == ["report.txt"]


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old and longer")
    write_beside(str(path), "new")
    assert path.read_text() == "new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_beside(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: write_beside(path, "x"), refuse_unwritable])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is a directory"),
        ("missing/report.txt", "No such file or directory"),
        ("file/report.txt", "Not a directory"),
        ("nul\0.txt", "null"),
    ],
)
def test_what_cannot_be_written_is_named(tmp_path: Path, write: object, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    path = f"{tmp_path}/{name}"
    with pytest.raises(UsageError, match=reason) as raised:
        write(path)  # type: ignore[operator]
    assert str(raised.value).startswith(f"--output {path}: ")
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        write_beside(tmp_path / "report.txt", "x")
    assert os.listdir(tmp_path) == []


def test_refusing_early_leaves_nothing_and_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("kept")
    refuse_unwritable(tmp_path / "report.txt")
    refuse_unwritable(tmp_path / "new.txt")
    assert os.listdir(tmp_path) == ["report.txt"]
    assert (tmp_path / "report.txt").read_text() == "kept"


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices on this platform")
def test_a_device_is_written_straight_and_stays_a_device() -> None:
    write_beside("/dev/null", "x")
    assert Path("/dev/null").is_char_device()


def test_what_has_no_encoding_is_written_all_the_same(tmp_path: Path) -> None:
    write_beside(tmp_path / "report.txt", "a\ud800b")
    assert (tmp_path / "report.txt").read_text() == "a?b"


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folder")
def test_what_is_to_last_is_synced_and_then_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second a loss of power takes the file, whole as it is."""
    synced: list[tuple[str, list[str]]] = []

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, [path.name for path in tmp_path.iterdir() if path.suffix != ".part"]))

    monkeypatch.setattr(os, "fsync", fsync)
    write_lasting(tmp_path / "run", b"whole")
    assert synced == [("file", []), ("folder", ["run"])]
    assert (tmp_path / "run").read_bytes() == b"whole"


def test_what_is_to_last_and_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_lasting(tmp_path / "run", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_lasting(tmp_path / "run", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("run", b"old")]
