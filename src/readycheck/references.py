"""What a profile says of itself holds together: names that it uses are defined, and ids are its own. Pure.

It looks at the tables as they are written, so that it finds its part in a profile that is wrong elsewhere, too.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

Loc = tuple[int | str, ...]
Problem = tuple[Loc, str]

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST = 80


def placeholders(host: str) -> list[str]:
    """The names in braces."""
    return PLACEHOLDER.findall(host)


def broken(profile: Mapping[str, Any]) -> Iterator[Problem]:
    """Every id that is there twice, and every name that leads nowhere, with its place."""
    yield from _duplicates(profile, "requirements", "id")
    yield from _duplicates(profile, "roles", "name")
    yield from _dangling(profile)
    if "documents" in profile:  # else nothing is defined, which is one mistake and not one for each citation
        documents = _table(profile["documents"])
        for place, source in _sources(profile):
            yield from _undefined((*place, "source"), [("document", source.get("document"))], documents)


def _duplicates(profile: Mapping[str, Any], kind: str, key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, row in rows(profile.get(kind)):
        name = row.get(key)
        if isinstance(name, str):
            if name in seen:
                yield (kind, number, key), f"duplicate id '{_short(name)}'"
            seen.add(name)


def _dangling(profile: Mapping[str, Any]) -> Iterator[Problem]:
    roles = {row["name"] for _, row in rows(profile.get("roles")) if isinstance(row.get("name"), str)}
    networks, names = _table(profile.get("networks")), _table(profile.get("names"))
    values = _table(profile.get("placeholders"))
    measured = [
        str(row.get("id")) for _, row in rows(profile.get("requirements")) if not row.get("measured_with")
    ]
    for number, row in rows(profile.get("proxies")) if "roles" in profile else ():
        yield from _undefined(("proxies", number, "roles"), _numbered(row.get("roles")), roles)
    for number, row in rows(profile.get("requirements")):
        targets = _table(row.get("targets"))
        place: Loc = ("requirements", number, "targets")
        if "roles" in profile:
            yield from _undefined(("requirements", number, "roles"), _numbered(row.get("roles")), roles)
        if base := row.get("measured_with"):
            yield from _undefined(("requirements", number), [("measured_with", base)], measured)
        yield from _undefined((*place, "networks"), _numbered(targets.get("networks")), networks)
        yield from _undefined((*place, "names"), _numbered(targets.get("names")), names)
        for at, host in _numbered(targets.get("hosts")):
            if isinstance(host, str) and "{" in host:
                wanted = [(at, name) for name in placeholders(host)]
                yield from _undefined((*place, "hosts"), wanted, values)


def _undefined(
    place: Loc, wanted: Iterable[tuple[int | str, Any]], known: Container[str]
) -> Iterator[Problem]:
    for key, name in wanted:
        if isinstance(name, str) and name not in known:
            yield (*place, key), f"'{_short(name)}' is not defined"


def _sources(profile: Mapping[str, Any]) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
    """Every citation of a row, and of the statements of one, with the place of what has it."""
    for kind, value in profile.items():
        entries = value.items() if isinstance(value, dict) else rows(value)
        for key, row in entries:
            if isinstance(row, dict):
                if isinstance(source := row.get("source"), dict):
                    yield (kind, key), source
                for number, statement in rows(row.get("statements")):
                    if isinstance(source := statement.get("source"), dict):
                        yield (kind, key, "statements", number), source


def rows(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The tables of an array, with their numbers."""
    if isinstance(value, list | tuple):
        yield from ((number, row) for number, row in enumerate(value) if isinstance(row, dict))


def _numbered(value: Any) -> Iterable[tuple[int, Any]]:
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
