"""Reads a profile from the text of a TOML file."""

import hashlib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from readycheck.errors import ProfileError
from readycheck.profile import Profile
from readycheck.toml_text import read, uncollected


def parse(text: bytes, origin: str) -> Profile:
    """Read a profile; `origin` is the file name that errors mention.

    Raises `ProfileError` with one line that names file, table and key.
    """
    with uncollected():
        data = read(text, origin)
        try:
            profile = Profile.model_validate(data)
        except ValidationError as error:
            raise ProfileError(f"{origin}: {_first_problem(error, data)}") from None
    return profile.model_copy(update={"hash": hashlib.sha256(text).hexdigest()})


def problems(error: ValidationError, data: Any) -> Iterator[str]:
    """All that is wrong, a line each: the table and key as an author writes them, then what is wrong."""
    for item in _found(error):
        yield f"{_place(item['loc'], data)}: {_message(item)}"


def _found(error: ValidationError) -> list[dict[str, Any]]:
    """A misspelt key explains a missing one, and comes first."""
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    found = [item for item in found if item["type"] != "too_short"] or found
    return sorted(found, key=lambda item: item["type"] != "extra_forbidden")


def _first_problem(error: ValidationError, data: Any) -> str:
    more = len(_found(error)) - 1
    return next(problems(error, data)) + (f" (and {more} more)" if more else "")


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown key"
    if item["type"] == "missing":
        return "missing"
    return str(item["msg"]).removeprefix("Value error, ")


def _place(loc: tuple[int | str, ...], data: Any) -> str:
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
