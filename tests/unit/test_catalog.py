"""Where profiles are found: by name in folders and installed packages, or by path; and what extends what."""

import hashlib
import os
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


# --- folders ------------------------------------------------------------------------------------------


def write(folder: Path, name: str, revision: str = "1", text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text or MINIMAL.format(name=name, revision=revision))
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    folder = tmp_path / "own"
    monkeypatch.setattr(catalog, "user_folder", lambda: folder)
    return folder


def test_a_given_folder_wins_over_the_users_and_that_over_what_is_installed(
    installed: Path, own: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(own, "both", "own")
    assert catalog.read("both").revision == "own"
    write(two, "both", "two")
    assert catalog.read("both", [two]).revision == "two"
    write(one, "both", "one")
    assert catalog.read("both", [one, two]).revision == "one"
    places = [(place.name, place.source) for place in catalog.places([one, two]) if place.name == "both"]
    assert places == [
        ("both", f"--profile-dir {one}"),
        ("both", f"--profile-dir {two}"),
        ("both", str(own)),
        ("both", "built in"),
        ("both", "one_profiles"),
    ]


def test_a_revision_may_be_asked_for_that_another_one_hides(installed: Path, own: Path) -> None:
    write(own, "both", "newest")
    assert catalog.read("both@two_profiles").revision == "two_profiles"
    assert catalog.read("both@newest").revision == catalog.read("both").revision == "newest"
    known = "newest, two_profiles, one_profiles"
    with pytest.raises(UsageError, match=rf"^profile 'both' has no revision 'old' \(known: {known}\)$"):
        catalog.read("both@old")
    with pytest.raises(UsageError, match=r"^profile 'neither' is not known"):
        catalog.read("neither@old")


def test_only_profiles_of_a_folder_count(own: Path) -> None:
    write(own, "mine")
    (own / "notes.txt").write_text("not a profile")
    assert [name for name, _ in catalog.available() if name in ("mine", "notes.txt", "notes")] == ["mine"]


def test_a_given_folder_has_to_be_there_and_the_users_has_not(own: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^--profile-dir {tmp_path / 'none'}: No such file or directory$"):
        catalog.read("webex-calling", [tmp_path / "none"])
    own.write_text("a file")
    assert catalog.read("webex-calling").name == "webex-calling"


def test_the_users_folder_is_where_the_platform_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert catalog.user_folder().parts[-2:] == ("readycheck", "profiles")


# --- what extends what --------------------------------------------------------------------------------

LAID = """
extends = "{base}"
title = "{title}"
"""


def laid(base: str, title: str = "Mine") -> str:
    return LAID.format(base=base, title=title)


def test_a_profile_is_laid_over_one_of_that_name(installed: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "mine", text=laid("alpha"))
    found = catalog.read(str(path))
    assert (found.name, found.title, found.revision, found.extends) == (
        "alpha",
        "Mine",
        "one_profiles",
        "alpha",
    )


def test_a_path_is_meant_from_the_file_that_has_it(tmp_path: Path) -> None:
    write(tmp_path / "shared", "base", "7")
    path = write(tmp_path / "site", "mine", text=laid("../shared/base.toml"))
    assert catalog.read(str(path)).revision == "7"


def test_the_hash_covers_all_files(tmp_path: Path) -> None:
    base = write(tmp_path, "base")
    mine = write(tmp_path, "mine", text=laid("./base.toml"))
    before = catalog.read(str(mine)).hash
    assert catalog.read(str(base)).hash == hashlib.sha256(base.read_bytes()).hexdigest()
    base.write_text(base.read_text() + "# a comment")
    assert catalog.read(str(mine)).hash != before


def test_what_extends_its_own_name_means_the_one_that_it_hides(
    installed: Path, own: Path, tmp_path: Path
) -> None:
    write(own, "both", text=laid("both"))
    given = tmp_path / "given"
    write(given, "both", text=laid("both", "Ours"))
    found = catalog.read("both", [given])
    assert (found.title, found.revision) == ("Ours", "two_profiles")


def test_a_chain_may_be_eight_files_deep(tmp_path: Path) -> None:
    write(tmp_path, "p0")
    for number in range(1, 9):
        write(tmp_path, f"p{number}", text=laid(f"./p{number - 1}.toml", str(number)))
    assert catalog.read(str(tmp_path / "p7.toml")).title == "7"
    with pytest.raises(ProfileError, match=r"extends: more than 8 files deep: .*p8.toml -> .*p7.toml -> "):
        catalog.read(str(tmp_path / "p8.toml"))


def test_a_circle_is_refused_with_its_names(tmp_path: Path) -> None:
    write(tmp_path, "a", text=laid("./b.toml"))
    write(tmp_path, "b", text=laid("./c.toml"))
    write(tmp_path, "c", text=laid("./a.toml"))
    with pytest.raises(ProfileError) as refused:
        catalog.read(str(tmp_path / "a.toml"))
    names = " -> ".join(str(tmp_path / f"{name}.toml") for name in "abca")
    assert str(refused.value) == f"{tmp_path / 'a.toml'}: extends: goes round in a circle: {names}"


def test_names_go_round_in_a_circle_too(own: Path) -> None:
    write(own, "a", text=laid("b"))
    write(own, "b", text=laid("a"))
    with pytest.raises(ProfileError, match="goes round in a circle"):
        catalog.read("a")
    write(own, "alone", text=laid("alone"))
    with pytest.raises(ProfileError, match=r"extends: profile 'alone' is not known"):
        catalog.read("alone")


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("webx", r"mine.toml: extends: profile 'webx' is not known \(known: "),
        ("./none.toml", "none.toml: No such file"),
        ("/dev/zero/", "/dev/zero: larger than"),
        ("../", "Is a directory"),
        ("a\\u0000/b", "null"),
        ("./" + "x" * 300 + ".toml", "File name too long"),
    ],
)
def test_a_base_that_cannot_be_had(tmp_path: Path, base: str, message: str) -> None:
    path = write(tmp_path, "mine", text=laid(base))
    with pytest.raises(ProfileError, match=message):
        catalog.read(str(path))


@pytest.mark.parametrize("value", ["5", "true", "['a']", "{ a = 1 }"])
def test_a_base_that_is_no_text(tmp_path: Path, value: str) -> None:
    path = write(
        tmp_path,
        "mine",
        text=MINIMAL.format(name="m", revision="1").replace("\n", f"\nextends = {value}\n", 1),
    )
    with pytest.raises(ProfileError, match=r"mine.toml: extends: Input should be a valid string$"):
        catalog.read(str(path))


def test_a_mistake_is_told_of_the_file_that_makes_it(tmp_path: Path) -> None:
    base = write(tmp_path, "base")
    mine = write(tmp_path, "mine", text=laid("./base.toml") + "[[requirements]]\nid = 'r'\nports = ['0']\n")
    with pytest.raises(ProfileError, match=rf"^{mine}: requirements\[r\].ports\[0\]: port 0 is outside"):
        catalog.read(str(mine))
    base.write_text(base.read_text().replace('"required"', '"essential"'))
    mine.write_text(laid("./base.toml"))
    with pytest.raises(ProfileError, match=rf"^{base}: requirements\[r\].importance: "):
        catalog.read(str(mine))
    mine.write_text(laid("./base.toml") + "[[requirements]]\nid = 's'\nremove = true\n")
    with pytest.raises(ProfileError, match=rf"^{mine}: requirements\[s\]: nothing to remove"):
        catalog.read(str(mine))


def test_mistakes_are_listed_file_by_file_and_line_by_line(tmp_path: Path) -> None:
    base = write(
        tmp_path, "base", text=MINIMAL.format(name="b", revision="1").replace('"required"', '"essential"')
    )
    rows = "[[requirements]]\nid = 'r'\nroles = ['app', 'boss']\nports = ['0']\n"
    mine = write(tmp_path, "mine", text=laid("./base.toml") + rows)
    written = catalog.draft(str(mine))
    profile, problems = written.check()
    assert profile is None
    assert [line.partition(" Input")[0] for line in written.listed(problems)] == [
        f"{mine}:6: requirements[r].roles[1]: 'boss' is not defined",
        f"{mine}:7: requirements[r].ports[0]: port 0 is outside 1 to 65535",
        f"{base}:16: requirements[r].importance:",
    ]
    with pytest.raises(ProfileError, match=r"\(and 2 more\)$"):
        written.profile()


def test_nothing_is_removed_where_there_is_no_base(tmp_path: Path) -> None:
    path = write(tmp_path, "mine", text=MINIMAL.format(name="m", revision="1") + "remove = true\n")
    with pytest.raises(ProfileError, match=r"requirements\[r\].remove: unknown key"):
        catalog.read(str(path))


# --- names and paths ----------------------------------------------------------------------------------


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other terminals")
def test_nobody_is_waited_for_who_would_type() -> None:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    try:
        with pytest.raises(ProfileError, match=f"^{name}: a terminal, not a file$"):
            catalog.read(name)
    finally:
        os.close(ours)
        os.close(theirs)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ProfileError, match=r"^/dev/zero: larger than"):
        catalog.read("/dev/zero")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other pipes")
@pytest.mark.timeout(5)
def test_nobody_is_waited_for_who_would_write_to_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.toml"
    os.mkfifo(path)
    with pytest.raises(ProfileError, match=r"pipe.toml: a pipe, not a file$"):
        catalog.read(str(path))
    path = write(tmp_path, "mine", text=laid("./pipe.toml"))
    with pytest.raises(ProfileError, match=r"pipe.toml: a pipe, not a file$"):
        catalog.read(str(path))


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.toml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ProfileError, match=r"sparse.toml: larger than 16000000 bytes$"):
        catalog.read(str(path))


def test_links_that_go_round_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.toml").symlink_to("b.toml")
    (tmp_path / "b.toml").symlink_to("a.toml")
    with pytest.raises(ProfileError, match=r"a.toml: Too many levels of symbolic links$"):
        catalog.read(str(tmp_path / "a.toml"))
