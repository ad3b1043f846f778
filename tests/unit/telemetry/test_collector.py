"""Telemetry on its way: to a collector that takes it, refuses it, takes a part, is silent, or is none."""

import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from readycheck.errors import UsageError
from readycheck.telemetry import collector as sending
from readycheck.telemetry.collector import Collector, collector
from tests.unit.telemetry.fake_collector import collecting
from tests.unit.test_report import report

SECRET = "geheim"
START = "OTEL_EXPORTER_OTLP_"


def made(url: str | None = None, **told: str) -> Collector:
    found = collector(url, {START + name: value for name, value in told.items()})
    assert found
    return found


@pytest.mark.parametrize("base", ["", "/", "/in/front/"])
def test_trace_and_metrics_arrive_at_their_paths(base: str) -> None:
    with collecting() as fake:
        assert made(fake.url + base, HEADERS="authorization=Basic%20x, tenant=7").send(report()) == []
    paths = [path for path, _, _ in fake.requests]
    assert paths == [f"{base.rstrip('/')}/v1/traces", f"{base.rstrip('/')}/v1/metrics"]
    headers = fake.requests[0][1]
    assert (headers["authorization"], headers["tenant"]) == ("Basic x", "7")
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("readycheck/")


def test_the_binary_encoding_is_read_by_its_own_classes() -> None:
    with collecting() as fake:
        assert made(fake.url, PROTOCOL="http/protobuf").send(report(id="ab" * 16)) == []
    sent = ExportTraceServiceRequest.FromString(fake.body("/v1/traces"))
    (scoped,) = sent.resource_spans[0].scope_spans
    assert scoped.spans[0].trace_id.hex() == "ab" * 16
    metrics = ExportMetricsServiceRequest.FromString(fake.body("/v1/metrics"))
    assert metrics.resource_metrics[0].scope_metrics[0].metrics
    assert fake.requests[0][1]["content-type"] == "application/x-protobuf"


def test_a_refusal_is_told_without_secrets() -> None:
    with collecting() as fake:
        fake.status = 403
        place = fake.url.replace("//", f"//user:{SECRET}@") + f"/{SECRET}"
        troubles = made(place, HEADERS=f"authorization={SECRET}").send(report())
    assert troubles == [
        f"otlp: {fake.url}: traces: it answered with status 403",
        f"otlp: {fake.url}: metrics: it answered with status 403",
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "full"}}', "it took all but 3: full"),
        (b'{"partialSuccess": {}}', ""),
        (b'{"partialSuccess": {"rejectedSpans": "many"}}', ""),
        (b"", ""),
        (b"[]", ""),
        (b"{" * 100_000, ""),
        (b"[" * 60_000, ""),
    ],
)
def test_a_collector_may_take_a_part(answer: bytes, told: str) -> None:
    with collecting() as fake:
        fake.answer = answer
        troubles = made(None, TRACES_ENDPOINT=f"{fake.url}/mine").send(report())
    assert troubles == ([f"otlp: {fake.url}: traces: {told}"] if told else [])
    assert [path for path, _, _ in fake.requests] == ["/mine"]


@pytest.mark.parametrize(
    ("status", "after", "answer", "told"),
    [
        (400, "", b'{"code": 3, "message": "no such tenant"}', "status 400 (no such tenant)"),
        (400, "", b'{"message": 7}', "status 400"),
        (400, "", b"\x08\x03\x12\x04what", "status 400"),
        (429, "3600", b"", "status 429"),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", b"<html>", "status 503"),
        (503, "-1", b"", "status 503"),
        (302, "", b"", "status 302"),
    ],
)
def test_a_refusal_is_told_with_its_reason(status: int, after: str, answer: bytes, told: str) -> None:
    with collecting() as fake:
        fake.status, fake.after, fake.answer = status, after, answer
        troubles = made(None, TRACES_ENDPOINT=fake.url).send(report())
    assert troubles == [f"otlp: {fake.url}: traces: it answered with {told}"]
    assert len(fake.requests) == 1


def test_one_that_is_busy_is_asked_again_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_PAUSE_S", 0.01)
    with collecting() as fake:
        fake.busy, fake.after = 2, "0"
        assert made(fake.url).send(report()) == []
    paths = [path for path, _, _ in fake.requests]
    assert paths == ["/v1/traces"] * 3 + ["/v1/metrics"]


@pytest.mark.parametrize(("after", "pause_s"), [("0", 1.0), ("", 1.0), ("3", 3.0)])
def test_one_that_wants_to_be_asked_at_once_is_not_flooded(
    after: str, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(sending, "sleep", pauses.append)
    with collecting() as fake:
        fake.busy, fake.after = 1, after
        assert made(None, TRACES_ENDPOINT=fake.url).send(report()) == []
    assert pauses == [pause_s]


def test_one_that_stays_busy_leaves_the_other_signal_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0

    def pause(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr(sending, "sleep", pause)
    monkeypatch.setattr(sending, "monotonic", lambda: now_s)
    with collecting() as fake:
        fake.status = 503
        assert len(made(fake.url).send(report())) == 2
    paths = [path for path, _, _ in fake.requests]
    assert paths == ["/v1/traces"] * 5 + ["/v1/metrics"] * 6


def test_what_speaks_another_protocol_is_told() -> None:
    def greet() -> None:
        with server.accept()[0] as stream, suppress(ConnectionError):
            stream.send(b"SSH-2.0-x\r\n")
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(4096):  # what is left unread at the end would reset the connection
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=greet, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        troubles = made(None, TRACES_ENDPOINT=url).send(report())
    assert troubles == [f"otlp: {url}: traces: RemoteProtocolError"]


def test_a_bug_is_a_line_for_each_and_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Collector, "_ask", broken)
    assert made("http://h").send(report()) == [
        f"otlp: http://h: {signal}: internal error (RuntimeError)" for signal in ("traces", "metrics")
    ]
    assert capsys.readouterr().err == ""


def test_nobody_there_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        troubles = made(url).send(report())
    assert troubles[0] == f"otlp: {url}: traces: Connection refused"


def test_a_silent_one_holds_nobody_up() -> None:
    with collecting(holds=True) as fake:
        troubles = made(fake.url, TIMEOUT="200").send(report())
    assert troubles == [
        f"otlp: {fake.url}: {signal}: no answer within 0.2 s" for signal in ("traces", "metrics")
    ]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {START + "ENDPOINT": ""},
        {START + "ENDPOINT": "http://h:4318", "OTEL_SDK_DISABLED": "true"},
        {START + "TRACES_ENDPOINT": "http://h:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_where_nobody_asked(told: dict[str, str]) -> None:
    assert collector(None, told) is None


def test_the_option_comes_before_the_variables_and_one_signal_before_all() -> None:
    told = {"ENDPOINT": "http://all:1", "METRICS_ENDPOINT": "http://own:2/x", "METRICS_HEADERS": "a=b"}
    assert [way.url for way in made(None, **told).ways] == ["http://all:1/v1/traces", "http://own:2/x"]
    assert [dict(way.headers) for way in made(None, **told).ways] == [{}, {"a": "b"}]
    assert {way.shown for way in made("https://[::1]:4318", **told).ways} == {"https://[::1]:4318"}


def test_what_the_resource_is_said_to_be() -> None:
    told = {"OTEL_RESOURCE_ATTRIBUTES": "team=voice,room=Caf%C3%A9", "OTEL_SERVICE_NAME": "mine"}
    found = collector("http://h", told)
    assert found and found.given == {"team": "voice", "room": "Café", "service.name": "mine"}


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"ENDPOINT": f"{SECRET}"}, "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL as http://HOST:4318"),
        ({"ENDPOINT": f"grpc://{SECRET}:4317"}, "not a URL as http://HOST:4318"),
        ({"ENDPOINT": f"http://:{SECRET}@/"}, "not a URL as http://HOST:4318"),
        ({"ENDPOINT": f"http://h:{SECRET}"}, "not a URL as http://HOST:4318"),
        ({"ENDPOINT": f"http://h\n{SECRET}"}, "not a URL as http://HOST:4318"),
        ({"ENDPOINT": f"http://h:1/?key={SECRET}"}, "http://h:1: a query or fragment has no place in it"),
        ({"HEADERS": SECRET}, "OTEL_EXPORTER_OTLP_HEADERS: not of the form key=value,key=value"),
        ({"HEADERS": f"a={SECRET}%0a"}, "not of the form key=value,key=value"),
        ({"PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL grpc: neither http/json nor http/protobuf"),
        ({"TIMEOUT": "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT 10s: not a number of milliseconds up to 60000"),
        ({"CERTIFICATE": "/nowhere.pem"}, "CERTIFICATE /nowhere.pem: No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_refused_without_secrets(told: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError) as refused:
        made(None, **{"ENDPOINT": "http://h", **told})
    assert text in str(refused.value)
    assert SECRET not in str(refused.value)


def test_authorities_that_are_none(tmp_path: Path) -> None:
    (file := tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageError, match=r"CERTIFICATE .*ca\.pem: "):
        made("http://h", CERTIFICATE=str(file))


def test_no_secret_is_in_what_python_shows() -> None:
    assert SECRET not in repr(made(f"http://u:{SECRET}@h/{SECRET}", HEADERS=f"a={SECRET}"))
