"""What a product needs of a network: the typed profile."""

from collections.abc import Container, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from readycheck.notation import Cidr, Dscp, HostName, Pattern, Ports, Slug, Strict
from readycheck.references import broken


class Importance(StrEnum):
    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    FALLBACK = "fallback"
    LEGACY = "legacy"
    INFORMATIONAL = "informational"

    @property
    def rank(self) -> int:
        """The lower, the more it matters."""
        return list(Importance).index(self)


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

    pattern: Pattern
    representatives: tuple[HostName, ...] = ()
    certain: bool = False
    purpose: str = ""
    used_by: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names to ask for."""
        return self.representatives if self.is_wildcard else (self.pattern, *self.representatives)

    @property
    def is_wildcard(self) -> bool:
        return "*" in self.pattern


class NameGroup(Strict):
    """Rows of the vendor's domain tables; `category` says which of its tables they stand in."""

    title: str
    category: Literal["service", "related", "third-party", "cdn", "hybrid", "deprecated"] = "service"
    domains: tuple[DomainEntry, ...]
    source: Source


class Pin(Strict):
    """The public key of a certificate authority, as base64 SHA-256 of its SubjectPublicKeyInfo (RFC 7469)."""

    name: str
    spki_sha256: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    source: str


class Control(Strict):
    """A host outside the product that separates causes; contacted unless `--no-controls` is given.

    Over TCP port 80 it is asked for the page `path`, which must contain the text `contains`.
    """

    host: HostName
    port: int = Field(ge=1, le=65535)
    transport: Literal["tcp", "udp"] = "tcp"
    path: str = "/"
    contains: str = ""
    purpose: str


class Placeholder(Strict):
    """A value that only the customer knows, given as `--set NAME=VALUE`."""

    title: str
    example: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


class Normalisation(Strict):
    """What the page prints, what we use, and why."""

    printed: str
    used: str
    reason: str
    alternative: str = ""
    source: Source


class Withdrawn(Strict):
    """Something that the page's own revision history removed; a firewall may still carry it.

    The typed fields are what a rule for it would look like, as far as one can be written.
    """

    what: str
    when: str
    networks: tuple[Cidr, ...] = ()
    names: tuple[Pattern, ...] = ()
    transport: Literal["udp", "tcp", "any"] = "any"
    ports: tuple[Ports, ...] = ()
    source: Source


class Statement(Strict):
    """What the page says at one place."""

    says: str
    source: Source


class Contradiction(Strict):
    """Statements of the vendor that cannot both hold, and which one the profile follows."""

    about: str
    statements: tuple[Statement, ...] = Field(min_length=2)
    used: str
    reason: str


Authentication = Literal["none", "basic", "digest", "ntlm", "negotiate", "kerberos"]


class ProxySupport(Strict):
    """Which proxy configuration and authentication a platform can do, and what the page says it cannot.

    `roles` are those that it plays; without them it counts for every role.
    """

    product: str
    roles: tuple[Slug, ...] | None = None
    configuration: tuple[str, ...]
    authentication: tuple[Authentication, ...]
    unsupported: tuple[str, ...] = ()
    note: str = ""
    source: Source


class InspectionSupport(Strict):
    """Whether a product accepts a custom authority, so that its TLS may be inspected."""

    product: str
    support: Literal["supported", "unsupported", "unstated"]
    note: str = ""
    source: Source


class Exemption(Strict):
    """Names whose TLS nobody on the way may open or change."""

    names: tuple[Pattern, ...] = Field(min_length=1)
    reason: str
    source: Source


class NetworkAccess(Strict):
    """How a product gets through IEEE 802.1X; no methods means that it cannot."""

    product: str
    methods: tuple[str, ...]
    note: str = ""
    source: Source


class Cryptography(Strict):
    """Versions and suites for one purpose, by their registered names; no ports means all of that purpose."""

    purpose: str
    versions: tuple[str, ...] = ()
    refused_versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    ports: tuple[Ports, ...] = ()
    note: str = ""
    source: Source


class Reservation(Strict):
    """Ports that the vendor keeps for itself: not to be configured for anything else."""

    transport: Literal["udp", "tcp", "any"]
    ports: tuple[Ports, ...] = Field(min_length=1)
    reason: str
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
    """The band of a metric: beyond `warn` it warns, beyond `fail` it fails; `higher` is better or not.

    `of` is the metric that counts what a ratio is of: none lost of N shows no more than less than 3 / N. `error` is
    the metric of the instrument's own error: a tenth of an edge is the most that leaves it to be judged. `ended_by` is
    the metric without which a number is only the least that it may be, because nothing ended it.
    """

    warn: float | None = None
    fail: float | None = None
    higher: bool = False
    of: str = ""
    error: str = ""
    ended_by: str = ""
    source: str = ""


class Targets(Strict):
    """Where a requirement leads. `networks` and `names` name groups of the profile.

    `hosts` are literal names, addresses or `{placeholder}`; `resolvers` means the name servers in use, `responder`
    the far end that the user gave.
    """

    networks: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    resolvers: bool = False
    responder: bool = False
    description: str = ""


class Requirement(Strict):
    """One thing that the product needs of the network; `origin` is who opens the connection.

    `measured_with` is the requirement whose measurement this one judges, too, by limits of its own.
    """

    id: Slug
    title: str
    area: Area
    importance: Importance
    roles: tuple[Slug, ...]
    direction: Literal["outbound", "inbound", "internal", "none"] = "outbound"
    transport: Literal["udp", "tcp", "icmp", "none"] = "none"
    origin: str = ""
    source_ports: tuple[Ports, ...] = ()
    ports: tuple[Ports, ...] = ()
    targets: Targets = Targets()
    probe: str | None = None
    measured_with: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Limit] = Field(default_factory=dict)
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
    """A product's needs. `hash` identifies the text it was read from, with that of the profile it `extends`."""

    schema_version: Literal[1]
    name: Slug
    title: str
    revision: str
    checked: date
    summary: str = ""
    extends: str = ""
    documents: dict[str, Document]
    roles: tuple[Role, ...]
    weights: dict[Area, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = DEFAULT_WEIGHTS
    networks: dict[str, NetworkGroup] = Field(default_factory=dict)
    names: dict[str, NameGroup] = Field(default_factory=dict)
    pins: tuple[Pin, ...] = ()
    controls: tuple[Control, ...] = ()
    placeholders: dict[str, Placeholder] = Field(default_factory=dict)
    proxies: tuple[ProxySupport, ...] = ()
    inspection: tuple[InspectionSupport, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    network_access: tuple[NetworkAccess, ...] = ()
    cryptography: tuple[Cryptography, ...] = ()
    reserved: tuple[Reservation, ...] = ()
    qos: tuple[QosClass, ...] = ()
    normalisations: tuple[Normalisation, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()
    requirements: tuple[Requirement, ...] = Field(min_length=1)
    hash: str = ""

    @model_validator(mode="wrap")
    @classmethod
    def _coherent(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """What does not hold together is told beside what is wrong by itself."""
        told = [_detail(*each) for each in broken(data)] if isinstance(data, Mapping) else []
        try:
            profile = handler(data)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            told = [*(_detail(item["loc"], item["msg"], item["type"]) for item in found), *told]
        else:
            if not told:
                return profile
        raise ValidationError.from_exception_data(cls.__name__, told)

    def default_roles(self) -> tuple[str, ...]:
        return tuple(role.name for role in self.roles if role.default) or tuple(r.name for r in self.roles)

    def marks(self, roles: Container[str], traffic: str) -> Iterator[tuple[str, int, str]]:
        """Role, code point and source ports of each QoS class of these roles that carries the traffic."""
        for each in self.qos:
            kinds = each.traffic.replace(",", " and ").split(" and ")
            if each.source_role in roles and traffic in kinds:
                code = each.dscp[min(kinds.index(traffic), len(each.dscp) - 1)] if each.dscp else 0
                yield each.source_role, code, str(next(iter(each.source_ports), ""))


def _detail(loc: tuple[int | str, ...], text: str, kind: str = "value_error") -> InitErrorDetails:
    return {"type": PydanticCustomError(kind, "{text}", {"text": text}), "loc": loc, "input": None}
