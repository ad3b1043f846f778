"""Reports for the renderers, built from the dataclasses, in the states that a run can end in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.engine import RunState, Status
from readycheck.failure import Failure, Step
from readycheck.net.environment import Environment, FoundProxy, Interface, Kind
from readycheck.observation import Observation, Target
from readycheck.plan import CheckTarget, Scope
from readycheck.profile import Area, Document, Importance, Profile, Source
from readycheck.report import CheckReport, Report, RequirementReport, RunFacts, iso, this_tool
from readycheck.score import AreaScore, Grade, Score
from readycheck.verdict import Judgement, Readiness, Strength

HOSTILE = "\x1b[31mred\x07\u202egnp.exe\u2066 <script>alert('x')</script> & \"q\" |=`*_[a](http://evil.example)\r\n=cmd"
BEGAN = datetime(2026, 11, 21, 3, 26, 11, 5000, tzinfo=UTC)
SOURCE = Source(document="ports", section="Port table: media")
TITLES = {
    "sip": ("SIP over TLS to the service", Area.SIGNALLING),
    "media": ("Media over UDP to the service networks", Area.MEDIA_REACHABILITY),
    "dns": ("Name servers answer", Area.NAMES_AND_TIME),
    "firmware": ("Firmware downloads", Area.SIGNALLING),
}


def profile(title: str = "Example Calling") -> Profile:
    return Profile.model_validate(
        {
            "schema_version": 1,
            "name": "example",
            "title": title,
            "revision": "2026-11",
            "checked": "2026-11-21",
            "documents": {
                "ports": Document(title="Port reference", publisher="Example", revision="2026", note="a note")
            },
            "roles": [{"name": "app", "title": "App", "default": True}],
            "requirements": [
                {
                    "id": "sip",
                    "title": "SIP",
                    "area": "signalling",
                    "importance": "required",
                    "roles": ["app"],
                    "probe": "tls",
                    "source": SOURCE,
                }
            ],
        }
    )


def environment(**changes: Any) -> Environment:
    known = Environment(
        host="desk-7",
        platform="Linux-6.1",
        interfaces=(
            Interface(name="lo", kind=Kind.LOOPBACK, addresses=("127.0.0.1",)),
            Interface(
                name="wlan0", kind=Kind.WIFI, addresses=("10.1.2.3", "fe80::1"), mtu=1500, signal_dbm=-61
            ),
        ),
        gateway="10.1.2.1",
        default_interface="wlan0",
        resolvers=("10.1.2.1", "9.9.9.9"),
        dhcp_server="10.1.2.1",
        proxies=(FoundProxy(scheme="https", url="http://proxy.corp:3128", source="environment"),),
        capabilities=("hop_limit", "icmp_errors"),
        python="3.11.7",
        notes=("the signal of wlan1 cannot be read",),
    )
    return replace(known, **changes)


def observation(failure: Failure | None = None, **changes: Any) -> Observation:
    known = Observation(
        step=Step.TLS_HANDSHAKE,
        target=Target(host="sip.example.com", address="192.0.2.7", port=8934, transport="tcp"),
        started_ms=12.5,
        elapsed_ms=41.25,
        failure=failure,
        facts={
            "rtt_ms": 40.1,
            "tls": {"version": "TLSv1.3", "chain": [{"subject": "CN=sip", "issuer": "CN=CA"}]},
        },
    )
    return replace(known, **changes)


def check(
    name: str = "sip/sip.example.com:8934", requirement: str | None = "sip", **changes: Any
) -> CheckReport:
    known = CheckReport(
        id=name,
        requirement=requirement,
        probe="tls",
        scope=Scope.NAMED,
        status=Judgement.PASS,
        strength=Strength.ANSWERED,
        failure=None,
        step=None,
        target=CheckTarget(host="sip.example.com", ports="8934", transport="tcp"),
        metrics={"sent": 1, "answered": 1, "rtt_ms": 40.125, "expires_days": None},
        observations=(observation(),),
        started_at=iso(BEGAN + timedelta(milliseconds=12.5)),
        started_ms=12.5,
        duration_ms=82.75,
        because="the service answered",
        measured=Status.MEASURED,
        proves=Step.TLS_HANDSHAKE,
        certain=True,
        group="",
        cut=False,
    )
    return replace(known, **changes)


def failed_check(
    name: str = "media/192.0.2.0/24:5004", requirement: str = "media", **changes: Any
) -> CheckReport:
    known = check(
        name,
        requirement,
        probe="stun",
        scope=Scope.SAMPLED,
        status=Judgement.FAIL,
        strength=None,
        failure=Failure.TIMED_OUT,
        step=Step.ECHO,
        target=CheckTarget(network="192.0.2.0/24", ports="5004", transport="udp"),
        metrics={"sent": 8, "answered": 0, "rtt_ms": None},
        observations=(observation(Failure.TIMED_OUT, step=Step.ECHO, facts={}),),
        because="packets stop on the way, at a point that others pass (8 proven)",
        duration_ms=3000.0,
    )
    return replace(known, **changes)


def requirement(name: str = "sip", **changes: Any) -> RequirementReport:
    title, area = TITLES.get(name, (name, Area.INTERFERENCE))
    known = RequirementReport(
        id=name,
        title=title,
        importance=Importance.REQUIRED,
        area=area,
        weight=4.0,
        status=Judgement.PASS,
        strength=Strength.ANSWERED,
        margin=0.8,
        because="3 of 3 checks measured: the service answered",
        testable=True,
        deselected=False,
        source=SOURCE,
        checks=("sip/sip.example.com:8934",) if name == "sip" else (),
    )
    return replace(known, **changes)


def unmeasured(name: str, because: str, **changes: Any) -> RequirementReport:
    return requirement(
        name, status=Judgement.SKIPPED, strength=None, margin=None, because=because, testable=False, **changes
    )


def finding(**changes: Any) -> Finding:
    known = Finding(
        cause="port-blocked",
        where=Where.SITE,
        confidence=Confidence.CERTAIN,
        severity=Severity.BLOCKING,
        owner=Owner.NETWORK,
        summary="UDP 5004 is dropped in all networks; they reach 10.1.2.1 (hop 1) and no further.",
        affects=("media",),
        evidence=("media/192.0.2.0/24:5004",),
        explains=("rtp-range-partial",),
        remedy="Allow UDP to port 5004 of the service networks outbound.",
    )
    return replace(known, **changes)


def run_facts(**changes: Any) -> RunFacts:
    known = RunFacts(
        id="0123456789abcdef",
        state=RunState.COMPLETE,
        started_at=iso(BEGAN),
        duration_ms=6212.0,
        seed=1,
        site="Berlin",
        profile="example",
        profile_revision="2026-11",
        profile_hash="ab" * 32,
        roles=("app",),
        options={},
    )
    return replace(known, **changes)


def score(overall: int | None = 97, grade: Grade = Grade.GOOD, because: str = "", **changes: Any) -> Score:
    known = Score(
        overall=overall,
        grade=grade,
        confidence_ratio=0.912,
        untestable_ratio=0.25,
        areas=(
            AreaScore(Area.SIGNALLING, 100.0, 30.0, 1.0),
            AreaScore(Area.MEDIA_REACHABILITY, 90.0, 30.0, 0.5),
            AreaScore(Area.MEDIA_QUALITY, None, 15.0, None),
            AreaScore(Area.NAMES_AND_TIME, 100.0, 10.0, 1.0),
        ),
        because=because,
    )
    return replace(known, **changes)


def ready(**changes: Any) -> Report:
    media = check("media/192.0.2.0/24:5004", "media", strength=Strength.EGRESS)
    known = Report(
        schema_version=1,
        tool=this_tool(),
        run=run_facts(),
        verdict=Readiness.READY,
        score=score(),
        findings=(),
        requirements=(
            requirement("sip"),
            requirement("media", strength=Strength.EGRESS, checks=("media/192.0.2.0/24:5004",)),
            requirement("dns", checks=("dns/10.1.2.1:53/udp",)),
            unmeasured("inbound-calls", "inbound: needs a far end outside the site"),
        ),
        checks=(check(), media, check("dns/10.1.2.1:53/udp", "dns"), check("control/example.net:443", None)),
        environment=environment(),
        profile=profile(),
    )
    return replace(known, **changes)


def not_ready(**changes: Any) -> Report:
    crashed = check(
        "firmware/fw.example.com:443",
        "firmware",
        status=Judgement.INCONCLUSIVE,
        strength=None,
        measured=Status.CRASHED,
        because="bug in probe 'http': KeyError: 'x' (http.py:7)",
    )
    known = ready(
        verdict=Readiness.NOT_READY,
        score=score(49, Grade.POOR, "capped at 49 by media"),
        findings=(
            finding(),
            finding(
                cause="dns-slow",
                severity=Severity.NOTE,
                where=Where.UNKNOWN,
                owner=Owner.UNKNOWN,
                confidence=Confidence.POSSIBLE,
                summary="Name servers take 300 ms.",
                affects=(),
                explains=(),
                remedy="",
            ),
        ),
        requirements=(
            requirement("sip"),
            requirement(
                "media",
                status=Judgement.FAIL,
                strength=None,
                margin=None,
                because="1 of 1 checks: packets stop on the way",
                checks=("media/192.0.2.0/24:5004",),
            ),
            requirement(
                "dns", status=Judgement.WARN, margin=-0.5, because="slowest_ms 300 is at or above 200"
            ),
            requirement(
                "firmware",
                importance=Importance.RECOMMENDED,
                status=Judgement.INCONCLUSIVE,
                strength=None,
                because="1 of 1 checks: bug in probe 'http'",
                checks=(crashed.id,),
            ),
            unmeasured("inbound-calls", "inbound: needs a far end outside the site"),
        ),
        checks=(check(), failed_check(), crashed, check("control/example.net:443", None)),
    )
    return replace(known, **changes)


def interrupted() -> Report:
    return not_ready(
        run=run_facts(state=RunState.INTERRUPTED, site=None),
        verdict=Readiness.UNKNOWN,
        score=score(None, Grade.NOT_GRADED, "not graded: coverage 20% is below 60%"),
    )


def nothing() -> Report:
    """No network, no name server, no privilege, and no check that got anywhere."""
    bare = Environment(host="", platform="", notes=("the interfaces cannot be read: denied",))
    empty = score(None, Grade.NOT_GRADED, "nothing was measured", confidence_ratio=0.0, areas=())
    requirements = (
        requirement(
            "sip", status=Judgement.INCONCLUSIVE, strength=None, margin=None, because="none", checks=()
        ),
    )
    return ready(
        verdict=Readiness.UNKNOWN, score=empty, requirements=requirements, checks=(), environment=bare
    )


def hostile(text: str = HOSTILE) -> Report:
    """Every string that a server, a host or a stranger's profile may choose is an attack."""
    target = Target(host=text, address=text, port=1, transport="tcp", network=text)
    step = observation(
        Failure.UNKNOWN, target=target, detail=text, facts={text: text, "tls": {"a": [{text: text}]}}
    )
    bad = failed_check(
        text,
        "sip",
        because=text,
        target=CheckTarget(host=text, ports=text, transport="tcp", via=text),
        observations=(step,) * 3,
        metrics={text: 1.5, "rtt_ms": 3},
    )
    return not_ready(
        run=run_facts(site=text, notes=(text,), trust_roots=(text,), profile_revision=text),
        findings=(
            finding(
                cause=text, summary=text, remedy=text, affects=(text,), explains=(text,), evidence=(text,)
            ),
        ),
        requirements=(
            requirement("sip", title=text, because=text, status=Judgement.FAIL, checks=(text,)),
            unmeasured("media", text, source=Source(document=text, section=text)),
        ),
        checks=(bad,),
        environment=environment(host=text, notes=(text,), resolvers=(text,)),
        profile=profile(text),
        score=score(10, Grade.POOR, text, media=text),
    )


def large(checks: int = 400, observations: int = 2000, text: str = "<&\"'>" * 60) -> Report:
    """As big as a run gets, and with nothing that is short after escaping."""
    each = observations // checks
    step = observation(Failure.TIMED_OUT, detail=text, facts={"banner": text, "more": text})
    made = tuple(
        failed_check(
            f"media-{index % 40}/192.0.2.0/24:{index}",
            f"media-{index % 40}",
            observations=(step,) * each,
            because=text,
            started_ms=index * 7.0,
        )
        for index in range(checks)
    )
    requirements = tuple(
        requirement(
            f"media-{index}",
            status=Judgement.FAIL,
            strength=None,
            checks=tuple(c.id for c in made if c.requirement == f"media-{index}"),
        )
        for index in range(40)
    )
    return not_ready(requirements=requirements, checks=made)


STATES = {
    "ready": ready,
    "not-ready": not_ready,
    "interrupted": interrupted,
    "nothing": nothing,
    "hostile": hostile,
    "large": large,
}
