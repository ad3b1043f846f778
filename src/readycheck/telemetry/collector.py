"""Where telemetry goes, as OpenTelemetry's variables say it, and how it gets there: OTLP over HTTP, in bounded time."""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any
from urllib.parse import unquote, urlsplit

from readycheck.errors import UsageError
from readycheck.patience import within
from readycheck.report import Report
from readycheck.telemetry.attribute import Json
from readycheck.telemetry.metrics import metrics
from readycheck.telemetry.trace import trace

OPTION = "--otlp"
_PREFIX = "OTEL_EXPORTER_OTLP_"
_SIGNALS: Mapping[str, Callable[[Report, Mapping[str, str]], Json]] = {"traces": trace, "metrics": metrics}
_JSON, _PROTOBUF = "http/json", "http/protobuf"
_MOST_S = 60.0
_FOR_NOW = (429, 502, 503, 504)
_PAUSE_S = 1.0
"""Where it names none, and at the least: "at once", said again and again, would be a flood."""
_LONGEST_ANSWER = 64 * 1024
_LONGEST_REASON = 300
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


class SendError(Exception):
    """It did not arrive, or not whole; the text says why, without the URL."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where one signal goes. Neither the path of the URL nor the headers are ever shown: tokens stand in them."""

    signal: str
    shown: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Collector:
    ways: tuple[Way, ...]
    protocol: str = _JSON
    timeout_s: float = 10.0
    authorities: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)

    def send(self, report: Report) -> list[str]:
        """Trace and metrics of a run. What did not arrive, in lines."""
        troubles = {
            way.signal: f"otlp: {way.shown}: {way.signal}: no answer within {self.timeout_s:g} s"
            for way in self.ways
        }
        with suppress(TimeoutError):
            within(self.timeout_s, lambda: self._send_all(report, troubles))
        return list(troubles.values())

    def _send_all(self, report: Report, troubles: dict[str, str]) -> None:
        ends = monotonic() + self.timeout_s
        for left, way in zip(range(len(self.ways), 0, -1), self.ways, strict=True):
            began = monotonic()
            until = began + (ends - began) / left  # one that is busy leaves the others their share
            try:
                self._send(way, self._body(way, report), until)
            except SendError as error:
                troubles[way.signal] = f"otlp: {way.shown}: {way.signal}: {error}"
            except Exception as error:  # a bug; its text may hold the URL
                bug = f"internal error ({type(error).__name__})"
                troubles[way.signal] = f"otlp: {way.shown}: {way.signal}: {bug}"
            else:
                del troubles[way.signal]

    def _body(self, way: Way, report: Report) -> bytes:
        document = _SIGNALS[way.signal](report, self.given)
        plain = json.dumps(document).encode() if self.protocol == _JSON else _protobuf(way.signal, document)
        return gzip.compress(plain, 6, mtime=0)

    def _send(self, way: Way, body: bytes, until: float) -> None:
        """Again where it is asked for (OTLP/HTTP, "Failures"), as long as there is time."""
        while True:
            status, said, pause_s = self._ask(way, body)
            if status not in _FOR_NOW or monotonic() + pause_s >= until:
                break
            sleep(pause_s)
        if not 200 <= status < 300:
            raise SendError(f"it answered with status {status}{self._why(said)}")
        if self.protocol == _JSON:
            _refuse_partial(said)

    def _why(self, said: bytes) -> str:
        """What it says itself (`google.rpc.Status`)."""
        try:
            text = json.loads(said)["message"] if self.protocol == _JSON else ""
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return f" ({text[:_LONGEST_REASON]})" if isinstance(text, str) and text else ""

    def _ask(self, way: Way, body: bytes) -> tuple[int, bytes, float]:
        """Status, the beginning of the answer, and how long it wants to be left alone."""
        import httpx

        from readycheck import __version__

        headers = {
            "User-Agent": f"readycheck/{__version__}",
            **way.headers,
            "Content-Type": "application/json" if self.protocol == _JSON else "application/x-protobuf",
            "Content-Encoding": "gzip",
        }
        try:
            with httpx.stream(
                "POST",
                way.url,
                content=body,
                headers=headers,
                timeout=self.timeout_s,
                verify=_trust(self.authorities),
            ) as answer:
                said = _beginning(answer.iter_bytes())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise SendError(_reason(error)) from None
        return answer.status_code, said, _pause_s(answer.headers.get("Retry-After", ""))


def _trust(authorities: str | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=authorities) if authorities else True


def _beginning(parts: Iterator[bytes]) -> bytes:
    found = b""
    for part in parts:
        found += part
        if len(found) > _LONGEST_ANSWER:
            break
    return found


def _pause_s(told: str) -> float:
    """`Retry-After` in seconds; a date (RFC 9110 section 10.2.3) is further away than anybody waits here."""
    if not told:
        return _PAUSE_S
    return max(float(told), _PAUSE_S) if told.isdecimal() and len(told) < 6 else _MOST_S


def _reason(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _refuse_partial(said: bytes) -> None:
    """A collector may take a part and say so (`ExportTracePartialSuccess`); it need not say anything."""
    try:
        part = json.loads(said or b"{}")["partialSuccess"]
        rejected = int(part.get("rejectedSpans") or part.get("rejectedDataPoints") or 0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    if rejected:
        raise SendError(f"it took all but {rejected}: {str(part.get('errorMessage', ''))[:_LONGEST_REASON]}")


def _protobuf(signal: str, document: Json) -> bytes:
    """The same document in the binary encoding."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    request = (
        trace_service_pb2.ExportTraceServiceRequest()
        if signal == "traces"
        else metrics_service_pb2.ExportMetricsServiceRequest()
    )
    return bytes(ParseDict(_in_base64(document), request).SerializeToString())


def _in_base64(value: Any) -> Any:
    """OTLP's JSON has ids in hex, where that of Protobuf has them in base64."""
    if isinstance(value, list):
        return [_in_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: b64encode(bytes.fromhex(one)).decode() if key in _IDS else _in_base64(one)
        for key, one in value.items()
    }


def collector(url: str | None, environ: Mapping[str, str]) -> Collector | None:
    """Of `--otlp`, or of the variables alone; None where nobody wants it. Raises `UsageError` that shows no secret."""
    told = {name.removeprefix(_PREFIX): value for name, value in environ.items() if value}
    if url is None and environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    kept = [signal for signal in _SIGNALS if environ.get(f"OTEL_{signal.upper()}_EXPORTER") != "none"]
    ways = tuple(way for signal in kept if (way := _way(signal, url, told)))
    if not ways:
        return None
    return Collector(
        ways,
        _protocol(told),
        _timeout_s(told),
        _authorities(told),
        _resource(environ),
    )


def _way(signal: str, url: str | None, told: Mapping[str, str]) -> Way | None:
    """An endpoint of one signal is taken as it is, one of all is where their paths begin."""
    own = f"{signal.upper()}_ENDPOINT"
    if url is None and told.get(own):
        name, whole = _PREFIX + own, told[own]
    else:
        name, start = (OPTION, url) if url is not None else (f"{_PREFIX}ENDPOINT", told.get("ENDPOINT"))
        if start is None:
            return None
        whole = f"{start.rstrip('/')}/v1/{signal}"
    headers = told.get(f"{signal.upper()}_HEADERS") or told.get("HEADERS", "")
    return Way(signal, _checked(name, whole), whole, _pairs(f"{_PREFIX}HEADERS", headers))


def _checked(name: str, url: str) -> str:
    """What may be shown of it: scheme, host and port."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise UsageError(f"{name}: not a URL as http://HOST:4318")
    place = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{place}" + (f":{port}" if port else "")
    if parts.query or parts.fragment:
        raise UsageError(f"{name} {shown}: a query or fragment has no place in it")
    return shown


def _pairs(name: str, text: str) -> dict[str, str]:
    """`key=value,key=value`, percent-encoded (W3C Baggage)."""
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, separator, value = pair.partition("=")
        key, value = key.strip(), unquote(value.strip())
        if not separator or not key or not (key + value).isprintable():
            raise UsageError(f"{name}: not of the form key=value,key=value")
        found[key] = value
    return found


def _protocol(told: Mapping[str, str]) -> str:
    """JSON where nothing is said: it needs nothing that is not here."""
    protocol = told.get("PROTOCOL", _JSON)
    if protocol not in (_JSON, _PROTOBUF):
        raise UsageError(f"{_PREFIX}PROTOCOL {protocol[:40]}: neither {_JSON} nor {_PROTOBUF}")
    if protocol == _PROTOBUF:
        from importlib.util import find_spec

        if not find_spec("opentelemetry") or not find_spec("opentelemetry.proto"):
            raise UsageError(
                f"{_PREFIX}PROTOCOL {protocol}: needs the extra 'otel' (pip install readycheck[otel])"
            )
    return protocol


def _timeout_s(told: Mapping[str, str]) -> float:
    text = told.get("TIMEOUT", "10000")
    if not text.isdecimal() or not 0 < int(text) <= _MOST_S * 1000:
        raise UsageError(
            f"{_PREFIX}TIMEOUT {text[:40]}: not a number of milliseconds up to {_MOST_S * 1000:.0f}"
        )
    return int(text) / 1000


def _authorities(told: Mapping[str, str]) -> str | None:
    file = told.get("CERTIFICATE")
    try:
        _trust(file)
    except OSError as error:  # also for what is no certificate
        raise UsageError(f"{_PREFIX}CERTIFICATE {file}: {error.strerror or error}") from None
    return file


def _resource(environ: Mapping[str, str]) -> dict[str, str]:
    given = _pairs("OTEL_RESOURCE_ATTRIBUTES", environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = environ.get("OTEL_SERVICE_NAME")
    return {**given, "service.name": name} if name else given
