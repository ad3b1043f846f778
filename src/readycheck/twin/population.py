"""Which addresses of the stand-in cloud are alive, and where its names live: pure and by seed."""

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence

ELSEWHERE = "192.88.99.0/24"
"""Names that are not the vendor's: a range that is public by the books and nobody's since RFC 7526."""

_MASK = (1 << 64) - 1


def alive(address: str | int, seed: int, ratio: float) -> bool:
    """Whether a sampled address answers: one in each aligned block of 1/`ratio` addresses does."""
    if ratio <= 0:
        return False
    number = address if isinstance(address, int) else int(ipaddress.IPv4Address(address))
    size = _block(ratio)
    return number % size == _mix(seed, number // size) % size


def living(network: str, seed: int, ratio: float) -> Iterator[str]:
    """The addresses of a network that are alive; all of it when it is one address, for that was named."""
    block = ipaddress.ip_network(network)
    if block.version != 4:
        return
    if block.num_addresses == 1:
        yield str(block.network_address)
    elif ratio > 0:
        yield from _living(int(block.network_address), int(block.broadcast_address), seed, ratio)


def _living(first: int, last: int, seed: int, ratio: float) -> Iterator[str]:
    size = _block(ratio)
    for block in range(first // size, last // size + 1):
        number = block * size + _mix(seed, block) % size
        if first <= number <= last:
            yield _dotted(number)


def place(names: Mapping[str, Sequence[str]], seed: int) -> dict[str, str]:
    """An address for each name, in one of the networks given for it, or elsewhere when there are none."""
    strangers = [name for name, networks in names.items() if not _ipv4(networks)]
    pool = ipaddress.IPv4Network(ELSEWHERE)
    placed = {
        name: _dotted(int(pool.network_address) + 1 + index % (pool.num_addresses - 2))
        for index, name in enumerate(strangers)
    }
    return placed | {name: _node(name, _ipv4(n), seed) for name, n in names.items() if _ipv4(n)}


def _ipv4(networks: Sequence[str]) -> list[ipaddress.IPv4Network]:
    return [n for n in map(ipaddress.ip_network, networks) if isinstance(n, ipaddress.IPv4Network)]


def _node(name: str, networks: Sequence[ipaddress.IPv4Network], seed: int) -> str:
    digest = int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")
    network = networks[digest % len(networks)]
    room = max(1, network.num_addresses - 2)
    edge = 1 if network.num_addresses > 2 else 0
    return _dotted(int(network.network_address) + edge + (digest >> 16) % room)


def _block(ratio: float) -> int:
    return max(1, round(1 / ratio))


def _mix(seed: int, value: int) -> int:
    """SplitMix64: fast, and even over consecutive values."""
    state = (value + 1 + seed * 0x9E3779B97F4A7C15) * 0x9E3779B97F4A7C15 & _MASK
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
    return state ^ state >> 31


def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
