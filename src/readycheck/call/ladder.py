"""The ways that a product's media may take, best first. Pure."""

from collections.abc import Collection, Mapping

from readycheck.call.stage import Via
from readycheck.profile import Limit, Profile, Requirement

_BY_PROBE = {"tcp": Via.TCP, "tls": Via.TLS}


def ladder(profile: Profile, roles: Collection[str]) -> tuple[Via, ...]:
    """UDP, and what the profile has its media fall back to."""
    found = {
        _BY_PROBE[r.probe] for r in _of_roles(profile, roles) if _is_fallback(r) and r.probe in _BY_PROBE
    }
    return (Via.UDP, *(via for via in (Via.TCP, Via.TLS) if via in found))


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
