"""The rule for names of several domains that a name server leads to one place, where the vendor is not. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network

from readycheck.denials import Said, said
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, shown
from readycheck.diagnose.inspection import chain_of, issuer_of
from readycheck.diagnose.server_names import zone
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address
from readycheck.observation import Observation
from readycheck.plan import Scope

_HOSTS, _ZONES = 3, 2
_HOSTS_OF_NOBODY, _ZONES_OF_NOBODY = 5, 3
_UNSIGNED = (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_NAME_MISMATCH, Failure.CERTIFICATE_EXPIRED)


@dataclass(frozen=True)
class _Sinkhole:
    """Where a server leads names alike: what was tried there, and the greetings that were answered elsewhere."""

    server: str
    addresses: tuple[str, ...]
    told: tuple[Said, ...]
    called: tuple[Observation, ...]
    elsewhere: tuple[tuple[str, Observation], ...]

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.host for one in self.told))

    @cached_property
    def zones(self) -> set[str]:
        return set(map(zone, self.hosts))

    @cached_property
    def greeted(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.called if o.step is Step.TLS_HANDSHAKE)

    @cached_property
    def spared(self) -> tuple[str, ...]:
        """Checks in which another host answered greetings with these names: nothing on the way minds them."""
        return tuple(
            check
            for check, o in self.elsewhere
            if o.facts.get("variant") == "elsewhere" and o.facts.get("asked") in self.hosts
        )

    @property
    def is_sure(self) -> bool:
        """A certificate that the public vouches for may be that of a front where the vendor has left his names."""
        return bool(self.spared) and {o.failure for o in self.greeted} == {Failure.CERTIFICATE_UNTRUSTED}

    @property
    def page(self) -> str:
        """Who shows one certificate for all of these names, and owns none of them; empty when that is not sure.

        A box on the way may show one for all that it blocks, wherever the names lead.
        """
        leaves, around = set(map(_leaf, self.greeted)), {_leaf(o) for _, o in self.elsewhere}
        if len(leaves) != 1 or leaves & {"", *around} or not _are_nobodys(self.greeted):
            return ""
        subject = chain_of(self.greeted[0])[0].get("subject")
        return f"One certificate answers there for all of them, and is made for none ({subject})"

    @property
    def signer(self) -> str:
        """Who signs for all of these names, and nowhere else: a filter, or a vendor with an authority of his own."""
        issuers, around = set(map(issuer_of, self.greeted)), {issuer_of(o) for _, o in self.elsewhere}
        if not self.is_sure or len(issuers) != 1 or issuers & {"", *around}:
            return ""
        return f"Who answers there signs for all of them, by an authority that no list has ({next(iter(issuers))})"

    @property
    def nobody(self) -> str:
        """That no connection stands is less: a vendor's one front may be down, of names in few domains."""
        many = len(self.hosts) >= _HOSTS_OF_NOBODY and len(self.zones) >= _ZONES_OF_NOBODY
        if many and self.called and all(o.step is Step.CONNECT and o.failure for o in self.called):
            return "No connection to it stands, as where a filter leads names astray, or where one host of all is down"
        return ""


def led_to_one_place(case: Case) -> Iterator[Finding]:
    """An address in none of the product's networks is given for its names in several domains, and is no good to any.

    That a vendor has many names at one address shows nothing.
    """
    failing = {check.check for _, check in case.failing}
    for sinkhole in _sinkholes(case):
        if not (met := sinkhole.page or sinkhole.signer or sinkhole.nobody):
            continue
        passes = " Another host that is greeted with these names answers." if sinkhole.spared else ""
        yield case.finding(
            "dns-filter",
            [*(one.check for one in sinkhole.told if one.check in failing), *sinkhole.spared],
            f"{sinkhole.server} gives {', '.join(sinkhole.addresses)}, in no network of the product, as the address "
            f"of names in {len(sinkhole.zones)} domains ({shown(sinkhole.hosts)}). "
            f"{met}.{passes}",
            owner=Owner.DNS,
            confidence=Confidence.LIKELY if sinkhole.page and sinkhole.is_sure else Confidence.POSSIBLE,
            remedy="Ask another name server for these names. If it says other, take the product's domains, with all "
            "names beneath them, off the block list of the first, or of the service that it forwards to.",
        )


def _sinkholes(case: Case) -> Iterator[_Sinkhole]:
    """Of servers that lead other names to other places."""
    asked = {o.check.id: o.check for o in case.outcomes if o.check.scope is not Scope.FOLLOW_UP}
    led: dict[tuple[str, tuple[str, ...]], list[Said]] = {}
    for one in said(case.outcomes):
        if one.check in asked and one.is_public and is_address(one.server):
            led.setdefault((one.server, one.addresses), []).append(one)
    for (server, addresses), told in led.items():
        hosts = {one.host for one in told}
        many = len(hosts) >= _HOSTS and len(set(map(zone, hosts))) >= _ZONES
        others = any(to != addresses for who, to in led if who == server)
        foreign = any(asked[one.check].scope is Scope.CONTROL for one in told)
        if many and others and not foreign and not _are_of_product(case, addresses):
            called, elsewhere = _called(case, addresses, told), _greeted_elsewhere(case, addresses)
            yield _Sinkhole(server, addresses, tuple(told), called, elsewhere)


def _called(case: Case, addresses: tuple[str, ...], told: Sequence[Said]) -> tuple[Observation, ...]:
    """What the checks of these names tried there; follow-ups look at no signature."""
    checks = {one.check for one in told}
    return tuple(
        o
        for outcome, o in case.observations()
        if outcome.check.id in checks and o.target.address in addresses and not o.target.via
    )


def _greeted_elsewhere(case: Case, addresses: tuple[str, ...]) -> tuple[tuple[str, Observation], ...]:
    return tuple(
        (outcome.check.id, o)
        for outcome, o in case.observations()
        if o.step is Step.TLS_HANDSHAKE and o.target.address not in addresses and chain_of(o)
    )


def _are_nobodys(greeted: tuple[Observation, ...]) -> bool:
    """Certificates, none of which is for the name that was asked for."""
    return all(
        o.failure in _UNSIGNED and bool(chain_of(o)) and o.facts["tls"].get("name_matches") is False
        for o in greeted
    )


def _leaf(observation: Observation) -> str:
    chain = chain_of(observation)
    return str(chain[0].get("spki_sha256") or "") if chain else ""


def _are_of_product(case: Case, addresses: tuple[str, ...]) -> bool:
    networks = [ip_network(n) for group in case.profile.networks.values() for n in group.networks]
    return any(ip_address(address) in network for address in addresses for network in networks)
