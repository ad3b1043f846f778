"""Reads a profile from the text of a TOML file."""

import hashlib
import tomllib
from typing import Any

from pydantic import ValidationError

from readycheck.errors import ProfileError
from readycheck.profile import Profile

MAX_PROFILE_BYTES = 4_000_000


def parse(text: bytes, origin: str) -> Profile:
    """Read a profile; `origin` is the file name that errors mention.

    Raises `ProfileError` with one line that names file, table and key.
    """
    if len(text) > MAX_PROFILE_BYTES:
        raise ProfileError(f"{origin}: larger than {MAX_PROFILE_BYTES} bytes")
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    except RecursionError:
        raise ProfileError(f"{origin}: not TOML: nested too deeply") from None
    except ValueError as error:  # such as an integer of thousands of digits
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    if not data:
        raise ProfileError(f"{origin}: empty")
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        raise ProfileError(f"{origin}: {_first_problem(error, data)}") from None
    return profile.model_copy(update={"hash": hashlib.sha256(text).hexdigest()})


def problems(error: ValidationError, data: Any) -> list[str]:
    """All that is wrong, a line each: the table and key as an author writes them, then what is wrong."""
    found = [item for item in error.errors() if item["type"] != "too_short"] or error.errors()
    ordered = sorted(
        found, key=lambda item: item["type"] != "extra_forbidden"
    )  # a misspelt key explains a missing one
    return [f"{_place(item['loc'], data)}: {_message(dict(item))}" for item in ordered]


def _first_problem(error: ValidationError, data: Any) -> str:
    found = problems(error, data)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return found[0] + more


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
