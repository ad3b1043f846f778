"""How old what a profile says is: the vendor's page, and the day on which somebody compared the two."""

import re
from datetime import date

from readycheck.profile import Profile

OLD_DAYS = 365
_DATE = re.compile(r"\b((?:19|20)\d{2})(?:-(0[1-9]|1[0-2]))?(?:-(0[1-9]|[12]\d|3[01]))?\b")


def page_date(profile: Profile) -> date | None:
    """The day, month or year that the revision names, as its first day; None when it names none."""
    return next((found for found in map(_dated, _revisions(profile)) if found), None)


def _revisions(profile: Profile) -> list[str]:
    """The profile's own, and else that of the first document, which is what it is read from."""
    return [profile.revision, *(document.revision for document in list(profile.documents.values())[:1])]


def _dated(text: str) -> date | None:
    found = _DATE.search(text)
    if not found:
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return date(year, month, day)
    except ValueError:  # the 31st of a shorter month
        return date(year, month, 1)


def age(then: date, today: date) -> str:
    """In the largest unit that says something."""
    days = (today - then).days
    if days < 0:
        return "in the future"
    for unit, length in (("year", 365.25), ("month", 30.44)):
        if days >= length:
            return _count(int(days / length), unit)
    return _count(days, "day") if days else "today"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def page_age(profile: Profile, today: date) -> str:
    dated = page_date(profile)
    return age(dated, today) if dated else "not known"


def warnings(profile: Profile, today: date) -> list[str]:
    """What somebody who relies on the profile should do about its age."""
    dated, told = page_date(profile), []
    if (today - profile.checked).days > OLD_DAYS:
        told.append(f"compared with the vendor's page {age(profile.checked, today)} ago: compare it again")
    if dated is None:
        told.append(f"its page has no date (revision '{profile.revision}'): look for a newer one")
    elif (today - dated).days > OLD_DAYS:
        told.append(f"its page is of {profile.revision}, {age(dated, today)} ago: look for a newer one")
    return told
