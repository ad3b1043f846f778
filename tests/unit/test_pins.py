"""Pins that were learned: issuers' keys only, kept whole or not at all."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readycheck import pins
from readycheck.errors import ReadycheckError, UsageError
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.report import Report
from tests.unit.builders import make_profile, requirement
from tests.unit.render.factory import check, observation, ready

LEAF, ISSUER, ROOT, OTHER = (letter * 43 + "=" for letter in "LIRO")
FIRST, SECOND = Target(host="a.example.com", port=443), Target(host="b.example.com", port=443)


def tls(*keys: str, paths: tuple[str, ...] | None = None, **said: Any) -> dict[str, Any]:
    """A handshake that showed a chain of these keys, leaf first, in a valid path unless `paths` says otherwise."""
    chain = [{"spki_sha256": key, "subject": f"CN={key[0]}"} for key in keys]
    known = {"trust_failure": None, "name_matches": True}
    return {"chain": chain, "pins": list(keys if paths is None else paths), **known, **said}


def shown(*handshakes: tuple[Target, dict[str, Any]], pinned: bool = True, **changes: Any) -> Report:
    seen = tuple(observation(target=target, facts={"tls": facts}, **changes) for target, facts in handshakes)
    profile = make_profile(requirement("sip", pinned=pinned))
    return replace(ready(), profile=profile, checks=(check(observations=seen),))


def test_the_keys_of_issuers_are_learned() -> None:
    learned = pins.learn(shown((FIRST, tls(LEAF, ISSUER, ROOT))), [])
    assert learned.issuers == {ISSUER: "CN=I", ROOT: "CN=R"}
    assert learned.doubtful == ()


def test_a_leaf_is_never_learned_however_it_is_sent() -> None:
    report = shown((FIRST, tls(LEAF, LEAF, ISSUER)), (SECOND, tls(OTHER, LEAF, ISSUER)))
    assert set(pins.learn(report, []).issuers) == {ISSUER}


def test_what_is_in_no_valid_path_is_not_learned() -> None:
    report = shown((FIRST, tls(LEAF, ISSUER, OTHER, paths=(LEAF, ISSUER, ROOT))))
    assert set(pins.learn(report, []).issuers) == {ISSUER}


def test_a_handshake_without_a_pin_in_force_is_told() -> None:
    report = shown((FIRST, tls(LEAF, ISSUER)), (SECOND, tls(LEAF, OTHER)), (SECOND, tls(LEAF, OTHER)))
    learned = pins.learn(report, [ISSUER])
    assert learned.mismatched == ("b.example.com:443",)
    assert set(learned.issuers) == {ISSUER, OTHER}, "for --force"


@pytest.mark.parametrize("said", [{"trust_failure": Failure.CERTIFICATE_UNTRUSTED}, {"name_matches": False}])
def test_a_chain_that_does_not_verify_is_told_and_teaches_nothing(said: dict[str, Any]) -> None:
    learned = pins.learn(shown((FIRST, tls(LEAF, ISSUER, **said)), failure=Failure.CERTIFICATE_UNTRUSTED), [])
    assert (learned.untrusted, learned.issuers) == (("a.example.com:443",), {})


def test_a_client_certificate_that_is_asked_for_is_no_doubt() -> None:
    report = shown((FIRST, tls(LEAF, ISSUER)), failure=Failure.TLS_ALERT_CERTIFICATE_REQUIRED)
    learned = pins.learn(report, [ISSUER])
    assert (learned.doubtful, set(learned.issuers)) == ((), {ISSUER})


def test_only_pinned_requirements_and_handshakes_teach() -> None:
    assert not pins.learn(shown((FIRST, tls(LEAF, ISSUER)), pinned=False), []).issuers
    assert not pins.learn(shown((FIRST, tls(LEAF, ISSUER)), step=Step.CONNECT), []).issuers
    bare = replace(ready(), checks=(check(observations=(observation(facts={}),)),))
    assert not pins.learn(bare, []).issuers


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert pins.load("example", tmp_path / "none") == {}
    path = pins.save("example", {ROOT: "CN=Zürich", ISSUER: "CN=I"}, tmp_path / "new" / "folder")
    assert pins.load("example", path.parent) == {ROOT: "CN=Zürich", ISSUER: "CN=I"}
    assert [entry.name for entry in path.parent.iterdir()] == ["example.json"]


def test_a_folder_that_is_none_holds_no_pins(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert pins.load("example", tmp_path / "file") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe\0",
        b'{"short": "CN=x"}',
        b'{"%s": 5}' % ISSUER.encode(),
        b"[" * 100_000,
        b'{"%s": "%s"}' % (ISSUER.encode(), b"x" * pins.MAX_BYTES),
        b"9" * 5000,
    ],
    ids=range(10),
)
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "example.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"^[^\n]*example\.json: not a [^\n]*$"):
        pins.load("example", tmp_path)


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "example.json").mkdir()
    with pytest.raises(UsageError, match=r"example\.json: Is a directory"):
        pins.load("example", tmp_path)


Attempt = Callable[[Path], object]


def as_nobody(attempt: Attempt, folder: Path) -> str:
    """What comes of it in `folder` for a user who may do nothing special; root is asked to become one."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            told = f"gave {attempt(Path())}"
        except ReadycheckError as error:
            told = f"{type(error).__name__}: {error}"
        except BaseException as error:
            told = f"bug: {error!r}"
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read().decode()
    os.waitpid(child, 0)
    return told


root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become a user who may do nothing"
)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A folder that others may look into."""
    tmp_path.chmod(0o755)
    return tmp_path


@root_only
def test_a_file_that_may_not_be_read_is_named(public: Path) -> None:
    pins.save("example", {ISSUER: "CN=I"}, public).chmod(0)
    told = as_nobody(lambda folder: pins.load("example", folder), public)
    assert told.startswith("UsageError: ")
    assert told.endswith("example.json: Permission denied")


@root_only
def test_somebody_elses_home_holds_no_pins_of_ours(public: Path) -> None:
    pins.save("example", {ISSUER: "CN=I"}, public / "root")
    (public / "root").chmod(0o700)
    assert as_nobody(lambda folder: pins.load("example", folder / "root"), public) == "gave {}"


@root_only
def test_what_cannot_be_saved_leaves_nothing(public: Path) -> None:
    told = as_nobody(lambda folder: pins.save("example", {ISSUER: "CN=I"}, folder / "new"), public)
    assert told.startswith("ReadycheckError: ")
    assert told.endswith("Permission denied")
    assert not list(public.iterdir())


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "example.json").mkdir()
    with pytest.raises(ReadycheckError, match=r"example\.json: "):
        pins.save("example", {ISSUER: "CN=I"}, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["example.json"]


def test_they_are_kept_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert pins.folder().name == "pins"
