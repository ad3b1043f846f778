"""What lives beside a host in the product's networks: it tells a blocked address from a blocked network. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from readycheck.diagnose.doors import Door, Flow, Key
from readycheck.evidence import Cell, Evidence, Sign
from readycheck.observation import Target
from readycheck.sampling import part_of


@dataclass(frozen=True)
class Home:
    """The sampled network that a host lives in, the quarter of it, and what was asked there at other addresses."""

    network: str
    part: int
    cells: tuple[Cell, ...]

    def open_beyond(self, hop: int) -> list[Cell]:
        """What answered, or left farther than `hop`."""
        return [
            c
            for c in self.cells
            if c.sign is Sign.ANSWERED or (c.sign is Sign.LEFT and (c.ttl or hop + 1) > hop)
        ]


def home_of(address: str, evidence: Evidence) -> Home | None:
    """The smallest sampled network around the address; None for a host that lives in none of them."""
    around = [n for n in {c.network for c in evidence.cells} if n and _holds(n, address)]
    if not around:
        return None
    network = max(around, key=lambda n: ip_network(n).prefixlen)
    part = part_of(address, network)
    cells = (c for transport in ("udp", "tcp") for c in evidence.row(transport, network))
    return Home(network, part, tuple(c for c in cells if c.part == part and c.address != address))


def _holds(network: str, address: str) -> bool:
    parsed = ip_network(network)
    return parsed.version == ip_address(address).version and ip_address(address) in parsed


def neighbour_of(door: Door, evidence: Evidence) -> Target | None:
    """The same port of an address beside a lost one; at best of an address that is reached on another port."""
    home = home_of(door.address, evidence)
    if home is None or any(_is_served(c, door) for c in home.open_beyond(0)):
        return None
    reached = [c.address for c in home.open_beyond(0)]
    address = next(iter((*reached, *(c.address for c in home.cells))), None)
    return Target(address=address, port=door.port, transport=door.transport) if address else None


def flows_beside(door: Door, home: Home, flows: Mapping[Key, Flow]) -> Iterator[tuple[str, Flow]]:
    """How far the packets to the same port of other addresses of the network came."""
    for (transport, address, port), flow in flows.items():
        if address != door.address and (transport, port) == door.service and _holds(home.network, address):
            yield address, flow


def is_reached(door: Door, hop: int, home: Home, flows: Mapping[Key, Flow]) -> bool:
    """The same port of a neighbour answers, or its packets come farther than `hop`."""
    if any(_is_served(c, door) for c in home.open_beyond(hop)):
        return True
    beside = (f for a, f in flows_beside(door, home, flows) if part_of(a, home.network) == home.part)
    return any(flow.fate in ("answered", "left") and flow.reached > hop for flow in beside)


def _is_served(cell: Cell, door: Door) -> bool:
    return (cell.transport, cell.port) == door.service
