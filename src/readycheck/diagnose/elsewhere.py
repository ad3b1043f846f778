"""Hosts of the internet that need no name: who is asked once no name is known, and what their silence shows. Pure."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Check, Scope

ELSEWHERE = "elsewhere/443"
_ADDRESSES = ("1.1.1.1", "8.8.8.8", "185.199.108.153")
"""Public name servers that serve the web as well (RFC 8484), and GitHub Pages, whose address is documented to stay.

Sites forbid the first two, so that nobody asks them for names: silent beside a dead name server, they show nothing.
"""
_LONGEST_S = 3.0
_UNHEARD = frozenset(
    {Failure.TIMED_OUT, Failure.PORT_UNREACHABLE, Failure.ICMP_ADMIN_PROHIBITED, Failure.HOST_UNREACHABLE}
)


def are_names_lost(outcomes: Sequence[Outcome]) -> bool:
    """Several names were looked up, all in vain; behind a proxy, which looks them up, they need not be known here."""
    if any(outcome.check.target.via for outcome in outcomes):
        return False
    ended = {
        o.target.host: o.failure for each in outcomes for o in each.observations if o.step is Step.RESOLVE
    }
    return len(ended) > 1 and all(failure in _UNHEARD for failure in ended.values())


def targets(outcomes: Sequence[Outcome]) -> list[Target]:
    """Who is asked, where no name is known and nothing answers; nobody for who wants no host but the product's."""
    wanted = any(outcome.check.scope is Scope.CONTROL for outcome in outcomes)
    if not wanted or not are_names_lost(outcomes) or _has_heard(outcomes):
        return []
    return [Target(address=address, port=443, transport="tcp") for address in _ADDRESSES]


def _has_heard(outcomes: Sequence[Outcome]) -> bool:
    return any(
        o.failure is None and o.step is not Step.HOP
        for outcome in outcomes
        if not outcome.check.id == ELSEWHERE
        for o in outcome.observations
    )


def ask(situation: Situation) -> Iterator[Check]:
    """A connection to each: a site whose names alone are lost still leads there."""
    check = situation.check(ELSEWHERE, "tcp", targets(situation.outcomes), longest_s=_LONGEST_S)
    yield from [check] if check else []
