"""A clock without steps: somebody sets the other one, and packets arrive about then."""

import pytest

from readycheck.net.steady import SteadyClock

MS = 1_000_000


class Host:
    """Its clocks: one that goes on, and the time of day."""

    def __init__(self) -> None:
        self.steady, self.ahead, self.held_up = 5_000 * MS, 1_000_000 * MS, 0

    def wall_ns(self) -> int:
        wall = self.steady + self.ahead
        self.steady += self.held_up
        self.held_up = 0
        return wall

    def steady_ns(self) -> int:
        return self.steady


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def clock(host: Host) -> SteadyClock:
    return SteadyClock(host.wall_ns, host.steady_ns)


def test_it_begins_as_the_time_of_day(host: Host, clock: SteadyClock) -> None:
    host.steady += 7 * MS
    assert clock.now_ns() == host.wall_ns() == clock.of(host.wall_ns(), clock.now_ns())


@pytest.mark.parametrize("step_ms", [-3_600_000, -500, -2, 2, 500, 3_600_000])
def test_what_arrives_before_and_after_a_step_is_where_it_was(
    host: Host, clock: SteadyClock, step_ms: int
) -> None:
    host.steady += MS
    before_ns, stamp_before = clock.now_ns(), host.wall_ns()
    host.ahead += step_ms * MS
    host.steady += MS // 2
    after_ns, stamp_after = clock.now_ns(), host.wall_ns()
    assert [clock.of(one, after_ns) for one in (stamp_before, stamp_after)] == [before_ns, after_ns]
    for _ in range(3):
        host.steady += 60 * MS
        assert clock.of(host.wall_ns(), clock.now_ns()) == clock.now_ns()


@pytest.mark.parametrize(("step_ms", "unseen_ms"), [(-3_600_000, 0), (-500, 0), (2, 0), (500, 0), (-2, 5)])
def test_a_step_is_seen_at_once_or_when_it_is_looked_for_again(
    host: Host, clock: SteadyClock, step_ms: int, unseen_ms: int
) -> None:
    clock.of(host.wall_ns(), clock.now_ns())
    host.ahead += step_ms * MS
    if unseen_ms:
        assert clock.of(host.wall_ns(), clock.now_ns()) == clock.now_ns() + step_ms * MS
    host.steady += unseen_ms * MS
    assert clock.of(host.wall_ns(), clock.now_ns()) == clock.now_ns()


def test_a_process_that_is_held_up_sees_no_step(host: Host, clock: SteadyClock) -> None:
    stamp, host.held_up = host.wall_ns(), 30 * MS
    assert clock.of(stamp, clock.now_ns()) == stamp


def test_a_gentle_correction_is_followed_by_nothing(host: Host, clock: SteadyClock) -> None:
    host.ahead += MS // 10
    assert clock.of(host.wall_ns(), clock.now_ns()) == clock.now_ns() + MS // 10
