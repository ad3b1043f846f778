"""One message for a cause, none at night, and one when it is over."""

from dataclasses import replace

import pytest

from readycheck.alert.decision import Message, Rules, Subject, Told, decide, is_quiet
from readycheck.regression.policy import DAY_S, HOUR_S
from readycheck.regression.state import Event, Kind

NOON = 1_800_014_400.0  # 12:00 UTC
ABOUT = Subject(series="s", site="attic", profile="example", run="r1")
RULES = Rules()


def event(key: str = "cause:udp-blocked", kind: Kind = Kind.RAISED, **changes: object) -> Event:
    made = Event(kind=kind, key=key, title=f"{key}.", since=NOON, moment=NOON, run="r1")
    return replace(made, **changes)  # type: ignore[arg-type]


def play(*steps: tuple[float, list[Event]], rules: Rules = RULES) -> list[Message]:
    told, sent = Told(), []
    for hours, events in steps:
        told, messages = decide(told, events, rules, NOON + hours * HOUR_S, ABOUT)
        sent += messages
    assert len({message.id for message in sent}) == len(sent)
    return sent


def test_it_is_told_and_so_is_its_end() -> None:
    sent = play((0, [event()]), (1, []), (2, [event(kind=Kind.OVER)]))
    assert [m.kind for m in sent] == ["raised", "over"]
    assert sent[0].title == "attic, example: worse: cause:udp-blocked."


def test_figures_of_one_metric_are_one_trouble() -> None:
    keys = [f"figure:{name}/rtt_ms" for name in ("sip", "stun", "web")]
    sent = play(
        (0, [event(key, normal=40.0, value=90.0) for key in keys[:2]]),
        (1, [event(keys[2])]),
        (2, [event(key, Kind.OVER) for key in keys[:2]]),
        (3, [event(keys[2], Kind.OVER)]),
    )
    assert [m.kind for m in sent] == ["raised", "over"]
    assert "figure:sip/rtt_ms.: 90, normal is 40; " in sent[0].text


def test_what_goes_on_is_told_again_each_day() -> None:
    steps = [(float(hour), [event()] if not hour else []) for hour in range(60)]
    assert [m.kind for m in play(*steps)] == ["raised", "still", "still"]
    assert [m.kind for m in play(*steps, rules=Rules(repeat_s=0))] == ["raised"]


def test_a_clock_that_went_back_silences_nothing() -> None:
    sent = play((0, [event()]), (-1000, []), (-1000 + 25, []))
    assert [m.kind for m in sent] == ["raised", "still"]


NIGHT = Rules(quiet=((22 * 60, 7 * 60),))


def test_at_night_it_waits() -> None:
    assert [m.kind for m in play((11, [event()]), (15, []), rules=NIGHT)] == []
    assert [m.kind for m in play((11, [event()]), (15, []), (19.5, []), rules=NIGHT)] == ["raised"]


def test_what_was_over_before_the_morning_is_one_message() -> None:
    sent = play((11, [event()]), (15, [event(kind=Kind.OVER)]), (19.5, []), rules=NIGHT)
    assert [m.kind for m in sent] == ["over"]


def test_an_outage_is_one_message() -> None:
    outage = event("network", Kind.OUTAGE)
    assert [m.key for m in play((0, [outage]), (1, []))] == ["network"]


@pytest.mark.parametrize(
    ("zone", "hours", "quiet"),
    [("UTC", 9, False), ("Europe/Berlin", 9, True), ("UTC", 18.9, True), ("UTC", 19, False)],
)
def test_quiet_hours_are_the_zones(zone: str, hours: float, quiet: bool) -> None:
    assert is_quiet(replace(NIGHT, zone=zone), NOON + hours * HOUR_S) is quiet


def test_the_same_is_worked_out_twice() -> None:
    assert decide(Told(), [event()], RULES, NOON, ABOUT) == decide(Told(), [event()], RULES, NOON, ABOUT)
    assert NOON % DAY_S == 12 * HOUR_S
