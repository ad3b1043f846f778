"""How soon a change is believed, and how long it stays believed; documented and measured in docs/regressions.md."""

from dataclasses import dataclass

HOUR_S, DAY_S, WEEK_S = 3600.0, 86400.0, 604800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of the last `recent` runs `needed` must be worse for a figure, of `sightings` `seen` for a cause.

    A figure is worse beyond the median of its history by `spreads` of its spread (the median absolute deviation,
    scaled to a standard deviation), and by `share` of the median at least. The history are the last `days` of the
    same time of day, once it holds `least` of them, and until then all that there is.

    `hold_s` is how long it must be calm before it is over; it doubles with every time that it has come within a
    day, up to `longest_hold_s`. What lasts for `adopt_s`, or has come `adopt_times` in it with no more than `apart_s`
    between two, is the new normal. In the first week of a figure `first_share` counts instead of `share`.
    `drift_share` is how much worse than the best of the last `weeks` a week may be.
    """

    recent: int = 6
    needed: int = 5
    sightings: int = 3
    seen: int = 2
    spreads: float = 5.0
    share: float = 0.25
    first_share: float = 1.5
    days: int = 14
    least: int = 3
    hold_s: float = HOUR_S
    longest_hold_s: float = DAY_S
    adopt_s: float = WEEK_S
    adopt_times: int = 5
    apart_s: float = 4 * DAY_S
    drift_share: float = 0.3
    weeks: int = 8
    shortest_memory_s: float = 2 * HOUR_S
