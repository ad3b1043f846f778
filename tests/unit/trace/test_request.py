import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck_trace.request import MAX_BYTES, MAX_PROBES, Request, TraceError, parse

PROBE = {"id": "a", "transport": "udp", "address": "192.0.2.1", "port": 5004, "ttl": 3}


def request(*, timeout_ms: object = 500, interval_ms: object = 5, **probe: object) -> bytes:
    told = {"probes": [{**PROBE, **probe}], "timeout_ms": timeout_ms, "interval_ms": interval_ms}
    return json.dumps(told).encode()


def test_a_request_is_read() -> None:
    read = parse(request(address="2001:db8::1", source_port=40000, tos=184))
    assert (read.timeout_ms, read.interval_ms) == (500.0, 5.0)
    probe = read.probes[0]
    assert (str(probe.address), probe.port, probe.ttl) == ("2001:db8::1", 5004, 3)
    assert (probe.source_port, probe.tos) == (40000, 184)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b" " * (MAX_BYTES + 1), "longer than 65536 bytes"),
        (b"[]", "the request: an object is wanted"),
        (b"{}", "the request: the key 'interval_ms' is missing"),
        (b'{"surprise": 1}', "the request: unknown key 'surprise'"),
        (b'{"probes": [], "timeout_ms": 1, "interval_ms": 0}', "probes: a list of 1 to 512 is wanted"),
        (b'{"probes": ["a"], "timeout_ms": 1, "interval_ms": 0}', "probes[0]: an object is wanted"),
        (request(timeout_ms=0), "timeout_ms: a number from 1 to 30000 is wanted"),
        (request(timeout_ms=True), "timeout_ms: a number from 1 to 30000 is wanted"),
        (request(timeout_ms=float("nan")), "timeout_ms: a number from 1 to 30000 is wanted"),
        (request(interval_ms="5"), "interval_ms: a number from 0 to 1000 is wanted"),
        (request(colour="red"), "probes[0]: unknown key 'colour'"),
        (request(id=""), "probes[0].id: a text of 1 to 64 characters is wanted"),
        (request(transport="icmp"), "probes[0].transport: udp or tcp is wanted"),
        (request(address="example.com"), "probes[0].address: an IPv4 or IPv6 address is wanted"),
        (request(address="192.0.2.1; true"), "probes[0].address: an IPv4 or IPv6 address is wanted"),
        (request(address=3221225985), "probes[0].address: an IPv4 or IPv6 address is wanted"),
        (request(address="fe80::1%eth0"), "probes[0].address: an IPv4 or IPv6 address is wanted"),
        (request(address="224.0.0.1"), "probes[0].address: 224.0.0.1 is not the address of one host"),
        (request(address="255.255.255.255"), "is not the address of one host"),
        (request(port=70000), "probes[0].port: a whole number from 1 to 65535 is wanted"),
        (request(port=5004.0), "probes[0].port: a whole number from 1 to 65535 is wanted"),
        (request(ttl=0), "probes[0].ttl: a whole number from 1 to 255 is wanted"),
        (request(source_port=-1), "probes[0].source_port: a whole number from 0 to 65535 is wanted"),
        (request(tos=256), "probes[0].tos: a whole number from 0 to 255 is wanted"),
    ],
)
def test_a_bad_request_names_the_place(data: bytes, message: str) -> None:
    with pytest.raises(TraceError) as raised:
        parse(data)
    assert raised.value.code == "request"
    assert message in str(raised.value)


def many(number: int, interval_ms: int, name: str = "p{}") -> bytes:
    probes = [{**PROBE, "id": name.format(index)} for index in range(number)]
    return json.dumps({"probes": probes, "timeout_ms": 1, "interval_ms": interval_ms}).encode()


def test_a_request_is_bounded() -> None:
    assert len(parse(many(MAX_PROBES, 1)).probes) == MAX_PROBES
    for data, message in (
        (many(MAX_PROBES + 1, 1), "a list of 1 to 512"),
        (many(200, 1000), "sending would take longer"),
        (many(2, 1, "same"), "an id occurs twice"),
    ):
        with pytest.raises(TraceError, match=message):
            parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(PROBE)), inner),
    max_leaves=12,
)


@given(probes=JSON, timeout_ms=JSON)
def test_anything_is_read_or_refused(probes: Any, timeout_ms: Any) -> None:
    data = json.dumps({"probes": probes, "timeout_ms": timeout_ms, "interval_ms": 0}).encode()
    try:
        assert isinstance(parse(data), Request)
    except TraceError as error:
        assert error.code == "request"
