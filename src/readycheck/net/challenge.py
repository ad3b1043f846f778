"""The challenges of a server that wants a login, read from its header fields (RFC 9110 section 11.6.1)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MOST = 16
MAX_CHARACTERS = 16 << 10  # tickets of Kerberos grow with the groups of their owner

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NEXT = r"(?=[ \t]*(?:,|$))"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ITEM = re.compile(
    rf"""[ \t,]*(?:
        (?P<key>{_TOKEN})[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<value>[^\s",]+)){_NEXT}
        |(?P<scheme>[A-Za-z]{_TOKEN}|[A-Za-z])(?=[ \t,]|$)(?:[ \t]+(?P<token>[\w.~+/-]+=*){_NEXT})?
    )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in. `token` is what a handshake is at, `params` what is told besides, by lower-case name."""

    scheme: str
    token: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.scheme.lower()


def parse(values: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of some fields; what cannot be read ends its field."""
    found = [challenge for value in values for challenge in _challenges(_tame(value))]
    return tuple(found[:MOST])


def _tame(value: str) -> str:
    """Up to the first control character: what is sent back must not end a line."""
    return _CONTROL.split(value[:MAX_CHARACTERS], maxsplit=1)[0]


def _challenges(value: str) -> Iterator[Challenge]:
    at, current, params = 0, None, dict[str, str]()
    while (item := _ITEM.match(value, at)) is not None:
        at = item.end()
        if item["scheme"]:
            if current is not None:
                yield current
            params = {}
            current = Challenge(item["scheme"], item["token"] or "", params)
        else:
            quoted = item["quoted"]
            said = item["value"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            params.setdefault(item["key"].lower(), said)
    if current is not None:
        yield current
