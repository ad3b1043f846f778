"""The report for the text-file collector."""

import re

import pytest

from readycheck.render.prometheus import render

from . import factory

LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"(readycheck_[a-z_]+)\{{({LABEL}(?:,{LABEL})*)\}} (-?[0-9.e+-]+)")


def samples(text: str) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match.group(1, 2) not in found
            found[match[1], match[2]] = float(match[3])
    return found


@pytest.mark.parametrize("state", list(factory.STATES))
def test_every_line_is_a_sample_and_every_family_is_declared_once(state: str) -> None:
    text = render(factory.STATES[state]())
    declared = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(declared) == len(set(declared))
    assert {name for name, _ in samples(text)} == set(declared)
    assert text.endswith("\n")


def test_values() -> None:
    known = samples(render(factory.not_ready()))
    common = 'profile="example",site="Berlin"'
    assert known["readycheck_score", common] == 49
    assert known["readycheck_exit_status", common] == 2
    assert known["readycheck_coverage_ratio", common] == 0.912
    assert known["readycheck_last_run_timestamp_seconds", common] == pytest.approx(1795231577.217)
    assert known["readycheck_verdict", f'{common},verdict="not-ready"'] == 1
    assert known["readycheck_verdict", f'{common},verdict="ready"'] == 0
    about = f'{common},requirement="media",importance="required",area="media reachability"'
    assert known["readycheck_requirement_status", f'{about},status="fail"'] == 1
    about = f'{common},check="sip/sip.example.com:8934",requirement="sip",probe="tls"'
    assert known["readycheck_check_rtt_seconds", about] == 0.040125


def test_what_was_not_measured_is_absent() -> None:
    text = render(factory.interrupted())
    assert "readycheck_score{" not in text
    assert 'area="media quality"' not in text


def test_the_same_series_is_never_written_twice() -> None:
    twice = factory.not_ready(findings=(factory.finding(), factory.finding(summary="elsewhere")))
    assert render(twice).count('cause="port-blocked"') == 1
