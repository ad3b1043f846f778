"""What `demo` does before it builds a world, and what it hands to the agent."""

from typing import Any

import pytest

from readycheck.__main__ import main
from readycheck.cli import demo
from readycheck.cli.app import command
from readycheck.twin.scenarios import SCENARIOS


def forwarded(*arguments: str) -> list[str]:
    tree: Any = command()
    context = tree.commands["demo"].make_context("demo", list(arguments))
    return list(demo._forwarded(context))


def test_the_scenarios_are_listed_with_cause_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["SCENARIO", "CAUSE", "EXIT", "WHAT", "IS", "BROKEN"]
    assert [row.split()[0] for row in rows] == list(SCENARIOS)
    for row, scenario in zip(rows, SCENARIOS.values(), strict=True):
        assert f"  {scenario.exit_status}  " in row
        assert all(cause in row for cause in scenario.causes)


def test_an_unknown_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--break", "everything"]) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith("readycheck: --break everything: no such scenario (known: none, ")


def test_what_is_not_given_is_not_handed_on() -> None:
    assert forwarded() == []
    assert (
        forwarded("webex-calling", "--break", "udp-blocked", "--seed", "4", "--site", "x", "--loopback") == []
    )


def test_what_is_the_agents_is_handed_on_as_it_was_given() -> None:
    given = (
        *("--role", "app", "--role", "device", "--set", "ntp-server=ntp.example.com"),
        *("--profile-dir", "mine", "--profile-dir", "ours"),
        *("--target", "sip.example.com", "--quick", "--deadline", "7.5", "--no-controls"),
        *("--format", "json", "--output", "-odd.json", "--quiet", "--verbose"),
    )
    assert sorted(forwarded(*given)) == sorted(given)


def test_another_product_may_not_ask_for_what_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_play", lambda *_, **__: 0)
    assert main(["demo", "starface", "--break", "udp-blocked", "--no-store"]) == 0
    assert "nothing that this run asks for is broken by udp-blocked" in capsys.readouterr().err


def test_a_list_states_no_exit_status_that_no_test_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "starface", "--list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["SCENARIO", "CAUSE", "WHAT", "IS", "BROKEN"]
    assert [row.split()[0] for row in rows[: len(SCENARIOS)]] == list(SCENARIOS)
    assert rows[-2].startswith("A run of starface names the cause if it asks for what is broken")
    assert any(line.endswith("this profile has no media ranges that could be broken") for line in rows)


def test_a_list_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "screen", lambda: (90, False))
    assert main(["demo", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 90
    assert sum(not line.startswith(" ") for line in lines) == 1 + len(SCENARIOS)


def test_a_list_of_no_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "nosuch", "--list"]) == 3
    assert capsys.readouterr().err.startswith("readycheck: profile 'nosuch' is not known")
