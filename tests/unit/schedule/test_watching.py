"""The loop of a watch, in a world whose clock goes as the test has it."""

from dataclasses import dataclass, field

from readycheck.schedule.grid import Grid
from readycheck.schedule.health import Health
from readycheck.schedule.watching import LOOK_S, World, once, watch

NEW = Health(profile="webex-calling", site="north", every_s=60)
GRID = Grid(60, 17)


@dataclass
class Machine:
    """Stops at `until`; jumps, by the moment they come at, move its clock."""

    until: float
    now: float = 0.0
    lasts_s: float = 5.0
    statuses: list[int] = field(default_factory=list)
    jumps: dict[float, float] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    told: list[Health] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    waits: int = 0

    def wait(self, seconds: float) -> bool:
        assert 0 <= seconds <= LOOK_S
        self.waits += 1
        self.now += max(seconds, 0.001)
        moment = next(iter(self.jumps), None)  # the next one
        if moment is not None and self.now >= moment:
            self.now = self.jumps.pop(moment)
        return self.now >= self.until

    def run(self) -> int:
        self.starts.append(self.now)
        self.now += self.lasts_s
        return self.statuses.pop(0) if self.statuses else 0

    def world(self) -> World:
        return World(
            now=lambda: self.now, wait=self.wait, run=self.run, tell=self.told.append, say=self.said.append
        )


def test_runs_come_at_their_slots() -> None:
    machine = Machine(until=200)
    end = watch(machine.world(), GRID, NEW, 900)
    assert [round(start) for start in machine.starts] == [17, 77, 137, 197]
    assert (end.runs, end.missed, end.state, end.next_due) == (4, 0, "stopped", None)


def test_one_at_once_leaves_the_rhythm() -> None:
    machine = Machine(until=100)
    watch(machine.world(), GRID, NEW, 900, at_once=True)
    assert [round(start) for start in machine.starts] == [0, 17, 77]


def test_the_file_tells_what_goes_on() -> None:
    machine = Machine(until=90, statuses=[2, -9])
    watch(machine.world(), GRID, NEW, 900)
    states = [
        (each.state, each.last_verdict, each.next_due and round(each.next_due)) for each in machine.told
    ]
    assert states == [
        ("waiting", None, 17),
        ("running", None, 77),
        ("waiting", "not-ready", 77),
        ("running", "not-ready", 137),
        ("waiting", None, 137),
        ("stopped", None, None),
    ]
    assert machine.told[1].alive_until > machine.starts[0] + 900
    assert machine.told[2].alive_until > 77


def test_a_run_longer_than_the_interval_misses_slots_and_meets_no_other() -> None:
    machine = Machine(until=400, lasts_s=100)
    end = watch(machine.world(), GRID, NEW, 900)
    assert [round(start) for start in machine.starts] == [17, 137, 257, 377]
    assert end.missed == 3
    assert "1 run(s) were missed" in machine.said[1]


def test_a_suspended_machine_waits_for_its_place() -> None:
    machine = Machine(until=1100, jumps={30: 1015})
    end = watch(machine.world(), GRID, NEW, 900)
    assert [round(start) for start in machine.starts] == [17, 1037, 1097]
    assert end.missed == 16


def test_a_clock_set_back_does_not_silence_the_watch() -> None:
    machine = Machine(until=100_200, now=100_000, jumps={100_050: 5_000, 5_090: 100_200})
    watch(machine.world(), GRID, NEW, 900)
    assert [round(start) for start in machine.starts] == [100_037, 5_057]


def test_it_is_told_to_stop_while_it_runs() -> None:
    machine = Machine(until=18)
    assert watch(machine.world(), GRID, NEW, 900).runs == 1
    assert machine.told[-1].state == "stopped"


def test_once() -> None:
    machine = Machine(until=0, statuses=[1])
    end = once(machine.world(), NEW, 900)
    assert (end.last_status, end.last_verdict, end.runs, end.state) == (1, "warnings", 1, "stopped")
    assert machine.waits == 0
