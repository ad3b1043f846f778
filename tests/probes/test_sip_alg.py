"""SIP requests that come back from a mirror, whole and rewritten."""

import pytest

from readycheck.observation import Observation
from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeService, run_probe
from readycheck.wire import sip
from readycheck_probes.sip_alg import SipAlgParams, SipAlgProbe, differences

from .translation import FAR, PUBLIC, Edit, Translation

TARGETS = (Target(address=FAR[0], port=15061),)
LOCAL = "192.168.1.20"


def gateway(data: bytes, to: tuple[str, int]) -> bytes:
    """Replaces the inside address, and corrects the length of the body, as real ones do."""
    if to[1] != 5060:
        return data
    head, _, body = data.partition(b"\r\n\r\n")
    body = body.replace(LOCAL.encode(), PUBLIC.encode())
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    new = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
    return new.replace(LOCAL.encode(), PUBLIC.encode()) + b"\r\n\r\n" + body


def measured(edit: Edit = lambda data, to: data) -> dict[int | None, Observation]:
    seen, _ = run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS, local=LOCAL), Translation(edit=edit))
    return {o.target.port: o for o in seen if o.step is Step.ECHO}


def test_a_request_that_comes_through_whole() -> None:
    seen = measured()
    assert [o.failure for o in seen.values()] == [None, None]
    assert all(o.facts["changed"] == [] for o in seen.values())
    assert all(o.facts["sent_bytes"] == o.facts["received_bytes"] for o in seen.values())


def test_a_gateway_that_rewrites_port_5060() -> None:
    seen = measured(gateway)
    assert seen[15061].facts["changed"] == []
    pairs = seen[5060].facts["changed"]
    sent, received = [old for old, _ in pairs], [new for _, new in pairs]
    for start in ("Via:", "Contact:", "c=IN IP4", "o="):
        assert any(line.startswith(start) and LOCAL in line for line in sent)
        assert any(line.startswith(start) and PUBLIC in line for line in received)


@pytest.mark.parametrize("edit", [lambda data, to: data.replace(b"Max-Forwards: 70\r\n", b"")])
def test_a_line_that_is_taken_away(edit: Edit) -> None:
    assert measured(edit)[5060].facts["changed"] == [["Max-Forwards: 70", ""]]


def test_what_is_no_sip_any_more_is_silence() -> None:
    seen = measured(lambda data, to: b"\xff" * 40)
    assert {o.failure for o in seen.values()} == {Failure.TIMED_OUT}


def test_a_lost_request_is_repeated() -> None:
    network = Translation(lost=lambda number: number < 3)
    seen, metrics = run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS, local=LOCAL), network)
    assert metrics == {"sent": 2, "answered": 2, "rewritten": 0}
    assert all(o.facts["changed"] == [] for o in seen if o.step is Step.ECHO)


def test_differences_are_bounded_and_printable() -> None:
    sent = b"\r\n".join(b"X-%d: a" % n for n in range(200))
    found = list(differences(sent, sent.replace(b"a", b"\x1b[31m" + b"b" * 5000)))
    assert 0 < len(found) <= 12
    assert all(line.isprintable() and len(line) <= 200 for pair in found for line in pair)


def test_the_request_is_one() -> None:
    network = Translation()
    sent: list[bytes] = []
    network.edit = lambda data, to: sent.append(data) or data  # type: ignore[func-returns-value]
    run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS, local=LOCAL), network)
    request = sip.unpack_request(sent[0])
    assert request.method == "OPTIONS"
    assert request.body.startswith(b"v=0\r\n")
    assert f"{LOCAL}:4" in str(request.header("Contact"))


def test_the_address_of_this_host_is_that_of_a_connection() -> None:
    network = Translation()
    network.tcp = {(FAR[0], 15061): FakeService()}
    sent: list[bytes] = []
    network.edit = lambda data, to: sent.append(data) or data  # type: ignore[func-returns-value]
    run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS), network)
    assert "192.0.2.200:4" in str(sip.unpack_request(sent[0]).header("Via"))


def test_a_gateway_is_absent_only_where_it_would_have_been_seen() -> None:
    """No answer from port 5060: the other one shows nothing of it."""
    silent = Translation(edit=lambda data, to: data if to[1] != 5060 else b"\xff" * 40)
    _, metrics = run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS, local=LOCAL), silent)
    assert (metrics["answered"], metrics["rewritten"]) == (1, None)
    _, metrics = run_probe(SipAlgProbe(), SipAlgParams(targets=TARGETS, local=LOCAL), Translation())
    assert (metrics["answered"], metrics["rewritten"]) == (2, 0)
