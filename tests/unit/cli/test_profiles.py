"""`profile list`, `show`, `validate` and `schema`."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from readycheck.__main__ import main
from readycheck.catalog import read

Captured = pytest.CaptureFixture[str]


def test_the_known_profiles_are_listed(capsys: Captured) -> None:
    assert main(["profile", "list"]) == 0
    assert re.search(
        r"^webex-calling  Webex Calling, revision \S+, \d+ requirements", capsys.readouterr().out
    )


def test_a_profile_is_shown_with_all_its_requirements(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling"]) == 0
    told = capsys.readouterr().out
    for requirement in read("webex-calling").requirements:
        assert f"\n{requirement.id}  [{requirement.importance}] " in told


def test_a_profile_is_shown_for_a_role(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", "--role", "admin"]) == 0
    told = capsys.readouterr().out
    others = [r.id for r in read("webex-calling").requirements if "admin" not in r.roles]
    assert others
    assert not [name for name in others if f"\n{name}  [" in told]


def test_the_whole_profile_as_json(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "webex-calling"


def test_a_role_that_is_not_there(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", "--role", "nobody"]) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith("readycheck: --role nobody: profile 'webex-calling' has the roles app, ")


def test_a_folder_of_ones_own_is_searched(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "mine.toml").write_text('extends = "webex-calling"\nname = "mine"\ntitle = "Mine"\n')
    for command in (["profile", "list"], ["profile", "show", "mine"], ["pin", "show", "mine"]):
        assert main([*command, "--profile-dir", str(tmp_path)]) == 0
        assert "Mine" in capsys.readouterr().out or command[0] == "pin"
    assert main(["profile", "validate", "mine", "--profile-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("mine: usable, ")
    assert main(["profile", "show", "mine"]) == 3
    assert capsys.readouterr().err.startswith("readycheck: profile 'mine' is not known")


def test_a_usable_profile(capsys: Captured) -> None:
    assert main(["profile", "validate", "webex-calling"]) == 0
    assert capsys.readouterr().out.startswith("webex-calling: usable, ")


def test_the_schema_of_profiles_is_one(capsys: Captured) -> None:
    assert main(["profile", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"schema_version", "name", "requirements"} <= set(schema["required"])


def test_a_title_cannot_steer_the_terminal(tmp_path: Path, capsys: Captured) -> None:
    text = (
        Path(__file__)
        .parents[3]
        .joinpath("profiles/readycheck_profiles/webex-calling.toml")
        .read_text("utf-8")
    )
    file = tmp_path / "loud.toml"
    file.write_text(text.replace('title = "Webex Calling"', 'title = "\\u001b[2J"', 1), encoding="utf-8")
    assert main(["profile", "show", str(file)]) == 0
    assert "\x1b" not in capsys.readouterr().out
