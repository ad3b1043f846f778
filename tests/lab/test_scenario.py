"""The files of scenarios: what is in them is what was meant, and what is wrong in them is said."""

from pathlib import Path

import pytest

from readycheck.catalog import read as read_profile
from readycheck.diagnose.causes import CAUSES
from readycheck.twin.offer import filled

from .cloud import RESPONDER, Population, names_of, networks_of, place
from .row import RowMode, interfaces, links_of
from .scenario import GROUPS, Scenario, ScenarioError, fitted, read, scenarios

GOOD = """
[somewhere]
cloud.population = "dense"
network.rules = [{ at = "edge", text = 'ip daddr != $responder udp dport $media drop' }]
network.boxes = [{ program = "squid", lines = ["acl one dst $ip(cscan.webex.com)"] }]
expect = [{ causes = ["port-blocked"], where = ["site"], words = "$port" }]
forbid = ["@blocks", "service-down"]
"""


def written(folder: Path, text: str) -> list[Scenario]:
    path = folder / "blocks.toml"
    path.write_text(text)
    return list(read(path))


def test_a_file_is_read(tmp_path: Path) -> None:
    (one,) = written(tmp_path, GOOD)
    assert (one.name, one.topic, one.cloud.population) == ("somewhere", "blocks", Population.DENSE)
    assert "service-down" in one.forbid and "udp-blocked" in one.forbid
    assert "port-blocked" not in one.forbid, "what is expected is not forbidden by a group"


def test_variables_stand_for_what_the_profile_has(tmp_path: Path) -> None:
    profile = filled(read_profile("webex-calling"), {})
    addresses = place(names_of(profile), networks_of(profile))
    one = fitted(written(tmp_path, GOOD)[0], profile, addresses)
    (rule,) = one.network.rules
    assert RESPONDER in rule.text and "5004" in rule.text and "$" not in rule.text
    assert one.network.boxes[0].lines == (f"acl one dst {addresses['cscan.webex.com']}",)
    assert one.expect[0].words == "8934"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('network.isp = "three"', "blocks.toml: wrong: network.isp: Unexpected keyword argument"),
        ('cloud.population = "crowded"', "blocks.toml: wrong: cloud.population: Input should be"),
        ('forbid = ["@everything"]', "blocks.toml: wrong: forbid: @everything is no cause and no group"),
        ('allow = ["gremlins"]', "blocks.toml: wrong: no cause is called gremlins"),
        (
            'expect = [{ causes = ["port-blocked", "udp-blocked"], where = ["site"] }]',
            "blocks.toml: wrong: alike: must say why several causes are right",
        ),
        ("network.settings.attic = {}", "blocks.toml: wrong: network.settings: attic is not in the row"),
        ('network.settings.edge = { a = "x" }', "blocks.toml: wrong: network.settings.edge.a: Input should"),
        ('cloud.responder = "here"', "blocks.toml: wrong: cloud.responder: Input should be"),
        ('impatient = true\nprofile = "webex"', "blocks.toml: wrong: impatient: is of webex-calling alone"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ScenarioError) as error:
        written(tmp_path, f"[wrong]\n{line}\n")
    assert str(error.value).startswith(said)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text("[same]\n")
    with pytest.raises(ScenarioError, match="same"):
        scenarios(tmp_path)


def test_the_groups_hold_causes() -> None:
    assert {cause for group in GROUPS.values() for cause in group} <= set(CAUSES)


def test_the_suite_plays_what_holds_of_every_group() -> None:
    chosen = [scenario for scenario in scenarios() if scenario.ci]
    broken = [scenario for scenario in chosen if scenario.expect]
    causes = {cause for scenario in broken for truth in scenario.expect for cause in truth.causes}
    assert 10 <= len(broken) < len(chosen)
    assert all(causes & set(group) for group in GROUPS.values())
    assert [scenario.name for scenario in chosen if scenario.beyond] == []


def test_the_public_addresses_that_rules_translate_to_lead_to_the_edge() -> None:
    row = RowMode()
    links = links_of(row, 59)
    (edge,) = (link for link in links if link.low == "edge")
    assert f"route replace 198.51.100.248/30 via {edge.low_address}" in [*interfaces("isp1", links, row)]


def test_no_address_is_given_twice_in_any_row() -> None:
    for scenario in scenarios():
        links = links_of(scenario.network, 7)
        ends = [end for link in links for end in (link.low_address, link.high_address)]
        assert len(set(ends)) == len(ends), scenario.name
