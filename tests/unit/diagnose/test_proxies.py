"""The proxy: one finding for each way in which it stands in the way, and nothing else blamed for it."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import SOURCE, Result, make_environment, make_profile, requirement
from tests.unit.diagnose.proxied import CONFIG, OPEN, OTHERS, PROXY, Answer, always, beside, through

UNREACHABLE = {"because": "connection_refused", "stage": "connect", "proxy_address": "192.168.1.8"}
LOGIN = Failure.PROXY_AUTH_REQUIRED, {"offered": ("NTLM", "Negotiate"), "tried": None}
WRONG = Failure.PROXY_AUTH_REQUIRED, {"offered": ("Basic",), "tried": "Basic"}
DENIED = Failure.PROXY_DENIED, {"status": 403, "reason": "Forbidden"}
SILENT: Answer = Failure.TIMED_OUT, {}
BAD_GATEWAY = Failure.PROXY_DENIED, {"status": 503, "reason": ""}


def test_a_proxy_that_works_is_no_finding() -> None:
    found = through(always(OPEN))
    assert found.causes == []
    assert set(found.statuses().values()) == {Judgement.PASS}
    assert found.readiness is Readiness.READY
    checks = [o.check for o in found.outcomes if o.check.target.via]
    assert {c.target.via for c in checks} == {PROXY}
    assert {c.requirement for c in checks} == {"web", "portal", "config"}
    assert {c.proves for c in checks if c.probe == "tcp"} == {Step.PROXY_CONNECT}


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (
            (Failure.PROXY_UNREACHABLE, UNREACHABLE),
            "proxy-unreachable",
            "no connection to it can be made (connection refused)",
        ),
        (
            (Failure.PROXY_UNREACHABLE, {"because": "dns_nxdomain", "stage": "resolve"}),
            "proxy-unreachable",
            "its name cannot be resolved (DNS NXDOMAIN)",
        ),
        (
            (Failure.PROXY_UNREACHABLE, {"because": "certificate_untrusted", "stage": "tls"}),
            "proxy-unreachable",
            "TLS with it fails (certificate untrusted)",
        ),
        ((Failure.PROTOCOL_ERROR, {}), "proxy-unreachable", "it gives no answer of a proxy (protocol error)"),
        (LOGIN, "proxy-auth-required", "it offers NTLM, Negotiate"),
        ((LOGIN[0], {"offered": (), "tried": None}), "proxy-auth-required", "it offers no way to log in"),
        (WRONG, "proxy-auth-failed", "(Basic; it offers Basic)"),
        (DENIED, "proxy-denies", "(status 403)"),
    ],
)
def test_one_finding_for_all_that_it_affects(
    answer: tuple[Failure, dict[str, Any]], cause: str, words: str
) -> None:
    found = through(always(answer))
    only = found.only
    assert (only.cause, only.where, only.owner) == (cause, Where.SITE, Owner.PROXY)
    assert only.affects == ("web", "portal", "config")
    assert only.severity is Severity.BLOCKING
    assert only.explains == ()
    assert words in only.summary and f"{PROXY} (from the environment)" in only.summary
    assert found.statuses() == {
        **dict.fromkeys(("web", "portal", "config"), Judgement.FAIL),
        **dict.fromkeys(("sip", "stun", "range", "dns-udp", "dns-tcp", "ntp"), Judgement.PASS),
    }
    assert found.readiness is Readiness.NOT_READY
    steps = {(c.failure, c.step) for v in found.verdicts for c in v.checks if c.status is Judgement.FAIL}
    assert steps == {(answer[0], Step.PROXY_CONNECT)}


def test_a_proxy_that_never_answers_may_be_slow_or_wait_itself() -> None:
    found = through(always(SILENT))
    assert (found.only.cause, found.only.confidence) == ("proxy-unreachable", Confidence.POSSIBLE)
    assert "takes connections" in found.only.summary and "waits itself" in found.only.summary
    statuses = found.statuses()
    assert (statuses["web"], statuses["portal"]) == (Judgement.FAIL, Judgement.FAIL)
    assert statuses["config"] is Judgement.INCONCLUSIVE


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_web_server_is_no_proxy_and_denies_nothing(status: int) -> None:
    no_proxy = Failure.PROXY_DENIED, {"status": status, "reason": ""}
    only = through(always(no_proxy)).only
    assert (only.cause, only.where) == ("proxy-unreachable", Where.SITE)
    assert f"it gives no answer of a proxy (status {status})" in only.summary
    mixed = through(lambda target: no_proxy if target.port == 8443 else OPEN).only
    assert mixed.cause == "proxy-denies"


def test_what_is_certain() -> None:
    unreachable = always((Failure.PROXY_UNREACHABLE, UNREACHABLE))
    assert through(unreachable).only.confidence is Confidence.CERTAIN  # others answer
    nobody = {"resolver": lambda transport: Failure.TIMED_OUT, "wall": lambda target: "drop"}
    lost = next(f for f in through(unreachable, **nobody).findings if f.cause == "proxy-unreachable")
    assert lost.confidence is Confidence.LIKELY
    assert through(always(LOGIN)).only.confidence is Confidence.CERTAIN
    assert through(always(DENIED)).only.confidence is Confidence.LIKELY
    partly = through(lambda target: DENIED if target.port == 8443 else OPEN).only
    assert (partly.confidence, partly.affects) == (Confidence.CERTAIN, ("portal",))
    assert "portal.example.com:8443 (status 403)" in partly.summary


def test_many_denied_targets_are_counted() -> None:
    summary = through(always(DENIED)).only.summary
    refused, _, past = summary.partition(" Past the proxy, ")
    assert " more (status 403)" in refused and refused.count(":443") <= 3
    assert past


def test_two_troubles_are_two_findings() -> None:
    found = through(lambda target: DENIED if target.port == 8443 else LOGIN)
    assert sorted(found.causes) == ["proxy-auth-required", "proxy-denies"]
    by_cause = {f.cause: f.affects for f in found.findings}
    assert by_cause == {"proxy-denies": ("portal",), "proxy-auth-required": ("web", "config")}


def test_a_login_that_one_way_fails_and_the_other_is_not_tried() -> None:
    found = through(lambda target: WRONG if target.port == 8443 else LOGIN)
    assert sorted(found.causes) == ["proxy-auth-failed", "proxy-auth-required"]


# --- what the proxy could not reach -------------------------------------------------------------------


def test_addresses_whose_turn_did_not_come_fail_nothing() -> None:
    silent, unasked = (Failure.TIMED_OUT, {}), (Failure.INTERRUPTED, {})
    found = through(
        lambda t: OPEN if not t.network else silent if str(t.address).endswith(".10") else unasked
    )
    assert found.causes == []
    assert found.statuses()["config"] is Judgement.INCONCLUSIVE


@pytest.mark.parametrize("answer", [BAD_GATEWAY, (Failure.TIMED_OUT, {})])
def test_addresses_that_are_silent_by_nature_fail_nothing(answer: tuple[Failure, dict[str, Any]]) -> None:
    found = through(lambda target: answer if target.network else OPEN)
    assert found.causes == []
    assert found.statuses()["config"] is Judgement.INCONCLUSIVE
    assert found.readiness is Readiness.WARNINGS


def test_some_addresses_that_answer_are_enough() -> None:
    found = through(
        lambda target: OPEN if not target.network or str(target.address).endswith(".10") else BAD_GATEWAY
    )
    one = found.verdict("config").checks[0]
    assert (one.status, found.causes) == (Judgement.PASS, [])


def test_some_addresses_that_are_denied_are_told() -> None:
    found = through(
        lambda target: OPEN if not target.network or str(target.address).endswith(".10") else DENIED
    )
    one = found.verdict("config").checks[0]
    assert one.status is Judgement.WARN and one.because.startswith("the proxy refuses ")
    assert found.only.cause == "proxy-denies"


def test_a_name_that_may_not_exist_fails_nothing() -> None:
    gone = "maybe.example.net"
    found = through(
        lambda target: BAD_GATEWAY if target.host == gone else OPEN, names={gone: Failure.DNS_NXDOMAIN}
    )
    check = next(c for c in found.verdict("web").checks if "maybe" in c.check)
    assert check.status is Judgement.SKIPPED
    assert (found.verdict("web").status, found.causes) == (Judgement.PASS, [])


def test_a_name_that_answers_past_the_proxy_alone_fails() -> None:
    """Of a wildcard's names, too, which may be gone: this one is there."""
    two = ("one.example.net", "two.example.net")
    wild = {"pattern": "*.example.net", "representatives": two}
    names = {"title": "Web", "domains": [{"pattern": "api.example.com"}, wild], "source": SOURCE}
    web = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls", proxied=True)
    profile = make_profile(*OTHERS, web, names={"web": names})

    def lost(target: Target) -> Answer:
        return BAD_GATEWAY if target.host in two else OPEN

    found = beside(lost, profile=profile)
    assert (found.only.cause, found.only.severity) == ("proxy-denies", Severity.BLOCKING)
    assert found.verdict("web").because == (
        "2 of 3 checks: the proxy does not reach it: it answers with status 503"
    )
    one = beside(lambda target: BAD_GATEWAY if target.host == two[1] else OPEN, profile=profile)
    assert (one.verdict("web").status, one.causes) == (Judgement.FAIL, ["proxy-denies"])
    assert one.only.confidence is Confidence.POSSIBLE
    retired = beside(lost, profile=profile, names=dict.fromkeys(two, Failure.DNS_NXDOMAIN))
    assert (retired.verdict("web").status, retired.causes) == (Judgement.INCONCLUSIVE, [])
    assert "the proxy reaches none of the names" in retired.verdict("web").because


def test_a_name_that_exists_fails_and_no_policy_is_blamed() -> None:
    """Nor does the way past the proxy lead there."""
    found = through(
        lambda target: BAD_GATEWAY if target.host == "api.example.com" else OPEN,
        wall=lambda target: "drop" if target.host == "api.example.com" else None,
    )
    check = next(c for c in found.verdict("web").checks if "api." in c.check)
    assert (check.status, check.because) == (
        Judgement.FAIL,
        "the proxy does not reach it: it answers with status 503",
    )
    assert "proxy-denies" not in found.causes


# --- beside other causes ------------------------------------------------------------------------------


def test_a_blocked_port_beside_a_working_proxy() -> None:
    found = through(always(OPEN), wall=lambda target: "drop" if target.port in (443, 8934) else None)
    assert found.causes == ["port-blocked"]
    assert found.only.affects == ("sip",)
    assert {found.statuses()[name] for name in ("web", "portal", "config")} == {Judgement.PASS}


def test_a_site_that_only_the_proxy_leads_out_of_is_not_offline() -> None:
    found = through(always(OPEN), wall=lambda target: "drop")
    assert "site-offline" not in found.causes
    assert found.statuses()["web"] is Judgement.PASS


@pytest.mark.parametrize("answer", [LOGIN, DENIED, (Failure.PROXY_UNREACHABLE, UNREACHABLE)])
def test_a_proxy_of_the_site_is_not_explained_by_a_site_that_is_offline(
    answer: tuple[Failure, dict[str, Any]],
) -> None:
    found = through(always(answer), wall=lambda target: "drop", icmp=False)
    causes = {f.cause: f for f in found.findings}
    assert "site-offline" in causes and len(causes) == 2
    proxy = causes[next(c for c in causes if c.startswith("proxy-"))]
    assert not set(proxy.evidence) & set(causes["site-offline"].evidence)


def test_a_proxy_beyond_a_site_that_is_offline_is_explained_by_it() -> None:
    far = Failure.PROXY_UNREACHABLE, {**UNREACHABLE, "because": "timed_out", "proxy_address": "192.88.99.8"}
    only = through(always(far), wall=lambda target: "drop", icmp=False).only
    assert only.cause == "site-offline" and "proxy-unreachable" in only.explains


def test_a_host_without_a_network_explains_the_proxy() -> None:
    unrouted = Failure.PROXY_UNREACHABLE, {"because": "network_unreachable", "stage": "connect"}
    only = through(
        always(unrouted),
        unrouted=Failure.NETWORK_UNREACHABLE,
        environment=make_environment(gateway=None),
    ).only
    assert only.cause == "no-network" and "proxy-unreachable" in only.explains


def test_a_dead_name_server_explains_a_proxy_without_an_address() -> None:
    unresolved = Failure.PROXY_UNREACHABLE, {"because": "timed_out", "stage": "resolve"}
    only = through(always(unresolved), resolver=lambda transport: Failure.TIMED_OUT).only
    assert only.cause == "dns-unreachable" and "proxy-unreachable" in only.explains


def test_a_dead_name_server_is_named_although_the_proxy_works() -> None:
    found = through(always(OPEN), resolver=lambda transport: Failure.TIMED_OUT)
    assert found.only.cause == "dns-unreachable"
    assert found.only.affects == ("dns-udp", "dns-tcp")
    assert found.statuses()["web"] is Judgement.PASS


def test_a_certificate_behind_the_proxy_is_no_fault_of_its() -> None:
    found = through(always(OPEN), greet=lambda t: Failure.CERTIFICATE_EXPIRED if t.via else None)
    assert found.only.cause == "certificate-expired"


def test_what_came_through_proves_nothing_of_the_way_past() -> None:
    found = through(always(OPEN))
    assert not [c for c in found.evidence.cells if c.requirement in ("web", "portal", "config")]
    path = next((o.check for o in found.outcomes if o.check.scope is Scope.PATH), None)
    assert path is None or not [t for t in path.params.controls if t.via]


# --- logins -------------------------------------------------------------------------------------------


def test_a_login_that_this_host_cannot_make_says_nothing_of_what_lies_behind() -> None:
    lacks = (
        Failure.PROXY_AUTH_REQUIRED,
        {"offered": ("NTLM",), "tried": None, "lacks": ["NTLM needs a library"]},
    )
    found = through(always(lacks))
    assert found.only.cause == "proxy-auth-required"
    assert "that this host cannot make: NTLM needs a library" in found.only.summary
    check = found.verdict("web").checks[0]
    assert (check.status, found.verdict("web").status) == (Judgement.INCONCLUSIVE,) * 2
    assert check.because == "the proxy wants a login that this host cannot make: NTLM needs a library"
    assert found.readiness is not Readiness.READY


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"tried": "NTLM", "closed": True}, "closes the connection in the middle of a login (NTLM)"),
        (
            {"tried": "Negotiate", "mechanism": "ntlm"},
            "(Negotiate with NTLM in it, for want of a Kerberos ticket; it offers Negotiate)",
        ),
    ],
)
def test_a_login_that_may_have_failed_for_another_reason(facts: dict[str, Any], words: str) -> None:
    found = through(always((Failure.PROXY_AUTH_REQUIRED, {"offered": ("Negotiate",), **facts})))
    assert (found.only.cause, found.only.confidence) == ("proxy-auth-failed", Confidence.LIKELY)
    assert words in found.only.summary


# --- side by side -------------------------------------------------------------------------------------


def test_what_a_denial_is_about() -> None:
    by_port = through(lambda target: DENIED if target.port == 8443 else OPEN).only.summary
    assert "It connects to port 443, so that the port is what it objects to." in by_port
    by_name = through(lambda target: DENIED if target.host == "api.example.com" else OPEN).only.summary
    assert "It connects to other names on the same port." in by_name


@pytest.mark.parametrize("signed", [True, False])
def test_a_proxy_that_hands_plain_requests_on_and_opens_no_tunnel_for_them(signed: bool) -> None:
    rows = (
        requirement(
            "page", targets={"hosts": ["page.example.com"]}, ports=["80"], probe="http", proxied=True
        ),
        requirement("raw", targets={"hosts": ["raw.example.com"]}, ports=["80"], probe="tcp", proxied=True),
    )
    plain: Answer = (None, {"form": "absolute", "signed": signed})
    found = through(
        lambda target: plain if target.host == "page.example.com" else DENIED, profile=make_profile(*rows)
    )
    assert (found.only.cause, found.only.affects) == ("proxy-denies", ("raw",))
    words = "Plain requests to port 80 it hands on: what it objects to there is CONNECT."
    assert (words in found.only.summary) is signed


def test_what_answers_past_the_proxy_is_told() -> None:
    found = beside(lambda target: DENIED if target.port == 8443 else OPEN)
    assert found.only.summary.endswith(" Past the proxy, portal.example.com:8443 answers.")
    shut = beside(lambda target: DENIED if target.port == 8443 else OPEN, wall=lambda target: "drop")
    assert "Past the proxy" not in next(f for f in shut.findings if f.cause == "proxy-denies").summary


HOSTS = requirement(
    "hosts",
    targets={"hosts": [f"h{n}.example.com" for n in range(3)]},
    ports=["443"],
    probe="tls",
    proxied=True,
)
BY_NAME = make_profile(HOSTS, CONFIG)


@pytest.mark.parametrize(
    ("says", "changes", "causes"),
    [
        (lambda target: OPEN if target.network else SILENT, {}, ["proxy-denies"]),
        (lambda target: OPEN if target.network or target.host == "h0.example.com" else SILENT, {}, []),
        (
            lambda target: OPEN if target.network else SILENT,
            {"wall": lambda t: None if t.via else "drop"},
            [],
        ),
    ],
)
def test_a_proxy_that_knows_no_names(says: Any, changes: dict[str, Any], causes: list[str]) -> None:
    found = [f for f in beside(says, profile=BY_NAME, **changes).findings if f.cause.startswith("proxy")]
    assert [f.cause for f in found] == causes
    assert all("connects to addresses" in f.summary and "name server" in f.remedy for f in found)


def one_lost(answer: tuple[Failure, dict[str, Any]], **changes: Any) -> Result:
    return beside(lambda target: answer if target.host == "portal.example.com" else OPEN, **changes)


def test_what_the_proxy_does_not_reach_and_others_do() -> None:
    found = one_lost(BAD_GATEWAY)
    assert (found.only.cause, found.only.confidence) == ("proxy-denies", Confidence.POSSIBLE)
    assert "does not pass on portal.example.com:8443 (status 503)" in found.only.summary
    assert found.only.affects == ("portal",)
    assert "proxy-denies" not in one_lost(SILENT).causes
    nobody = one_lost(BAD_GATEWAY, wall=lambda target: "drop" if target.port == 8443 else None)
    assert "proxy-denies" not in nobody.causes
