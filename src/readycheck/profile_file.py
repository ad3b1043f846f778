"""A profile from the text of its files: the one that is asked for, and those that it extends."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from readycheck.errors import ProfileError
from readycheck.inheritance import Index, Loc, lay_over, trace
from readycheck.notation import in_toml
from readycheck.profile import Profile
from readycheck.toml_lines import line_of, lines
from readycheck.toml_text import read, uncollected

EXTENDS = "extends"
MOST_TOLD = 1000


@dataclass(frozen=True)
class Layer:
    """One file; `origin` is its name in errors, and `shipped` that it came with this program."""

    origin: str
    text: bytes
    tables: Mapping[str, Any]
    shipped: bool = False

    @property
    def base(self) -> str | None:
        """The profile that this one extends, as it is written."""
        found = self.tables.get(EXTENDS)
        return found if isinstance(found, str) and found else None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of one of the files."""

    layer: int
    loc: Loc
    text: str


@dataclass(frozen=True)
class Draft:
    """The files of a profile, the uppermost first, and their tables laid over one another."""

    layers: tuple[Layer, ...]
    tables: Mapping[str, Any]
    misplaced: tuple[Problem, ...] = ()
    _index: Index = field(default_factory=dict, compare=False, repr=False)

    @property
    def shipped(self) -> bool:
        """Nobody else had a hand in it."""
        return all(layer.shipped for layer in self.layers)

    def check(self) -> tuple[Profile | None, Sequence[Problem]]:
        """The profile, unless something is wrong."""
        if self.misplaced:
            return None, self.misplaced
        try:
            with uncollected():
                profile = Profile.model_validate(self.tables)
        except ValidationError as error:
            return None, [self.problem(item["loc"], _message(item)) for item in _found(error)]
        return profile.model_copy(update={"hash": _hash(self.layers)}), ()

    def profile(self) -> Profile:
        """Raises `ProfileError`."""
        profile, problems = self.check()
        if profile is None:
            raise self.refusal(problems)
        return profile

    def refusal(self, problems: Sequence[Problem]) -> ProfileError:
        return ProfileError(*map(self.tell, problems[:MOST_TOLD]), total=len(problems))

    def problem(self, loc: Loc, text: str) -> Problem:
        """Something wrong with the whole, at its place in the file that says it."""
        layer, own = trace(loc, self.tables, [layer.tables for layer in self.layers], self._index)
        return Problem(layer, own, text)

    def tell(self, problem: Problem) -> str:
        """One line: the file, the table and key as an author writes them, what is wrong."""
        layer = self.layers[problem.layer]
        return f"{layer.origin}: {_place(problem.loc, layer.tables)}: {problem.text}"

    def listed(self, problems: Sequence[Problem]) -> Iterator[str]:
        """A line for each, with the number of its own line, in the order of the files."""
        told = problems[:MOST_TOLD]
        index = {n: lines(self.layers[n].text.decode()) for n in {problem.layer for problem in told}}
        placed = (
            (n, line_of(loc, index[n]), _place(loc, self.layers[n].tables), text)
            for n, loc, text in ((p.layer, p.loc, p.text) for p in told)
        )
        for number, line, place, text in sorted(placed):
            yield f"{self.layers[number].origin}:{line}: {place}: {text}"
        if len(problems) > len(told):
            yield f"{self.layers[0].origin}: {len(problems) - len(told)} more"


def parse(text: bytes, origin: str) -> Profile:
    """Read a profile that stands by itself; `origin` is the file name that errors mention.

    Raises `ProfileError` with one line that names file, table and key.
    """
    only = layer(text, origin)
    if only.base is not None:
        raise ProfileError(f"{origin}: {EXTENDS}: '{only.base}' cannot be looked for from here")
    return stack([only]).profile()


def layer(text: bytes, origin: str, *, shipped: bool = False) -> Layer:
    """Raises `ProfileError` for what is no TOML."""
    with uncollected():
        return Layer(origin, text, read(text, origin), shipped)


def stack(layers: Sequence[Layer]) -> Draft:
    """The layers as one, the uppermost given first."""
    tables: Mapping[str, Any] = layers[-1].tables
    misplaced: list[Problem] = []
    for number in range(len(layers) - 2, -1, -1):
        try:
            tables, found = lay_over(tables, layers[number].tables)
        except RecursionError:
            raise ProfileError(f"{layers[number].origin}: nested too deeply") from None
        misplaced += [Problem(number, loc, text) for loc, text in found]
    return Draft(tuple(layers), tables, tuple(misplaced))


def _hash(layers: Sequence[Layer]) -> str:
    """Of the text of one file; of several, of their hashes."""
    hashes = [hashlib.sha256(layer.text) for layer in layers]
    if len(hashes) == 1:
        return hashes[0].hexdigest()
    return hashlib.sha256(b"".join(one.digest() for one in hashes)).hexdigest()


def _found(error: ValidationError) -> list[Any]:
    """A misspelt key explains a missing one, and comes first."""
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    found = [item for item in found if item["type"] != "too_short"] or found
    return sorted(found, key=lambda item: item["type"] != "extra_forbidden")


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown key"
    if item["type"] == "missing":
        return "missing"
    return in_toml(item["msg"])


def _place(loc: Loc, data: Any) -> str:
    """Turn a path into words; a row of an array of tables is named by its `id` or `name` where it has one."""
    words: list[str] = []
    for key in loc:
        row = data[key] if _has(data, key) else None
        label = next((row[k] for k in ("id", "name", "pattern") if isinstance(row, dict) and k in row), None)
        if isinstance(key, int):
            words.append(f"[{label if isinstance(label, str) else key}]")
        else:
            words.append(f".{key}" if words else key)
        data = row
    return " ".join("".join(words).split()) or "profile"


def _has(data: Any, key: int | str) -> bool:
    if isinstance(data, dict):
        return key in data
    return isinstance(data, list) and isinstance(key, int) and key < len(data)
