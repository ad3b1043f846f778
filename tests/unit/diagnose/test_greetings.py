"""How greetings end, and what one name's greetings say together."""

from dataclasses import replace
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


# --- silence by name, or by chance ---

PASSES = (greeting("decoy"), greeting("decoy"), greeting("segments"), greeting("records"))
SILENT = (greeting("asked", LOST), greeting("asked", LOST))
FAR = (*ladder("asked", HOP, LOST, LOST, LOST, LOST), *ladder("decoy", HOP, HOP, None, None, None))


def test_silence_of_a_few_flows_may_be_the_luck_of_each() -> None:
    few = trial(*SILENT, *PASSES)
    assert few.luck == pytest.approx(1 / 6)
    assert not few.is_by_chance  # and no more than possible


def test_silence_at_every_hop_limit_at_which_another_name_is_answered_is_no_luck() -> None:
    many = trial(*SILENT, *PASSES, rungs=FAR)
    assert many.luck == pytest.approx(1 / 924)
    assert not many.is_by_chance


def test_a_decoy_that_is_lost_as_well_speaks_for_chance() -> None:
    unlucky = trial(
        *SILENT, greeting("decoy", LOST), greeting("decoy"), greeting("nameless"), greeting("segments")
    )
    assert unlucky.guilty and unlucky.is_by_chance


def test_a_hop_limit_that_nothing_is_heard_from_tells_nothing() -> None:
    quiet = (*ladder("asked", HOP, LOST, LOST), *ladder("decoy", HOP, LOST, LOST))
    assert trial(*SILENT, *PASSES, rungs=quiet).luck == trial(*SILENT, *PASSES).luck


def test_a_greeting_that_came_through_once_is_not_dropped_by_name() -> None:
    once = (*ladder("asked", HOP, HOP, LOST, None, LOST), *ladder("decoy", HOP, HOP, None, LOST, LOST))
    assert trial(*SILENT, *PASSES, rungs=once).kill is None
    assert replace(trial(*SILENT, *PASSES), answered=True).kill is None


def test_who_resets_may_lose_the_race_against_the_server() -> None:
    cut = (greeting("asked", CUT), greeting("asked", CUT))
    assert trial(*cut, *PASSES, rungs=ladder("asked", HOP, CUT, None)).kill is Fate.CUT
    assert trial(*cut, *PASSES).luck == 0.0


@pytest.mark.parametrize(("unacked", "chance"), [(0, True), (1, False), (None, False)])
def test_a_greeting_that_was_acknowledged_was_not_dropped(unacked: int | None, chance: bool) -> None:
    facts = {} if unacked is None else {"unacked": unacked}
    silent = seen(Step.TLS_HANDSHAKE, AT, LOST, variant="asked", **facts)
    assert trial(silent, silent, *PASSES).is_by_chance is chance
    assert not trial(
        silent, silent, *PASSES, rungs=FAR
    ).is_by_chance  # a box that takes connections may be silent
