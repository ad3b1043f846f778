"""Strings that a server may have chosen, made fit for where they go: a terminal, Markdown, XML, a spreadsheet."""

import re
import unicodedata

LONGEST = 400
_STRANGE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(r"[\\`*_\[\]#|~<>&@$]|^[-+=]|(?<=^\d)[.)]|(?<=:)//|(?<=www)\.", re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def clean(text: object, limit: int = LONGEST) -> str:
    """One line without control characters, bidi overrides or invisible ones, of at most `limit` characters."""
    raw = _SPACES.sub(" ", str(text)[: limit * 4])
    harmless = raw.isascii() and raw.isprintable()
    visible = (raw if harmless else "".join(map(_visible, raw))).strip()
    return visible if len(visible) <= limit else visible[: max(0, limit - 3)].rstrip() + "..."


def _visible(character: str) -> str:
    """What is left out would move the cursor, reverse the reading order, or hide."""
    if character.isascii():
        return character if character.isprintable() else "?"
    return "?" if unicodedata.category(character) in _STRANGE else character


def markdown(text: object, limit: int = LONGEST) -> str:
    """Cleaned, with everything escaped that Markdown would read as markup, a link or a mention."""
    return _MARKS.sub(_escaped, clean(text, limit))


def _escaped(found: re.Match[str]) -> str:
    mark = found.group(0)
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;", "//": r"\//"}.get(mark, "\\" + mark)


def code(text: object, limit: int = LONGEST) -> str:
    """Cleaned, as a Markdown code span that its own backticks and pipes cannot leave."""
    return "`" + clean(text, limit).replace("`", "'").replace("|", "/") + "`"


def cell(text: object, limit: int = 1000) -> str:
    """Cleaned, for a spreadsheet: text that would start a formula is marked as text."""
    value = clean(text, limit)
    return "'" + value if value.startswith(_FORMULA) else value
