"""What name servers said of names, and which wildcards of a product they know nothing under. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address, is_site_address
from readycheck.observation import Observation
from readycheck.plan import Scope

AGAIN = "names/again"
"""The follow-up that asks every name server for what was denied."""

FILTERS = {4: "forged answer", 15: "blocked", 16: "censored", 17: "filtered"}
"""Extended errors by which a server says itself that it hides a name (RFC 8914 section 4)."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one name server said of one name."""

    check: str
    host: str
    server: str
    failure: Failure | None
    addresses: tuple[str, ...]
    zone: str
    errors: tuple[int, ...]
    alias: str = ""

    @property
    def is_public(self) -> bool:
        """An address that the vendor's servers can have."""
        return bool(self.addresses) and not any(map(is_bogon, self.addresses))

    @property
    def is_sunk(self) -> bool:
        return bool(self.addresses) and all(map(_is_sink, self.addresses))

    @property
    def filters(self) -> list[int]:
        return [code for code in self.errors if code in FILTERS]

    @property
    def is_of_its_zone(self) -> bool:
        """The SOA that came with it is that of a domain above the name (RFC 2308): who owns the name denies it."""
        return "." in self.zone.rstrip(".") and self._is_below_its_zone

    @property
    def is_of_another_zone(self) -> bool:
        """Of none above it. That of the root shows a server cut off from the world, and says nothing of a filter."""
        return bool(self.zone.rstrip(".")) and not self._is_below_its_zone

    @property
    def _is_below_its_zone(self) -> bool:
        """Of an alias the SOA is that of its end (RFC 2308 section 2.1): a vendor may give up what it leads to."""
        name, zone = (text.rstrip(".").lower() for text in (self.alias or self.host, self.zone))
        return f".{name}".endswith(f".{zone}")


def said(outcomes: Iterable[Outcome]) -> list[Said]:
    """All that name servers said about addresses, whoever asked."""
    return [
        _said(outcome.check.id, o)
        for outcome in outcomes
        if outcome.check.scope is not Scope.HONESTY
        for o in outcome.observations
        if o.target.host and (o.step is Step.RESOLVE or (outcome.check.probe == "dns" and _is_answer(o)))
    ]


def _is_answer(observation: Observation) -> bool:
    return observation.step is Step.RESPONSE and observation.facts.get("type") == "A"


def _said(check: str, observation: Observation) -> Said:
    facts = observation.facts
    given = facts.get("addresses") or facts.get("records") or ()
    return Said(
        check=check,
        host=str(observation.target.host),
        server=str(facts.get("server") or observation.target.address or ""),
        failure=observation.failure,
        addresses=tuple(a for a in map(str, given) if is_address(a)),
        zone=str(facts.get("zone") or ""),
        errors=tuple(facts.get("errors") or ()),
        alias=str(facts.get("alias") or ""),
    )


def is_bogon(address: str) -> bool:
    """An address that no server on the internet has."""
    found = ipaddress.ip_address(address)
    return is_site_address(address) or _is_sink(address) or found.is_multicast or found.is_reserved


def _is_sink(address: str) -> bool:
    """Where filters send names to: to nowhere, or back to the asker."""
    found = ipaddress.ip_address(address)
    return found.is_unspecified or found.is_loopback or (found.version == 4 and int(found) >> 24 == 0)


def forthright(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Servers that hand on, from their cache too, in whose zone a name is missing: asked for the second time.

    For this comparison the root's will do, as a server gives it that serves a world of its own.
    """
    return frozenset(s.server for s in _of_nobody(outcomes) if s.zone and not s.is_of_another_zone)


def liars(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Servers that know each of the names that nobody has: that they know another name shows nothing."""
    told = _of_nobody(outcomes)
    return frozenset(s.server for s in told) - {s.server for s in told if not _exists(s)}


def usual_zones(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """In whose name names are denied that nobody has: one server speaks for a zone of its own, whatever it is asked."""
    return frozenset(s.zone for s in _of_nobody(outcomes))


def _of_nobody(outcomes: Sequence[Outcome]) -> list[Said]:
    """What was said, for the second time, of names that nobody has."""
    honesty = (outcome for outcome in outcomes if outcome.check.scope is Scope.HONESTY)
    nowhere = {o.target.host for outcome in honesty for o in outcome.observations}
    return [s for s in _said_again(outcomes) if s.host in nowhere]


def _said_again(outcomes: Iterable[Outcome]) -> list[Said]:
    return said(outcome for outcome in outcomes if outcome.check.id == AGAIN)


# --- wildcards ----------------------------------------------------------------------------------------


def domain_of(pattern: str) -> str:
    """The domain that a wildcard of an allow-list is about."""
    return pattern.lstrip("*").lstrip(".")


def doubtful(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Wildcards of which no name exists that stands for them, without a sign that these are merely gone.

    A vendor retires a name, and the denial comes from his zone; or the domain at least is known.
    """
    again = _said_again(outcomes)

    def is_retired(pattern: str, denials: Sequence[Said]) -> bool:
        known = any(_exists(s) for s in again if s.host == domain_of(pattern))
        return known or any(s.is_of_its_zone for s in denials)

    return frozenset(p for p, denials in _without_names(outcomes).items() if not is_retired(p, denials))


def denied(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Those of them whose very domain a server denies of its own accord: in no zone's name (RFC 2308 section 2.1).

    A name that does not exist has none below it (RFC 8020), and no vendor gives up a domain that his page tells to
    allow: if he had, the zone above would say so. Who knows names that nobody has contradicts nobody.
    """
    again, frank = _said_again(outcomes), forthright(outcomes)
    usual = usual_zones(outcomes)
    made_up = liars(outcomes)

    def is_made_up(pattern: str) -> bool:
        told = [s for s in again if s.host == domain_of(pattern)]
        gone = [s for s in told if s.failure is Failure.DNS_NXDOMAIN]
        contradicted = any(_exists(s) and s.server not in made_up for s in told)
        owned = any(s.zone and not s.is_of_another_zone for s in gone)
        unowned = any(s.server in frank or (s.is_of_another_zone and s.zone not in usual) for s in gone)
        return bool(gone) and not owned and (contradicted or unowned)

    return frozenset(filter(is_made_up, _without_names(outcomes)))


def _exists(answer: Said) -> bool:
    return answer.failure in (None, Failure.DNS_NO_ANSWER)


def _without_names(outcomes: Iterable[Outcome]) -> dict[str, list[Said]]:
    """The wildcards of which each name that stands for them was denied, and these denials."""
    asked: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        check = outcome.check
        if check.scope is Scope.NAMED and not check.certain and domain_of(check.group) != check.group:
            asked.setdefault(check.group, []).append(outcome)
    return {pattern: said(some) for pattern, some in asked.items() if all(map(_is_denied, some))}


def _is_denied(outcome: Outcome) -> bool:
    lookups = {o.failure for o in outcome.observations if o.step is Step.RESOLVE}
    return lookups == {Failure.DNS_NXDOMAIN}


UNWILLING = (Failure.DNS_REFUSED, Failure.DNS_SERVFAIL)
"""What a name server says that is there, and does not look up what it was asked."""


def capricious(answers: Sequence[Said]) -> dict[str, list[Said]]:
    """By server, what it refused or failed to look up, and looked up at another time: it was not for the name."""
    known = {(s.server, s.host) for s in answers if s.addresses}
    found: dict[str, list[Said]] = {}
    for s in answers:
        if s.server and s.failure in UNWILLING and (s.server, s.host) in known:
            found.setdefault(s.server, []).append(s)
    return found
