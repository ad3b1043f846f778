"""Words about addresses."""

import pytest

from readycheck.net.address import family_of, is_address, is_site_address


@pytest.mark.parametrize("text", ["192.0.2.1", "::1", "2001:db8::1", "fe80::1%eth0", "::ffff:192.0.2.1"])
def test_an_address(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "example.com", "192.0.2", "192.0.2.1/24", "192.0.2.256", "192.0.2.01", "[::1]", "1", "\0", "::1 "],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.1.1",
        "127.0.0.1",
        "::1",
        "fd00::1",
        "fe80::1%eth0",
    ],
)
def test_an_address_of_the_site(address: str) -> None:
    assert is_site_address(address)


@pytest.mark.parametrize("address", ["100.64.0.1", "172.32.0.1", "198.18.0.1", "23.89.0.1", "2001:db8::1"])
def test_an_address_beyond_the_site(address: str) -> None:
    assert not is_site_address(address)


@pytest.mark.parametrize(("address", "family"), [("192.0.2.1", 4), ("::1", 6), ("fe80::1%eth0", 6)])
def test_the_family_of_an_address(address: str, family: int) -> None:
    assert family_of(address) == family
