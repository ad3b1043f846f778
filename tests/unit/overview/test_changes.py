"""A difference in plain text."""

from readycheck.overview.changes import render
from readycheck.profile import Profile
from readycheck.profile_diff import compare
from tests.unit.builders import SOURCE, make_profile, requirement


def text(before: Profile, after: Profile) -> str:
    return render(before, after, compare(before, after))


def profile(*networks: str, **changes: object) -> Profile:
    group = {"title": "S", "networks": networks, "source": SOURCE}
    return make_profile(requirement("r", **changes), networks={"service": group})


def test_nothing_is_said_as_such() -> None:
    assert text(make_profile(), make_profile()).splitlines() == [
        "example (revision 1, compared 2026-01-01) -> example (revision 1, compared 2026-01-01)",
        "",
        "To open: nothing",
        "",
        "To close: nothing",
        "",
        "Also changed: nothing",
    ]


def test_each_change_has_its_line_and_its_sign() -> None:
    one = profile("10.0.1.0/24", "192.0.2.0/24")
    other = profile("10.0.0.0/23", importance="optional", source_ports=["1024-65535"])
    assert text(one, other).splitlines()[1:] == [
        "",
        "To open (1)",
        "+ outbound TCP 8934 to 10.0.0.0/23: widened, so far 10.0.1.0/24, which adds 10.0.0.0/24 (optional: r)",
        "",
        "To close (1)",
        "- outbound TCP 8934 to 192.0.2.0/24: gone (required: r)",
        "",
        "Also changed (2)",
        "~ importance r: required -> optional",
        "+ source ports r: 1024-65535",
    ]
    assert (
        "- outbound TCP 8934 to 10.0.0.0/23: narrowed, still 10.0.1.0/24, which takes away 10.0.0.0/24 (optional: r)"
        in text(other, one)
    )


def test_what_comes_in_comes_from_somewhere() -> None:
    assert "+ inbound TCP 8934 from 10.0.0.0/8: new" in text(
        profile("192.0.2.0/24"), profile("10.0.0.0/8", direction="inbound")
    )


def test_what_steers_a_terminal_is_not_shown() -> None:
    assert "\x1b" not in text(make_profile(requirement("a")), make_profile(requirement("b", title="\x1b[2J")))


def test_many_requirements_are_counted() -> None:
    rows = [requirement(f"r{n:02}", ports=["443"]) for n in range(20)]
    found = text(make_profile(requirement("r")), make_profile(*rows))
    assert "r10, r11 and 8 more)" in found
