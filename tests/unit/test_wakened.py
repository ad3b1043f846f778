"""Which name servers were silent as all were, and answered when they were asked later."""

from dataclasses import replace

import pytest

from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.wakened import are_all_silent, waking
from tests.unit.builders import RESOLVER, make_check, make_outcome, seen

SERVER = Target(host="example.com", address=RESOLVER, port=53, transport="udp")


def asked(*answers: Failure | None, scope: Scope = Scope.FOLLOW_UP, from_ms: float = 4000.0) -> Outcome:
    said = [
        replace(seen(Step.RESPONSE, SERVER, failure), started_ms=from_ms + n * 200.0)
        for n, failure in enumerate(answers)
    ]
    name = "dns-udp/x" if scope is Scope.RESOLVERS else f"lookups/{RESOLVER}"
    return make_outcome(make_check(name, scope=scope), *said)


SILENT = asked(Failure.TIMED_OUT, Failure.TIMED_OUT, scope=Scope.RESOLVERS, from_ms=0.0)


def test_questions_are_counted_from_the_first_that_was_answered() -> None:
    found = waking([SILENT, asked(Failure.TIMED_OUT, None, Failure.TIMED_OUT, None, Failure.DNS_NXDOMAIN)])
    assert found is not None
    assert (found.silent_ms, found.answered, found.asked) == (4200.0, 3, 4)
    assert found.servers == {RESOLVER}


@pytest.mark.parametrize(
    "answers", [(None, None), (Failure.TIMED_OUT,) * 4, (None, None, None, Failure.DNS_SERVFAIL), ()]
)
def test_a_few_answers_and_refusals_are_no_waking(answers: tuple[Failure | None, ...]) -> None:
    assert waking([SILENT, asked(*answers)]) is None


def test_a_server_that_answered_or_refused_at_first_was_never_silent() -> None:
    assert not are_all_silent([])
    assert not are_all_silent([SILENT, asked(None, scope=Scope.RESOLVERS)])
    assert not are_all_silent([asked(Failure.PORT_UNREACHABLE, scope=Scope.RESOLVERS)])
    assert waking([asked(None, scope=Scope.RESOLVERS), asked(None, None, None)]) is None
