"""The exporter's pages: a run for each `/probe`, as the blackbox exporter has it, and figures about itself."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from http import HTTPStatus
from mmap import PAGESIZE
from pathlib import Path

from readycheck import __version__
from readycheck.errors import UsageError
from readycheck.net.guard import is_loopback
from readycheck.net.interface import Endpoint
from readycheck.render.exposition import OPEN_METRICS, TEXT, Family, expose, open_metrics
from readycheck.web.access import Access
from readycheck.web.agent import run_agent
from readycheck.web.job import Refused, read_job, read_patience
from readycheck.web.runs import Runs, Settings
from readycheck.web.server import Answer, Request, Server

PORT = 10478
PREFIX = "readycheck_exporter_"

_TIMEOUT = "x-prometheus-scrape-timeout-seconds"
_INDEX = """readycheck exporter

/probe?profile=NAME  run, and say what came of it; also: target=HOST[=ADDRESS], role=ROLE, set=NAME=VALUE, site=NAME
/metrics             about this exporter, and what came last of each that was asked for
/-/healthy           whether it serves
"""
_MEMORY = Path("/proc/self/statm")


class Exporter:
    """`profiles` are the names that there are by now; `site` is what it is called where nobody says."""

    def __init__(self, runs: Runs, profiles: Callable[[], Collection[str]], site: str = "") -> None:
        self._runs = runs
        self._profiles = profiles
        self._site = site
        self._began = time.time()
        self._answered: Counter[tuple[str, int]] = Counter()
        self._pages = {
            "/": self._index,
            "/probe": self._probe,
            "/metrics": self._metrics,
            "/-/healthy": self._healthy,
        }

    async def answer(self, request: Request) -> Answer:
        page = self._pages.get(request.path)
        try:
            if page is None:
                raise Refused(HTTPStatus.NOT_FOUND, "see /")
            found = await page(request)
        except Refused as refused:
            found = Answer(refused.status, f"{refused}\n")
        self._answered[request.path if page else "other", found.status] += 1
        return found

    async def _index(self, request: Request) -> Answer:
        return Answer(HTTPStatus.OK, _INDEX)

    async def _healthy(self, request: Request) -> Answer:
        return Answer(HTTPStatus.OK, "OK\n")

    async def _probe(self, request: Request) -> Answer:
        if request.method != "GET":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET: it starts a run")
        job = read_job(request.query, self._profiles(), self._site)
        result = await self._runs.answer(job, read_patience(request.headers.get(_TIMEOUT)))
        return _exposed(request, result.text)

    async def _metrics(self, request: Request) -> Answer:
        return _exposed(
            request, expose(self._families(), PREFIX) + self._runs.last(PREFIX) + _process(self._began)
        )

    def _families(self) -> Iterator[Family]:
        yield Family("build_info", "The version that serves.", [({"version": __version__}, 1)])
        answered = [
            ({"path": path, "code": str(code)}, float(number))
            for (path, code), number in self._answered.items()
        ]
        yield Family("requests_total", "Requests that were answered.", answered, "counter")
        yield from self._runs.families()


def _exposed(request: Request, text: str) -> Answer:
    if "application/openmetrics-text" in request.headers.get("accept", ""):
        return Answer(HTTPStatus.OK, open_metrics(text), OPEN_METRICS)
    return Answer(HTTPStatus.OK, text, TEXT)


def _process(began: float) -> str:
    """By the names that every exporter has for them."""
    families = [
        Family("cpu_seconds_total", "Processor time used.", [({}, round(time.process_time(), 2))], "counter"),
        Family("start_time_seconds", "When this process started.", [({}, round(began, 2))]),
        Family("resident_memory_bytes", "Memory in use.", [({}, size) for size in _memory()]),
    ]
    return expose(families, "process_")


def _memory() -> Iterator[int]:
    """Where there is such a file: on Linux."""
    try:
        yield int(_MEMORY.read_text(encoding="ascii").split()[1]) * PAGESIZE
    except (OSError, ValueError, IndexError):
        return


async def serve_pages(
    settings: Settings,
    profiles: Callable[[], Collection[str]],
    site: str,
    place: Endpoint,
    ready: Callable[[], None],
    say: Callable[[str], None],
    access: Access,
) -> None:
    """Until this task is cancelled; `say` gets what runs complain of.

    Raises `UsageError` when the place cannot be had.
    """
    runs = Runs(settings, run_agent, say=say)
    server = Server(Exporter(runs, profiles, site).answer, local=is_loopback(place[0]), access=access)
    listening = await _listening(server, place)
    with suppress(asyncio.CancelledError):
        async with runs, listening:
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                server.end()


async def _listening(server: Server, place: Endpoint) -> asyncio.Server:
    host, port = place
    try:
        return await asyncio.start_server(server.attend, host, port)
    except OSError as error:
        raise UsageError(f"--listen: TCP port {port} of {host}: {os.strerror(error.errno or 0)}") from None
