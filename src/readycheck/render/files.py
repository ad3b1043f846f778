"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from readycheck.errors import UsageError


def write_beside(path: str | Path, text: str, *, option: str = "--output") -> None:
    """Write beside and rename. A device or a pipe is written straight: a rename would replace it."""
    with _named(option, path):
        target = Path(os.path.realpath(path))
        if _is_special(target):
            target.write_bytes(text.encode("utf-8", "replace"))
            return
        beside = _beside(target)
        try:
            beside.write_bytes(text.encode("utf-8", "replace"))
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def write_lasting(path: Path, content: bytes) -> None:
    """Write beside and rename; it is on the disk, and found there after a loss of power, before the old one is gone.

    Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = _beside(path)
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is lost with the power until its folder is written; Windows opens none, and sees to it itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # of file systems that cannot: the file is there all the same
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(descriptor: int) -> bool:
    """Whether it is ours now; it goes with the file, however the process ends. Raises `OSError`."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    return True


def refuse_unwritable(path: str | Path, *, option: str = "--output") -> None:
    """Find out before the run what would go wrong after it; leaves nothing behind."""
    with _named(option, path):
        target = Path(os.path.realpath(path))
        if _is_special(target):
            return
        beside = _beside(target)
        try:
            beside.touch(exist_ok=False)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(option: str, path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{option} {path}: {reason}") from None


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:40]}.{uuid.uuid4().hex[:8]}.part")


def _is_special(target: Path) -> bool:
    """A device, pipe or socket. A directory is refused here, before anything is written."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    return not stat.S_ISREG(mode)
