"""Rules for TLS: versions, suites and certificates."""

from collections.abc import Iterator, Sequence

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.diagnose.inspection import issuer_of
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import Judgement

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


def tls_trouble(case: Case) -> Iterator[Finding]:
    """One finding for each way in which handshakes fail."""
    for cause, failures in _CAUSES.items():
        met = [
            (outcome.check.id, o)
            for outcome, o in case.observations()
            if o.step is Step.TLS_HANDSHAKE and o.failure in failures
            if outcome.check.scope is not Scope.FOLLOW_UP
        ]
        bad = {c.check for _, c in case.failing if c.status in (Judgement.FAIL, Judgement.WARN)}
        checks = [check for check, _ in met if check in bad]
        if checks:
            yield _finding(case, cause, checks, [o for _, o in met])


def _finding(case: Case, cause: str, checks: Sequence[str], seen: Sequence[Observation]) -> Finding:
    what, remedy = _WORDS[cause]
    places = sorted({str(o.target) for o in seen})
    where = places[0] + (f" (and {len(places) - 1} more)" if len(places) > 1 else "")
    issuer = next(filter(None, map(issuer_of, seen)), "")
    return case.finding(
        cause,
        checks,
        f"{where} {what}" + (f" (issuer: {issuer})." if issuer else "."),
        confidence=Confidence.CERTAIN if len(set(checks)) > 1 else Confidence.LIKELY,
        remedy=remedy,
    )
