"""One run for all who ask, few at a time, and what is remembered of them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest

from readycheck.render.exposition import expose
from readycheck.web import runs as module
from readycheck.web.agent import Ended
from readycheck.web.job import Job, Refused
from readycheck.web.runs import WAITING, Runs, Settings

DOOR = Job("door", site="x")
PAGE = 'readycheck_exit_status{profile="door"} 0\nreadycheck_score{profile="door"} 97\n# EOF\n'


class Agent:
    """Runs that give a page, and end when they are let go."""

    def __init__(
        self, ended: Ended | Exception | None = None, *, held: bool = False, storing: bool = False
    ) -> None:
        self.commands: list[Sequence[str]] = []
        self.limits: list[float] = []
        self.go = asyncio.Event()
        self._ended = ended
        self._storing = storing
        if not held:
            self.go.set()

    async def __call__(self, command: Sequence[str], limit_s: float, told: Callable[[str], None]) -> Ended:
        self.commands.append(command)
        self.limits.append(limit_s)
        if self._storing:
            told(PAGE)
        await self.go.wait()
        if isinstance(self._ended, Exception):
            raise self._ended
        if self._ended is None and not self._storing:
            told(PAGE)
        return self._ended or Ended(0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def exposed(runs: Runs) -> str:
    return expose(runs.families(), "") + runs.last("")


async def test_all_who_ask_meanwhile_get_the_answer_of_one_run() -> None:
    agent = Agent(held=True)
    async with Runs(Settings(), agent) as runs, asyncio.TaskGroup() as asking:
        asked = [asking.create_task(runs.answer(DOOR, None)) for _ in range(5)]
        await settle()
        assert len(agent.commands) == 1
        assert "runs_in_progress 1\n" in exposed(runs)
        agent.go.set()
    assert {id(task.result()) for task in asked} == {id(asked[0].result())}
    assert "runs_started_total 1\n" in exposed(runs) and "shared_answers_total 4\n" in exposed(runs)


async def test_who_asks_later_gets_a_run_of_their_own() -> None:
    agent = Agent()
    async with Runs(Settings(), agent) as runs:
        assert await runs.answer(DOOR, None) is not await runs.answer(DOOR, None)
    assert len(agent.commands) == 2


@pytest.mark.parametrize(("later_s", "number"), [(0, 1), (59, 1), (60, 2), (-1, 2)])
async def test_a_fresh_answer_is_given_again(later_s: float, number: int) -> None:
    agent, now = Agent(), 1000.0
    async with Runs(Settings(fresh_s=60), agent, lambda: now) as runs:
        await runs.answer(DOOR, None)
        now += later_s
        await runs.answer(DOOR, None)
    assert len(agent.commands) == number


async def test_of_a_profile_and_target_one_runs_at_a_time_and_of_all_so_many() -> None:
    agent = Agent(held=True)
    jobs = [DOOR, Job("door", site="y"), Job("gate"), Job("barn")]
    async with Runs(Settings(at_once=2), agent) as runs, asyncio.TaskGroup() as asking:
        for job in jobs:
            asking.create_task(runs.answer(job, None))
        await settle()
        assert [command[-1] for command in agent.commands] == ["door", "gate"]
        assert "runs_waiting 2\n" in exposed(runs)
        agent.go.set()
    assert len(agent.commands) == 4


@pytest.mark.parametrize(
    ("patience_s", "deadline"), [(None, "15.000"), (60.0, "15.000"), (10.0, "9.000"), (1.0, "0.500")]
)
async def test_a_run_ends_before_patience_does(patience_s: float | None, deadline: str) -> None:
    agent = Agent()
    async with Runs(Settings(beyond_s=2000), agent) as runs:
        await runs.answer(DOOR, patience_s)
    told = next(part for part in agent.commands[0] if part.startswith("--deadline="))
    assert told == f"--deadline={deadline}"
    assert agent.limits[0] == pytest.approx(float(deadline) + 2000)


async def test_who_has_no_patience_leaves_and_the_run_goes_on() -> None:
    agent = Agent(held=True)
    async with Runs(Settings(), agent) as runs:
        with pytest.raises(Refused, match="goes on") as refused:
            await runs.answer(DOOR, 0.01)
        assert refused.value.status == 504
        agent.go.set()
        await settle()
        assert 'last_run_score{profile="door",site="x",target="",role="",set=""} 97\n' in exposed(runs)


async def test_whose_turn_does_not_come_is_refused() -> None:
    agent = Agent(held=True)
    async with Runs(Settings(at_once=1, deadline_s=0.02), agent) as runs, asyncio.TaskGroup() as asking:
        asking.create_task(runs.answer(DOOR, None))
        await settle()
        with pytest.raises(Refused, match="turn") as refused:
            await runs.answer(Job("gate"), None)
        assert refused.value.status == 503
        agent.go.set()
    assert len(agent.commands) == 1


async def test_who_had_to_wait_gets_the_time_that_is_left() -> None:
    agent = Agent(held=True)
    async with Runs(Settings(at_once=1, deadline_s=15), agent) as runs, asyncio.TaskGroup() as asking:
        asking.create_task(runs.answer(DOOR, None))
        asking.create_task(runs.answer(Job("gate"), 10))
        asking.create_task(runs.answer(Job("barn"), 60))
        asyncio.get_running_loop().call_later(0.05, agent.go.set)
    deadlines = [
        float(part.partition("=")[2]) for told in agent.commands for part in told if "--deadline=" in part
    ]
    assert deadlines[0] == deadlines[2] == 15 and 4.5 < deadlines[1] < 8.96


async def test_a_queue_has_an_end() -> None:
    agent = Agent(held=True)
    async with Runs(Settings(), agent) as runs, asyncio.TaskGroup() as asking:
        for number in range(WAITING):
            asking.create_task(runs.answer(Job("door", (str(number),)), None))
        await settle()
        with pytest.raises(Refused, match="too many") as refused:
            await runs.answer(DOOR, None)
        assert refused.value.status == 503
        agent.go.set()


@pytest.mark.parametrize(
    ("ended", "status", "why"),
    [
        (Ended(3, ("readycheck: --role x: profile 'door' has the roles app",)), 400, "^--role x: profile"),
        (Ended(3, ("readycheck: internal error: ValueError: x",)), 500, "^internal error"),
        (Ended(-9), 500, "status -9"),
        (UnicodeEncodeError("latin-1", "€", 0, 1, "x"), 400, "not to be written in latin-1"),
        (OSError(11, "Resource temporarily unavailable"), 500, "cannot be run: Resource"),
    ],
)
async def test_what_a_run_without_a_report_is(ended: Ended | Exception, status: int, why: str) -> None:
    async with Runs(Settings(fresh_s=60), Agent(ended)) as runs:
        with pytest.raises(Refused, match=why) as refused:
            await runs.answer(DOOR, None)
        assert refused.value.status == status
        assert "runs_failed_total 1\n" in exposed(runs) and "last_run" not in exposed(runs)


async def test_the_answer_does_not_wait_until_the_run_is_stored() -> None:
    agent = Agent(held=True, storing=True)
    async with Runs(Settings(at_once=1), agent) as runs:
        assert (await runs.answer(DOOR, None)).text == PAGE
        assert "runs_in_progress 1\n" in exposed(runs)
        assert (await runs.answer(DOOR, None)).text == PAGE
        with pytest.raises(Refused, match="turn"):
            await runs.answer(Job("gate"), 0.01)
        assert len(agent.commands) == 1
        agent.go.set()


@pytest.mark.parametrize("reported", [True, False])
async def test_what_a_run_complains_of_is_said(reported: bool) -> None:
    said: list[str] = []
    ended = Ended(
        3, ("readycheck: alert slack://...: no answer", "readycheck: history.db: No space left on device")
    )
    async with Runs(Settings(), Agent(ended, storing=reported), say=said.append) as runs:
        with nullcontext() if reported else pytest.raises(Refused, match=r"^history\.db"):
            await runs.answer(DOOR, None)
    assert said == ["door (x): alert slack://...: no answer", "door (x): history.db: No space left on device"]


async def test_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    async with Runs(Settings(), Agent()) as runs:
        for site in ("a", "b", "a", "c"):
            await runs.answer(Job("door", site=site), None)
        shown = exposed(runs)
    assert 'site="b"' not in shown and 'site="a"' in shown and 'site="c"' in shown


async def test_the_last_of_each_is_remembered() -> None:
    async with Runs(Settings(), Agent(), lambda: 1000.5) as runs:
        await runs.answer(DOOR, None)
        await runs.answer(Job("gate", ("a",), ("app",)), None)
    about = 'profile="door",site="x",target="",role="",set=""'
    assert f"last_run_timestamp_seconds{{{about}}} 1000.5\n" in exposed(runs)
    assert f"last_run_exit_status{{{about}}} 0\n" in exposed(runs)
    assert 'last_run_exit_status{profile="gate",site="",target="a",role="app",set=""} 0\n' in exposed(runs)
