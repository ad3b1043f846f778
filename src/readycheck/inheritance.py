"""A profile that extends another: its tables laid over those of its base. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

Tables = Mapping[str, Any]
Loc = tuple[int | str, ...]
Problem = tuple[Loc, str]

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "requirements": ("id",),
    "roles": ("name",),
    "pins": ("name",),
    "controls": ("host", "port", "transport"),
    "domains": ("pattern",),
    "proxies": ("product",),
    "inspection": ("product",),
    "exemptions": ("names",),
    "network_access": ("product",),
    "cryptography": ("purpose",),
    "reserved": ("transport", "ports"),
    "qos": ("source_role", "traffic"),
    "normalisations": ("printed",),
    "contradictions": ("about",),
    "withdrawn": ("what",),
}
"""By what a row of each array of tables is known; rows of other arrays are replaced with their array."""
REMOVE = "remove"


def lay_over(base: Tables, changes: Tables) -> tuple[dict[str, Any], list[Problem]]:
    """The base with the changes made: tables merge by key, known rows by what they are known by, the rest replaces.

    What has `remove = true` goes. With it, what could not be done, at its place in the changes.
    """
    problems: list[Problem] = []
    return _tables(base, changes, (), problems.append), problems


def _tables(base: Tables, changes: Tables, at: Loc, report: Callable[[Problem], None]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        place = (*at, key)
        if _removes(value):
            if merged.pop(key, None) is None:
                report((place, "nothing to remove: the base has none"))
            elif len(value) > 1:
                report((place, "is removed: nothing else can be said of it"))
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = _tables(below if isinstance(below, dict) else {}, value, place, report)
        elif value and known_by(place) and _are_rows(value):
            below = merged.get(key)
            merged[key] = _rows(below if _are_rows(below) else [], value, place, report)
        else:
            merged[key] = value
    return merged


def _rows(base: list[Any], changes: list[Any], at: Loc, report: Callable[[Problem], None]) -> list[Any]:
    """Changed rows keep their places, new ones come last."""
    merged: list[Any] = list(base)
    index: dict[Any, list[int]] = {}
    for number, row in enumerate(base):
        index.setdefault(identity(row, at), []).append(number)
    changed: set[int] = set()
    for number, row in enumerate(changes):
        name = identity(row, at)
        found = index.get(name, []) if name else []
        place = (*at, number)
        if len(found) > 1:
            report((place, f"the base has {len(found)} of it: which one is meant cannot be told"))
        elif found and found[0] in changed:
            report((place, "is changed twice"))
        elif found:
            changed.add(found[0])
            merged[found[0]] = _row(base[found[0]], row, place, report)
        elif _removes(row):
            report((place, "nothing to remove: the base has none"))
        else:
            merged.append(row)
    return [row for row in merged if row is not None]


def _row(base: Tables, row: Tables, at: Loc, report: Callable[[Problem], None]) -> dict[str, Any] | None:
    if not _removes(row):
        return _tables(base, row, at, report)
    if set(row) - {REMOVE, *(known_by(at[:-1]) or ())}:
        report((at, "is removed: nothing else can be said of it"))
    return None


def known_by(at: Loc) -> tuple[str, ...] | None:
    """The keys that tell the rows of this array apart; None for an array whose rows are not known one by one."""
    top = len(at) == 1 and at[0] != "domains"
    inside = len(at) == 3 and at[0] == "names" and at[2] == "domains"
    return IDENTITY.get(str(at[-1])) if top or inside else None


def identity(row: Any, at: Loc) -> Any:
    """What a row of the array is known by; None when it does not say."""
    keys = known_by(at)
    if not keys or not isinstance(row, dict) or not any(key in row for key in keys):
        return None
    return tuple(_plain(row.get(key, _USUAL.get(key))) for key in keys)


_USUAL = {"transport": "tcp"}  # of a control; the others always say it


def _plain(value: Any) -> Any:
    """Ports are the same as numbers and as text."""
    return tuple(map(str, value)) if isinstance(value, list) else str(value)


def _removes(value: Any) -> bool:
    return isinstance(value, dict) and value.get(REMOVE) is True


def _are_rows(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


Index = dict[int, Mapping[Any, int]]
"""The numbers of rows by what they are known by, for each array that was looked through, by its `id`."""


def trace(loc: Loc, data: Any, layers: Sequence[Tables], index: Index | None = None) -> tuple[int, Loc]:
    """Which layer, the uppermost being the first, says what stands at `loc` of the whole, and where in it.

    What stands nowhere, as a key that is missing, belongs to the layer that has most of the way to it. Who asks
    again gives the same `index`: thousands of places do not each search thousands of rows.
    """
    seen = {} if index is None else index
    ways = [tuple(_way(loc, data, layer, seen)) for layer in layers]
    best = max(range(len(layers)), key=lambda number: (len(ways[number]), -number))
    return best, (*ways[best], *loc[len(ways[best]) :])


def _way(loc: Loc, whole: Any, layer: Any, index: Index) -> Iterator[int | str]:
    """The part of `loc` that the layer has, with its own numbers for the rows."""
    for depth, key in enumerate(loc):
        row = _at(whole, key)
        own: int | str = key
        if isinstance(key, int) and isinstance(layer, list) and known_by(loc[:depth]):
            own = _own_number(row, key, layer, loc[:depth], index)
        if _at(layer, own) is None:
            return
        yield own
        whole, layer = row, _at(layer, own)


def _own_number(row: Any, number: int, rows: list[Any], at: Loc, index: Index) -> int:
    """The row's number in these rows; -1 when it is not among them. Of several, the one at the same place."""
    name = identity(row, at)
    if number < len(rows) and identity(rows[number], at) == name:
        return number
    if id(rows) not in index:
        # Backwards, so that of several the first is kept.
        index[id(rows)] = {identity(rows[n], at): n for n in reversed(range(len(rows)))}
    return index[id(rows)].get(name, -1) if name else -1


def _at(data: Any, key: int | str) -> Any:
    if isinstance(data, dict):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and 0 <= key < len(data):
        return data[key]
    return None
