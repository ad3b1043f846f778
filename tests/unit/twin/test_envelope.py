"""The ten bytes that name an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.twin.envelope import SIZE, pack_endpoint, unpack_endpoint


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.binary())
def test_there_and_back(address: object, port: int, rest: bytes) -> None:
    packed = pack_endpoint((str(address), port))
    assert len(packed) == SIZE
    assert unpack_endpoint(packed + rest) == (str(address), port)


@pytest.mark.parametrize("data", [b"", b"rct1", b"nope\x7f\0\0\1\0\1", b"rct1\x7f\0\0\1\0"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no endpoint precedes"):
        unpack_endpoint(data)
