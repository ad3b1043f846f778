"""On which line of a TOML text each key and each row stands; the parser does not tell. Pure.

The text has been parsed before, so that nothing here needs to refuse anything: what cannot be followed ends the
index, and a place that is not in it has the line of what is around it.
"""

import re
from collections.abc import Mapping

import rtoml

Loc = tuple[int | str, ...]

# Written without possessive parts, which Python 3.11.2 of Debian 12 gets wrong, and so that nothing is tried twice.
_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_TEXT = (
    r'"""[^"\\]*(?:(?:\\[\s\S]|"{1,2}(?!"))[^"\\]*)*"{3,5}',
    r"'''[^']*(?:'{1,2}(?!')[^']*)*'{3,5}",
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"',
    r"'[^'\n]*'",
)
_PLAIN = re.compile("|".join((*_TEXT, r"[^,\]}\n#]+")))
_PART = re.compile("|".join((*_TEXT[2:], r"[A-Za-z0-9_-]+")))


class _Lost(Exception):
    """The text is not what was expected."""


def lines(text: str) -> Mapping[Loc, int]:
    """Line numbers from 1, by the path of keys and row numbers that leads to a place."""
    index = _Index(text)
    try:
        index.read()
    except (_Lost, RecursionError):
        pass
    return index.found


def line_of(loc: Loc, index: Mapping[Loc, int]) -> int:
    """Of the place, or of the innermost table around it that is known."""
    return next((index[loc[:depth]] for depth in range(len(loc), 0, -1) if loc[:depth] in index), 1)


class _Index:
    """Walks over the text once; `rows` counts the tables of each array of tables."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.line, self.counted = 1, 0
        self.found: dict[Loc, int] = {}
        self.rows: dict[Loc, int] = {}

    def read(self) -> None:
        table: Loc = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Loc:
        """Of a table, or of the next table of an array, which is then meant by those that follow."""
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        line = self._line()
        self.at += brackets
        *outer, last = self._key()
        self.at += brackets
        table: Loc = ()
        for part in outer:
            self.found.setdefault((*table, part), line)
            table = self._innermost((*table, part))
        table = (*table, last)
        self.found.setdefault(table, line)
        if brackets == 2:
            self.rows[table] = self.rows.get(table, 0) + 1
        table = self._innermost(table)
        self.found.setdefault(table, line)
        return table

    def _innermost(self, table: Loc) -> Loc:
        return (*table, self.rows[table] - 1) if table in self.rows else table

    def _pair(self, table: Loc) -> None:
        line = self._line()
        for part in self._key():
            table = (*table, part)
            self.found.setdefault(table, line)
        self._expect("=")
        self._value(table)

    def _key(self) -> list[str]:
        parts = [self._part()]
        while self.text.startswith(".", self.at):
            self.at += 1
            parts.append(self._part())
        return parts

    def _part(self) -> str:
        self._skip(_SPACE)
        written = self._take(_PART)
        self._skip(_SPACE)
        return _unquoted(written)

    def _value(self, place: Loc) -> None:
        self._skip(_SPACE)
        if self.text.startswith("[", self.at):
            self._array(place)
        elif self.text.startswith("{", self.at):
            self._inline(place)
        else:
            self._take(_PLAIN)

    def _array(self, place: Loc) -> None:
        number = 0
        self._open()
        while not self.text.startswith("]", self.at):
            self.found[(*place, number)] = self._line()
            self._value((*place, number))
            self._next("]")
            number += 1
        self.at += 1

    def _inline(self, place: Loc) -> None:
        self._open()
        while not self.text.startswith("}", self.at):
            self._pair(place)
            self._next("}")
        self.at += 1

    def _open(self) -> None:
        self.at += 1
        self._skip(_BLANK)

    def _next(self, end: str) -> None:
        self._skip(_BLANK)
        if self.text.startswith(",", self.at):
            self._open()
        elif not self.text.startswith(end, self.at):
            raise _Lost

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(mark, self.at):
            raise _Lost
        self.at += len(mark)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        return found.group()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line


def _unquoted(part: str) -> str:
    if part.startswith('"') and "\\" in part:
        return str(rtoml.loads(f"part = {part}")["part"])
    return part[1:-1] if part[0] in "\"'" else part
