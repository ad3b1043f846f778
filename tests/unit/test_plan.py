"""The plan: the same for the same input, within bounds, and honest about what it leaves out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck import catalog
from readycheck.catalog import BUILT_IN, places
from readycheck.errors import ProbeLoadError, ProfileError, UsageError
from readycheck.failure import Step
from readycheck.observation import Target
from readycheck.plan import BUDGET_S, Plan, Scope, Selection, examine, plan, usable, validate
from readycheck.probe import Effort
from readycheck.profile import Profile
from readycheck.profile_file import Draft, Layer
from readycheck.registry import Registry, find
from readycheck.sampling import part_of
from readycheck_probes.hijack import HijackProbe
from readycheck_probes.http import HttpProbe
from readycheck_probes.tcp import TcpParams, TcpProbe
from readycheck_probes.websocket import WebsocketProbe
from tests.unit.builders import (
    MEDIA,
    NETWORKS,
    PROBES,
    RESOLVER,
    RESOLVERS,
    TIME,
    make_profile,
    make_registry,
    make_selection,
    requirement,
)


def made(
    profile: Profile | None = None, *known: str, registry: Registry | None = None, **chosen: Any
) -> Plan:
    selection = make_selection(**chosen)
    return plan(profile or make_profile(), registry or make_registry(), selection, 1, known)


def ids(found: Plan, prefix: str = "") -> list[str]:
    return [check.id for check in found.checks if check.id.startswith(prefix)]


def targets(found: Plan, prefix: str) -> list[Target]:
    return [t for check in found.checks if check.id.startswith(prefix) for t in check.params.targets]


# --- what is planned ----------------------------------------------------------------------------------


def test_one_check_for_each_requirement_network_and_stratum() -> None:
    found = made()
    assert len(set(ids(found))) == len(found.checks)
    assert ids(found, "sip/") == [f"sip/{network}:8934" for network in NETWORKS]
    assert len(ids(found, "stun/")) == 2 * len(NETWORKS)
    assert len(ids(found, "range/")) == 8 * len(NETWORKS)
    assert "range/192.0.2.0/24:19560-31053-even" in ids(found)
    assert ids(found, "web/") == ["web/api.example.com:443"]
    assert ids(found, "dns-udp/") == [f"dns-udp/{RESOLVER}:53/udp"]
    assert ids(found, "control/") == ["control/control.example.org:443"]


def test_a_check_says_what_it_is_about_and_how_to_judge_it() -> None:
    check = next(c for c in made().checks if c.id == "stun/192.0.2.0/24:5004")
    assert (check.target.network, check.target.ports, check.target.transport) == (
        "192.0.2.0/24",
        "5004",
        "udp",
    )
    assert (check.requirement, check.probe, check.scope) == ("stun", "stun", Scope.SAMPLED)
    assert check.proves.value == "echo"
    assert check.budget_s == BUDGET_S[Effort.NORMAL]
    assert all(t.network == "192.0.2.0/24" and t.port == 5004 for t in check.params.targets)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(Effort), st.permutations(["198.18.3.4", "203.0.113.9"]))
def test_the_plan_is_a_function_of_its_input(seed: int, effort: Effort, known: list[str]) -> None:
    one, other = (
        plan(make_profile(), make_registry(), make_selection(effort=effort), seed, known) for _ in range(2)
    )
    assert one.checks == other.checks
    assert one.seed == seed


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(Effort))
def test_samples_are_bounded_and_meet_every_quarter(seed: int, effort: Effort) -> None:
    found = plan(make_profile(), make_registry(), make_selection(effort=effort), seed)
    for network in NETWORKS:
        asked = {t.address for t in targets(found, "") if t.network == network}
        assert len(asked) <= 32
        for prefix in ("sip", "stun") if effort is Effort.QUICK else ("sip", "stun", "range"):
            met = {part_of(str(t.address), network) for t in targets(found, f"{prefix}/{network}")}
            assert met == {0, 1, 2, 3}


def test_every_stratum_of_a_range_is_asked_in_every_network() -> None:
    for check in made().checks:
        if check.requirement == "range":
            assert check.params.targets
            low, high, parity = check.target.ports.replace(" ", "-").split("-")
            for target in check.params.targets:
                assert int(low) <= target.port <= int(high)
                assert ("odd" if target.port % 2 else "even") == parity


@pytest.mark.parametrize("effort", Effort)
def test_every_stratum_is_asked_in_some_network(effort: Effort) -> None:
    found = made(effort=effort)
    asked = {check.target.ports for check in found.checks if check.requirement == "range"}
    assert len(asked) == 8
    per_network = len(ids(found, f"range/{NETWORKS[0]}"))
    assert per_network == (2 if effort is Effort.QUICK else 8)


def test_known_and_given_addresses_are_asked_first() -> None:
    found = made(None, "198.18.200.1", targets=("node.example.com=198.18.100.1", "203.0.113.77"))
    first = next(c for c in found.checks if c.id == f"sip/{NETWORKS[0]}:8934").params.targets
    assert [t.address for t in first[:2]] == ["198.18.100.1", "198.18.200.1"]
    assert targets(found, f"stun/{NETWORKS[2]}:9000")[0].address == "203.0.113.77"


@pytest.mark.parametrize("target", ["a=b", "=192.0.2.1", "", "a=192.0.2.300"])
def test_a_target_that_cannot_be_understood_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match=r"^--target .*not HOST or HOST=ADDRESS$"):
        made(targets=(target,))


# --- names --------------------------------------------------------------------------------------------


def test_representatives_stand_for_a_wildcard_and_are_not_certain() -> None:
    rows = [requirement("wild", targets={"names": ["wild"]}, ports=["443"], probe="tls")]
    only = next(c for c in made(make_profile(*rows)).checks if c.requirement == "wild")
    assert (only.id, only.certain, only.group) == ("wild/maybe.example.net:443", False, "*.example.net")


def test_a_range_is_asked_of_a_host_in_its_strata() -> None:
    row = requirement(
        "media", **MEDIA, targets={"hosts": ["pbx.example.com"]}, ports=["10000-20000"], probe="rtp"
    )
    found = made(make_profile(row))
    assert len(ids(found, "media/pbx.example.com:")) == 8
    assert {t.host for t in targets(found, "media/")} == {"pbx.example.com"}
    assert all(10000 <= (t.port or 0) <= 20000 for t in targets(found, "media/"))


def test_icmp_has_no_ports() -> None:
    class Ping(TcpProbe):
        name = "ping"

    row = requirement("ping", transport="icmp", targets={"hosts": ["192.0.2.1"]}, ports=[], probe="ping")
    found = made(make_profile(row), registry=make_registry(Ping))
    assert ids(found) == ["ping/192.0.2.1"]
    assert targets(found, "ping/") == [Target(address="192.0.2.1", transport="icmp")]


@pytest.mark.parametrize("effort", Effort)
def test_icmp_to_a_network_is_one_check_of_its_sample(effort: Effort) -> None:
    row = requirement("ping", transport="icmp", ports=[], probe="icmp")
    found = made(make_profile(row), effort=effort)
    assert ids(found, "ping/") == [f"ping/{network}" for network in NETWORKS]
    for network in NETWORKS:
        sample = targets(found, f"ping/{network}")
        assert len({t.address for t in sample}) == len(sample) > 1
        assert {(t.network, t.port, t.transport) for t in sample} == {(network, None, "icmp")}
    assert {check.target.ports for check in found.checks if check.requirement} == {""}


def test_what_proves_an_answer_may_depend_on_what_a_profile_sets() -> None:
    class BannerParams(TcpParams):
        proves = Step.RESPONSE

    class Banner(TcpProbe):
        Params = BannerParams

    found = made(make_profile(requirement("r", probe="tcp")), registry=make_registry(Banner))
    assert {check.proves for check in found.checks} == {Step.RESPONSE}


@pytest.mark.parametrize(("hold_s", "must_stay"), [(5.0, True), (0.0, False)])
def test_a_probe_says_whether_its_connections_have_to_stay_open(hold_s: float, must_stay: bool) -> None:
    row = requirement("r", probe="websocket", params={"hold_s": hold_s}, targets={"hosts": ["a.example.com"]})
    found = made(make_profile(row), registry=make_registry(WebsocketProbe))
    assert {check.must_stay for check in found.checks if check.requirement} == {must_stay}


def test_a_placeholder_with_choices_takes_one_of_them() -> None:
    region = {"region": {"title": "Region", "choices": ["amer", "emea"]}}
    row = requirement("r", targets={"hosts": ["a.{region}.example.com"]}, ports=["443"], probe="tls")
    profile = make_profile(row, placeholders=region)
    assert ids(made(profile, values={"region": "emea"}), "r/") == ["r/a.emea.example.com:443"]
    with pytest.raises(UsageError, match=r"^--set region=mars: choose from amer, emea$"):
        made(profile, values={"region": "mars"})


def test_a_name_that_the_document_prints_is_certain() -> None:
    only = next(c for c in made().checks if c.requirement == "web")
    assert only.certain
    assert only.params.targets == (Target(host="api.example.com", port=443, transport="tcp"),)


def test_an_address_literal_is_asked_without_a_name() -> None:
    rows = [requirement("lit", targets={"hosts": ["192.0.2.9", "2001:db8::9"]}, ports=["443"], probe="tcp")]
    assert [(t.host, t.address) for t in targets(made(make_profile(*rows)), "lit/")] == [
        (None, "192.0.2.9"),
        (None, "2001:db8::9"),
    ]


PLACEHOLDER = {"customer": {"title": "Customer", "example": "acme"}}


def customer(*hosts: str) -> Profile:
    row = requirement("own", targets={"hosts": list(hosts)}, ports=["443"], probe="tls")
    return make_profile(row, placeholders=PLACEHOLDER)


def test_a_placeholder_is_filled() -> None:
    found = made(customer("{customer}.example.com"), values={"customer": "acme"})
    assert targets(found, "own/")[0].host == "acme.example.com"
    assert found.untested == {}


def test_without_its_value_it_is_said_what_to_give() -> None:
    found = made(customer("{customer}.example.com"))
    assert found.untested == {"own": "needs --set customer=VALUE"}
    assert ids(found, "own/") == []


def test_the_other_hosts_of_a_requirement_are_asked_all_the_same() -> None:
    found = made(customer("{customer}.example.com", "fixed.example.com"))
    assert ids(found, "own/") == ["own/fixed.example.com:443"]
    assert found.untested == {}


@pytest.mark.parametrize("host", ["{", "}", "a{{b", "{customer"])
def test_odd_braces_are_no_format_string(host: str) -> None:
    assert [t.host for t in targets(made(customer(host), values={"customer": "x"}), "own/")] == [host]


def test_a_value_is_taken_as_it_is() -> None:
    found = made(customer("{customer}.example.com"), values={"customer": "{customer}"})
    assert targets(found, "own/")[0].host == "{customer}.example.com"


def test_a_required_placeholder_has_to_be_given() -> None:
    needed = {"customer": {**PLACEHOLDER["customer"], "required": True}}
    profile = make_profile(placeholders=needed)
    with pytest.raises(UsageError, match=r"^--set customer=VALUE is needed by profile 'example': Customer$"):
        made(profile)
    assert made(profile, values={"customer": "acme"}).checks


# --- what is left out, and why ------------------------------------------------------------------------


def test_only_the_requirements_of_the_roles_are_selected() -> None:
    rows = [requirement("a"), requirement("b", roles=["gateway"]), requirement("c", roles=["app", "gateway"])]
    profile = make_profile(*rows)
    assert [r.id for r in made(profile).selected] == ["a", "c"]
    assert [r.id for r in made(profile, roles=("gateway",)).selected] == ["b", "c"]
    assert made(profile).roles == ("app",)


def test_only_and_skip_deselect_and_do_not_hide() -> None:
    only = made(only=("sip",))
    assert only.deselected == ("stun", "range", "web", "dns-udp", "dns-tcp", "ntp")
    assert {check.probe for check in only.checks} == {"sip"}
    skipped = made(skip=("stun", "ntp"))
    assert skipped.deselected == ("stun", "ntp")
    assert ids(skipped, "control/")


def made_with(*probes: Any, **selection: Any) -> Plan:
    controls = [
        {"host": "www.example.org", "port": 80, "contains": "Hello", "purpose": "a page"},
        {"host": "time.example.net", "port": 123, "transport": "udp", "purpose": "time"},
    ]
    profile = make_profile(controls=controls)
    return plan(profile, make_registry(*PROBES, *probes), make_selection(**selection), 7)


def test_a_page_of_a_control_must_contain_its_text() -> None:
    check = next(c for c in made_with(HttpProbe).checks if c.id == "control/www.example.org:80")
    assert (check.probe, check.params.scheme, check.params.contains) == ("http", "http", "Hello")


def test_name_servers_are_asked_for_what_nobody_has() -> None:
    servers = tuple((f"192.168.1.{n}", 53) for n in (53, 54, 55))
    (check,) = (c for c in made_with(HijackProbe, resolvers=servers).checks if c.scope is Scope.HONESTY)
    zones = [name.partition(".")[2] for name in check.params.unknown]
    assert zones == ["example.org", "example.net"]
    assert check.params.known == "api.example.com"
    assert [t.address for t in check.params.targets] == ["192.168.1.53", "192.168.1.54"]
    assert check.params.nobody == ""  # all that is left for documentation is the product's here
    assert len(check.params.targets) * (len(zones) + 1) + 1 <= 8
    assert (
        made_with(HijackProbe, resolvers=servers).checks == made_with(HijackProbe, resolvers=servers).checks
    )


@pytest.mark.parametrize("left_out", [{"controls": False}, {"skip": ("hijack",)}, {"resolvers": ()}])
def test_name_servers_are_not_tried_where_that_is_left_out(left_out: Mapping[str, Any]) -> None:
    assert not [c for c in made_with(HijackProbe, **left_out).checks if c.scope is Scope.HONESTY]


def test_controls_can_be_left_out() -> None:
    assert ids(made(controls=False), "control/") == []


@pytest.mark.parametrize(
    ("control", "probe"),
    [
        ({"port": 443}, "tls"),
        ({"port": 8080}, "tcp"),
        ({"port": 3478, "transport": "udp"}, "stun"),
        ({"port": 123, "transport": "udp"}, "ntp"),
    ],
)
def test_a_control_is_asked_a_question_that_it_answers(control: Mapping[str, Any], probe: str) -> None:
    profile = make_profile(controls=[{"host": "c.example.org", "purpose": "control", **control}])
    only = next(c for c in made(profile).checks if c.scope is Scope.CONTROL)
    assert only.probe == probe
    assert only.requirement is None
    assert [t.host for t in only.params.targets] == ["c.example.org"]


def test_what_cannot_be_tested_keeps_its_reason() -> None:
    rows = [
        requirement("inbound", probe=None, untestable="needs a far end"),
        requirement("exotic", probe="quic"),
        requirement("nowhere", targets={}),
        requirement("sip"),
    ]
    found = made(make_profile(*rows))
    assert found.untested == {"inbound": "needs a far end", "nowhere": "no target is known from here"}
    assert found.unprobed == {"exotic": "probe 'quic' is not installed"}


def test_a_probe_that_did_not_load_leaves_its_requirements_unprobed() -> None:
    good = make_registry()
    installed = {name: probe for name, probe in good.installed.items() if name != "sip"}
    broken = Registry(installed, {"sip": ProbeLoadError("probe 'sip' cannot be loaded")})
    assert made(registry=broken).unprobed["sip"] == "probe 'sip' cannot be loaded"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"roles": ("boss",)}, r"^--role boss: profile 'example' has the roles app, gateway$"),
        ({"only": ("quic",)}, r"^--only quic: no such probe \(known: capacity, dns, "),
        ({"skip": ("quic",)}, r"^--skip quic: no such probe"),
        ({"values": {"x": "1"}}, r"^--set x: profile 'example' has no placeholders$"),
    ],
)
def test_what_the_user_asks_for_must_exist(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(**chosen)


def test_without_a_name_server_nothing_is_asked_of_one() -> None:
    found = plan(make_profile(), make_registry(), Selection(), 1)
    assert ids(found, "dns-") == []
    assert set(found.untested) == {"dns-udp", "dns-tcp"}


def test_every_name_server_is_a_check_of_its_own() -> None:
    found = made(resolvers=(("192.168.1.53", 53), ("2001:db8::53", 5353)))
    assert ids(found, "dns-tcp/") == ["dns-tcp/192.168.1.53:53/tcp", "dns-tcp/2001:db8::53:5353/tcp"]


def test_a_proxied_requirement_goes_through_the_proxy_if_there_is_one() -> None:
    row = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls", proxied=True)
    profile = make_profile(row, requirement("sip"))
    assert {c.id: c.target.via for c in made(profile, proxy=True).checks if c.requirement}[
        "web/api.example.com:443"
    ] == "proxy"
    assert all(t.via == "proxy" for t in targets(made(profile, proxy=True), "web/"))
    assert all(t.via is None for t in targets(made(profile, proxy=True), "sip/"))
    assert all(t.via is None for t in targets(made(profile), "web/"))


def test_the_proxy_goes_by_its_name_and_leads_tcp_to_those_that_are_not_exempt() -> None:
    rows = [
        requirement("web", targets={"names": ["web", "wild"]}, ports=["443"], probe="tcp", proxied=True),
        requirement("stun", **MEDIA, ports=["5004"], probe="stun", proxied=True),
        requirement("config", ports=["443"], probe="tcp", proxied=True),
    ]
    found = made(make_profile(*rows), proxy=True, via="p:81", past_proxy=("example.com",)).checks
    ways = {c.id.split(":")[0]: (c.target.via, c.proves) for c in found if c.requirement in ("web", "config")}
    assert ways.pop("web/api.example.com") == (None, Step.CONNECT)
    assert ways and set(ways.values()) == {("p:81", Step.PROXY_CONNECT)}
    assert {c.target.via for c in found if c.requirement in ("stun", None)} == {None}
    past = made(make_profile(*rows), proxy=True, past_proxy=("0.0.0.0/0", "*"))
    assert {c.target.via for c in past.checks} == {None}


def test_a_script_has_a_way_for_each_lane() -> None:
    rows = [
        requirement(
            "web", targets={"names": ["web", "wild"]}, ports=["443", "8443"], probe="tcp", proxied=True
        ),
        requirement("config", ports=["443"], probe="tcp", proxied=True),
        requirement("sip"),
    ]
    ways = {"api.example.com:443": "a:1", "api.example.com:8443": None, f"{NETWORKS[0]}:443": None, "": "b:2"}
    found = made(make_profile(*rows), proxy=True, via="a:1", past_proxy=("*",), ways=ways).checks
    vias = {c.id: c.target.via for c in found}
    assert vias["web/api.example.com:443"] == "a:1"
    assert vias["web/api.example.com:8443"] is None
    assert vias[f"config/{NETWORKS[0]}:443"] is None
    assert vias[f"config/{NETWORKS[1]}:443"] == "b:2"  # which the script was not asked about
    assert {c.target.via for c in found if c.requirement in ("sip", None)} == {None}


# --- validation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"probe": "quic"}, r"^p.toml: requirements\[r\]\.probe: 'quic' is not an installed probe$"),
        ({"params": {"sni": "x"}}, r"^p.toml: requirements\[r\]\.params\.sni: unknown key"),
        (
            {"limits": {"rtt": {"warn": 1}}},
            r"^p.toml: requirements\[r\]\.limits\.rtt: probe 'sip' has no such metric$",
        ),
        (
            {"limits": {"rtt_ms": {"warn": 1, "error": "own_ms"}}},
            r"^p.toml: requirements\[r\]\.limits\.rtt_ms\.error: probe 'sip' has no metric 'own_ms'$",
        ),
    ],
)
def test_a_profile_is_checked_against_the_probes(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        validate(make_profile(requirement("r", **row)), make_registry(), "p.toml")


def test_a_valid_profile_passes_even_if_one_of_its_probes_did_not_load() -> None:
    validate(make_profile(), make_registry(), "p.toml")
    broken = replace(make_registry(), broken={"quic": ProbeLoadError("no")})
    validate(make_profile(requirement("r", probe="quic")), broken, "p.toml")


def test_all_that_is_wrong_is_found_at_once() -> None:
    rows = [
        requirement("a", probe="quic", ports=["0"]),
        requirement("b", params={"sni": "x", "targets": []}, limits={"rtt": {"warn": 1}}),
        requirement("c", probe=5, params=7, limits=[]),
    ]
    tables = make_profile().model_dump(mode="json") | {"requirements": rows}
    draft = Draft((Layer("p.toml", b"", tables),), tables)
    profile, problems = examine(draft, make_registry())
    assert profile is None
    told = [draft.tell(problem).partition(" (known")[0] for problem in problems]
    assert [line for line in told if "[c]" not in line] == [
        "p.toml: requirements[a].ports[0]: port 0 is outside 1 to 65535",
        "p.toml: requirements[a].probe: 'quic' is not an installed probe",
        "p.toml: requirements[b].params.sni: unknown key",
        "p.toml: requirements[b].params.targets: unknown key",
        "p.toml: requirements[b].limits.rtt: probe 'sip' has no such metric",
    ]
    assert len([line for line in told if "[c]" in line]) == 3
    with pytest.raises(
        ProfileError, match=r"^p.toml: requirements\[a\].ports\[0\]: port 0 .* \(and 7 more\)$"
    ):
        usable(draft, make_registry())


def test_a_draft_in_order_is_its_profile() -> None:
    tables = make_profile().model_dump(mode="json", exclude={"hash"})
    draft = Draft((Layer("p.toml", b"x", tables),), tables)
    assert usable(draft, make_registry()).requirements == make_profile().requirements


@pytest.mark.parametrize("name", [place.name for place in places() if place.source == BUILT_IN])
def test_a_shipped_profile_fits_the_shipped_probes(name: str) -> None:
    assert not examine(catalog.draft(name), find())[1]


class _Unloaded(Mapping[str, Any]):
    """Probes that are there, and that nobody may load."""

    def __getitem__(self, name: str) -> Any:
        raise AssertionError(f"{name} was loaded")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_a_shipped_profile_loads_no_probe_to_be_read() -> None:
    tables = make_profile().model_dump(mode="json", exclude={"hash"})
    layers = Layer("p.toml", b"x", tables, shipped=True), Layer("own.toml", b"y", {})
    registry = Registry(_Unloaded(), _Unloaded())
    assert usable(Draft(layers[:1], tables), registry).requirements
    with pytest.raises(AssertionError, match="was loaded"):
        usable(Draft(layers, tables), registry)


def test_what_is_not_tested_loads_no_probe() -> None:
    rows = [requirement("far", probe="stream", targets={"responder": True}), requirement("sip")]
    registry = Registry(_Unloaded(), _Unloaded())
    with pytest.raises(AssertionError, match=r"^sip was loaded"):
        made(make_profile(*rows), registry=registry)


def test_networks_of_one_address_are_asked_whole() -> None:
    groups = {
        "service": {
            "title": "S",
            "networks": ["192.0.2.7/32", "192.0.2.8/31"],
            "source": {"document": "doc", "section": "1"},
        }
    }
    rows = [requirement("sip"), requirement("ntp", **TIME, ports=["123"], probe="ntp")]
    found = made(make_profile(*rows, networks=groups))
    assert [t.address for t in targets(found, "sip/")] == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


def test_a_resolver_requirement_names_its_transport() -> None:
    rows = [
        requirement("d", **{**TIME, **RESOLVERS, "transport": "tcp"}),
        requirement("s", **MEDIA, probe="stun"),
    ]
    assert targets(made(make_profile(*rows)), "d/")[0].transport == "tcp"
