"""Finds probes through the entry-point group `readycheck.probes`, the built-in ones included."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from readycheck.errors import ProbeLoadError, ProfileError, UsageError
from readycheck.installation import entry_points
from readycheck.notation import in_toml
from readycheck.probe import Probe

Problem = tuple[tuple[int | str, ...], str]

_Kind = TypeVar("_Kind")

GROUP = "readycheck.probes"
_PARTS = ("name", "title", "Params", "metrics", "proves", "measure", "summarize")


@dataclass(frozen=True, slots=True)
class Installed:
    """A probe and the distribution that brought it."""

    name: str
    probe: Probe[Any]
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class Registry:
    """The probes that loaded, and a named error for each that did not."""

    installed: Mapping[str, Installed]
    broken: Mapping[str, ProbeLoadError]

    def probe(self, name: str) -> Probe[Any]:
        """Raises `ProbeLoadError` for a broken probe, `UsageError` for one that is not installed."""
        if name in self.installed:
            return self.installed[name].probe
        if name in self.broken:
            raise self.broken[name]
        raise UsageError(f"probe '{name}' is not installed (installed: {', '.join(self.installed)})")


def find(points: Iterable[EntryPoint] | None = None) -> Registry:
    """All entry points; each is loaded when it is first asked for, and one that fails breaks only itself."""
    loading = _Loading(entry_points(group=GROUP) if points is None else points)
    return Registry(_Part(loading, Installed), _Part(loading, ProbeLoadError))


class _Loading:
    """The entry points by name, and what came of those that were loaded."""

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points: dict[str, list[EntryPoint]] = {}
        for point in sorted(points, key=lambda p: (p.name, p.value)):
            self._points.setdefault(point.name, []).append(point)
        self._came: dict[str, Installed | ProbeLoadError] = {}

    @property
    def names(self) -> Iterable[str]:
        return self._points.keys()

    def load(self, name: str) -> Installed | ProbeLoadError:
        """Of several of one name the first that loads. Raises `KeyError` for a name that there is not."""
        if name not in self._came:
            came = [_load_or_error(point) for point in self._points[name]]
            self._came[name] = next((one for one in came if isinstance(one, Installed)), came[0])
        return self._came[name]


class _Part(Mapping[str, _Kind]):
    """Those that came out as one kind: to look one up loads that one, to count them loads all."""

    def __init__(self, loading: _Loading, kind: type[_Kind]) -> None:
        self._loading, self._kind = loading, kind

    def __getitem__(self, name: str) -> _Kind:
        found = self._loading.load(name)
        if not isinstance(found, self._kind):
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._loading.names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _load_or_error(point: EntryPoint) -> Installed | ProbeLoadError:
    try:
        return _load(point)
    except ProbeLoadError as error:
        return error


@cache
def _origin(distribution: Distribution) -> tuple[str, str]:
    """Name and version: each look reads and parses the whole description of the distribution."""
    return distribution.name, distribution.version


def _load(point: EntryPoint) -> Installed:
    origin, version = _origin(point.dist) if point.dist else ("unknown distribution", "")
    try:
        loaded = point.load()
        probe = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProbeLoadError(f"probe '{point.name}' of {origin} cannot be loaded: {reason}") from error
    missing = [part for part in _PARTS if not hasattr(probe, part)]
    if missing:
        raise ProbeLoadError(f"probe '{point.name}' of {origin} lacks {', '.join(missing)}")
    return Installed(point.name, probe, origin, version)


def misfits(
    registry: Registry, probe: str, params: Mapping[str, Any], limits: Iterable[str]
) -> Iterator[Problem]:
    """What the installed probes cannot do of a requirement: its probe, a parameter, the limit of a metric.

    Nothing is known of a probe that did not load.
    """
    if probe in registry.broken:
        return
    if probe not in registry.installed:
        yield ("probe",), f"'{probe}' is not an installed probe"
        return
    found = registry.installed[probe].probe
    yield from ((("params", *loc), text) for loc, text in _refused(found.Params, params)[0])
    metrics = {metric.name for metric in found.metrics}
    for name in limits:
        if name not in metrics:
            yield ("limits", name), f"probe '{probe}' has no such metric"
    for name, key, used in _leaned_on(limits):
        if used not in metrics:
            yield ("limits", name, key), f"probe '{probe}' has no metric '{used}'"


def _leaned_on(limits: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """The metrics that limits are judged with, of a profile or of its tables."""
    for name, limit in limits.items() if isinstance(limits, Mapping) else ():
        for key in ("of", "error"):
            used = limit.get(key) if isinstance(limit, Mapping) else getattr(limit, key, "")
            if isinstance(used, str) and used:
                yield name, key, used


ParamsT = TypeVar("ParamsT")


def build_params(
    params_type: type[ParamsT], values: Mapping[str, Any], *, where: str, **planned: Any
) -> ParamsT:
    """Make a probe's parameters from a profile's table plus what the plan fills in.

    Raises `ProfileError` that starts with `where` (file and table) and names the key.
    """
    problems, checked = _refused(params_type, values)
    if checked is None:
        raise ProfileError(
            *(f"{'.'.join((where, 'params', *map(str, loc)))}: {text}" for loc, text in problems)
        )
    return _replaced(checked, planned)


def _refused(params_type: type[ParamsT], values: Mapping[str, Any]) -> tuple[list[Problem], ParamsT | None]:
    """What cannot be set, or what comes of it."""
    settable = _settable(params_type) if values else ()  # type: ignore[arg-type]
    problems: list[Problem] = []
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in settable:
            problems.append(((key,), f"unknown key (known: {', '.join(settable) or 'none'})"))
            continue
        try:
            checked[key] = _adapter(params_type, key).validate_python(value)  # type: ignore[arg-type]
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            problems += [((key, *item["loc"]), in_toml(item["msg"])) for item in found]
    if problems:
        return problems, None
    try:
        return [], params_type(**checked)
    except (TypeError, ValueError) as error:  # such as a parameter that has no default
        return [((), str(error))], None


@cache
def _settable(params_type: type[Any]) -> tuple[str, ...]:
    """What a profile may set: the plan fills in the targets."""
    return tuple(sorted(field.name for field in fields(params_type) if field.name != "targets"))


@cache
def _adapter(params_type: type[Any], key: str) -> TypeAdapter[Any]:
    """Of one parameter: building that of all of them costs more than reading a profile."""
    return TypeAdapter(get_type_hints(params_type, include_extras=True)[key])


def _replaced(params: ParamsT, planned: Mapping[str, Any]) -> ParamsT:
    values = {f.name: getattr(params, f.name) for f in fields(params)}  # type: ignore[arg-type]
    return type(params)(**{**values, **planned})
