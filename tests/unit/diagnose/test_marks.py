"""Where marks change, by what routers quote."""

from dataclasses import dataclass, field, replace

import pytest

from readycheck.diagnose.finding import Finding, Where
from readycheck.engine import Outcome
from readycheck.failure import Step
from readycheck.observation import Observation, Target
from readycheck.plan import Check
from tests.unit.builders import FIREWALL, GATEWAY, ISP, conclude, make_selection
from tests.unit.diagnose.test_media import Heard, only, profile
from tests.unit.far_side import PLACE, way

Quotes = dict[int, tuple[str, int]]


@dataclass(kw_only=True)
class Quoted(Heard):
    """The marks are cleared, and routers quote what they saw."""

    quotes: Quotes = field(default_factory=dict)

    def measure(self, check: Check) -> Outcome:
        outcome = super().measure(check)
        told = tuple(
            Observation(
                step=Step.HOP,
                target=Target(address=PLACE[0], port=PLACE[1], transport="udp"),
                started_ms=0.0,
                elapsed_ms=9.0,
                facts={
                    "purpose": "marks",
                    "ttl": ttl,
                    "dscp_sent": 46,
                    "dscp_quoted": mark,
                    "offender": router,
                },
            )
            for ttl, (router, mark) in self.quotes.items()
        )
        return (
            replace(outcome, observations=(*outcome.observations, *told))
            if check.probe == "stream"
            else outcome
        )


def quoted(quotes: Quotes) -> Finding:
    world = Quoted(
        profile=profile(),
        selection=make_selection(responder=PLACE),
        play=way(mark=lambda tos: 0),
        quotes=quotes,
    )
    return only(conclude(world))


@pytest.mark.parametrize(
    ("quotes", "where", "words"),
    [
        ({1: (GATEWAY, 46), 2: (FIREWALL, 0), 3: (ISP, 0)}, Where.SITE, f"{FIREWALL} (hop 2) no longer"),
        ({1: (GATEWAY, 46), 2: (FIREWALL, 46), 3: (ISP, 0)}, Where.UNKNOWN, f"{FIREWALL} (hop 2) still sees"),
        (
            {1: (GATEWAY, 46), 3: (ISP, 46), 4: ("203.0.113.1", 0)},
            Where.UNKNOWN,
            "203.0.113.1 (hop 4) no longer",
        ),
        ({1: (GATEWAY, 0), 2: (FIREWALL, 0)}, Where.UNKNOWN, "has them changed already"),
        ({1: (GATEWAY, 46), 2: (FIREWALL, 46)}, Where.UNKNOWN, f"as far as {FIREWALL} (hop 2) still"),
        ({}, Where.UNKNOWN, ""),
    ],
)
def test_the_place_of_a_change(quotes: Quotes, where: Where, words: str) -> None:
    found = quoted(quotes)
    assert (found.cause, found.where) == ("dscp-changed", where)
    assert words in found.summary
