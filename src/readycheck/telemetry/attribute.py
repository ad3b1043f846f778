"""Values as OTLP has them in its JSON encoding, named by the semantic conventions where those have a name. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from readycheck.render.clean import clean
from readycheck.report import Report

CONVENTIONS = "https://opentelemetry.io/schemas/1.44.0"
"""Whose names these are."""
_LONGEST = 1000
_MOST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def attributes(values: Mapping[str, object]) -> list[Json]:
    """Those that say something."""
    return [{"key": name, "value": _any_value(value)} for name, value in values.items() if _says(value)]


def _says(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)  # JSON has no other
    return value is not None and value != "" and value != ()


def _any_value(value: object) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}  # 64 bits do not fit into the numbers of JSON
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, tuple | list):
        return {"arrayValue": {"values": [_any_value(one) for one in value[:_MOST]]}}
    return {"stringValue": clean(value, _LONGEST)}


def nanoseconds(began: str, after_ms: float = 0.0) -> str:
    """A moment of a run, by the clock that its report was made with."""
    moment = datetime.fromisoformat(began) - _EPOCH
    return str((moment // timedelta(microseconds=1)) * 1000 + round(after_ms * 1_000_000))


def trace_id(report: Report) -> str:
    """The id of the run, which is such a number already: who has the one finds the other."""
    run = report.run.id.lower()
    whole = len(run) == 32 and set(run) <= set("0123456789abcdef") and run.strip("0") != ""
    return run if whole else hashlib.sha256(run.encode("utf-8", "replace")).hexdigest()[:32]


def span_id(report: Report, part: str) -> str:
    """The same whenever it is made: what is sent twice is still one."""
    return hashlib.sha256(f"{report.run.id}/{part}".encode("utf-8", "replace")).hexdigest()[:16]


def resource(report: Report, given: Mapping[str, str]) -> Json:
    """What the run was made by, and where; `given` by OTEL_RESOURCE_ATTRIBUTES comes first."""
    known = {
        "service.name": report.tool.name,
        "service.version": report.tool.version,
        "host.name": report.environment.host,
        "os.type": _os_type(report.environment.platform),
        "os.description": report.environment.platform,
        "readycheck.site": report.run.site,
    }
    return {"attributes": attributes({**known, **given})}


def _os_type(platform: str) -> str:
    system = platform.partition("-")[0].lower()
    return "darwin" if system == "macos" else system


def scope(report: Report) -> Json:
    return {"name": report.tool.name, "version": report.tool.version}
