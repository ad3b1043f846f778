"""The stand-in resolver's knowledge: the names of the world, and that there are no others."""

from collections.abc import Mapping
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from readycheck.twin.blueprint import Blueprint

_TTL = 300
_SOA = "a.resolver.twin. nobody.twin. 1 7200 900 1209600 60"
_MAX_UDP = 512


@dataclass(frozen=True, slots=True)
class Zone:
    """`addresses` by lower-case name without the final dot; `services` are the SRV records."""

    addresses: Mapping[str, str]
    services: Mapping[str, tuple[int, str]]
    filtered: frozenset[str]
    rewritten: str

    def answer(self, query: bytes, *, stream: bool = False) -> bytes | None:
        """The response to one message, cut to what the asker takes; None when it is not a query."""
        try:
            question = dns.message.from_wire(query)
            response = dns.message.make_response(question, recursion_available=True)
        except (dns.exception.DNSException, ValueError):
            return None
        if question.opcode() != dns.opcode.QUERY or len(question.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
        else:
            self._fill(response)
        return response.to_wire() if stream else _cut(response, question.payload or _MAX_UDP)

    def address(self, name: str) -> str | None:
        """The address of a lower-case name; None when it has none."""
        known = None if name in self.filtered else self.addresses.get(name)
        return known or (None if self._exists(name) else self.rewritten or None)

    def _fill(self, response: dns.message.Message) -> None:
        asked = response.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower()
        record = self._record(name, asked.rdtype)
        if record:
            kind, text = record
            response.answer.append(dns.rrset.from_text(asked.name, _TTL, "IN", kind, text))
            return
        if not self._exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if name not in self.filtered:  # a filter has no zone to speak for
            response.authority.append(dns.rrset.from_text(self._zone_of(name), _TTL, "IN", "SOA", _SOA))

    def _zone_of(self, name: str) -> dns.name.Name:
        """The domain of an owner of whom something is known; of others the root denies that they exist."""
        zone = ".".join(name.split(".")[-2:])
        return dns.name.from_text(zone) if self._exists(zone) else dns.name.root

    def _record(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[str, str] | None:
        if kind == dns.rdatatype.A:
            address = self.address(name)
            return ("A", address) if address else None
        if kind == dns.rdatatype.SRV and name in self.services:
            port, host = self.services[name]
            return "SRV", f"10 10 {port} {host}."
        return None

    def _exists(self, name: str) -> bool:
        """A name with names below it exists too, although it has no records of its own."""
        if name in self.filtered:
            return False
        known = name in self.addresses or name in self.services
        return known or any(other.endswith(f".{name}") for other in (*self.addresses, *self.services))


def make_zone(blueprint: Blueprint) -> Zone:
    """Names that start with an underscore are services: they lead to a SIP server among their neighbours."""
    port = blueprint.sip[-1] if blueprint.sip else 443
    hosts = {name: address for name, address in blueprint.addresses.items() if not name.startswith("_")}
    services = {
        name: (port, _neighbour(name, tuple(hosts))) for name in blueprint.addresses if name.startswith("_")
    }
    targets = {host: blueprint.addresses[name] for name, (_, host) in services.items() if host not in hosts}
    return Zone(hosts | targets, services, frozenset(blueprint.faults.filtered), blueprint.faults.rewritten)


def _neighbour(service: str, hosts: tuple[str, ...]) -> str:
    zone = service.split(".", 2)[-1]
    return next((host for host in hosts if host == zone or host.endswith(f".{zone}")), f"sip.{zone}")


def _cut(response: dns.message.Message, size: int) -> bytes:
    try:
        return response.to_wire(max_size=max(_MAX_UDP, size))
    except dns.exception.TooBig:
        response.answer.clear()
        response.authority.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()
