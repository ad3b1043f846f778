"""What the stand-in servers answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.twin.blueprint import RESOLVER
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw
from readycheck.twin.services import Services
from readycheck.twin.topology import ECHO_PORT
from readycheck.twin.zone import make_zone
from readycheck.wire import ntp, sip, stun, tftp

SOURCE = ("198.51.100.10", 40000)
NOW = 1_800_000_000.0
BINDING = stun.pack_binding_request(bytes(range(12)))
RTP = b"\x80\x00" + bytes(20)


def services(offer: Offer, scenario: str = "none") -> Services:
    blueprint = draw(offer, SCENARIOS[scenario], seed=1, ratio=0.02)
    return Services(blueprint, make_zone(blueprint))


@pytest.mark.parametrize(("scenario", "told"), [("none", False), ("quic", True), ("quic-blocked", True)])
def test_who_speaks_quic_says_so_over_tls(offer: Offer, scenario: str, told: bool) -> None:
    asked = b"HEAD / HTTP/1.1\r\n\r\n"
    page = services(offer, scenario).page(asked, secure=True, asked=("23.89.0.1", 443))
    assert (b'\r\nAlt-Svc: h3=":443"' in page) is told
    assert b"Alt-Svc" not in services(offer, scenario).page(asked, secure=False, asked=("23.89.0.1", 80))


@pytest.mark.parametrize("port", [5004, 3478, 20000])
def test_a_binding_request_is_told_where_it_came_from(offer: Offer, port: int) -> None:
    reply = services(offer).datagram(BINDING, SOURCE, ("23.89.0.1", port), NOW)
    assert reply is not None and stun.unpack_message(reply).xor_mapped_address == SOURCE


@pytest.mark.parametrize(("port", "echoed"), [(19560, True), (65535, True), (ECHO_PORT, True), (5004, False)])
def test_media_ports_echo(offer: Offer, port: int, echoed: bool) -> None:
    assert services(offer).datagram(RTP, SOURCE, ("23.89.0.1", port), NOW) == (RTP if echoed else None)


def test_the_time(offer: Offer) -> None:
    request = ntp.pack_request(NOW)
    for scenario, skew in (("none", 0), ("clock-skew", 3600)):
        reply = services(offer, scenario).datagram(request, SOURCE, ("23.89.0.1", 123), NOW)
        assert reply is not None
        assert ntp.unpack_reply(reply).transmit == pytest.approx(NOW + skew)


def test_any_file_is_one_block_and_nothing_else_is_answered(offer: Offer) -> None:
    asked = ("23.89.0.1", 69)
    reply = services(offer).datagram(tftp.pack_read_request("SEP01.cnf.xml"), SOURCE, asked, NOW)
    assert reply is not None and tftp.unpack_answer(reply) == tftp.Data(1, b"readycheck twin\n")
    for other in (b"\0\2file\0octet\0", b"\0\4\0\1", tftp.pack_error(0, "enough"), b""):
        assert services(offer).datagram(other, SOURCE, asked, NOW) is None


@pytest.mark.parametrize(
    ("header", "secure", "port", "granted"),
    [
        (b"Upgrade: websocket", True, 443, True),
        (b"UPGRADE:WebSocket ", False, 80, True),
        (b"Upgrade: websocket", False, 443, False),
        (b"Upgrade: h2c", False, 80, False),
        (b"X-Upgrade: websocket", False, 80, False),
        (b"X: y", False, 80, False),
    ],
)
def test_who_may_switch_to_websocket(
    offer: Offer, header: bytes, secure: bool, port: int, granted: bool
) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n"
    assert services(offer).switches(request, secure=secure, asked=("23.89.0.1", port)) is granted


def test_only_the_resolver_answers_about_names(offer: Offer) -> None:
    query = bytes.fromhex("000101000001000000000000016107") + b"example\0\0\1\0\1"
    assert services(offer).datagram(query, SOURCE, (RESOLVER, 53), NOW) is not None
    assert services(offer).datagram(query, SOURCE, ("23.89.0.1", 53), NOW) is None


def options() -> bytes:
    return sip.pack_options(
        uri="sips:23.89.0.1", via_transport="TLS", local=SOURCE, branch="z9hG4bKa", call_id="a@b", tag="t"
    )


def test_options_are_answered_unless_the_servers_are_silent(offer: Offer) -> None:
    reply = services(offer).message(options())
    assert reply is not None and sip.unpack_response(reply).status == 200
    assert services(offer, "sip-silent").message(options()) is None


@pytest.mark.parametrize("port", [5060, 20000])
def test_options_over_udp_are_told_where_they_came_from(offer: Offer, port: int) -> None:
    request = options().replace(b"SIP/2.0/TLS", b"SIP/2.0/UDP")
    reply = services(offer).datagram(request, SOURCE, ("23.89.0.1", port), NOW)
    assert reply is not None
    via = sip.unpack_response(reply).header("Via") or ""
    assert (sip.parameter(via, "received"), sip.parameter(via, "rport")) == (SOURCE[0], str(SOURCE[1]))
    assert services(offer, "sip-silent").datagram(request, SOURCE, ("23.89.0.1", port), NOW) is None


def test_calls_are_refused(offer: Offer) -> None:
    reply = services(offer).message(options().replace(b"OPTIONS", b"INVITE"))
    assert reply is not None and sip.unpack_response(reply).status == 403


@pytest.mark.parametrize(
    ("request_line", "secure", "port", "status", "has_body"),
    [
        (b"GET / HTTP/1.1", True, 443, b"200", True),
        (b"HEAD / HTTP/1.1", True, 443, b"200", False),
        (b"GET / HTTP/1.1", False, 80, b"200", True),
        (b"GET / HTTP/1.1", False, 443, b"400", True),
    ],
)
def test_pages(
    offer: Offer, request_line: bytes, secure: bool, port: int, status: bytes, has_body: bool
) -> None:
    page = services(offer).page(request_line + b"\r\n\r\n", secure=secure, asked=("23.89.0.1", port))
    head, _, body = page.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status and bool(body) is has_body


def test_a_portal_answers_plain_http_in_everybodys_place(offer: Offer) -> None:
    held = services(offer, "captive-portal")
    for secure, port, status in ((False, 80, b"302"), (True, 443, b"200")):
        page = held.page(b"GET / HTTP/1.1\r\n\r\n", secure=secure, asked=("23.89.0.1", port))
        assert page.split(b" ")[1] == status
        assert (b"\r\nLocation: http://login.guest.example/" in page) is (port == 80)


def test_only_names_are_late(offer: Offer) -> None:
    slow = services(offer, "dns-slow")
    assert (slow.delay_s(53), slow.delay_s(123), services(offer).delay_s(53)) == (0.6, 0.0, 0.0)


@given(st.binary(max_size=100), st.sampled_from([53, 69, 123, 5004]))
def test_rubbish_is_no_crash(offer: Offer, data: bytes, port: int) -> None:
    answered = services(offer)
    answered.datagram(data, SOURCE, (RESOLVER, port), NOW)
    answered.message(data)
