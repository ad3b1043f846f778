"""The stand-in resolver."""

from dataclasses import replace

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.twin.blueprint import Faults
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw
from readycheck.twin.zone import Zone, make_zone


@pytest.fixture(scope="module")
def zone(offer: Offer) -> Zone:
    return make_zone(draw(offer, SCENARIOS["none"], seed=1, ratio=0.02))


def ask(zone: Zone, name: str, kind: str = "A", *, stream: bool = False) -> dns.message.Message:
    answer = zone.answer(dns.message.make_query(name, kind).to_wire(), stream=stream)
    assert answer is not None
    return dns.message.from_wire(answer)


def test_a_name_has_its_address(zone: Zone) -> None:
    response = ask(zone, "Web.Vendor.EXAMPLE")
    assert response.rcode() == dns.rcode.NOERROR and response.flags & dns.flags.RA
    assert [record.address for record in response.answer[0]] == [zone.addresses["web.vendor.example"]]


@pytest.mark.parametrize("name", ["nobody.vendor.example", "example.org"])
def test_any_other_name_does_not_exist(zone: Zone, name: str) -> None:
    response = ask(zone, name)
    assert response.rcode() == dns.rcode.NXDOMAIN and not response.answer and response.authority


@pytest.mark.parametrize(("name", "kind"), [("web.vendor.example", "AAAA"), ("vendor.example", "A")])
def test_a_name_without_such_a_record_exists(zone: Zone, name: str, kind: str) -> None:
    response = ask(zone, name, kind)
    assert response.rcode() == dns.rcode.NOERROR and not response.answer


def test_a_service_leads_to_a_sip_server_among_its_neighbours(zone: Zone) -> None:
    record = ask(zone, "_sips._tcp.vendor.example", "SRV").answer[0][0]
    target = record.target.to_text(omit_final_dot=True)
    assert record.port == 8934 and target.endswith("vendor.example")
    assert ask(zone, target).answer


def test_what_does_not_fit_a_datagram_is_cut(zone: Zone) -> None:
    long = Zone({"a.example": "192.0.2.1"}, {}, frozenset(), "")
    query = dns.message.make_query("a.example", "A", use_edns=0, payload=1232)
    assert dns.message.from_wire(long.answer(query.to_wire()) or b"").edns == 0


def test_hijacking_gives_an_address_to_names_that_do_not_exist(offer: Offer) -> None:
    hijacked = replace(SCENARIOS["none"], faults=lambda _: Faults(rewritten="192.88.99.254"))
    zone = make_zone(draw(offer, hijacked, seed=1, ratio=0.02))
    assert ask(zone, "nobody.example.org").answer
    assert ask(zone, "web.vendor.example").answer[0][0].address == zone.addresses["web.vendor.example"]
    assert not ask(zone, "vendor.example").answer


def test_a_denial_says_in_whose_zone(zone: Zone) -> None:
    owners = {
        name: ask(zone, name).authority[0].name.to_text()
        for name in ("no.vendor.example", "no.example.net", "no.where.test")
    }
    assert owners == {
        "no.vendor.example": "vendor.example.",
        "no.example.net": "example.net.",
        "no.where.test": ".",
    }


def test_what_is_hijacked_need_not_be_unknown(offer: Offer) -> None:
    zone = make_zone(draw(offer, SCENARIOS["dns-hijack"], seed=1, ratio=0.02))
    given = {ask(zone, name).answer[0][0].address for name in ("web.vendor.example", "nobody.example.org")}
    assert len(given) == 1 and given != {zone.addresses["web.vendor.example"]}
    assert ask(zone, "control.example.net").answer[0][0].address == zone.addresses["control.example.net"]


def test_filtering_hides_the_vendors_names(offer: Offer) -> None:
    zone = make_zone(draw(offer, SCENARIOS["dns-filter"], seed=1, ratio=0.02))
    denial = ask(zone, "web.vendor.example")
    assert (denial.rcode(), denial.authority) == (dns.rcode.NXDOMAIN, [])
    assert ask(zone, "control.example.net").answer


def test_other_operations_are_not_implemented(zone: Zone) -> None:
    query = dns.message.make_query("web.vendor.example", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(zone.answer(query.to_wire()) or b"").rcode() == dns.rcode.NOTIMP


@given(st.binary(max_size=80))
def test_rubbish_is_no_crash(data: bytes) -> None:
    zone = Zone({"a.example": "192.0.2.1"}, {}, frozenset(), "")
    zone.answer(data)
    zone.answer(data, stream=True)
