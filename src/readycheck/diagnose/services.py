"""What the product's servers say themselves: errors, or another protocol than theirs. The way to them is open."""

from collections.abc import Iterator
from dataclasses import replace

from readycheck.check_verdict import foreign_words, have_certificates
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Severity, Where
from readycheck.failure import Failure, Step
from readycheck.verdict import Judgement

_SIP_ERRORS = range(500, 600)


def service_failing(case: Case) -> Iterator[Finding]:
    """Servers answer with an error."""
    for requirement, verdict in case.failing:
        if verdict.status is Judgement.FAIL and verdict.failure is Failure.HTTP_STATUS:
            yield case.finding(
                "service-down",
                [verdict.check],
                f"A server of the product answers with an error ({requirement.title}).",
                where=Where.VENDOR,
                confidence=Confidence.LIKELY,
                remedy="Check the vendor's status page.",
            )


def signalling_failing(case: Case) -> Iterator[Finding]:
    """Every SIP server says that it cannot serve (RFC 3261 section 21.5), at two addresses or more.

    The way there is open, and a server may refuse a stranger's OPTIONS so: it is told, and fails nothing.
    """
    told = [
        (outcome.check.id, o)
        for outcome, o in case.observations()
        if outcome.check.probe == "sip" and o.step is Step.RESPONSE and "status" in o.facts
    ]
    errors = [(check, o) for check, o in told if o.facts["status"] in _SIP_ERRORS]
    if len({o.target.address for _, o in errors}) > 1 and len(errors) == len(told):
        said = ", ".join(sorted({str(o.facts["status"]) for _, o in errors}))
        found = case.finding(
            "service-down",
            [check for check, _ in errors],
            f"All {len(errors)} SIP servers that answered OPTIONS said {said}: the way to them is open, and whether "
            "they would serve a phone is not known.",
            confidence=Confidence.POSSIBLE,
            remedy="Look at the state of the service (the vendor's status page, your own PBX) before you look for a "
            "fault of the network.",
        )
        yield replace(found, severity=Severity.NOTE)


def service_replaced(case: Case) -> Iterator[Finding]:
    """Something answers in the service's place, in another protocol.

    Without a handshake before, whose certificate was accepted, anybody on the way may have answered.
    """
    failed = [
        (c.check, foreign_words(case.by_check[c.check]))
        for _, c in case.failing
        if c.status is Judgement.FAIL
    ]
    met = [(check, said) for check, said in failed if said]
    if met:
        heard = [o for _, said in met for o in said]
        places = list(dict.fromkeys(str(o.target) for o in heard))
        yield case.finding(
            "service-down",
            [check for check, _ in met],
            f"{places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''} answered, and not in the protocol "
            f"of the service: {heard[0].detail}.",
            confidence=Confidence.LIKELY
            if all(have_certificates(case.by_check[check], said) for check, said in met)
            else Confidence.POSSIBLE,
            remedy="Check whether a gateway of yours answers in the service's place; if none does, look at the "
            "vendor's status page.",
        )
