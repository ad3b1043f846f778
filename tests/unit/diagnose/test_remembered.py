"""A remembered address that went silent: told of as a possibility where others answer the same, and else not at all."""

from dataclasses import replace

import pytest

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Severity
from readycheck.diagnose.remembered import gone_silent
from readycheck.observation import Remembered
from readycheck.plan import plan
from tests.unit.builders import NODES, World, conclude

GONE = "198.18.0.251"


def case(*gone: str, **world: object) -> Case:
    """The addresses are asked as remembered ones are; only the nodes of the world live."""
    made = World(**world)  # type: ignore[arg-type]
    asked = tuple(dict.fromkeys((*made.alive, *gone)))
    made.plan = plan(made.profile, made.registry, made.selection, made.seed, asked)
    known = tuple(Remembered(one, "2026-10-01T00:00:00Z", "2026-11-20T00:00:00Z") for one in gone)
    return replace(conclude(made).case, gone_silent=known)


def test_it_says_which_since_when_and_what_answers_beside_it() -> None:
    (found,) = gone_silent(case(GONE))
    assert found.summary == (
        f"{GONE} is silent on TCP 8934, UDP 123, UDP 5004 and UDP 9000; it has answered since 2026-10-01, "
        f"last on 2026-11-20, and {NODES[0]} beside it still answers. The vendor may have retired what is silent."
    )
    assert (found.cause, found.confidence, found.severity) == (
        "address-blocked",
        Confidence.POSSIBLE,
        Severity.NOTE,
    )


def test_several_are_one_finding() -> None:
    (found,) = gone_silent(case(*(f"198.18.0.{n}" for n in range(240, 245))))
    assert "198.18.0.242 is silent" in found.summary and "198.18.0.243" not in found.summary
    assert "So are 2 more." in found.summary


@pytest.mark.parametrize(
    ("gone", "world"),
    [
        ((), {}),
        ((NODES[0],), {}),  # it lives
        ((GONE,), {"closed": lambda t: t.address == NODES[0]}),  # nothing answers beside it
        (("203.0.113.251",), {}),  # nor in that network
        ((GONE,), {"wall": lambda t: "drop" if t.port == 8934 else None}),
        ((GONE,), {"wall": lambda t: "reject" if t.address == GONE else None}),  # told by whoever refuses
    ],
)
def test_it_is_not_told(gone: tuple[str, ...], world: dict[str, object]) -> None:
    assert list(gone_silent(case(*gone, **world))) == []
