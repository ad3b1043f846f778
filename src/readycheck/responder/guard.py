"""Who may have what: proof of the source address, rates of sources, and the rates of all. Pure; time is an argument."""

import hashlib
import hmac
import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from readycheck.net.interface import Endpoint

_COOKIE_S = 30.0
_MOST_SOURCES = 20_000
_KNOWN_S = 600.0


@dataclass(frozen=True, slots=True)
class Cookies:
    """Proof of a source address without memory: only who receives at it can send the cookie back."""

    secret: bytes

    def make(self, source: Endpoint, now_s: float) -> str:
        return self._of(source, int(now_s // _COOKIE_S))

    def holds(self, cookie: str, source: Endpoint, now_s: float) -> bool:
        """Whether it was made for this source, half a minute to a minute ago at most."""
        epoch = int(now_s // _COOKIE_S)
        return any(hmac.compare_digest(cookie, self._of(source, e)) for e in (epoch, epoch - 1))

    def _of(self, source: Endpoint, epoch: int) -> str:
        text = f"{source[0]} {source[1]} {epoch}".encode()
        return hmac.digest(self.secret, text, hashlib.sha256)[:16].hex()


@dataclass(slots=True)
class Bucket:
    """`rate` tokens a second, `burst` at most."""

    rate: float
    burst: float
    level: float = field(default=-1.0)
    at_s: float = 0.0

    def takes(self, now_s: float, cost: float = 1.0) -> bool:
        """Take so many if they are there; a clock that jumps back fills nothing."""
        if self.level < 0:
            self.level, self.at_s = self.burst, now_s
        self.level = min(self.burst, self.level + self.rate * max(0.0, now_s - self.at_s))
        self.at_s = now_s
        if self.level < cost:
            return False
        self.level -= cost
        return True


class Sources:
    """A bucket for each source network and one for all; the longest unheard source is forgotten first."""

    def __init__(self, rate: float, burst: float, overall: float, most: int = _MOST_SOURCES) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._all = Bucket(overall, overall)
        self._each: OrderedDict[str, Bucket] = OrderedDict()

    def allows(self, address: str, now_s: float, cost: float = 1.0) -> bool:
        key = network_of(address)
        bucket = self._each.pop(key, None) or Bucket(self._rate, self._burst)
        self._each[key] = bucket
        if len(self._each) > self._most:
            self._each.popitem(last=False)
        return bucket.takes(now_s, cost) and self._all.takes(now_s, cost)

    def __len__(self) -> int:
        return len(self._each)


class Known:
    """Addresses that have proved themselves of late; several threads ask."""

    def __init__(self, most: int = _MOST_SOURCES) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def note(self, address: str, now_s: float) -> None:
        with self._lock:
            self._until.pop(address, None)
            self._until[address] = now_s + _KNOWN_S
            if len(self._until) > self._most:
                self._until.popitem(last=False)

    def holds(self, address: str, now_s: float) -> bool:
        with self._lock:
            return self._until.get(address, now_s) > now_s


class Doors:
    """So many connections at once, of all and of each source network."""

    def __init__(self, overall: int = 512, each: int = 32) -> None:
        self.overall, self._each = overall, each
        self._inside: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        key = network_of(address)
        if len(self) >= self.overall or self._inside.get(key, 0) >= self._each:
            return False
        self._inside[key] += 1
        return True

    def leave(self, address: str) -> None:
        key = network_of(address)
        self._inside[key] -= 1
        if not self._inside[key]:
            del self._inside[key]

    def __len__(self) -> int:
        return self._inside.total()


def network_of(address: str) -> str:
    """What one subscriber holds: an IPv4 address, or an IPv6 network of 64 bits."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
