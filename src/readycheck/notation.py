"""How addresses, ports and names are written in a profile."""

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)


class Strict(BaseModel):
    """Frozen, and a misspelt key is an error.

    Built on first use, which is that of the whole profile: its parts are not built one by one before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, defer_build=True)


class PortRange(Strict):
    """Ports `low` to `high`, both included; written `"8934"` or `"19560-65535"`."""

    low: int = Field(ge=1, le=65535)
    high: int = Field(ge=1, le=65535)

    @model_validator(mode="after")
    def _in_order(self) -> "PortRange":
        if self.low > self.high:
            raise ValueError(f"the range '{self}' is reversed")
        return self

    def __len__(self) -> int:
        return self.high - self.low + 1

    def __contains__(self, port: int) -> bool:
        return self.low <= port <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


_LONGEST_PORTS = 40


def _port_range(value: Any) -> Any:
    if isinstance(value, PortRange | dict):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not a port or a range of ports such as '19560-65535'")
    return _ports(hex(value) if isinstance(value, int) and abs(value) > 1 << 64 else str(value))


@lru_cache(maxsize=1024)
def _ports(text: str) -> "PortRange | dict[str, int]":
    """Most rows of a profile share their ports; what is out of order is left to `PortRange` to refuse."""
    low, _, high = text.partition("-")
    digits = low.strip().isdecimal() and (not high or high.strip().isdecimal())
    if not digits or len(text) > _LONGEST_PORTS:
        raise ValueError(f"'{_short(text)}' is not a port or a range of ports such as '19560-65535'")
    bounds = int(low), int(high or low)
    if not all(1 <= port <= 65535 for port in bounds):
        raise ValueError(f"port {max(bounds) if max(bounds) > 65535 else min(bounds)} is outside 1 to 65535")
    written = {"low": bounds[0], "high": bounds[1]}
    return PortRange(**written) if bounds[0] <= bounds[1] else written


_OCTET = r"(0|[1-9][0-9]{0,2})"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}/(0|[1-9][0-9]?)")


def _network(value: str) -> str:
    if _is_plain_ipv4(value):
        return value
    try:
        if "%" in value:
            raise ValueError("a zone is of one host only")
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"'{_short(value)}' is not a network: {_short(str(error), 120)}") from None


def _is_plain_ipv4(value: str) -> bool:
    """Written as it would be printed: what almost every row is, told ten times as fast as by `ipaddress`."""
    found = _IPV4.fullmatch(value)
    if not found:
        return False
    *octets, length = map(int, found.groups())
    return length <= 32 and max(octets) <= 255 and not int.from_bytes(octets, "big") & (0xFFFFFFFF >> length)


_PYTHON = re.compile(r"\b(tuple|dictionary)( or instance of \w+)?\b")
_IN_TOML = {"tuple": "array", "dictionary": "table"}


def in_toml(message: str) -> str:
    """What pydantic says, in the words of TOML."""
    return _PYTHON.sub(lambda found: _IN_TOML[found[1]], message.removeprefix("Value error, "))


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_STARRED = r"[a-z0-9_*]([a-z0-9_*-]{0,61}[a-z0-9*])?"
_LAST = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
_NAME = re.compile(rf"({_LABEL}\.)+{_LAST}")
# A star stands for whole labels at the front (`*.webex.com`), or for a part of one (`*mcs*.webex.com`).
_PATTERN = re.compile(rf"{_STARRED}\.({_LABEL}\.)*{_LAST}")
_LONGEST = 253


def _host_name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > _LONGEST:
        raise ValueError(f"'{_short(value)}' is not a host name")
    return value


def _pattern(value: str) -> str:
    if not _PATTERN.fullmatch(value) or len(value) > _LONGEST:
        raise ValueError(f"'{_short(value)}' is not a host name or a wildcard such as '*.example.com'")
    return value


_PORTS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": r"^\s*[0-9]{1,5}\s*(-\s*[0-9]{1,5}\s*)?$"},
    ],
    "description": 'A port such as 8934, or a range such as "19560-65535".',
}
_CIDR_SCHEMA = {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9.]+)?$", "examples": ["192.0.2.0/24"]}

# How they are written; in reports, ports have two ends.
Ports = Annotated[PortRange, BeforeValidator(_port_range), WithJsonSchema(_PORTS_SCHEMA, mode="validation")]
Cidr = Annotated[str, AfterValidator(_network), WithJsonSchema(_CIDR_SCHEMA, mode="validation")]
HostName = Annotated[
    str,
    AfterValidator(_host_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}, mode="validation"),
]
Pattern = Annotated[
    str,
    AfterValidator(_pattern),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$"}, mode="validation"),
]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)]
Dscp = Annotated[int, Field(ge=0, le=63)]
