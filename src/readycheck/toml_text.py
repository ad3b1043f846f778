"""TOML text from anybody: read within bounds, whatever it holds."""

import codecs
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tomli

from readycheck.errors import ProfileError

MAX_BYTES = 16_000_000
_MOST = {"\n[": 50_000, "=": 500_000, ",": 500_000, ".": 1_000_000, "\\": 1_000_000}
_WHAT = {"\n[": "tables", "=": "keys", ",": "values", ".": "dots", "\\": "escapes"}
_PART = r"(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+"
_DEEP_KEY = re.compile(rf"[\n,{{][ \t\[]*+(?:{_PART}\.[ \t]*+){{100}}")


def read(text: bytes, origin: str) -> dict[str, Any]:
    """The tables of a file; `origin` is its name in errors. Raises `ProfileError` with one line."""
    if len(text) > MAX_BYTES:
        raise ProfileError(f"{origin}: larger than {MAX_BYTES} bytes")
    if text.startswith(codecs.BOM_UTF8):
        raise ProfileError(f"{origin}: begins with a byte order mark: save it as UTF-8 without one")
    try:
        decoded = text.decode("utf-8")
        _refuse_endless(decoded, origin)
        data = tomli.loads(decoded)
    except UnicodeDecodeError as error:
        raise ProfileError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except tomli.TOMLDecodeError as error:
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    except RecursionError:
        raise ProfileError(f"{origin}: not TOML: nested too deeply") from None
    except ValueError as error:  # such as an integer of thousands of digits
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    if not data:
        raise ProfileError(f"{origin}: empty")
    return data


def _refuse_endless(text: str, origin: str) -> None:
    """What a parser's time grows with, and the square of a key's parts: ten times what the largest product has."""
    for mark, most in _MOST.items():
        if text.count(mark) > most:
            raise ProfileError(f"{origin}: more than {most} {_WHAT[mark]}")
    if _DEEP_KEY.search(f"\n{text}"):
        raise ProfileError(f"{origin}: not TOML: a key nested too deeply")


@contextmanager
def uncollected() -> Iterator[None]:
    """A large profile is a million objects and none of them garbage: looking for some takes half of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
