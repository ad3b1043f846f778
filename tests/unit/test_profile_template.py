"""The templates: usable as they are, and so is everything in them that is switched off."""

import re
from datetime import date
from pathlib import Path

import pytest

from readycheck.catalog import draft
from readycheck.errors import UsageError
from readycheck.plan import usable, validate
from readycheck.profile import Profile
from readycheck.profile_file import parse
from readycheck.profile_template import template
from readycheck.registry import find

TODAY = date(2026, 11, 26)
OFF = re.compile(r"^#(?=[^# ])|^#(?=    \{)", re.MULTILINE)
EVERYTHING = set(Profile.model_fields) - {"extends", "hash", "weights"}


def switched_on(text: str) -> str:
    return OFF.sub("", text)


@pytest.mark.parametrize(
    "text", [template("mine", TODAY), switched_on(template("mine", TODAY))], ids=["as is", "all"]
)
def test_the_template_is_a_profile(text: str) -> None:
    profile = parse(text.encode(), "mine.toml")
    validate(profile, find(), "mine.toml")
    assert (profile.name, profile.title, profile.checked) == ("mine", "Mine", TODAY)


def test_all_that_a_profile_may_have_is_shown() -> None:
    profile = parse(switched_on(template("mine", TODAY)).encode(), "mine.toml")
    assert {key for key in EVERYTHING if getattr(profile, key)} == EVERYTHING


def test_nothing_in_it_is_of_a_real_product() -> None:
    text = template("mine", TODAY)
    names = re.findall(r"[a-z0-9.-]+\.(?:com|net|org)\b", text)
    assert names and all(re.search(r"(^|\.)example\.(com|net|org)$", name) for name in names)


def test_an_extension_is_usable_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(template("mine", TODAY, "webex-calling"))
    profile = usable(draft(str(path)), find())
    assert (profile.name, profile.extends) == ("mine", "webex-calling")
    path.write_text(
        switched_on(template("mine", TODAY, "webex-calling")).replace("push-messages", "push-fcm")
    )
    changed = usable(draft(str(path)), find())
    assert len(changed.requirements) == len(profile.requirements) - 1
    assert changed.networks["service"].networks == ("192.0.2.0/24",)


@pytest.mark.parametrize("name", ["", "Mine", "a b", "-a", 'a"', "a\nb", "x" * 81, "../a"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match=r"not a name of lower-case letters, digits, dots and hyphens$"):
        template(name, TODAY)


def test_a_base_may_be_a_path_with_anything_in_it() -> None:
    assert 'extends = "./a\\\\b\\" c.toml"\n' in template("mine", TODAY, './a\\b" c.toml')
