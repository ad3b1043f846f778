"""The ways that a product's media may take, best first. Pure."""

from collections.abc import Collection, Mapping

from readycheck.call.stage import Via
from readycheck.check import may_use_proxy
from readycheck.profile import Limit, Profile, Requirement
from readycheck.wire.rtp import even_ports

_BY_PROBE = {"tcp": Via.TCP, "tls": Via.TLS}


def ladder(profile: Profile, roles: Collection[str]) -> tuple[Via, ...]:
    """UDP, and what the profile has its media fall back to."""
    found = {
        _BY_PROBE[r.probe] for r in _of_roles(profile, roles) if _is_fallback(r) and r.probe in _BY_PROBE
    }
    return (Via.UDP, *(via for via in (Via.TCP, Via.TLS) if via in found))


def proxied(profile: Profile, roles: Collection[str]) -> frozenset[Via]:
    """The ways that may lead through a proxy, as what the profile falls back to does."""
    found = [r for r in _of_roles(profile, roles) if _is_fallback(r) and may_use_proxy(r)]
    return frozenset(_BY_PROBE[r.probe] for r in found if r.probe in _BY_PROBE)


def mark(profile: Profile, roles: Collection[str]) -> tuple[int, range]:
    """The code point of audio, and the ports that it is sent from; none of both where the profile names none."""
    for _, code_point, ports in profile.marks(roles, "audio"):
        return code_point, even_ports(ports)
    return 0, range(0)


def limits(profile: Profile, roles: Collection[str]) -> Mapping[str, Limit]:
    """Those that the profile has for the quality of its audio."""
    for one in _of_roles(profile, roles):
        if one.probe == "stream" and one.params.get("traffic", "audio") == "audio" and not one.measured_with:
            return one.limits
    return {}


def _of_roles(profile: Profile, roles: Collection[str]) -> list[Requirement]:
    return [one for one in profile.requirements if set(one.roles) & set(roles)]


def _is_fallback(one: Requirement) -> bool:
    return one.area == "media reachability" and one.importance == "fallback" and one.transport == "tcp"
