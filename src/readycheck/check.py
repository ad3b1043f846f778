"""A check: which addresses, names and ports it asks, and what the user asked a run for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from readycheck.failure import Step
from readycheck.observation import Target
from readycheck.probe import Effort
from readycheck.profile import Requirement
from readycheck.references import PLACEHOLDER, placeholders


class Scope(StrEnum):
    """How a check finds its targets; a follow-up has those that a diagnosis gave it.

    `honesty` asks name servers too: for what they cannot know. `far-end` is the responder, if the user gave one.
    """

    SAMPLED = "sampled"
    NAMED = "named"
    RESOLVERS = "resolvers"
    CONTROL = "control"
    HONESTY = "honesty"
    PATH = "path"
    FAR_END = "far-end"
    FOLLOW_UP = "follow-up"


NAME_SERVERS = frozenset({Scope.RESOLVERS, Scope.HONESTY})
"""Whom these ask may be at the site: their answers do not show that the way out is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTarget:
    """What a check is about; each of its observations has a target of its own."""

    host: str | None = None
    network: str | None = None
    address: str | None = None
    ports: str = ""
    transport: str | None = None
    sni: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to measure, within `budget_s`.

    `proves` is the step whose success shows that the service answered, `may_be_silent` that no answer at all
    is a healthy one too, `must_stay` that the connection has to stay open after the answer, `certain` says that the
    name is known to exist, and `group` is the wildcard that a representative name stands for. `lasts_s` is what the
    check adds to the time that a run has; one that mostly `waits` may do so beside others that do.
    """

    id: str
    requirement: str | None
    probe: str
    scope: Scope
    target: CheckTarget
    params: Any
    budget_s: float
    needs: tuple[str, ...] = ()
    proves: Step = Step.RESPONSE
    may_be_silent: bool = False
    must_stay: bool = False
    certain: bool = True
    group: str = ""
    lasts_s: float = 0.0
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for.

    With `proxy`, `via` is what checks call it, and `past_proxy` the rules for hosts that are reached without. Where a
    proxy script leads, `ways` says it for each lane (None: directly), by the empty one for those that it lacks.
    """

    roles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    effort: Effort = Effort.NORMAL
    controls: bool = True
    proxy: bool = False
    via: str = "proxy"
    past_proxy: tuple[str, ...] = ()
    ways: Mapping[str, str | None] = field(default_factory=dict)
    resolvers: tuple[tuple[str, int], ...] = ()
    responder: tuple[str, int] | None = None
    capacity: int | None = None
    idle_minutes: int | None = None


def lane(target: Target) -> str:
    """What a proxy script is asked once for: all of a network, or a name, at one port."""
    return f"{target.network or target.host or target.address}:{target.port}"


def may_use_proxy(requirement: Requirement) -> bool:
    return requirement.proxied and requirement.transport == "tcp"


def open_placeholders(host: str, values: Mapping[str, str]) -> list[str]:
    return [name for name in placeholders(host) if name not in values]


def filled_host(host: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values[found[1]], host)
