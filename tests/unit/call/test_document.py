"""A call as JSON."""

import json

import jsonschema
import pytest

from readycheck.call.document import document, schema_text

from .test_text import MUTE, SOUND, called


def test_everything_is_a_plain_value_with_its_unit() -> None:
    told = json.loads(json.dumps(document(called(MUTE, SOUND))))
    assert told["verdict"] == "warnings"
    assert told["run"]["started_at"] == "2026-01-02T03:04:05.000Z"
    mute, sound = told["calls"]
    assert mute["failed"] == {
        "stage": "media-one-way",
        "after_ms": 4260,
        "failure": "timed_out",
        "detail": "no sound arrives here",
        "lost": "down",
        "says_of_network": True,
    }
    assert mute["stages"][3] == {"stage": "dtls", "took_ms": 1204.0}
    assert mute["quality"]["up"] is None and mute["quality"]["rtt_ms"] is None
    assert sound["failed"] is None and sound["talked_ms"] == 8000
    assert sound["quality"]["up"] == {"packets": 400, "lost": 6, "loss_ratio": 0.015, "jitter_ms": 1.25}
    assert [one["metric"] for one in sound["beyond_limits"]] == ["loss_up_ratio"]
    assert (mute["certificate_vouched_by"], mute["dscp"], sound["dscp"]) == ("key", 46, None)
    assert (mute["dscp_seen"], sound["dscp_seen"]) == (None, None)


def test_it_fits_its_schema_and_nothing_else_does() -> None:
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    told = json.loads(json.dumps(document(called(MUTE, SOUND))))
    jsonschema.validate(told, schema)
    told["calls"][0]["via"] = "pigeon"
    with pytest.raises(jsonschema.ValidationError, match="pigeon"):
        jsonschema.validate(told, schema)
