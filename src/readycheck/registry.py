"""Finds probes through the entry-point group `readycheck.probes`, the built-in ones included."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from readycheck.errors import ProbeLoadError, ProfileError, UsageError
from readycheck.installation import entry_points
from readycheck.notation import in_toml
from readycheck.probe import Probe

Problem = tuple[tuple[int | str, ...], str]

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
        if name in self.broken:
            raise self.broken[name]
        if name not in self.installed:
            raise UsageError(f"probe '{name}' is not installed (installed: {', '.join(self.installed)})")
        return self.installed[name].probe


def find(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every entry point, sorted; one that fails breaks only itself."""
    installed: dict[str, Installed] = {}
    broken: dict[str, ProbeLoadError] = {}
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda p: (p.name, p.value)):
        try:
            installed.setdefault(point.name, _load(point))
        except ProbeLoadError as error:
            broken[point.name] = error
    return Registry(installed, {k: v for k, v in broken.items() if k not in installed})


def _load(point: EntryPoint) -> Installed:
    origin = point.dist.name if point.dist else "unknown distribution"
    try:
        loaded = point.load()
        probe = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProbeLoadError(f"probe '{point.name}' of {origin} cannot be loaded: {reason}") from error
    missing = [part for part in _PARTS if not hasattr(probe, part)]
    if missing:
        raise ProbeLoadError(f"probe '{point.name}' of {origin} lacks {', '.join(missing)}")
    return Installed(point.name, probe, origin, point.dist.version if point.dist else "")


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
    settable = {f.name for f in fields(params_type)} - {"targets"} if values else set()  # type: ignore[arg-type]
    unknown = f"unknown key (known: {', '.join(sorted(settable)) or 'none'})"
    problems: list[Problem] = []
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in settable:
            problems.append(((key,), unknown))
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
def _adapter(params_type: type[Any], key: str) -> TypeAdapter[Any]:
    """Of one parameter: building that of all of them costs more than reading a profile."""
    return TypeAdapter(get_type_hints(params_type, include_extras=True)[key])


def _replaced(params: ParamsT, planned: Mapping[str, Any]) -> ParamsT:
    values = {f.name: getattr(params, f.name) for f in fields(params)}  # type: ignore[arg-type]
    return type(params)(**{**values, **planned})
