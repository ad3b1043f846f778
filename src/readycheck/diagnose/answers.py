"""Whether name servers tell the truth: names of the product that they hide, and answers that they make up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from readycheck.denials import (
    AGAIN,
    FILTERS,
    UNWILLING,
    Said,
    capricious,
    domain_of,
    forthright,
    liars,
    said,
    usual_zones,
)
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, shown
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address, is_site_address
from readycheck.net.interface import Capability
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope

HOSTS_FILE = "hosts file"
SHOWN = 3
_MOST = 6
_FEW = 2
_LONGEST_S = 3.0
_HOPS = (1, 2, 3, 4, 5, 6)
_DENIALS = (Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER, *UNWILLING)

# --- hidden names -------------------------------------------------------------------------------------


def dns_filter(case: Case) -> Iterator[Finding]:
    """Names of the product are denied, refused or sent astray, by a server that others contradict, or that says so.

    One name that is merely gone may be the vendor's doing: it takes a sign that the server made the answer up.
    """
    view = _View(case)
    proven = {s.host: s for s in view.suspects if view.proof(s) is not None}
    surest = min(
        (view.proof(s) or Confidence.POSSIBLE for s in proven.values()), key=_RANK.index, default=None
    )
    whole = list(_all_denied(view))
    if surest is None or (
        surest is not Confidence.CERTAIN and whole and whole[0].confidence is Confidence.CERTAIN
    ):
        yield from whole
        return
    alike = [s for s in view.suspects if s.host in proven or view.may_be_hidden(s)]
    local = {s.server for s in alike} == {HOSTS_FILE}
    servers = [s.server for s in alike if s.server and s.server != HOSTS_FILE]
    inside = all(s.addresses and _is_of_site(case, s.server, s.addresses) for s in alike)
    failed = all(map(_has_failed, proven.values()))
    yield case.finding(
        "dns-filter",
        list(dict.fromkeys(s.check for s in alike)),
        _summary(view, list(proven.values()), servers),
        where=Where.HOST if local else Where.SITE if inside else Where.UNKNOWN,
        owner=Owner.HOST_ADMIN if local else Owner.DNS,
        confidence=surest,
        remedy="Take these names out of the hosts file." if local else _FIND_OUT if failed else _REMEDY,
    )


def _is_of_site(case: Case, server: str, addresses: Iterable[str]) -> bool:
    """A forwarder hands on what a provider's server has made up; that knows nothing of the forwarder's own address."""
    own = {server, case.environment.gateway}
    return is_address(server) and is_site_address(server) and set(addresses) <= own


_RANK = (Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE)
_FIND_OUT = (
    "Look in the name server's log why it fails for these names: its filter or that of the servers that it forwards "
    "to, DNSSEC, or UDP and TCP 53 from it to the vendor's name servers."
)
_REMEDY = "Take the product's domains, with all names beneath them, off the name server's block list."


@dataclass(frozen=True)
class _View:
    """What was said of the product's names, and by whom."""

    case: Case

    @cached_property
    def product(self) -> dict[str, bool]:
        """The vendor's names, without the customer's own, and whether each is known to exist."""
        found: dict[str, bool] = {}
        for outcome in self.case.outcomes:
            check = outcome.check
            if check.scope is Scope.NAMED and check.target.host and "{" not in check.group:
                host = check.target.host
                found[host] = found.get(host, False) or check.certain
        return found

    @cached_property
    def answers(self) -> list[Said]:
        return said(self.case.outcomes)

    @cached_property
    def suspects(self) -> list[Said]:
        """Denials, and addresses where the vendor is not, that made checks of the product fail."""
        failing = {check.check for _, check in self.case.failing}
        return [
            s
            for s in self.answers
            if s.check in failing
            and s.host in self.product
            and (s.failure in _DENIALS or s.filters or (s.addresses and not s.is_public))
        ]

    @cached_property
    def known(self) -> dict[str, set[str]]:
        """Names for which somebody gave an address of the internet, and who did, but for those that make them up."""
        found: dict[str, set[str]] = {}
        made_up = liars(self.case.outcomes)
        for s in self.answers:
            if s.failure is None and s.is_public and s.server not in made_up:
                found.setdefault(s.host, set()).add(s.server)
        return found

    @cached_property
    def helpful(self) -> set[str]:
        """Servers that gave addresses of names."""
        return {s.server for s in self.answers if s.failure is None and s.is_public}

    @cached_property
    def pinned(self) -> set[str]:
        return {
            o.check.target.host or "" for o in self.case.outcomes if o.check.requirement in self.case.pinned
        }

    @cached_property
    def forthright(self) -> frozenset[str]:
        return forthright(self.case.outcomes)

    @cached_property
    def usual(self) -> frozenset[str]:
        return usual_zones(self.case.outcomes)

    @cached_property
    def denied(self) -> dict[str, str]:
        """Names under a wildcard of which a server denies the very domain, and that domain."""
        checks = (o.check for o in self.case.outcomes if o.check.group in self.case.evidence.denied)
        return {check.target.host or "": domain_of(check.group) for check in checks}

    @cached_property
    def capricious(self) -> dict[str, list[Said]]:
        return capricious(self.answers)

    @cached_property
    def failing_twice(self) -> set[str]:
        """Names that a server failed to look up again, while it looked others up."""
        return {
            s.host
            for s in self.answers
            if s.check == AGAIN and s.failure is Failure.DNS_SERVFAIL and s.server in self.helpful
        }

    @cached_property
    def emptied(self) -> set[str]:
        """Names without an address, in nobody's name: one may have lost it, and its servers say so badly."""
        return {s.host for s in self.suspects if s.failure is Failure.DNS_NO_ANSWER and not s.zone}

    def proof(self, suspect: Said) -> Confidence | None:
        """How sure it is that the name is hidden; None when it may be gone."""
        minds_names = bool(suspect.filters) or suspect.server not in self.capricious
        if suspect.failure in UNWILLING and not minds_names:
            return None
        if _has_failed(suspect):
            return Confidence.POSSIBLE if suspect.host in self.failing_twice else None
        others = self.known.get(suspect.host, set())
        if suspect.filters or suspect.is_sunk or others - {suspect.server}:
            return Confidence.CERTAIN
        if suspect.host in self.denied:
            return Confidence.LIKELY
        if others:  # it knows the name itself: what was lost on the way is no filter
            return None
        if suspect.addresses:
            return Confidence.LIKELY if suspect.host in self.pinned else None
        if suspect.is_of_its_zone:
            return None
        again = [s for s in self.answers if s.check == AGAIN and s.host == suspect.host]
        if any(s.is_of_its_zone for s in again):
            return None
        refused = suspect.failure is Failure.DNS_REFUSED and suspect.server in self.helpful
        silent = any(s.server in self.forthright and s.failure in _DENIALS and not s.zone for s in again)
        empty = suspect.failure is Failure.DNS_NO_ANSWER and len(self.emptied) > _FEW
        gone = (suspect.failure is Failure.DNS_NXDOMAIN or empty) and self.product[suspect.host]
        made = gone and (silent or (suspect.is_of_another_zone and suspect.zone not in self.usual))
        return Confidence.LIKELY if refused or made else None

    def may_be_hidden(self, suspect: Said) -> bool:
        """Once a server is known to hide names: all that it denies in nobody's name."""
        return not suspect.is_of_its_zone and self.product[suspect.host]


def _has_failed(suspect: Said) -> bool:
    """It does not say why: SERVFAIL is no denial."""
    return suspect.failure is Failure.DNS_SERVFAIL and not suspect.filters


def _summary(view: _View, proven: Sequence[Said], servers: Sequence[str]) -> str:
    names = shown(s.host for s in proven)
    who = ", ".join(dict.fromkeys(servers)) or "This host's hosts file"
    return f"{who} {_deed(proven)} {names}: {'; '.join(_reasons(view, proven))}."


def _deed(proven: Sequence[Said]) -> str:
    led = sorted({a for s in proven for a in s.addresses})
    if led:
        return f"gives {', '.join(led[:SHOWN])} as the address of"
    ends = {s.failure for s in proven}
    return _DEEDS.get(next(iter(ends)), _DENIES) if len(ends) == 1 else _DENIES


_DENIES = "denies the existence of"
_DEEDS: Mapping[Failure | None, str] = {
    Failure.DNS_REFUSED: "refuses to look up",
    Failure.DNS_NO_ANSWER: "says that there is no address of",
    Failure.DNS_SERVFAIL: "fails to look up (SERVFAIL)",
}


def _reasons(view: _View, proven: Sequence[Said]) -> Iterator[str]:
    codes = sorted({code for s in proven for code in s.filters})
    if codes:
        told = ", ".join(f"{code}, {FILTERS[code]}" for code in codes)
        yield f"it says itself that it filters (extended DNS error {told})"
    hosts = {s.host for s in proven}
    truthful = sorted({server for host in hosts for server in view.known.get(host, ())})
    if truthful:
        yield f"{', '.join(truthful[:SHOWN])} knows better"
    if any(s.addresses for s in proven):
        yield "the vendor's servers are not there"
    domains = sorted({view.denied[host] for host in hosts & set(view.denied)})
    if domains:
        yield f"it denies the whole of {', '.join(domains[:SHOWN])}"
    if all(map(_has_failed, proven)):
        yield "each time, while it looks up other names, as a filter has it, or a broken way to the vendor's servers"
        return
    if not codes and not truthful and not any(s.addresses for s in proven):
        refused = all(s.failure is Failure.DNS_REFUSED for s in proven)
        yield "it looks up other names" + (
            "" if refused else ", and does not say in whose zone these are missing"
        )


def _all_denied(view: _View) -> Iterator[Finding]:
    """No sign but the number: none of the product's names exists for this server, and others do."""
    case = view.case
    pinned = [o for o in case.outcomes if o.check.requirement in case.pinned]
    certain = [o for o in pinned if o.check.certain]
    asked = certain if len(certain) > _FEW else pinned  # a page may print hardly any host
    owned = {s.check for s in view.answers if s.is_of_its_zone}
    denied = [
        o.check.id
        for o in asked
        if _resolve_failures(o) == {Failure.DNS_NXDOMAIN} and o.check.id not in owned
    ]
    control = any(o.check.scope is Scope.CONTROL and None in _resolve_failures(o) for o in case.outcomes)
    if len(denied) > _FEW and not any(None in _resolve_failures(o) for o in asked):
        sure = Confidence.CERTAIN if asked is certain else Confidence.LIKELY
        others = (
            "while it knows names outside the product"
            if control
            else "and no name outside the product was asked"
        )
        denials = [s for s in view.answers if s.check in denied]
        who = ", ".join(dict.fromkeys(s.server for s in denials if s.server)) or "The name server"
        yield case.finding(
            "dns-filter",
            denied,
            f"{who} says that the product's names do not exist ({shown(s.host for s in denials)}), {others}.",
            owner=Owner.DNS,
            confidence=sure if control else Confidence.POSSIBLE,
            remedy=_REMEDY,
        )


def _resolve_failures(outcome: Outcome) -> set[Failure | None]:
    return {s.failure for s in outcome.observations if s.step is Step.RESOLVE}


def ask_again(situation: Situation) -> Iterator[Check]:
    """What was denied, of every server that is configured; and what no server can know, for comparison.

    Of a wildcard, of which each name may be gone that stands for it, the domain itself is asked for; who refuses or
    fails does not say that it is gone.
    """
    named = {o.check.id: o.check for o in situation.outcomes if o.check.scope is Scope.NAMED}
    denied = [
        s.host
        for s in said(situation.outcomes)
        if s.check in named and (named[s.check].certain or s.failure in UNWILLING)
        if s.failure in _DENIALS or not _is_fine(s)
    ]
    domains = sorted(domain_of(pattern) for pattern in situation.evidence.doubtful)
    servers = list(dict.fromkeys(_servers(situation)))
    if (denied or domains) and servers:
        honesty = (c for c in situation.plan.checks if c.scope is Scope.HONESTY)
        unknown = next((tuple(check.params.unknown) for check in honesty), ())
        names = (*list(dict.fromkeys(denied))[:_MOST], *domains[:_MOST], *unknown)
        check = situation.check(AGAIN, "dns", servers, longest_s=_LONGEST_S, names=names)
        yield from [check] if check else []


def _is_fine(answer: Said) -> bool:
    return answer.failure is not None or not answer.addresses or answer.is_public


def _servers(situation: Situation) -> Iterator[Target]:
    for check in situation.plan.checks:
        if check.scope in (Scope.RESOLVERS, Scope.HONESTY):
            for target in check.params.targets:
                yield Target(address=target.address, port=target.port, transport="udp")


# --- made-up answers ----------------------------------------------------------------------------------


def dns_hijack(case: Case) -> Iterator[Finding]:
    """Addresses for names that nobody has, answers from where nobody is, or two answers to one question."""
    outcome = next((o for o in case.outcomes if o.check.scope is Scope.HONESTY), None)
    if outcome is None:
        return
    taken = [o for o in outcome.observations if _is_taken(o)]
    yield from _made_up(case, outcome, taken)
    if taken:
        near, hop = _nearest(case)
        yield case.finding(
            "dns-hijack",
            [outcome.check.id],
            f"A question to {taken[0].target.address}, where there is no name server, was answered: something on "
            f"the way answers names itself, whichever name server is asked{near}.",
            where=_place(case, hop),
            owner=Owner.DNS,
            confidence=Confidence.CERTAIN,
            remedy="Switch DNS redirection off on the router, or exempt the hosts that use the product.",
        )
    twice = [o for o in outcome.observations if o.facts.get("other")]
    if twice:
        yield _two_answers(case, outcome, twice)


def _is_taken(observation: Observation) -> bool:
    """Somebody answered for nobody."""
    answered = observation.failure is None or "rcode" in observation.facts
    return answered and observation.facts.get("asked") == "nobody"


def _nearest(case: Case) -> tuple[str, int | None]:
    """The least hop limit with which such a question is answered: who answers is no further away than that.

    Who sends questions elsewhere speaks in nobody's name also when they die further on: it translates the message.
    """
    enough = [
        int(o.facts["ttl"])
        for _, o in case.observations(Scope.FOLLOW_UP)
        if isinstance(o.facts.get("ttl"), int)
        and (_is_taken(o) or o.facts.get("offender") == o.target.address)
    ]
    hop = min(enough, default=None)
    return ("" if hop is None else f", no further away than hop {hop}"), hop


def _place(case: Case, hop: int | None) -> Where:
    """The first router is the site's, and so is all up to its edge; a proxy of names further on may send it far."""
    return Where.SITE if hop is not None and hop <= max(1, case.evidence.edge_ttl or 1) else Where.UNKNOWN


def ask_nearer(situation: Situation) -> Iterator[Check]:
    """Where who answers for nobody is: the same question, with hop limits."""
    outcome = next((o for o in situation.outcomes if o.check.scope is Scope.HONESTY), None)
    taken = next((o for o in outcome.observations if _is_taken(o)), None) if outcome else None
    if taken is not None and Capability.HOP_LIMIT.value in situation.environment.capabilities:
        asked = Target(address=taken.target.address, port=53, transport="udp")
        values = {"known": taken.target.host, "nobody": asked.address, "hop_limits": _HOPS}
        check = situation.check("hijack/where", "hijack", [asked], longest_s=_LONGEST_S, **values)
        yield from [check] if check else []


def _made_up(case: Case, outcome: Outcome, taken: Sequence[Observation]) -> Iterator[Finding]:
    """By one server for two unrelated zones: a wildcard of one zone is its owner's affair.

    Who is `taken` for a server where there is none, and tells the same, answers in the server's name as well.
    """
    unknown = [o for o in outcome.observations if o.facts.get("asked") == "unknown"]
    lies: dict[str, list[Observation]] = {}
    for observation in unknown:
        if observation.failure is None:
            lies.setdefault(str(observation.target.address), []).append(observation)
    liars = {server: made for server, made in lies.items() if len(made) > 1}
    if not liars:
        return
    given = {str(a) for made in liars.values() for o in made for a in o.facts.get("records") or ()}
    alike = any(set(made[0].facts["records"]) == set(made[1].facts["records"]) for made in liars.values())
    denied = any(o.failure is Failure.DNS_NXDOMAIN for o in unknown)
    failing = {check.check for _, check in case.failing}
    led = {s.check for s in said(case.outcomes) if s.addresses and set(s.addresses) <= given}
    hosts = " and ".join(o.target.host or "" for o in next(iter(liars.values()))[:2])
    same = any(given & set(map(str, o.facts.get("records") or ())) for o in taken)
    own = all(_is_of_site(case, server, o.facts["records"]) for server, made in liars.items() for o in made)
    place = _place(case, _nearest(case)[1]) if same else Where.UNKNOWN
    yield case.finding(
        "dns-hijack",
        [outcome.check.id, *sorted(failing & led)],
        f"{', '.join(liars)} gives {', '.join(sorted(given)[:SHOWN])} as the address of names that do not exist "
        f"({hosts}).",
        where=Where.SITE if own else place,
        owner=Owner.DNS,
        confidence=Confidence.CERTAIN if alike or denied else Confidence.LIKELY,
        remedy="Switch off the search or block page for unknown names, or use name servers that tell the truth.",
    )


def _two_answers(case: Case, outcome: Outcome, twice: Sequence[Observation]) -> Finding:
    """A denial beside an address is a lie; two sets of addresses may be one server's, asked twice on the way."""
    first = twice[0]
    kinds = any(o.facts["other"].get("rcode") != o.facts.get("rcode") for o in twice)
    return case.finding(
        "dns-hijack",
        [outcome.check.id],
        f"{first.target.address} seems to give two different answers to one question ({first.target.host}): one of "
        "them comes from somebody else.",
        owner=Owner.DNS,
        confidence=Confidence.LIKELY if kinds else Confidence.POSSIBLE,
        remedy="Find who answers names on the way (router, security gateway, provider), and use DNS over TLS past it.",
    )
