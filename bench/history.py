"""What storing a run costs, how large it is, and how long lists and trends take among many."""

import lzma
import os
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.table import Row, remark, show
from readycheck.history.keep import keep
from readycheck.history.packing import pack_numbers
from readycheck.history.place import Place, place_of
from readycheck.history.store import Wanted, opened
from readycheck.history.summary import summarize
from readycheck.report import Report, dump, load

CASES = Path(__file__).parents[1] / "tests" / "cases" / "reports"
ROUNDS = 5
RUNS = 100_000
SITES = 100
QUARTER = 90 * 24 * 4
"""Runs of one site in ninety days, every fifteen minutes."""
FLEET_S = 10.0
STORE_MS, STORED_KB, LIST_MS, TREND_MS, FLEET_A_MINUTE = 20.0, 40.0, 200.0, 1000.0, 1000.0


def measure() -> None:
    reports = [load(lzma.decompress(path.read_bytes()), path.name) for path in sorted(CASES.glob("*.xz"))]
    with tempfile.TemporaryDirectory(prefix="readycheck-bench-") as name:
        _storing(reports, Path(name))
        _among_many(reports, Path(name) / "many.db")
    _server(reports)


def _storing(reports: list[Report], folder: Path) -> None:
    """The smallest thing that is safe beside it: the text in a file, and that on the disk."""
    place = place_of(str(folder / "runs.db"))
    ours, plain = [], []
    with opened(place, writing=True) as store:
        for turn in range(ROUNDS):
            for number, report in enumerate(reports):
                one = _another(report, turn * 1000 + number)
                plain.append(_ms(lambda one=one: _written(folder / "report.json", dump(one, None))))
                ours.append(_ms(lambda one=one: store.record(one)))
    again = [_ms(lambda turn=turn: keep(_another(reports[-1], 10**6 + turn), place)) for turn in range(20)]
    assert place.file is not None
    with closing(sqlite3.connect(place.file)) as connection:
        sizes = [size / 1024 for (size,) in connection.execute("SELECT length(body) FROM report")]
    texts = [len(dump(report, None)) / 1024 for report in reports]
    show(
        f"Storing a run (median of {len(ours)}, {len(reports)} different ones)",
        [
            Row("store it", median(ours), "ms", "write its JSON and sync", median(plain), STORE_MS),
            Row("open the database and store it", median(again), "ms"),
            Row("its size, compressed", median(sizes), "KB", "its JSON", median(texts), STORED_KB),
            Row("the largest", max(sizes), "KB", "its JSON", max(texts)),
        ],
    )


def _written(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as opened_file:
        opened_file.write(text)
        opened_file.flush()
        os.fsync(opened_file.fileno())


def _among_many(reports: list[Report], file: Path) -> None:
    place = place_of(str(file))
    _fill(place, reports, RUNS)
    wanted = Wanted(site="site 7", profile="webex-calling")
    with opened(place) as store, closing(sqlite3.connect(file)) as connection:
        plain = "SELECT id FROM run WHERE site = 'site 7' AND profile = 'webex-calling' ORDER BY place DESC LIMIT 20"
        bare = _median_ms(lambda: connection.execute(plain).fetchall())
        rows = [
            Row("history list", _median_ms(lambda: store.recent(Wanted(), 20)), "ms", "", None, LIST_MS),
            Row(
                "history list --site",
                _median_ms(lambda: store.recent(wanted, 20)),
                "ms",
                "the same rows by hand",
                bare,
                LIST_MS,
            ),
            Row(
                f"history trend score, {QUARTER} runs",
                _median_ms(lambda: store.series(wanted, "score")),
                "ms",
                "",
                None,
                TREND_MS,
            ),
            Row(
                f"history trend of a metric, {QUARTER} runs",
                _median_ms(lambda: store.series(wanted, "dns-udp.rtt_ms")),
                "ms",
                "",
                None,
                TREND_MS,
            ),
        ]
    show(f"Among {RUNS:,} runs of {SITES} sites in SQLite (median of 5)", rows)
    each = file.stat().st_size / RUNS
    remark(f"{each:.0f} bytes a run beside its report: a million runs are {each / 1000:.2f} GB, and reports")


def _fill(place: Place, reports: list[Report], runs: int) -> None:
    """Summaries alone: lists and trends never touch a report. One site has a quarter of them every 15 minutes."""
    base = max(map(summarize, reports), key=lambda summary: len(summary.numbers))
    chance, began = random.Random(1), 1_790_000_000_000
    with opened(place, writing=True):
        pass
    assert place.file is not None
    numbers = [
        pack_numbers({name: value * chance.uniform(0.8, 1.2) for name, value in base.numbers.items()})
        for _ in range(200)
    ]

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(runs):
            site = "site 7" if number % (runs // QUARTER) == 0 else f"site {chance.randrange(8, SITES + 8)}"
            yield (
                f"{number:032x}",
                site,
                base.profile,
                base.revision,
                base.profile_hash,
                base.started_at,
                began + number * 900_000 * QUARTER // runs,
                base.duration_ms,
                base.state,
                base.verdict,
                chance.randrange(101),
                base.grade,
                base.coverage,
                " ".join(base.causes),
                base.tool,
                numbers[number % len(numbers)],
            )

    with closing(sqlite3.connect(place.file)) as connection, connection:
        connection.executemany(
            "INSERT INTO run (id, site, profile, revision, profile_hash, started_at, started_ms, duration_ms, "
            f"state, verdict, score, grade, coverage, causes, tool, numbers) VALUES ({', '.join('?' * 16)})",
            rows(),
        )


def _server(reports: list[Report]) -> None:
    """Agents that each open a connection of their own, store one run and leave, as those of a fleet do."""
    with _postgres() as url:
        if url is None:
            sys.stdout.write("PostgreSQL: NOT MEASURED: not installed: postgresql\n")
            return
        place = place_of(url)
        troubles: list[str] = []
        stored = [0, 0]
        spent = time.process_time()
        end = time.monotonic() + FLEET_S

        def agents(first: int) -> None:
            while time.monotonic() < end:
                number = first + 2 * stored[first]
                report = _another(reports[number % len(reports)], number, f"site {number % 1000}")
                troubles.extend(keep(report, place))
                stored[first] += 1

        threads = [threading.Thread(target=agents, args=(first,)) for first in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent_ms = (time.process_time() - spent) * 1000 / sum(stored)
        with opened(place) as store:
            runs, kept = store.counts()
        a_minute = sum(stored) * 60 / FLEET_S
        show(
            "A fleet's runs in PostgreSQL, a connection each",
            [
                Row("stored a minute", a_minute, "runs", "a thousand agents' runs", FLEET_A_MINUTE),
                Row("processor time of an agent for one", spent_ms, "ms"),
            ],
        )
        remark(f"{sum(stored)} sent, {runs} there, {kept} with reports; {len(troubles)} troubles")


@contextmanager
def _postgres() -> Iterator[str | None]:
    from urllib.parse import quote

    from tests.ports import free_port
    from tests.unit.history import postgres

    if postgres.programs() is None:
        yield None
        return
    port = free_port()
    with postgres.server(port):
        yield f"postgresql://readycheck:{quote(postgres.PASSWORD, safe='')}@127.0.0.1:{port}/postgres"


def _another(report: Report, number: int, site: str | None = None) -> Report:
    return replace(report, run=replace(report.run, id=f"{number:032x}", site=site or report.run.site))


def _ms(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return (time.perf_counter() - began) * 1000


def _median_ms(job: Callable[[], object]) -> float:
    return median(_ms(job) for _ in range(5))
