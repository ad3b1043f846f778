"""The catalogue of causes: what each code means, what it rests on, what to do and who usually does it."""

import difflib
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from pydantic import TypeAdapter

from readycheck.diagnose.finding import Owner
from readycheck.errors import UsageError

_WIDTH = 88


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause code. `note_only`: a note, unless a requirement of the profile is affected."""

    code: str
    title: str
    meaning: str
    evidence: str
    remedy: str
    owner: Owner
    note_only: bool = False
    see: tuple[str, ...] = ()


def _read() -> Mapping[str, Cause]:
    tables = tomllib.loads(files("readycheck.diagnose").joinpath("causes.toml").read_text("utf-8"))
    rows = {code: {"code": code, **table} for code, table in tables.items()}
    return MappingProxyType(TypeAdapter(dict[str, Cause]).validate_python(rows))


CAUSES: Mapping[str, Cause] = _read()


def explain(code: str, width: int = _WIDTH) -> str:
    """A cause in plain text, for a terminal of this width. Raises `UsageError` for a code that does not exist."""
    if code not in CAUSES:
        near = difflib.get_close_matches(code.lower(), CAUSES, n=3)
        raise UsageError(f"cause '{code}' is not known" + (f" (near: {', '.join(near)})" if near else ""))
    cause = CAUSES[code]
    return "\n\n".join([f"{cause.code}: {cause.title}", *_paragraphs(cause, width)]) + "\n"


def _paragraphs(cause: Cause, width: int) -> Iterator[str]:
    for label, text in _parts(cause):
        yield f"{label}\n{textwrap.fill(text, width, initial_indent='  ', subsequent_indent='  ')}"


def _parts(cause: Cause) -> Iterator[tuple[str, str]]:
    yield "What it means", cause.meaning
    yield "What it rests on", cause.evidence
    yield "What to do", cause.remedy
    rarely = "; a note, unless a requirement of the profile is affected" if cause.note_only else ""
    yield "Who owns it, usually", cause.owner.value + rarely
    if cause.see:
        yield "See", "; ".join(cause.see)


def document() -> str:
    """The catalogue as Markdown."""
    head = (
        "# Causes\n\n"
        "A finding names one of these causes. This page is made from `src/readycheck/diagnose/causes.toml` by\n"
        "`python -m readycheck.diagnose.causes > docs/causes.md`; `readycheck explain CAUSE` prints one of them.\n"
        "Causes marked ° are notes, unless a requirement of the profile is affected.\n\n"
    )
    index = "".join(
        f"| [`{c.code}`](#{c.code}){_mark(c)} | {c.title} | {c.owner} |\n" for c in CAUSES.values()
    )
    table = f"| cause | in short | owner |\n| --- | --- | --- |\n{index}"
    return head + table + "".join(_section(cause) for cause in CAUSES.values())


def _mark(cause: Cause) -> str:
    return "°" if cause.note_only else ""


def _section(cause: Cause) -> str:
    parts = "".join(f"\n**{label}.** {text}\n" for label, text in _parts(cause))
    return f"\n## {cause.code}\n\n{cause.title}.\n{parts}"


if __name__ == "__main__":
    sys.stdout.write(document())
