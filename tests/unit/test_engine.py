"""The engine, with tiny probes: what ends a check, and that what was seen survives it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from readycheck.engine import Limits, Outcome, Progress, Run, RunState, Status
from readycheck.failure import Failure
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Observation, Target
from readycheck.plan import Check, CheckTarget, Scope
from readycheck.probe import Metric, MetricValue, Net, NetError, Step, Unit
from readycheck.registry import Installed, Registry
from readycheck.testing import FakeNetwork, FakeService, run

HERE = Target(address="192.0.2.1", port=9000)
Measure = Callable[[Net], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class TinyParams:
    targets: tuple[Target, ...] = ()


class Tiny:
    """A probe that does what the test says."""

    name: ClassVar[str] = "tiny"
    title: ClassVar[str] = "Tiny"
    Params: ClassVar[type[Any]] = TinyParams
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("seen", Unit.COUNT),)
    proves: ClassVar[Step] = Step.CONNECT

    def __init__(self, measure: Measure, summarize: Callable[[], None] = lambda: None) -> None:
        self._measure, self._summarize = measure, summarize

    async def measure(self, params: TinyParams, net: Net) -> None:
        await self._measure(net)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        self._summarize()
        return {"seen": len(observations)}


def check(name: str = "a", *needs: str, budget_s: float = 8.0, probe: str = "tiny") -> Check:
    return Check(
        id=name,
        requirement="r",
        probe=probe,
        scope=Scope.NAMED,
        target=CheckTarget(),
        params=TinyParams(),
        budget_s=budget_s,
        needs=needs,
        proves=Step.CONNECT,
    )


@dataclass
class Done:
    run: Run
    outcomes: tuple[Outcome, ...]
    progress: list[Progress]
    took_s: float

    @property
    def only(self) -> Outcome:
        assert len(self.outcomes) == 1
        return self.outcomes[0]


async def execute(
    probes: Mapping[str, Tiny],
    checks: Sequence[Check],
    *,
    deadline_s: float = 15.0,
    at_once: int = 400,
    cancel_after_s: float | None = None,
) -> Done:
    """Run checks on a network on which one service answers; returns whatever there is, even when cancelled."""
    loop = asyncio.get_running_loop()
    shared = SharedNetwork(FakeNetwork(tcp={("192.0.2.1", 9000): FakeService()}), clock=loop.time)
    registry = Registry({name: Installed(name, probe, "tests", "1") for name, probe in probes.items()}, {})
    progress: list[Progress] = []
    began = loop.time()
    limits = Limits(began + deadline_s, at_once)
    made = Run(registry, shared.traced, shared.now_ms, limits, progress.append)
    try:
        async with asyncio.timeout(cancel_after_s):
            await made.run(checks)
    except TimeoutError:
        pass
    return Done(made, made.outcomes, progress, loop.time() - began)


def measure(measure: Measure, **options: Any) -> Done:
    return run(execute({"tiny": Tiny(measure)}, [check()], **options))


async def connect(net: Net) -> None:
    stream = await net.towards(HERE).connect(("192.0.2.1", 9000), timeout=1)
    stream.close()


async def stay_silent(net: Net) -> None:
    await connect(net)
    with net.step(Step.RESPONSE, HERE):
        await net.sleep(3600)


# --- one check ----------------------------------------------------------------------------------------


def test_a_check_is_measured() -> None:
    done = measure(connect)
    assert done.only.status is Status.MEASURED
    assert done.only.metrics == {"seen": 1}
    assert [o.failure for o in done.only.observations] == [None]
    assert done.only.duration_ms == pytest.approx(20)
    assert (done.run.state, done.only.cut, done.only.because) == (RunState.COMPLETE, False, "")


def test_the_first_of_many_send_while_the_last_are_being_prepared() -> None:
    steps: list[str] = []

    async def prepare_and_send(net: Net) -> None:
        steps.append("prepare")
        for _ in range(3):
            await asyncio.sleep(0)
        steps.append("send")

    run(execute({"tiny": Tiny(prepare_and_send)}, [check(str(number)) for number in range(100)]))
    assert "prepare" in steps[steps.index("send") :]


def test_a_network_failure_is_a_result() -> None:
    async def fail(net: Net) -> None:
        await connect(net)
        await net.connect(("192.0.2.9", 1), timeout=0.5)

    done = measure(fail)
    assert done.only.status is Status.MEASURED
    assert [o.failure for o in done.only.observations] == [None, Failure.TIMED_OUT]
    assert done.run.state is RunState.COMPLETE


def test_network_failures_of_tasks_that_the_probe_started_are_a_result_too() -> None:
    async def fail(net: Net) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(connect(net))
            group.create_task(_refuse())

    async def _refuse() -> None:
        raise NetError(Failure.CONNECTION_REFUSED)

    assert measure(fail).only.status is Status.MEASURED


def test_a_crash_is_a_bug_of_the_probe_and_ends_only_its_check() -> None:
    async def crash(net: Net) -> None:
        await connect(net)
        raise KeyError("oops\nand more" + "x" * 500)

    probes = {"bad": Tiny(crash), "tiny": Tiny(connect)}
    done = run(execute(probes, [check("a", probe="bad"), check("b")]))
    bad, good = done.outcomes
    assert bad.status is Status.CRASHED
    assert bad.because.startswith("bug in probe 'bad': KeyError: ")
    assert "(test_engine.py:" in bad.because
    assert len(bad.because) < 300
    assert len(bad.observations) == 1
    assert bad.metrics == {}
    assert good.status is Status.MEASURED
    assert done.run.state is RunState.COMPLETE


def test_a_crash_among_visits_is_told_by_its_own_name_and_place() -> None:
    async def visit(target: Target, net: Net) -> None:
        await asyncio.sleep(0)
        if target is HERE:
            raise TimeoutError
        raise KeyError("oops")

    async def crash(net: Net) -> None:
        await net.each([HERE, Target(address="192.0.2.2")], visit)

    because = run(execute({"bad": Tiny(crash)}, [check("a", probe="bad")])).only.because
    assert because.startswith("bug in probe 'bad': KeyError: 'oops' (test_engine.py:")


def test_a_crash_that_was_never_raised_is_told_too() -> None:
    async def crash(net: Net) -> None:
        raise ExceptionGroup("some", [KeyError("oops")])

    because = run(execute({"bad": Tiny(crash)}, [check("a", probe="bad")])).only.because
    assert because.startswith("bug in probe 'bad': KeyError: 'oops' (test_engine.py:")


def test_a_summary_that_crashes_is_a_bug_too() -> None:
    def crash() -> None:
        raise ZeroDivisionError

    done = run(execute({"tiny": Tiny(connect, crash)}, [check()]))
    assert done.only.status is Status.CRASHED
    assert "ZeroDivisionError" in done.only.because
    assert len(done.only.observations) == 1


def test_a_check_that_exceeds_its_budget_keeps_what_it_has_seen() -> None:
    done = run(execute({"tiny": Tiny(stay_silent)}, [check(budget_s=2.0)]))
    first, second = done.only.observations
    assert done.only.status is Status.MEASURED
    assert (first.step, first.failure) == (Step.CONNECT, None)
    assert (second.step, second.failure) == (Step.RESPONSE, Failure.TIMED_OUT)
    assert second.elapsed_ms == pytest.approx(1980)
    assert done.only.metrics == {"seen": 2}
    assert done.only.cut is False
    assert done.took_s == pytest.approx(2.0)


def test_a_probe_is_told_how_much_time_it_has() -> None:
    async def ask_for_an_hour(net: Net) -> None:
        await net.connect(("192.0.2.9", 1), timeout=3600)

    done = run(execute({"tiny": Tiny(ask_for_an_hour)}, [check(budget_s=3.0)]))
    assert done.only.observations[0].failure is Failure.TIMED_OUT
    assert done.took_s == pytest.approx(3.0)


# --- many checks --------------------------------------------------------------------------------------


def test_checks_run_at_once_and_come_back_in_order() -> None:
    async def wait(net: Net) -> None:
        await net.sleep(1.0)

    checks = [check(str(number)) for number in range(50)]
    done = run(execute({"tiny": Tiny(wait)}, checks))
    assert [outcome.check.id for outcome in done.outcomes] == [c.id for c in checks]
    assert done.took_s == pytest.approx(1.0)


def test_no_more_than_the_limit_run_at_once() -> None:
    under_way: list[int] = [0, 0]

    async def count(net: Net) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await net.sleep(1.0)
        under_way[0] -= 1

    done = run(execute({"tiny": Tiny(count)}, [check(str(n)) for n in range(9)], at_once=3))
    assert under_way == [0, 3]
    assert done.took_s == pytest.approx(3.0)


def test_progress_is_told_and_ends_with_everything_done() -> None:
    done = run(execute({"tiny": Tiny(connect)}, [check("a"), check("b"), check("c", "a")]))
    assert len(done.progress) == 6
    assert done.progress[-1].done == done.progress[-1].total == 3
    assert sum(step.outcome is None for step in done.progress) == 3


def test_a_second_round_adds_to_the_first() -> None:
    async def two_rounds() -> Run:
        shared = SharedNetwork(FakeNetwork(), clock=asyncio.get_running_loop().time)
        registry = Registry({"tiny": Installed("tiny", Tiny(_nothing), "t", "1")}, {})
        made = Run(registry, shared.traced, shared.now_ms, Limits(asyncio.get_running_loop().time() + 9))
        await made.run([check("a")])
        second = await made.run([check("b", "a")])
        assert [o.check.id for o in second] == ["b"]
        return made

    async def _nothing(net: Net) -> None:
        return

    assert [o.check.id for o in run(two_rounds()).outcomes] == ["a", "b"]


# --- what a check needs -------------------------------------------------------------------------------


def test_a_check_waits_for_what_it_needs_and_is_skipped_when_that_failed() -> None:
    async def fail(net: Net) -> None:
        await net.connect(("192.0.2.9", 1), timeout=2.0)

    probes = {"bad": Tiny(fail), "tiny": Tiny(connect)}
    checks = [check("late", "bad"), check("last", "late"), check("bad", probe="bad"), check("good")]
    done = run(execute(probes, [*checks, check("fine", "good")]))
    by_id = {outcome.check.id: outcome for outcome in done.outcomes}
    assert [by_id[n].status.value for n in ("bad", "good", "fine")] == ["measured"] * 3
    assert (by_id["late"].status, by_id["late"].because) == (Status.SKIPPED, "bad")
    assert (by_id["last"].status, by_id["last"].because) == (Status.SKIPPED, "late")
    assert by_id["late"].observations == ()
    assert by_id["fine"].started_ms >= by_id["good"].started_ms + by_id["good"].duration_ms


def test_a_crashed_check_does_not_carry_those_that_need_it() -> None:
    async def crash(net: Net) -> None:
        await connect(net)
        raise RuntimeError

    done = run(
        execute({"bad": Tiny(crash), "tiny": Tiny(connect)}, [check("a", probe="bad"), check("b", "a")])
    )
    assert done.outcomes[1].because == "a"


def test_a_check_that_nobody_runs_cannot_be_needed() -> None:
    done = run(execute({"tiny": Tiny(connect)}, [check("a", "elsewhere")]))
    assert (done.only.status, done.only.because) == (Status.SKIPPED, "elsewhere")


def test_waiting_for_another_check_takes_no_place_at_the_gate() -> None:
    checks = [check("b", "a"), check("a")]
    done = run(execute({"tiny": Tiny(connect)}, checks, at_once=1))
    assert [o.status for o in done.outcomes] == [Status.MEASURED, Status.MEASURED]


# --- the end of the run -------------------------------------------------------------------------------


def test_the_deadline_cuts_what_is_under_way() -> None:
    checks = [check("slow", budget_s=60), check("waiting", "slow"), check("quick", probe="quick")]
    done = run(execute({"tiny": Tiny(stay_silent), "quick": Tiny(connect)}, checks, deadline_s=5.0))
    assert done.took_s == pytest.approx(5.0)
    assert done.run.state is RunState.DEADLINE
    slow, waiting, quick = (
        next(o for o in done.outcomes if o.check.id == name) for name in ("slow", "waiting", "quick")
    )
    assert (slow.status, slow.cut) == (Status.MEASURED, True)
    assert [o.failure for o in slow.observations] == [None, Failure.TIMED_OUT]
    assert slow.because == "the deadline of the run came first"
    assert slow.metrics == {"seen": 2}
    assert (waiting.status, waiting.cut, waiting.observations) == (Status.SKIPPED, True, ())
    assert (quick.status, quick.cut) == (Status.MEASURED, False)


def test_a_probe_that_swallows_its_timeout_cannot_outlive_the_deadline() -> None:
    async def stubborn(net: Net) -> None:
        for _ in range(3):
            try:
                await net.sleep(60)
            except TimeoutError:
                pass

    done = measure(stubborn, deadline_s=4.0)
    assert done.took_s == pytest.approx(4.0)


def test_cancellation_keeps_what_was_seen_and_marks_it_interrupted() -> None:
    checks = [check("slow", budget_s=60), check("waiting", "slow"), check("quick", probe="quick")]
    probes = {"tiny": Tiny(stay_silent), "quick": Tiny(connect)}
    done = run(execute(probes, checks, cancel_after_s=2.0))
    by_id = {outcome.check.id: outcome for outcome in done.outcomes}
    assert done.run.state is RunState.INTERRUPTED
    assert set(by_id) == {"slow", "waiting", "quick"}
    assert [o.failure for o in by_id["slow"].observations] == [None, Failure.INTERRUPTED]
    assert by_id["waiting"].because == "interrupted"
    assert by_id["quick"].cut is False


def test_cancellation_goes_on_after_the_outcomes_are_settled() -> None:
    async def cancelled() -> bool:
        shared = SharedNetwork(FakeNetwork(), clock=asyncio.get_running_loop().time)
        registry = Registry({"tiny": Installed("tiny", Tiny(stay_silent), "t", "1")}, {})
        made = Run(registry, shared.traced, shared.now_ms, Limits(asyncio.get_running_loop().time() + 60))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.run([check()]))
            await asyncio.sleep(1)
            task.cancel()
        return task.cancelled() and made.state is RunState.INTERRUPTED

    assert run(cancelled())


def test_looking_at_the_outcomes_meanwhile_changes_none_of_them() -> None:
    async def look() -> tuple[Outcome, Outcome]:
        shared = SharedNetwork(FakeNetwork(tcp={("192.0.2.1", 9000): FakeService()}, rtt_ms=100),
                               clock=asyncio.get_running_loop().time)  # fmt: skip
        registry = Registry({"tiny": Installed("tiny", Tiny(connect), "t", "1")}, {})
        made = Run(registry, shared.traced, shared.now_ms, Limits(asyncio.get_running_loop().time() + 9))
        async with asyncio.TaskGroup() as group:
            group.create_task(made.run([check()]))
            await asyncio.sleep(0.05)
            meanwhile = made.outcomes[0]
        return meanwhile, made.outcomes[0]

    meanwhile, after = run(look())
    assert [o.failure for o in meanwhile.observations] == [Failure.TIMED_OUT]
    assert [o.failure for o in after.observations] == [None]
    assert after.observations[0].elapsed_ms == pytest.approx(100)
