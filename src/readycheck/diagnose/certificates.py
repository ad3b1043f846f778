"""Rules for TLS: versions, suites and certificates."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.clients import listed
from readycheck.diagnose.clock import DAY_S, is_excused, is_valid_after, offsets_of, read_clock
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.inspection import chain_of
from readycheck.diagnose.server_names import zone
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import Judgement

_SUFFIX_LABEL = 3

_CAUSES = {
    "certificate-expired": (Failure.CERTIFICATE_EXPIRED,),
    "certificate-name-mismatch": (Failure.CERTIFICATE_NAME_MISMATCH,),
    "certificate-chain-incomplete": (Failure.CERTIFICATE_CHAIN_INCOMPLETE,),
    "certificate-untrusted": (Failure.CERTIFICATE_UNTRUSTED,),
    "tls-version": (Failure.TLS_VERSION, Failure.TLS_ALERT_PROTOCOL_VERSION),
    "tls-cipher": (Failure.TLS_ALERT_HANDSHAKE_FAILURE,),
}

_WORDS = {
    "certificate-expired": (
        "presents an expired certificate",
        "Renew it at the server; check this host's clock.",
    ),
    "certificate-name-mismatch": (
        "presents a certificate for another name",
        "Check that the name leads to the vendor and not to a portal, a proxy or a stale address.",
    ),
    "certificate-chain-incomplete": (
        "presents a certificate whose issuer is neither sent nor known",
        "The server must send its intermediate certificates; if a gateway answers in its place, exempt these names.",
    ),
    "certificate-untrusted": (
        "presents a chain that leads to no public authority",
        "If a gateway of yours re-signs TLS, exempt this traffic; else ask the vendor which authority signs it.",
    ),
    "tls-version": (
        "accepts no TLS version that the product allows (1.2 or later)",
        "If a gateway terminates TLS here, let it speak TLS 1.2; else the vendor's server is out of date.",
    ),
    "tls-cipher": (
        "accepts none of the product's cipher suites",
        "If a gateway terminates TLS here, allow the product's suites on it.",
    ),
}

_NOT_YET = "presents a certificate that is not valid yet"

_VENDORS = {
    "certificate-expired": "A public authority signed it for the product's own names: who shows it is the vendor.",
    "certificate-chain-incomplete": "It is for the product's own names, by an issuer with which other servers show "
    "whole chains to a public authority: who shows it is the vendor.",
}


def tls_trouble(case: Case) -> Iterator[Finding]:
    """One finding for each way in which handshakes fail."""
    for cause, failures in _CAUSES.items():
        bad = {c.check for _, c in case.failing if c.status in (Judgement.FAIL, Judgement.WARN)}
        met = _blamed(case, bad, [*_met(case, failures)])
        checks = [check for check, _ in met if check in bad]
        if checks:
            own = [o for check, o in met if check in bad]
            yield _finding(case, cause, checks, own, [o for _, o in met])


def _met(case: Case, failures: Sequence[Failure]) -> Iterator[tuple[str, Observation]]:
    for outcome, o in case.observations():
        if (
            o.step is Step.TLS_HANDSHAKE
            and o.failure in failures
            and outcome.check.scope is not Scope.FOLLOW_UP
        ):
            yield outcome.check.id, o


def _blamed(
    case: Case, bad: Collection[str], met: Sequence[tuple[str, Observation]]
) -> Sequence[tuple[str, Observation]]:
    """Without what this host's clock is to blame for; where that is all, clock-skew explains the whole finding."""
    clock = read_clock(case)
    if clock is None:
        return met
    rest = [(check, o) for check, o in met if not is_excused(o, clock)]
    return rest if any(check in bad for check, _ in rest) else met


def _finding(
    case: Case, cause: str, checks: Sequence[str], own: Sequence[Observation], seen: Sequence[Observation]
) -> Finding:
    """`seen` has the controls too, which are named after the product's `own`."""
    what, remedy = _WORDS[cause]
    what = _NOT_YET if all(map(_is_early, seen)) and cause == "certificate-expired" else what
    places = list(dict.fromkeys(str(o.target) for o in (*own, *seen)))
    shown = f"{'Each of ' * (len(places) > 1)}{listed(places)}"
    told = "; ".join(_told(cause, next(filter(None, map(chain_of, (*own, *seen))), ())))
    vendors = all(_is_vendors(case, cause, o.facts.get("tls") or {}) for o in seen)
    doubted = cause == "certificate-expired" and _is_doubted(case, own)
    whose = f" {_VENDORS[cause]}" if vendors else f" {_DOUBT}" if doubted else ""
    sure = len(set(checks)) > 1 and not doubted
    return case.finding(
        cause,
        checks,
        f"{shown} {what}{f' ({told})' if told else ''}.{whose}",
        where=Where.VENDOR if vendors else Where.UNKNOWN,
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        remedy=remedy,
    )


_DOUBT = "By a time server's word this host's clock is wrong, and what it takes for expired may not be."


def _is_doubted(case: Case, own: Sequence[Observation]) -> bool:
    """Time servers give a time at which these are valid, too few to be believed and not outvoted."""
    offsets = offsets_of(case).values()
    excusing = sum(all(is_valid_after(o, ms) for o in own) for ms in offsets)
    return 0 < excusing and 2 * excusing >= len(offsets)


def _is_early(observation: Observation) -> bool:
    """By this host's clock."""
    return float((observation.facts.get("tls") or {}).get("age_days") or 0.0) < 0


def _told(cause: str, chain: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a certificate says of itself, as far as it shows what is wrong."""
    if not chain:
        return
    leaf = chain[0]
    if cause == "certificate-expired" and leaf.get("not_after"):
        yield f"valid from {leaf['not_before'][:10]} to {leaf['not_after'][:10]}"
    if cause == "certificate-name-mismatch" and leaf.get("names"):
        yield f"made for {listed(leaf['names'])}"
    yield f"issuer: {chain[-1]['issuer']}"


# --- whose certificate it is --------------------------------------------------------------------------


def _is_vendors(case: Case, cause: str, shown: dict[str, Any]) -> bool:
    """A public authority gave it to who owns the product's names: a device on the way signs with one of its own."""
    leaf = next(iter(shown.get("chain") or ()), None)
    if leaf is None or not _is_of_product(case, leaf.get("names") or ()):
        return False
    if cause == "certificate-expired":
        return bool(shown.get("anchor")) and _is_past_by_any_clock(case, leaf, shown.get("age_days"))
    return cause in _VENDORS and leaf["issuer"] in _public_issuers(case)


def _is_of_product(case: Case, names: Sequence[str]) -> bool:
    """One of the names is of the vendor's; those of a customer's own are not."""
    checks = (outcome.check for outcome in case.outcomes if outcome.check.requirement)
    owners = {_owner(check.target.host) for check in checks if check.target.host and "{" not in check.group}
    return any(_owner(name) in owners for name in names)


def _owner(name: str) -> str:
    """What is registered: under `co.uk` and the like, with a label more than elsewhere."""
    registered = zone(name)
    suffix = all(len(label) <= _SUFFIX_LABEL for label in registered.split("."))
    return ".".join(name.lower().rstrip(".").split(".")[-3:]) if suffix else registered


def _is_past_by_any_clock(case: Case, leaf: dict[str, Any], age_days: float | None) -> bool:
    """The leaf ran out by this host's clock, and by that of every time server."""
    offsets = offsets_of(case).values()
    if age_days is None or not offsets:
        return False
    life = datetime.fromisoformat(leaf["not_after"]) - datetime.fromisoformat(leaf["not_before"])
    return age_days + min(0.0, *offsets) / 1000 / DAY_S > life.total_seconds() / DAY_S


def _public_issuers(case: Case) -> set[str]:
    """Who signed the certificates of which a whole chain to a public authority was shown."""
    handshakes = (o.facts.get("tls") or {} for _, o in case.observations() if o.failure is None)
    return {tls["chain"][0]["issuer"] for tls in handshakes if tls.get("anchor") and tls.get("chain")}
