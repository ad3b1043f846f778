"""Which probe a packet answers: by its flow, and among probes of one flow by a mark that survives the way.

Pure, because here is where a wrong guess would make a wrong hop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from readycheck_trace.request import Probe

TIME_EXCEEDED = "time_exceeded"
UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Flow:
    """The five that a router or a server keeps, as the probe left this host."""

    transport: str
    address: str
    port: int
    source_port: int


@dataclass(slots=True, kw_only=True)
class Sent:
    """A probe with the marks it carries: its IP identifier, TCP sequence number or first bytes."""

    probe: Probe
    flow: Flow
    marks: frozenset[tuple[str, Any]]
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A packet that came in and may be an answer."""

    reply: str
    source: str
    ttl: int
    at: float
    flow: Flow
    marks: frozenset[tuple[str, Any]] = frozenset()
    code: int | None = None
    quoted_tos: int | None = None
    quoted_source_port: int | None = None


@dataclass(slots=True)
class Ledger:
    """What was sent, and the first answer to each."""

    sent: Sequence[Sent]
    answers: dict[str, Seen] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.answers) == len(self.sent)

    def enter(self, seen: Seen) -> None:
        probe = attribute(self.sent, seen)
        if probe is not None:
            self.answers.setdefault(probe.probe.id, seen)

    def replies(self) -> dict[str, dict[str, Any]]:
        """What the program writes."""
        return {one.probe.id: _reply(one, self.answers.get(one.probe.id)) for one in self.sent}


def attribute(sent: Sequence[Sent], seen: Seen) -> Sent | None:
    """The probe that `seen` answers; None when it could be several or answers none."""
    of_flow = [one for one in sent if one.flow == seen.flow]
    if len(of_flow) < 2:
        return of_flow[0] if of_flow else None
    # A translator may rewrite the IP identifier, so the more marks agree, the better.
    ranked = sorted(of_flow, key=lambda one: len(one.marks & seen.marks), reverse=True)
    best, second = (len(one.marks & seen.marks) for one in ranked[:2])
    return ranked[0] if best > second else None


def _reply(sent: Sent, seen: Seen | None) -> dict[str, Any]:
    reply: dict[str, Any] = dict.fromkeys(
        ("reply", "code", "from", "ttl", "rtt_ms", "source_port", "quoted_tos", "quoted_source_port")
    )
    reply["source_port"] = sent.flow.source_port
    if seen is not None:
        reply |= {
            "reply": seen.reply,
            "code": seen.code,
            "from": seen.source,
            "ttl": seen.ttl,
            "rtt_ms": None if sent.at is None else round(max(0.0, seen.at - sent.at) * 1000, 3),
            "quoted_tos": seen.quoted_tos,
            "quoted_source_port": seen.quoted_source_port,
        }
    return reply
