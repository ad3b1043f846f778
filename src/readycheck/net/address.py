"""Words about addresses."""

import ipaddress
from functools import lru_cache

_SITE = tuple(
    ipaddress.ip_network(n)
    for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
_CARRIER = ipaddress.ip_network("100.64.0.0/10")


# A run reads the same few hundred addresses thousands of times.
_parsed = lru_cache(maxsize=4096)(ipaddress.ip_address)


def is_address(text: str) -> bool:
    try:
        _parsed(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    """Whether it is an address, or a network without host bits; a zone is of one host only, and may hold anything."""
    if "%" in text:
        return False
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_site_address(address: str) -> bool:
    """Private, loopback or link-local (RFC 1918, RFC 4193); carrier NAT space is the ISP's (RFC 6598)."""
    parsed = _parsed(address)
    return parsed.is_loopback or any(parsed.version == net.version and parsed in net for net in _SITE)


def is_carrier_address(address: str) -> bool:
    """Of the space that providers translate from (RFC 6598)."""
    parsed = _parsed(address)
    return parsed.version == 4 and parsed in _CARRIER


def family_of(address: str) -> int:
    return _parsed(address).version
