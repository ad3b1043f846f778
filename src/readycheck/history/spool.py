"""Runs that could not be stored wait here, and are delivered in the order in which they were made, once."""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from readycheck.errors import ReadycheckError
from readycheck.history.place import Place
from readycheck.render.files import take_lock, write_lasting
from readycheck.report import Report, compact, load

MOST = 10_000
"""Files in a spool, and as many set aside; a hundred days of a run every fifteen minutes."""
DAMAGED, REFUSED = ASIDE = ("damaged", "refused")
_LARGEST = 256 * 1024 * 1024
_ENDING = ".run"
_NAME = re.compile(rf"[0-9]{{12,}}-.*{re.escape(_ENDING)}")


@dataclass(frozen=True, slots=True)
class Waiting:
    report: Report
    site: str | None


class Spool:
    """One folder for each database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def waiting(self) -> list[Path]:
        """Oldest first: their numbers grow, whatever the clock does."""
        try:
            return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def told(self) -> str:
        number = len(self.waiting())
        return f"1 run waits in {self.folder}" if number == 1 else f"{number} runs wait in {self.folder}"

    def aside(self) -> list[Path]:
        """What waits no more and was not delivered, oldest first: their numbers begin anew with an empty spool."""
        found = (path for kind in ASIDE for path in self.folder.glob(f"*.{kind}"))
        return sorted(found, key=lambda path: (_written_ns(path), path.name))

    def put(self, report: Report, site: str | None) -> Path:
        """Whole or not at all, and on the disk when it returns. Raises `OSError` or `ReadycheckError`."""
        before = self.waiting()
        if len(before) >= MOST:
            raise ReadycheckError(f"{self.folder}: {MOST} runs wait there already")
        number = int(before[-1].name.partition("-")[0]) + 1 if before else 1
        path = self.folder / f"{number:012}-{report.run.id[:64]}{_ENDING}"
        head = json.dumps({"site": site}).encode() + b"\n"
        write_lasting(path, zlib.compress(head + compact(report), 6))
        return path

    @contextmanager
    def delivering(self) -> Iterator[bool]:
        """Whether this process is the one that delivers: another that is at it already keeps the order."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("ab") as file:
            yield take_lock(file.fileno())


def set_aside(path: Path, what: str, why: str) -> Path:
    """It waits no more, and holds up none behind it; the reason is beside it. Raises `OSError`.

    Of too many the oldest go: a database may refuse every run for years.
    """
    place = path.with_suffix(f".{what}")
    write_lasting(_reason_of(place), f"{why}\n".encode("utf-8", "replace"))
    path.replace(place)
    for old in Spool(path.parent).aside()[:-MOST]:
        _reason_of(old).unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return place


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # another program has taken it
        return 0


def _reason_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.txt")


def read(path: Path) -> Waiting:
    """Raises `ReadycheckError` when it is damaged, and `OSError`."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(path.read_bytes(), _LARGEST)
        if not unpacker.eof:
            raise ValueError("its end is missing")
        head, _, document = text.partition(b"\n")
        site = json.loads(head)["site"]
    except (zlib.error, ValueError, TypeError, KeyError) as error:
        raise ReadycheckError(f"{path}: damaged ({error})") from None
    return Waiting(load(document, str(path)), site if isinstance(site, str) else None)


def of(place: Place, base: Path | None = None) -> Spool:
    from platformdirs import user_state_path

    return Spool((base or user_state_path("readycheck", appauthor=False)) / "spool" / place.digest)
