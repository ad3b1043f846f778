"""What was sent, as the classes see it that OpenTelemetry itself makes of its protocol."""

import json
from base64 import b64encode
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def spans(document: Any) -> list[Any]:
    """Refuses unknown fields and values of another type. Each has its scope's only resource."""
    (found,) = _read(document, ExportTraceServiceRequest()).resource_spans
    (scoped,) = found.scope_spans
    return list(scoped.spans)


def gauges(document: Any) -> dict[str, Any]:
    (found,) = _read(document, ExportMetricsServiceRequest()).resource_metrics
    (scoped,) = found.scope_metrics
    return {metric.name: metric for metric in scoped.metrics}


def resource(document: Any) -> dict[str, Any]:
    return plain(_read(document, ExportTraceServiceRequest()).resource_spans[0].resource.attributes)


def plain(attributes: Any) -> dict[str, Any]:
    """By name, each of which may be there once."""
    names = [one.key for one in attributes]
    assert len(names) == len(set(names))
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return (
        [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)
    )


def _read(document: Any, into: Any) -> Any:
    text = json.dumps(document, allow_nan=False)
    return ParseDict(json.loads(text, object_hook=_ids_as_protobuf_has_them), into)


def _ids_as_protobuf_has_them(value: dict[str, Any]) -> dict[str, Any]:
    for name in value.keys() & {"traceId", "spanId", "parentSpanId"}:
        value[name] = b64encode(bytes.fromhex(value[name])).decode()
    return value
