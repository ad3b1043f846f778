"""The difference of two profiles in plain text: what to open, what to close, what else changed."""

from collections.abc import Iterator

from readycheck.profile import Profile
from readycheck.profile_diff import Difference, Way
from readycheck.render.clean import clean

_LONGEST = 2000
_MANY = 12


def render(before: Profile, after: Profile, found: Difference) -> str:
    """A line for each change; signs as in a patch."""
    return "".join(
        f"{clean(line, _LONGEST)}\n" if line.strip() else "\n" for line in _lines(before, after, found)
    )


def _lines(before: Profile, after: Profile, found: Difference) -> Iterator[str]:
    yield f"{_called(before)} -> {_called(after)}"
    for title, sign, ways in (("To open", "+", found.to_open), ("To close", "-", found.to_close)):
        yield ""
        yield f"{title} ({len(ways)})" if ways else f"{title}: nothing"
        yield from (f"{sign} {_way(way)}" for way in ways)
    yield ""
    yield f"Also changed ({len(found.changed)})" if found.changed else "Also changed: nothing"
    for change in found.changed:
        if not change.before:
            yield f"+ {change.what} {change.of}: {change.after}"
        elif not change.after:
            yield f"- {change.what} {change.of}: {change.before}"
        else:
            yield f"~ {change.what} {change.of}: {change.before} -> {change.after}"


def _called(profile: Profile) -> str:
    return f"{profile.name} (revision {profile.revision}, compared {profile.checked})"


def _way(way: Way) -> str:
    """Such as `outbound TCP 443 to 10.0.0.0/16: widened, so far 10.0.1.0/24 (required: sip, media)`."""
    towards = "from" if way.direction == "inbound" else "to"
    protocol = f"{way.direction} {way.transport.upper()} {way.ports}".rstrip()
    so_far = f", {_SO_FAR[way.change]} {_few(way.so_far)}" if way.so_far else ""
    exactly = f", which adds {_few(way.exactly)}" if way.exactly and way.change == "widened" else ""
    exactly = (
        f", which takes away {_few(way.exactly)}" if way.exactly and way.change == "narrowed" else exactly
    )
    needs = f"{way.importance.value}: {_few(way.requirements)}"
    return f"{protocol} {towards} {way.place}: {way.change}{so_far}{exactly} ({needs})"


_SO_FAR = {"widened": "so far", "narrowed": "still", "new": "", "gone": ""}


def _few(names: tuple[str, ...]) -> str:
    more = len(names) - _MANY
    return ", ".join(names[:_MANY]) + (f" and {more} more" if more > 0 else "")
