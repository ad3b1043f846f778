"""The profile of the STARFACE PBX against a reading of its source document by hand."""

from importlib import resources

import pytest

from readycheck.plan import NO_RESPONDER, Selection, plan
from readycheck.profile import Importance, Profile, Requirement
from readycheck.profile_file import parse
from readycheck.registry import find

# port, transport, what the page prints of the row, the requirements that stand for it
PORT_TABLE = [
    ("80", "tcp", "web interface", "web-http inbound-http"),
    ("80", "tcp", "address book", "client-http inbound-http"),
    ("123", "udp", "time", "ntp"),
    ("443", "tcp", "web interface", "web-https"),
    ("443", "tcp", "address book and function keys", "client-https"),
    ("1902", "udp", "active directory", "active-directory"),
    ("3090", "tcp", "interconnection", "interconnection-tcp interconnection-tcp-inbound"),
    ("3090", "udp", "interconnection", "interconnection-udp interconnection-udp-inbound"),
    ("5060", "udp", "sip", "sip-udp"),
    ("5060", "tcp", "sip", "sip-tcp inbound-sip-tcp outbound-sip-tcp"),
    ("5061", "tcp", "ucc client", "sip-tls"),
    ("5222", "tcp", "xmpp server", "xmpp"),
    ("10000-20000", "udp", "rtp audio", "media-to-pbx"),
    ("1025-65535", "udp", "rtp audio", "media-from-pbx"),
    ("50080", "tcp", "autoprovisioning and telephone menus, unencrypted", "provisioning"),
    ("50081", "tcp", "autoprovisioning with tls", "provisioning-tls"),
]

# name, port, protocol as printed, the requirement
SERVERS = [
    ("license.starface.de", "80", "HTTP", "licence-http"),
    ("license.starface.de", "443", "HTTPS", "licence-https"),
    ("license.starface.de", "8383", "HTTPS", "licence-https-8383"),
    ("update.starface.de", "80", "HTTP", "update-http"),
    ("update.starface.de", "443", "HTTPS", "update-https"),
    ("starface-cdn.de", "80", "HTTP", "update-http"),
    ("starface-cdn.de", "443", "HTTPS", "update-https"),
    ("www.starface-cdn.de", "80", "HTTP", "update-http"),
    ("www.starface-cdn.de", "443", "HTTPS", "update-https"),
    ("siptrunk.de", "443", "HTTPS", "provider-portal"),
]
CONNECT = "37.120.180.58 37.120.180.6 37.120.181.198 37.120.181.229 85.184.250.15"

# The typical scenarios as they are printed, one after the other: ports inbound, ports outbound.
FIRST = ("5060/udp 5061/tcp 10000-20000/udp", "5060/udp 5061/tcp 1025-65535/udp")
SECOND = (
    "443/tcp 5060/udp 5061/tcp 5222/tcp 50080/tcp 50081/tcp 10000-20000/udp",
    "5060/udp 5061/tcp 5222/tcp 50080/tcp 50081/tcp 1025-65535/udp",
)
THIRD = (SECOND[0], f"443/tcp {SECOND[1]}")
SCENARIOS = {
    "scenario-provider": FIRST,
    "scenario-remote-users": SECOND,
    "scenario-remote-users-and-web": THIRD,
}
ROWS_OF_A_SCENARIO = [
    ("inbound-sip-udp", "unencrypted"),
    ("inbound-sip-tls", "encrypted"),
    ("inbound-rtp", "RTP audio"),
    ("inbound-web", "HTTPS web interface and REST API"),
    ("inbound-xmpp", "XMPP (chat and UCI)"),
    ("inbound-provisioning", "unencrypted"),
    ("inbound-provisioning-tls", "encrypted"),
    ("outbound-sip-udp", "unencrypted"),
    ("outbound-sip-tls", "encrypted"),
    ("outbound-rtp", "RTP audio"),
    ("outbound-web", "HTTPS web interface and REST API"),
    ("outbound-xmpp", "XMPP (chat and UCI)"),
    ("outbound-provisioning", "unencrypted"),
    ("outbound-provisioning-tls", "encrypted"),
]

# The headings of the document, in our words; the scenarios have no titles but these.
SECTIONS = {
    "Port table",
    "TLS versions",
    "Mobile clients",
    "Server addresses",
    "STARFACE Connect",
    "Typical scenarios: inbound ports",
    "Typical scenarios: outbound ports",
}

# A piece of each damaged or doubtful value, and of what is used in its place.
GARBLED = [
    ("37 120 181 198", "37.120.181.198"),
    ("37 120 181 229", "37.120.181.229"),
    ("the whole page, twice", "once"),
    ("siptrunk.de", "server addresses"),
    ("five addresses without ports", "SIP on UDP 5060 and TCP 5061, RTP on UDP 1025-65535"),
    ("443 TCP", "HTTPS on 443"),
    ("1902 UDP", "UDP 1902"),
    ("3090 TCP et UDP", "TCP 3090 and UDP 3090"),
    ("10 000 à 20 000", "10000-20000"),
    ("1 025 à 65 535", "1025-65535"),
    ("RTP entrantes", "ports of the PBX"),
    ("no direction", "lead to the PBX"),
    ("5061 TCP", "SIP over TLS"),
    ("5061 ¹", "provider supports it"),
    ("Mise au point automatique", "autoprovisioning"),
    ("Openstage et Snom", "OpenStage or Snom"),
    ("toutes les versions plus récentes", "TLS 1.1, 1.2 and 1.3"),
    ("HTTP and HTTPS", "TCP"),
    ("ses paramètres de sécurité", "its security settings"),
    ("L'entrée DNS suivant", "push.starface.de"),
    ("three scenarios without titles", "scenario-all-functions"),
    ("Ports sortants", "by way of the WAN"),
    ("an empty line", "one table each"),
    ("in no scenario", "scenario-all-functions"),
]
AMBIGUOUS = [
    "443 TCP",
    "1902 UDP",
    "five addresses",
    "RTP entrantes",
    "no direction",
    "Openstage et Snom",
    "plus récentes",
    "Ports sortants",
]

GIVEN = {
    "starface": "192.0.2.10",
    "remote-starface": "198.51.100.10",
    "sip-provider": "192.0.2.20",
    "ntp-server": "192.0.2.30",
    "other-pbx": "192.0.2.40",
}


@pytest.fixture(scope="module")
def profile() -> Profile:
    text = resources.files("readycheck_profiles").joinpath("starface.toml").read_bytes()
    return parse(text, "starface.toml")


def _requirement(profile: Profile, name: str) -> Requirement:
    return next(requirement for requirement in profile.requirements if requirement.id == name)


def _words(ports: object) -> str:
    return " ".join(str(port) for port in ports) if isinstance(ports, tuple) else ""


def _hosts(profile: Profile, requirement: Requirement) -> set[str]:
    return {h for name in requirement.targets.names for e in profile.names[name].domains for h in e.hosts}


def _plain(profile: Profile) -> Profile:
    """Without parameters that this installation's probes may not have yet."""
    rows = tuple(
        r.model_copy(
            update={"params": {k: v for k, v in r.params.items() if k not in ("speaks", "transport")}}
        )
        for r in profile.requirements
    )
    return profile.model_copy(update={"requirements": rows})


def test_what_it_is(profile: Profile) -> None:
    assert profile.name == "starface"
    page = profile.documents["port-usage"]
    assert (page.publisher, page.language, page.revision) == ("STARFACE", "fr", "undated")
    assert "twice" in page.note


def test_roles(profile: Profile) -> None:
    assert profile.default_roles() == ("pbx",)
    scenarios = [role.name for role in profile.roles if role.name.startswith("scenario-")]
    assert scenarios == [*SCENARIOS, "scenario-all-functions"]
    others = {role.name for role in profile.roles} - set(scenarios)
    assert others == {"pbx", "starface-connect", "ucc-client", "mobile-client", "phone", "browser"}
    assert all(any(role.name in r.roles for r in profile.requirements) for role in profile.roles)


@pytest.mark.parametrize("row", PORT_TABLE, ids=[f"{row[0]} {row[2]}" for row in PORT_TABLE])
def test_row_of_the_port_table(profile: Profile, row: tuple[str, str, str, str]) -> None:
    port, transport, words, names = row
    for name in names.split():
        requirement = _requirement(profile, name)
        assert (_words(requirement.ports), requirement.transport) == (port, transport), name
        assert requirement.source.section == "Port table", name
        assert words in requirement.title.lower(), name


@pytest.mark.parametrize("port", sorted({f"{row[0]}/{row[1]}" for row in PORT_TABLE}))
def test_a_site_with_all_functions_has_every_row(profile: Profile, port: str) -> None:
    mine = [r for r in profile.requirements if "scenario-all-functions" in r.roles]
    assert port in {f"{_words(r.ports)}/{r.transport}" for r in mine}


def test_there_is_no_other_port(profile: Profile) -> None:
    listed = {(row[1], row[0]) for row in PORT_TABLE} | {("tcp", row[1]) for row in SERVERS}
    found = {(r.transport, str(port)) for r in profile.requirements for port in r.ports}
    assert found == listed


@pytest.mark.parametrize("row", SERVERS, ids=[f"{row[0]}:{row[1]}" for row in SERVERS])
def test_server_of_the_vendor(profile: Profile, row: tuple[str, str, str, str]) -> None:
    host, port, protocol, name = row
    requirement = _requirement(profile, name)
    assert (_words(requirement.ports), requirement.transport, requirement.probe) == (port, "tcp", "http")
    assert requirement.params["scheme"] == protocol.lower()
    assert host in _hosts(profile, requirement)
    assert requirement.roles == ("pbx",) and requirement.source.section == "Server addresses"


def test_push_is_for_both_ends(profile: Profile) -> None:
    for name, roles in (("push-pbx", ("pbx",)), ("push-mobile-client", ("mobile-client",))):
        requirement = _requirement(profile, name)
        assert _hosts(profile, requirement) == {"push.starface.de"}
        assert (_words(requirement.ports), requirement.transport) == ("443", "tcp")
        assert requirement.roles == roles and requirement.source.section == "Mobile clients"


def test_no_other_name_is_listed(profile: Profile) -> None:
    names = {h for group in profile.names.values() for entry in group.domains for h in entry.hosts}
    assert names == {row[0] for row in SERVERS} | {"push.starface.de"}
    entries = [entry for group in profile.names.values() for entry in group.domains]
    assert all(entry.certain and entry.purpose and entry.used_by for entry in entries)


def test_connect_addresses(profile: Profile) -> None:
    networks = {network for group in profile.networks.values() for network in group.networks}
    assert networks == {f"{address}/32" for address in CONNECT.split()}
    rows = {r.id: r for r in profile.requirements if r.targets.networks}
    assert {(name, r.transport, _words(r.ports), r.probe) for name, r in rows.items()} == {
        ("connect-sip-udp", "udp", "5060", "sip"),
        ("connect-sip-tls", "tcp", "5061", "sip"),
        ("connect-rtp", "udp", "1025-65535", "rtp"),
    }
    assert all(r.roles == ("starface-connect",) for r in rows.values())
    assert all("Connect line is used" in r.condition for r in rows.values())
    assert rows["connect-sip-udp"].importance is Importance.REQUIRED, "with this role, a block counts"


@pytest.mark.parametrize("role", SCENARIOS)
@pytest.mark.parametrize(("direction", "column"), [("inbound", 0), ("outbound", 1)])
def test_scenario(profile: Profile, role: str, direction: str, column: int) -> None:
    section = f"Typical scenarios: {direction} ports"
    rows = [r for r in profile.requirements if role in r.roles and r.source.section == section]
    assert {r.direction for r in rows} == {direction}
    printed = SCENARIOS[role][column].split()
    assert sorted(f"{_words(r.ports)}/{r.transport}" for r in rows) == sorted(printed)


@pytest.mark.parametrize("role", SCENARIOS)
def test_a_scenario_has_no_other_row(profile: Profile, role: str) -> None:
    others = [r for r in profile.requirements if role in r.roles and r.ports]
    assert {r.source.section.partition(":")[0] for r in others} == {"Typical scenarios"}


def test_the_page_has_three_scenarios_and_the_fourth_says_so(profile: Profile) -> None:
    titles = {role.name: role.title for role in profile.roles}
    assert "not one of the page's" in titles["scenario-all-functions"]
    (found,) = [n for n in profile.normalisations if "three scenarios" in n.printed]
    assert "of our own" in found.used


def test_outbound_rtp_is_for_any_provider(profile: Profile) -> None:
    """The page names no destination: a rule for STARFACE Connect alone would mute every other provider."""
    row = _requirement(profile, "outbound-rtp")
    assert not (row.targets.networks or row.targets.hosts) and "the WAN" in row.targets.description
    assert row.importance is Importance.REQUIRED and "during a call alone" in row.untestable


def test_users_who_go_out_do_not_ask_the_own_pbx(profile: Profile) -> None:
    """What leaves by the WAN is not shown to work by a PBX that stands on this side of it."""
    out = [r for r in profile.requirements if r.id.startswith("outbound-")]
    assert not [r.id for r in out if "{starface}" in r.targets.hosts]
    remote = {r.id: r.importance for r in out if r.targets.hosts == ("{remote-starface}",)}
    assert set(remote.values()) == {Importance.RECOMMENDED}
    assert remote.keys() == {
        "outbound-web",
        "outbound-xmpp",
        "outbound-provisioning",
        "outbound-provisioning-tls",
    }


def test_the_fourth_scenario_holds_the_third(profile: Profile) -> None:
    third = {r.id for r in profile.requirements if "scenario-remote-users-and-web" in r.roles}
    assert third < {r.id for r in profile.requirements if "scenario-all-functions" in r.roles}


@pytest.mark.parametrize(("name", "words"), ROWS_OF_A_SCENARIO)
def test_row_of_a_scenario(profile: Profile, name: str, words: str) -> None:
    requirement = _requirement(profile, name)
    assert words in requirement.title
    inbound = requirement.direction == "inbound"
    setting = "port forwarding" if inbound else "direction WAN allowed"
    assert requirement.note.startswith(f"Setting: {setting}.")
    assert bool(requirement.untestable) is (name == "outbound-rtp")
    assert (requirement.probe == "inbound" and requirement.targets.responder) is inbound


def test_footnote_on_5061(profile: Profile) -> None:
    rows = [r for r in profile.requirements if "scenario-provider" in r.roles and _words(r.ports) == "5061"]
    scenario = [r for r in rows if r.source.section.startswith("Typical")]
    assert {r.id for r in scenario} == {"inbound-sip-tls", "outbound-sip-tls"}
    assert all("the provider supports it" in r.condition for r in scenario)
    assert {r.importance for r in rows} == {Importance.OPTIONAL}


def test_tls_1_0_is_refused(profile: Profile) -> None:
    (found,) = profile.cryptography
    assert found.refused_versions == ("TLS 1.0",)
    assert found.versions == ("TLS 1.1", "TLS 1.2", "TLS 1.3")
    assert _words(found.ports) == "443 5061 5223"


def test_inbound_needs_a_far_end(profile: Profile) -> None:
    inbound = [r for r in profile.requirements if r.direction == "inbound"]
    assert {r.id for r in inbound if r.untestable} == {"media-from-pbx"}, "it comes back the way it went"
    assert all(r.targets.responder and r.probe == "inbound" for r in inbound if not r.untestable)
    made = plan(_plain(profile), find(), Selection(roles=("scenario-provider",), controls=False), seed=1)
    assert made.untested["inbound-rtp"] == NO_RESPONDER


def test_a_silent_port_is_a_fault_where_clients_come_from_anywhere(profile: Profile) -> None:
    """A provider's packets come from the provider's addresses, and a firewall may open to these alone."""
    inbound = [r for r in profile.requirements if r.probe == "inbound"]
    anyone = {r.id for r in inbound if r.params.get("open_to") == "anyone"}
    assert anyone == {
        "inbound-web", "inbound-xmpp", "inbound-provisioning", "inbound-provisioning-tls", "inbound-http"
    }  # fmt: skip


def test_with_a_responder_the_ports_of_the_rows_are_called(profile: Profile) -> None:
    roles, responder = ("scenario-remote-users",), ("203.0.113.9", 3478)
    made = plan(_plain(profile), find(), Selection(roles=roles, controls=False, responder=responder), seed=1)
    calls = {c.requirement: c.params for c in made.checks if c.probe == "inbound"}
    assert (calls["inbound-sip-udp"].called, calls["inbound-sip-udp"].transport) == ((5060,), "udp")
    assert calls["inbound-web"].called == (443,) and calls["inbound-web"].transport == "tcp"
    rtp = calls["inbound-rtp"].called
    assert 2 <= len(set(rtp)) == len(rtp) <= 4 and all(10000 <= port <= 20000 for port in rtp)


def test_inbound_leads_to_the_pbx_that_is_given(profile: Profile) -> None:
    """So that a firewall rule for it can be written with the same --set as the clients need."""
    inbound = {r.id: r.targets.hosts for r in profile.requirements if r.direction == "inbound"}
    assert inbound.pop("media-from-pbx") == (), "its far end are clients"
    assert set(inbound.values()) == {("{starface}",)}


def test_what_is_spoken_on_these_ports_is_not_known(profile: Profile) -> None:
    for name in ("active-directory", "interconnection-udp"):
        assert "does not say what is spoken" in _requirement(profile, name).untestable


def test_clients_ask_the_pbx(profile: Profile) -> None:
    asked = {
        r.id: (r.probe, r.params.get("speaks") or r.params.get("transport"))
        for r in profile.requirements
        if r.targets.hosts == ("{starface}",) and r.probe and r.direction != "inbound"
    }
    assert asked == {
        "web-https": ("tcp", None),
        "web-http": ("http", None),
        "client-https": ("tcp", None),
        "client-http": ("http", None),
        "pbx-tls": ("tls", None),
        "xmpp": ("tcp", "xmpp"),
        "sip-udp": ("sip", "udp"),
        "sip-tcp": ("sip", "tcp"),
        "sip-tls": ("sip", None),
        "provisioning": ("http", None),
        "provisioning-tls": ("tls", None),
    }


def test_a_certificate_of_the_owners_making_is_no_obstacle(profile: Profile) -> None:
    """No row that TLS to the customer's own PBX could fail is required."""
    secure = [r for r in profile.requirements if r.targets.hosts and r.probe in {"tls", "sip"}]
    own = [r for r in secure if "{starface}" in r.targets.hosts and r.params.get("transport") is None]
    assert own and {r.importance for r in own} == {Importance.OPTIONAL}


def test_silence_of_media_ports_is_no_obstacle(profile: Profile) -> None:
    """What answers during a call alone cannot be required to answer now."""
    rtp = {r.id: r.importance for r in profile.requirements if r.probe == "rtp"}
    assert rtp == {"connect-rtp": Importance.RECOMMENDED}
    assert "during a call alone" in _requirement(profile, "media-to-pbx").untestable


def test_silence_of_a_provider_is_no_obstacle(profile: Profile) -> None:
    asked = [r for r in profile.requirements if r.targets.hosts == ("{sip-provider}",)]
    assert {r.importance for r in asked} == {Importance.RECOMMENDED, Importance.OPTIONAL}


def test_the_default_role_requires_the_licence_alone(profile: Profile) -> None:
    pbx = [r for r in profile.requirements if "pbx" in r.roles]
    assert [r.id for r in pbx if r.importance is Importance.REQUIRED] == ["licence-https"]
    conditional = [r for r in pbx if r.condition]
    assert all(r.importance in (Importance.OPTIONAL, Importance.RECOMMENDED) for r in conditional)


def test_every_requirement_is_cited_and_leads_somewhere(profile: Profile) -> None:
    for requirement in profile.requirements:
        assert requirement.source.document == "port-usage", requirement.id
        assert requirement.source.section in SECTIONS, requirement.id
        targets = requirement.targets
        aimed = targets.networks or targets.names or targets.hosts
        assert requirement.untestable or (aimed and requirement.ports), requirement.id
        assert not (requirement.untestable and requirement.probe), requirement.id
    assert {r.source.section for r in profile.requirements} == SECTIONS


def test_every_group_and_placeholder_is_used(profile: Profile) -> None:
    targets = [r.targets for r in profile.requirements]
    assert {name for t in targets for name in t.names} == profile.names.keys()
    assert {host.strip("{}") for t in targets for host in t.hosts} == profile.placeholders.keys()
    assert profile.placeholders.keys() == GIVEN.keys()


@pytest.mark.parametrize(("printed", "used"), GARBLED)
def test_garbled_value_is_normalised(profile: Profile, printed: str, used: str) -> None:
    found = [n for n in profile.normalisations if printed in n.printed]
    assert any(used in n.used and n.reason and n.source.section in SECTIONS for n in found)


@pytest.mark.parametrize("printed", AMBIGUOUS)
def test_ambiguous_value_names_the_other_reading(profile: Profile, printed: str) -> None:
    assert any(n.alternative for n in profile.normalisations if printed in n.printed)


def test_the_german_page_bears_no_value(profile: Profile) -> None:
    """It may only support a reading: every contradiction stands by the page's own statements."""
    rows = {row.source.document for row in profile.normalisations}
    assert rows | {r.source.document for r in profile.requirements} == {"port-usage"}
    for contradiction in profile.contradictions:
        own = [s for s in contradiction.statements if s.source.document == "port-usage"]
        assert len(own) >= 2, contradiction.about


def test_5223_is_a_contradiction_and_no_rule(profile: Profile) -> None:
    assert not [r.id for r in profile.requirements if "5223" in _words(r.ports)]
    found = next(c for c in profile.contradictions if c.about == "5223 or 5222")
    said = {statement.source.section: statement.says for statement in found.statements}
    assert "5223" in said["TLS versions"] and "5222" in said["Port table"]


def test_contradictions_on_5061_and_443(profile: Profile) -> None:
    said = {c.about: [statement.says for statement in c.statements] for c in profile.contradictions}
    assert len(said) == 3
    assert any("UCC client" in text for text in said["who 5061 depends on"])
    assert any("by http on 443" in text for text in said["whether 443 is encrypted"])


def test_a_run_at_the_pbx_needs_nothing_to_be_given(profile: Profile) -> None:
    made = plan(_plain(profile), find(), Selection(controls=False), seed=1)
    assert {(c.target.host, c.target.ports) for c in made.checks if c.target.host} == {
        *((host, port) for host, port, *_ in SERVERS),
        ("push.starface.de", "443"),
    }
    assert made.untested["ntp"] == "needs --set ntp-server=VALUE"


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        ("ucc-client", "starface"),
        ("mobile-client", "starface"),
        ("phone", "starface"),
        ("browser", "starface"),
        ("scenario-provider", "sip-provider"),
        ("scenario-remote-users", "remote-starface"),
    ],
)
def test_a_run_says_what_to_give(profile: Profile, role: str, missing: str) -> None:
    made = plan(_plain(profile), find(), Selection(roles=(role,), controls=False), seed=1)
    assert f"needs --set {missing}=VALUE" in made.untested.values()


@pytest.mark.parametrize("role", ["ucc-client", "phone", "browser", *SCENARIOS, "scenario-all-functions"])
def test_with_everything_given_only_the_far_end_is_missing(profile: Profile, role: str) -> None:
    selection = Selection(roles=(role,), controls=False, values=GIVEN)
    made = plan(_plain(profile), find(), selection, seed=1)
    assert made.checks
    assert not [reason for reason in made.untested.values() if "--set" in reason]
    assert set(made.untested) == {r.id for r in made.selected if r.untestable or r.targets.responder}
