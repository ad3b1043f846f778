"""The plan of a world."""

from dataclasses import replace

from readycheck.twin.blueprint import RESOLVER, Blueprint
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw


def blueprint(offer: Offer) -> Blueprint:
    return draw(offer, SCENARIOS["none"], seed=3, ratio=0.02)


def test_the_population_is_who_answers(offer: Offer) -> None:
    plan = blueprint(offer)
    population = list(plan.population())
    assert len(population) == len(set(population))
    assert all(plan.answers(address) for address in population)


def test_named_addresses_the_resolver_and_single_addresses_are_in_it(offer: Offer) -> None:
    plan = blueprint(offer)
    population = set(plan.population())
    assert {RESOLVER, "192.0.2.7", "3.20.185.219", *plan.addresses.values()} <= population


def test_most_of_a_network_is_silent_and_the_rest_of_the_world_too(offer: Offer) -> None:
    plan = blueprint(offer)
    network = [f"23.89.7.{i}" for i in range(256)]
    assert 3 <= sum(map(plan.answers, network)) <= 8
    assert not any(plan.answers(f"8.8.8.{i}") for i in range(256))


def test_a_plan_survives_its_text(offer: Offer) -> None:
    plan = draw(replace(offer, ping=True), SCENARIOS["certificate-expired"], seed=3, ratio=0.02)
    assert Blueprint.from_json(plan.to_json()) == plan
    assert plan.ping
