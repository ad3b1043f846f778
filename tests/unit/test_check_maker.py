"""The checks of a requirement, and the bounds of a run that is asked for more than it may do."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bench import large
from readycheck.check_maker import MOST_CHECKS
from readycheck.observation import Target
from readycheck.plan import Plan, Selection, plan, validate
from readycheck.probe import Effort
from readycheck.profile import Profile
from readycheck.profile_file import parse
from readycheck.sampling import PER_RUN
from tests.unit.builders import SOURCE, make_profile, make_registry, make_selection, requirement

PROMISED_S = 2.0
SLACK = 3.0  # the machine of a test does other things, too


def group(*networks: str) -> dict[str, Any]:
    return {"title": "Group", "networks": networks, "source": SOURCE}


def many(number: int, first: int = 0) -> list[str]:
    return [f"10.{n >> 8}.{n & 255}.0/24" for n in range(first, first + number)]


def made(profile: Profile, *known: str, seed: int = 1, **chosen: Any) -> Plan:
    return plan(profile, make_registry(), make_selection(**{"controls": False, **chosen}), seed, known)


def asked(found: Plan) -> Iterator[Target]:
    return (target for check in found.checks for target in check.params.targets)


def networks(found: Plan, name: str = "") -> set[str | None]:
    return {check.target.network for check in found.checks if name in ("", check.requirement)}


# --- within the bounds --------------------------------------------------------------------------------


def test_whoever_names_a_network_twice_asks_it_once() -> None:
    groups = {"one": group("192.0.2.0/24"), "two": group("192.0.2.0/24")}
    row = requirement("r", targets={"networks": ["one", "two", "one"]}, ports=["443", "443"])
    assert [check.id for check in made(make_profile(row, networks=groups)).checks] == ["r/192.0.2.0/24:443"]


def test_a_profile_within_the_bounds_asks_all_of_its_networks() -> None:
    profile = make_profile(requirement("r"), networks={"service": group(*many(PER_RUN))})
    found = made(profile)
    assert len(networks(found)) == PER_RUN
    assert (found.partly, found.unprobed) == ({}, {})


# --- beyond them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", Effort)
def test_a_run_asks_so_many_addresses_and_no_more(effort: Effort) -> None:
    rows = [requirement("r"), requirement("light", area="names and time")]
    profile = make_profile(*rows, networks={"service": group(*many(5000))})
    found = made(profile, effort=effort)
    assert len({target.address for target in asked(found)}) == PER_RUN
    told = f"{PER_RUN} of 5000 networks and names asked: "
    assert [words.startswith(told) for words in found.partly.values()] == [True, True]


def test_the_seed_draws_which_and_known_addresses_come_first() -> None:
    profile = make_profile(requirement("r"), networks={"service": group(*many(5000))})
    assert networks(made(profile)) == networks(made(profile))
    assert networks(made(profile)) != networks(made(profile, seed=2))
    for seed in range(4):
        found = made(profile, "10.7.7.7", seed=seed, targets=("node.example.com=10.9.9.9",))
        assert {"10.7.7.0/24", "10.9.9.0/24"} <= networks(found)
        assert {"10.7.7.7", "10.9.9.9"} <= {target.address for target in asked(found)}


def test_small_groups_are_asked_whole() -> None:
    groups = {"few": group(*many(20)), "service": group(*many(5000, 1000))}
    rows = [requirement("r"), requirement("s", targets={"networks": ["few"]})]
    found = made(make_profile(*rows, networks=groups))
    assert len(networks(found, "s")) == 20
    assert len(networks(found, "r")) == PER_RUN - 20
    assert list(found.partly) == ["r"]


def test_the_required_come_before_the_rest() -> None:
    groups = {f"g{n}": group(*many(1, n)) for n in range(2 * PER_RUN)}
    rows = [
        requirement(f"r{n}", importance="required" if n % 2 else "optional", targets={"networks": [f"g{n}"]})
        for n in range(2 * PER_RUN)
    ]
    found = made(make_profile(*rows, networks=groups))
    assert {check.requirement for check in found.checks} == {f"r{n}" for n in range(1, 2 * PER_RUN, 2)}
    assert set(found.unprobed) == {f"r{n}" for n in range(0, 2 * PER_RUN, 2)}
    assert found.unprobed["r0"].startswith("0 of 1 networks and names asked: a run asks 600 addresses")
    assert found.untested == {}


def test_whoever_may_ask_few_asks_others_than_the_one_before() -> None:
    rows = [requirement(f"r{n}") for n in range(500)]
    found = made(make_profile(*rows, networks={"service": group(*many(500))}))
    assert len(found.checks) == MOST_CHECKS
    assert networks(found) == set(many(500))
    assert all(words.startswith(f"{MOST_CHECKS // 500} of 500 ") for words in found.partly.values())


def test_names_count_as_networks_do() -> None:
    domains = [{"pattern": f"h{n}.example.com"} for n in range(3000)]
    names = {"all": {"title": "All", "domains": domains, "source": SOURCE}}
    rows = [requirement(f"r{n}", targets={"names": ["all"]}, probe="tls") for n in range(20)]
    found = made(make_profile(*rows, names=names))
    assert len(found.checks) == MOST_CHECKS
    assert found.partly["r0"].startswith(f"{MOST_CHECKS // 20} of 3000 networks and names asked: ")


@pytest.mark.parametrize("groups", [1, 100, large.REQUIREMENTS])
def test_the_largest_profile_is_read_and_planned_in_time(groups: int) -> None:
    text, registry = large.text(groups), make_registry()
    began = time.process_time()
    profile = parse(text, "large.toml")
    validate(profile, registry, "large.toml")
    validated = time.process_time()
    found = plan(profile, registry, Selection(effort=Effort.THOROUGH), 1)
    assert validated - began < PROMISED_S * SLACK
    assert time.process_time() - validated < PROMISED_S * SLACK
    assert len({target.address for target in asked(found)}) <= PER_RUN
    assert len(found.checks) <= MOST_CHECKS
    assert len(found.partly) + len(found.unprobed) == large.REQUIREMENTS
