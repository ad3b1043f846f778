"""The values that pass through the seam to the network."""

import pytest

from readycheck.failure import Failure
from readycheck.net.interface import NetError, Network, TlsSettings
from readycheck.testing import FakeNetwork


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NetError(Failure.TIMED_OUT), "timed_out"),
        (NetError(Failure.TIMED_OUT, "no answer"), "timed_out: no answer"),
    ],
)
def test_an_error_in_words(error: NetError, text: str) -> None:
    assert str(error) == text


def test_what_was_learned_is_the_errors_own() -> None:
    facts = {"offender": "192.0.2.1"}
    error = NetError(Failure.HOP_LIMIT_EXCEEDED, facts=facts)
    error.facts["more"] = 1
    assert facts == {"offender": "192.0.2.1"}
    assert NetError(Failure.TIMED_OUT).facts == {}


def test_without_being_told_a_handshake_verifies_and_is_current() -> None:
    settings = TlsSettings()
    assert (settings.verify, settings.minimum, settings.maximum) == (True, "1.2", "1.3")
    assert settings.server_name is None


def test_the_fake_is_a_network() -> None:
    network: Network = FakeNetwork()
    assert network.resolvers() is not None
