"""`profile list`, `show`, `validate` and `schema`."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from readycheck import profile_schema
from readycheck.__main__ import main
from readycheck.catalog import available, read
from readycheck.overview.document import render
from readycheck.profile import Profile

Captured = pytest.CaptureFixture[str]


def test_the_known_profiles_are_listed(capsys: Captured) -> None:
    assert main(["profile", "list"]) == 0
    head, *lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert re.split(" {2,}", head) == [
        *("PROFILE", "TITLE", "REVISION", "PAGE AGE", "COMPARED", "REQUIREMENTS", "FROM")
    ]
    assert [line.split()[0] for line in lines] == sorted(name for name, _ in available())
    [line] = [line for line in lines if line.startswith("webex-calling ")]
    name, title, revision, _, _, number, source = re.split(" {2,}", line)
    profile = read("webex-calling")
    assert (name, title, revision) == (profile.name, profile.title, profile.revision)
    assert (number, source) == (str(len(profile.requirements)), "built in")


def test_what_is_old_is_warned_of(tmp_path: Path, capsys: Captured) -> None:
    head = 'extends = "webex-calling"\n'
    (tmp_path / "old.toml").write_text(head + "checked = 2020-01-01\n")
    (tmp_path / "new.toml").write_text(head + f'revision = "{date.today()}"\nchecked = {date.today()}\n')
    assert main(["profile", "list", "--profile-dir", str(tmp_path)]) == 0
    warned = capsys.readouterr().out
    assert re.search(r"^warning: old: compared .* \d+ years ago: compare it again$", warned, re.M)
    assert "warning: new" not in warned


def test_a_listing_says_what_hides_what_and_what_is_unusable(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "webex-calling.toml").write_text('extends = "webex-calling"\ntitle = "Ours"\n')
    (tmp_path / "broken.toml").write_text("{")
    assert main(["profile", "list", "--profile-dir", str(tmp_path)]) == 0
    told, _, warned = capsys.readouterr().out.partition("\n\n")
    assert re.search(rf"^webex-calling +Ours .* --profile-dir {tmp_path} \(hides built in\)$", told, re.M)
    assert "broken" not in told
    assert f"broken: UNUSABLE: {tmp_path}/broken.toml: not TOML: " in warned


def test_a_profile_is_shown_with_all_its_requirements(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling"]) == 0
    told = capsys.readouterr().out
    for requirement in read("webex-calling").requirements:
        assert re.search(rf"^{requirement.id}: .* {requirement.importance} ", told, re.M)


@pytest.mark.parametrize("format_", ["table", "json", "markdown"])
def test_a_profile_is_shown_for_a_role(format_: str, capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", "--role", "admin", "--format", format_]) == 0
    told = capsys.readouterr().out
    quoted = {"table": "\n{}: ", "json": '"id": "{}"', "markdown": "<br>`{}`<br>"}[format_]
    shown = {r.id for r in read("webex-calling").requirements if quoted.format(r.id) in told}
    assert shown == {r.id for r in read("webex-calling").requirements if "admin" in r.roles}


@pytest.mark.parametrize("option", [["--json"], ["--format", "json"], ["-f", "json"]])
def test_the_whole_profile_as_json(option: list[str], capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", *option]) == 0
    assert Profile.model_validate_json(capsys.readouterr().out) == read("webex-calling")


def test_nothing_of_a_profile_steers_the_terminal_in_json(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "odd.toml"
    file.write_text('extends = "webex-calling"\ntitle = "\\u009b31m\\u202eodd"\n')
    assert main(["profile", "show", str(file), "--json"]) == 0
    told = capsys.readouterr().out
    assert r'"\u009b31m\u202eodd"' in told and "\u202e" not in told
    assert Profile.model_validate_json(told).title == "\u009b31m\u202eodd"


def test_the_page_of_a_profile(capsys: Captured) -> None:
    assert main(["profile", "show", "webex-calling", "--format", "markdown"]) == 0
    assert capsys.readouterr().out == render(read("webex-calling"))


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


def test_two_profiles_are_compared(tmp_path: Path, capsys: Captured) -> None:
    change = '[networks.service]\nnetworks = ["23.0.0.0/8"]\n'
    (tmp_path / "webex-calling.toml").write_text(f'extends = "webex-calling"\nrevision = "mine"\n{change}')
    old = f"webex-calling@{read('webex-calling').revision}"
    command = ["profile", "diff", old, "webex-calling", "--profile-dir", str(tmp_path)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "+ outbound TCP 443, 5062, 8934 to 23.0.0.0/8: widened, so far 23.89.0.0/16, which adds " in told
    assert "- outbound TCP 443, 5062, 8934 to 85.119.56.0/23: gone (required: " in told
    assert main([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["before"]["revision"], found["after"]["revision"]) == (
        read("webex-calling").revision,
        "mine",
    )
    assert {way["place"] for way in found["to_open"]} == {"23.0.0.0/8"}
    assert found["to_close"] and found["changed"] == []


def test_what_cannot_be_compared(capsys: Captured) -> None:
    assert main(["profile", "diff", "webex-calling", "webex-calling@1999"]) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith("readycheck: profile 'webex-calling' has no revision '1999' (known: ")


def test_a_usable_profile(capsys: Captured) -> None:
    assert main(["profile", "validate", "webex-calling"]) == 0
    assert capsys.readouterr().out.startswith("webex-calling: usable, ")


def test_a_new_profile_is_usable_as_it_is(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.toml"
    assert main(["profile", "new", "mine", "-o", str(path)]) == 0
    assert capsys.readouterr().out == (
        f"{path}: edit it, and check it with 'readycheck profile validate {path}'\n"
    )
    assert main(["profile", "validate", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: usable, 6 requirements\n"
    assert main(["profile", "new", "mine"]) == 0
    assert capsys.readouterr().out == path.read_text()


def test_a_new_profile_may_extend_another(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.toml"
    assert main(["profile", "new", "--extends", "webex-calling", "-o", str(path)]) == 0
    assert main(["profile", "validate", str(path)]) == 0
    capsys.readouterr()
    further = tmp_path / "site" / "other.toml"
    further.parent.mkdir()
    assert main(["profile", "new", "--extends", str(path), "-o", str(further)]) == 0
    assert 'extends = "../mine.toml"\n' in further.read_text()
    assert main(["profile", "validate", str(further)]) == 0
    capsys.readouterr()
    assert main(["profile", "new", "--extends", "nothing"]) == 3
    assert capsys.readouterr().err.startswith("readycheck: profile 'nothing' is not known")


@pytest.mark.parametrize("name", ["there.toml", "folder", "none/there.toml"])
def test_nothing_is_overwritten(name: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "there.toml").write_text("mine")
    (tmp_path / "folder").mkdir()
    assert main(["profile", "new", "-o", str(tmp_path / name)]) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith(f"readycheck: --output {tmp_path / name}: ")
    assert (tmp_path / "there.toml").read_text() == "mine"


def test_the_schema_of_profiles(capsys: Captured) -> None:
    assert main(["profile", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == profile_schema.schema()


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
