"""Proof of a source, and rates: what an abuser gets is little, and the others lose nothing by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.responder.guard import Bucket, Cookies, Doors, Sources, network_of

HERE, OTHER = ("192.0.2.1", 5004), ("192.0.2.2", 5004)


def test_a_cookie_is_of_use_to_its_source_alone_and_for_a_minute() -> None:
    cookies = Cookies(b"secret")
    cookie = cookies.make(HERE, 1000.0)
    assert cookies.holds(cookie, HERE, 1000.0)
    assert cookies.holds(cookie, HERE, 1025.0)
    assert not cookies.holds(cookie, HERE, 1065.0)
    assert not cookies.holds(cookie, OTHER, 1000.0)
    assert not cookies.holds(cookie, (HERE[0], 5005), 1000.0)
    assert not Cookies(b"other").holds(cookie, HERE, 1000.0)
    assert not cookies.holds("", HERE, 1000.0)


def test_a_bucket_gives_its_rate() -> None:
    bucket = Bucket(10.0, 5.0)
    assert [bucket.takes(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.takes(0.1)
    assert not bucket.takes(0.1)


@given(st.lists(st.floats(-100, 100), max_size=200))
def test_no_clock_makes_a_bucket_give_more_than_its_rate(steps: list[float]) -> None:
    bucket, now_s, forward = Bucket(2.0, 3.0), 0.0, 0.0
    given_out = 0
    for step in steps:
        now_s += step
        forward += max(0.0, step)
        given_out += bucket.takes(now_s)
    assert given_out <= 3 + 2.0 * forward + 1e-6


def test_a_flood_of_one_source_leaves_the_others_theirs() -> None:
    sources = Sources(rate=5.0, burst=10.0, overall=1000.0)
    assert sum(sources.allows("198.51.100.1", 0.0) for _ in range(1000)) == 10
    assert sources.allows("198.51.100.2", 0.0)


def test_many_sources_together_are_bounded_and_forgotten() -> None:
    sources = Sources(rate=5.0, burst=10.0, overall=100.0, most=50)
    asked = [f"198.51.{n // 250}.{n % 250}" for n in range(500)]
    assert sum(sources.allows(address, 0.0) for address in asked) == 100
    assert len(sources) == 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_what_one_subscriber_holds(address: str, network: str) -> None:
    assert network_of(address) == network


def test_doors_are_for_so_many_of_a_source_and_of_all() -> None:
    doors = Doors(overall=3, each=2)
    assert [doors.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert doors.enter("192.0.2.2")
    assert not doors.enter("192.0.2.3")
    doors.leave("192.0.2.1")
    assert doors.enter("192.0.2.3")
    assert len(doors) == 3
