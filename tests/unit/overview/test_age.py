"""How old a profile is, to those who rely on it."""

from datetime import date

import pytest

from readycheck.overview.age import age, page_age, page_date, warnings
from readycheck.profile import Profile
from tests.unit.builders import make_profile

TODAY = date(2026, 11, 26)


def profile(revision: str = "1", document: str = "1", checked: str = "2026-11-01") -> Profile:
    documents = {"doc": {"title": "D", "publisher": "P", "revision": document}}
    return make_profile(revision=revision, documents=documents, checked=checked)


@pytest.mark.parametrize(
    ("revision", "document", "expected"),
    [
        ("2016-04-18", "2023-01-01", date(2016, 4, 18)),
        ("about 2023-08", "", date(2023, 8, 1)),
        ("release of 2021", "", date(2021, 1, 1)),
        ("undated", "2023-05-24", date(2023, 5, 24)),
        ("2023-02-31", "", date(2023, 2, 1)),
        ("12", "v1999b, 20231", None),
        ("undated", "undated", None),
    ],
)
def test_the_date_of_the_page_is_what_its_revision_says(
    revision: str, document: str, expected: date | None
) -> None:
    assert page_date(profile(revision, document)) == expected


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (TODAY, "today"),
        (date(2026, 11, 25), "1 day"),
        (date(2026, 10, 1), "1 month"),
        (date(2026, 1, 1), "10 months"),
        (date(2025, 11, 1), "1 year"),
        (date(2016, 4, 18), "10 years"),
        (date(2027, 1, 1), "in the future"),
    ],
)
def test_an_age_is_told_in_the_largest_unit(then: date, words: str) -> None:
    assert age(then, TODAY) == words


def test_a_fresh_profile_needs_no_warning() -> None:
    assert warnings(profile("2026-09"), TODAY) == []
    assert page_age(profile("2026-09"), TODAY) == "2 months"


def test_an_old_page_and_an_old_comparison_are_two_things() -> None:
    assert warnings(profile("2016-04-18"), TODAY) == [
        "its page is of 2016-04-18, 10 years ago: look for a newer one"
    ]
    assert warnings(profile("2026-09", checked="2024-06-01"), TODAY) == [
        "compared with the vendor's page 2 years ago: compare it again"
    ]
    assert len(warnings(profile("2016-04-18", checked="2024-06-01"), TODAY)) == 2


def test_what_has_no_date_may_be_of_any_age() -> None:
    assert page_age(profile("undated"), TODAY) == "not known"
    assert warnings(profile("undated"), TODAY) == [
        "its page has no date (revision 'undated'): look for a newer one"
    ]
