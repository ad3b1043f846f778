"""The STUN codec against RFC 5769, aioice and hostile bytes."""

from contextlib import suppress

import aioice.stun
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.stun import (
    BINDING,
    MAGIC_COOKIE,
    MessageClass,
    StunMessage,
    pack_binding_error,
    pack_binding_request,
    pack_binding_success,
    pack_message,
    unpack_message,
)

TID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
SOFTWARE = "8022000b7465737420766563746f7220"
RFC5769_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RFC5769_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae" + SOFTWARE + "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC5769_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae" + SOFTWARE + "002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
V4 = ("192.0.2.1", 32853)
V6 = ("2001:db8:1234:5678:11:2233:4455:6677", 32853)

addresses = st.tuples(st.ip_addresses().map(str), st.integers(0, 0xFFFF))
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=127)
codes = st.integers(300, 699)
maybe_address = st.none() | addresses
messages = st.builds(
    StunMessage,
    st.sampled_from(MessageClass),
    st.integers(0, 0xFFF),
    st.binary(min_size=12, max_size=12),
    xor_mapped_address=maybe_address,
    mapped_address=maybe_address,
    other_address=maybe_address,
    response_origin=maybe_address,
    error_code=codes,
    error_reason=texts,
    software=texts,
    change_ip=st.booleans(),
    change_port=st.booleans(),
)
fuzz = settings(deadline=None, database=None, max_examples=300)


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds)))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)):
        data[at] = byte
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


def message_with(attributes: str, kind: str = "0101") -> bytes:
    body = bytes.fromhex(attributes)
    return bytes.fromhex(kind) + len(body).to_bytes(2, "big") + MAGIC_COOKIE.to_bytes(4, "big") + TID + body


def test_reads_the_rfc5769_request() -> None:
    message = unpack_message(RFC5769_REQUEST)
    assert message == StunMessage(
        MessageClass.REQUEST, BINDING, TID, software="STUN test client", unknown_attributes=(0x0024,)
    )


def test_what_a_server_has_to_understand_and_does_not_is_named() -> None:
    """ICE's PRIORITY (0x0024) is such; credentials and what may be passed over (0x8022 and above) are not."""
    error = pack_binding_error(TID, 420, "Unknown Attribute", unknown_attributes=(0x0024,))
    assert unpack_message(error).unknown_attributes == (0x0024,)
    assert aioice.stun.parse_message(error).attributes["ERROR-CODE"] == (420, "Unknown Attribute")


@pytest.mark.parametrize("size", [0, 1, 56, 1500])
def test_padding_makes_a_request_longer(size: int) -> None:
    request = pack_binding_request(TID, padding=size)
    assert len(request) == 24 + size + -size % 4
    assert unpack_message(request).padding == size


@pytest.mark.parametrize(("data", "mapped"), [(RFC5769_IPV4, V4), (RFC5769_IPV6, V6)])
def test_reads_the_rfc5769_responses(data: bytes, mapped: tuple[str, int]) -> None:
    message = unpack_message(data)
    assert message == StunMessage(
        MessageClass.SUCCESS, BINDING, TID, xor_mapped_address=mapped, software="test vector"
    )
    assert aioice.stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == mapped


def test_a_plain_request_is_only_a_header() -> None:
    assert pack_binding_request(TID) == bytes.fromhex("000100002112a442") + TID


@pytest.mark.parametrize(
    ("change_ip", "change_port", "flags"), [(True, True, 6), (True, False, 4), (False, True, 2)]
)
def test_change_request_flags(change_ip: bool, change_port: bool, flags: int) -> None:
    data = pack_binding_request(TID, change_ip=change_ip, change_port=change_port)
    assert data[20:] == bytes.fromhex("00030004") + flags.to_bytes(4, "big")
    message = unpack_message(data)
    assert (message.change_ip, message.change_port) == (change_ip, change_port)


@pytest.mark.parametrize("mapped", [V4, V6])
def test_success_as_aioice_reads_it(mapped: tuple[str, int]) -> None:
    data = pack_binding_success(TID, mapped, software="abc", other_address=V4, response_origin=V6)
    theirs = aioice.stun.parse_message(data)
    assert theirs.message_class == aioice.stun.Class.RESPONSE
    assert theirs.attributes["XOR-MAPPED-ADDRESS"] == theirs.attributes["MAPPED-ADDRESS"] == mapped
    assert theirs.attributes["OTHER-ADDRESS"] == V4
    assert theirs.attributes["RESPONSE-ORIGIN"] == V6
    assert theirs.attributes["SOFTWARE"] == "abc"


def test_error_as_aioice_reads_it() -> None:
    theirs = aioice.stun.parse_message(pack_binding_error(TID, 438, "Stale Nonce"))
    assert theirs.message_class == aioice.stun.Class.ERROR
    assert theirs.attributes["ERROR-CODE"] == (438, "Stale Nonce")


@given(mapped=addresses, software=texts, method=st.sampled_from(aioice.stun.Method))
@settings(deadline=None, database=None)
def test_reads_what_aioice_packs(mapped: tuple[str, int], software: str, method: aioice.stun.Method) -> None:
    theirs = aioice.stun.Message(method, aioice.stun.Class.RESPONSE, transaction_id=TID)
    theirs.attributes["XOR-MAPPED-ADDRESS"] = mapped
    theirs.attributes["SOFTWARE"] = software
    theirs.add_fingerprint()
    assert unpack_message(bytes(theirs)) == StunMessage(
        MessageClass.SUCCESS, method, TID, xor_mapped_address=mapped, software=software
    )


@given(message=messages)
@fuzz
def test_round_trip(message: StunMessage) -> None:
    assert unpack_message(pack_message(message)) == message


def test_the_first_of_repeated_attributes_counts() -> None:
    assert unpack_message(message_with("80220001610000008022000162000000")).software == "a"


def test_attributes_after_the_integrity_check_do_not_count() -> None:
    data = message_with("00080014" + "00" * 20 + "8022000161000000")
    assert unpack_message(data).software == ""


def test_unknown_attributes_are_ignored() -> None:
    assert unpack_message(message_with("7fff0001610000008022000161000000")).software == "a"


def test_text_is_replaced_trimmed_and_bounded() -> None:
    assert unpack_message(message_with("8022000461ff6200")).software == "a\ufffdb"
    assert unpack_message(message_with("80220200" + "61" * 512)).software == "a" * 127


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "of 0 bytes is shorter than its 20-byte header"),
        (b"\x80" + RFC5769_IPV4[1:], "not STUN: the top two bits are set"),
        (RFC5769_IPV4[:4] + bytes(4) + RFC5769_IPV4[8:], "the magic cookie is 0x00000000"),
        (RFC5769_IPV4[:3] + b"\x3d" + RFC5769_IPV4[4:], "length 61 is not a multiple of 4"),
        (RFC5769_IPV4[:-4], "length 60 differs from the 56 bytes present"),
        (message_with("8022000561626364"), "attribute 0x8022 of 5 bytes overruns the message"),
        (message_with("0001000300010000"), "address of 3 bytes is shorter than 4"),
        (message_with("000100080003000101020304"), "address family 3 is neither 1 nor 2"),
        (message_with("000100080002000101020304"), "address of family 2 has 4 bytes"),
        (message_with("0020001800020001" + "00" * 20), "address of family 2 has 20 bytes"),
        (message_with("00090000"), "error code of 0 bytes is shorter than 4"),
        (message_with("0009000400000264"), "error class 2 and number 100 are outside 300..699"),
        (message_with("0003000200000000"), "change request of 2 bytes is not 4"),
        (message_with("0027000300000000"), "response port of 3 bytes is neither 2 nor 4"),
    ],
)
def test_bad_bytes_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_message(data)


@pytest.mark.parametrize("text", ["0027000413880000", "0027000213880000"])
def test_a_response_port_with_and_without_its_padding(text: str) -> None:
    assert unpack_message(message_with(text)).response_port == 5000
    packed = pack_binding_request(TID, response_port=5000)
    assert packed[20:] == bytes.fromhex("0027000413880000")
    assert unpack_message(packed).response_port == 5000


def test_what_does_not_fit_is_not_packed() -> None:
    with pytest.raises(ValueError, match="transaction id of 3 bytes is not 12"):
        pack_binding_request(b"abc")
    with pytest.raises(ValueError, match="method 4096 is outside"):
        pack_message(StunMessage(MessageClass.REQUEST, 4096, TID))
    with pytest.raises(ValueError, match="text of 128 characters is longer than 127"):
        pack_binding_request(TID, software="a" * 128)
    with pytest.raises(ValueError, match="port 65536 is outside"):
        pack_binding_success(TID, ("192.0.2.1", 65536))
    with pytest.raises(ValueError, match="port 65536 is outside"):
        pack_binding_request(TID, response_port=65536)
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        pack_binding_success(TID, ("example.com", 1))
    with pytest.raises(ValueError, match="error code 0 is outside"):
        pack_binding_error(TID, 0, "")


@given(data=st.binary(max_size=200) | mutated((RFC5769_REQUEST, RFC5769_IPV4, RFC5769_IPV6)))
@fuzz
def test_only_value_error_leaves(data: bytes) -> None:
    with suppress(ValueError):
        unpack_message(data)


@given(body=st.binary(max_size=100))
@fuzz
def test_only_value_error_leaves_the_attributes(body: bytes) -> None:
    with suppress(ValueError):
        unpack_message(message_with((body + bytes(-len(body) % 4)).hex()))
