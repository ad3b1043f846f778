"""Where runs are kept, as it is given and as it is shown."""

from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.history.place import default, place_of


def test_the_default_is_in_the_users_data_folder(tmp_path: Path) -> None:
    assert default().file == tmp_path / "xdg_data_home" / "readycheck" / "history.db"
    assert place_of(None) == place_of("") == default()


@pytest.mark.parametrize("text", ["/x/runs.db", "sqlite:////x/runs.db", "/x/../x/runs.db"])
def test_a_file(text: str) -> None:
    place = place_of(text)
    assert (place.file, place.shown) == (Path("/x/runs.db"), "/x/runs.db")


def test_a_server() -> None:
    place = place_of("postgresql://me:s%2Fcret@db.example:5433/runs?sslmode=verify-full")
    assert place.shown == "postgresql://me@db.example:5433/runs"
    assert place.server == {
        "host": "db.example",
        "port": "5433",
        "user": "me",
        "password": "s/cret",
        "dbname": "runs",
        "sslmode": "verify-full",
    }
    assert "cret" not in repr(place)


def test_a_server_on_a_socket() -> None:
    assert place_of("postgresql:///runs?host=/run/postgresql&user=me").server["host"] == "/run/postgresql"


def test_a_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hidden")
    assert place_of("postgresql://me@db.example/runs").server["password"] == "hidden"


def test_the_same_server_has_the_same_spool_whatever_the_password() -> None:
    one, other = (place_of(f"postgresql://me:{word}@db.example/runs") for word in ("a", "b"))
    assert one.digest == other.digest != place_of("postgresql://me@db.example/other").digest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("runs", "--store runs: neither a file"),
        ("mysql://me:secret@host/runs", r"--store mysql://\*\*\*@host/runs: neither a file"),
        ("postgresql://me:secret@host:port/runs", r"--store postgresql://\*\*\*@host:port/runs: neither"),
        (
            "postgresql://me:secret@host/runs?sslmode=no",
            r"\*\*\*@host/runs: sslmode is one of disable, allow",
        ),
        ("postgresql://me:secret@host/runs?password=secret&x=1", r"runs: unknown setting x \(known: dbname"),
        ("postgresql://me:secret@host/runs?port=secret", r"\*\*\*@host/runs: neither"),
        ("mysql://me:sec/secret@host/runs", r"--store mysql://\*\*\*@host/runs: neither"),
        ("postgresql://me:a@secret@host/runs?x=1", r"--store postgresql://\*\*\*@host/runs: unknown"),
        ("postgresql://me:secret/1@host/runs", r"\*\*\*@host/runs: neither .* written %2F %3F"),
        ("postgresql://me:12/secret@host/runs", r"\*\*\*@host/runs: neither .* written %2F %3F"),
        ("postgresql://me:1?secret@host/runs", r"--store postgresql://\*\*\*: neither"),
        ("postgresql://me:1#secret@host/runs", r"--store postgresql://\*\*\*: neither"),
        ("postgresql://host/runs?password=a@secret&x=1", r"--store postgresql://\*\*\*: unknown"),
        ("sqlite://", "--store sqlite://: neither a file"),
        ("sqlite://runs.db", "--store sqlite://runs.db: neither a file"),
    ],
)
def test_a_refusal_shows_no_password(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        place_of(text)
    assert "secret" not in str(refused.value)
