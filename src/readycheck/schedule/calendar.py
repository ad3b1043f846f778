"""Intervals as calendars write them: only those that fit a whole number of times into an hour or a day. Pure."""

from readycheck.errors import UsageError

_HOUR, _DAY = 3600, 86_400


def refuse_uneven(option: str, text: str, every_s: int) -> None:
    """A calendar begins anew each hour and day. Raises `UsageError` that names the option."""
    fits_hour = every_s % 60 == 0 and _HOUR % every_s == 0
    if not fits_hour and not (every_s % _HOUR == 0 and _DAY % every_s == 0):
        raise UsageError(f"{option} {text}: not minutes that divide an hour, or hours that divide a day")


def of_cron(every_s: int, offset_s: int) -> str:
    """The five fields of a line; the seconds of the offset are beyond them."""
    hour, minute = divmod(offset_s // 60, 60)
    if every_s < _HOUR:
        return f"{minute}-59/{every_s // 60} * * * *"
    if every_s == _HOUR:
        return f"{minute} * * * *"
    return f"{minute} {hour}-23/{every_s // _HOUR} * * *" if every_s < _DAY else f"{minute} {hour} * * *"


def of_systemd(every_s: int) -> str:
    """In UTC: no summer time skips or repeats a run."""
    if every_s <= _HOUR:
        minutes = f"0/{every_s // 60}" if every_s < _HOUR else "00"
        return f"*-*-* *:{minutes}:00 UTC"
    hours = f"0/{every_s // _HOUR}" if every_s < _DAY else "00"
    return f"*-*-* {hours}:00:00 UTC"
