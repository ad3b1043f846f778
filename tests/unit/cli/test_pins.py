"""`pin learn`: why a network is doubted. What this host trusts besides is no part of it: an inspector's root may be."""

from readycheck.cli import pins
from readycheck.pins import Learned


def test_other_pins_are_told_before_other_authorities() -> None:
    told = pins._doubt(Learned({}, ("a:443",), ("b:443", "c:443")))
    assert told.startswith("nothing learned: 1 servers do not show the pins in force, first a:443;")
    assert "--trust-roots" not in told


def test_a_chain_that_does_not_verify_may_be_the_vendors_own() -> None:
    told = pins._doubt(Learned({}, (), ("b:443", "c:443")))
    assert told.startswith("nothing learned: 2 servers show chains that do not verify, first b:443;")
    assert "--trust-roots FILE" in told
    assert "this host" not in told
