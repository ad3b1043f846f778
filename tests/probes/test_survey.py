"""The survey against routers that limit their replies, stay silent or lose some: it may not accuse wrongly."""

import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck_probes.survey import BURST, REFILL_MS, Cell, Edge, Fate, Hop, Survey, find_edge

NETWORKS = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "198.18.0.0/24", "198.19.0.0/24")
PORTS = (5004, 9000, 20000, 30000)


@dataclass
class Router:
    """Answers one peer `tokens` times at once and then once a second (Linux: six, `icmp_ratelimit`).

    `sent` are the packets that were to expire at it, `met` those that came so far.
    """

    ttl: int
    tokens: float = 6.0
    delay_ms: float = 20.0
    silent: bool = False
    sent: list[float] = field(default_factory=list)
    met: list[float] = field(default_factory=list)
    _at: float = 0.0

    def answers(self, now_ms: float) -> bool:
        self.met.append(now_ms)
        self.tokens = min(6.0, self.tokens + (now_ms - self._at) / 1000)
        self._at = now_ms
        if self.silent or self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Simulation:
    """Drives a survey as `path` does, on a clock of its own."""

    cells: list[Cell]
    routers: list[Router]
    blocked: Callable[[Cell], bool]
    lost: set[tuple[int, int]] = field(default_factory=set)
    loss: float = 0.0
    losing: Callable[[Cell], bool] | None = None
    rejecting: bool = False
    wait_ms: float = 400.0
    known_open: Iterable[object] = ()
    passed: Mapping[tuple[str, int], tuple[int, int]] | None = None
    seed: int = 1

    def run(self, for_ms: float = 12_000.0) -> "Simulation":
        hops = [Hop(r.ttl, f"203.0.113.{r.ttl}", r.delay_ms) for r in self.routers]
        self.survey = Survey(
            self.cells, hops, wait_ms=self.wait_ms, known_open=self.known_open, passed=self.passed
        )
        routers = {router.ttl: router for router in self.routers}
        asked = dict.fromkeys(range(len(self.cells)), 0)
        replies: list[tuple[float, int, int | None, int, str]] = []
        now, number, chance = 0.0, 0, random.Random(self.seed)
        while now < for_ms and not (self.survey.done() and not replies):
            while replies and replies[0][0] <= now:
                _, _, cell, ttl, what = heapq.heappop(replies)
                if what == "rejected" and cell is not None:
                    self.survey.rejected(cell, ttl, "192.168.2.1")
                else:
                    self.survey.exceeded(cell, ttl, now, f"203.0.113.{ttl}")
            for send in self.survey.due(now):
                router, number = routers[send.hop.ttl], number + 1
                router.sent.append(now)
                what = "exceeded"
                if send.cell is not None:
                    asked[send.cell] += 1
                    if self.blocked(self.cells[send.cell]):
                        if self.rejecting:
                            arrives = now + 2.0
                            heapq.heappush(replies, (arrives, number, send.cell, send.hop.ttl, "rejected"))
                        continue
                said = router.answers(now) and not self._loses(send.cell, chance)
                if said and (send.cell, asked.get(send.cell or 0, 0)) not in self.lost:
                    arrives = now + router.delay_ms
                    heapq.heappush(replies, (arrives, number, send.cell, send.hop.ttl, what))
            following = self.survey.next_due_ms(now)
            now = min([following, *(reply[0] for reply in replies[:1])])
        self.survey.finish()
        return self

    def _loses(self, index: int | None, chance: random.Random) -> bool:
        """`losing` says whose packets alone are lost at random; by default it is everybody's."""
        concerned = self.losing is None or (index is not None and self.losing(self.cells[index]))
        return concerned and chance.random() < self.loss

    def fates(self, *, blocked: bool) -> set[Fate]:
        return {cell.fate for cell in self.cells if self.blocked(cell) is blocked}


def grid(networks: Sequence[str] = NETWORKS[:3], ports: Sequence[int] = PORTS[:3]) -> list[Cell]:
    return [Cell(network, port, "udp") for port in ports for network in networks]


def routers(count: int = 3, **changes: float) -> list[Router]:
    return [Router(3 + index, **changes) for index in range(count)]  # type: ignore[arg-type]


def nothing(cell: Cell) -> bool:
    return False


def everything(cell: Cell) -> bool:
    return True


# --- what a healthy and a walled network look like ----------------------------------------------------


def test_on_an_open_network_every_cell_leaves() -> None:
    done = Simulation(grid(), routers(), nothing).run()
    assert done.fates(blocked=False) == {Fate.LEFT}
    assert {cell.asked for cell in done.cells} == {1}
    assert {cell.ttl for cell in done.cells} <= {3, 4, 5}


@pytest.mark.parametrize(
    "blocked",
    [
        lambda cell: cell.port == 9000,
        lambda cell: cell.network == NETWORKS[1],
        lambda cell: cell.port == 9000 or cell.network == NETWORKS[1],
        lambda cell: (cell.network, cell.port) == (NETWORKS[0], 5004),
    ],
    ids=["port", "network", "both", "one cell"],
)
def test_a_wall_is_told_from_what_is_open(blocked: Callable[[Cell], bool]) -> None:
    done = Simulation(grid(), routers(), blocked).run(30_000)
    assert done.fates(blocked=False) == {Fate.LEFT}
    # once a wall is plain, not every packet behind it is asked a second time
    assert Fate.STOPPED in done.fates(blocked=True)
    assert done.fates(blocked=True) <= {Fate.STOPPED, Fate.UNKNOWN}


def test_behind_a_wall_around_everything_the_control_still_answers() -> None:
    done = Simulation(grid(), routers(), everything).run()
    assert Fate.STOPPED in done.fates(blocked=True)
    assert done.fates(blocked=True) <= {Fate.STOPPED, Fate.UNKNOWN}


def test_a_wall_around_everything_is_not_asked_more_than_it_takes() -> None:
    wide = grid(NETWORKS, PORTS)
    done = Simulation(wide, routers(), everything).run(60_000)
    # each once, and once more beside a control: an open one among them would show; a few settle it
    assert sum(cell.asked for cell in wide) < 3 * len(wide)
    assert done.survey.done()


def test_a_refusal_by_something_on_the_way_is_a_rejection() -> None:
    done = Simulation(grid(), routers(), lambda c: c.port == 5004, rejecting=True).run()
    assert done.fates(blocked=True) == {Fate.REJECTED}
    assert done.fates(blocked=False) == {Fate.LEFT}
    assert {cell.offender for cell in done.cells if cell.port == 5004} == {"192.168.2.1"}


def test_a_cell_that_was_refused_is_asked_at_the_nearest_hop() -> None:
    cells = [Cell(NETWORKS[0], 5004, "udp", refused=True)]
    done = Simulation(cells, routers(), everything, rejecting=True).run()
    assert [len(router.sent) for router in done.routers] == [1, 0, 0]
    assert cells[0].ttl == 3


SPARSE = tuple(f"198.18.{n}.0/24" for n in range(14))
ANSWERING = {"udp", "tcp", "198.19.0.0/24", ("udp", 5004), ("udp", 9000)}
RANGE = (19560, 19561, 31055, 41606, 42549, 49076, 54043, 64970)


def sparse_product(transports: Sequence[str] = ("udp", "tcp")) -> list[Cell]:
    """Silent networks on ports that answer elsewhere, and ports of a range, and one more, that answer nowhere."""
    cells = [Cell("198.19.0.0/24", port, "udp") for port in RANGE]
    rows = [Cell(network, 5004, "udp") for network in SPARSE]
    more = [Cell(network, 8934, "tcp") for network in SPARSE] if "tcp" in transports else []
    return [cell for some in zip_longest(rows, cells, more) for cell in some if cell]


@pytest.mark.parametrize("where", [0, 6, 10])
def test_a_port_that_stops_everywhere_hides_no_network_that_does(where: int) -> None:
    """It is plain soon, and its other networks then come after all else."""
    blocked = lambda c: c.port == 8934 or c.network == SPARSE[where]  # noqa: E731
    done = Simulation(sparse_product(), routers(tokens=5.0), blocked, known_open=ANSWERING).run(9_000)
    fates = {(cell.network, cell.port): cell.fate for cell in done.cells}
    assert fates[SPARSE[where], 5004] is Fate.STOPPED
    assert len([cell for cell in done.cells if cell.port == 8934 and cell.fate is Fate.STOPPED]) > 1
    assert Fate.STOPPED not in done.fates(blocked=False)


def test_of_a_range_that_stops_in_part_all_parts_are_settled() -> None:
    blocked = lambda c: c.port > 40_000  # noqa: E731
    cells = sparse_product(["udp"])
    done = Simulation(cells, routers(tokens=5.0), blocked, known_open=ANSWERING).run(10_000)
    assert done.fates(blocked=True) == {Fate.STOPPED}
    assert {cell.fate for cell in cells if cell.port in RANGE and cell.port < 40_000} == {Fate.LEFT}


@pytest.mark.parametrize("spared", [0, 2])
def test_what_is_spared_is_left_to_whoever_asks_next(spared: int) -> None:
    survey = Survey(sparse_product(), [Hop(3, "203.0.113.3", 20.0)], spared=spared)
    assert len(survey.due(0.0)) == int(BURST - spared)


# --- silence of routers is not the network's ----------------------------------------------------------


def test_where_no_router_answers_nothing_is_said() -> None:
    for blocked in (nothing, everything):
        done = Simulation(grid(), routers(silent=True), blocked).run()
        assert {cell.fate for cell in done.cells} == {Fate.UNKNOWN}
        assert all(cell.asked <= 5 for cell in done.cells)


def test_a_silent_router_beside_others_accuses_nobody() -> None:
    hops = [Router(3, silent=True), Router(4), Router(5)]
    done = Simulation(grid(), hops, nothing).run(20_000)
    assert done.fates(blocked=False) == {Fate.LEFT}


def test_a_router_that_has_used_up_its_replies_accuses_nobody() -> None:
    done = Simulation(grid(), routers(tokens=0.0), nothing).run(20_000)
    assert done.fates(blocked=False) == {Fate.LEFT}


def test_a_few_lost_replies_accuse_nobody() -> None:
    cells = grid()
    done = Simulation(cells, routers(), nothing, {(0, 1), (4, 1), (8, 1)}).run(30_000)
    assert done.fates(blocked=False) == {Fate.LEFT}
    assert sorted(cell.asked for cell in cells) == [1] * 6 + [2] * 3
    assert {cell.missed for cell in cells} == {0}


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_random_loss_accuses_nobody(loss: float) -> None:
    for seed in range(12):
        done = Simulation(grid(NETWORKS, PORTS), routers(), nothing, loss=loss, seed=seed).run()
        assert done.fates(blocked=False) <= {Fate.LEFT, Fate.UNKNOWN}, seed


def mixed(networks: Sequence[str]) -> list[Cell]:
    """As much of UDP as of TCP, by turns."""
    media = [Cell(network, (5004, 9000)[index % 2], "udp") for index, network in enumerate(networks)]
    return [
        cell for pair in zip(media, (Cell(n, 8934, "tcp") for n in networks), strict=True) for cell in pair
    ]


TWELVE = tuple(f"198.18.{index}.0/24" for index in range(12))
PASSING = frozenset(
    ("tcp", "udp", SIP := ("tcp", 8934), *((*SIP, f"192.0.{index}.0/24") for index in range(3)))
)


def test_a_port_that_loses_at_random_beside_others_that_do_not_accuses_nobody() -> None:
    found = []
    for seed in range(16):
        lossy = Simulation(mixed(TWELVE), routers(), nothing, loss=0.7, seed=seed, known_open=PASSING)
        lossy.passed = {SIP: (4, 7)}
        lossy.losing = lambda cell: cell.port == 8934
        found.append(Fate.STOPPED in lossy.run().fates(blocked=False))
    assert sum(found) <= 1


@pytest.mark.parametrize("walled", [1, 2, 6, 9, 12])
def test_a_port_that_stops_in_many_networks_shows_beside_those_in_which_it_passes(walled: int) -> None:
    done = Simulation(
        mixed(TWELVE),
        routers(),
        lambda cell: cell.port == 8934 and cell.network in TWELVE[:walled],
        known_open=PASSING,
        passed={SIP: (0, 12)},
    ).run()
    assert Fate.STOPPED in done.fates(blocked=True)
    assert done.fates(blocked=False) <= {Fate.LEFT}


def test_a_wall_shows_beside_a_few_lost_packets() -> None:
    found = [
        Fate.STOPPED
        in Simulation(grid(NETWORKS, PORTS), routers(), lambda c: c.port == 9000, loss=0.03, seed=seed)
        .run()
        .fates(blocked=True)
        for seed in range(12)
    ]
    assert sum(found) > 9


def test_replies_that_come_later_than_we_wait_accuse_nobody() -> None:
    done = Simulation(grid(), routers(delay_ms=900.0), nothing, wait_ms=250.0).run(30_000)
    assert Fate.STOPPED not in done.fates(blocked=False)


def test_a_late_reply_takes_an_accusation_back() -> None:
    cells = [Cell(NETWORKS[0], 5004, "udp")]
    survey = Survey(cells, [Hop(3, "203.0.113.3", 20.0)], wait_ms=100.0)
    now = 0.0
    while cells[0].fate is Fate.PENDING:
        for send in survey.due(now):
            if send.cell is None:
                survey.exceeded(None, 3, now + 20, "203.0.113.3")
        now = survey.next_due_ms(now)
    assert [cell.fate for cell in cells] == [Fate.STOPPED]
    survey.exceeded(0, 3, now, "203.0.113.3")
    assert [cell.fate for cell in cells] == [Fate.LEFT]


def test_a_control_vouches_for_the_packet_right_before_it_alone() -> None:
    cells = [Cell(network, 5004, "udp") for network in NETWORKS[:2]]
    survey = Survey(cells, [Hop(3, "203.0.113.3", 20.0)], wait_ms=100.0)
    assert [send.cell for send in survey.due(0.0)] == [0, 1]
    assert [send.cell for send in survey.due(100.0)] == [0, None]  # both are lost: the first one goes again
    survey.exceeded(None, 3, 120.0, "203.0.113.3")
    survey.due(200.0)
    assert [cell.missed for cell in cells] == [1, 0]
    assert {cell.fate for cell in cells} == {Fate.PENDING}


def test_what_has_provably_left_is_not_called_rejected_afterwards() -> None:
    cells = [Cell(NETWORKS[0], 5004, "udp")]
    survey = Survey(cells, [Hop(3, "203.0.113.3", 20.0)])
    survey.due(0.0)
    survey.exceeded(0, 3, 20.0, "203.0.113.3")
    survey.rejected(0, 3, "203.0.113.3")
    assert cells[0].fate is Fate.LEFT


def test_an_answer_of_the_destination_shows_that_the_way_is_open() -> None:
    cells = [Cell(NETWORKS[0], 5004, "udp")]
    survey = Survey(cells, [Hop(3, "203.0.113.3", 20.0)])
    survey.due(0.0)
    survey.arrived(0, 3)
    assert cells[0].fate is Fate.LEFT
    assert survey.done()


def test_without_hops_nothing_is_sent_and_nothing_is_said() -> None:
    done = Simulation(grid(), [], everything).run(2_000)
    assert {cell.fate for cell in done.cells} == {Fate.UNKNOWN}
    assert {cell.asked for cell in done.cells} == {0}


# --- properties ---------------------------------------------------------------------------------------


@st.composite
def simulations(draw: st.DrawFn, *, losing: bool = True, fresh: bool = True) -> Simulation:
    """`fresh`: routers that nobody asked before. At most three replies are lost, of different cells."""
    networks = draw(st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=5, unique=True))
    ports = draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=4, unique=True))
    cells = grid(networks, ports)
    walls = draw(
        st.one_of(
            st.just(frozenset()),
            st.frozensets(st.sampled_from(ports)),
            st.frozensets(st.sampled_from(networks)),
            st.frozensets(st.sampled_from([(c.network, c.port) for c in cells])),
        )
    )
    hops = [
        Router(
            3 + index,
            tokens=6.0 if fresh else draw(st.floats(0, 6)),
            delay_ms=draw(st.floats(1, 350)),
            silent=draw(st.booleans()),
        )
        for index in range(draw(st.integers(1, 5)))
    ]
    rng = random.Random(draw(st.integers(0, 2**32)))
    chosen = rng.sample(range(len(cells)), k=min(3, len(cells))) if losing else []
    lost = {(index, rng.randint(1, 5)) for index in chosen}

    def blocked(cell: Cell) -> bool:
        return bool({cell.port, cell.network, (cell.network, cell.port)} & walls)

    return Simulation(cells, hops, blocked, lost, rejecting=draw(st.booleans()))


@settings(deadline=None, max_examples=300)
@given(simulations())
def test_what_is_open_is_never_accused_and_what_is_walled_never_cleared(simulation: Simulation) -> None:
    done = simulation.run()
    assert done.fates(blocked=False) <= {Fate.LEFT, Fate.UNKNOWN}
    assert Fate.LEFT not in done.fates(blocked=True)
    if not done.rejecting:
        assert Fate.REJECTED not in done.fates(blocked=True)


@settings(deadline=None, max_examples=300)
@given(simulations(losing=False, fresh=False))
def test_routers_that_others_have_used_up_make_no_accusation(simulation: Simulation) -> None:
    """The ladder, and every other program of this host, draw on the same replies."""
    done = simulation.run(30_000)
    assert done.fates(blocked=False) <= {Fate.LEFT, Fate.UNKNOWN}


@settings(deadline=None, max_examples=200)
@given(simulations(fresh=False))
def test_no_hop_gets_more_than_its_budget_at_any_moment(simulation: Simulation) -> None:
    done = simulation.run(20_000)
    unseen = len(done.lost)  # a reply that is lost on its way back looks like one that was never given
    for router in done.routers:
        for index, first in enumerate(router.met):
            for number, later in enumerate(router.met[index:], start=1):
                assert number <= BURST + unseen + (later - first) / REFILL_MS + 1e-6
    assert all(cell.asked <= 5 for cell in done.cells)


@settings(deadline=None, max_examples=100)
@given(simulations(losing=False))
def test_one_good_router_and_enough_time_prove_all_that_is_open(simulation: Simulation) -> None:
    simulation.routers = [*simulation.routers[:1], Router(12)]  # a cell is given up after five tries
    done = simulation.run(240_000)
    assert done.fates(blocked=False) <= {Fate.LEFT}


@settings(deadline=None)
@given(simulations(), st.floats(0, 10_000))
def test_the_next_moment_lies_ahead(simulation: Simulation, at_ms: float) -> None:
    survey = Survey(simulation.cells, [Hop(r.ttl, "203.0.113.1", 20.0) for r in simulation.routers])
    survey.due(at_ms)
    assert at_ms < survey.next_due_ms(at_ms) <= at_ms + 200.0


# --- where the site ends ------------------------------------------------------------------------------

SITE = (Hop(1, "192.168.1.1", 1.0), Hop(2, "10.0.0.1", 2.0))


@pytest.mark.parametrize(
    ("hops", "local", "mapped", "edge"),
    [
        ([*SITE, Hop(3, "100.64.0.1", 9.0)], "192.168.1.20", None, Edge(2, True)),
        ([*SITE, Hop(3, "198.51.100.1", 9.0)], "192.168.1.20", None, Edge(2, True)),
        ([*SITE, Hop(4, "198.51.100.1", 9.0)], "192.168.1.20", "198.51.100.77", Edge(3, True)),
        # the provider uses private addresses: only the mapped address tells where the site ends
        (
            [*SITE, Hop(3, "10.9.9.9", 5.0), Hop(4, "203.0.113.1", 9.0)],
            "10.1.1.1",
            "203.0.113.9",
            Edge(3, True),
        ),
        # the host has a public address: private hops prove nothing
        ([*SITE, Hop(3, "198.51.100.1", 9.0)], "203.0.113.5", None, Edge(3, False)),
        (list(SITE), "192.168.1.20", None, Edge(2, False)),
        ([], "192.168.1.20", None, Edge(0, False)),
        ([Hop(1, "2001:db8::1", 3.0)], "fd00::2", None, Edge(0, True)),
        # within a site of IPv4 that is translated, all routers of IPv6 are public
        ([Hop(1, "2001:db8::1", 3.0)], "192.168.1.20", "203.0.113.9", Edge(1, False)),
    ],
)
def test_the_edge_of_the_site(hops: list[Hop], local: str, mapped: str | None, edge: Edge) -> None:
    assert find_edge(hops, local, mapped, None) == edge


def test_the_hop_right_before_the_destination_is_outside() -> None:
    hops = [Hop(1, "203.0.113.1", 1.0), Hop(2, "203.0.114.1", 2.0)]
    assert find_edge(hops, "203.0.113.5", None, arrived=3) == Edge(1, False)
    assert find_edge(hops, "203.0.113.5", None, arrived=5) == Edge(2, False)


def test_a_router_of_the_site_right_before_the_destination_may_set_hop_limits_anew() -> None:
    assert find_edge(SITE, "192.168.1.20", None, arrived=3) == Edge(2, False)
