"""Where profiles are found: by name in installed packages, or by path."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from readycheck import catalog
from readycheck.errors import ProfileError, UsageError

MINIMAL = """
schema_version = 1
name = "{name}"
title = "T"
revision = "{revision}"
checked = 2026-01-01
roles = [{{ name = "app", title = "App" }}]
[documents.doc]
title = "D"
publisher = "P"
revision = "1"
[[requirements]]
id = "r"
title = "R"
area = "signalling"
importance = "required"
roles = ["app"]
untestable = "only declared"
source = {{ document = "doc", section = "1" }}
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages with profiles, and one that cannot be imported."""
    for package, profiles in (("one_profiles", ("alpha", "both")), ("two_profiles", ("both", "zeta"))):
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "notes.txt").write_text("not a profile")
        for name in profiles:
            (folder / f"{name}.toml").write_text(MINIMAL.format(name=name, revision=package))
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint(name=name, value=value, group=catalog.GROUP)
        for name, value in (("acme", "one_profiles"), ("builtin", "two_profiles"), ("bad", "no_such_package"))
    ]
    monkeypatch.setattr(catalog, "entry_points", lambda *, group: points if group == catalog.GROUP else [])
    yield_path = tmp_path
    for package in ("one_profiles", "two_profiles"):
        sys.modules.pop(package, None)
    return yield_path


def test_profiles_of_all_packages_are_available_the_built_in_ones_first(installed: Path) -> None:
    assert [name for name, _ in catalog.available()] == ["both", "zeta", "alpha"]


def test_of_two_profiles_of_one_name_the_built_in_one_wins(installed: Path) -> None:
    assert catalog.read("both").revision == "two_profiles"
    assert catalog.read("alpha").revision == "one_profiles"


def test_an_unknown_name_is_a_usage_error_that_lists_the_known(installed: Path) -> None:
    with pytest.raises(UsageError, match=r"^profile 'webx' is not known \(known: alpha, both, zeta\)$"):
        catalog.read("webx")


def test_nothing_installed_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "entry_points", lambda *, group: [])
    with pytest.raises(UsageError, match=r"\(known: none\)"):
        catalog.read("x")


@pytest.mark.parametrize("spelt", ["{folder}/mine.toml", "{folder}/mine.other"])
def test_a_path_is_read_as_a_file(tmp_path: Path, spelt: str) -> None:
    path = Path(spelt.format(folder=tmp_path))
    path.write_text(MINIMAL.format(name="mine", revision="7"))
    assert catalog.read(str(path)).revision == "7"


def test_a_bare_name_that_ends_in_toml_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(MINIMAL.format(name="mine", revision="8"))
    monkeypatch.chdir(tmp_path)
    assert catalog.read("mine.toml").revision == "8"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.toml", "No such file"), ("folder.toml", "Is a directory")],
)
def test_a_file_that_cannot_be_read_is_a_profile_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(ProfileError, match=reason) as refused:
        catalog.read(path)
    assert str(refused.value).startswith(path)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ProfileError, match=r"^/dev/zero: larger than"):
        catalog.read("/dev/zero")
