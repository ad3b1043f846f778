"""The pages of the exporter."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from readycheck.render.exposition import OPEN_METRICS, TEXT
from readycheck.web.agent import Ended
from readycheck.web.exporter import Exporter
from readycheck.web.runs import Runs, Settings
from readycheck.web.server import Answer, Request

PAGE = (
    '# HELP readycheck_score S.\n# TYPE readycheck_score gauge\nreadycheck_score{profile="door"} 97\n# EOF\n'
)
OPEN = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


@asynccontextmanager
async def exporting(commands: list[Sequence[str]]) -> AsyncIterator[Exporter]:
    async def agent(command: Sequence[str], limit_s: float, told: Callable[[str], None]) -> Ended:
        commands.append(command)
        told(PAGE)
        return Ended(0)

    async with Runs(Settings(), agent) as runs:
        yield Exporter(runs, lambda: {"door"}, "home")


async def get(target: str, *, method: str = "GET", **headers: str) -> tuple[Answer, list[Sequence[str]]]:
    commands: list[Sequence[str]] = []
    path, _, query = target.partition("?")
    async with exporting(commands) as exporter:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        return await exporter.answer(Request(method, path, query, shown)), commands


async def test_a_probe_is_the_page_of_a_run() -> None:
    answer, commands = await get("/probe?profile=door&target=a", x_prometheus_scrape_timeout_seconds="10")
    assert (answer.status, answer.text, answer.kind) == (200, PAGE, TEXT)
    assert {"--target=a", "--site=home", "--deadline=9.000"} <= set(commands[0])


async def test_openmetrics_for_who_wants_it() -> None:
    answer, _ = await get("/probe?profile=door", **OPEN)
    assert (answer.text, answer.kind) == (PAGE, OPEN_METRICS)


async def test_a_head_starts_no_run() -> None:
    answer, commands = await get("/probe?profile=door", method="HEAD")
    assert (answer.status, commands) == (405, [])


async def test_bad_requests_get_one_line() -> None:
    assert (await get("/probe?profile=barn"))[0].text == "profile: not known (known: door)\n"
    assert (await get("/probe?profile=door", x_prometheus_scrape_timeout_seconds="x"))[0].status == 400
    assert (await get("/nowhere"))[0].status == 404


async def test_pages_about_itself() -> None:
    assert (await get("/-/healthy"))[0].text == "OK\n"
    assert "/probe?profile=NAME" in (await get("/"))[0].text


async def test_metrics_count_what_was_asked() -> None:
    async with exporting([]) as exporter:
        for path, query in (("/probe", "profile=door"), ("/a", ""), ("/b", ""), ("/probe", "")):
            await exporter.answer(Request("GET", path, query, {}))
        text = (await exporter.answer(Request("GET", "/metrics", "", {}))).text
    for line in (
        'readycheck_exporter_requests_total{path="/probe",code="200"} 1',
        'readycheck_exporter_requests_total{path="/probe",code="400"} 1',
        'readycheck_exporter_requests_total{path="other",code="404"} 2',
        'readycheck_exporter_last_run_score{profile="door",site="home",target="",role="",set=""} 97',
    ):
        assert f"{line}\n" in text
    assert "process_cpu_seconds_total " in text
