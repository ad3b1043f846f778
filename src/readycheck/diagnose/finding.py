"""A finding: the cause behind symptoms, where it sits, who owns it, and how sure that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from readycheck.media.stream import wilson


class Where(StrEnum):
    HOST = "host"
    SITE = "site"
    ISP = "isp"
    VENDOR = "vendor"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Severity(StrEnum):
    BLOCKING = "blocking"
    DEGRADING = "degrading"
    NOTE = "note"


class Owner(StrEnum):
    HOST_ADMIN = "host-admin"
    NETWORK = "network"
    PROXY = "proxy"
    DNS = "dns"
    ISP = "isp"
    VENDOR = "vendor"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause at one place. `affects` are requirements, `evidence` checks, `explains` swallowed causes."""

    cause: str
    where: Where
    confidence: Confidence
    severity: Severity
    owner: Owner
    summary: str
    affects: tuple[str, ...]
    evidence: tuple[str, ...]
    explains: tuple[str, ...] = ()
    remedy: str = ""


ORDER = {
    severity: rank for rank, severity in enumerate((Severity.BLOCKING, Severity.DEGRADING, Severity.NOTE))
}
SURENESS = {
    confidence: rank
    for rank, confidence in enumerate((Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE))
}


def shown(names: Iterable[str], most: int = 3) -> str:
    """A few of them, each once, and how many more there are."""
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"{', '.join(known[:most])}{more}"


def counted(some: int, of: int, what: str = "") -> str:
    """`7 of 18 tries (20% to 61% at 95 % confidence)`: a share, with Wilson's interval of it."""
    low, high = wilson(some, of)
    return f"{some} of {of}{what} ({low:.0%} to {high:.0%} at 95 % confidence)"


def sentences(told: Iterable[str]) -> str:
    """One behind the other, each with its full stop; what has nothing to say is left out."""
    return " ".join(f"{sentence}." for sentence in told if sentence)


def sort_key(finding: Finding) -> tuple[int, int, str]:
    """By severity, then confidence, then name."""
    return ORDER[finding.severity], SURENESS[finding.confidence], finding.cause
