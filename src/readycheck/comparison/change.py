"""What a comparison of two runs says: types, which the report of the second run carries."""

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    WORSE = "worse"
    BETTER = "better"
    OTHER = "other"


class Aspect(StrEnum):
    """What of a report a change is about."""

    VERDICT = "verdict"
    SCORE = "score"
    AREA = "area"
    FINDING = "finding"
    REQUIREMENT = "requirement"
    FIGURE = "figure"


class Circumstance(StrEnum):
    """What else may differ between two runs, from the run itself outwards: the earlier may bring about the later."""

    STATE = "end of the run"
    OPTIONS = "options"
    TRUST = "trust"
    AGENT = "agent version"
    PROFILE = "profile revision"
    HOST = "host"
    CAPABILITIES = "capabilities"
    LINK = "link"
    ADDRESS = "own address"
    GATEWAY = "gateway"
    DHCP = "DHCP server"
    RESOLVER = "resolver"
    PROXY = "proxy"
    EGRESS = "egress address"
    SYSTEM = "egress AS"
    ISSUER = "certificate issuer"
    PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something of the result that is not as it was; one side is empty for what is new or gone."""

    aspect: Aspect
    of: str
    title: str
    before: str
    after: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something around the run that is not as it was; `of` says of what, where there are several."""

    circumstance: Circumstance
    before: tuple[str, ...]
    after: tuple[str, ...]
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A difference that may be behind what became worse, `explains` is what of it, and `why` a sentence."""

    circumstance: Circumstance
    explains: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The run that was compared with, as its report has it."""

    id: str
    started_at: str
    site: str | None
    verdict: str
    profile_revision: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """From the baseline to this run. The first of the `suspects` is the one to look at first."""

    baseline: Baseline
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    suspects: tuple[Suspect, ...]
