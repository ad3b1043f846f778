"""The stages of a call in their order, and which of them it failed at. Pure; time is an argument."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from readycheck.failure import Failure
from readycheck.net.interface import NetError

SILENCE_S = 2.0
"""Without a packet of fifty a second, a way is lost: longer than any pause that a listener bears."""
_PAUSE_S = 1.25
_SETTLE_S = 1.0
"""So much later one way alone is named: what is said of the other comes twice a second at best."""


class Stage(StrEnum):
    NAMES = "names"
    SIGNALLING = "signalling"
    ICE = "ice"
    DTLS = "dtls"
    MEDIA_ONE_WAY = "media-one-way"
    MEDIA_BOTH_WAYS = "media-both-ways"


class Via(StrEnum):
    """What carries the media."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Direction(StrEnum):
    """Of the media, seen from this host."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    stage: Stage
    took_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Where a call ended: `after_s` is from its begin, `talked_s` how long there was sound before.

    `lost` is the way that media does not take, where it is one. `blame` is False when no network may have done it.
    """

    stage: Stage
    after_s: float
    failure: Failure
    detail: str
    lost: Direction | None = None
    talked_s: float = 0.0
    blame: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """When media was last known to arrive: here (`down_s`), and there (`up_s`)."""

    began_s: float
    down_s: float | None = None
    up_s: float | None = None

    def last_s(self, way: Direction) -> float:
        heard_s = self.down_s if way is Direction.DOWN else self.up_s
        return self.began_s if heard_s is None else heard_s

    def silent_s(self, way: Direction, now_s: float) -> float:
        return now_s - self.last_s(way)


def lost(ears: Ears, now_s: float) -> tuple[Stage, Direction | None] | None:
    """What of the media is lost by now, once it is certain which ways are."""
    silent = [way for way in Direction if ears.silent_s(way, now_s) > SILENCE_S]
    if len(silent) == 2:
        return Stage.MEDIA_BOTH_WAYS, None
    if silent and ears.silent_s(silent[0], now_s) > SILENCE_S + _SETTLE_S:
        return Stage.MEDIA_ONE_WAY, silent[0]
    return None


def is_doubtful(ears: Ears, now_s: float) -> bool:
    """Whether a way has been silent for longer than what is said of it may take."""
    return any(ears.silent_s(way, now_s) > _PAUSE_S for way in Direction)


def media_failure(ears: Ears, stage: Stage, way: Direction | None, began_s: float) -> Failed:
    """In words; a call has had sound for as long as all the lost ways carried it."""
    last_s = ears.last_s(way) if way else max(map(ears.last_s, Direction))
    talked_s = last_s - ears.began_s
    return Failed(
        stage=stage,
        after_s=last_s - began_s,
        failure=Failure.TIMED_OUT,
        detail=_media_detail(way, talked_s),
        lost=way,
        talked_s=talked_s,
    )


def _media_detail(way: Direction | None, talked_s: float) -> str:
    stopped = f" from {talked_s:.1f} s of the talk on" if talked_s > 0 else ""
    if way is None:
        return f"no sound arrives here, nor any there{stopped}"
    if way is Direction.UP:
        return f"no sound of this host arrives at the far end{stopped}; the other way works"
    return f"no sound of the far end arrives here{stopped}; the other way works"


@dataclass(slots=True)
class Progress:
    """The stages that were passed, and where it ended. `now` is the loop's time."""

    now: Callable[[], float]
    watch: Callable[[Stage], None] = lambda stage: None
    passed: list[Passed] = field(default_factory=list)
    failed: Failed | None = None
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = self.now()

    @contextmanager
    def stage(self, stage: Stage, on_silence: Callable[[], str] = lambda: "no answer") -> Iterator[None]:
        """Time a stage; what fails in it ends the call, and `on_silence` says more of a timeout."""
        self.watch(stage)
        began_s = self.now()
        try:
            yield
        except NetError as error:
            detail = error.detail
            if error.failure is Failure.TIMED_OUT and not detail:
                detail = on_silence()
            self._fail(stage, error.failure, detail, blame=not error.facts.get("far_end"))
        except TimeoutError:
            self._fail(stage, Failure.TIMED_OUT, on_silence())
        except OSError as error:
            self._fail(stage, Failure.CONNECTION_CLOSED, str(error))
        else:
            self._pass(stage, (self.now() - began_s) * 1000)

    def _pass(self, stage: Stage, took_ms: float) -> None:
        """A stage that is entered twice is one."""
        if self.passed and self.passed[-1].stage is stage:
            took_ms += self.passed.pop().took_ms
        self.passed.append(Passed(stage=stage, took_ms=took_ms))

    def _fail(self, stage: Stage, failure: Failure, detail: str, *, blame: bool = True) -> None:
        if self.passed and self.passed[-1].stage is stage:  # half of it is none
            self.passed.pop()
        self.failed = Failed(
            stage=stage, after_s=self.now() - self.began_s, failure=failure, detail=detail, blame=blame
        )
        raise Ended from None

    @property
    def connect_ms(self) -> float:
        """From the first question to sound being possible."""
        return sum(one.took_ms for one in self.passed)


class Ended(Exception):
    """The call is over; `Progress.failed` says why."""
