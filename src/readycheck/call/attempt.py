"""What came of one call, and of all of them: the verdict. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from readycheck.call.stage import Failed, Passed, Stage, Via
from readycheck.call.vouching import Vouched
from readycheck.profile import Limit
from readycheck.verdict import Readiness

_TENTH = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """One direction, as the RTCP of who received it has it (RFC 3550)."""

    packets: int
    lost: int
    jitter_ms: float

    @property
    def loss_ratio(self) -> float:
        return max(0, self.lost) / self.packets if self.packets else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """`late_ms` is how late this host sent its packets, at the 95th percentile: the instrument's own error."""

    up: Reception | None = None
    down: Reception | None = None
    rtt_ms: float | None = None
    late_ms: float | None = None

    def metrics(self) -> Mapping[str, float]:
        """By the names that profiles have for them."""
        found: dict[str, float] = {}
        for way, one in (("up", self.up), ("down", self.down)):
            if one is not None:
                found |= {f"loss_{way}_ratio": one.loss_ratio, f"jitter_{way}_ms": one.jitter_ms}
        return found | ({"rtt_ms": self.rtt_ms} if self.rtt_ms is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call by one way. `srtp` names the protection profile, `talked_s` is how long there was sound.

    `proxy` led there, `vouched` says by whom the certificate was, and `dscp` the mark of its packets (None on the way
    to a proxy), `dscp_seen` what was left of it on the packet that opened the connection over TCP.
    """

    via: Via
    place: str
    passed: tuple[Passed, ...]
    failed: Failed | None
    connect_ms: float | None
    srtp: str = ""
    talked_s: float = 0.0
    quality: Quality = Quality()
    proxy: str | None = None
    vouched: Vouched | None = None
    dscp: int | None = None
    dscp_seen: int | None = None

    def took_ms(self, stage: Stage) -> float | None:
        return next((one.took_ms for one in self.passed if one.stage is stage), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A metric beyond a limit, or None for `level` when this host was too slow to tell."""

    metric: str
    value: float
    limit: float
    level: Readiness | None
    source: str


def judge(quality: Quality, limits: Mapping[str, Limit]) -> Iterator[Judged]:
    """What is beyond the profile's limits for audio."""
    for metric, value in quality.metrics().items():
        band = limits.get(metric)
        edges = ((Readiness.NOT_READY, band.fail), (Readiness.WARNINGS, band.warn)) if band else ()
        for level, edge in edges:
            if band and edge is not None and value > edge:
                slow = metric == "jitter_up_ms" and (quality.late_ms or 0.0) > edge * _TENTH
                told = None if slow else level
                yield Judged(metric=metric, value=value, limit=edge, level=told, source=band.source)
                break


def verdict_of(attempt: Attempt, limits: Mapping[str, Limit]) -> Readiness:
    """Of one way alone."""
    if attempt.failed is not None:
        return Readiness.NOT_READY if attempt.failed.blame else Readiness.UNKNOWN
    levels = {one.level for one in judge(attempt.quality, limits)}
    for level in (Readiness.NOT_READY, Readiness.WARNINGS):
        if level in levels:
            return level
    return Readiness.READY


def verdict(attempts: Sequence[Attempt], limits: Mapping[str, Limit]) -> Readiness:
    """The first way counts; when it fails and a fallback carries the call, that is worth a warning."""
    found = [verdict_of(one, limits) for one in attempts]
    if not found:
        return Readiness.UNKNOWN
    if found[0] is Readiness.NOT_READY and {Readiness.READY, Readiness.WARNINGS} & set(found[1:]):
        return Readiness.WARNINGS
    return found[0]
