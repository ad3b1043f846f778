"""TOML text from anybody: read within bounds, whatever it holds."""

import codecs
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rtoml

from readycheck.errors import ProfileError

MAX_BYTES = 16_000_000
_MOST = {b"\n[": 50_000, b"=": 500_000, b",": 500_000, b".": 1_000_000, b"\\": 1_000_000}
_WHAT = {b"\n[": "tables", b"=": "keys", b",": "values", b".": "dots", b"\\": "escapes"}
_TOO_DEEP = ("recursion limit", "recursion depth")


def read(text: bytes, origin: str) -> dict[str, Any]:
    """The tables of a file; `origin` is its name in errors. Raises `ProfileError` with one line."""
    if len(text) > MAX_BYTES:
        raise ProfileError(f"{origin}: larger than {MAX_BYTES} bytes")
    if text.startswith(codecs.BOM_UTF8):
        raise ProfileError(f"{origin}: begins with a byte order mark: save it as UTF-8 without one")
    try:
        decoded = text.decode("utf-8")
        _refuse_endless(text, origin)
        data: dict[str, Any] = rtoml.loads(decoded)
    except UnicodeDecodeError as error:
        raise ProfileError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except rtoml.TomlParsingError as error:
        raise ProfileError(f"{origin}: not TOML: {_in_words(str(error))}") from None
    if not data:
        raise ProfileError(f"{origin}: empty")
    return data


def _in_words(message: str) -> str:
    deep = any(words in message for words in _TOO_DEEP)
    return "nested too deeply" if deep else " ".join(message.split())


def _refuse_endless(text: bytes, origin: str) -> None:
    """What a parser's time grows with: ten times what the largest product has."""
    for mark, most in _MOST.items():
        if text.count(mark) > most:
            raise ProfileError(f"{origin}: more than {most} {_WHAT[mark]}")


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
