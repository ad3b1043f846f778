"""Greetings that die by the TLS version that they offer."""

from collections.abc import Callable
from dataclasses import replace

from readycheck.diagnose.finding import Confidence
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Check
from readycheck_probes.sni import Greeting, SniParams, Variant, older, shuffled
from tests.unit.builders import Result, World, conclude_from, make_outcome, seen
from tests.unit.diagnose.boxes import asked
from tests.unit.diagnose.test_server_names import CONTROL, FILTERED, product

CUT = Failure.CONNECTION_RESET
NAMES = (*FILTERED, "gone.example.com", CONTROL)
Ends = Callable[[Greeting], Failure | None]


def by_version(greeting: Greeting) -> Failure | None:
    return None if greeting.variant is Variant.OLDER else CUT


def measure(check: Check, ends: Ends) -> Outcome:
    params = check.params
    assert isinstance(params, SniParams)
    found = []
    for each in [*shuffled(params), *older(params)]:
        at = Target(host=each.target.host, address=each.at.address, port=each.at.port, sni=each.server_name)
        about = f"{each.target.address}:{each.target.port}"
        failure = ends(each)
        shown = {} if failure else {"tls": {"chain": [], "trust_failure": None}}
        facts = {"variant": each.variant.value, "asked": each.target.host, "about": about, **shown}
        found.append(seen(Step.TLS_HANDSHAKE, replace(at, transport="tls"), failure, **facts))
    return make_outcome(check, *found)


def behind(ends: Ends, *names: str, purpose: str = "tls1.2") -> Result:
    """All but `names` die; at the control the greeting of old devices was answered, and so it is known."""
    dead = names or tuple(name for name in NAMES if name != CONTROL)
    world = World(profile=product(), greet=lambda t: CUT if t.host in dead else None)
    outcomes = [_said(outcome, purpose) for outcome in world.outcomes()]
    return conclude_from(world, (*outcomes, *(measure(check, ends) for check in asked(world, outcomes))))


def _said(outcome: Outcome, purpose: str) -> Outcome:
    told = (
        replace(o, facts={**o.facts, "purpose": purpose}) if o.step is Step.TLS_HANDSHAKE else o
        for o in outcome.observations
    )
    return replace(outcome, observations=tuple(told))


def causes(result: Result) -> set[str]:
    return {finding.cause for finding in result.findings}


def test_only_what_offers_less_is_completed() -> None:
    (found,) = [f for f in behind(by_version).findings if f.cause == "tls-version"]
    assert found.confidence is Confidence.LIKELY
    assert "that offer TLS 1.3 are cut off" in found.summary
    assert "a host outside the product" in found.summary
    assert found.affects == ("web",)
    assert "exempt" in found.remedy


def test_where_less_dies_as_well_the_version_is_no_matter() -> None:
    assert "tls-version" not in causes(behind(lambda greeting: CUT))


def test_what_is_completed_by_turns_shows_nothing() -> None:
    turns = iter(range(1000))

    def ends(greeting: Greeting) -> Failure | None:
        return None if greeting.variant is Variant.OLDER and next(turns) % 2 else CUT

    assert "tls-version" not in causes(behind(ends))


def test_silence_shows_nothing_since_the_newer_greeting_is_the_longer_one() -> None:
    def ends(greeting: Greeting) -> Failure | None:
        return None if greeting.variant is Variant.OLDER else Failure.TIMED_OUT

    assert "tls-version" not in causes(behind(ends))


def test_an_answer_to_what_offers_all_on_the_same_port_acquits() -> None:
    assert "tls-version" not in causes(behind(by_version, purpose="client"))


def test_a_name_that_lives_elsewhere_acquits() -> None:
    def ends(greeting: Greeting) -> Failure | None:
        return None if greeting.variant in (Variant.OLDER, Variant.STRANGE) else CUT

    assert "tls-version" not in causes(behind(ends))
