"""The environment of a run as labelled sentences: what the host is, what it may do, and what it may not."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from readycheck.net.interface import Capability
from readycheck.render.clean import clean

if TYPE_CHECKING:
    from readycheck.net.environment import Environment

_LOSSES = {
    Capability.RAW_SOCKETS: "no raw sockets: routers are asked through ordinary sockets, with less detail",
    Capability.ICMP_ERRORS: "no ICMP errors: where silent packets stop cannot be seen, so silence stays inconclusive",
    Capability.KERNEL_TIMESTAMPS: "no kernel time stamps: round trips include the time this program took",
    Capability.HOP_LIMIT: "no hop limit: that packets leave the site cannot be proven without an answer",
}


def facts(environment: "Environment") -> Iterator[tuple[str, str]]:
    """Label and text of everything that is known; what is not known is left out."""
    for field in dataclasses.fields(environment):
        value = getattr(environment, field.name)
        if field.name != "capabilities" and value not in (None, "", (), {}, []):
            yield field.name.replace("_", " "), _words(value)
    yield from losses(environment)


def losses(environment: "Environment") -> Iterator[tuple[str, str]]:
    """A sentence for each thing that this host does not let the program do."""
    held = {str(name) for name in environment.capabilities}
    yield from (("limit", sentence) for name, sentence in _LOSSES.items() if name.value not in held)


def _words(value: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        known = {k: v for k, v in value.items() if v not in (None, "", (), {}, [])}
        return ", ".join(f"{clean(k, 40).replace('_', ' ')} {_words(v)}" for k, v in known.items())
    if isinstance(value, tuple | list | set | frozenset):
        parts = [_words(item) for item in list(value)[:12]]
        return ("; " if any("," in part for part in parts) else ", ").join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean(value, 160)
