"""What filling the line shows: too few calls fit, or what fits makes all else wait."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.diagnose.media import Excess, excesses
from readycheck.probe import MetricValue

_WAYS = {"up": "sending", "down": "receiving"}


def bandwidth_insufficient(case: Case) -> Iterator[Finding]:
    """Fewer calls than were asked for: played at once, or by what the line let through."""
    found = excesses(case, "calls_")
    if not found:
        return
    metrics = _metrics(case, found)
    wanted = metrics.get("calls_wanted") or 0
    names = {one.band.name for one in found}
    parts = []
    if "calls_loaded_ratio" in names:
        parts.append(f"of {wanted:g} calls at once {metrics['calls_loaded'] or 0:g} were played in order")
    if "calls_line_ratio" in names:
        reserve = "with a reserve of a quarter there is room for"
        parts.append(f"{reserve} {metrics['calls_line'] or 0:g} of {wanted:g} calls of 100 kbit/s each way")
    rates = ", ".join(_rate(way, metrics) for way in _WAYS)
    summary = f"The line carries too little: {'; '.join(parts)}. Measured at the same time: {rates}."
    played = "calls_loaded_ratio" in names
    confidence = (
        Confidence.CERTAIN if len(names) > 1 else Confidence.LIKELY if played else Confidence.POSSIBLE
    )
    yield _finding(case, "bandwidth-insufficient", found, summary, confidence)


def _rate(way: str, metrics: Mapping[str, MetricValue]) -> str:
    rate = metrics.get(f"throughput_{way}_together_bits_per_second")
    return f"{way} not measured" if rate is None else f"{rate / 1e6:.3g} Mbit/s {way}"


def bufferbloat(case: Case) -> Iterator[Finding]:
    """The same stream takes much longer while the line is full; not only its slowest packets, or it is a guess."""
    found = excesses(case, "queue_")
    if not found:
        return
    metrics = _metrics(case, found)
    idle = metrics.get("idle_trip_ms") or 0.0
    parts, most = [], True
    for one in found:
        usual, late = (metrics.get(f"loaded_{one.way}_trip{name}_ms") or 0.0 for name in ("", "_p95"))
        limit = one.band.limit.warn if one.band.limit.warn is not None else one.band.limit.fail
        most = most and usual - idle >= (limit or 0.0)
        parts.append(f"while {_WAYS[one.way]} fills it, {usual:.0f} ms (95 % within {late:.0f} ms)")
    summary = (
        f"A round trip takes {idle:.0f} ms on the idle line and, {' and, '.join(parts)}: packets wait in a queue "
        "that is longer than speech can bear."
    )
    confidence = Confidence.CERTAIN if most else Confidence.LIKELY
    yield _finding(case, "bufferbloat", found, summary, confidence)


def _metrics(case: Case, found: Sequence[Excess]) -> Mapping[str, MetricValue]:
    return case.by_check[found[0].check].metrics


def _finding(
    case: Case, cause: str, found: Sequence[Excess], summary: str, confidence: Confidence
) -> Finding:
    checks = list(dict.fromkeys(one.check for one in found))
    affects = tuple(dict.fromkeys(one.requirement.id for one in found))
    made = case.finding(cause, checks, summary, confidence=confidence)
    return replace(made, affects=affects, severity=case.severity(affects))
