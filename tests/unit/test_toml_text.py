"""TOML text: whatever it holds, tables or one line that says why not, in a time that is bounded."""

import time

import pytest
import rtoml

from readycheck.errors import ProfileError
from readycheck.toml_text import MAX_BYTES, read, uncollected


def complaint(text: str | bytes) -> str:
    with pytest.raises(ProfileError) as refused:
        read(text if isinstance(text, bytes) else text.encode(), "p.toml")
    return str(refused.value)


def test_tables_are_read() -> None:
    assert read(b"a = 1\n[b]\nc = 'x'\n", "p.toml") == {"a": 1, "b": {"c": "x"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "empty"),
        ("\ufeffa = 1", "begins with a byte order mark"),
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
        (b"a = \0", "not TOML"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = " + "[" * 100_000, "not TOML"),
        ("a = " + "{b=" * 5000, "not TOML"),
        ("a" + ".a" * 200 + " = 1", "not TOML: nested too deeply"),
        ("[a" + ".'a'" * 200 + "]", "not TOML: nested too deeply"),
        ('x = { y = 1, "a"' + ' . "a"' * 200 + " = 1 }", "not TOML: nested too deeply"),
        ("[[a]]\n" * 50_002, "more than 50000 tables"),
        ("a = [" + "1," * 500_001 + "]", "more than 500000 values"),
        ("a=1\n" * 500_001, "more than 500000 keys"),
        ("#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_refused(text: str | bytes, message: str) -> None:
    began = time.process_time()
    assert complaint(text).startswith(f"p.toml: {message}")
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "text", ["x" * MAX_BYTES, '"x' * (MAX_BYTES // 2), " " * MAX_BYTES, ",x" * 400_000, "'" * MAX_BYTES]
)
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    began = time.process_time()
    complaint(text)
    assert time.process_time() - began < 5.0


def test_what_looks_like_a_deep_key_inside_of_a_string_is_text() -> None:
    name = ".".join("0123456789abcdef" * 2) + ".ip6.arpa"
    assert read(f"a = '{name}'".encode(), "p.toml") == {"a": name}


def test_garbage_is_collected_afterwards_as_it_was_before() -> None:
    import gc

    with pytest.raises(rtoml.TomlParsingError), uncollected():
        assert not gc.isenabled()
        rtoml.loads("=")
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
