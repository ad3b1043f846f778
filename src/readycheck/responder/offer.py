"""What a caller says of itself, and what it may have. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readycheck.responder.session import Refused, within

_VIAS = ("udp", "tcp", "tls")
_USER, _PASSWORD = re.compile(r"[A-Za-z0-9+/]{4,32}"), re.compile(r"[A-Za-z0-9+/]{22,64}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one place takes at most; `setup_s` is for ICE and DTLS together."""

    calls: int = 8
    calls_per_source: int = 2
    seconds: float = 120.0
    setup_s: float = 20.0
    packets_per_second: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the caller said of itself, checked."""

    via: str
    user: str
    password: str
    fingerprint: str
    seconds: float


def read_offer(body: Mapping[str, Any], limits: CallLimits) -> Offer:
    """Raises `Refused` for what is no offer."""
    via = body.get("via")
    if via not in _VIAS:
        raise Refused("via is to be udp, tcp or tls")
    with_ice = via == "udp"
    return Offer(
        via=via,
        user=_text(body, "user", _USER) if with_ice else "",
        password=_text(body, "password", _PASSWORD) if with_ice else "",
        fingerprint=_text(body, "fingerprint", _FINGERPRINT),
        seconds=within(body, "seconds", limits.seconds),
    )


def _text(body: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refused(f"{key} is not one")
    return value
