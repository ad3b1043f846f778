"""Entry points of this installation."""

from readycheck.installation import entry_points


def test_the_own_entry_points_are_found_by_their_group() -> None:
    assert {"dns", "tls", "stun"} <= {point.name for point in entry_points(group="readycheck.probes")}
    assert [point.name for point in entry_points(group="readycheck.profiles")] == ["builtin"]
    assert not entry_points(group="readycheck.nothing")
