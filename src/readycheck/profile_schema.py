"""The JSON Schema of profiles as an author writes them, for editors: every key with its description. Pure."""

import copy
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, get_args

from readycheck.inheritance import IDENTITY, REMOVE
from readycheck.profile import NameGroup, Profile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXTENDS = "extends"
_COMPUTED = "hash"
_CHANGES = "Changes"
_KEYED = ("Document", "NetworkGroup", "NameGroup", "Placeholder", "Limit")
_WHOLE = "Statement"  # its array is replaced, so that each must be complete


def schema() -> dict[str, Any]:
    """A profile that stands by itself, or one that `extends` another and has only what differs from it."""
    body = Profile.model_json_schema()
    parts: dict[str, Any] = {"Profile": {k: v for k, v in body.items() if k != "$defs"}, **body["$defs"]}
    for name, texts in _texts().items():
        _describe(parts[name], texts)
    del parts["Profile"]["properties"][_COMPUTED]
    parts |= {f"{name}{_CHANGES}": _loosened(name, part) for name, part in parts.items() if name != _WHOLE}
    return {
        "$schema": DIALECT,
        "title": "readycheck profile",
        "description": "What a product needs of a network (schema version 1).",
        "type": "object",
        "if": {"required": [EXTENDS]},
        "then": {"$ref": f"#/$defs/Profile{_CHANGES}"},
        "else": {"$ref": "#/$defs/Profile"},
        "$defs": parts,
    }


def _texts() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(files("readycheck").joinpath("profile_fields.toml").read_text("utf-8"))


def _describe(part: dict[str, Any], texts: Mapping[str, str]) -> None:
    """TOML has no null, and a title that only repeats the key is noise in an editor."""
    for key, found in part["properties"].items():
        written = [option for option in found.pop("anyOf", ()) if option != {"type": "null"}]
        if written:
            found.update(written[0])
            found.pop("default", None)
        found.pop("title", None)
        if key != _COMPUTED:
            found["description"] = texts[key]


def _loosened(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """The same where only what changes is written: what a row is known by, and whether it goes."""
    loose: dict[str, Any] = _referring(copy.deepcopy(dict(part)))
    loose.pop("required", None)
    for found in loose.get("properties", {}).values():
        found.pop("minItems", None)
        found.pop("default", None)
    keys = _identities().get(name)
    if name == "Profile":
        loose["required"] = [EXTENDS]
    elif keys is not None:
        loose["required"] = [key for key in keys if key in part.get("required", ())]
    if keys is not None or name in _KEYED:
        loose["properties"][REMOVE] = {"const": True, "description": "Take it away from what this extends."}
    return loose


def _referring(part: Any) -> Any:
    """To the loosened parts, but for rows that are replaced with their array."""
    if isinstance(part, list):
        return [_referring(below) for below in part]
    if not isinstance(part, dict):
        return part
    found = {key: _referring(below) for key, below in part.items()}
    reference = found.get("$ref")
    if isinstance(reference, str) and not reference.endswith(f"/{_WHOLE}"):
        found["$ref"] = f"{reference}{_CHANGES}"
    return found


def _identities() -> dict[str, tuple[str, ...]]:
    """By the name of the row's model."""
    fields = {**Profile.model_fields, "domains": NameGroup.model_fields["domains"]}
    return {get_args(fields[kind].annotation)[0].__name__: keys for kind, keys in IDENTITY.items()}
