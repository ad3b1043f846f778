"""The profile of Dedicated Instance against a reading of its source document by hand."""

import ipaddress
import re
from importlib import resources
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.observation import Target
from readycheck.plan import Scope, Selection, plan
from readycheck.profile import Importance, Profile, Requirement
from readycheck.profile_file import parse
from readycheck.registry import find
from readycheck.verdict import Judgement, Readiness
from readycheck_probes.dns import DnsProbe
from readycheck_probes.rtp import RtpProbe
from readycheck_probes.tls import TlsProbe
from tests.unit.builders import World, conclude, make_registry

NAME = "webex-calling-dedicated-instance"
ABOVE, MEDIA = "1024-65535", "16384-32767"

# Tables 2 to 5, in their order: transport, source, destination, source ports, ports, and the rows that hold it.
# A row between two Unified CMs is two: from the customer's own, and towards it.
TABLE_2 = [
    ("tcp", "client", "UC applications", ABOVE, "22", "uc-ssh"),
    ("udp", "endpoint", "Unified CM", ABOVE, "69", "tftp-legacy"),
    ("tcp", "UC applications", "external directory", ABOVE, "389", "ldap-inbound"),
    ("tcp", "browser", "UC applications", ABOVE, "443", "uc-web-443"),
    ("tcp", "UC application", "Unity Connection", ABOVE, "587", "mail-submission"),
    ("tcp", "UC applications", "external directory", ABOVE, "636", "ldaps-inbound"),
    ("tcp", "gateway", "Unified CM", ABOVE, "1720", "h323-gateway"),
    ("tcp", "Unified CM", "Unified CM", ABOVE, "1720", "h323-cluster h323-inbound"),
    ("tcp", "endpoint", "Unified CM, Unity Connection", ABOVE, "2000", "sccp-endpoint"),
    ("tcp", "Unified CM", "Unified CM, gateway", ABOVE, "2000", "sccp-cluster sccp-inbound"),
    ("udp", "gateway", "printed as gateway; read as Unified CM", ABOVE, "2427", "mgcp"),
    ("tcp", "gateway", "Unified CM", ABOVE, "2428", "mgcp-backhaul"),
    ("tcp", "endpoint", "Unified CM, Unity Connection", ABOVE, "2443", "sccp-endpoint-secure"),
    ("tcp", "Unified CM", "Unified CM, gateway", ABOVE, "2443", "sccp-cluster-secure sccp-inbound-secure"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "2445", "trust-verification"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "2748", "cti"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "2749", "cti-secure"),
    ("tcp", "UC applications", "external directory", ABOVE, "3268", "global-catalog-inbound"),
    ("tcp", "UC applications", "external directory", ABOVE, "3269", "global-catalog-secure-inbound"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "3804", "capf"),
    ("tcp", "endpoint", "Unified CM, Unity Connection", ABOVE, "5060", "sip-endpoint"),
    ("tcp", "Unified CM", "Unified CM, gateway", ABOVE, "5060", "sip-cluster sip-inbound"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "5061", "sip-endpoint-secure"),
    ("tcp", "Unified CM", "Unified CM, gateway", ABOVE, "5061", "sip-cluster-secure sip-inbound-secure"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "5090", "sip-oauth"),
    ("tcp", "Jabber client", "IM and Presence", ABOVE, "5222", "xmpp"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "6970", "configuration-http"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "6971", "configuration-https-6971"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "6972", "configuration-https-6972"),
    ("tcp", "Jabber client", "Unity Connection", ABOVE, "7080", "voicemail-notification"),
    ("tcp", "Jabber client", "Unity Connection", ABOVE, "7443", "voicemail-notification-secure"),
    ("tcp", "Unified CM", "Unified CM", ABOVE, "7501", "ils-certificate ils-certificate-inbound"),
    ("tcp", "Unified CM", "Unified CM", ABOVE, "7502", "ils-password ils-password-inbound"),
    ("tcp", "Jabber client", "Unity Connection", ABOVE, "7993", "voicemail-imap"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "8080", "directory-uri-legacy"),
    ("tcp", "browser, endpoint", "UC applications", ABOVE, "8443", "uc-web-8443"),
    ("tcp", "phone", "Unified CM", ABOVE, "9443", "contact-search"),
    ("tcp", "endpoint", "Unified CM", ABOVE, "9444", "headset-management"),
    ("udp", "Unified CM", "phone", MEDIA, MEDIA, "media-from-unified-cm"),
    ("udp", "phone", "Unified CM", MEDIA, MEDIA, "media-to-unified-cm"),
    ("tcp", "client", "Unity Connection", ABOVE, "20532", "cobras"),
    ("icmp", "endpoint", "UC applications", "", "", "ping"),
    ("icmp", "UC applications", "endpoint", "", "", "ping-inbound"),
    ("udp", "DNS forwarder", "DNS servers of the dedicated instance", ABOVE, "53", "dns-service-udp"),
    ("tcp", "DNS forwarder", "DNS servers of the dedicated instance", ABOVE, "53", "dns-service-tcp"),
]
TABLE_3 = [("udp", "Expressway C", "client", ABOVE, "36000-59999", "media-mra")]
TABLE_4 = [("udp", "Webex Calling multi-tenant", "client", ABOVE, "8000-48198", "media-registration-trunk")]
TABLE_5 = [
    ("tcp", "client", "UCCX", ABOVE, "22", "uccx-ssh"),
    ("tcp", "client or server", "UCCX", ABOVE, "1504", "uccx-database"),
    ("udp", "SIP gateway or MRCP server", "UCCX", ABOVE, "5065", "uccx-sip-udp"),
    ("tcp", "SIP gateway or MRCP server", "UCCX", ABOVE, "5065", "uccx-sip-tcp"),
    ("tcp", "client", "UCCX", ABOVE, "5223", "uccx-xmpp"),
    ("tcp", "client", "UCCX", ABOVE, "6999", "uccx-editor"),
    ("tcp", "client", "UCCX", ABOVE, "7443", "uccx-bosh"),
    ("tcp", "client", "UCCX", ABOVE, "8080", "uccx-live-data-http"),
    ("tcp", "client", "UCCX", ABOVE, "8081", "uccx-intelligence-center-http"),
    ("tcp", "client", "UCCX", ABOVE, "8443", "uccx-administration"),
    ("tcp", "client", "UCCX", ABOVE, "8444", "uccx-intelligence-center"),
    ("tcp", "browser and REST clients", "UCCX", ABOVE, "8445", "uccx-finesse"),
    ("tcp", "client", "UCCX", ABOVE, "8447", "uccx-intelligence-center-help"),
    ("tcp", "client", "UCCX", ABOVE, "8553", "uccx-single-sign-on"),
    ("tcp", "client", "UCCX", ABOVE, "9080", "uccx-triggers-http"),
    ("tcp", "client", "UCCX", ABOVE, "9443", "uccx-triggers-https"),
    ("tcp", "client", "UCCX", ABOVE, "12014", "uccx-live-data-12014"),
    ("tcp", "client", "UCCX", ABOVE, "12015", "uccx-live-data-12015"),
    ("tcp", "client", "UCCX", ABOVE, "12028", "uccx-cti"),
    # printed as TCP: see the normalisations
    ("udp", "endpoint", "UCCX", ABOVE, ABOVE, "uccx-media"),
    ("udp", "client", "endpoint", ABOVE, ABOVE, "uccx-media-endpoints"),
]
TABLES = {"Table 2": TABLE_2, "Table 3": TABLE_3, "Table 4": TABLE_4, "Table 5": TABLE_5}
ROWS = [(table, *row) for table, rows in TABLES.items() for row in rows]

# Table 6.
DNS_SERVICE = {
    "amer": "69.168.17.100 69.168.17.228",
    "emea": "178.215.138.100 178.215.138.228",
    "eu": "178.215.131.100 178.215.131.228",
    "apjc": "103.232.71.100 103.232.71.228",
    "aus": "178.215.128.100 178.215.128.228",
}

# What answers on each tested port: probe, and what decides within it.
PROOFS = {
    "uc-ssh": ("tcp", {"speaks": "ssh"}),
    "uccx-ssh": ("tcp", {"speaks": "ssh"}),
    "mail-submission": ("tcp", {"speaks": "smtp"}),
    "voicemail-imap": ("tcp", {"speaks": "imaps"}),
    "xmpp": ("tcp", {"speaks": "xmpp"}),
    "uccx-xmpp": ("tcp", {"speaks": "xmpp-tls"}),
    "ldap-answers": ("tcp", {"speaks": "ldap"}),
    "ldaps-answers": ("tcp", {"speaks": "ldaps"}),
    "global-catalog-answers": ("tcp", {"speaks": "ldap"}),
    "global-catalog-secure-answers": ("tcp", {"speaks": "ldaps"}),
    "h323-gateway": ("tcp", {"speaks": "h323"}),
    "h323-cluster": ("tcp", {"speaks": "h323"}),
    "sccp-endpoint": ("tcp", {"speaks": "sccp"}),
    "sccp-cluster": ("tcp", {"speaks": "sccp"}),
    "mgcp-backhaul": ("tcp", {"speaks": "mgcp"}),
    "sccp-endpoint-secure": ("mtls", {}),
    "sccp-cluster-secure": ("mtls", {}),
    "sip-endpoint-secure": ("mtls", {}),
    "sip-cluster-secure": ("mtls", {}),
    "ils-certificate": ("mtls", {}),
    "sip-oauth": ("sip", {"transport": "tls"}),
    "sip-endpoint": ("sip", {"transport": "tcp"}),
    "sip-cluster": ("sip", {"transport": "tcp"}),
    "uccx-sip-tcp": ("sip", {"transport": "tcp"}),
    "uccx-sip-udp": ("sip", {"transport": "udp"}),
    "ping": ("icmp", {}),
}
PLAIN_HTTP = "6970 7080 8080 8081 9080"
IN_TLS = "6971 6972 7443 7502 8444 8445 8447 8553 9443 9444"

STATEMENTS = """
    no-nat peering-link ports-by-deployment snmp-closed public-certificates separate-vlans port-security
    ip-source-guard arp-inspection dot1x firewall-blocks-the-rest phone-hardening srst-tls mra-encryption
    mixed-mode toll-fraud qos-marking dns-service-no-ping dns-mra voice-service-domain
"""

# A piece of each damaged or doubtful value, and a piece of what is used in its place.
GARBLED = [
    ("TCP/UCP", "TCP/UDP"),
    ("移動先", "destination"),
    ("1023 より上", "1024-65535"),
    ("16384~32767 *", "16384-32767"),
    ("36000~59999", "36000-59999"),
    ("8000~48198", "8000-48198"),
    ("5063 ~ 5080", "5063-5080"),
    ("該当せず", "no ports"),
    ("DNS UDPおよびTCP", "UDP and TCP"),
    ("listed in table 1", "table 2"),
    ("治験実施計画書", "protocols"),
    ("802。1x", "802.1X"),
    ("カム テーブル", "CAM table"),
    ("コブラ", "COBRAS"),
    ("Jabber クライアント", "hold for soft clients too"),
    ("gateway to gateway", "gateway to Unified CM"),
    ("not allowed for Cisco Expressway", "443 and for ping only"),
    ("CUCxn; Cisco IM&P", "Unity Connection; IM and Presence"),
    ("587", "Unity Connection"),
    ("Unified CM to Unified CM", "between the customer's own Unified CM and that of the cloud"),
    ("3268 and 3269", "3269 over TLS"),
    ("Expressway C to client", "inbound"),
    ("RTP/RTCP/RTP/RTCP", "RTP and RTCP"),
    ("クライアント", "customer's end of the trunk"),
    ("MCRP", "MRCP"),
    ("5065", "to Unified CCX"),
    ("RTP(メディア), TCP", "UDP 1024-65535"),
    ("12014 and 12015", "socket.IO"),
    ("CVD", "6999"),
    ("SNMP", "only for Emergency Responder"),
    ("デフォルトで有効", "mixed mode is on by default"),
    ("SRST", "SRST gateway serves"),
    ("6971 and 6972", "source ports ephemeral"),
    ("<region> .wxc-di.webex.com", "<customer>.<region>.wxc-di.webex.com"),
    ("DNS record of this FQDN", "nodes below"),
    ("xyz.amer.wxc-di.webex.comを", "xyz.amer.wxc-di.webex.com"),
    ("<customer>www.wxc-di.webex.com", "<customer>.amer.wxc-di.webex.com"),
    ("アメリカ", "amer"),
    ("日英", "without a city"),
    ("キーボード", "TKY"),
    ("モデル", "MEL"),
    ("AMS in two regions", "both"),
]

# The alternative reading is there wherever the document allows two.
AMBIGUOUS = [
    ("Jabber クライアント", "hardware alone"),
    ("gateway to gateway", "Unified CM to gateway"),
    ("not allowed for Cisco Expressway", "on 8443 too"),
    ("5065", "from Unified CCX"),
    ("DNS record of this FQDN", "address record itself"),
    ("587", "customer's mail server"),
    ("Unified CM to Unified CM", "within the cloud"),
    ("3268 and 3269", "plain"),
    ("Expressway C to client", "for Expressway-E, and clients send to them"),
    ("RTP(メディア), TCP", "TCP 1024-65535"),
    ("SNMP", "only where"),
    ("日英", "LAX"),
]

CONTRADICTIONS = [
    ("5065", "5063-5080", "UDP and TCP 5065"),
    ("8443", "8443 is HTTPS", "8443 is HTTP:"),
    ("registration-based trunk", "8000-48198", "8000-48199"),
    ("RTP", "UDP", "TCP"),
]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return parse(resources.files("readycheck_profiles").joinpath(f"{NAME}.toml").read_bytes(), f"{NAME}.toml")


def _requirement(profile: Profile, name: str) -> Requirement:
    return next(requirement for requirement in profile.requirements if requirement.id == name)


def _words(ports: tuple[object, ...]) -> str:
    return " ".join(str(port) for port in ports)


def _of(profile: Profile, **wanted: Any) -> set[str]:
    return {r.id for r in profile.requirements if all(getattr(r, k) == v for k, v in wanted.items())}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[5]} {row[6]}" for row in ROWS])
def test_row(profile: Profile, row: tuple[str, str, str, str, str, str, str]) -> None:
    table, transport, origin, destination, source_ports, ports, held_by = row
    for requirement in (_requirement(profile, name) for name in held_by.split()):
        assert requirement.source.section.startswith(f"{table}:")
        assert (requirement.transport, requirement.origin) == (transport, origin)
        assert requirement.targets.description.partition(":")[0] == destination
        assert (_words(requirement.source_ports), _words(requirement.ports)) == (source_ports, ports)


def test_nothing_is_taken_from_the_tables_that_they_do_not_print(profile: Profile) -> None:
    rows = {name for row in ROWS for name in row[6].split()}
    ours = {name for name in PROOFS if name.endswith("-answers")}  # half of the directory's rows
    tables = {r.id for r in profile.requirements if re.match("Table [2-5]:", r.source.section)}
    assert tables == rows | ours
    assert {len(rows) for rows in TABLES.values()} == {45, 1, 21}  # UDP and TCP of one row counted apart


@pytest.mark.parametrize("name", [name for row in ROWS for name in row[6].split()])
def test_direction_is_seen_from_the_site(profile: Profile, name: str) -> None:
    """What the cloud opens comes in, what the site opens goes out, and only one row stays at the site."""
    requirement = _requirement(profile, name)
    cloud = ("UC applications", "Expressway C", "Webex Calling multi-tenant")
    inbound = requirement.origin in cloud or "inbound" in name or name == "media-from-unified-cm"
    expected = "inbound" if inbound else "internal" if name == "uccx-media-endpoints" else "outbound"
    assert requirement.direction == expected
    assert bool(requirement.targets.hosts) == (expected == "outbound")
    assert expected == "outbound" or requirement.untestable


@pytest.mark.parametrize(("region", "addresses"), DNS_SERVICE.items())
def test_dns_service_of_a_region(profile: Profile, region: str, addresses: str) -> None:
    group = profile.networks[f"dns-{region}"]
    assert list(group.networks) == [f"{address}/32" for address in addresses.split()]
    for transport in ("udp", "tcp"):
        row = _requirement(profile, f"dns-service-{region}-{transport}")
        assert (row.transport, _words(row.ports), row.probe) == (transport, "53", "dns")
        assert row.targets.networks == (f"dns-{region}",)
        assert row.params["names"] == [f"{region}.wxc-di.webex.com"]


def test_regions(profile: Profile) -> None:
    assert profile.placeholders["region"].choices == tuple(DNS_SERVICE)
    assert set(profile.networks) == {f"dns-{region}" for region in DNS_SERVICE}
    patterns = [entry.pattern for entry in profile.names["regional-domains"].domains]
    assert patterns == [f"*.{region}.wxc-di.webex.com" for region in DNS_SERVICE]


def test_placeholders_have_a_use_and_an_example(profile: Profile) -> None:
    hosts = {host for r in profile.requirements for host in r.targets.hosts}
    assert {name for host in hosts for name in re.findall(r"{(.*?)}", host)} == set(profile.placeholders)
    for placeholder in profile.placeholders.values():
        assert placeholder.title and placeholder.example and not placeholder.required
    printed = {address for addresses in DNS_SERVICE.values() for address in addresses.split()}
    assert {profile.placeholders[name].example for name in ("dns-service", "dns-service-2")} <= printed


def test_placeholders_of_the_dns_service_name_the_addresses_to_give(profile: Profile) -> None:
    for region, addresses in DNS_SERVICE.items():
        for name, address in zip(("dns-service", "dns-service-2"), addresses.split(), strict=True):
            assert re.search(rf"\b{region} {re.escape(address)}(,|$)", profile.placeholders[name].title)


def test_the_name_to_look_up_is_never_an_address(profile: Profile) -> None:
    row = _requirement(profile, "dns-site-lookup")
    examples = {name: placeholder.example for name, placeholder in profile.placeholders.items()}
    (host,) = row.targets.hosts
    assert host.replace("{", "{0[").replace("}", "]}").format(examples) == examples["unified-cm"]
    assert host.endswith("{customer}.{region}.wxc-di.webex.com") and row.importance is Importance.REQUIRED


@pytest.mark.parametrize(("name", "proof"), PROOFS.items())
def test_what_must_answer(profile: Profile, name: str, proof: tuple[str, dict[str, str]]) -> None:
    requirement = _requirement(profile, name)
    assert (requirement.probe, requirement.params) == proof


def test_web_ports_are_plain_or_in_tls_as_the_page_has_them(profile: Profile) -> None:
    """8443 of Unified CCX is printed as plain HTTP, which is one of the contradictions."""
    tested = [r for r in profile.requirements if r.probe in ("http", "tls")]
    plain = {_words(r.ports) for r in tested if r.params.get("scheme") == "http"}
    https = {_words(r.ports) for r in tested if r.params.get("scheme") == "https"}
    assert plain == set(PLAIN_HTTP.split())
    assert https == {"443", "8443"}
    assert {_words(r.ports) for r in tested if r.probe == "tls"} == {*IN_TLS.split(), "8443"}


def test_importance(profile: Profile) -> None:
    """Alternatives of each other are not required, whatever a deployment has."""
    assert _of(profile, importance=Importance.REQUIRED) == {
        "uc-web-8443",
        "uccx-finesse",
        "uccx-bosh",
        "media-mra",
        "media-registration-trunk",
        "dns-site-lookup",
        "dns-service-udp",
        "no-nat",
    }
    assert _of(profile, importance=Importance.LEGACY) == {"tftp-legacy", "directory-uri-legacy"}
    regional = {f"dns-service-{region}-{t}" for region in DNS_SERVICE for t in ("udp", "tcp")}
    assert _of(profile, importance=Importance.INFORMATIONAL) == regional | (
        set(STATEMENTS.split()) - {"no-nat"}
    )


def test_alternatives_say_when_they_count(profile: Profile) -> None:
    registration = "sip-endpoint sip-endpoint-secure sip-oauth sccp-endpoint sccp-endpoint-secure"
    assert all(_requirement(profile, name).condition for name in registration.split())
    optional = [r for r in profile.requirements if r.importance is Importance.OPTIONAL and r.probe != "icmp"]
    unconditional = {r.id for r in optional if not r.condition}
    assert unconditional == {"ping-inbound", "uccx-intelligence-center-help"}


@pytest.mark.parametrize("name", STATEMENTS.split())
def test_statement(profile: Profile, name: str) -> None:
    requirement = _requirement(profile, name)
    assert requirement.direction == "none" and requirement.untestable and not requirement.probe


def test_facts_outside_the_tables(profile: Profile) -> None:
    assert [(r.transport, _words(r.ports)) for r in profile.reserved] == [("any", "5063-5080")]
    assert [row.product for row in profile.network_access if row.methods] == ["Cisco IP phones"]
    table_1 = {row.purpose.partition(":")[0]: row.note.partition(";")[0] for row in profile.cryptography}
    assert table_1 == {"SIP": "TLS", "HTTPS": "TLS", "Media": "SRTP", "XMPP": "TLS"}
    assert "Expressway" in _requirement(profile, "uc-ssh").note
    assert not any("expressway" in host for host in _requirement(profile, "uc-ssh").targets.hosts)
    reached = {r.id for r in profile.requirements if "{expressway}" in r.targets.hosts}
    assert reached == {"uc-web-443", "ping"}
    notes = [_requirement(profile, f"media-{way}-unified-cm").note for way in ("to", "from")]
    assert all("special cases" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trust-verification", "application servers"),
        ("capf", "(ITL)"),
        ("capf", "public authority"),
        ("configuration-https-6971", "6971 and 6972, from ephemeral ports"),
        ("configuration-http", "not secure"),
        ("sip-endpoint", "toll fraud"),
        ("sip-oauth", "with or without mixed mode"),
        ("sip-inbound-secure", "no SIP row from gateways"),
        ("media-mra", "no port for the signalling"),
        ("mra-encryption", "mutual TLS"),
        ("dns-site-lookup", "cannot register over the peering link"),
    ],
)
def test_prose_stands_at_its_row(profile: Profile, name: str, words: str) -> None:
    assert words in _requirement(profile, name).note


def test_roles(profile: Profile) -> None:
    assert profile.default_roles() == ("endpoint", "jabber", "browser", "dns-forwarder")
    assert all(any(role.name in r.roles for r in profile.requirements) for role in profile.roles)


def test_soft_clients_register_and_talk_like_endpoints(profile: Profile) -> None:
    shared = (
        "sip-endpoint sip-endpoint-secure sip-oauth capf media-to-unified-cm media-from-unified-cm no-nat"
    )
    assert all(set(_requirement(profile, name).roles) == {"endpoint", "jabber"} for name in shared.split())


def test_requirements_are_cited_and_lead_somewhere(profile: Profile) -> None:
    for requirement in profile.requirements:
        assert requirement.source.document == "network-requirements" and requirement.source.section
        aimed = requirement.targets.networks or requirement.targets.hosts
        icmp = requirement.transport == "icmp"
        assert requirement.untestable or (aimed and (requirement.ports or icmp)), requirement.id
        assert not (requirement.untestable and requirement.probe), requirement.id


def test_nothing_follows_a_proxy_and_nothing_is_pinned(profile: Profile) -> None:
    assert not profile.pins and not [r.id for r in profile.requirements if r.proxied or r.pinned]


@pytest.mark.parametrize(("printed", "used"), GARBLED)
def test_garbled_value_is_normalised(profile: Profile, printed: str, used: str) -> None:
    found = [n for n in profile.normalisations if printed in n.printed]
    assert any(used in n.used and n.reason for n in found)


@pytest.mark.parametrize(("printed", "other"), AMBIGUOUS)
def test_ambiguous_value_names_the_other_reading(profile: Profile, printed: str, other: str) -> None:
    assert any(other in n.alternative for n in profile.normalisations if printed in n.printed)


@pytest.mark.parametrize(("about", "one", "other"), CONTRADICTIONS)
def test_contradiction_has_both_sides(profile: Profile, about: str, one: str, other: str) -> None:
    found = next(c for c in profile.contradictions if about in c.about)
    said = [statement.says for statement in found.statements]
    assert any(one in text for text in said) and any(other in text for text in said)
    assert found.used and found.reason


# --- a run --------------------------------------------------------------------------------------------


def test_without_values_the_printed_addresses_are_asked_and_the_rest_says_what_to_give(
    profile: Profile,
) -> None:
    made = plan(profile, find(), Selection(controls=False), 1)
    asked = [(c.requirement, [(t.address, t.port) for t in c.params.targets]) for c in made.checks]
    assert {row for row, _ in asked} == {f"dns-service-{r}-{t}" for r in DNS_SERVICE for t in ("udp", "tcp")}
    addresses = sorted(target for row, targets in asked if str(row).endswith("udp") for target in targets)
    assert addresses == sorted((a, 53) for group in DNS_SERVICE.values() for a in group.split())
    for requirement in made.selected:
        if requirement.probe and not requirement.targets.networks:
            assert re.search(r"needs --set [a-z0-9-]+.*=VALUE", made.untested[requirement.id])


OF_AMERICA = {"dns-service": "69.168.17.100", "dns-service-2": "69.168.17.228"}


def _peered(target: Target) -> str | None:
    """A peering link leads to one region, and the site lets DNS go nowhere else."""
    near = ipaddress.ip_address(str(target.address)) in ipaddress.ip_network("69.168.17.0/24")
    return None if near else "drop"


def _forwarder(profile: Profile, **changes: Any) -> World:
    given = Selection(roles=("dns-forwarder",), values=OF_AMERICA, controls=False)
    return World(profile=profile, selection=given, registry=make_registry(DnsProbe), **changes)


def test_other_regions_may_be_silent(profile: Profile) -> None:
    found = conclude(_forwarder(profile, wall=_peered))
    statuses = found.statuses()
    assert found.readiness is Readiness.READY
    assert {statuses[f"dns-service{suffix}-udp"] for suffix in ("", "-amer")} == {Judgement.PASS}
    silent = {
        statuses[f"dns-service-{region}-{t}"]
        for region in DNS_SERVICE
        if region != "amer"
        for t in ("udp", "tcp")
    }
    assert silent == {Judgement.INCONCLUSIVE}
    assert not found.findings


def test_the_own_region_may_not(profile: Profile) -> None:
    found = conclude(_forwarder(profile, wall=lambda target: "drop"))
    assert found.readiness is Readiness.NOT_READY
    assert found.statuses()["dns-service-udp"] is Judgement.FAIL


def test_the_service_need_not_know_the_name_that_it_is_asked_for(profile: Profile) -> None:
    found = conclude(_forwarder(profile, resolver=lambda transport: Failure.DNS_REFUSED))
    assert found.readiness is Readiness.READY


def test_both_data_centres_are_asked(profile: Profile) -> None:
    made = _forwarder(profile).plan
    asked = [c.target.address for c in made.checks if c.requirement == "dns-service-udp"]
    assert asked == list(OF_AMERICA.values())
    assert {c.scope for c in made.checks} == {Scope.NAMED, Scope.SAMPLED}


def test_media_ports_that_are_silent_without_a_call_leave_a_verdict(profile: Profile) -> None:
    given = Selection(roles=("endpoint",), values={"unified-cm": "192.0.2.10"}, controls=False)
    found = conclude(
        World(
            profile=profile,
            selection=given,
            registry=make_registry(RtpProbe, TlsProbe),
            mute=lambda target: target.transport == "udp",
        )
    )
    assert found.statuses()["configuration-https-6971"] is Judgement.PASS
    assert found.statuses()["media-to-unified-cm"] is Judgement.SKIPPED
    assert found.readiness is not Readiness.UNKNOWN
