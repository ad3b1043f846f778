"""Addresses and ports in Cisco's spelling."""

from readycheck.firewall import cisco
from readycheck.notation import PortRange

from .sample import DNS, SIGNALLING, TIME, sheet


def test_addresses() -> None:
    texts = ["198.51.100.0/24", "203.0.113.7/32", "2001:db8::/32", "0.0.0.0/1"]
    assert list(cisco.four(texts)) == ["0.0.0.0 128.0.0.0", "198.51.100.0 255.255.255.0", "host 203.0.113.7"]
    assert cisco.six(texts) == ["2001:db8::/32"]


def test_everything() -> None:
    assert cisco.is_everything(["0.0.0.0/0"]) and cisco.is_everything(["::/0"])
    assert not cisco.is_everything(["0.0.0.0/1"])


def test_ports() -> None:
    assert cisco.operator(PortRange(low=53, high=53)) == "eq 53"
    assert cisco.operator(PortRange(low=53, high=60)) == "range 53 60"


def test_what_is_to_be_given_stands_in_angle_brackets() -> None:
    found = [rule for row in (SIGNALLING, DNS, TIME) for rule in sheet(row).rules]
    assert [list(cisco.unknown(rule)) for rule in found] == [[], ["<name-servers>"], ["<ntp-server>"]]
