"""The sni probe against loopback servers, with and without a box that minds names before them."""

import re
import socket
from collections import Counter

import pytest

from readycheck.observation import Observation
from readycheck.probe import Failure, Step, Target
from readycheck_probes.sni import REPEATS, SniParams, SniProbe, Variant, shuffled

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.names import alerting, minding
from .servers.tcp import Serve, TcpServer, reset, saying, silent

NAME, DECOY = "calls.example", "other.example"
PAGE = saying(b"HTTP/1.1 403 Forbidden\r\n\r\nblocked")


def target(server: TcpServer, host: str | None = None) -> Target:
    address, port = server.endpoint
    return Target(host=host, address=address, port=port)


async def measure(
    bench: Bench,
    server: TcpServer,
    *,
    host: str | None = NAME,
    control: TcpServer | None = None,
    hops: int = 0,
) -> Seen:
    params = SniParams(
        targets=(target(server, host),),
        controls=(target(control),) if control else (),
        decoy=DECOY,
        seed=3,
        hops=hops,
    )
    return await bench.measure(SniProbe(), params, deadline_s=15.0)


def fates(seen: Seen) -> dict[str, set[Failure | None]]:
    found: dict[str, set[Failure | None]] = {}
    for one in seen.of(Step.TLS_HANDSHAKE):
        found.setdefault(str(one.facts["variant"]), set()).add(one.failure)
    return found


def named(observation: Observation) -> str | None:
    return observation.target.sni


async def test_a_server_that_minds_nothing(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await measure(bench, server)

    assert set(fates(seen)) == set(Variant) - {Variant.ELSEWHERE, Variant.STRANGE, Variant.OLDER}
    assert set.union(*fates(seen).values()) == {None}
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["hops_asked"]) == (8, 8, 0)
    by_variant = {one.facts["variant"]: one for one in seen.of(Step.TLS_HANDSHAKE)}
    assert {v: named(o) for v, o in by_variant.items()} == {
        Variant.ASKED: NAME,
        Variant.DECOY: DECOY,
        Variant.NAMELESS: None,
        Variant.LONGER: f"{NAME}.invalid",
        Variant.SEGMENTS: NAME,
        Variant.RECORDS: NAME,
    }
    assert {o.facts["asked"] for o in seen.observations} == {NAME}
    assert all(o.facts["tls"]["chain"] for o in by_variant.values())


@pytest.mark.parametrize(
    ("kill", "failure"),
    [(reset, Failure.CONNECTION_RESET), (silent, Failure.TIMED_OUT), (PAGE, Failure.TLS_NOT_TLS)],
)
async def test_a_box_that_minds_a_name(
    bench: Bench, authority: Authority, kill: Serve, failure: Failure
) -> None:
    box = minding(lambda name: name == NAME, kill, authority.context(NAME))
    with TcpServer(box) as server:
        seen = await measure(bench, server)

    found = fates(seen)
    assert found[Variant.ASKED] == {failure}
    assert {v: f for v, f in found.items() if v not in (Variant.ASKED, Variant.SEGMENTS)} == {
        v: {None} for v in (Variant.DECOY, Variant.NAMELESS, Variant.LONGER, Variant.RECORDS)
    }


async def test_a_server_that_knows_no_such_name(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, alerting(NAME, authority.context(DECOY))) as server:
        seen = await measure(bench, server)

    found = fates(seen)
    for variant in (Variant.ASKED, Variant.SEGMENTS, Variant.RECORDS):
        assert found[variant] == {Failure.TLS_ALERT_UNRECOGNIZED_NAME}
    assert found[Variant.DECOY] == found[Variant.NAMELESS] == {None}


async def test_the_name_is_asked_for_at_the_control_too(bench: Bench, authority: Authority) -> None:
    context = authority.context(DECOY)
    box = minding(lambda name: name == NAME, reset, context)
    with TcpServer(box) as server, TcpServer(box) as control:
        seen = await measure(bench, server, control=control)
        places = server.endpoint, control.endpoint

    found = fates(seen)
    assert found[Variant.ELSEWHERE] == {Failure.CONNECTION_RESET}
    assert found[Variant.STRANGE] == {None}
    (elsewhere,) = [o for o in seen.of(Step.TLS_HANDSHAKE) if o.facts["variant"] == Variant.ELSEWHERE]
    assert elsewhere.target.port == places[1][1]
    assert elsewhere.facts["about"] == f"127.0.0.1:{places[0][1]}"


async def test_a_box_that_wants_a_name(bench: Bench, authority: Authority) -> None:
    box = minding(lambda name: name is None, reset, authority.context(DECOY))
    with TcpServer(box) as server, TcpServer(box) as control:
        seen = await measure(bench, server, host=None, control=control)

    assert fates(seen) == {
        Variant.ASKED: {Failure.CONNECTION_RESET},
        Variant.DECOY: {None},
        Variant.ELSEWHERE: {Failure.CONNECTION_RESET},
    }


async def test_where_it_is_killed_is_asked_with_every_hop_limit(bench: Bench, authority: Authority) -> None:
    box = minding(lambda name: name == NAME, reset, authority.context(NAME))
    with TcpServer(box) as server:
        seen = await measure(bench, server, hops=3)

    hops = seen.of(Step.HOP)
    assert {(o.facts["ttl"], o.facts["variant"], o.failure) for o in hops} == {
        (ttl, variant, failure)
        for ttl in (1, 2, 3)
        for variant, failure in ((Variant.ASKED, Failure.CONNECTION_RESET), (Variant.DECOY, None))
    }
    assert {o.facts["purpose"] for o in hops} == {"greeting"}


@pytest.mark.parametrize(("kill", "times"), [(silent, 2 + REPEATS), (reset, 2)])
async def test_silence_is_repeated_beside_a_name_that_passes(
    bench: Bench, authority: Authority, kill: Serve, times: int
) -> None:
    box = minding(lambda name: name == NAME, kill, authority.context(NAME))
    with TcpServer(box) as server:
        seen = await measure(bench, server)

    count = Counter(o.facts["variant"] for o in seen.of(Step.TLS_HANDSHAKE))
    assert (count[Variant.ASKED], count[Variant.DECOY]) == (times, times)
    assert fates(seen)[Variant.DECOY] == {None}


async def test_what_no_name_helps_is_located_beside_the_control(bench: Bench, authority: Authority) -> None:
    with TcpServer(reset) as server, TcpServer(silent, authority.context(DECOY)) as control:
        seen = await measure(bench, server, host=None, control=control, hops=2)
        place = "{}:{}".format(*server.endpoint)

    hops = seen.of(Step.HOP)
    assert {(o.facts["ttl"], o.facts["variant"], o.failure) for o in hops} == {
        (ttl, variant, failure)
        for ttl in (1, 2)
        for variant, failure in ((Variant.ASKED, Failure.CONNECTION_RESET), (Variant.ELSEWHERE, None))
    }
    assert {o.facts["about"] for o in hops} == {place}


async def test_a_server_that_says_anything_is_not_located(bench: Bench) -> None:
    with TcpServer(PAGE) as server:
        seen = await measure(bench, server, hops=3)

    assert seen.of(Step.HOP) == []


async def test_a_closed_port_leaves_its_connection_attempts(bench: Bench) -> None:
    with TcpServer(silent) as server:
        gone = target(server, NAME)
    seen = await bench.measure(SniProbe(), SniParams(targets=(gone,), decoy=DECOY))

    assert set(seen.failures(Step.CONNECT)) == {Failure.CONNECTION_REFUSED}
    assert seen.of(Step.TLS_HANDSHAKE) == []


def test_ten_greetings_for_each_name_and_one_for_each_witness() -> None:
    place = Target(address="192.0.2.1", port=443)
    names = [Target(host=f"{n}.example", address="192.0.2.7", port=443) for n in range(3)]
    params = SniParams(
        targets=(names[0],), witnesses=tuple(names[1:]), controls=(place,), decoy=DECOY, seed=1
    )
    greetings = shuffled(params)
    count = Counter(greeting.target.host for greeting in greetings)
    assert count == {"0.example": 10, "1.example": 1, "2.example": 1}


def test_the_order_is_the_seeds_and_harmless_greetings_come_first_at_the_control() -> None:
    place = Target(address="192.0.2.1", port=443)
    orders = []
    for seed in range(20):
        one = Target(host=NAME, address="192.0.2.7", port=443)
        params = SniParams(targets=(one,), controls=(place,), decoy=DECOY, seed=seed)
        found = [greeting.variant for greeting in shuffled(params)]
        assert found == [greeting.variant for greeting in shuffled(params)]
        assert found.index(Variant.STRANGE) < found.index(Variant.ELSEWHERE)
        orders.append(tuple(found))
    assert len(set(orders)) > 10


def _peek(connection: socket.socket, size: int) -> bytes:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    found = connection.recv(size, socket.MSG_PEEK)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    return found


def offers_tls_1_3(connection: socket.socket) -> bool:
    """As a box finds it: the extension `supported_versions` (RFC 8446 section 4.2.1) with 3.4 first.

    It looks at the whole greeting, which may come in two segments.
    """
    length = 9 + int.from_bytes(_peek(connection, 9)[6:])
    first = _peek(connection, length)
    return re.search(rb"\x00\x2b\x00[\x03-\x0b][\x02-\x0a]\x03\x04", first, re.DOTALL) is not None


async def test_where_all_is_cut_less_is_offered(bench: Bench, authority: Authority) -> None:
    context = authority.context(NAME)

    def box(connection: socket.socket) -> None:
        if offers_tls_1_3(connection):
            reset(connection)
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            silent(secured)

    with TcpServer(box) as server, TcpServer(box) as control:
        seen = await measure(bench, server, control=control)
        places = {server.endpoint[1], control.endpoint[1]}

    less = [o for o in seen.of(Step.TLS_HANDSHAKE) if o.facts["variant"] == Variant.OLDER]
    assert {(o.failure, o.facts["tls"]["version"]) for o in less} == {(None, "TLSv1.2")}
    assert {o.target.port for o in less} == places
    assert len(less) == 4


async def test_where_a_name_passes_less_is_not_offered(bench: Bench, authority: Authority) -> None:
    box = minding(lambda name: name == NAME, reset, authority.context(NAME))
    with TcpServer(box) as server:
        assert Variant.OLDER not in fates(await measure(bench, server))
