from ipaddress import ip_address

from readycheck_trace.attribution import Flow, Ledger, Seen, Sent, attribute
from readycheck_trace.request import Probe

FLOW = Flow("udp", "192.0.2.1", 5004, 40000)


def sent(name: str, number: int, flow: Flow = FLOW) -> Sent:
    probe = Probe(id=name, transport="udp", address=ip_address("192.0.2.1"), port=5004, ttl=number)
    return Sent(probe=probe, flow=flow, marks=frozenset({("id", number), ("payload", number)}), at=100.0)


def seen(*marks: tuple[str, int], flow: Flow = FLOW, at: float = 100.0125) -> Seen:
    return Seen(
        reply="time_exceeded",
        code=0,
        source="198.51.100.1",
        ttl=63,
        at=at,
        flow=flow,
        marks=frozenset(marks),
        quoted_tos=0,
        quoted_source_port=40000,
    )


def test_a_flow_of_its_own_needs_no_mark() -> None:
    other = sent("b", 2, Flow("udp", "192.0.2.1", 5004, 40001))
    assert attribute([sent("a", 1), other], seen(("id", 9), flow=other.flow)) is other


def test_probes_of_one_flow_are_told_by_their_marks() -> None:
    ladder = [sent("a", 1), sent("b", 2), sent("c", 3)]
    assert attribute(ladder, seen(("id", 2), ("payload", 2))) is ladder[1]
    assert attribute(ladder, seen(("id", 3))) is ladder[2], "a router that quotes eight bytes only"
    assert attribute(ladder, seen(("id", 700), ("payload", 3))) is ladder[2], "a rewritten identifier"


def test_what_could_be_several_is_none() -> None:
    ladder = [sent("a", 1), sent("b", 2)]
    assert attribute(ladder, seen()) is None
    assert attribute(ladder, seen(("id", 1), ("payload", 2))) is None
    assert attribute(ladder, seen(flow=Flow("tcp", "192.0.2.1", 5004, 40000))) is None
    assert attribute([], seen()) is None


def test_the_first_answer_counts() -> None:
    ledger = Ledger([sent("a", 1), sent("b", 2)])
    ledger.enter(seen(("id", 1)))
    ledger.enter(seen(("id", 1), at=100.5))
    assert not ledger.complete
    assert ledger.replies() == {
        "a": {
            "reply": "time_exceeded",
            "code": 0,
            "from": "198.51.100.1",
            "ttl": 63,
            "rtt_ms": 12.5,
            "source_port": 40000,
            "quoted_tos": 0,
            "quoted_source_port": 40000,
        },
        "b": {
            "reply": None,
            "code": None,
            "from": None,
            "ttl": None,
            "rtt_ms": None,
            "source_port": 40000,
            "quoted_tos": None,
            "quoted_source_port": None,
        },
    }
    ledger.enter(seen(("payload", 2)))
    assert ledger.complete
