"""The E-model against values that others have published, or that were derived apart from this code."""

import pytest

from readycheck.media.e_model import (
    G711,
    G711_PLAIN,
    G722,
    G723_1,
    G729A,
    OPUS,
    burst_ratio,
    mos,
    rate,
    simplified,
)


def test_the_defaults_of_the_recommendation() -> None:
    found = rate(0.0, 0.0)
    assert found.ro == pytest.approx(94.769, abs=0.001)
    assert found.simultaneous == pytest.approx(1.414, abs=0.001)
    assert found.delay == pytest.approx(0.149, abs=0.001)
    assert (round(found.r, 1), round(found.mos, 2)) == (93.2, 4.41)


@pytest.mark.parametrize(
    ("r", "expected"),
    [(100, 4.5), (90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58), (93.2, 4.409)],
)
def test_mos_of_a_rating(r: float, expected: float) -> None:
    """Mitel's table after G.107 and G.109, to the hundredth of the exact polynomial."""
    assert mos(r) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("r", [-20.0, 0.0, 3.2, 6.5])
def test_no_opinion_is_worse_than_one(r: float) -> None:
    assert mos(r) == 1.0


@pytest.mark.parametrize("r", [100.0, 120.0])
def test_no_opinion_is_better_than_four_and_a_half(r: float) -> None:
    assert mos(r) == 4.5


@pytest.mark.parametrize(("one_way_ms", "impairment"), [(50, 1), (100, 2), (150, 4), (200, 7)])
def test_the_delay_table_of_cisco(one_way_ms: float, impairment: int) -> None:
    """Table 3 of the Nexus 9000 IP SLA guide, which rounds the simplified term."""
    assert round(93.2 - simplified(one_way_ms, 0.0)) == impairment


@pytest.mark.parametrize(
    ("one_way_ms", "r"),
    [
        (0, 93.21), (50, 91.76), (100, 90.66), (150, 89.54), (177.3, 88.05), (200, 85.81), (250, 79.18),
        (300, 72.67), (400, 62.25), (500, 54.80),
    ],
)  # fmt: skip
def test_delay_by_the_full_model(one_way_ms: float, r: float) -> None:
    assert rate(one_way_ms, 0.0).r == pytest.approx(r, abs=0.006)


CODECS = {
    G711: "93.20/4.41 89.56/4.33 86.19/4.23 77.42/3.92 89.60/4.33 85.96/4.23 78.89/3.98 72.50/3.71",
    G711_PLAIN: "93.20/4.41 75.28/3.83 63.04/3.26 42.12/2.17 89.60/4.33 71.68/3.67 55.74/2.88 72.50/3.71",
    G729A: "82.20/4.10 78.00/3.95 74.20/3.79 64.70/3.34 78.60/3.97 74.40/3.80 66.90/3.45 61.50/3.18",
    G723_1: "78.20/3.95 73.52/3.76 69.36/3.57 59.24/3.06 74.60/3.80 69.92/3.59 62.06/3.21 57.50/2.97",
}
PLACES = ((0, 0), (0, 0.01), (0, 0.02), (0, 0.05), (150, 0), (150, 0.01), (200, 0.02), (300, 0))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_codecs_by_the_simplified_model(codec: object) -> None:
    assert codec in CODECS
    for (one_way_ms, loss_ratio), pair in zip(PLACES, CODECS[codec].split(), strict=True):
        r, opinion = map(float, pair.split("/"))
        found = simplified(one_way_ms, loss_ratio, codec)
        assert found == pytest.approx(r, abs=0.006)
        assert mos(found) == pytest.approx(opinion, abs=0.006)


@pytest.mark.parametrize(
    ("round_trip_ms", "jitter_ms", "loss_ratio", "r", "opinion"),
    [
        (100, 30, 0.01, 86.4, 4.24),
        (200, 75, 0.025, 67.9, 3.50),
        (300, 30, 0.01, 78.3, 3.96),
        (400, 150, 0.05, 37.8, 1.96),
    ],
)
def test_published_limits_as_ratings(
    round_trip_ms: float, jitter_ms: float, loss_ratio: float, r: float, opinion: float
) -> None:
    """Half of the round trip, twice the jitter, 20 ms of packet."""
    found = rate(round_trip_ms / 2 + 2 * jitter_ms + 20, loss_ratio)
    assert found.r == pytest.approx(r, abs=0.06)
    assert found.mos == pytest.approx(opinion, abs=0.006)


@pytest.mark.parametrize(("percent", "r"), [(0, 100), (4, 73), (8, 58), (15, 43)])
def test_loss_alone(percent: int, r: int) -> None:
    """R = 100 - 95 L/(L+10), published by a vendor of telephony."""
    from readycheck.media.e_model import Codec, effective_equipment

    codec = Codec(name="of that page", ie=0.0, bpl=10.0)
    assert round(100 - effective_equipment(codec, percent / 100)) == r


def test_loss_in_bursts_is_worse_than_random_loss() -> None:
    random, bursty = (rate(50.0, 0.02, burst_ratio=b).r for b in (1.0, burst_ratio(4.0, 0.02)))
    assert bursty < random - 0.3
    assert burst_ratio(1.0, 0.02) == 1.0


def test_wideband_is_labelled_and_not_pretended() -> None:
    assert G722.wideband and OPUS.wideband and not G711.wideband
    assert G722.rated_as == OPUS.rated_as == G711.name
