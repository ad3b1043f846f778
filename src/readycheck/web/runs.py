"""The runs of an exporter: one for all who ask for the same, few at a time, and what came of the last ones."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from weakref import WeakValueDictionary
from zlib import compress, decompress

from readycheck.render.exposition import Family, Sample, expose
from readycheck.web.agent import Ended
from readycheck.web.job import Job, Refused

Agent = Callable[[Sequence[str], float, Callable[[str], None]], Awaitable[Ended]]

REMEMBERED = 1000
WAITING = 64

_COMPLAINT = "readycheck: "
_BUG = "internal error"
_UNUSABLE = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """`options` are those of `run` that hold for all; answers are given again while younger than `fresh_s`.

    A run ends `offset_s` before whoever asks loses patience: it has to start, and to be reported. One that is still
    there `beyond_s` past its deadline is told to end.
    """

    options: tuple[str, ...] = ()
    deadline_s: float = 15.0
    fresh_s: float = 0.0
    offset_s: float = 1.0
    at_once: int = 2
    beyond_s: float = 900.0

    def budget(self, patience_s: float | None) -> float:
        """What a run and the wait for its turn may take."""
        if patience_s is None:
            return 2 * self.deadline_s
        return max(patience_s - self.offset_s, patience_s / 2)


@dataclass(frozen=True, slots=True)
class Result:
    """`packed` are the metrics, compressed; `ended` is a time of day."""

    job: Job
    packed: bytes
    exit_status: float | None
    score: float | None
    ended: float
    seconds: float

    @classmethod
    def of(cls, job: Job, text: str, ended: float, seconds: float) -> Self:
        status, score = _value(text, "readycheck_exit_status"), _value(text, "readycheck_score")
        return cls(job, compress(text.encode(), level=1), status, score, ended, seconds)

    @property
    def text(self) -> str:
        return decompress(self.packed).decode()


def _value(text: str, name: str) -> float | None:
    """Of a metric with one sample."""
    found = re.search(rf"^{name}{{.*}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


Outcome = Result | Refused


class Runs:
    """They end with the `async with` of this; `clock` tells the time of day.

    `say` gets what runs complain of: Prometheus shows nobody the text of a refusal, and a run that gave its metrics may
    still have failed to be stored or told.
    """

    def __init__(
        self,
        settings: Settings,
        agent: Agent,
        clock: Callable[[], float] = time.time,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._say = say
        self._group = asyncio.TaskGroup()
        self._clock = clock
        self._turns = asyncio.Semaphore(settings.at_once)
        self._places: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._running: dict[Job, asyncio.Future[Outcome]] = {}
        self._last: OrderedDict[Job, Result] = OrderedDict()
        self._last_shown: str | None = None
        self._started = self._on = self._failed = self._shared = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._group.__aexit__(*raised)

    async def answer(self, job: Job, patience_s: float | None) -> Result:
        """Of a run that is fresh or on, or of a new one, within `patience_s`. Raises `Refused`."""
        last = self._last.get(job)
        if last is not None and 0 <= self._clock() - last.ended < self._settings.fresh_s:
            self._shared += 1
            return last
        outcome_to_come = self._running.get(job)
        if outcome_to_come is None:
            outcome_to_come = self._begin(job, self._settings.budget(patience_s))
        else:
            self._shared += 1
        done, _ = await asyncio.wait({outcome_to_come}, timeout=patience_s)
        if not done:
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "the run takes longer than that, and goes on")
        outcome = outcome_to_come.result()
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def _begin(self, job: Job, budget_s: float) -> asyncio.Future[Outcome]:
        if len(self._running) >= WAITING:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many runs wait for their turn")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._running[job] = outcome
        task = self._group.create_task(self._in_turn(job, budget_s, outcome))
        task.add_done_callback(lambda _: self._running.pop(job))
        return outcome

    async def _in_turn(self, job: Job, budget_s: float, outcome: asyncio.Future[Outcome]) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + budget_s
        # What a hurried run could not measure would look like a fault: it gets half of its time, or none.
        least_s = min(self._settings.deadline_s, budget_s) / 2
        place = self._places.setdefault(job.place, asyncio.Lock())
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout_at(ends - least_s):
                    await turn.enter_async_context(place)
                    await turn.enter_async_context(self._turns)
            except TimeoutError:
                outcome.set_result(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "its turn did not come in time"))
                return
            turn.enter_context(self._counted())
            await self._run(job, min(self._settings.deadline_s, ends - loop.time()), outcome)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._started += 1
        self._on += 1
        try:
            yield
        finally:
            self._on -= 1

    async def _run(self, job: Job, deadline_s: float, outcome: asyncio.Future[Outcome]) -> None:
        """It may go on when its outcome is there: it is still to be stored."""
        began = time.monotonic()

        def told(text: str) -> None:
            result = Result.of(job, text, self._clock(), time.monotonic() - began)
            self._remember(result)
            outcome.set_result(result)

        command = job.command(self._settings.options, deadline_s)
        try:
            ended = await self._agent(command, deadline_s + self._settings.beyond_s, told)
            refused, complaints = _unreported(ended), ended.complaints
        except OSError as error:
            refused = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"cannot be run: {error.strerror}")
            complaints = (str(refused),)
        except UnicodeEncodeError as error:  # of this host: one that does not use UTF-8
            refused = Refused(HTTPStatus.BAD_REQUEST, f"not to be written in {error.encoding} here")
            complaints = (str(refused),)
        for line in complaints:
            self._say(f"{job.named}: {line.removeprefix(_COMPLAINT)}")
        if not outcome.done():
            self._failed += 1
            outcome.set_result(refused)

    def _remember(self, result: Result) -> None:
        self._last[result.job] = result
        self._last.move_to_end(result.job)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        self._last_shown = None

    # --- figures ------------------------------------------------------------------------------------------

    def families(self) -> Iterator[Family]:
        yield Family("runs_started_total", "Runs that were started.", [({}, self._started)], "counter")
        yield Family("runs_failed_total", "Runs that gave no report.", [({}, self._failed)], "counter")
        meaning = "Answers that needed no run of their own."
        yield Family("shared_answers_total", meaning, [({}, self._shared)], "counter")
        yield Family("runs_in_progress", "Runs that are on.", [({}, self._on)])
        waiting = len(self._running) - self._on
        yield Family("runs_waiting", "Runs that wait for their turn.", [({}, waiting)])

    def last(self, prefix: str) -> str:
        """What came last of each that was asked for; exposed once for every run, not for every scrape."""
        if self._last_shown is None:
            self._last_shown = expose(_last(tuple(self._last.values())), prefix)
        return self._last_shown


def _unreported(ended: Ended) -> Refused:
    why = ended.complaints[-1].removeprefix(_COMPLAINT) if ended.complaints else ""
    if ended.status == _UNUSABLE and why and not why.startswith(_BUG):
        return Refused(HTTPStatus.BAD_REQUEST, why)
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, why or f"the run ended with status {ended.status}")


def _last(results: Sequence[Result]) -> Iterator[Family]:
    def family(name: str, meaning: str, value: Callable[[Result], float | None]) -> Family:
        found = [(result.job.labels, value(result)) for result in results]
        samples: list[Sample] = [(labels, number) for labels, number in found if number is not None]
        return Family(f"last_run_{name}", meaning, samples)

    yield family("timestamp_seconds", "When the last run ended.", lambda run: round(run.ended, 3))
    yield family("duration_seconds", "How long it took, with its start.", lambda run: round(run.seconds, 3))
    yield family("exit_status", "0 ready, 1 warnings, 2 not ready, 3 unknown.", lambda run: run.exit_status)
    yield family("score", "0 to 100; absent when not graded.", lambda run: run.score)
