"""Profile, selection, seed and known addresses -> the checks of a run: pure and deterministic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from readycheck.check import NAME_SERVERS, Check, CheckTarget, Scope, Selection, open_placeholders
from readycheck.check_maker import BUDGET_S, CAPACITY, IDLE, CheckMaker
from readycheck.errors import ProfileError, UsageError
from readycheck.inheritance import Loc
from readycheck.probe import Effort
from readycheck.profile import Profile, Requirement
from readycheck.profile_file import Draft, Problem
from readycheck.references import rows
from readycheck.registry import Registry, misfits

__all__ = [
    "BUDGET_S",
    "DEFAULT_SEED",
    "NAME_SERVERS",
    "Check",
    "CheckTarget",
    "Plan",
    "Scope",
    "Selection",
    "examine",
    "plan",
    "refuse_unknown_values",
    "roles_of",
    "usable",
    "validate",
]

DEFAULT_SEED = 1
NO_CAPACITY = "not tested unless asked for, because it fills the line (--capacity CALLS)"
NO_IDLE = (
    "not tested unless asked for, because it waits (--idle MINUTES, or --thorough for two minutes of it)"
)
NO_RESPONDER = "needs a responder (--responder HOST)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The checks of a run, and for each requirement without one the reason.

    `untested` nobody could test from here; `unprobed` this run cannot, which is its own fault. `partly` says what
    the bounds of a run leave out of a requirement: what it asks shows nothing of the rest.
    """

    checks: tuple[Check, ...]
    selected: tuple[Requirement, ...]
    untested: Mapping[str, str]
    unprobed: Mapping[str, str]
    deselected: tuple[str, ...]
    roles: tuple[str, ...]
    seed: int
    effort: Effort
    partly: Mapping[str, str] = field(default_factory=dict)


def plan(
    profile: Profile, registry: Registry, selection: Selection, seed: int, known: Sequence[str] = ()
) -> Plan:
    """Raises `UsageError` for what the selection names and the profile or the registry lacks."""
    roles = roles_of(profile, selection.roles)
    _refuse_unknown(profile, registry, selection)
    selected = tuple(r for r in profile.requirements if set(r.roles) & set(roles))
    untested = dict(_untested(selected, selection))
    unprobed = dict(_unprobed([r for r in selected if r.id not in untested], registry))
    deselected = dict.fromkeys(r.id for r in selected if _deselected(r, selection))
    left_out = (untested, unprobed, deselected)
    asked = [r for r in selected if not r.measured_with and not any(r.id in some for some in left_out)]
    maker = CheckMaker(profile, registry, selection, seed, tuple(known), asked)
    made = {requirement.id: list(maker.checks(requirement)) for requirement in asked}
    partly = {r.id: words for r in asked if (words := maker.shortfall(r, made[r.id]))}
    unprobed |= {name: words for name, words in partly.items() if not made[name]}
    untested |= {
        name: "no target is known from here" for name in made if not made[name] and name not in unprobed
    }
    # Names first: a few packets that would otherwise wait behind the samples' many. A quick run then sends datagrams:
    # their silence takes it longest to tell from an answer, as that of connections takes every other run.
    slow = "udp" if selection.effort is Effort.QUICK else "tcp"
    checks = (*(check for own in made.values() for check in own), *maker.controls())
    return Plan(
        checks=tuple(sorted(checks, key=lambda c: (c.scope is Scope.SAMPLED, c.target.transport != slow))),
        selected=selected,
        untested={k: v for k, v in untested.items() if k not in deselected},
        unprobed={k: v for k, v in unprobed.items() if k not in deselected and k not in untested},
        deselected=tuple(deselected),
        roles=roles,
        seed=seed,
        effort=selection.effort,
        partly={name: words for name, words in partly.items() if made[name]},
    )


def roles_of(profile: Profile, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the user names, or the profile's own. Raises `UsageError` for one that it lacks."""
    known = [role.name for role in profile.roles]
    for role in wanted:
        if role not in known:
            raise UsageError(f"--role {role}: profile '{profile.name}' has the roles {', '.join(known)}")
    return wanted or profile.default_roles()


def _refuse_unknown(profile: Profile, registry: Registry, selection: Selection) -> None:
    for option, names in (("--only", selection.only), ("--skip", selection.skip)):
        for name in names:
            if name not in registry.installed and name not in registry.broken:
                raise UsageError(f"{option} {name}: no such probe (known: {', '.join(registry.installed)})")
    refuse_unknown_values(profile, selection.values)
    for name, placeholder in profile.placeholders.items():
        if placeholder.required and name not in selection.values:
            raise UsageError(f"--set {name}=VALUE is needed by profile '{profile.name}': {placeholder.title}")


def refuse_unknown_values(profile: Profile, values: Mapping[str, str]) -> None:
    """Raises `UsageError` for a placeholder that the profile lacks, or a value that it may not have."""
    for name, value in values.items():
        if name not in profile.placeholders:
            known = ", ".join(profile.placeholders)
            has = f"has the placeholders {known}" if known else "has no placeholders"
            raise UsageError(f"--set {name}: profile '{profile.name}' {has}")
        choices = profile.placeholders[name].choices
        if choices and value not in choices:
            raise UsageError(f"--set {name}={value}: choose from {', '.join(choices)}")


def _untested(selected: Iterable[Requirement], selection: Selection) -> Iterator[tuple[str, str]]:
    for requirement in selected:
        wanted = [h for h in requirement.targets.hosts if open_placeholders(h, selection.values)]
        if requirement.probe is None or requirement.untestable:
            yield requirement.id, requirement.untestable
        elif requirement.targets.responder:
            if not selection.responder:
                yield requirement.id, NO_RESPONDER
            elif requirement.probe == CAPACITY and not selection.capacity:
                yield requirement.id, NO_CAPACITY
            elif requirement.probe == IDLE and not _waits(selection):
                yield requirement.id, NO_IDLE
        elif wanted and len(wanted) == len(requirement.targets.hosts) and not _elsewhere(requirement):
            missing = ", ".join(open_placeholders(wanted[0], selection.values))
            yield requirement.id, f"needs --set {missing}=VALUE"


def _waits(selection: Selection) -> bool:
    """Who names the probe wants it, too."""
    return bool(selection.idle_minutes) or selection.effort is Effort.THOROUGH or IDLE in selection.only


def _unprobed(selected: Iterable[Requirement], registry: Registry) -> Iterator[tuple[str, str]]:
    for requirement in selected:
        if requirement.probe is None:
            continue
        if requirement.probe in registry.broken:
            yield requirement.id, str(registry.broken[requirement.probe])
        elif requirement.probe not in registry.installed:
            yield requirement.id, f"probe '{requirement.probe}' is not installed"


def _elsewhere(requirement: Requirement) -> bool:
    targets = requirement.targets
    return bool(targets.networks or targets.names or targets.resolvers)


def _deselected(requirement: Requirement, selection: Selection) -> bool:
    if selection.only and requirement.probe not in selection.only:
        return requirement.probe is not None
    return requirement.probe in selection.skip


def validate(profile: Profile, registry: Registry, origin: str) -> None:
    """Check probes, parameters and limits of every requirement against the installed probes.

    Raises `ProfileError` with file, table and key.
    """
    problems = [
        f"{origin}: requirements[{requirement.id}].{'.'.join(map(str, loc))}: {text}"
        for requirement in profile.requirements
        if requirement.probe is not None
        for loc, text in misfits(registry, requirement.probe, requirement.params, requirement.limits)
    ]
    if problems:
        raise ProfileError(*problems)


def examine(draft: Draft, registry: Registry) -> tuple[Profile | None, Sequence[Problem]]:
    """The profile if it can be used, and else all that is wrong with it, of itself and for the installed probes."""
    profile, problems = draft.check()
    if not draft.misplaced:
        problems = [*problems, *(draft.problem(*each) for each in _unfit(draft.tables, registry))]
    return (None if problems else profile), problems


def usable(draft: Draft, registry: Registry) -> Profile:
    """Raises `ProfileError` with file, table and key.

    A profile that came with the probes was tried with them: to load those that a run has no use for takes long.
    """
    profile, problems = draft.check() if draft.shipped else examine(draft, registry)
    if profile is None:
        raise draft.refusal(problems)
    return profile


def _unfit(tables: Mapping[str, Any], registry: Registry) -> Iterator[tuple[Loc, str]]:
    """Also of a profile that is wrong elsewhere: whatever has the wrong type is that's to tell."""
    for number, row in rows(tables.get("requirements")):
        probe, params, limits = row.get("probe"), row.get("params"), row.get("limits")
        if isinstance(probe, str):
            given = params if isinstance(params, Mapping) else {}
            for loc, text in misfits(registry, probe, given, limits if isinstance(limits, Mapping) else ()):
                yield ("requirements", number, *loc), text
