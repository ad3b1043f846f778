"""One message for a cause, none at night, and one when it is over."""

import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import pytest

from readycheck.alert.decision import Hint, Message, Rules, Subject, Told, decide, is_quiet
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


KEYS = [f"figure:{name}" for name in ("sip/rtt_ms", "stun/rtt_ms", "web/handshake_ms")]


def test_figures_that_become_worse_together_are_one_trouble() -> None:
    sent = play(
        (0, [event(key, normal=40.0, value=90.0) for key in KEYS[:2]]),
        (1, [event(KEYS[2])]),
        (2, [event(key, Kind.OVER) for key in KEYS[:2]]),
        (3, [event(KEYS[2], Kind.OVER)]),
    )
    assert [m.kind for m in sent] == ["raised", "over"]
    assert "figure:sip/rtt_ms.: 90, normal is 40; " in sent[0].text


def test_a_figure_that_becomes_worse_much_later_is_another_trouble() -> None:
    sent = play((0, [event(KEYS[0])]), (12, [event(KEYS[1], since=NOON + 12 * HOUR_S)]))
    assert [m.key for m in sent] == KEYS[:2]


def test_figures_are_a_part_of_the_cause_that_came_with_them() -> None:
    over = [event(kind=Kind.OVER)]
    sent = play((0, [event()]), (1, [event(KEYS[0])]), (9, over), (9.5, [event(KEYS[0], Kind.OVER)]))
    assert [(m.kind, m.key) for m in sent] == [("raised", event().key), ("over", event().key)]


def test_figures_that_stay_when_the_cause_is_gone_are_told_of_a_day_later() -> None:
    sent = play(
        (0, [event()]),
        (1, [event(KEYS[0])]),
        (9, [event(kind=Kind.OVER)]),
        (34, []),
        (40, [event(KEYS[0], Kind.OVER)]),
    )
    assert [(m.kind, m.key) for m in sent[2:]] == [("still", KEYS[0]), ("over", KEYS[0])]


def test_a_figure_that_becomes_worse_when_the_cause_is_gone_is_told() -> None:
    over = [event(kind=Kind.OVER)]
    sent = play((0, [event()]), (1, [event(KEYS[0])]), (3, over), (4, [event(KEYS[1])]))
    assert [m.key for m in sent] == [event().key, event().key, KEYS[1]]


def test_a_cause_that_comes_back_while_its_figures_are_not_over_is_told() -> None:
    sent = play((0, [event()]), (1, [event(KEYS[0])]), (9, [event(kind=Kind.OVER)]), (9.2, [event()]))
    assert [m.kind for m in sent] == ["raised", "over", "raised"]


def test_two_causes_are_two_troubles() -> None:
    other = event("cause:dns-slow")
    sent = play((0, [event(), other]), (1, [event(kind=Kind.OVER)]), (2, [replace(other, kind=Kind.OVER)]))
    assert [m.kind for m in sent] == ["raised", "raised", "over", "over"]


def test_the_first_suspect_of_the_run_that_was_worse_first_is_named_for_a_figure() -> None:
    hint = Hint(text="egress address: it is another.", explains=("sip/rtt_ms",), moment=NOON)
    told, _ = decide(Told(), [], RULES, NOON, replace(ABOUT, hint=hint))
    for event_, named in (
        (event(KEYS[0]), True),
        (event(KEYS[1]), True),
        (event(KEYS[2]), False),
        (event(), False),
    ):
        _, (message,) = decide(told, [event_], RULES, NOON + HOUR_S, ABOUT)
        assert ("First suspect: egress address" in message.text) is named


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


def test_a_host_without_time_zones_has_a_night_in_utc() -> None:
    """As Windows, and a container without tzdata."""
    script = (
        "import sys, zoneinfo\n"
        "zoneinfo.reset_tzpath([])\n"
        "sys.modules['tzdata'] = None\n"
        "from readycheck.alert.decision import Rules, is_quiet\n"
        "from readycheck.cli.alerting import alerting\n"
        "alerting(['command:true'], '22:00-07:00', None)\n"
        "print(is_quiet(Rules(), 0.0), is_quiet(Rules(quiet=((0, 60),)), 0.0))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("False True\n", "")


@pytest.mark.parametrize(
    ("zone", "hours", "quiet"),
    [("UTC", 9, False), ("Europe/Berlin", 9, True), ("UTC", 18.9, True), ("UTC", 19, False)],
)
def test_quiet_hours_are_the_zones(zone: str, hours: float, quiet: bool) -> None:
    assert is_quiet(replace(NIGHT, zone=zone), NOON + hours * HOUR_S) is quiet


def utc(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("zone", "quiet", "loud"),
    [
        ("Europe/Berlin", ("2026-03-28T21:00", "2026-03-29T04:59"), ("2026-03-28T20:59", "2026-03-29T05:00")),
        ("Europe/Berlin", ("2026-10-24T20:00", "2026-10-25T05:59"), ("2026-10-24T19:59", "2026-10-25T06:00")),
        ("America/Los_Angeles", ("2026-07-01T05:00", "2026-07-01T13:59"), ("2026-07-01T04:59",)),
        (
            "Asia/Kathmandu",
            ("2026-07-01T16:15", "2026-07-02T01:14"),
            ("2026-07-01T16:14", "2026-07-02T01:15"),
        ),
    ],
)
def test_a_night_goes_over_midnight_and_over_the_change_of_clocks(
    zone: str, quiet: tuple[str, ...], loud: tuple[str, ...]
) -> None:
    rules = replace(NIGHT, zone=zone)
    assert [is_quiet(rules, utc(text)) for text in quiet] == [True] * len(quiet)
    assert [is_quiet(rules, utc(text)) for text in loud] == [False] * len(loud)


def test_what_is_held_back_goes_out_with_the_first_run_of_the_morning() -> None:
    """22:00 to 07:00 in Berlin, in winter."""
    rules = replace(NIGHT, zone="Europe/Berlin")
    begun = utc("2026-01-10T21:05")
    told, sent = Told(), {}
    for number in range(40):
        now = begun + number * 900.0
        events = [event(moment=now, since=now)] if not number else []
        told, messages = decide(told, events, rules, now, ABOUT)
        sent |= {message.kind: now for message in messages}
    assert sent == {"raised": utc("2026-01-11T06:05")}


def test_the_same_is_worked_out_twice() -> None:
    assert decide(Told(), [event()], RULES, NOON, ABOUT) == decide(Told(), [event()], RULES, NOON, ABOUT)
    assert NOON % DAY_S == 12 * HOUR_S
