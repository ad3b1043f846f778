"""Storing after the verdict: what goes wrong is told, nothing is lost, nothing is stored twice."""

import ast
import os
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from readycheck.history import connection, spool
from readycheck.history import keep as keeping
from readycheck.history.keep import deliver, keep
from readycheck.history.place import Place, RefusedRunError, StoreError, place_of
from readycheck.history.record import Recorder
from readycheck.history.spool import Spool
from readycheck.history.store import Wanted, opened
from tests.unit.history.postgres import NOBODY
from tests.unit.history.runs import small


def stored(place: Place) -> list[int]:
    with opened(place) as store:
        return [int(run.id[:8], 16) for run in reversed(store.recent(Wanted(), 1000))]


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_run_is_kept_without_a_word(place: Place) -> None:
    assert keep(small(1), place) == []
    assert stored(place) == [1]


def test_what_waits_goes_first(place: Place) -> None:
    queue = spool.of(place)
    for number in (1, 2):
        queue.put(small(number), None)
    assert keep(small(3), place) == []
    assert stored(place) == [1, 2, 3]
    assert queue.waiting() == []


def test_a_server_that_cannot_be_reached_costs_no_run_and_shows_no_password(tmp_path: Path) -> None:
    place = place_of(f"postgresql://me:secret@127.0.0.1:{closed_port()}/runs")
    queue = spool.of(place)
    first, second = (keep(small(number), place) for number in (1, 2))
    assert first[0] == (
        f"{place.shown}: Connection refused; this run waits in {queue.folder} until it can be stored"
    )
    assert second[0].endswith(f"; 2 runs wait in {queue.folder} until they can be stored")
    assert "secret" not in "".join((*first, *second))
    assert len(queue.waiting()) == 2
    later = place_of(str(tmp_path / "later.db"))
    assert deliver(later, queue) == []
    assert stored(later) == [1, 2]


def test_a_server_whose_name_is_looked_up_for_ever_costs_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """`getaddrinfo` has no bound that a program could give it."""
    pytest.importorskip("pg8000")
    looked_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: looked_up.wait(60) and [])
    monkeypatch.setattr(connection, "LOGIN_S", 0.05)
    place = place_of("postgresql://me@db.example/runs")
    (told,) = keep(small(1), place)
    looked_up.set()
    assert told.startswith(f"{place.shown}: no connection within 0 s; this run waits in ")


def test_a_wrong_password_is_told_and_not_shown(database: str) -> None:
    right = place_of(database)
    wrong = place_of(database.replace(right.server["password"][:6], "wrong-").replace("s3cr%2Fet", "wrong"))
    told = keep(small(1), wrong)
    assert "password authentication failed" in told[0]
    assert right.server["password"] not in told[0]
    assert wrong.server["password"] not in told[0]


def test_a_run_that_was_stored_but_not_taken_from_the_queue_is_not_stored_twice(place: Place) -> None:
    """As after a `kill -9` between the two."""
    keep(small(1), place)
    spool.of(place).put(small(1), None)
    assert keep(small(2), place) == []
    assert stored(place) == [1, 2]


@pytest.mark.parametrize("arrived", [False, True])
def test_a_connection_that_breaks_in_the_commit_costs_no_run_and_stores_none_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    """Nobody can know whether what was not answered was done."""
    keep(small(1), place)
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "attach", lambda where, *, writing: _Breaking(where, arrived))
        (told,) = keep(small(2), place)
    assert f"network error; this run waits in {spool.of(place).folder}" in told
    assert stored(place) == ([1, 2] if arrived else [1])
    assert keep(small(3), place) == []
    assert stored(place) == [1, 2, 3]


class _Breaking:
    """A connection that is gone with its commit, or with the answer to that."""

    def __init__(self, place: Place, arrived: bool) -> None:
        self._arrived, self._connection = arrived, connection.attach(place, writing=True)
        self.cursor, self.close, self.rollback = (
            getattr(self._connection, name) for name in ("cursor", "close", "rollback")
        )

    def commit(self) -> None:
        if self._arrived:
            self._connection.commit()
        raise sqlite3.OperationalError("network error")


@pytest.mark.parametrize("how", ["terminated", "reset"])
@pytest.mark.parametrize("before", ["SELECT version_num", "INSERT INTO run", "INSERT INTO report"])
def test_a_server_that_drops_the_connection_in_mid_write_costs_no_run(
    database: str, monkeypatch: pytest.MonkeyPatch, before: str, how: str
) -> None:
    place = place_of(database)
    keep(small(1), place)

    def attach(where: Place, *, writing: bool) -> Any:
        made = connection.attach(where, writing=writing)
        execute = made.execute_unnamed, made.execute_simple

        def dropping(original: Callable[..., Any]) -> Callable[..., Any]:
            def executed(statement: str, *args: Any, **more: Any) -> Any:
                if statement.startswith(before):
                    _drop(where) if how == "terminated" else made._usock.shutdown(socket.SHUT_RDWR)
                return original(statement, *args, **more)

            return executed

        made.execute_unnamed, made.execute_simple = map(dropping, execute)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "attach", attach)
        (told,) = keep(small(2), place)
    assert f"; this run waits in {spool.of(place).folder}" in told
    assert keep(small(3), place) == []
    assert stored(place) == [1, 2, 3]


def _drop(place: Place) -> None:
    """As a server does that is shut down."""
    with closing(connection.attach(place, writing=True)) as other:
        other.cursor().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_delivering_has_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = spool.of(place)
    queue.put(small(1), None)
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "PATIENCE_S", -1.0)
        assert keep(small(2), place) == [f"2 runs wait in {queue.folder}; the next run takes them along"]
    assert keep(small(3), place) == []
    assert stored(place) == [1, 2, 3]


def test_a_password_that_cannot_be_one_is_told(database: str) -> None:
    """The library that prepares it for the server (RFC 4013) refuses it before that sees it."""
    right = place_of(database)
    wrong = Place(right.shown, server={**right.server, "password": "a\x07b"})
    (told,) = keep(small(1), wrong)
    assert "this run waits" in told
    assert "a\x07b" not in told


def test_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    place = place_of(str(tmp_path / "\udcff.db"))
    assert keep(small(1), place) == []
    assert stored(place) == [1]
    assert [path.name for path in tmp_path.glob("*.db")] == ["\udcff.db"]


def test_two_deliver_at_once(place: Place) -> None:
    queue = spool.of(place)
    for number in range(20):
        queue.put(small(number), None)
    threads = [threading.Thread(target=deliver, args=(place, queue)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert deliver(place, queue) == []
    assert stored(place) == list(range(20))


def test_a_damaged_run_in_the_queue_stops_no_other(place: Place) -> None:
    queue = spool.of(place)
    damaged = queue.put(small(1), None)
    damaged.write_bytes(damaged.read_bytes()[:100])
    queue.put(small(2), None)
    told = keep(small(3), place)
    assert told[0].startswith(f"{damaged}: damaged")
    assert stored(place) == [2, 3]
    assert damaged.with_suffix(".damaged").exists()
    assert "damaged" in damaged.with_suffix(".damaged.txt").read_text()


def forbid_a_site(place: Place) -> None:
    """As somebody may who has rules of their own for the database."""
    keep(small(0), place)
    with closing(connection.attach(place, writing=True)) as other:
        other.cursor().execute(
            "CREATE TRIGGER no_such BEFORE INSERT ON run WHEN new.site = 'forbidden' "
            "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no_such'); END"
            if place.file
            else "ALTER TABLE run ADD CONSTRAINT no_such CHECK (site <> 'forbidden')"
        )
        other.commit()


def test_a_run_that_is_never_taken_is_set_aside_and_told_once(place: Place) -> None:
    """It holds up none of those behind it, and can be delivered when it is allowed."""
    forbid_a_site(place)
    queue = spool.of(place)
    paths = [
        queue.put(small(number, site=site), None)
        for number, site in enumerate(("a", "forbidden", "b", "forbidden"), 1)
    ]
    told = keep(small(5), place)
    aside = [paths[place].with_suffix(".refused") for place in (1, 3)]
    assert [line.partition("; ")[2] for line in told] == [
        f"this run will never be taken as it is, and is set aside as {path}" for path in aside
    ]
    assert "no_such" in told[0]
    assert stored(place) == [0, 1, 3, 5]
    assert spool.read(aside[0]).report == small(2, site="forbidden")
    assert "no_such" in aside[0].with_suffix(".refused.txt").read_text()
    assert keep(small(6), place) == []


def test_of_what_is_set_aside_the_oldest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers begin anew with an empty spool; a database may refuse all runs for years."""
    monkeypatch.setattr(spool, "MOST", 2)
    queue = spool.Spool(tmp_path)
    paths = []
    for moment, (number, kind) in enumerate(((9, spool.REFUSED), (1, spool.DAMAGED), (5, spool.REFUSED))):
        path = queue.put(small(number), None)
        os.utime(path, (moment, moment))
        paths.append(spool.set_aside(path, kind, "because"))
    assert queue.aside() == paths[1:]
    assert sorted(tmp_path.glob("*.txt")) == sorted(path.with_name(f"{path.name}.txt") for path in paths[1:])


def test_a_run_that_is_never_taken_does_not_wait_first(place: Place) -> None:
    forbid_a_site(place)
    (told,) = keep(small(1, site="forbidden"), place)
    assert "this run will never be taken as it is, and is set aside as " in told
    assert keep(small(2), place) == []
    assert stored(place) == [0, 2]


def test_what_was_set_aside_is_told_also_when_the_rest_cannot_be_stored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = spool.of(place)
    damaged = queue.put(small(1), None)
    damaged.write_bytes(b"")
    queue.put(small(2), None)
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "attach", lambda where, *, writing: _Breaking(where, False))
        told = keep(small(3), place)
    assert "set aside as" in told[0]
    assert "2 runs wait in" in told[1]
    assert keep(small(4), place) == []
    assert stored(place) == [2, 3, 4]


def test_a_basis_that_was_pruned_in_between_costs_no_run(place: Place) -> None:
    """That the row is refused then says nothing of the run."""
    keep(small(1), place)
    with opened(place) as store, store.reading() as reading, opened(place) as other:
        connected: Any = reading.connection.dbapi_connection
        recorder = Recorder(connected, place, {})
        recorder.record(small(2))
        other.prune(Wanted())
        with pytest.raises(StoreError) as refused:
            recorder.record(small(3))
    assert not isinstance(refused.value, RefusedRunError)


def test_what_somebody_else_put_there_is_left_alone(place: Place) -> None:
    folder = spool.of(place).folder
    folder.mkdir(parents=True)
    (folder / "notes.run").write_text("mine")
    spool.of(place).put(small(1), None)
    assert keep(small(2), place) == []
    assert stored(place) == [1, 2]
    assert (folder / "notes.run").read_text() == "mine"


def test_the_queue_has_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST", 2)
    queue = spool.of(place)
    for number in (1, 2):
        queue.put(small(number), None)
    assert keep(small(3), place) == [f"this run is not kept: {queue.folder}: 2 runs wait there already"]


def test_the_site_that_stands_in_waits_with_the_run(place: Place) -> None:
    spool.of(place).put(small(1, site="office"), "twin")
    keep(small(2), place)
    with opened(place) as store:
        assert [run.site for run in store.recent(Wanted(site="twin"), 9)] == ["twin"]


@pytest.mark.parametrize("content", [b"this is not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_never_written_over(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(content)
    place = place_of(str(file))
    told = keep(small(1), place)
    assert told[0].startswith(f"{file}: ")
    assert "'readycheck history check --salvage FILE' saves what can be read" in told[0]
    assert file.read_bytes() == content
    assert len(spool.of(place).waiting()) == 1


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """SQLite's own limit stands in for the disk's: it fails in the same place."""
    place = place_of(str(tmp_path / "runs.db"))
    keep(small(1), place)
    assert place.file is not None
    command = [sys.executable, "-c", _FULL, str(place.file)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{place.file}: database or disk is full; this run waits in " in told
    assert stored(place) == [1]
    assert keep(small(3), place) == []  # there is room again
    assert stored(place)[::2] == [1, 3]


_FULL = """
import sys
from readycheck.history import keep, place
from tests.unit.history.runs import case

attach = keep.attach
def full(place, *, writing):
    connection = attach(place, writing=writing)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}").fetchall()
    return connection
keep.attach = full
print(keep.keep(case("sni-filter"), place.place_of(sys.argv[1])))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become nobody")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Runs can be listed there, and a new one is told as not kept."""
    folder = Path(f"/tmp/readycheck-{os.getpid()}")
    place = place_of(str(folder / "runs.db"))
    try:
        keep(small(1), place)
        assert place.file is not None
        place.file.chmod(0o644)
        folder.chmod(0o755)
        before, told = as_nobody(lambda: (stored(place), keep(small(2), place)))
        assert before == [1]
        assert "attempt to write a readonly database; this run is not kept (" in told[0]
        assert stored(place) == [1]
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


def as_nobody(job: Callable[[], Any]) -> Any:
    """What `job` returns in a process that gives its privileges up."""
    near, far = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            found = repr(job())
        except BaseException as error:
            found = repr(repr(error))
        os.write(far, found.encode())
        os._exit(0)
    os.close(far)
    with open(near, encoding="utf-8") as pipe:
        found = ast.literal_eval(pipe.read())
    os.waitpid(child, 0)
    return found


KILLED = int(os.environ.get("READYCHECK_KILLED", "20"))
"""Rounds; `make bench-history` plays 200."""


def killed_writer(place: Place, first: int, chance: random.Random) -> list[int]:
    """Start a process that stores run after run, kill it at some point, and tell what it said to have stored."""
    near, far = os.pipe()
    child = os.fork()
    if not child:
        try:
            for number in range(first, first + 1000):
                told = "".join(keep(small(number), place))
                os.write(far, f"{told or number}\n".encode())
        finally:
            os._exit(1)
    os.close(far)
    with open(near, "rb", buffering=0) as pipe:
        said = b"".join(pipe.read(1) for _ in range(chance.randrange(4) * len(f"{first}\n")))
        select.select([pipe], [], [], chance.random() / 20)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said += pipe.read()
    return [int(line) for line in said.decode().splitlines()]


def test_kill_9_in_mid_write_loses_at_most_the_run_in_flight(place: Place) -> None:
    """What a writer said that it had stored is there, and whole, whenever it was killed."""
    keep(small(1), place)
    said, chance = [1], random.Random(6)
    for turn in range(KILLED):
        said += killed_writer(place, 100_000 + turn * 1000, chance)
    with opened(place) as store:
        found = store.recent(Wanted(), 100_000)
        assert all(store.report(run) for run in found)
    kept = {int(run.id[:8], 16) for run in found}
    assert set(said) <= kept
    # A run may be stored, and its writer killed before it could say so.
    assert KILLED < len(kept) <= len(said) + KILLED
    if place.file is not None:
        with closing(sqlite3.connect(place.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_run_that_waits_is_whole_or_not_there(tmp_path: Path) -> None:
    queue = Spool(tmp_path)
    path = queue.put(small(1), None)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert spool.read(path).report == small(1)
