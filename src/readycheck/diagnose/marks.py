"""Where QoS marks change: between the last router that quotes one as it was sent, and the first that does not."""

from collections.abc import Mapping
from dataclasses import dataclass

from readycheck.diagnose.case import Case, provider_owns
from readycheck.diagnose.finding import Where
from readycheck.plan import Scope


@dataclass(frozen=True, slots=True)
class Quote:
    """What a router said of a marked packet."""

    router: str
    kept: bool


def place_of_change(case: Case) -> tuple[Where, str]:
    """The place, and a sentence that says by whom it is known; nothing where no router was asked."""
    quotes = {
        int(o.facts["ttl"]): Quote(str(o.facts["offender"]), o.facts["dscp_quoted"] == o.facts["dscp_sent"])
        for _, o in case.observations(Scope.FAR_END)
        if o.facts.get("purpose") == "marks"
    }
    if not quotes:
        return Where.UNKNOWN, ""
    changed = min((ttl for ttl, quote in quotes.items() if not quote.kept), default=None)
    if changed is None:
        return Where.UNKNOWN, f" Every router as far as {_named(quotes, max(quotes))} still sees them."
    before = max((ttl for ttl in quotes if ttl < changed), default=None)
    if before is None:
        first = _named(quotes, changed)
        return Where.UNKNOWN, f" The first router to tell, {first}, has them changed already."
    two = f" {_named(quotes, before)} still sees them, {_named(quotes, changed)} no longer"
    return _whose(case, before, changed, quotes), f"{two}: they change between the two."


def _named(quotes: Mapping[int, Quote], ttl: int) -> str:
    return f"{quotes[ttl].router} (hop {ttl})"


def _whose(case: Case, before: int, changed: int, quotes: Mapping[int, Quote]) -> Where:
    """The site's, if both routers are, and likewise the provider's; on the line between these it is either's.

    A router quotes a packet as it came in: what it does to those that it passes on shows at the next one.
    """
    edge = case.evidence.edge_ttl
    if edge is None:
        return Where.UNKNOWN
    if changed <= edge:
        return Where.SITE
    providers = provider_owns(case.evidence, quotes[before].router, quotes[changed].router)
    return Where.ISP if before > edge and providers else Where.UNKNOWN
