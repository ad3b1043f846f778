"""A small product behind a proxy, and the ways around it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from readycheck.diagnose.beside import past_the_proxy, through_the_proxy
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.environment import FoundProxy
from readycheck.observation import Observation, Target
from readycheck.plan import Check
from readycheck.registry import Registry
from readycheck_probes.http import HttpProbe
from readycheck_probes.websocket import WebsocketProbe
from tests.unit.builders import (
    PROBES,
    ROWS,
    Result,
    World,
    conclude_from,
    make_environment,
    make_profile,
    make_registry,
    make_selection,
    requirement,
    seen,
)

PROXY = "proxy.corp:3128"
FOUND = FoundProxy(scheme="https", url=f"http://{PROXY}", source="environment")
Answer = tuple[Failure | None, dict[str, Any]]
Says = Callable[[Target], Answer]
Upgrade = tuple[int | Failure, Failure | None]
"""The status of an upgrade or how it fails, and how the connection ends after it."""

WEB = requirement("web", targets={"names": ["web", "wild"]}, ports=["443"], probe="tls", proxied=True)
PORTAL = requirement(
    "portal", targets={"hosts": ["portal.example.com"]}, ports=["8443"], probe="tcp", proxied=True
)
CONFIG = requirement("config", ports=["443"], probe="tcp", proxied=True)
EVENTS = requirement(
    "events",
    targets={"hosts": ["events.example.com", "ring.example.com"]},
    ports=["443"],
    probe="websocket",
    proxied=True,
)
OTHERS = [row for row in ROWS if row["id"] != "web"]
PROFILE = make_profile(*OTHERS, WEB, PORTAL, CONFIG)
TALKING = make_profile(*OTHERS, WEB, EVENTS)

OPEN: Answer = (None, {})


def _registry() -> Registry:
    return make_registry(*PROBES, HttpProbe, WebsocketProbe)


@dataclass(kw_only=True)
class Proxied(World):
    """A world whose proxy says what `says` tells of each target; `upgrade` and `plain` tell of what is asked then."""

    says: Says = lambda target: OPEN
    upgrade: Callable[[Target], Upgrade] = lambda target: (101, None)
    plain: Callable[[Target], int] = lambda target: 200
    registry: Registry = field(default_factory=_registry)

    def _visit(self, check: Check, target: Target) -> Iterator[Observation]:
        way = list(self._through(target) if target.via else super()._visit(check, target))
        yield from way
        if way[-1].failure is not None:
            return
        if target.via and check.probe == "tls":
            wrong = self.greet(target)
            facts = {} if wrong else {"tls": self.handshake(target)}
            yield seen(Step.TLS_HANDSHAKE, target, wrong, **facts)
        if check.probe == "http":
            yield seen(Step.RESPONSE, target, status=self.plain(target))
        if check.probe == "websocket":
            yield from self._talk(target)

    def _through(self, target: Target) -> Iterator[Observation]:
        failure, facts = self.says(target)
        yield seen(Step.PROXY_CONNECT, target, failure, **facts)

    def _talk(self, target: Target) -> Iterator[Observation]:
        status, end = self.upgrade(target)
        if isinstance(status, Failure):
            yield seen(Step.RESPONSE, target, status)
            return
        yield seen(Step.RESPONSE, target, Failure.HTTP_STATUS if status >= 500 else None, status=status)
        if status == 101:
            yield seen(Step.ECHO, target, end, hold_s=5.0, held_s=2.5 if end else 5.0)

    def followed(self) -> tuple[Outcome, ...]:
        """All checks, and those that look beside."""
        first = self.outcomes()
        situation = self.situation(first)
        more = [*past_the_proxy(situation), *through_the_proxy(situation)]
        return (*first, *map(self.measure, more))


def world(says: Says, **changes: Any) -> Proxied:
    facts: dict[str, Any] = {
        "profile": PROFILE,
        "selection": make_selection(proxy=True, via=PROXY),
        "environment": make_environment(proxies=(FOUND,)),
    }
    return Proxied(**{**facts, **changes}, says=says)


def through(says: Says, **changes: Any) -> Result:
    """A run through the proxy, without any follow-up beside it."""
    made = world(says, **changes)
    return conclude_from(made, made.outcomes())


def beside(says: Says, **changes: Any) -> Result:
    """The same, with the follow-ups."""
    made = world(says, **changes)
    return conclude_from(made, made.followed())


def straight(says: Says, **changes: Any) -> Result:
    """A run that does not use the proxy that was found."""
    return beside(says, **{"selection": make_selection(), **changes})


def always(answer: Answer) -> Says:
    return lambda target: answer
