"""Where profiles are found: folders of the user, packages of the entry-point group `readycheck.profiles`, or a path."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from readycheck.errors import ProfileError, UsageError
from readycheck.installation import entry_points
from readycheck.profile import Profile
from readycheck.profile_file import Draft, Layer, layer, stack
from readycheck.toml_text import MAX_BYTES

GROUP = "readycheck.profiles"
BUILT_IN = "built in"
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A file that a profile is in; `origin` is its name in errors, `source` who brought it."""

    name: str
    file: Traversable
    origin: str
    source: str


def read(name_or_path: str, folders: Sequence[Path] = ()) -> Profile:
    """A name, `NAME@REVISION`, or a path if it contains `/` or ends in `.toml`; `folders` are searched first.

    Raises `UsageError` for an unknown name, `ProfileError` for a file that cannot be used.
    """
    return draft(name_or_path, folders).profile()


def read_at(place: Place, folders: Sequence[Path] = ()) -> Profile:
    """The profile in this file. Raises `ProfileError`."""
    return stack(list(_layers(place, folders))).profile()


def draft(name_or_path: str, folders: Sequence[Path] = ()) -> Draft:
    """The files of a profile, read and not yet checked. Raises as `read` does, for what cannot even be read."""
    path = Path(name_or_path)
    first = _at(path) if is_path(name_or_path) else _called(name_or_path, folders)
    return stack(list(_layers(first, folders)))


def is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(".toml")


def available(folders: Sequence[Path] = ()) -> Iterator[tuple[str, Traversable]]:
    """Names and files of the profiles that go by a name; the first one of a name wins."""
    found: dict[str, Traversable] = {}
    for place in places(folders):
        found.setdefault(place.name, place.file)
    yield from found.items()


def places(folders: Sequence[Path] = ()) -> Iterator[Place]:
    """All that go by a name, those first that win: given folders, the user's own, built-in ones, those of others.

    Raises `UsageError` for a given folder that cannot be read.
    """
    for folder in folders:
        yield from _in_folder(folder, f"--profile-dir {folder}")
    with suppress(UsageError):  # there is none, or a service runs with somebody else's home
        yield from _in_folder(user_folder(), str(user_folder()))
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name)):
        source = BUILT_IN if point.name == "builtin" else point.dist.name if point.dist else point.value
        for file in _in_package(point):
            name = file.name.removesuffix(".toml")
            yield Place(name, file, file.name, source)


def user_folder() -> Path:
    """Where the user's own profiles are."""
    from platformdirs import user_config_path

    return user_config_path("readycheck", appauthor=False) / "profiles"


def _in_folder(folder: Path, source: str) -> Iterator[Place]:
    try:
        entries = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror or error}") from None
    yield from (Place(path.stem, path, str(path), source) for path in entries)


def _in_package(point: EntryPoint) -> list[Traversable]:
    """A package of profiles that cannot be imported breaks only itself."""
    try:
        entries = [entry for entry in files(point.value).iterdir() if entry.name.endswith(".toml")]
    except (ImportError, OSError, TypeError):
        return []
    return sorted(entries, key=lambda entry: entry.name)


def _at(file: Traversable) -> Place:
    return Place(file.name.removesuffix(".toml"), file, str(file), "")


def _called(text: str, folders: Sequence[Path]) -> Place:
    """`NAME`, or `NAME@REVISION`, which may be hidden by another revision."""
    name, at, revision = text.partition("@")
    found = list(places(folders))
    first = _known(name, found)
    if not at:
        return first
    revisions: dict[str, Place] = {}
    for place in (place for place in found if place.name == name):
        revisions.setdefault(read_at(place, folders).revision, place)
    if revision not in revisions:
        raise UsageError(f"profile '{name}' has no revision '{revision}' (known: {', '.join(revisions)})")
    return revisions[revision]


def _known(name: str, found: Sequence[Place]) -> Place:
    for place in found:
        if place.name == name:
            return place
    known = ", ".join(sorted({place.name for place in found})) or "none"
    raise UsageError(f"profile '{name}' is not known (known: {known})")


# --- what extends what --------------------------------------------------------------------------------


def _layers(first: Place, folders: Sequence[Path]) -> Iterator[Layer]:
    """The file, the one that it extends, and so on. Raises `ProfileError` for a chain that does not end."""
    place, chain = first, [first]
    while True:
        found = layer(_text(place), place.origin, shipped=place.source == BUILT_IN)
        yield found
        if found.base is None:
            return
        place = _base(found.base, place, folders)
        chain.append(place)
        names = " -> ".join(one.origin for one in chain)
        if any(_same(place, other) for other in chain[:-1]):
            raise ProfileError(f"{first.origin}: extends: goes round in a circle: {names}")
        if len(chain) > DEEPEST:
            raise ProfileError(f"{first.origin}: extends: more than {DEEPEST} files deep: {names}")


def _base(wanted: str, place: Place, folders: Sequence[Path]) -> Place:
    """A path is meant from the file that has it; a file that extends its own name means the one that it hides."""
    if "\0" in wanted:
        raise ProfileError(f"{place.origin}: extends: a path has no null character")
    if is_path(wanted):
        return _at(_beside(place.file, wanted))
    found = list(places(folders))
    own = [number for number, other in enumerate(found) if wanted == place.name and _same(other, place)]
    try:
        return _known(wanted, found[own[0] + 1 if own else 0 :])
    except UsageError as error:
        raise ProfileError(f"{place.origin}: extends: {error}") from None


def _beside(file: Traversable, wanted: str) -> Traversable:
    if isinstance(file, Path):
        return file.parent / wanted
    parent: Traversable = file.parent  # type: ignore[attr-defined] # of a zip file, whose paths have one
    return parent.joinpath(wanted)


def _same(one: Place, other: Place) -> bool:
    """By whatever links they are reached."""
    return os.path.realpath(str(one.file)) == os.path.realpath(str(other.file))


# --- bytes --------------------------------------------------------------------------------------------


def _text(place: Place) -> bytes:
    """Up to one byte more than a profile may have."""
    try:
        if isinstance(place.file, Path):
            return _bytes(place.file)
        return place.file.read_bytes()
    except OSError as error:
        raise ProfileError(f"{place.origin}: {error.strerror or error}") from None


def _bytes(path: Path) -> bytes:
    with open(path, "rb", opener=_open) as file:
        kind = os.fstat(file.fileno())
        if stat.S_ISFIFO(kind.st_mode) or stat.S_ISSOCK(kind.st_mode):
            raise OSError(None, "a pipe, not a file")
        if file.isatty():
            raise OSError(None, "a terminal, not a file")
        if kind.st_size > MAX_BYTES:
            raise OSError(None, f"larger than {MAX_BYTES} bytes")
        return file.read(MAX_BYTES + 1)


def _open(path: str, flags: int) -> int:
    """Without waiting for somebody who would write to a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
