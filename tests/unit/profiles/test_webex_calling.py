"""The profile of Webex Calling against a reading of its source document by hand."""

import base64
import hashlib
import ipaddress
import re
import warnings
from importlib import resources

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from readycheck.profile import Importance, Profile, Requirement
from readycheck.profile_file import parse

SERVICE = """
    23.89.0.0/16 85.119.56.0/23 128.177.14.0/24 128.177.36.0/24 135.84.168.0/21 139.177.64.0/21
    139.177.72.0/23 144.196.0.0/16 150.253.128.0/17 163.129.0.0/16 170.72.0.0/16 170.133.128.0/18
    185.115.196.0/22 199.19.196.0/23 199.19.199.0/24 199.59.64.0/21
"""
DEVICE_CONFIGURATION = """
    3.20.185.219/32 3.130.87.169/32 3.134.166.179/32 52.26.82.54/32 72.163.10.96/27 72.163.15.64/26
    72.163.15.128/26 72.163.24.0/23 72.163.10.128/25 173.37.146.128/25 173.36.127.0/26
    173.36.127.128/26 173.37.26.0/23 173.37.149.96/27 192.133.220.0/26 192.133.220.64/26
"""
APP_CONFIGURATION = "62.109.192.0/18 64.68.96.0/19 150.253.128.0/17 207.182.160.0/19"

DOMAINS = """
    *.broadcloudpbx.com *.broadcloud.com.au *.broadcloud.eu *.broadcloudpbx.net *.webex.com
    *.cisco.com *.ucmgmt.cisco.com *.wbx2.com *.ciscospark.com *.webexapis.com *.webexcontent.com
    *.webexconnect.com *.accompany.com *.appdynamics.com *.eum-appdynamics.com *.sipflash.com
    *.walkme.com *.walkmeusercontent.com *.google.com *.googleapis.com activate.cisco.com
    webapps.cisco.com binaries.webex.com sudirenewal.cisco.com upgrade.cisco.com
    cloudupgrader.webex.com cscan.webex.com
"""

# What today's tables and their notes print; the other names come from the history or from elsewhere.
PRINTED_TODAY = """
    activate.cisco.com webapps.cisco.com binaries.webex.com sudirenewal.cisco.com upgrade.cisco.com
    cloudupgrader.webex.com cscan.webex.com webexapis.com
"""

# Not here: 52.26.82.54, which was removed and added again.
WITHDRAWN = """
    3.20.118.133 3.20.228.133 3.23.144.213 3.130.125.44 3.132.162.62 3.140.117.199 18.232.241.58
    35.168.211.203 50.16.236.139 52.45.157.48 54.145.130.71 54.156.13.25 54.68.1.225 170.72.231.0
    170.72.231.10 170.72.231.161 170.72.242.0/24 35.172.26.181 52.86.172.220 52.203.31.41 64.68.99.6
    64.68.100.6 199.59.67.156 199.59.64.156
"""

# requirement, direction, transport, source ports, ports, roles, network groups
PORT_TABLE = [
    ("sip-endpoints", "outbound", "tcp", "", "8934", "app device", "service"),
    ("sip-registration-trunk", "outbound", "tcp", "8000-65535", "8934", "local-gateway", "service"),
    ("sip-certificate-trunk", "outbound", "tcp", "8000-65535", "5062", "local-gateway", "service"),
    ("sip-inbound-trunk", "inbound", "tcp", "8934", "", "local-gateway", "service"),
    (
        "media-stun",
        "outbound",
        "udp",
        "8500-8599 8600-8699 19560-19660 8000-48199",
        "5004 9000",
        "app device local-gateway",
        "service",
    ),
    (
        "media-srtp-range",
        "outbound",
        "udp",
        "8500-8599 8600-8699 19560-19660",
        "19560-65535",
        "app device",
        "service",
    ),
    ("media-srtp-local-gateway", "outbound", "udp", "8000-48199", "19560-65535", "local-gateway", "service"),
    ("media-app-audio", "outbound", "udp", "8500-8599", "8500-8599", "app", "service"),
    ("media-app-video", "outbound", "udp", "8600-8699", "8600-8699", "app", "service"),
    ("media-direct-app", "internal", "udp", "8500-8599 8600-8699", "8500-8599 8600-8699", "app", ""),
    ("media-direct-device", "internal", "udp", "19560-19661", "19560-19661", "device", ""),
    ("media-inbound", "inbound", "udp", "19560-65535", "", "local-gateway", "service"),
    ("pstn-signalling", "internal", "tcp", "8000-65535", "5060 5061", "local-gateway", ""),
    ("pstn-media", "internal", "udp", "8000-48199", "", "local-gateway", ""),
    ("device-configuration", "outbound", "tcp", "", "443", "device", "device-configuration"),
    ("device-configuration-6970", "outbound", "tcp", "", "6970", "device", "device-configuration"),
    ("device-configuration-80", "outbound", "tcp", "", "80", "device", "device-configuration"),
    ("app-configuration", "outbound", "tcp", "", "443", "app", "app-configuration"),
    ("app-configuration-cucm", "outbound", "tcp", "", "8443", "app", "app-configuration"),
    ("ntp-device", "outbound", "udp", "51494", "123", "device", "service"),
    ("dns-udp", "outbound", "udp", "", "53", "app device", ""),
    ("dns-tcp", "outbound", "tcp", "", "53", "app device", ""),
    ("ntp-host", "outbound", "udp", "123", "123", "app device", ""),
    ("cscan-tcp", "outbound", "tcp", "", "8934 443", "admin", "service"),
    ("cscan-udp", "outbound", "udp", "", "19560-19660", "admin", "service"),
    ("push-apns", "outbound", "tcp", "", "5223", "app", ""),
    ("push-apns-fallback", "outbound", "tcp", "", "443", "app", ""),
    ("push-apns-provider", "outbound", "tcp", "", "2197", "app", ""),
    ("push-fcm", "outbound", "tcp", "", "5228", "app", ""),
    ("push-fcm-fallback", "outbound", "tcp", "", "443 5229 5230", "app", ""),
    ("webex-aware-features", "outbound", "tcp", "", "443", "device", ""),
]

# A piece of each damaged or contradictory value, and a piece of what is used in its place.
GARBLED = [
    ("3,134,166,179", "3.134.166.179"),
    ("3,140,117,199", "3.140.117.199"),
    ("35,168,211,203", "35.168.211.203"),
    ("52.26.82.54명", "52.26.82.54"),
    ("170.72.231.0 (영어)", "170.72.231.0"),
    ("170.72.231.10의", "170.72.231.10"),
    ("170.72.231.161호", "170.72.231.161"),
    ("54.68.1.225 (영어)", "54.68.1.225"),
    ("150.253.209.128/25년", "150.253.209.128/25"),
    ("443, 6970, 80호", "443, 6970, 80"),
    ("443호, 8443호", "443, 8443"),
    ("8500-8599호", "8500-8599"),
    ("19560-65535년", "19560-65535"),
    ("5062년, 8934년", "5062, 8934"),
    ("5060-50808934", "source ports 5060-5080"),
    ("51494UDP", "source port"),
    ("8934년 - 443년", "8934 and 443"),
    ("서력 443년 2197년 5228년 5229년 5230년 5223년", "443, 2197, 5228, 5229, 5230, 5223"),
    ("info@google.com", "*.google.com"),
    ("info@googleapis.com", "*.googleapis.com"),
    ("*.webexconnect.com", "*.webexcontent.com"),
    ("replaced by clouddrive.com", "webexcontent.com replaced clouddrive.com"),
    ("webexapis.com", "*.webexapis.com"),
    ("*.walkme.com *.walkmeusercontent.com", "*.walkmeusercontent.com"),
    ("*.Webex.com", "*.webex.com"),
    ("*.sipflash.com", "device"),
    ("huton-dev.com", "withdrawn"),
    ("8000-48198", "8000-48199"),
    ("19560-19661", "19560-19660"),
    ("8500-8700", "8600-8699"),
    ("19560-19760", "19560-19660"),
    ("5060 or 5061 as media ports", "no media port"),
    ("port 80 in the table", "80 for the renewal"),
    ("163.129.0.0/17", "163.129.0.0/16"),
    ("62.109.192.0/19", "62.109.192.0/18"),
    ("52.26.82.54/24", "52.26.82.54/32"),
    ("added again", "52.26.82.54/32"),
    ("170.72.242.0/24", "170.72.0.0/16"),
    ("144.196.33.0/25", "144.196.0.0/16"),
    ("4 new subnets: 23.89.0.0/20", "23.89.0.0/16"),
    ("4 new subnets: 23.89.32.0/20", "23.89.0.0/16"),
    ("in no order", "dates"),
    ("CS1 관리 (0)", "DSCP 0"),
    ("신속 착신 전환 (46)", "EF"),
    ("보증된 착신 전환 41 (34)", "AF41"),
    ("클래스 선택기 3 (24)", "CS3"),
    ("TLS inspection", "supported"),
    ("must not be logged on", "need not"),
    ("53 and 123", "outbound only if"),
    ("2022-06-16", "webex-aware-features"),
]

# The alternative reading is there wherever the document allows two.
AMBIGUOUS = [
    "CS1 관리 (0)",
    "8000-48198",
    "19560-19661",
    "163.129.0.0/17",
    "62.109.192.0/19",
    "*.webexconnect.com",
]


@pytest.fixture(scope="module")
def profile() -> Profile:
    text = resources.files("readycheck_profiles").joinpath("webex-calling.toml").read_bytes()
    return parse(text, "webex-calling.toml")


def _requirement(profile: Profile, name: str) -> Requirement:
    return next(requirement for requirement in profile.requirements if requirement.id == name)


def _words(ports: object) -> str:
    return " ".join(str(port) for port in ports) if isinstance(ports, tuple) else ""


def test_default_roles(profile: Profile) -> None:
    assert profile.name == "webex-calling"
    assert profile.default_roles() == ("app", "device")
    assert {role.name for role in profile.roles} == {"app", "device", "local-gateway", "admin"}
    assert all(any(role.name in r.roles for r in profile.requirements) for role in profile.roles)


@pytest.mark.parametrize(
    ("group", "networks"),
    [
        ("service", SERVICE),
        ("device-configuration", DEVICE_CONFIGURATION),
        ("app-configuration", APP_CONFIGURATION),
    ],
)
def test_networks_are_those_of_the_document(profile: Profile, group: str, networks: str) -> None:
    assert sorted(profile.networks[group].networks) == sorted(networks.split())


@pytest.mark.parametrize("domain", DOMAINS.split())
def test_domain_is_present_and_tested(profile: Profile, domain: str) -> None:
    groups = {
        name
        for name, group in profile.names.items()
        if any(entry.pattern == domain for entry in group.domains)
    }
    assert any(groups.intersection(r.targets.names) for r in profile.requirements if r.probe)


def test_every_name_group_is_used_and_has_hosts(profile: Profile) -> None:
    used = {name for requirement in profile.requirements for name in requirement.targets.names}
    assert used == set(profile.names)
    entries = [entry for group in profile.names.values() for entry in group.domains]
    assert all(entry.hosts and entry.purpose and entry.used_by for entry in entries)
    assert all(
        host.endswith(entry.pattern.removeprefix("*.")) for entry in entries for host in entry.representatives
    )


def test_only_names_printed_today_are_certain(profile: Profile) -> None:
    entries = [entry for group in profile.names.values() for entry in group.domains]
    certain = {host for entry in entries if entry.certain for host in entry.hosts}
    assert certain == set(PRINTED_TODAY.split())


@pytest.mark.parametrize("address", WITHDRAWN.split())
def test_withdrawn_address_is_listed_as_such_only(profile: Profile, address: str) -> None:
    network = str(ipaddress.ip_network(address))
    assert all(network not in group.networks for group in profile.networks.values())
    assert all(address not in requirement.targets.hosts for requirement in profile.requirements)
    assert any(re.match(rf"{re.escape(address)}\b", withdrawn.what) for withdrawn in profile.withdrawn)


def test_withdrawn_ports_and_names_are_not_required(profile: Profile) -> None:
    removed = {1081, 2208, 5222, 5280, 5281, 52644, 52645}
    tcp = [r for r in profile.requirements if r.transport == "tcp"]
    assert not [r.id for r in tcp for ports in r.ports for port in removed if port in ports]
    assert all(r.importance is Importance.OPTIONAL for r in tcp if "80" in _words(r.ports).split())
    patterns = [entry.pattern for group in profile.names.values() for entry in group.domains]
    assert not [pattern for pattern in patterns if "clouddrive" in pattern or "-dev.com" in pattern]


@pytest.mark.parametrize("row", PORT_TABLE, ids=[row[0] for row in PORT_TABLE])
def test_port_table_row(profile: Profile, row: tuple[str, str, str, str, str, str, str]) -> None:
    requirement = _requirement(profile, row[0])
    assert row == (
        requirement.id,
        requirement.direction,
        requirement.transport,
        _words(requirement.source_ports),
        _words(requirement.ports),
        " ".join(requirement.roles),
        " ".join(requirement.targets.networks),
    )


def test_requirements_are_cited_and_lead_somewhere(profile: Profile) -> None:
    for requirement in profile.requirements:
        assert requirement.source.document in profile.documents and requirement.source.section, requirement.id
        targets = requirement.targets
        aimed = targets.networks or targets.names or targets.hosts or targets.resolvers
        to_service = aimed and requirement.ports
        assert requirement.untestable or to_service or targets.responder, requirement.id
        assert not (requirement.untestable and requirement.probe), requirement.id


def test_conditional_rows_never_cap(profile: Profile) -> None:
    names = [
        "app-configuration-cucm",
        "certificate-renewal",
        "device-activation-old",
        "cscan-tcp",
        "cscan-udp",
    ]
    found = {_requirement(profile, name).importance for name in names}
    assert found == {Importance.OPTIONAL, Importance.LEGACY}


def test_media_has_no_other_transport_than_udp(profile: Profile) -> None:
    media = [r for r in profile.requirements if r.probe in {"stun", "rtp"}]
    assert media and {r.transport for r in media} == {"udp"}


def test_pins_are_those_of_the_public_bundle(profile: Profile) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one root of the bundle has a serial number that RFC 5280 forbids
        with open(certifi.where(), "rb") as bundle:
            roots = x509.load_pem_x509_certificates(bundle.read())
    expected = {_common_name(root): _pin(root) for root in roots}
    assert profile.pins
    assert {pin.name: pin.spki_sha256 for pin in profile.pins} == {
        pin.name: expected.get(pin.name) for pin in profile.pins
    }
    authorities = ("IdenTrust", "QuoVadis", "DigiCert", "Go Daddy", "Starfield Root", "ISRG")
    assert {pin.name for pin in profile.pins} == {name for name in expected if name.startswith(authorities)}


def _common_name(root: x509.Certificate) -> str:
    return next((str(name.value) for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def _pin(root: x509.Certificate) -> str:
    spki = root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def test_only_names_of_the_vendor_are_pinned(profile: Profile) -> None:
    ours = ("webex.com", "cisco.com", "wbx2.com", "ciscospark.com", "webexapis.com", "broadcloud")
    pinned = {name for r in profile.requirements if r.pinned for name in r.targets.names}
    patterns = [entry.pattern for name in pinned for entry in profile.names[name].domains]
    assert patterns and not [pattern for pattern in patterns if not any(word in pattern for word in ours)]
    assert all(r.pinned for r in profile.requirements if r.probe == "sip")


def test_https_may_follow_the_proxy_and_the_rest_may_not(profile: Profile) -> None:
    assert all(r.proxied for r in profile.requirements if r.probe in {"tls", "http"})
    assert not [r.id for r in profile.requirements if r.proxied and r.probe not in {"tls", "http", "tcp"}]


@pytest.mark.parametrize(("printed", "used"), GARBLED)
def test_garbled_value_is_normalised(profile: Profile, printed: str, used: str) -> None:
    found = [n for n in profile.normalisations if printed in n.printed]
    assert any(used in n.used and n.reason for n in found)


@pytest.mark.parametrize("printed", AMBIGUOUS)
def test_ambiguous_value_names_the_other_reading(profile: Profile, printed: str) -> None:
    assert any(n.alternative for n in profile.normalisations if printed in n.printed)


def test_qos_classes(profile: Profile) -> None:
    assert [
        (q.source_role, q.traffic, _words(q.source_ports), _words(q.ports), q.dscp) for q in profile.qos
    ] == [
        ("app", "audio", "8500-8599", "8500-8599 19560-65535", (46,)),
        ("app", "video", "8600-8699", "8600-8699 19560-65535", (34,)),
        ("app", "signalling", "", "8934", (0,)),
        ("device", "audio and video", "19560-19660", "19560-65535", (46, 34)),
        ("device", "signalling", "5060-5080", "8934", (24,)),
    ]


def test_proxy_facts(profile: Profile) -> None:
    assert {proxy.product: " ".join(proxy.authentication) for proxy in profile.proxies} == {
        "Webex for Mac": "none basic ntlm",
        "Webex for Windows": "none basic ntlm negotiate",
        "Webex for iOS": "none basic digest ntlm",
        "Webex for Android": "none basic digest ntlm",
        "Webex web app": "none basic digest ntlm negotiate",
        "Webex devices": "none basic digest",
        "Cisco IP phones": "none basic digest",
        "Webex Video Mesh node": "none basic digest ntlm",
    }
