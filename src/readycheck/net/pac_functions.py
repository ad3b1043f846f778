"""The functions that a proxy script may call, as browsers have them: what surprises in them is theirs."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

Resolve = Callable[[str], Sequence[str]]
Clock = Callable[[], datetime]

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LAST_DAY = 31
_QUAD = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


def functions(resolve: Resolve, own: Sequence[str], now: Clock) -> Mapping[str, Callable[..., Any]]:
    """By name. `resolve` gives the addresses of a name, `own` are this host's, `now` is in local time."""

    def look_up(host: Any = "", *_: Any) -> str | None:
        return next((a for a in _addresses(resolve, host) if "." in a), None)

    def look_up_all(host: Any = "", *_: Any) -> str:
        return ";".join(_addresses(resolve, host))

    own_ipv4 = next((a for a in own if "." in a), "127.0.0.1")
    return {
        "dnsResolve": look_up,
        "dnsResolveEx": look_up_all,
        "isResolvable": lambda host="", *_: look_up(host) is not None,
        "isResolvableEx": lambda host="", *_: look_up_all(host) != "",
        "isInNet": lambda host="", net="", mask="", *_: _is_in_net(look_up(host), net, mask),
        "isInNetEx": lambda host="", prefix="", *_: _is_in_prefix(look_up_all(host), prefix),
        "myIpAddress": lambda *_: own_ipv4,
        "myIpAddressEx": lambda *_: ";".join(own),
        "sortIpAddressList": lambda addresses="", *_: _sorted(str(addresses)),
        "isPlainHostName": lambda host="", *_: not set(str(host)) & set(".:"),
        "dnsDomainIs": lambda host="", domain="", *_: str(host).endswith(str(domain)),
        "localHostOrDomainIs": lambda host="", full="", *_: host == full or str(full).startswith(f"{host}."),
        "dnsDomainLevels": lambda host="", *_: str(host).count("."),
        "shExpMatch": lambda text="", pattern="", *_: matches(str(text), str(pattern)),
        "convert_addr": lambda address="", *_: int(_quad(str(address)) or 0),
        "weekdayRange": lambda *when: weekday_range(when, now),
        "dateRange": lambda *when: date_range(when, now),
        "timeRange": lambda *when: time_range(when, now),
        "getClientVersion": lambda *_: "1.0",
        "alert": lambda *_: None,
    }


def matches(text: str, pattern: str) -> bool:
    """A shell pattern, of which browsers escape the dot alone: the rest is a regular expression."""
    expression = pattern.replace(".", r"\.").replace("*", ".*").replace("?", ".")
    return re.fullmatch(expression, text) is not None


def weekday_range(when: Sequence[Any], now: Clock) -> bool:
    """`(day)` or `(first, last)`, which may go round the end of the week."""
    days, moment = _timed(when, now)
    wanted = [_DAYS.index(str(day)) for day in days if str(day) in _DAYS]
    if not wanted or len(wanted) != len(days):
        return False
    return _between((wanted[0],), ((moment.weekday() + 1) % 7,), (wanted[-1],))


def time_range(when: Sequence[Any], now: Clock) -> bool:
    """Hours, hours and minutes, or all three, once or as first and last, both included."""
    given, moment = _timed(when, now)
    told = [int(part) for part in given]
    clock = (moment.hour, moment.minute, moment.second)
    if len(told) == 1:
        return moment.hour == told[0]
    if len(told) == 2:
        return told[0] <= moment.hour <= told[1]  # hours alone do not go round midnight in browsers
    half = len(told) // 2
    if len(told) not in (4, 6):
        return False
    return _between(tuple(told[:half]), clock[:half], tuple(told[half:]))


def date_range(when: Sequence[Any], now: Clock) -> bool:
    """Days, months (`JAN`) and years, once or as first and last; without a year it may go round its end."""
    given, moment = _timed(when, now)
    parts = [_date_part(one) for one in given]
    kinds = [kind for kind, _ in parts]
    half = len(parts) // 2
    if kinds[:half] == kinds[half:] and len(set(kinds[:half])) == half > 0:
        first, last = _in_order(parts[:half]), _in_order(parts[half:])
    elif len(set(kinds)) == len(kinds) > 0:
        first = last = _in_order(parts)
    else:
        return False
    today = {"year": moment.year, "month": moment.month, "day": moment.day}
    return _between(tuple(first.values()), tuple(today[kind] for kind in first), tuple(last.values()))


def _date_part(told: Any) -> tuple[str, int]:
    if str(told) in _MONTHS:
        return "month", _MONTHS.index(str(told)) + 1
    number = int(told)
    return ("day" if number <= _LAST_DAY else "year"), number


def _in_order(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    found = dict(parts)
    return {kind: found[kind] for kind in ("year", "month", "day") if kind in found}


def _timed(when: Sequence[Any], now: Clock) -> tuple[Sequence[Any], datetime]:
    """The arguments without `GMT`, and the moment in the zone that they mean."""
    told = tuple(int(one) if isinstance(one, float) else one for one in when)
    if told and told[-1] == "GMT":
        return told[:-1], now().astimezone(UTC)
    return told, now()


def _between(first: tuple[int, ...], it: tuple[int, ...], last: tuple[int, ...]) -> bool:
    return first <= it <= last if first <= last else it >= first or it <= last


def _addresses(resolve: Resolve, host: Any) -> Sequence[str]:
    text = str(host or "")
    try:
        return (str(ip_address(text)),)
    except ValueError:
        return resolve(text) if text else ()


def _is_in_net(address: str | None, net: Any, mask: Any) -> bool:
    found, wanted, bits = _quad(address or ""), _quad(str(net)), _quad(str(mask))
    if found is None or wanted is None or bits is None:
        return False
    return int(found) & int(bits) == int(wanted) & int(bits)


def _is_in_prefix(addresses: str, prefix: Any) -> bool:
    try:
        net = ip_network(str(prefix), strict=False)
    except ValueError:
        return False
    found = (ip_address(one) for one in addresses.split(";") if one)
    return any(one in net for one in found if one.version == net.version)


def _quad(text: str) -> IPv4Address | None:
    if not _QUAD.fullmatch(text):
        return None
    octets = [int(octet) for octet in text.split(".")]
    return IPv4Address(bytes(octets)) if max(octets) < 256 else None


def _sorted(addresses: str) -> str:
    try:
        found = [ip_address(one.strip()) for one in addresses.split(";") if one.strip()]
    except ValueError:
        return ""
    return ";".join(str(one) for one in sorted(found, key=lambda one: (-one.version, int(one))))
