"""A quarter of a simulated site: what happens when, and what the run of each moment reports of it.

The reports are judged by the real rules from small made-up worlds; what is drawn from a seed is their numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from readycheck.engine import RunState
from readycheck.failure import Failure
from readycheck.observation import Observation
from readycheck.probe import Effort
from readycheck.report import CheckReport, Report, iso
from readycheck.verdict import Readiness
from tests.unit.builders import FIREWALL, GATEWAY, ROWS, World, make_environment, make_profile, make_selection
from tests.unit.builders import requirement as row
from tests.unit.test_report import report

EVERY_S, HOUR_S, DAY_S = 900.0, 3600.0, 86400.0
BEGAN = 1_788_220_800.0  # a Tuesday at midnight, UTC
DAYS = 90
SITE = "attic"
MISSED, INTERRUPTED, SILENT, OUTLIERS = 0.03, 0.01, 0.03, 0.02
"""Of all runs: never made, cut off, without a word of the routers; and of all numbers, five times as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Something that happens. `key` is of the message that it deserves, empty for none; `world` is what is wrong then.

    `turns_s` is for how long each it comes and goes; `slower` times figures take, of these requirements or all.
    """

    what: str
    day: float
    hours: float
    key: str = ""
    ends: str = "over"
    suspect: str = ""
    world: Mapping[str, Any] = field(default_factory=dict)
    turns_s: float = 0.0
    slower: float = 1.0
    of: tuple[str, ...] = ()

    @property
    def begins_s(self) -> float:
        return self.day * DAY_S

    @property
    def ends_s(self) -> float:
        return self.begins_s + self.hours * HOUR_S

    def is_on(self, t: float) -> bool:
        lasts = self.begins_s <= t < self.ends_s
        return lasts and not (self.turns_s and int((t - self.begins_s) // self.turns_s) % 2)


def _dropped(*ports: int) -> dict[str, Any]:
    return {"wall": lambda t: "drop" if t.port in ports else None}


def _udp(action: str) -> dict[str, Any]:
    return {"wall": lambda t: action if t.transport == "udp" and t.port not in (53, 123) else None}


_UNPLUGGED: Mapping[str, Any] = {
    "unrouted": Failure.NETWORK_UNREACHABLE,
    "environment": make_environment(gateway=None, resolvers=()),
    "selection": make_selection(resolvers=(), effort=Effort.QUICK),
}
_EXPIRED = {"greet": lambda t: Failure.CERTIFICATE_EXPIRED if t.port == 8934 else None}
_NET = {
    "wall": lambda t: "drop" if (t.address or "").startswith("198.51.100.") else None,
    "selection": make_selection(),  # a quick run does not look into networks that may be empty
}
_UNDER_2 = row("sip-5061", ports=["5061"], pinned=True)
FOREVER = DAYS * 24.0
PROVIDER_DAY, REVISION_DAY = 7.45, 24.45

DRIFT = Seed(
    what="SIP is 1 % slower each day", day=36.0, hours=40 * 24, key="figure:sip/", ends="", of=("sip",)
)

SEEDS = (
    Seed(what="a firewall drops the SIP port", day=2.4, hours=6, key="cause:port-blocked", world=_dropped(8934)),
    Seed(what="one bad run: the time service", day=3.1, hours=0.25, world=_dropped(123)),
    Seed(what="no network of its own", day=3.6, hours=5, key="network", ends="", world=_UNPLUGGED),
    Seed(
        what="a port is refused by turns of half an hour",
        day=4.3, hours=7, key="cause:port-rejected", turns_s=1800,
        world={"wall": lambda t: "reject" if t.port == 8934 else None},
    ),
    Seed(
        what="another provider, 80 % slower, for good",
        day=PROVIDER_DAY, hours=FOREVER, key="figure:", ends="adopted", suspect="egress address", slower=1.8,
        of=("sip", "stun", "web", "ntp"),
    ),
    Seed(what="a certificate has expired", day=9.2, hours=30, key="cause:certificate-expired", world=_EXPIRED),
    Seed(
        what="a profile revision asks for a port that is shut",
        day=REVISION_DAY, hours=20, key="cause:port-blocked", suspect="profile revision", world=_dropped(5061),
    ),
    Seed(what="a network is dropped", day=28.5, hours=3, key="cause:subnet-blocked", world=_NET),
    Seed(
        what="name servers are silent",
        day=33.3, hours=2, key="cause:dns-unreachable", world={"resolver": lambda transport: Failure.TIMED_OUT},
    ),
    DRIFT,
    Seed(
        what="the vendor's clock is wrong",
        day=40.1, hours=12, key="cause:clock-skew", world={"offsets": lambda target: 3.6e6},
    ),
    Seed(what="all UDP is dropped", day=45.7, hours=4, key="cause:udp-blocked", world=_udp("drop")),
    Seed(what="no network for most of a day", day=55.2, hours=20, key="network", ends="", world=_UNPLUGGED),
    Seed(
        what="names are not answered over TCP",
        day=58.9, hours=26, key="cause:dns-tcp-blocked",
        world={"resolver": lambda transport: Failure.TIMED_OUT if transport == "tcp" else None},
    ),
    Seed(
        what="replies over UDP are lost",
        day=70.2, hours=5, key="cause:udp-return-blocked",
        world={"mute": lambda t: t.transport == "udp" and t.port not in (53, 123)},
    ),
    Seed(what="media is 2.5 times as slow", day=78.35, hours=6, key="figure:stun", slower=2.5, of=("stun",)),
    Seed(what="a certificate has expired again", day=84.2, hours=6, key="cause:certificate-expired", world=_EXPIRED),
    Seed(what="meanwhile the time service is dropped", day=84.3, hours=6, key="cause:ntp-blocked", world=_dropped(123)),
)  # fmt: skip
OFF = ((5.0, 5.4), (62.0, 64.0))
"""Days from and to which the host was switched off."""
AHEAD = ((1.5, 1.8, HOUR_S), (65.3, 65.45, DAY_S), (66.5, 66.9, -HOUR_S))
"""Days from and to which the clock was wrong, and by how much."""


def shown_s(t: float) -> float:
    """What the host's clock shows, in seconds since 1970."""
    wrong = next((off for begins, ends, off in AHEAD if begins <= t / DAY_S < ends), 0.0)
    return BEGAN + t + wrong


def run_at(number: int) -> Report | None:
    """The run of a quarter of an hour of the quarter; None where the host made none."""
    t, draw = number * EVERY_S, Random(f"quarter {number}")
    chances = [draw.random() for _ in range(3)]
    if chances[0] < MISSED or any(begins <= t / DAY_S < ends for begins, ends in OFF):
        return None
    on = tuple(seed for seed in SEEDS if seed.is_on(t))
    wrong = tuple(seed.what for seed in on if seed.world)
    silent = chances[2] < SILENT and not wrong
    base = _base(wrong, silent, t >= PROVIDER_DAY * DAY_S, t >= REVISION_DAY * DAY_S)
    run = replace(base.run, id=f"{number:032x}", started_at=iso(datetime.fromtimestamp(shown_s(t), UTC)))
    checks = tuple(_drawn(check, on, t, draw) for check in base.checks)
    if chances[1] < INTERRUPTED:
        cut = replace(run, state=RunState.INTERRUPTED)
        return replace(base, run=cut, checks=checks, verdict=Readiness.UNKNOWN, findings=())
    return replace(base, run=run, checks=checks)


def _drawn(check: CheckReport, on: Sequence[Seed], t: float, draw: Random) -> CheckReport:
    requirement = check.requirement or ""
    factor = _rhythm(t) * _slower(on, requirement, t)
    metrics = {
        name: round(2.0 * factor * _noise(draw) * value, 3)
        for name, value in check.metrics.items()
        if name.endswith("_ms") and name != "offset_ms" and value is not None
    }
    return replace(check, metrics={**check.metrics, **metrics})


def _noise(draw: Random) -> float:
    return max(0.05, draw.gauss(1.0, 0.08)) * (5.0 if draw.random() < OUTLIERS else 1.0)


def _rhythm(t: float) -> float:
    """Slower in office hours of five days."""
    hour, day = t % DAY_S / HOUR_S, int(t // DAY_S) % 7
    return 1.4 if 7.5 <= hour < 17.5 and day not in (4, 5) else 1.0


def _slower(on: Sequence[Seed], requirement: str, t: float) -> float:
    factor = 1.0
    for seed in on:
        if seed.slower > 1 and (not seed.of or requirement in seed.of):
            factor *= seed.slower
    days = min(max(0.0, t - DRIFT.begins_s), DRIFT.hours * HOUR_S) / DAY_S
    return factor * (1.0 + 0.01 * days if requirement in DRIFT.of else 1.0)


@cache
def _base(wrong: tuple[str, ...], silent: bool, moved: bool, revised: bool) -> Report:
    """What is judged of one state of the world; each is made once."""
    changes: dict[str, Any] = {"icmp": not silent, "selection": make_selection(effort=Effort.QUICK)}
    for seed in SEEDS:
        changes |= seed.world if seed.what in wrong else {}
    if revised:
        changes["profile"] = make_profile(*_ROWS, _UNDER_2, revision="2")
    else:
        changes["profile"] = make_profile(*_ROWS)
    if moved:
        changes["hops"] = (GATEWAY, FIREWALL, "100.72.0.1")
    made = report(World(**changes), site=SITE, profile_revision="2" if revised else "1")
    if moved:
        made = replace(made, checks=tuple(map(_elsewhere, made.checks)))
    return replace(made, run=replace(made.run, profile_hash=("2" if revised else "1") * 64))


_ROWS = tuple(row for row in ROWS if row["id"] != "range")


def _elsewhere(check: CheckReport) -> CheckReport:
    """Seen from outside with the address of another provider."""

    def moved(seen: Observation) -> Observation:
        facts = dict(seen.facts)
        if "mapped_address" in facts:
            facts["mapped_address"] = "100.88.0.20:40000"
        return replace(seen, facts=facts)

    return replace(check, observations=tuple(map(moved, check.observations)))
