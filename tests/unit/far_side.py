"""What comes of a stream on a way that is made up: for tests of what is made of it."""

import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from readycheck.media.stream import Stamp
from readycheck.media.two_way import Returned
from readycheck.probe import Leg, Played, Reported, Rtcp
from tests.unit.builders import requirement

MS = 1_000_000
AHEAD_NS = 5_000_000_000  # the far end's clock
PLACE = ("203.0.113.99", 3478)

BANDS: Mapping[str, Any] = {
    "loss_up_ratio": {"warn": 0.01, "fail": 0.025, "of": "sent"},
    "loss_down_ratio": {"warn": 0.01, "fail": 0.025, "of": "reached"},
    "worst_200_ms_up_ratio": {"fail": 0.15, "of": "sent"},
    "worst_200_ms_down_ratio": {"fail": 0.15, "of": "reached"},
    "jitter_up_ms": {"warn": 30, "fail": 75, "error": "pacing_p95_ms"},
    "jitter_down_ms": {"warn": 30, "fail": 75, "error": "pacing_p95_ms"},
    "rtt_ms": {"warn": 100, "fail": 200},
    "mos": {"warn": 4.02, "fail": 3.6, "higher": True},
}
_STREAM = {
    "area": "media quality",
    "importance": "recommended",
    "transport": "none",
    "direction": "none",
    "ports": [],
    "targets": {"responder": True},
    "probe": "stream",
}
AUDIO = requirement("audio", **_STREAM, limits=BANDS)
VIDEO = requirement(
    "video",
    **_STREAM,
    params={"codec": "video", "traffic": "video"},
    limits={k: v for k, v in BANDS.items() if k.startswith(("loss", "jitter", "rtt"))},
)
ORDER = requirement(
    "order",
    **{**_STREAM, "importance": "optional"},
    measured_with="audio",
    limits={
        "reordering_up_ratio": {"fail": 0.0005, "of": "reached"},
        "reordering_down_ratio": {"fail": 0.0005, "of": "answered"},
        "duplicates_up_ratio": {"warn": 0.01},
    },
)
MARKS = requirement(
    "marks",
    **{**_STREAM, "area": "quality of service", "importance": "informational"},
    measured_with="audio",
    limits={"marks_kept_ratio": {"warn": 0.99, "higher": True}},
)
ROWS = (AUDIO, ORDER, MARKS, VIDEO)
QOS = [
    {
        "source_role": "app",
        "traffic": "audio and video",
        "source_ports": ["8500-8599"],
        "dscp": [46, 34],
        "printed": "EF and AF41",
        "source": {"document": "doc", "section": "1"},
    }
]

Way = Callable[[int, random.Random], bool]


def way(
    *,
    lost_up: Callable[[int], bool] = lambda n: False,
    lost_down: Callable[[int], bool] = lambda n: False,
    jitter_up_ms: float = 0.0,
    rtt_ms: float = 40.0,
    copied: Collection[int] = (),
    overtaken: Collection[int] = (),
    mark: Callable[[int], int] = lambda tos: tos,
    late_ms: float = 0.02,
    at_once: range = range(0),
    counted: Callable[[int], int | None] = lambda count: count,
    reports: tuple[int, int | None] = (10, 10),
) -> Callable[[Leg], Played]:
    """Faults by the number of the packet; jitter as evenly spread delays of up to so much.

    This host was busy, and sends those `at_once` with the last of them. Of ten reports beside it so many are
    answered, and so many counted.
    """

    def play(leg: Leg) -> Played:
        rng = random.Random(11)
        number, step_ns = round(leg.packets_per_second * leg.seconds), round(1e9 / leg.packets_per_second)
        left_ns = [step_ns * (at_once[-1] if n in at_once else n) for n in range(number)]
        sent = tuple(map(Stamp, range(number), left_ns))
        there = [
            (
                left_ns[n]
                + round(MS * (rtt_ms / 2 + rng.uniform(0, jitter_up_ms) + 3000 / 50 * (n in overtaken))),
                n,
            )
            for n in range(number)
            for _ in range(2 if n in copied else 1)
            if not lost_up(n)
        ]
        returned = tuple(
            Returned(
                number=n,
                count=count & 0xFFFF,
                received_ns=at_ns + AHEAD_NS,
                held_ns=20_000,
                arrived_ns=at_ns + 20_000 + round(MS * rtt_ms / 2),
                hop_limit=58,
                traffic_class=mark(leg.tos),
            )
            for count, (at_ns, n) in enumerate(sorted(there))
            if not lost_down(n)
        )
        return Played(
            leg=leg,
            sent=sent,
            returned=returned,
            counted=counted(len(there)),
            paced_late_ns=(round(late_ms * MS),) * number,
            local=("192.0.2.200", leg.source_port or 40000),
            seen_as=("198.51.100.7", 50000),
            reported=_reported(leg, *reports, rtt_ms),
        )

    return play


def _reported(leg: Leg, answered: int, counted: int | None, rtt_ms: float) -> Reported | None:
    if leg.rtcp is Rtcp.NONE:
        return None
    port = (leg.source_port or 40000) + (leg.rtcp is Rtcp.ODD)
    return Reported(
        local=("192.0.2.200", port),
        to=PLACE,
        sent=10,
        answered=answered,
        round_trips_ms=(rtt_ms,) * answered,
        counted=counted,
    )
