"""The trace of a run, read by OpenTelemetry's own classes."""

from dataclasses import replace

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from readycheck.diagnose.finding import Severity
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.report import Report
from readycheck.telemetry.trace import trace
from readycheck.verdict import Judgement, Readiness
from tests.unit.history.runs import case
from tests.unit.render.factory import HOSTILE
from tests.unit.telemetry.decoding import plain, resource, spans

PORTAL = case("captive-portal")


def seen(report: Report, *observations: Observation) -> Report:
    """Its first check saw these."""
    return replace(report, checks=(replace(report.checks[0], observations=observations), *report.checks[1:]))


def test_one_span_for_the_run_and_one_for_each_check() -> None:
    root, *below = spans(trace(PORTAL, {}))
    assert root.trace_id.hex() == PORTAL.run.id
    assert not root.parent_span_id
    assert len(below) == len(PORTAL.checks) == len({span.span_id for span in below})
    assert {span.parent_span_id for span in below} == {root.span_id}
    assert {span.trace_id for span in below} == {root.trace_id}


def test_the_same_run_has_the_same_ids_whenever_it_is_sent() -> None:
    assert trace(PORTAL, {}) == trace(PORTAL, {})
    other = replace(PORTAL, run=replace(PORTAL.run, id="f" * 32))
    ids = {span.span_id for span in spans(trace(PORTAL, {}))}
    assert ids.isdisjoint(span.span_id for span in spans(trace(other, {})))


def test_the_root_tells_the_verdict_and_who_is_to_blame() -> None:
    root = spans(trace(PORTAL, {}))[0]
    about = plain(root.attributes)
    assert (root.kind, root.status.code) == (Span.SPAN_KIND_INTERNAL, Status.STATUS_CODE_ERROR)
    assert about["readycheck.verdict"] == "not-ready"
    assert about["error.type"] == "captive-portal" == root.status.message
    assert (root.end_time_unix_nano - root.start_time_unix_nano) / 1e6 == PORTAL.run.duration_ms
    found = plain(root.events[0].attributes)
    assert (root.events[0].name, found["readycheck.cause"]) == ("readycheck.finding", "captive-portal")
    assert found["readycheck.where"] == "site"


def test_a_run_that_is_ready_is_no_error() -> None:
    notes = tuple(replace(one, severity=Severity.NOTE) for one in PORTAL.findings)
    root = spans(trace(replace(PORTAL, verdict=Readiness.READY, findings=notes), {}))[0]
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert plain(root.attributes).keys().isdisjoint({"error.type", "readycheck.causes"})


def test_a_check_tells_its_judgement_by_the_names_of_the_conventions() -> None:
    number, check = next(
        (n, c)
        for n, c in enumerate(PORTAL.checks)
        if c.status is Judgement.FAIL and c.target.ports.isdecimal()
    )
    span = spans(trace(PORTAL, {}))[1 + number]
    about = plain(span.attributes)
    assert (span.kind, span.status.code) == (Span.SPAN_KIND_CLIENT, Status.STATUS_CODE_ERROR)
    assert span.status.message == check.because
    assert check.failure and about["error.type"] == check.failure.value
    assert about["server.address"] == check.target.host
    assert about["server.port"] == int(check.target.ports)
    assert about["network.transport"] == check.target.transport
    assert about["readycheck.metric.sent"] == check.metrics["sent"]


def test_steps_are_events_by_the_names_of_the_conventions() -> None:
    target = Target(host="a.example", address="2001:db8::1", port=443, transport="tcp", sni="a.example")
    chain = [{"subject": "CN=a.example", "issuer": "CN=ca", "not_after": "2027-01-01T00:00:00Z"}]
    facts = {"tls": {"version": "TLSv1.3", "cipher": "X", "alpn": None, "chain": chain}, "alert": 70}
    steps = (
        Observation(
            step=Step.RESOLVE, target=target, started_ms=1.5, elapsed_ms=2.0, facts={"addresses": ["::1"]}
        ),
        Observation(step=Step.TLS_HANDSHAKE, target=target, started_ms=4.0, elapsed_ms=6.0, facts=facts),
        Observation(
            step=Step.CONNECT,
            target=replace(target, via="proxy.example:3128"),
            started_ms=9.0,
            elapsed_ms=1.0,
            failure=Failure.CONNECTION_RESET,
            detail="cut",
        ),
    )
    root, span, *_ = spans(trace(seen(PORTAL, *steps), {}))
    names, one = zip(*((event.name, plain(event.attributes)) for event in span.events), strict=True)
    assert names == ("resolve", "tls_handshake", "connect")
    assert span.events[0].time_unix_nano - root.start_time_unix_nano == 1_500_000
    assert (one[0]["dns.question.name"], one[0]["dns.answers"]) == ("a.example", ["::1"])
    assert (one[1]["tls.protocol.name"], one[1]["tls.protocol.version"]) == ("tls", "1.3")
    assert (one[1]["tls.server.issuer"], one[1]["readycheck.fact.alert"]) == ("CN=ca", 70)
    assert (one[1]["network.peer.address"], one[1]["network.type"]) == ("2001:db8::1", "ipv6")
    assert (one[2]["error.type"], one[2]["readycheck.detail"]) == ("connection_reset", "cut")
    assert "network.peer.address" not in one[2], "the peer of a tunnel is the proxy"


def test_names_are_those_that_the_conventions_have_and_have_not_withdrawn() -> None:
    """`error.message` and `tls.client.server_name` are deprecated (1.44)."""
    told = [plain(one.attributes) for span in spans(trace(PORTAL, {})) for one in (span, *span.events)]
    names = {name for about in told for name in about if not name.startswith("readycheck.")}
    tls = {f"tls.{name}" for name in ("cipher", "next_protocol", "protocol.name", "protocol.version")}
    tls |= {f"tls.server.{name}" for name in ("subject", "issuer", "not_after")}
    network = {f"network.{name}" for name in ("transport", "type", "peer.address", "peer.port")}
    assert names <= {"error.type", "server.address", "server.port", "dns.question.name", "dns.answers"} | (
        tls | network
    )
    assert any("/" in str(about.get("readycheck.network")) for about in told)
    assert not any("/" in str(about.get("server.address")) for about in told)


def test_what_goes_beyond_the_usual_limit_of_events_is_counted() -> None:
    step = Observation(step=Step.ECHO, target=Target(), started_ms=0.0, elapsed_ms=0.0)
    span = spans(trace(seen(PORTAL, *[step] * 130), {}))[1]
    assert (len(span.events), span.dropped_events_count) == (128, 2)


def test_the_resource_is_the_program_and_its_host() -> None:
    given = resource(trace(PORTAL, {"deployment.environment.name": "lab"}))
    assert given["service.name"] == "readycheck"
    assert (given["host.name"], given["os.type"]) == (PORTAL.environment.host, "linux")
    assert given["deployment.environment.name"] == "lab"
    assert resource(trace(PORTAL, {"service.name": "mine"}))["service.name"] == "mine"


def test_nothing_that_a_server_chose_does_harm() -> None:
    step = Observation(
        step=Step.RESPONSE,
        target=Target(host=HOSTILE),
        started_ms=0.0,
        elapsed_ms=float("nan"),
        detail="\ud800" + "x" * 5000,
        facts={"reason": HOSTILE, "rate": float("inf")},
    )
    event = plain(spans(trace(seen(PORTAL, step), {}))[1].events[0].attributes)
    assert all(str(value).isprintable() and len(str(value)) <= 1000 for value in event.values())
    assert event.keys().isdisjoint({"readycheck.elapsed_ms", "readycheck.fact.rate"})
