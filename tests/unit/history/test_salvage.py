"""Damaged databases: what is told of them, and what is saved from them."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from readycheck.history.place import Place, StoreError, place_of
from readycheck.history.salvage import PAGE, Saved, examine, salvage
from readycheck.history.store import Wanted, opened
from tests.unit.history.runs import case, small


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("sound") / "runs.db"
    with opened(place_of(str(file)), writing=True) as store:
        for number in range(40):
            store.record(small(number, site="north"))
        for name in ("sni-filter", "sni-required", "pmtu-blackhole"):
            store.record(case(name))
    return file.read_bytes()


@pytest.fixture
def full(tmp_path: Path, template: bytes) -> Place:
    file = tmp_path / "runs.db"
    file.write_bytes(template)
    return place_of(str(file))


def saved_from(place: Place, tmp_path: Path) -> tuple[Saved, set[str]]:
    assert place.file is not None
    before = place.file.read_bytes()
    to = place_of(str(tmp_path / "saved.db"))
    found = salvage(place.file, to)
    assert place.file.read_bytes() == before
    with opened(to) as store:
        assert examine(store).troubles == ()
        return found, {run.id for run in store.recent(Wanted(), 1000)}


def test_a_sound_database(full: Place, tmp_path: Path) -> None:
    with opened(full) as store:
        health = examine(store)
    assert (health.runs, health.kept, health.troubles) == (43, 43, ())
    found, _ = saved_from(full, tmp_path)
    assert found == Saved(43, 0, 0)


def test_a_damaged_report_is_told_and_its_summary_saved(full: Place, tmp_path: Path) -> None:
    assert full.file is not None
    with closing(sqlite3.connect(full.file)) as connection, connection:
        connection.execute("UPDATE report SET body = substr(body, 1, 30) WHERE place = 7")
    with opened(full) as store:
        health = examine(store)
    assert len(health.troubles) == 1
    assert "run 00000006 is damaged" in health.troubles[0]
    found, ids = saved_from(full, tmp_path)
    assert found == Saved(42, 1, 0)
    assert len(ids) == 43


@pytest.mark.parametrize("seed", range(8))
def test_pages_that_are_overwritten_cost_what_was_on_them(full: Place, tmp_path: Path, seed: int) -> None:
    """Never a crash, never an invented run, and always most of them."""
    assert full.file is not None
    chance = random.Random(seed)
    content = bytearray(full.file.read_bytes())
    for _ in range(2):
        start = PAGE * chance.randrange(12, len(content) // PAGE)
        content[start : start + PAGE] = chance.randbytes(PAGE)
    full.file.write_bytes(content)
    found, ids = saved_from(full, tmp_path)
    assert ids <= {small(number).run.id for number in range(40)} | {
        case(name).run.id for name in ("sni-filter", "sni-required", "pmtu-blackhole")
    }
    assert found.reports + found.summaries == len(ids) >= 10


def test_a_number_that_no_run_can_have_is_not_counted_up_to(full: Place, tmp_path: Path) -> None:
    assert full.file is not None
    with closing(sqlite3.connect(full.file)) as connection, connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 9000000000000000000 WHERE name = 'run'")
        connection.execute("UPDATE run SET place = 8000000000000000000 WHERE place = 7")
    found, ids = saved_from(full, tmp_path)
    assert len(ids) == 43
    assert (found.reports, found.summaries) == (43, 0)


@pytest.mark.parametrize("lost", [16, 100, PAGE])
def test_the_first_page_can_be_had_from_any_other_database(full: Place, tmp_path: Path, lost: int) -> None:
    assert full.file is not None
    full.file.write_bytes(bytes(lost) + full.file.read_bytes()[lost:])
    with pytest.raises(StoreError), opened(full):
        pass
    found, ids = saved_from(full, tmp_path)
    assert found == Saved(43, 0, 0)
    assert len(ids) == 43
    assert {path.name for path in tmp_path.iterdir()} == {"runs.db", "saved.db"}


def test_a_new_file_is_wanted(full: Place) -> None:
    assert full.file is not None
    with pytest.raises(StoreError, match="name a new file for what is saved"):
        salvage(full.file, full)


def test_what_is_no_database_at_all_saves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(b"nothing of the kind" * 1000)
    found, _ = saved_from(place_of(str(file)), tmp_path)
    assert found == Saved(0, 0, 0)
