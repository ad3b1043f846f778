"""Which ways the media of the built-in products takes."""

import pytest

from readycheck.call.ladder import ladder, limits, mark, proxied
from readycheck.call.stage import Via
from readycheck.catalog import read


@pytest.mark.parametrize(
    ("profile", "role", "ways"),
    [
        ("webex-calling", "app", (Via.UDP,)),
        ("webex", "app", (Via.UDP, Via.TCP, Via.TLS)),
        ("webex", "video-mesh", (Via.UDP, Via.TCP)),
        ("cisco-spark", "app", (Via.UDP, Via.TCP)),
    ],
)
def test_media_falls_back_as_the_profile_has_it(profile: str, role: str, ways: tuple[Via, ...]) -> None:
    assert ladder(read(profile), [role]) == ways


def test_limits_are_those_of_audio() -> None:
    found = limits(read("webex-calling"), ["app"])
    assert found["loss_up_ratio"].fail == 0.025 and found["rtt_ms"].warn == 100


def test_a_role_without_streams_has_no_limits() -> None:
    assert limits(read("webex-calling"), ["nobody"]) == {}


def test_the_ways_that_may_lead_through_a_proxy_are_the_profile_s() -> None:
    assert proxied(read("webex"), ["app"]) == {Via.TLS}
    assert proxied(read("webex-calling"), ["app"]) == frozenset()


def test_audio_is_marked_and_sent_as_the_endpoint_does() -> None:
    assert mark(read("webex-calling"), ["app"]) == (46, range(8500, 8600, 2))
    assert mark(read("webex-calling"), ["nobody"]) == (0, range(0))
