"""The same tests against both databases."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from readycheck.history.place import Place, place_of
from tests.ports import free_port
from tests.unit.history import postgres

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of these tests comes into the home of whoever runs them."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[Path, int]]:
    """A PostgreSQL server: the folder of its socket, and its port."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL: not installed: postgresql (as root, `make test` installs it)")
    port = free_port()
    with postgres.server(port) as folder:
        yield folder, port


@pytest.fixture
def database(server: tuple[Path, int]) -> Iterator[str]:
    """The URL of an empty database, over TCP and with a password."""
    _, port = server
    name = f"runs{next(_numbers)}"
    _administer(server, f"CREATE DATABASE {name}")
    yield f"postgresql://readycheck:{quote(postgres.PASSWORD, safe='')}@127.0.0.1:{port}/{name}"
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: tuple[Path, int], statement: str) -> None:
    import pg8000.native

    folder, port = server
    with closing(
        pg8000.native.Connection("readycheck", database="postgres", unix_sock=f"{folder}/.s.PGSQL.{port}")
    ) as connection:
        connection.run(statement)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where runs can be kept; nothing is there yet."""
    if request.param == "sqlite":
        return place_of(str(tmp_path / "runs" / "history.db"))
    return place_of(request.getfixturevalue("database"))
