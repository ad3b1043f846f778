"""The report as JUnit XML."""

from xml.etree import ElementTree

import pytest

from readycheck.engine import RunState
from readycheck.render.junit import render

from . import factory


def suite(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    found = root.find("testsuite")
    assert root.tag == "testsuites"
    assert found is not None
    return found


def fates(text: str) -> dict[str, str]:
    kinds = ("failure", "error", "skipped")
    return {
        case.attrib["name"]: next((kind for kind in kinds if case.find(kind) is not None), "passed")
        for case in suite(text).iter("testcase")
    }


@pytest.mark.parametrize("state", list(factory.STATES))
def test_it_is_well_formed_and_counts_right(state: str) -> None:
    text = render(factory.STATES[state]())
    found, told = fates(text), suite(text).attrib
    assert int(told["tests"]) == len(found)
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(told[attribute]) == list(found.values()).count(kind)


def test_failed_crashed_and_unknown_are_kept_apart() -> None:
    assert fates(render(factory.not_ready())) == {
        "sip": "passed",
        "media": "failure",
        "dns": "passed",
        "firmware": "error",
        "inbound-calls": "skipped",
    }


def test_a_failure_names_its_finding_its_source_and_its_checks() -> None:
    failure = suite(render(factory.not_ready())).find("testcase[@name='media']/failure")
    assert failure is not None
    assert failure.attrib["type"] == "required"
    for expected in ("port-blocked", "Port reference, Port table: media", "media/192.0.2.0/24:5004"):
        assert expected in (failure.text or "")


def test_a_warning_is_said_though_it_passes() -> None:
    remark = suite(render(factory.not_ready())).find("testcase[@name='dns']/system-out")
    assert remark is not None
    assert "warn" in (remark.text or "")


def test_an_unfinished_run_is_an_error() -> None:
    assert fates(render(factory.interrupted()))["run"] == "error"
    late = factory.ready(run=factory.run_facts(state=RunState.DEADLINE))
    assert "run" not in fates(render(late))
