"""The lines of a TOML text: every place that the parser sees has one, and it is the right one."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import rtoml
from hypothesis import given
from hypothesis import strategies as st

from readycheck.toml_lines import Loc, line_of, lines

TEXT = '''# a comment with [a.table] and key = "value"
title = "x"

[documents."port reference"] # quoted
title = """
[[not.a.table]]
key = 1 \\
  """
'it is' = 1
'''


def indexed(text: str) -> dict[Loc, int]:
    rtoml.loads(text)
    return dict(lines(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = 2", {("a",): 1, ("b",): 2}),
        ("a.b.c = 1\na.b.d = 2", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 2}),
        ("[a]\n\n[a.b]\nc = 1", {("a",): 1, ("a", "b"): 3, ("a", "b", "c"): 4}),
        (
            "[[r]]\nx = 1\n[[r]]\n[r.t]\ny = 2\n[[r.s]]\n[[r.s]]\nz = 3",
            {
                ("r",): 1,
                ("r", 0): 1,
                ("r", 0, "x"): 2,
                ("r", 1): 3,
                ("r", 1, "t"): 4,
                ("r", 1, "t", "y"): 5,
                ("r", 1, "s"): 6,
                ("r", 1, "s", 0): 6,
                ("r", 1, "s", 1): 7,
                ("r", 1, "s", 1, "z"): 8,
            },
        ),
        (
            "a = [ # one\n  1,\n\n  { b = [2,\n 3] }, # two\n]",
            {
                ("a",): 1,
                ("a", 0): 2,
                ("a", 1): 4,
                ("a", 1, "b"): 4,
                ("a", 1, "b", 0): 4,
                ("a", 1, "b", 1): 5,
            },
        ),
        ('a = """\n\n[x]\n"""\nb = 1', {("a",): 1, ("b",): 5}),
        ("a = '''\n'' ' [x]\n'''''\nb = 1", {("a",): 1, ("b",): 4}),
        ('a = """\n\\""" "" \n"""""\nb = 1', {("a",): 1, ("b",): 4}),
        ("a = ''\nb = \"\"\nc = '\"'\nd = '#'", {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4}),
        (r'"a \" . [" = 1' + "\n'b . c'.d = 2", {('a " . [',): 1, ("b . c",): 2, ("b . c", "d"): 2}),
        ('[ a . "b c" ]\nd = 1979-05-27 07:32:00 # when', {("a",): 1, ("a", "b c"): 1, ("a", "b c", "d"): 2}),
        ("a = 1\r\n\r\nb = 2\r\n", {("a",): 1, ("b",): 3}),
        (
            "a = {}\nb = []\nc = [[], [1]]",
            {("a",): 1, ("b",): 2, ("c",): 3, ("c", 0): 3, ("c", 1): 3, ("c", 1, 0): 3},
        ),
        ("", {}),
    ],
)
def test_every_place_has_its_line(text: str, expected: dict[Loc, int]) -> None:
    assert indexed(text) == expected


def places(data: Any, at: Loc = ()) -> Iterator[Loc]:
    if at:
        yield at
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*at, key))


PROFILES = [entry for entry in files("readycheck_profiles").iterdir() if entry.name.endswith(".toml")]


@pytest.mark.parametrize("entry", PROFILES, ids=lambda entry: entry.name)
def test_nothing_of_a_profile_is_missed_and_every_key_stands_on_its_line(entry: Any) -> None:
    text = entry.read_text("utf-8")
    index = indexed(text)
    assert set(places(rtoml.loads(text))) == set(index)
    rows = text.splitlines()
    for loc, line in index.items():
        if isinstance(loc[-1], str):
            assert loc[-1] in rows[line - 1]


KEYS = st.text(alphabet="ab.\"'\\ \n#[]{}=,é", max_size=6)
VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(alphabet="ab.\"'\\ \n#[]{}=,é", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


def written(value: Any) -> str:
    """As TOML on one line, but for arrays."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[ # ]\n" + ",\n".join(map(written, value)) + "\n]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + "}"
    return str(value)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_written_is_followed(data: dict[str, Any]) -> None:
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in data.items())
    assert rtoml.loads(text) == data
    index = lines(text)
    assert set(index) == set(places(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in index.values())


@given(st.text(max_size=60))
def test_what_is_no_toml_ends_the_index_and_nothing_else(text: str) -> None:
    assert all(line >= 1 for line in lines(text).values())


def test_a_place_that_is_not_there_has_the_line_of_what_is_around_it() -> None:
    index = indexed(TEXT + "\n[[r]]\nid = 1\n[[r]]\n")
    assert line_of(("documents", "port reference", "revision"), index) == 4
    assert line_of(("r", 1, "id", 0), index) == 13
    assert line_of(("nothing",), index) == 1
    assert line_of((), index) == 1


def test_a_deep_nest_costs_only_its_lines() -> None:
    text = "a = 1\nb = " + "[" * 5000 + "]" * 5000
    assert line_of(("a",), lines(text)) == 1
