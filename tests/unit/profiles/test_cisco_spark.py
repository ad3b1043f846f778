"""The profile of Cisco Spark against a reading of its source document by hand."""

from importlib import resources

import pytest

from readycheck.plan import Selection, plan
from readycheck.profile import Importance, Profile, Requirement, Source
from readycheck.profile_file import parse
from readycheck.registry import find

# the requirement that stands for the row, pieces of its function and its protocol, transport, port
PORT_TABLE = [
    ("messaging", "Messaging", "HTTPS", "tcp", "443"),
    ("notification", "Notification", "WSS", "tcp", "443"),
    ("notification-held", "Notification", "WSS", "tcp", "443"),
    ("calling", "Calling", "HTTPS", "tcp", "443"),
    ("screen-sharing", "Screen sharing within the app", "", "tcp", "33434"),
    ("media-udp", "Media on the shared port", "RTP and SRTP over UDP", "udp", "33434"),
    ("media-tcp", "Media on the shared port", "RTP and SRTP over TCP", "tcp", "33434"),
]
# requirement, transport, ports, importance: what the text around the table says of ports
PORTS_IN_THE_TEXT = [
    ("media-range-udp", "udp", "33434-33598", Importance.OPTIONAL),
    ("media-range-tcp", "tcp", "33434-33598", Importance.OPTIONAL),
    ("media-old-range-udp", "udp", "8000-8100", Importance.LEGACY),
    ("media-old-range-tcp", "tcp", "8000-8100", Importance.LEGACY),
    ("all-destinations-udp", "udp", "33434", Importance.REQUIRED),
    ("all-destinations-tcp", "tcp", "443", Importance.REQUIRED),
]
NOT_TO_BE_INSPECTED = ("*.wbx2.com", "identity.webex.com", "idbroker.webex.com")
ALLOW_LIST = ("*.localytics.com", "*.rackcdn.com", "*.clouddrive.com", "*.webex.com", "*.ciscospark.com")

# product, configuration, authentication, unsupported
PROXIES = [
    ("Cisco Spark for Windows", "", "ntlm basic digest negotiate", "kerberos"),
    ("Cisco Spark for Mac", "manual", "", "PAC"),
    ("Cisco Spark for iPhone and iPad", "", "", "any proxy"),
    ("Any app behind McAfee Web Gateway 7.1 or older", "", "", "ntlm"),
]

# The headings of the document, in our words, from top to bottom.
SECTIONS = {
    "Introduction",
    "Tip for mobile devices",
    "Port table",
    "Start of a call",
    "Note on dynamic addresses",
    "Proxy support",
    "Domains that the app uses",
    "Allow list",
    "Mac with a proxy server",
    "Limitations",
}

# A piece of each damaged or doubtful sentence, and of what is used in its place.
GARBLED = [
    ("UDP individuel et/ou le port 33434", "UDP 33434 and TCP 33434"),
    ("Les clients", "customers"),
    ("8000-8100", "over UDP and over TCP"),
    ("33434-33598", "destination ports"),
    ("avant d'utiliser le port UDP", "UDP is preferred to TCP"),
    ("Appeler", "calling"),
    ("négocie l'authentification", "Negotiate"),
    ("Kerberos n'est pas", "app for Windows"),
    ("autres domaines à mais", "another root"),
    ("proxy Web (HTTP)", "as printed"),
    ("FTP passif", "ticked"),
    ("ETHERNET > Proxis", "Ethernet"),
    ("PAC", "for Mac"),
    ("iPhone et iPad", "iPhone and iPad"),
]
AMBIGUOUS = [
    "et/ou le port 33434",
    "Les clients",
    "8000-8100",
    "33434-33598",
    "négocie l'authentification",
    "Kerberos n'est pas",
    "proxy Web (HTTP)",
    "PAC",
]

# A piece of what each contradiction is about, and of each statement.
CONTRADICTIONS = [
    ("transports", ["one UDP port", "over TCP, all on 33434", "always uses TCP", "TCP 443 and UDP 33434"]),
    ("TCP 443", ["for media to cross", "media has 33434"]),
    ("range", ["33434-33598", "shared port 33434"]),
    ("who opens", ["both try", "all destinations"]),
    ("Kerberos", ["Negotiate", "Kerberos is not supported"]),
    ("domains the app uses", ["*.wbx2.com", "*.localytics.com"]),
    ("inspected", ["ciscospark.com", "idbroker.webex.com"]),
    ("destinations", ["all destinations", "allow list"]),
]

NODE = {"media-node": "192.0.2.7"}


@pytest.fixture(scope="module")
def profile() -> Profile:
    text = resources.files("readycheck_profiles").joinpath("cisco-spark.toml").read_bytes()
    return parse(text, "cisco-spark.toml")


def _requirement(profile: Profile, name: str) -> Requirement:
    return next(requirement for requirement in profile.requirements if requirement.id == name)


def _words(items: object) -> str:
    return " ".join(str(item) for item in items) if isinstance(items, tuple) else ""


def _patterns(profile: Profile, requirement: Requirement) -> set[str]:
    return {e.pattern for name in requirement.targets.names for e in profile.names[name].domains}


def _testable_today(profile: Profile) -> Profile:
    """Without the rows of probes that this installation lacks."""
    known = find().installed
    rows = tuple(r for r in profile.requirements if r.probe is None or r.probe in known)
    return profile.model_copy(update={"requirements": rows})


def test_what_it_is(profile: Profile) -> None:
    assert (profile.name, profile.revision) == ("cisco-spark", "2016-04-18")
    page = profile.documents["app-page"]
    assert (page.publisher, page.language, page.revision) == ("Cisco", "fr", "2016-04-18")
    assert "Version 1" in page.note


def test_roles(profile: Profile) -> None:
    assert profile.default_roles() == ("app",)
    assert {role.name for role in profile.roles} == {"app", "mobile"}


@pytest.mark.parametrize("row", PORT_TABLE, ids=[row[0] for row in PORT_TABLE])
def test_row_of_the_port_table(profile: Profile, row: tuple[str, str, str, str, str]) -> None:
    name, function, protocol, transport, port = row
    requirement = _requirement(profile, name)
    assert function in requirement.title and protocol in requirement.title
    assert (requirement.transport, _words(requirement.ports)) == (transport, port)
    assert requirement.source.section == "Port table"
    assert "app" in requirement.roles and requirement.direction == "outbound"


def test_what_each_row_is_asked(profile: Profile) -> None:
    asked = {r.id: r.probe for r in profile.requirements}
    assert [asked[name] for name in ("messaging", "calling", "notification-held")] == [
        "tls",
        "tls",
        "websocket",
    ]
    assert [asked[name] for name in ("media-udp", "media-tcp", "screen-sharing")] == ["stun", "tcp", "tcp"]
    assert [asked[name] for name in ("media-range-udp", "media-old-range-udp")] == ["rtp", "rtp"]


@pytest.mark.parametrize("row", PORTS_IN_THE_TEXT, ids=[row[0] for row in PORTS_IN_THE_TEXT])
def test_ports_in_the_text(profile: Profile, row: tuple[str, str, str, Importance]) -> None:
    requirement = _requirement(profile, row[0])
    assert row == (requirement.id, requirement.transport, _words(requirement.ports), requirement.importance)


def test_there_is_no_other_port(profile: Profile) -> None:
    ports = {(r.transport, str(port)) for r in profile.requirements for port in r.ports}
    listed = {row[3:] for row in PORT_TABLE} | {row[1:3] for row in PORTS_IN_THE_TEXT}
    assert ports == listed


def test_udp_comes_before_tcp(profile: Profile) -> None:
    assert _requirement(profile, "media-udp").importance is Importance.REQUIRED
    tcp = _requirement(profile, "media-tcp")
    assert tcp.importance is Importance.FALLBACK and "UDP does not work" in tcp.condition
    assert "always over TCP" in _requirement(profile, "screen-sharing").condition
    assert "both try both transports" in _requirement(profile, "udp-preferred").untestable


def test_addresses_are_dynamic(profile: Profile) -> None:
    assert not profile.networks
    everywhere = [_requirement(profile, f"all-destinations-{transport}") for transport in ("udp", "tcp")]
    assert all("all destinations" in r.targets.description and r.untestable for r in everywhere)
    assert not any(r.probe or r.targets.hosts or r.targets.names for r in everywhere)


@pytest.mark.parametrize("domain", [*NOT_TO_BE_INSPECTED, *ALLOW_LIST])
@pytest.mark.parametrize("role", ["app", "mobile"])
def test_every_role_needs_every_domain(profile: Profile, domain: str, role: str) -> None:
    mine = [r for r in profile.requirements if role in r.roles and domain in _patterns(profile, r)]
    assert mine and all(_words(r.ports) == "443" for r in mine if r.transport == "tcp")
    assert any(r.probe for r in mine) is (domain != "*.rackcdn.com")


def test_no_other_domain_is_named(profile: Profile) -> None:
    entries = [entry for group in profile.names.values() for entry in group.domains]
    assert {entry.pattern for entry in entries} == {*NOT_TO_BE_INSPECTED, *ALLOW_LIST}
    certain = {host for entry in entries if entry.certain for host in entry.hosts}
    assert certain == {"identity.webex.com", "idbroker.webex.com"}, "the only hosts that the page prints"
    assert all(
        host.endswith(entry.pattern.removeprefix("*")) for entry in entries for host in entry.representatives
    )


def test_inspection(profile: Profile) -> None:
    assert [exemption.names for exemption in profile.exemptions] == [NOT_TO_BE_INSPECTED]
    assert [(i.product, i.support) for i in profile.inspection] == [("Cisco Spark app", "unsupported")]
    assert "pins certificates" in profile.inspection[0].note
    assert not profile.pins, "the page names no authority"
    assert not [r.id for r in profile.requirements if r.pinned]


@pytest.mark.parametrize("row", PROXIES, ids=[row[0] for row in PROXIES])
def test_proxies(profile: Profile, row: tuple[str, str, str, str]) -> None:
    found = {proxy.product: proxy for proxy in profile.proxies}
    assert found.keys() == {product for product, *_ in PROXIES}
    proxy = found[row[0]]
    assert row[1:] == (
        _words(proxy.configuration),
        _words(proxy.authentication),
        _words(proxy.unsupported),
    )


def test_what_a_mac_has_to_be_told(profile: Profile) -> None:
    note = next(proxy.note for proxy in profile.proxies if proxy.product.endswith("Mac"))
    for fact in (
        "Wi-Fi",
        "Ethernet",
        "web proxy (HTTP)",
        "address",
        "user name",
        "password",
        "PASV",
        "ticked",
    ):
        assert fact in note
    gateway = next(proxy.note for proxy in profile.proxies if "McAfee" in proxy.product)
    assert "community.mcafee.com/message/203859" in gateway and "known restriction" in gateway


def test_https_of_a_computer_follows_the_proxy(profile: Profile) -> None:
    web = [r for r in profile.requirements if r.probe in {"tls", "websocket"}]
    assert all(r.proxied is ("app" in r.roles) for r in web)


def test_iphone_and_ipad_and_media_go_past_the_proxy(profile: Profile) -> None:
    assert not [r.id for r in profile.requirements if r.proxied and "mobile" in r.roles]
    assert not [r.id for r in profile.requirements if r.proxied and "33434" in _words(r.ports)]


@pytest.mark.parametrize("name", ["messaging", "notification", "calling"])
def test_names_that_the_page_lacks_are_marked_as_known_from_elsewhere(profile: Profile, name: str) -> None:
    """The page has no host below wbx2.com, and does not say what the domain is for."""
    requirement = _requirement(profile, name)
    assert "known from public client code" in requirement.note
    (group,) = requirement.targets.names
    assert all("public client code" in entry.purpose for entry in profile.names[group].domains)


def test_a_domain_matters_as_much_to_iphone_and_ipad(profile: Profile) -> None:
    weights: dict[str, dict[str, set[Importance]]] = {"app": {}, "mobile": {}}
    for r in profile.requirements:
        if r.probe == "tls":
            for role in r.roles:
                for pattern in _patterns(profile, r):
                    weights[role].setdefault(pattern, set()).add(r.importance)
    assert weights["app"] == weights["mobile"]


def test_other_translations_bear_no_value(profile: Profile) -> None:
    """They may only support a reading: every contradiction stands by the page's own statements."""
    rows = [row.source.document for row in profile.normalisations]
    assert {*rows, *(r.source.document for r in profile.requirements)} == {"app-page"}
    for contradiction in profile.contradictions:
        own = [s for s in contradiction.statements if s.source.document == "app-page"]
        assert len(own) >= 2, contradiction.about


def test_mobile_tip(profile: Profile) -> None:
    tip = _requirement(profile, "mobile-network")
    assert tip.roles == ("mobile",) and tip.importance is Importance.INFORMATIONAL
    assert tip.source.section == "Tip for mobile devices"


def test_every_requirement_is_cited_and_leads_somewhere(profile: Profile) -> None:
    for requirement in profile.requirements:
        assert requirement.source.document == "app-page", requirement.id
        assert requirement.source.section in SECTIONS, requirement.id
        targets = requirement.targets
        aimed = targets.names or targets.hosts
        assert requirement.untestable or (aimed and requirement.ports), requirement.id
        assert not (requirement.untestable and requirement.probe), requirement.id


def test_everything_else_is_cited_too(profile: Profile) -> None:
    sources: list[Source] = [
        *(group.source for group in profile.names.values()),
        *(proxy.source for proxy in profile.proxies),
        *(product.source for product in profile.inspection),
        *(exemption.source for exemption in profile.exemptions),
        *(row.source for row in profile.normalisations),
        *(statement.source for c in profile.contradictions for statement in c.statements),
    ]
    assert {source.section for source in sources} <= SECTIONS
    sources += [requirement.source for requirement in profile.requirements]
    assert {source.section for source in sources} == SECTIONS, "a part from which nothing was taken"


@pytest.mark.parametrize(("printed", "used"), GARBLED)
def test_garbled_sentence_is_normalised(profile: Profile, printed: str, used: str) -> None:
    found = [n for n in profile.normalisations if printed in n.printed]
    assert any(used in n.used and n.reason for n in found)


@pytest.mark.parametrize("printed", AMBIGUOUS)
def test_ambiguous_sentence_names_the_other_reading(profile: Profile, printed: str) -> None:
    assert any(n.alternative for n in profile.normalisations if printed in n.printed)


@pytest.mark.parametrize(("about", "statements"), CONTRADICTIONS)
def test_contradiction_has_all_its_statements(profile: Profile, about: str, statements: list[str]) -> None:
    found = next(c for c in profile.contradictions if about in c.about)
    assert found.used and found.reason
    for piece in statements:
        assert any(piece in statement.says for statement in found.statements), piece


def test_media_says_what_to_give(profile: Profile) -> None:
    made = plan(_testable_today(profile), find(), Selection(controls=False), seed=1)
    media = {r.id for r in profile.requirements if r.targets.hosts}
    assert {made.untested[name] for name in media} == {"needs --set media-node=VALUE"}
    assert all(check.requirement not in media for check in made.checks)


def test_a_given_node_is_asked_on_every_media_port(profile: Profile) -> None:
    made = plan(_testable_today(profile), find(), Selection(controls=False, values=NODE), seed=1)
    media = {(c.requirement, c.target.address, c.target.ports) for c in made.checks if c.target.address}
    assert {(name, ports) for name, _, ports in media} == {
        ("media-udp", "33434"),
        ("media-tcp", "33434"),
        ("screen-sharing", "33434"),
        ("media-range-udp", "33434-33598 even"),
        ("media-range-udp", "33434-33598 odd"),
        ("media-range-tcp", "33434-33598 even"),
        ("media-range-tcp", "33434-33598 odd"),
        ("media-old-range-udp", "8000-8100 even"),
        ("media-old-range-udp", "8000-8100 odd"),
        ("media-old-range-tcp", "8000-8100 even"),
        ("media-old-range-tcp", "8000-8100 odd"),
    }
    assert {address for _, address, _ in media} == {"192.0.2.7"}


def test_a_proxy_is_used_for_https_and_for_nothing_else(profile: Profile) -> None:
    selection = Selection(roles=("app", "mobile"), controls=False, values=NODE, proxy=True, via="proxy:3128")
    made = plan(_testable_today(profile), find(), selection, seed=1)
    tunnelled = {check.requirement for check in made.checks if check.target.via}
    assert tunnelled == {r.id for r in profile.requirements if r.proxied and r.probe in find().installed}, (
        "mobile devices and media go straight out"
    )
