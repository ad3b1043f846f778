"""The profile of Webex services against a reading of its source document by hand."""

import re
from importlib import resources
from ipaddress import ip_network

import pytest

from readycheck.profile import Importance, Profile, Requirement, Withdrawn
from readycheck.profile_file import parse

MEDIA = """
    23.89.0.0/16 44.234.52.192/26 62.109.192.0/18 64.68.96.0/19 66.114.160.0/20 66.163.32.0/19
    69.26.160.0/19 114.29.192.0/19 144.196.0.0/16 150.253.128.0/17 163.129.0.0/16 170.72.0.0/16
    170.133.128.0/18 173.39.224.0/19 173.243.0.0/20 207.182.160.0/19 209.197.192.0/19 210.4.192.0/20
    216.151.128.0/19
"""
AZURE = """
    4.152.214.0/24 4.158.208.0/24 4.175.120.0/24 20.50.235.0/24 20.53.87.0/24 20.57.87.0/24
    20.68.154.0/24 20.76.127.0/24 20.108.99.0/24 20.120.238.0/23 40.119.234.0/24 52.232.210.0/24
"""

# By the table that prints them: a name, and who uses it.
EVERYBODY = "all"
APP, WEB, ROOM = "Webex app", "Webex web app", "Webex Room Kit, Webex room devices"
NODES = "Video Mesh node, Hybrid Data Security node"
DOMAINS = {
    "service": {
        "*.wbx2.com": EVERYBODY,
        "*.ciscospark.com": EVERYBODY,
        "*.webexapis.com": EVERYBODY,
        "*.webex.com": EVERYBODY,
        "*.cisco.com": EVERYBODY,
        "*.webexcontent.com": EVERYBODY,
    },
    "related": {"*.accompany.com": APP},
    "third-party": {
        "*.sparkpostmail1.com": EVERYBODY,
        "*.sparkpostmail.com": EVERYBODY,
        "*.giphy.com": APP,
        "safebrowsing.googleapis.com": APP,
        "*.walkme.com": WEB,
        "s3.walkmeusercontent.com": WEB,
        "speech.googleapis.com": ROOM,
        "texttospeech.googleapis.com": ROOM,
        "speech-services-manager-a.wbx2.com": ROOM,
        "msftncsi.com": APP,
        "captive.apple.com": APP,
        "*.appdynamics.com": f"{APP}, {WEB}",
        "*.eum-appdynamics.com": f"{APP}, {WEB}",
        "*.amplitude.com": f"{WEB}, Webex for Android",
        "*.vbrickrev.com": "Webex Events",
        "*.slido.com": EVERYBODY,
        "*.sli.do": EVERYBODY,
        "*.data.logentries.com": EVERYBODY,
        "slido-assets-production.s3.eu-west-1.amazonaws.com": EVERYBODY,
        "*.quovadisglobal.com": EVERYBODY,
        "*.digicert.com": EVERYBODY,
        "*.godaddy.com": EVERYBODY,
        "*.identrust.com": EVERYBODY,
        "*.lencr.org": EVERYBODY,
        "*.intel.com": EVERYBODY,
        "*.google.com": APP,
        "*.googleapis.com": APP,
        "cdnjs.cloudflare.com": EVERYBODY,
        "cdn.jsdelivr.net": EVERYBODY,
        "static2.sharepointonline.com": EVERYBODY,
        "appsforoffice.microsoft.com": EVERYBODY,
    },
    "deprecated": {
        "*.clouddrive.com": EVERYBODY,
        "*.ciscosparkcontent.com": APP,
        "*.rackcdn.com": EVERYBODY,
    },
    "cdn": {
        "*.cloudfront.net": "Webex app, Webex devices",
        "*.akamaiedge.net": "Webex app, Webex devices",
        "*.akamai.net": "Webex app, Webex devices",
        "*.fastly.net": "Webex app, Webex devices",
    },
    "hybrid": {
        "*.docker.com": NODES,
        "*.docker.io": NODES,
        "*.amazonaws.com": NODES,
        "*s3.amazonaws.com": NODES,
        "*.cloudconnector.webex.com": "Directory Connector",
    },
}

# What the page prints as a name of its own: in its tables, or (www) in a link or an entry of its history.
PRINTED = """
    safebrowsing.googleapis.com s3.walkmeusercontent.com speech.googleapis.com texttospeech.googleapis.com
    speech-services-manager-a.wbx2.com msftncsi.com www.msftncsi.com captive.apple.com www.cisco.com
    slido-assets-production.s3.eu-west-1.amazonaws.com cdnjs.cloudflare.com cdn.jsdelivr.net
    static2.sharepointonline.com appsforoffice.microsoft.com
"""

ALL = "app web room-device video-mesh hybrid"
CLIENTS = "app web room-device video-mesh"

# requirement, direction, transport, source ports, ports, roles, network groups
PORT_TABLE = [
    ("core-microservices", "outbound", "tcp", "", "443", ALL, ""),
    ("core-meetings", "outbound", "tcp", "", "443", ALL, ""),
    ("core-file-storage", "outbound", "tcp", "", "443", ALL, ""),
    ("core-websockets", "outbound", "tcp", "", "443", "app web room-device", ""),
    ("mesh-cascade-signalling", "outbound", "tcp", "", "444", "video-mesh", "media"),
    ("ntp", "outbound", "udp", "", "123", ALL, ""),
    ("dns-udp", "outbound", "udp", "", "53", ALL, ""),
    ("dns-tcp", "outbound", "tcp", "", "53", ALL, ""),
    ("media-udp", "outbound", "udp", "", "5004 9000", CLIENTS, "media"),
    ("media-udp-azure", "outbound", "udp", "", "5004 9000", CLIENTS, "media-azure"),
    ("media-mesh-range", "outbound", "udp", "", "50000-53000", "video-mesh", "media"),
    ("media-mesh-range-azure", "outbound", "udp", "", "50000-53000", "video-mesh", "media-azure"),
    ("media-tcp", "outbound", "tcp", "", "5004", CLIENTS, "media media-azure"),
    ("media-tls-no-sni", "outbound", "tcp", "", "443", "app web", "media media-azure"),
    ("media-tls-room-device", "outbound", "tcp", "", "443", "room-device", "media media-azure"),
    ("sip-signalling", "outbound", "tcp", "", "5060-5070", "sip-gateway", "media"),
    ("sip-signalling-azure", "outbound", "tcp", "", "5060-5070", "sip-gateway", "media-azure"),
    ("sip-signalling-aws", "outbound", "tcp", "", "5060-5070", "sip-gateway", ""),
    ("sip-signalling-inbound", "inbound", "tcp", "", "5060-5070", "sip-gateway", "media media-azure"),
    ("sip-media", "outbound", "udp", "36000-59999", "49152-59999", "sip-gateway", "media"),
    ("edge-audio-media", "outbound", "udp", "36000-59999", "49152-59999", "edge-audio", "media"),
    ("sip-media-azure", "outbound", "udp", "36000-59999", "49152-59999", "sip-gateway", "media-azure"),
    ("sip-media-aws", "outbound", "udp", "36000-59999", "49152-59999", "sip-gateway", ""),
    (
        "sip-media-inbound",
        "inbound",
        "udp",
        "49152-59999",
        "36000-59999",
        "sip-gateway",
        "media media-azure",
    ),
    ("edge-audio-signalling", "outbound", "tcp", "", "5061 5065", "edge-audio", "edge-audio"),
    ("edge-audio-signalling-media-networks", "outbound", "tcp", "", "5061 5065", "edge-audio", "media"),
    ("edge-audio-signalling-inbound", "inbound", "tcp", "", "5061 5062", "edge-audio", "media"),
    ("edge-audio-media-inbound-udp", "inbound", "udp", "", "8000-59999", "edge-audio", "media"),
    ("edge-audio-media-inbound-tcp", "inbound", "tcp", "", "8000-59999", "edge-audio", "media"),
]

FALLBACK = "media-tcp media-tls-no-sni media-tls-room-device"
LEGACY = "old-file-storage old-log-upload old-file-delivery"
CONDITIONAL = """
    people-insights animated-images safe-browsing assistant-speech connectivity-check-microsoft
    connectivity-check-apple usage-metrics events-webcast slido revocation-lists revocation-intel push-google
    push-apple scheduler-outlook content-delivery hybrid-containers hybrid-containers-planned
    hybrid-log-upload hybrid-user-sync media-udp-azure media-mesh-range-azure sip-signalling-azure
    sip-media-azure
"""

PROXIES = {
    "Webex for Mac": ("none basic ntlm", "manual WPAD PAC"),
    "Webex for Windows": ("none basic ntlm negotiate", "manual WPAD PAC GPO"),
    "Webex for iOS": ("none basic digest ntlm", "manual WPAD PAC"),
    "Webex for Android": ("none basic digest ntlm", "manual PAC"),
    "Webex web app": ("none basic digest ntlm negotiate", "operating system"),
    "Webex room devices": ("none basic digest", "WPAD PAC manual"),
    "Webex Video Mesh node": ("none basic digest ntlm", "manual"),
    "Hybrid Data Security node": ("none basic digest", "manual"),
    "Hybrid services host: management connector": ("none basic", "manual"),
    "Hybrid services: Directory Connector": ("none basic ntlm", "operating system"),
    "Hybrid services on Expressway C: calendar connector": ("none basic ntlm", "manual"),
    "Hybrid services on Expressway C: call connector": ("none basic", "manual"),
}

# What the history takes back: networks, names, transport and ports, and when.
WITHDRAWN = [
    ("", "", "any", "", "2023-01-23"),
    ("18.230.160.0/25", "", "any", "", "2022-08-12"),
    ("", "", "tcp", "9000", "2021-12-14"),
    ("", "", "udp", "33434", "2021-12-14"),
    ("", "", "tcp", "33434", "2021-12-14"),
    ("", "*.s3.amazonaws.com", "any", "", "2021-07-02"),
    ("155.190.254.0/23", "", "any", "", "2020-11-13"),
    ("", "*.core-os.net", "any", "", "2020-09-29"),
    ("", "*.speech-googleapis.wbx2.com *.texttospeech-googleapis.wbx2.com", "any", "", "2019-09-16"),
    ("", "*.quay.io", "any", "", "2019-07-12"),
    ("", "api.giphy.com", "any", "", "2019-03-26"),
    ("", "*.segment.com *.segment.io", "any", "", "by 2023-05-24"),
    ("", "*.identity.api.rackspacecloud.com", "any", "", "by 2023-05-24"),
    (
        "",
        "*.storage101.ord1.clouddrive.com *.storage101.dfw1.clouddrive.com *.storage101.iad3.clouddrive.com",
        "any",
        "",
        "by 2023-05-24",
    ),
    ("", "*.cloudconnector.cisco.com", "any", "", "by 2023-05-24"),
    ("", "*.activate.cisco.com *.webapps.cisco.com", "any", "", "by 2023-05-24"),
]

# A piece of each damaged or doubtful value, and a piece of what is used in its place.
GARBLED = [
    ("443TLSWebex HTTPS", "443, TLS"),
    ("444TLS", "444, TLS"),
    ("123 (1)UDP", "123, UDP"),
    ("53 (1)UDP", "UDP and TCP"),
    ("5004 和 9000UDP", "5004 and 9000"),
    ("50,000 - 53,000UDP", "50000-53000"),
    ("5004TCP", "5004, SRTP over TCP"),
    ("443TLS 上的 SRTP", "443, SRTP over TLS"),
    ("4.152.214.0/24*66.114.160.0/20", "4.152.214.0/24 in Azure"),
    ("23.89.0.0/16173.243.0.0/20", "23.89.0.0/16 and 173.243.0.0/20"),
    ("44.234.52.192/26209.197.192.0/19", "44.234.52.192/26 and 209.197.192.0/19"),
    ("62.109.192.0/18216.151.128.0/19", "62.109.192.0/18 and 216.151.128.0/19"),
    ("66.114.169.0 和 66.163.32.0", "66.114.160.0/20 and 66.163.32.0/19"),
    ("https://155.190.254.0/23", "155.190.254.0/23"),
    ("*.accompany.comPeople", "names alone"),
    ("*.rackcdn.com*.clouddrive.com", "*.rackcdn.com"),
    ("cdnjs.cloudflare.com cdn.jsdelivr.net", "four names"),
    ("cloudrive.com", "clouddrive.com"),
    ("*s3.amazonaws.com", "no dot after the star"),
    ("*s3.amazonaws.com (1)", "docker.com and docker.io alone"),
    ("*.slido-assets-production", "slido-assets-production.s3.eu-west-1.amazonaws.com"),
    ("SlidoPPT", "PowerPoint"),
    ("http://www.msftncsi.com/ncsi.txt", "plain HTTP"),
    ("https://captive.apple.com", "plain HTTP"),
    (".sparkpostmail1.com", "*.sparkpostmail1.com"),
    ("*.speech-googleapis.wbx2.com", "speech.googleapis.com"),
    ("*.segment.com", "withdrawn"),
    ("*.identity.api.rackspacecloud.com", "withdrawn"),
    ("*.storage101.ord1.clouddrive.com", "*.clouddrive.com"),
    ("*.cloudconnector.cisco.com", "*.cloudconnector.webex.com"),
    (".activate.cisco.com 和 *.webapps.cisco.com URL", "*.cisco.com"),
    ("由 * 指示", "three things"),
    ("目录、日历、管理连接器不支持", "unstated"),
    ("不支持使用 MAC 地址旁路", "use MAC address bypass"),
    ("us-gov-west-2", "as printed"),
    ("顶级域", "the domain itself"),
    ("协议端口号码指导访问类型条评论", "direction"),
    ("Webex Edge 功能被禁用时", "enabled"),
    ("AES-CM-128-HMAC-SHA1 (text)", "AES_CM_128_HMAC_SHA1_80"),
    ("2022 年 4 月 24 日", "2022"),
    ("no port in the row of the revocation lists", "80"),
    ("no destination in the outbound row of Edge Audio", "23.89.0.0/16"),
]

# The alternative reading is there wherever the document allows two.
AMBIGUOUS = [
    "4.152.214.0/24*66.114.160.0/20",
    "66.114.169.0 和 66.163.32.0",
    "*s3.amazonaws.com",
    "*.slido-assets-production",
    "msftncsi.com/ncsi.txt",
    "目录、日历、管理连接器不支持",
    "不支持使用 MAC 地址旁路",
    "us-gov-west-2",
    "no port in the row",
]

CONTRADICTIONS = {
    "which transports media may use": "UDP required",
    "whether media over TCP is for production": "neither",
    "whether media runs in networks of AWS": "44.234.52.192/26",
    "whether the hosts of certificate authorities are needed": "recommended",
    "which suites encrypt the app's media": "AES-128-GCM",
    "where containers of hybrid services come from": "docker.com and docker.io recommended",
    "whether the names of user guidance are needed": "in use",
    "whether TLS of room devices may be inspected": "supported",
    "who installs an inspecting authority on room devices": "Cisco TAC",
    "whether the list of media networks is complete": "as complete",
    "whose local servers spare the rules for DNS and NTP": "for all products",
    "whether the web app may send media over TLS": "fallback",
    "whether signalling may be filtered by address": "SIP by network",
    "which ports SIP uses": "each for its own",
}


def _read(name: str) -> Profile:
    return parse(resources.files("readycheck_profiles").joinpath(name).read_bytes(), name)


@pytest.fixture(scope="module")
def profile() -> Profile:
    return _read("webex.toml")


def _requirement(profile: Profile, name: str) -> Requirement:
    return next(requirement for requirement in profile.requirements if requirement.id == name)


def _words(ports: object) -> str:
    return " ".join(str(port) for port in ports) if isinstance(ports, tuple) else ""


def _patterns(profile: Profile) -> set[str]:
    return {entry.pattern for group in profile.names.values() for entry in group.domains}


def test_roles(profile: Profile) -> None:
    assert profile.name == "webex"
    assert profile.default_roles() == ("app", "room-device")
    names = [role.name for role in profile.roles]
    assert " ".join(names) == f"{ALL} sip-gateway edge-audio"
    probed = [r for r in profile.requirements if r.probe]
    assert all(any(name in r.roles for r in probed) for name in names)


@pytest.mark.parametrize(
    ("group", "networks"), [("media", MEDIA), ("media-azure", AZURE), ("edge-audio", "23.89.0.0/16")]
)
def test_networks_are_those_of_the_document(profile: Profile, group: str, networks: str) -> None:
    assert sorted(profile.networks[group].networks) == sorted(networks.split())


def test_names_are_those_of_the_domain_tables(profile: Profile) -> None:
    found: dict[str, dict[str, str]] = {category: {} for category in DOMAINS}
    for group in profile.names.values():
        for entry in group.domains:
            users = found[group.category].setdefault(entry.pattern, ", ".join(entry.used_by))
            assert users == ", ".join(entry.used_by)
    assert found == DOMAINS


def test_a_row_is_split_only_where_a_part_is_tested_otherwise(profile: Profile) -> None:
    patterns = [(g.category, e.pattern) for g in profile.names.values() for e in g.domains]
    assert {row for row in patterns if patterns.count(row) > 1} == {("service", "*.wbx2.com")}


@pytest.mark.parametrize("pattern", [pattern for table in DOMAINS.values() for pattern in table])
def test_name_is_tested(profile: Profile, pattern: str) -> None:
    groups = {
        name for name, group in profile.names.items() if any(e.pattern == pattern for e in group.domains)
    }
    assert any(groups.intersection(r.targets.names) for r in profile.requirements if r.probe)


def test_every_name_group_is_used_and_has_hosts(profile: Profile) -> None:
    used = {name for requirement in profile.requirements for name in requirement.targets.names}
    assert used == set(profile.names)
    entries = [entry for group in profile.names.values() for entry in group.domains]
    assert all(entry.hosts and entry.purpose for entry in entries)
    assert all(host.endswith(e.pattern.lstrip("*.")) for e in entries for host in e.representatives)


def test_only_printed_names_are_certain(profile: Profile) -> None:
    entries = [entry for group in profile.names.values() for entry in group.domains]
    certain = {host for entry in entries if entry.certain for host in entry.hosts}
    assert certain == set(PRINTED.split())
    assert all(entry.certain for entry in entries if not entry.is_wildcard)


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
        assert requirement.source.document == "webex-services" and requirement.source.section, requirement.id
        targets = requirement.targets
        aimed = targets.networks or targets.names or targets.hosts or targets.resolvers
        led = targets.responder or (aimed and requirement.ports)
        assert requirement.untestable or led, requirement.id
        assert not (requirement.untestable and requirement.probe), requirement.id
        assert requirement.direction != "inbound" or requirement.untestable, requirement.id


def test_what_inbound_rows_allow_is_said_to_come_from_somewhere(profile: Profile) -> None:
    inbound = [r for r in profile.requirements if r.direction == "inbound"]
    assert len(inbound) == 5
    assert all(r.targets.description.startswith("from ") and r.origin == "Webex cloud" for r in inbound)


def test_fallbacks_and_old_names_never_cap(profile: Profile) -> None:
    assert {_requirement(profile, name).importance for name in FALLBACK.split()} == {Importance.FALLBACK}
    assert {_requirement(profile, name).importance for name in LEGACY.split()} == {Importance.LEGACY}


def test_conditional_rows_are_not_required_and_say_when(profile: Profile) -> None:
    rows = [_requirement(profile, name) for name in CONDITIONAL.split()]
    assert all(r.condition for r in rows)
    assert {r.importance for r in rows} == {Importance.RECOMMENDED, Importance.OPTIONAL}


def test_third_parties_are_never_required(profile: Profile) -> None:
    required = [r for r in profile.requirements if r.importance is Importance.REQUIRED]
    categories = {profile.names[name].category for r in required for name in r.targets.names}
    assert categories == {"service"}


def test_edge_audio_requires_what_its_own_table_has(profile: Profile) -> None:
    mine = [r for r in profile.requirements if "edge-audio" in r.roles and r.area == "media reachability"]
    required = {r.id for r in mine if r.importance is Importance.REQUIRED}
    assert required == {"edge-audio-media-inbound-udp", "edge-audio-media-inbound-tcp"}
    assert "media-azure" not in {group for r in mine for group in r.targets.networks}


def test_azure_networks_are_never_required(profile: Profile) -> None:
    probed = [r for r in profile.requirements if r.probe and "media-azure" in r.targets.networks]
    assert probed and not [r.id for r in probed if r.importance is Importance.REQUIRED]


def test_media_over_tls_is_asked_for_without_a_name(profile: Profile) -> None:
    for name in ("media-tls-no-sni", "media-tls-room-device"):
        row = _requirement(profile, name)
        assert row.probe == "tls" and row.targets.networks and not row.targets.names
    assert _requirement(profile, "media-tls-no-sni").proxied
    assert not _requirement(profile, "media-tls-room-device").proxied


@pytest.mark.parametrize(
    ("name", "path", "host"),
    [
        ("connectivity-check-microsoft", "/ncsi.txt", "msftncsi.com"),
        ("connectivity-check-apple", "/hotspot-detect.html", "captive.apple.com"),
    ],
)
def test_connectivity_checks_are_plain_requests(profile: Profile, name: str, path: str, host: str) -> None:
    row = _requirement(profile, name)
    assert (row.probe, row.params) == ("http", {"scheme": "http", "path": path, "method": "GET"})
    assert host in profile.names[row.targets.names[0]].domains[0].hosts


def test_websockets_are_opened_where_an_answer_proves_most(profile: Profile) -> None:
    row = _requirement(profile, "core-websockets")
    assert (row.probe, row.importance, row.proxied) == ("websocket", Importance.RECOMMENDED, True)
    entries = [entry for name in row.targets.names for entry in profile.names[name].domains]
    assert [entry.hosts for entry in entries] == [("mercury-connection-a.wbx2.com",)]
    assert not any(entry.certain for entry in entries)


def test_content_delivery_is_for_sites_without_a_proxy(profile: Profile) -> None:
    row = _requirement(profile, "content-delivery")
    assert not row.proxied and row.condition.startswith("no proxy")


def test_sip_names_the_regions_as_printed(profile: Profile) -> None:
    regions = ("us-east-1", "us-east-2", "eu-central-1", "us-gov-west-2", "us-west-2")
    for name in (
        "sip-signalling-aws",
        "sip-media-aws",
        "sip-signalling-inbound",
        "sip-media-inbound",
    ):
        words = _requirement(profile, name).targets.description
        assert all(re.search(rf"\b{region}\b", words) for region in regions)


def test_sip_is_restricted_only_by_sites_that_want_it(profile: Profile) -> None:
    for name in ("sip-signalling", "sip-signalling-inbound"):
        assert "asks to allow all" in _requirement(profile, name).note


def test_local_servers_need_no_rule(profile: Profile) -> None:
    for name in ("dns-udp", "dns-tcp", "ntp"):
        assert "inside the enterprise" in _requirement(profile, name).note


def test_proxied_rows_are_those_that_may_follow_a_proxy(profile: Profile) -> None:
    assert all(r.proxied for r in profile.requirements if r.probe == "http" or (r.probe and r.pinned))
    assert not [r.id for r in profile.requirements if r.proxied and r.transport != "tcp"]
    sip = {"sip-gateway", "edge-audio"}
    assert not [r.id for r in profile.requirements if r.proxied and sip & set(r.roles)]


def test_only_names_of_the_vendor_are_pinned(profile: Profile) -> None:
    ours = ("webex.com", "cisco.com", "wbx2.com", "ciscospark.com", "webexapis.com")
    pinned = {name for r in profile.requirements if r.pinned for name in r.targets.names}
    patterns = [entry.pattern for name in pinned for entry in profile.names[name].domains]
    assert patterns and all(pattern.endswith(ours) for pattern in patterns)


def test_pins_and_controls_are_those_of_webex_calling(profile: Profile) -> None:
    calling = _read("webex-calling.toml")
    assert (profile.pins, profile.controls) == (calling.pins, calling.controls)


def test_proxy_facts(profile: Profile) -> None:
    assert {p.product: (" ".join(p.authentication), " ".join(p.configuration)) for p in profile.proxies} == (
        PROXIES
    )
    unsupported = {p.product: p.unsupported for p in profile.proxies if p.unsupported}
    assert unsupported == {
        "Webex room devices": ("media over TLS",),
        "Hybrid services host: management connector": ("ntlm",),
        "Hybrid services on Expressway C: call connector": ("ntlm",),
    }


def test_inspection_facts(profile: Profile) -> None:
    assert {row.product: row.support for row in profile.inspection} == {
        "Webex app (Windows, Mac, iOS, Android, web)": "supported",
        "Webex room devices": "supported",
        "Webex Video Mesh": "unstated",
        "Hybrid Data Security service": "unstated",
        "Hybrid services: directory, calendar and management connectors": "unsupported",
    }
    unstated = [row for row in profile.inspection if row.support == "unstated"]
    assert all("Known from elsewhere" in row.note and "2019-08-20" in row.note for row in unstated)
    exempt = [name for exemption in profile.exemptions for name in exemption.names]
    assert exempt == ["*mcs*.webex.com", "*cb*.webex.com", "*mcc*.webex.com"]


def test_network_access_facts(profile: Profile) -> None:
    assert {row.product: " ".join(row.methods) for row in profile.network_access} == {
        "Webex app (Windows, Mac, iOS, Android, web)": "operating system",
        "Webex room devices": "EAP-FAST EAP-MD5 EAP-PEAP EAP-TLS EAP-TTLS",
        "Webex Video Mesh node": "",
        "Hybrid Data Security service": "",
        "Hybrid services: directory, calendar and management connectors": "",
    }
    unable = [row for row in profile.network_access if not row.methods]
    assert all("MAC address bypass" in row.note for row in unable)


def test_cryptography_facts(profile: Profile) -> None:
    signalling, *others = profile.cryptography
    assert signalling.versions == ("TLS 1.2",)
    assert signalling.suites == (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    )
    suites = {suite for row in others for suite in row.suites}
    assert {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"} <= suites


def _typed(withdrawn: Withdrawn) -> tuple[str, str, str, str, str]:
    ports = " ".join(map(str, withdrawn.ports))
    return " ".join(withdrawn.networks), " ".join(withdrawn.names), withdrawn.transport, ports, withdrawn.when


@pytest.mark.parametrize("row", WITHDRAWN)
def test_withdrawn_rule_is_listed(profile: Profile, row: tuple[str, str, str, str, str]) -> None:
    assert row in {_typed(withdrawn) for withdrawn in profile.withdrawn}


def test_nothing_withdrawn_is_in_use(profile: Profile) -> None:
    networks = {n for group in profile.networks.values() for n in group.networks}
    in_use = [ip_network(network) for network in networks]
    gone_networks = [ip_network(n) for withdrawn in profile.withdrawn for n in withdrawn.networks]
    assert not [one for one in gone_networks if any(one.overlaps(other) for other in in_use)]
    assert not _patterns(profile) & {n for withdrawn in profile.withdrawn for n in withdrawn.names}
    outbound = [r for r in profile.requirements if r.direction == "outbound"]
    gone = {("tcp", 9000), ("udp", 33434), ("tcp", 33434)}
    assert not [r.id for r in outbound for t, p in gone if r.transport == t and any(p in x for x in r.ports)]


def test_what_came_back_is_in_use(profile: Profile) -> None:
    assert {"*.walkme.com", "s3.walkmeusercontent.com", "*.cloudfront.net", "*.clouddrive.com"} <= _patterns(
        profile
    )


@pytest.mark.parametrize(("printed", "used"), GARBLED)
def test_garbled_value_is_normalised(profile: Profile, printed: str, used: str) -> None:
    found = [n for n in profile.normalisations if printed in n.printed]
    assert any(used in n.used and n.reason for n in found)


@pytest.mark.parametrize("printed", AMBIGUOUS)
def test_ambiguous_value_names_the_other_reading(profile: Profile, printed: str) -> None:
    assert any(n.alternative for n in profile.normalisations if printed in n.printed)


def test_contradictions_say_which_statement_is_followed(profile: Profile) -> None:
    assert {c.about for c in profile.contradictions} == set(CONTRADICTIONS)
    for contradiction in profile.contradictions:
        assert CONTRADICTIONS[contradiction.about] in contradiction.used
        assert len({statement.says for statement in contradiction.statements}) >= 2
