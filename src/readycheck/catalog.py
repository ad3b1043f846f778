"""Where profiles are found: packages of the entry-point group `readycheck.profiles`, or a path."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from readycheck.errors import ProfileError, UsageError
from readycheck.profile import Profile
from readycheck.profile_file import parse
from readycheck.toml_text import MAX_BYTES

GROUP = "readycheck.profiles"


def read(name_or_path: str) -> Profile:
    """A name, or a path if it contains `/` or ends in `.toml`.

    Raises `UsageError` for an unknown name, `ProfileError` for a file that cannot be used.
    """
    if "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml"):
        return _read_file(Path(name_or_path))
    found = dict(available())
    if name_or_path not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(f"profile '{name_or_path}' is not known (known: {known})")
    return parse(found[name_or_path].read_bytes(), f"{name_or_path}.toml")


def available() -> Iterator[tuple[str, Traversable]]:
    """Names and files of the installed profiles; the first one of a name wins."""
    seen: set[str] = set()
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name)):
        for entry in _folder(point):
            name = entry.name.removesuffix(".toml")
            if entry.name.endswith(".toml") and name not in seen:
                seen.add(name)
                yield name, entry


def _folder(point: EntryPoint) -> list[Traversable]:
    """A package of profiles that cannot be imported breaks only itself."""
    try:
        return sorted(files(point.value).iterdir(), key=lambda entry: entry.name)
    except (ImportError, OSError, TypeError):
        return []


def _read_file(path: Path) -> Profile:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}") from None
    return parse(text, str(path))
