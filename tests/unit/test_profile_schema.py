"""The JSON Schema of profiles: it takes what the program takes, and an editor learns from it."""

import json
import tomllib
from datetime import date
from typing import Any

import jsonschema
import pytest

from readycheck import profile, profile_schema
from readycheck.catalog import BUILT_IN, places
from readycheck.notation import Strict

SCHEMA = profile_schema.schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
FILES = {place.name: place.file for place in places() if place.source == BUILT_IN}
MODELS = {
    model.__name__: model
    for model in vars(profile).values()
    if isinstance(model, type)
    and issubclass(model, Strict)
    and model is not Strict
    and model.__module__ == profile.__name__
}

ROW: dict[str, Any] = {
    "id": "r",
    "title": "R",
    "area": "signalling",
    "importance": "required",
    "roles": ["app"],
    "probe": "tcp",
    "source": {"document": "d", "section": "s"},
}
WHOLE: dict[str, Any] = {
    "schema_version": 1,
    "name": "p",
    "title": "P",
    "revision": "1",
    "checked": "2026-01-01",
    "documents": {"d": {"title": "D", "publisher": "P", "revision": "1"}},
    "roles": [{"name": "app", "title": "App"}],
    "requirements": [ROW],
}


def refused(tables: dict[str, Any]) -> list[str]:
    return sorted(error.json_path for error in VALIDATOR.iter_errors(tables))


def with_row(**changes: Any) -> dict[str, Any]:
    return {**WHOLE, "requirements": [{**ROW, **changes}]}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


@pytest.mark.parametrize("name", FILES)
def test_every_built_in_profile_is_as_the_schema_says(name: str) -> None:
    tables = tomllib.loads(FILES[name].read_text("utf-8"))
    written = json.loads(json.dumps(tables, default=date.isoformat))
    assert refused(written) == []


@pytest.mark.parametrize("ports", [[8934], ["8934"], ["19560-65535"], [1, "2", "3-4"], []])
def test_ports_as_they_are_written(ports: list[Any]) -> None:
    assert refused(with_row(ports=ports, source_ports=ports)) == []


@pytest.mark.parametrize(
    "pattern",
    ["a.example.com", "*.example.com", "*s3.example.com", "*mcs*.example.com", "_sips._tcp.example.com"],
)
def test_names_as_they_are_written(pattern: str) -> None:
    group = {"title": "N", "domains": [{"pattern": pattern}], "source": ROW["source"]}
    assert refused({**WHOLE, "names": {"n": group}}) == []


@pytest.mark.parametrize(
    ("tables", "path"),
    [
        ({**WHOLE, "titel": "x"}, "$"),
        ({key: value for key, value in WHOLE.items() if key != "roles"}, "$"),
        ({**WHOLE, "hash": "x"}, "$"),
        ({**WHOLE, "schema_version": 2}, "$.schema_version"),
        ({**WHOLE, "checked": "soon"}, "$.checked"),
        ({**WHOLE, "weights": {"speed": 1}}, "$.weights"),
        (with_row(ports=[0]), "$.requirements[0].ports[0]"),
        (with_row(ports=["https"]), "$.requirements[0].ports[0]"),
        (with_row(ports=[{"low": 1, "high": 2}]), "$.requirements[0].ports[0]"),
        (with_row(importance="essential"), "$.requirements[0].importance"),
        (with_row(transprot="tcp"), "$.requirements[0]"),
        (with_row(remove=True), "$.requirements[0]"),
        (with_row(probe=None), "$.requirements[0].probe"),
        (
            {
                **WHOLE,
                "networks": {"n": {"title": "N", "networks": ["example.com"], "source": ROW["source"]}},
            },
            "$.networks.n.networks[0]",
        ),
        (
            {
                **WHOLE,
                "names": {"n": {"title": "N", "domains": [{"pattern": "a b"}], "source": ROW["source"]}},
            },
            "$.names.n.domains[0].pattern",
        ),
    ],
)
def test_what_an_editor_underlines(tables: dict[str, Any], path: str) -> None:
    assert refused(tables) == [path]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "Mine", "checked": "2026-01-01"},
        {"requirements": [{"id": "r", "ports": ["443"]}, {"id": "s", "remove": True}]},
        {"roles": [{"name": "app", "default": True}]},
        {"documents": {"d": {"revision": "2"}, "e": {"remove": True}}},
        {"names": {"n": {"domains": [{"pattern": "a.example.com", "remove": True}]}}},
        {"networks": {"n": {"networks": ["192.0.2.0/24"]}}},
        {"controls": [{"host": "a.example.com", "port": 443, "remove": True}]},
    ],
)
def test_what_extends_another_has_only_what_differs(changes: dict[str, Any]) -> None:
    assert refused({"extends": "webex", **changes}) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"requirements": [{"ports": ["443"]}]}, "$.requirements[0]"),
        ({"requirements": [{"id": "r", "remove": False}]}, "$.requirements[0].remove"),
        ({"requirements": [{"id": "r", "transprot": "tcp"}]}, "$.requirements[0]"),
        ({"titel": "x"}, "$"),
        (
            {"contradictions": [{"about": "x", "statements": [{"says": "y"}]}]},
            "$.contradictions[0].statements[0]",
        ),
    ],
)
def test_and_is_checked_all_the_same(changes: dict[str, Any], path: str) -> None:
    assert refused({"extends": "webex", **changes}) == [path]


def test_every_key_is_described_and_no_other() -> None:
    texts = profile_schema._texts()
    wanted = {name: set(model.model_fields) - {"hash"} for name, model in MODELS.items()}
    assert {name: set(keys) for name, keys in texts.items()} == wanted
    for keys in texts.values():
        assert all(text.endswith(".") and text == " ".join(text.split()) for text in keys.values())


@pytest.mark.parametrize("name", MODELS)
def test_a_description_is_where_an_editor_looks(name: str) -> None:
    for suffix in ("", "Changes"):
        part = SCHEMA["$defs"].get(f"{name}{suffix}", {"properties": {}})
        assert all(found.get("description") for found in part["properties"].values())
