"""The grid: what one observation shows of one address and port, and what is never read into it."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.engine import Outcome, Status
from readycheck.evidence import Evidence, Sign, gather
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import CheckTarget, Scope
from tests.unit.builders import make_check, make_outcome, seen

NETWORK = "198.51.100.0/24"
HERE = Target(network=NETWORK, address="198.51.100.200", port=8934, transport="tcp")


def outcome(*observations: Any, proves: Step = Step.TLS_HANDSHAKE, **changes: Any) -> Outcome:
    return make_outcome(make_check(proves=proves), *observations, **changes)


def sign(*observations: Any, proves: Step = Step.TLS_HANDSHAKE) -> Sign:
    (cell,) = gather([outcome(*observations, proves=proves)]).cells
    return cell.sign


CONNECTED = seen(Step.CONNECT, HERE)


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ([CONNECTED, seen(Step.TLS_HANDSHAKE, HERE)], Sign.ANSWERED),
        # a note after the proof changes nothing
        (
            [CONNECTED, seen(Step.TLS_HANDSHAKE, HERE), seen(Step.RESPONSE, HERE, Failure.TIMED_OUT)],
            Sign.ANSWERED,
        ),
        # something spoke, whatever it said
        ([CONNECTED, seen(Step.TLS_HANDSHAKE, HERE, Failure.CERTIFICATE_EXPIRED)], Sign.ANSWERED),
        ([CONNECTED, seen(Step.TLS_HANDSHAKE, HERE, Failure.CONNECTION_RESET)], Sign.ANSWERED),
        ([CONNECTED, seen(Step.TLS_HANDSHAKE, HERE, Failure.TIMED_OUT)], Sign.ANSWERED),
        # a connection alone does not show that the service answers
        ([CONNECTED], Sign.UNKNOWN),
        ([seen(Step.CONNECT, HERE, Failure.TIMED_OUT)], Sign.SILENT),
        ([seen(Step.CONNECT, HERE, Failure.CONNECTION_REFUSED)], Sign.REFUSED),
        ([seen(Step.CONNECT, HERE, Failure.ICMP_ADMIN_PROHIBITED)], Sign.REFUSED),
        ([seen(Step.CONNECT, HERE, Failure.HOST_UNREACHABLE)], Sign.LOCAL),
        ([seen(Step.CONNECT, HERE, Failure.INTERRUPTED)], Sign.UNKNOWN),
        ([seen(Step.CONNECT, HERE, Failure.UNKNOWN)], Sign.UNKNOWN),
    ],
)
def test_what_a_connection_shows(observations: list[Any], expected: Sign) -> None:
    assert sign(*observations) is expected


@pytest.mark.parametrize("failure", sorted(LOCAL_FAILURES))
@pytest.mark.parametrize("step", [Step.CONNECT, Step.ECHO, Step.TLS_HANDSHAKE])
def test_what_this_host_forbids_is_nothing_of_the_network(failure: Failure, step: Step) -> None:
    assert sign(seen(step, HERE, failure)) is Sign.LOCAL


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, Sign.ANSWERED),
        (Failure.TIMED_OUT, Sign.SILENT),
        (Failure.PORT_UNREACHABLE, Sign.REFUSED),
        (Failure.ICMP_ADMIN_PROHIBITED, Sign.REFUSED),
        (Failure.PROTOCOL_ERROR, Sign.ANSWERED),
        (Failure.CLOCK_UNSYNCHRONISED, Sign.ANSWERED),
        (Failure.INTERRUPTED, Sign.UNKNOWN),
    ],
)
def test_what_a_question_shows(failure: Failure | None, expected: Sign) -> None:
    assert sign(seen(Step.ECHO, HERE, failure), proves=Step.ECHO) is expected


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("failure", "by_server", "expected"),
    [
        (None, True, Sign.ANSWERED),
        (Failure.DNS_NXDOMAIN, True, Sign.ANSWERED),
        (Failure.DNS_REFUSED, True, Sign.ANSWERED),
        (Failure.TIMED_OUT, False, Sign.SILENT),
        (Failure.CONNECTION_REFUSED, False, Sign.REFUSED),
        (Failure.PORT_UNREACHABLE, False, Sign.REFUSED),
        (Failure.PERMISSION_DENIED, False, Sign.LOCAL),
    ],
)
def test_what_a_name_server_shows(
    failure: Failure | None, by_server: bool, expected: Sign, transport: str
) -> None:
    """Its connection is no step of its own: a query that nobody answers is silence, and any answer is sound."""
    server = Target(network=NETWORK, address="198.51.100.53", port=53, transport=transport)
    asked = seen(Step.RESPONSE, server, failure, answered_by_server=by_server)
    (cell,) = gather([outcome(asked, proves=Step.RESPONSE)]).cells
    assert (cell.sign, cell.failure) == (expected, None if by_server else failure)


def test_a_second_greeting_that_succeeds_counts() -> None:
    """The TLS probe greets twice; a server that refuses the first and takes the second has answered soundly."""
    (cell,) = gather(
        [
            outcome(
                CONNECTED,
                seen(Step.TLS_HANDSHAKE, HERE, Failure.TLS_ALERT_HANDSHAKE_FAILURE),
                CONNECTED,
                seen(Step.TLS_HANDSHAKE, HERE),
            )
        ]
    ).cells
    assert (cell.sign, cell.failure) == (Sign.ANSWERED, None)


@pytest.mark.parametrize(
    ("took_ms", "rtt_ms", "lossy"),
    [
        ([1_020.0, 3_030.0, 20.0], 0.1, True),
        ([1_020.0, 20.0, 20.0], 0.1, False),  # a lost packet is chance
        ([1_020.0, 20.0], 0.1, True),
        ([1_020.0], 0.1, False),
        ([860.0, 985.0], 0.1, False),  # a busy host
        ([1_520.0, 1_530.0], 1_500.0, False),  # a long line
    ],
)
def test_a_port_that_loses_most_of_what_opens_a_connection(
    took_ms: list[float], rtt_ms: float, lossy: bool
) -> None:
    connected = [
        seen(Step.CONNECT, replace(HERE, address=f"198.51.100.{n}"), took_ms=took, rtt_ms=rtt_ms)
        for n, took in enumerate(took_ms)
    ]
    assert (("tcp", 8934) in gather([outcome(*connected)]).fickle) is lossy


def paced(*took_ms: float, via: str | None = None, **facts: Any) -> list[Observation]:
    """Connections to as many hosts beyond the site that took so long to stand."""
    hosts = [Target(address=f"192.88.99.{n}", port=443, via=via) for n in range(len(took_ms))]
    return [
        seen(Step.CONNECT, host, took_ms=took, **{"rtt_ms": 0.1, **facts})
        for host, took in zip(hosts, took_ms, strict=True)
    ]


@pytest.mark.parametrize(
    ("connections", "late_ms"),
    [
        (paced(3_020.0, 3_030.0, 3_050.0, 20.0), 3_030.0),
        (paced(1_020.0, 1_030.0, 3_030.0, 3_050.0, 2_100.0), None),  # too many for a device, as chance has it
        (paced(3_030.0, 3_050.0, 20.0), None),  # a line that loses much
        (paced(3_030.0), None),
        (paced(1_520.0, 1_530.0, rtt_ms=1_500.0), None),  # a long one
        (paced(3_030.0, 3_050.0, via="proxy.example:3128"), None),  # the proxy's own pace
        (paced(3_030.0, 3_050.0, resent=2), 3_040.0),
        (paced(3_030.0, 3_050.0, resent=0), None),  # this host was busy
        ([], None),
    ],
)
def test_what_connections_take_where_nearly_all_open_late(
    connections: list[Observation], late_ms: float | None
) -> None:
    assert gather([outcome(*connections)]).late_ms == late_ms


@pytest.mark.parametrize(("waited_ms", "early"), [(2_200.0, True), (4_000.0, False)])
def test_who_left_before_connections_open_has_seen_no_silence(waited_ms: float, early: bool) -> None:
    silent = seen(Step.CONNECT, HERE, Failure.TIMED_OUT, took_ms=waited_ms)
    assert ("tcp", 8934) not in gather([outcome(silent)]).fickle
    assert (("tcp", 8934) in gather([outcome(silent, *paced(3_030.0, 3_050.0))]).fickle) is early


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("late", [True, False])
def test_where_connections_open_late_a_single_packet_that_stops_shows_no_wall(
    transport: str, late: bool
) -> None:
    """However long an address is waited for at which nobody may live."""
    stopped = replace(surveyed("stopped"), target=replace(HERE, transport=transport))
    host = replace(
        stopped, target=replace(stopped.target, network=None), facts={**stopped.facts, "control_own": 1}
    )
    made = [
        outcome(seen(Step.CONNECT, HERE, Failure.TIMED_OUT, took_ms=4_000.0)),
        outcome(*paced(*[3_030.0 if late else 30.0] * 2)),
        make_outcome(PATH, stopped, host),
    ]
    found = gather(made)
    shown = not (late and transport == "tcp")
    assert (Sign.STOPPED in {c.sign for c in found.cells}, bool(found.halted)) == (shown, shown)


def test_a_cell_knows_its_place() -> None:
    facts: dict[str, Any] = {"offender": "10.0.0.1", "ttl": 3}
    (cell,) = gather([outcome(seen(Step.CONNECT, HERE, Failure.ICMP_ADMIN_PROHIBITED, **facts))]).cells
    assert (cell.network, cell.address, cell.port, cell.transport) == (NETWORK, "198.51.100.200", 8934, "tcp")
    assert (cell.part, cell.requirement, cell.check) == (3, "sip", "sip/x")
    assert (cell.offender, cell.ttl, cell.failure) == ("10.0.0.1", 3, Failure.ICMP_ADMIN_PROHIBITED)


def test_one_cell_for_each_address_and_port() -> None:
    others = [
        Target(network=NETWORK, address=a, port=p, transport="tcp")
        for a in ("198.51.100.1", "198.51.100.2")
        for p in (1, 2)
    ]
    observations = [seen(Step.CONNECT, target, Failure.TIMED_OUT) for target in others]
    assert len(gather([outcome(*observations, *observations)]).cells) == 4


@pytest.mark.parametrize("scope", [Scope.NAMED, Scope.CONTROL, Scope.RESOLVERS])
def test_only_samples_and_the_survey_make_cells(scope: Scope) -> None:
    assert gather([make_outcome(make_check(scope=scope), CONNECTED)]).cells == ()


def test_a_skipped_check_makes_no_cells_and_a_crashed_one_those_that_it_saw() -> None:
    silent = seen(Step.CONNECT, HERE, Failure.TIMED_OUT)
    assert gather([outcome(status=Status.SKIPPED)]).cells == ()
    assert len(gather([outcome(silent, status=Status.CRASHED)]).cells) == 1


# --- the survey ---------------------------------------------------------------------------------------

PATH = make_check("path/egress", scope=Scope.PATH, requirement=None, proves=Step.HOP, probe="path")


def surveyed(fate: str, **facts: Any) -> Any:
    usual = {"edge_ttl": 2, "edge_proven": True, "asked": 1}
    failure = None if fate == "left" else Failure.TIMED_OUT
    return seen(Step.HOP, HERE, failure, purpose="survey", fate=fate, **{**usual, **facts})


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        ("left", Sign.LEFT),
        ("stopped", Sign.STOPPED),
        ("rejected", Sign.REJECTED),
        ("unknown", Sign.UNKNOWN),
        ("pending", Sign.UNKNOWN),
        ("", Sign.UNKNOWN),
    ],
)
def test_what_the_survey_shows(fate: str, expected: Sign) -> None:
    (cell,) = gather([make_outcome(PATH, surveyed(fate))]).cells
    assert (cell.sign, cell.requirement) == (expected, None)


@pytest.mark.parametrize(
    ("facts", "edge"),
    [
        ([{"edge_ttl": 2}], 2),
        ([{"edge_ttl": 3}, {"edge_ttl": 2}], 2),
        ([{"edge_ttl": 2, "edge_proven": False}], None),
        ([], None),
    ],
)
def test_the_edge_is_only_known_when_it_is_proven(facts: list[dict[str, Any]], edge: int | None) -> None:
    assert gather([make_outcome(PATH, *(surveyed("left", **each) for each in facts))]).edge_ttl == edge


def test_rungs_are_the_routers_that_answered() -> None:
    found = gather(
        [
            make_outcome(
                PATH,
                seen(Step.HOP, HERE, purpose="ladder", ttl=1, offender="10.0.0.1"),
                seen(Step.HOP, HERE, Failure.TIMED_OUT, purpose="ladder", ttl=2),
                seen(Step.HOP, HERE, purpose="stopped", ttl=1, offender="10.0.0.1"),
                surveyed("left", offender="10.0.0.9", ttl=3),
            )
        ]
    ).rungs
    assert [(r.ttl, r.address, r.purpose, r.transport) for r in found] == [
        (1, "10.0.0.1", "ladder", "tcp"),
        (1, "10.0.0.1", "stopped", "tcp"),
    ]
    assert found[0].target == "198.51.100.200:8934"


@pytest.mark.parametrize(
    ("told", "address"),
    [("203.0.113.9:40000", "203.0.113.9"), ("[2001:db8::9]:40000", "2001:db8::9"), (None, None)],
)
def test_the_mapped_address_is_an_address(told: str | None, address: str | None) -> None:
    facts: dict[str, Any] = {"mapped_address": told} if told else {}
    assert gather([outcome(seen(Step.ECHO, HERE, **facts), proves=Step.ECHO)]).mapped == address


# --- rows and columns ---------------------------------------------------------------------------------


def grid() -> Evidence:
    """Two networks; `stun` on 5004 answered in the first, `ntp` on 123 in the second."""
    made = []
    for name, port, network, answers in (
        ("stun", 5004, "198.51.100.0/24", True),
        ("stun", 5004, "203.0.113.0/24", False),
        ("ntp", 123, "198.51.100.0/24", False),
        ("ntp", 123, "203.0.113.0/24", True),
    ):
        target = Target(network=network, address=network.replace("0/24", "1"), port=port, transport="udp")
        about = CheckTarget(network=network, ports=str(port), transport="udp")
        check = make_check(f"{name}/{network}:{port}", proves=Step.ECHO, target=about)
        made.append(make_outcome(check, seen(Step.ECHO, target, None if answers else Failure.TIMED_OUT)))
    return gather(made)


def test_rows_and_columns() -> None:
    found = grid()
    assert [c.port for c in found.row("udp", "203.0.113.0/24")] == [5004, 123]
    assert [c.network for c in found.column("udp", "5004")] == ["198.51.100.0/24", "203.0.113.0/24"]
    assert found.row("tcp", "203.0.113.0/24") == ()
    assert len(found.of_check("stun/203.0.113.0/24:5004")) == 1


@pytest.mark.parametrize(
    ("network", "label", "kin", "returns"),
    [
        ("203.0.113.0/24", "5004", {"stun"}, True),  # the same port in another network
        ("198.51.100.0/24", "9000", {"stun"}, True),  # another port of the network
        ("203.0.113.0/24", "9000", {"stun"}, False),  # only time answers there: no kin
        ("203.0.113.0/24", "9000", {"stun", "ntp"}, True),
        ("192.0.2.0/24", "9000", {"stun", "ntp"}, False),
    ],
)
def test_answers_show_that_replies_come_back(network: str, label: str, kin: set[str], returns: bool) -> None:
    assert grid().answers_return("udp", network, label, frozenset(kin)) is returns


def test_a_packet_that_left_is_no_answer() -> None:
    found = gather([make_outcome(PATH, surveyed("left"))])
    assert not found.answers_return("tcp", NETWORK, "8934", frozenset({"sip"}))


@pytest.mark.parametrize(
    ("left", "lossy"),
    [
        ([(4, 2), (3, 1), (1, 0)], True),
        ([(4, 1), (1, 0)], False),  # one that is lost is chance
        ([(12, 2)], False),  # and so is one of six
        ([], False),
    ],
)
def test_a_port_whose_packets_get_lost_where_they_leave_as_well(
    left: list[tuple[int, int]], lossy: bool
) -> None:
    seen_there = [surveyed("left", asked=asked, missed_beside_control=missed) for asked, missed in left] + [
        surveyed("stopped", asked=5, missed_beside_control=4)
    ]
    assert (("tcp", 8934) in gather([make_outcome(PATH, *seen_there)]).fickle) is lossy


@pytest.mark.parametrize(("missed_at", "lossy"), [((5, 5), False), ((3, 5), True), ((), True)])
def test_what_is_missed_beyond_all_that_was_seen_is_a_walls(missed_at: tuple[int, ...], lossy: bool) -> None:
    left = [
        surveyed("left", asked=4, missed_beside_control=2, ttl=ttl, missed_at=missed_at) for ttl in (3, 4)
    ]
    assert (("tcp", 8934) in gather([make_outcome(PATH, *left)]).fickle) is lossy


def test_connections_that_stood_late_met_no_wall() -> None:
    """Whatever the survey missed, and where: of it nothing came through to compare with."""
    missed = surveyed("stopped", asked=5, missed_beside_control=2, ttl=5, missed_at=(5, 5))
    late = [at(n, took_ms=1030.0, rtt_ms=20.0, resent=1) for n in (1, 2, 3)]
    assert ("tcp", 8934) in gather([outcome(*late), make_outcome(PATH, missed)]).fickle


# --- what single packets do not show ------------------------------------------------------------------


def fickle(*observations: Any) -> frozenset[tuple[str, int]]:
    return gather([outcome(*observations)]).fickle


def at(last: int, failure: Failure | None = None, **facts: Any) -> Any:
    return seen(Step.CONNECT, replace(HERE, address=f"198.51.100.{last}"), failure, **facts)


@pytest.mark.parametrize(
    ("tries", "unsteady"),
    [
        # a number of connections is taken, and no more, whoever they are to
        ([at(1), at(1, Failure.TIMED_OUT), at(2), at(2, Failure.TIMED_OUT)], True),
        # one address alone may be the server's own affair
        ([at(1), at(1, Failure.TIMED_OUT), at(2)], False),
        # most stand: a line that loses packets
        ([at(1), at(1), at(1, Failure.TIMED_OUT), at(2), at(2), at(2, Failure.TIMED_OUT)], False),
        # never answered: as behind a wall
        ([at(1, Failure.TIMED_OUT), at(2, Failure.TIMED_OUT), at(3)], False),
        # a refusal is an answer of its own
        ([at(1), at(1, Failure.CONNECTION_REFUSED), at(2), at(2, Failure.CONNECTION_REFUSED)], False),
    ],
)
def test_where_the_same_ports_stood_and_then_did_not_no_port_is_walled(
    tries: list[Any], unsteady: bool
) -> None:
    assert (fickle(*tries) == {("tcp", 8934)}) is unsteady


@pytest.mark.parametrize(
    ("first", "again", "open_door"),
    [
        (None, "++++++++", False),  # late once, and steady since
        (None, "+++++++-", True),
        (None, "--------", False),
        (Failure.TIMED_OUT, "-------+", True),  # silent at first
    ],
)
def test_a_port_that_answers_again_and_loses_packets_stands_behind_no_wall(
    first: Failure | None, again: str, open_door: bool
) -> None:
    late = at(1, first, took_ms=1_030.0, rtt_ms=1.0)
    tries = [at(1, None if each == "+" else Failure.TIMED_OUT, purpose="repeat") for each in again]
    assert (("tcp", 8934) in fickle(late, *tries)) is open_door


def test_who_waited_for_less_than_connections_take_was_not_refused_one() -> None:
    web = [replace(o, target=replace(o.target, port=443)) for n in (1, 2) for o in late_and_short(n)]
    assert ("tcp", 8934) not in fickle(*web, at(1, Failure.TIMED_OUT, took_ms=4_000.0))


def late_and_short(last: int) -> list[Any]:
    return [at(last, took_ms=3_100.0, rtt_ms=1.0), at(last, Failure.TIMED_OUT, took_ms=2_200.0)]


def test_where_a_second_packet_is_answered_and_no_first_no_udp_port_is_walled() -> None:
    media = Target(network=NETWORK, address="198.51.100.7", port=5004, transport="udp")
    other = seen(Step.ECHO, replace(media, port=9000), Failure.TIMED_OUT)
    pair = seen(Step.ECHO, media, purpose="pair")
    lost, met = (seen(Step.ECHO, media, end, purpose="repeat") for end in (Failure.TIMED_OUT, None))
    assert fickle(other, *[lost] * 8, pair) == {("udp", 5004), ("udp", 9000)}
    assert fickle(other, lost, lost, pair) == set()  # by chance, on a way that loses much
    assert ("udp", 9000) not in fickle(other, *[lost] * 7, met, pair)
    spared = seen(Step.ECHO, replace(media, address="198.51.100.8"), purpose="repeat")
    assert ("udp", 9000) not in fickle(other, *[lost] * 8, pair, spared)
