"""The functions of proxy scripts, with the surprises that browsers have, too."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from readycheck.net.pac_functions import functions

NAMES = {
    "inside.corp": ("10.1.2.3",),
    "both.corp": ("2001:db8::1", "192.0.2.9"),
    "six.corp": ("2001:db8::1",),
    "localhost": ("127.0.0.1",),
}
OWN = ("2001:db8::7", "192.168.7.8")
# A Friday, 23:30:15 local time, when it is Saturday in Greenwich.
NOW = datetime(2026, 1, 2, 23, 30, 15, tzinfo=timezone(timedelta(hours=-5)))


def call(name: str, *given: Any, now: datetime = NOW, own: Sequence[str] = OWN) -> Any:
    table = functions(lambda host: NAMES.get(host, ()), own, lambda: now)
    return table[name](*given)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("isPlainHostName", ("www",), True),
        ("isPlainHostName", ("www.corp",), False),
        ("isPlainHostName", ("2001:db8::1",), False),
        ("dnsDomainIs", ("www.corp", ".corp"), True),
        ("dnsDomainIs", ("notcorp", "corp"), True),  # a suffix of letters, not of labels
        ("dnsDomainIs", ("www.corp", ".CORP"), False),
        ("localHostOrDomainIs", ("www", "www.corp"), True),
        ("localHostOrDomainIs", ("www.corp", "www.corp"), True),
        ("localHostOrDomainIs", ("home", "www.corp"), False),
        ("isResolvable", ("inside.corp",), True),
        ("isResolvable", ("six.corp",), False),
        ("isResolvableEx", ("six.corp",), True),
        ("dnsResolve", ("both.corp",), "192.0.2.9"),
        ("dnsResolve", ("192.0.2.77",), "192.0.2.77"),
        ("dnsResolve", ("nosuch",), None),
        ("dnsResolve", (None,), None),
        ("dnsResolve", (), None),
        ("dnsResolveEx", ("both.corp",), "2001:db8::1;192.0.2.9"),
        ("isInNet", ("inside.corp", "10.0.0.0", "255.0.0.0"), True),
        ("isInNet", ("10.9.9.9", "10.0.0.0", "255.255.0.0"), False),
        ("isInNet", ("10.0.7.9", "10.0.0.9", "255.255.0.255"), True),  # a mask need not be a prefix
        ("isInNet", ("nosuch", "0.0.0.0", "0.0.0.0"), False),
        ("isInNet", ("10.0.0.1", "10.0.0.0/8", "255.0.0.0"), False),
        ("isInNet", ("10.0.0.1", "10.0.0.999", "255.0.0.0"), False),
        ("isInNetEx", ("six.corp", "2001:db8::/32"), True),
        ("isInNetEx", ("inside.corp", "10.0.0.0/8"), True),
        ("isInNetEx", ("inside.corp", "rubbish"), False),
        ("myIpAddress", (), "192.168.7.8"),
        ("myIpAddressEx", (), "2001:db8::7;192.168.7.8"),
        ("sortIpAddressList", ("10.0.0.2;::1;10.0.0.1",), "::1;10.0.0.1;10.0.0.2"),
        ("sortIpAddressList", ("rubbish",), ""),
        ("dnsDomainLevels", ("www.corp.example",), 2),
        ("shExpMatch", ("http://a.corp/x", "*.corp/*"), True),
        ("shExpMatch", ("a.corp", "?.corp"), True),
        ("shExpMatch", ("axcorp", "a.corp"), False),
        ("shExpMatch", ("a.corp.evil", "*.corp"), False),
        ("shExpMatch", ("a.net", "*.(com|net)"), True),  # the rest is a regular expression in browsers
        ("convert_addr", ("0.0.1.2",), 258),
        ("convert_addr", ("rubbish",), 0),
        ("getClientVersion", (), "1.0"),
        ("alert", ("a", "b"), None),
    ],
)
def test_functions_of_names_and_addresses(name: str, given: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *given) == expected


def test_a_host_without_addresses_is_its_own() -> None:
    assert call("myIpAddress", own=()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("weekdayRange", ("FRI",), True),
        ("weekdayRange", ("SAT",), False),
        ("weekdayRange", ("SAT", "GMT"), True),
        ("weekdayRange", ("MON", "FRI"), True),
        ("weekdayRange", ("THU", "SUN"), True),
        ("weekdayRange", ("SAT", "THU"), False),
        ("weekdayRange", ("fri",), False),
        ("weekdayRange", (), False),
        ("timeRange", (23,), True),
        ("timeRange", (4, "GMT"), True),
        ("timeRange", (8, 23), True),
        ("timeRange", (8.0, 23.0), True),
        ("timeRange", (22, 6), False),  # hours alone do not go round midnight
        ("timeRange", (22, 0, 6, 0), True),
        ("timeRange", (23, 0, 23, 30), True),  # the last minute is included
        ("timeRange", (8, 30, 17, 0), False),
        ("timeRange", (23, 30, 0, 23, 30, 14), False),
        ("timeRange", (1, 2, 3), False),
        ("dateRange", (2,), True),
        ("dateRange", (3, "GMT"), True),
        ("dateRange", ("JAN",), True),
        ("dateRange", (2025,), False),
        ("dateRange", (1, 15), True),
        ("dateRange", ("DEC", "FEB"), True),
        ("dateRange", (2024, 2026), True),
        ("dateRange", (24, "DEC", 6, "JAN"), True),
        ("dateRange", (3, "JAN", 6, "JAN"), False),
        ("dateRange", ("OCT", 2025, "MAR", 2026), True),
        ("dateRange", (1, "JAN", 2026, 2, "JAN", 2026), True),
        ("dateRange", (1, "JAN", 2025, 1, "JAN", 2026), False),
        ("dateRange", (2, "JAN"), True),
        ("dateRange", (), False),
        ("dateRange", (1, 2, 3), False),
    ],
)
def test_functions_of_time(name: str, given: tuple[Any, ...], expected: bool) -> None:
    assert call(name, *given) is expected


def test_in_greenwich_the_clock_is_greenwichs() -> None:
    assert call("timeRange", 12, "GMT", now=datetime(2026, 1, 2, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "given"), [("shExpMatch", ("a", "(")), ("timeRange", ("noon",)), ("dateRange", ("XYZ",))]
)
def test_what_makes_no_sense_is_an_error_of_the_script(name: str, given: tuple[Any, ...]) -> None:
    caught: list[Exception] = []
    try:
        call(name, *given)
    except Exception as error:
        caught.append(error)
    assert caught


def test_all_standard_functions_are_there() -> None:
    resolve: Callable[[str], Sequence[str]] = lambda host: ()  # noqa: E731
    standard = (
        "dnsResolve isInNet isPlainHostName dnsDomainIs shExpMatch weekdayRange timeRange dateRange myIpAddress "
        "isResolvable localHostOrDomainIs dnsDomainLevels alert"
    )
    assert set(standard.split()) <= set(functions(resolve, (), lambda: NOW))
