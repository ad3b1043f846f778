"""What a product needs of a network: the typed profile, read from TOML."""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from readycheck.errors import ProfileError

MAX_PROFILE_BYTES = 4_000_000


class Strict(BaseModel):
    """Frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Importance(StrEnum):
    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    FALLBACK = "fallback"
    LEGACY = "legacy"
    INFORMATIONAL = "informational"


class Area(StrEnum):
    SIGNALLING = "signalling"
    MEDIA_REACHABILITY = "media reachability"
    MEDIA_QUALITY = "media quality"
    NAMES_AND_TIME = "names and time"
    INTERFERENCE = "interference"
    QUALITY_OF_SERVICE = "quality of service"


DEFAULT_WEIGHTS = {
    Area.SIGNALLING: 30.0,
    Area.MEDIA_REACHABILITY: 30.0,
    Area.MEDIA_QUALITY: 15.0,
    Area.NAMES_AND_TIME: 10.0,
    Area.INTERFERENCE: 10.0,
    Area.QUALITY_OF_SERVICE: 5.0,
}


class PortRange(Strict):
    """Ports `low` to `high`, both included; written `"8934"` or `"19560-65535"`."""

    low: int = Field(ge=1, le=65535)
    high: int = Field(ge=1, le=65535)

    def __len__(self) -> int:
        return self.high - self.low + 1

    def __contains__(self, port: int) -> bool:
        return self.low <= port <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def _port_range(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    low, _, high = str(value).partition("-")
    if not low.strip().isdecimal() or (high and not high.strip().isdecimal()):
        raise ValueError(f"'{value}' is not a port or a range of ports such as '19560-65535'")
    bounds = int(low), int(high or low)
    if not all(1 <= port <= 65535 for port in bounds):
        raise ValueError(f"port {max(bounds) if max(bounds) > 65535 else min(bounds)} is outside 1 to 65535")
    if bounds[0] > bounds[1]:
        raise ValueError(f"the range '{value}' is reversed")
    return {"low": bounds[0], "high": bounds[1]}


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is not a network: {error}") from None


_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def _domain(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 253:
        raise ValueError(f"'{value}' is not a host name or a wildcard such as '*.example.com'")
    return value


Ports = Annotated[PortRange, BeforeValidator(_port_range)]
Cidr = Annotated[str, AfterValidator(_network)]
Domain = Annotated[str, AfterValidator(_domain)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)]
Dscp = Annotated[int, Field(ge=0, le=63)]


class Source(Strict):
    """Where a requirement is written."""

    document: str
    section: str
    revision: str = ""


class Document(Strict):
    title: str
    publisher: str
    revision: str
    url: str = ""
    language: str = "en"
    note: str = ""


class Role(Strict):
    name: Slug
    title: str
    default: bool = False


class NetworkGroup(Strict):
    """Address ranges that the vendor lists under one heading."""

    title: str
    networks: tuple[Cidr, ...]
    source: Source


class DomainEntry(Strict):
    """A name or wildcard of the allow-list.

    `representatives` are names that stand for a wildcard in a test; `certain` says that the source
    document itself prints them, so that their absence from DNS means something.
    """

    pattern: Domain
    representatives: tuple[Domain, ...] = ()
    certain: bool = False
    purpose: str = ""
    used_by: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names to ask for."""
        own = () if self.pattern.startswith("*.") else (self.pattern,)
        return (*own, *self.representatives)


class NameGroup(Strict):
    title: str
    domains: tuple[DomainEntry, ...]
    source: Source


class Pin(Strict):
    """The public key of a certificate authority, as base64 SHA-256 of its SubjectPublicKeyInfo (RFC 7469)."""

    name: str
    spki_sha256: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    source: str


class Control(Strict):
    """A host outside the product that separates causes; contacted unless `--no-controls` is given."""

    host: Domain
    port: int = Field(ge=1, le=65535)
    transport: Literal["tcp", "udp"] = "tcp"
    purpose: str


class Placeholder(Strict):
    """A value that only the customer knows, given as `--set NAME=VALUE`."""

    title: str
    example: str = ""
    required: bool = False


class Normalisation(Strict):
    """What the page prints, what we use, and why."""

    printed: str
    used: str
    reason: str
    alternative: str = ""
    source: Source


class Withdrawn(Strict):
    """Something that the page's own revision history removed; a firewall may still carry it."""

    what: str
    when: str
    source: Source


class ProxySupport(Strict):
    """Which proxy configuration and authentication a platform can do."""

    product: str
    configuration: tuple[str, ...]
    authentication: tuple[Literal["none", "basic", "digest", "ntlm", "negotiate"], ...]
    note: str = ""
    source: Source


class QosClass(Strict):
    """The marking that an endpoint gives to one kind of traffic."""

    source_role: Slug
    traffic: str
    source_ports: tuple[Ports, ...] = ()
    ports: tuple[Ports, ...] = ()
    dscp: tuple[Dscp, ...]
    printed: str
    source: Source


class Limit(Strict):
    """The band of a metric: beyond `warn` it warns, beyond `fail` it fails; `higher` is better or not."""

    warn: float | None = None
    fail: float | None = None
    higher: bool = False
    source: str = ""


class Targets(Strict):
    """Where a requirement leads. `networks` and `names` name groups of the profile.

    `hosts` are literal names, addresses or `{placeholder}`; `resolvers` means the name servers in use.
    """

    networks: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    resolvers: bool = False
    description: str = ""


class Requirement(Strict):
    """One thing that the product needs of the network."""

    id: Slug
    title: str
    area: Area
    importance: Importance
    roles: tuple[Slug, ...]
    direction: Literal["outbound", "inbound", "internal", "none"] = "outbound"
    transport: Literal["udp", "tcp", "none"] = "none"
    source_ports: tuple[Ports, ...] = ()
    ports: tuple[Ports, ...] = ()
    targets: Targets = Targets()
    probe: str | None = None
    params: dict[str, Any] = {}
    limits: dict[str, Limit] = {}
    pinned: bool = False
    proxied: bool = False
    condition: str = ""
    untestable: str = ""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    note: str = ""
    source: Source

    @model_validator(mode="after")
    def _testable_or_explained(self) -> "Requirement":
        if self.probe is None and not self.untestable:
            raise ValueError("needs a 'probe', or 'untestable' with the reason")
        return self


class Profile(Strict):
    """A product's needs. `hash` identifies the text it was read from."""

    schema_version: Literal[1]
    name: Slug
    title: str
    revision: str
    checked: date
    summary: str = ""
    documents: dict[str, Document]
    roles: tuple[Role, ...]
    weights: dict[Area, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = DEFAULT_WEIGHTS
    networks: dict[str, NetworkGroup] = {}
    names: dict[str, NameGroup] = {}
    pins: tuple[Pin, ...] = ()
    controls: tuple[Control, ...] = ()
    placeholders: dict[str, Placeholder] = {}
    proxies: tuple[ProxySupport, ...] = ()
    qos: tuple[QosClass, ...] = ()
    normalisations: tuple[Normalisation, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()
    requirements: tuple[Requirement, ...] = Field(min_length=1)
    hash: str = ""

    @model_validator(mode="after")
    def _references_exist(self) -> "Profile":
        problems = [*_duplicates(self), *_dangling(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def default_roles(self) -> tuple[str, ...]:
        return tuple(role.name for role in self.roles if role.default) or tuple(r.name for r in self.roles)


def _duplicates(profile: Profile) -> Iterator[str]:
    for kind, ids in (
        ("requirements", [r.id for r in profile.requirements]),
        ("roles", [r.name for r in profile.roles]),
    ):
        yield from (f"{kind}: duplicate id '{name}'" for name in sorted({n for n in ids if ids.count(n) > 1}))


def _dangling(profile: Profile) -> Iterator[str]:
    roles = {role.name for role in profile.roles}
    for requirement in profile.requirements:
        for kind, wanted, known in (
            ("roles", requirement.roles, roles),
            ("targets.networks", requirement.targets.networks, profile.networks.keys()),
            ("targets.names", requirement.targets.names, profile.names.keys()),
            ("source.document", (requirement.source.document,), profile.documents.keys()),
            ("targets.hosts", _placeholders(requirement), profile.placeholders.keys()),
        ):
            yield from (
                f"requirements '{requirement.id}', {kind}: '{name}' is not defined"
                for name in wanted
                if name not in known
            )


def _placeholders(requirement: Requirement) -> tuple[str, ...]:
    return tuple(name for host in requirement.targets.hosts for name in re.findall(r"\{([^{}]*)\}", host))


def parse(text: bytes, origin: str) -> Profile:
    """Read a profile; `origin` is the file name that errors mention.

    Raises `ProfileError` with one line that names file, table and key.
    """
    if len(text) > MAX_PROFILE_BYTES:
        raise ProfileError(f"{origin}: larger than {MAX_PROFILE_BYTES} bytes")
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{origin}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    except RecursionError:
        raise ProfileError(f"{origin}: not TOML: nested too deeply") from None
    except ValueError as error:  # such as an integer of thousands of digits
        raise ProfileError(f"{origin}: not TOML: {error}") from None
    if not data:
        raise ProfileError(f"{origin}: empty")
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        raise ProfileError(f"{origin}: {_first_problem(error, data)}") from None
    return profile.model_copy(update={"hash": hashlib.sha256(text).hexdigest()})


def problems(error: ValidationError, data: Any) -> list[str]:
    """All that is wrong, a line each: the table and key as an author writes them, then what is wrong."""
    found = [item for item in error.errors() if item["type"] != "too_short"] or error.errors()
    ordered = sorted(
        found, key=lambda item: item["type"] != "extra_forbidden"
    )  # a misspelt key explains a missing one
    return [f"{_place(item['loc'], data)}: {_message(dict(item))}" for item in ordered]


def _first_problem(error: ValidationError, data: Any) -> str:
    found = problems(error, data)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return found[0] + more


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown key"
    if item["type"] == "missing":
        return "missing"
    return str(item["msg"]).removeprefix("Value error, ")


def _place(loc: tuple[int | str, ...], data: Any) -> str:
    """Turn a path into words; a row of an array of tables is named by its `id` or `name` where it has one."""
    words: list[str] = []
    for key in loc:
        row = data[key] if _has(data, key) else None
        label = next((row[k] for k in ("id", "name", "pattern") if isinstance(row, dict) and k in row), None)
        if isinstance(key, int):
            words.append(f"[{label if isinstance(label, str) else key}]")
        else:
            words.append(f".{key}" if words else key)
        data = row
    return " ".join("".join(words).split()) or "profile"


def _has(data: Any, key: int | str) -> bool:
    if isinstance(data, dict):
        return key in data
    return isinstance(data, list) and isinstance(key, int) and key < len(data)
