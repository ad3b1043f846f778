"""The rule for TLS that somebody on the way ends and signs anew."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, sentences, shown
from readycheck.diagnose.greetings import trials
from readycheck.diagnose.server_names import zone
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import Judgement

_UNVOUCHED = (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
_ZONES = 3
_YOUNG_DAYS = 1.0
_FAR_MS, _USUAL_MS = 40.0, 20.0
_SHOWN = 4
_ELSEWHERE = "it also signs for hosts that have nothing to do with the product"
_OWNERS = "it signs for hosts of owners that have nothing else in common"


@dataclass(frozen=True)
class Signer:
    """An authority that nobody knows, and where it was met: at the product's hosts, and at the controls."""

    name: str
    met: tuple[tuple[str, Observation], ...]
    controls: tuple[Observation, ...]

    @cached_property
    def places(self) -> list[str]:
        return list(dict.fromkeys(str(o.target) for _, o in self.met))

    @cached_property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(o.target.host for _, o in self.met if o.target.host))

    @cached_property
    def leaves(self) -> list[dict[str, Any]]:
        """The certificates that it signed, each once."""
        found = {repr(leaf): leaf for _, o in self.met if (leaf := chain_of(o)[0])}
        return list(found.values())

    @cached_property
    def host_anchor(self) -> str | None:
        return next((str(a) for _, o in self.met if (a := o.facts["tls"].get("host_anchor"))), None)

    @property
    def host_was_asked(self) -> bool:
        return any("host_anchor" in o.facts["tls"] for _, o in self.met)


def issuer_of(observation: Observation) -> str:
    """The issuer at the end of what was presented."""
    chain = chain_of(observation)
    return str(chain[-1]["issuer"]) if chain else ""


def chain_of(observation: Observation) -> Sequence[dict[str, Any]]:
    return (observation.facts.get("tls") or {}).get("chain") or ()


def signers(case: Case) -> Iterator[Signer]:
    """Unknown authorities behind failed checks of the product."""
    bad = {c.check for _, c in case.failing if c.status in (Judgement.FAIL, Judgement.WARN)}
    found: dict[str, tuple[list[tuple[str, Observation]], list[Observation]]] = {}
    for outcome, o in case.observations():
        if o.step is not Step.TLS_HANDSHAKE or o.failure not in _UNVOUCHED or not issuer_of(o):
            continue
        met, controls = found.setdefault(issuer_of(o), ([], []))
        if outcome.check.scope is Scope.CONTROL:
            controls.append(o)
        elif outcome.check.id in bad:
            met.append((outcome.check.id, o))
    yield from (Signer(name, tuple(met), tuple(c)) for name, (met, c) in found.items() if met)


def tls_inspection(case: Case) -> Iterator[Finding]:
    """One authority re-signs: a control shows it, or what two evidences agree on."""
    for signer in signers(case):
        certain, signs = list(_controls(case, signer)), list(_signs(case, signer))
        if certain or len(signs) > 1:
            yield _finding(
                case, signer, [*certain, *signs], Confidence.CERTAIN if certain else Confidence.LIKELY
            )


def _controls(case: Case, signer: Signer) -> Iterator[str]:
    """What separates a box on the way from a server that is set up badly."""
    if any(o.failure is Failure.CERTIFICATE_UNTRUSTED for o in signer.controls):
        yield _ELSEWHERE
    if any(_is_made_up(o, signer) for _, o in case.observations(Scope.FOLLOW_UP)):
        yield "it makes certificates for names that exist nowhere"
    for trial in trials(case):
        shown = [o for o in trial.greetings if o.failure is None and issuer_of(o) == signer.name]
        if trial.guilty and trial.resigned and shown:
            yield "the servers show certificates of their own when a greeting hides the name that it asks for"
            return


def _is_made_up(observation: Observation, signer: Signer) -> bool:
    """A certificate that was made for the greeting: for a name that nobody can own (RFC 6761 section 6.4)."""
    name = (observation.target.sni or "").lower()
    if not name.endswith(".invalid") or issuer_of(observation) != signer.name:
        return False
    return name in [str(each).lower() for each in chain_of(observation)[0].get("names") or ()]


def _signs(case: Case, signer: Signer) -> Iterator[str]:
    """What a box does, and a server might."""
    if signer.controls and all(o.failure is not Failure.CERTIFICATE_UNTRUSTED for o in signer.controls):
        yield _ELSEWHERE  # two servers may leave out the same public intermediate
    if signer.host_anchor:
        yield "this host has an authority for it that no public list has"
    if len({zone(host) for host in signer.hosts}) >= _ZONES or _is_mixed(case, signer):
        yield _OWNERS
    names = {tuple(leaf.get("names") or ()) for leaf in signer.leaves}
    keys = {leaf.get("spki_sha256") for leaf in signer.leaves}
    if len(names) > 1 and len(keys) == 1 and None not in keys:
        yield "all its certificates have the same key"
    ages = {str(o.target): o.facts["tls"].get("age_days") for _, o in signer.met}
    if len(names) > 1 and all(age is not None and age < _YOUNG_DAYS for age in ages.values()):
        yield "all its certificates were made within the last day"
    if _is_relayed(case, signer):
        yield "connections stand much sooner than greetings are answered, as where a box calls the server first"


def _is_mixed(case: Case, signer: Signer) -> bool:
    """The vendor's own servers, which are pinned, and somebody else's."""
    asked = {case.by_check[check].check.requirement for check, _ in signer.met}
    return bool(asked & case.pinned) and bool(asked - case.pinned)


def _is_relayed(case: Case, signer: Signer) -> bool:
    own: list[float] = []
    others: list[float] = []
    checks = {check for check, _ in signer.met}
    for outcome in case.outcomes:
        if outcome.check.scope is not Scope.FOLLOW_UP:
            (own if outcome.check.id in checks else others).extend(_thinking_ms(outcome.observations))
    return bool(own and others) and median(own) > _FAR_MS and median(others) < _USUAL_MS


def _thinking_ms(observations: Sequence[Observation]) -> Iterator[float]:
    """How much longer than two round trips an answered greeting took."""
    rtt_ms: float | None = None
    for o in observations:
        if o.step is Step.CONNECT and o.failure is None:
            rtt_ms = o.facts.get("rtt_ms")
        elif o.step is Step.TLS_HANDSHAKE and rtt_ms is not None and o.facts.get("tls"):
            yield o.elapsed_ms - 2 * rtt_ms


def _finding(case: Case, signer: Signer, reasons: Sequence[str], confidence: Confidence) -> Finding:
    where = shown(signer.places, _SHOWN)
    patterns, words = _allowed(case, signer)
    said = "; ".join(reason for reason in reasons if reason != _OWNERS or _ELSEWHERE not in reasons)
    told = [f"{signer.name} re-signs TLS here ({where}): {said}", *_trusted(signer), *words]
    exempt = f"{', '.join(patterns)} first of all, and " if patterns else ""
    return case.finding(
        "tls-inspection",
        [check for check, _ in signer.met],
        sentences(told),
        where=Where.SITE,
        owner=Owner.PROXY,
        confidence=confidence,
        remedy=f"Exempt {exempt}the product's names and networks from TLS inspection.",
    )


def _trusted(signer: Signer) -> Iterator[str]:
    if signer.host_anchor:
        yield f"This host trusts it ({signer.host_anchor}); what has a trust store of its own, as phones have, does not"
    elif signer.host_was_asked:
        yield "This host does not trust it either"


def _allowed(case: Case, signer: Signer) -> tuple[list[str], list[str]]:
    """Whether the vendor allows it: names that are exempt, and what is said of the products."""
    exempt = [p for e in case.profile.exemptions for p in e.names if any(_covers(p, h) for h in signer.hosts)]
    words = [f"The vendor forbids it for {', '.join(exempt)}"] if exempt else []
    for support, verb in (("supported", "can live with it"), ("unsupported", "cannot")):
        products = [each.product for each in case.profile.inspection if each.support == support]
        if products:
            words.append(f"By the vendor's word these {verb}: {'; '.join(products)}")
    return exempt, words


def _covers(pattern: str, host: str) -> bool:
    """Stars stand for anything within a label, as the documents print them."""
    text = re.escape(pattern.lower()).replace(r"\*", "[^.]*")
    return re.fullmatch(text, host.lower()) is not None
