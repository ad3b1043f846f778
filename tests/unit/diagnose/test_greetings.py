"""How greetings end, and what one name's greetings say together."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Where
from readycheck.diagnose.greetings import KILLS, Fate, Trial, fate, lives
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from tests.unit.builders import seen

AT = Target(host="a.example", address="192.0.2.1", port=443)
CUT, LOST = Failure.CONNECTION_RESET, Failure.TIMED_OUT


def greeting(variant: str, failure: Failure | None = None, **tls: Any) -> Observation:
    return seen(Step.TLS_HANDSHAKE, AT, failure, variant=variant, **({"tls": tls} if tls else {}))


def rung(variant: str, ttl: int, failure: Failure | None) -> Observation:
    return seen(Step.HOP, AT, failure, variant=variant, ttl=ttl, purpose="greeting")


def trial(
    *greetings: Observation, rungs: tuple[Observation, ...] = (), harmless: tuple[Fate, ...] = ()
) -> Trial:
    return Trial("a.example", "192.0.2.1:443", "sni/a.example:443", greetings, rungs, harmless)


@pytest.mark.parametrize(
    ("failure", "tls", "expected"),
    [
        (None, {}, Fate.ANSWER),
        (None, {"trust_failure": "certificate_untrusted"}, Fate.FOREIGN),
        (None, {"name_matches": False}, Fate.FOREIGN),
        (None, {"name_matches": None, "trust_failure": None}, Fate.ANSWER),
        (Failure.CONNECTION_RESET, {}, Fate.CUT),
        (Failure.CONNECTION_CLOSED, {}, Fate.CUT),
        (Failure.TIMED_OUT, {}, Fate.SILENCE),
        (Failure.TLS_NOT_TLS, {}, Fate.PAGE),
        (Failure.TLS_ALERT_UNRECOGNIZED_NAME, {}, Fate.ALERT),
        (Failure.HOST_UNREACHABLE, {}, Fate.EXPIRED),
        (Failure.TLS_LOCAL, {}, Fate.OTHER),
    ],
)
def test_every_end_has_its_fate(failure: Failure | None, tls: dict[str, Any], expected: Fate) -> None:
    assert fate(greeting("asked", failure, **tls)) is expected


def test_an_answer_that_began_to_come_was_not_kept_from_the_server() -> None:
    """A line may be too slow for the rest of it."""
    slow, silent = (
        seen(Step.TLS_HANDSHAKE, AT, LOST, variant="elsewhere", received_bytes=size) for size in (2896, 0)
    )
    assert (fate(slow), fate(silent)) == (Fate.OTHER, Fate.SILENCE)
    assert trial(greeting("asked", LOST), silent, harmless=(Fate.ANSWER,)).guilty
    assert not trial(greeting("asked", LOST), slow, harmless=(Fate.ANSWER,)).guilty


def test_nothing_lives_by_the_end_that_another_meets() -> None:
    assert not any(lives(kill, kill) for kill in KILLS)
    assert lives(Fate.ALERT, Fate.CUT) and lives(Fate.FOREIGN, Fate.SILENCE)
    assert not lives(Fate.ALERT, Fate.FOREIGN)
    assert not lives(Fate.SILENCE, Fate.CUT)


def test_one_that_lived_once_is_not_killed() -> None:
    assert trial(greeting("asked", CUT), greeting("asked", CUT)).kill is Fate.CUT
    assert trial(greeting("asked", CUT), greeting("asked")).kill is None
    assert trial(greeting("asked", Failure.TLS_LOCAL)).kill is None
    assert trial().kill is None


def test_a_shape_that_passes_needs_an_address_that_answers_other_names() -> None:
    dead = (greeting("asked", CUT), greeting("decoy", CUT), greeting("segments"))
    assert trial(*dead).evaded == ()
    assert trial(*dead, greeting("nameless")).evaded == ("segments",)


def test_a_name_that_lives_elsewhere_acquits_the_network() -> None:
    shown = (greeting("asked", CUT), greeting("decoy"), greeting("records"))
    assert trial(*shown).guilty
    assert not trial(*shown, greeting("elsewhere")).guilty


def test_elsewhere_counts_where_a_strange_name_lives() -> None:
    shown = (greeting("asked", CUT), greeting("elsewhere", CUT))
    assert trial(*shown, harmless=(Fate.ANSWER,)).elsewhere
    assert trial(*shown, harmless=(Fate.ALERT,)).elsewhere
    assert trial(
        *shown, harmless=(Fate.PAGE,)
    ).elsewhere  # a box that shows a page to one name and cuts another
    assert not trial(*shown, harmless=(Fate.CUT,)).elsewhere
    assert not trial(*shown).elsewhere
    assert not trial(greeting("asked", CUT), greeting("elsewhere", LOST), harmless=(Fate.ANSWER,)).elsewhere


def ladder(variant: str, *ends: Failure | None) -> tuple[Observation, ...]:
    return tuple(rung(variant, ttl, end) for ttl, end in enumerate(ends, 1))


HOP = Failure.HOST_UNREACHABLE


def test_one_hop_limit_is_not_enough() -> None:
    once = trial(
        greeting("asked", CUT), rungs=(*ladder("asked", HOP, CUT, CUT), *ladder("decoy", HOP, HOP, None))
    )
    assert not once.on_the_way
    twice = trial(
        greeting("asked", CUT), rungs=(*ladder("asked", HOP, CUT, CUT), *ladder("decoy", HOP, HOP, LOST))
    )
    assert twice.on_the_way


def test_an_end_from_as_far_as_the_server_has_no_place_unless_that_is_near() -> None:
    """A proxy that ends connections answers the decoy as near as it kills the other."""
    proxy = trial(greeting("asked", CUT), rungs=(*ladder("asked", HOP, CUT), *ladder("decoy", HOP, None)))
    assert proxy.place(5).where is Where.SITE
    assert proxy.place(0).where is Where.UNKNOWN
    assert proxy.place(None).where is Where.UNKNOWN


def test_silence_that_ends_where_a_decoy_goes_on() -> None:
    rungs = (*ladder("asked", HOP, HOP, LOST, LOST, LOST), *ladder("decoy", HOP, HOP, HOP, HOP, None))
    lost = trial(greeting("asked", LOST), rungs=rungs)
    assert (lost.reached, lost.on_the_way) == (2, True)
    assert lost.place(2).where is Where.SITE
    assert lost.place(1).where is Where.ISP
    assert lost.place(None).where is Where.UNKNOWN


def test_silence_of_both_has_no_place() -> None:
    rungs = (*ladder("asked", HOP, LOST, LOST), *ladder("decoy", HOP, LOST, LOST))
    assert not trial(greeting("asked", LOST), rungs=rungs).on_the_way
