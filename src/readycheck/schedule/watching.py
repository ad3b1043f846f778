"""`watch`: one run after another, each at its slot and in a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from readycheck.schedule.grid import GRACE_S, Grid
from readycheck.schedule.health import Health

LOOK_S = 1.0
"""The wall clock is looked at so often: it may be set, and sleeping does not count while a machine is suspended."""

VERDICTS = {0: "ready", 1: "warnings", 2: "not-ready", 3: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the loop needs of it. `wait` returns whether it was told to stop, `run` the status of the run."""

    now: Callable[[], float]
    wait: Callable[[float], bool]
    run: Callable[[], int]
    tell: Callable[[Health], None]
    say: Callable[[str], None]


def watch(world: World, grid: Grid, health: Health, longest_run_s: float, *, at_once: bool = False) -> Health:
    """Until it is told to stop; a run is over before its successor is looked for, and so never meets it."""
    if at_once:
        health = _run(world, health, longest_run_s)
    due = grid.after(world.now())
    while not world.wait(max(0.0, min(LOOK_S, due - world.now()) if health.state == "waiting" else 0.0)):
        step = grid.step(due, world.now())
        due = step.due
        if step.missed:
            world.say(
                f"{step.missed} run(s) were missed: the clock was set, or this machine was busy or suspended"
            )
            health = replace(health, missed=health.missed + step.missed)
        if step.starts:
            health = _run(world, replace(health, next_due=due), longest_run_s)
        elif health.state != "waiting" or health.next_due != due:
            health = _waiting(world, health, due)
    return _told(world, replace(health, state="stopped", next_due=None))


def once(world: World, health: Health, longest_run_s: float) -> Health:
    """One run, now."""
    return _told(world, replace(_run(world, health, longest_run_s), state="stopped"))


def _waiting(world: World, health: Health, due: float) -> Health:
    world.say(f"next run at {datetime.fromtimestamp(due).astimezone().isoformat(timespec='seconds')}")
    return _told(world, replace(health, state="waiting", next_due=due, alive_until=due + 2 * GRACE_S))


def _run(world: World, health: Health, longest_s: float) -> Health:
    start = world.now()
    started = replace(health, state="running", last_start=start, alive_until=start + longest_s + 2 * GRACE_S)
    world.tell(started)
    status = world.run()
    return replace(
        started,
        runs=health.runs + 1,
        last_end=world.now(),
        last_status=status,
        last_verdict=VERDICTS.get(status),
    )


def _told(world: World, health: Health) -> Health:
    world.tell(health)
    return health
