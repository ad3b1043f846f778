"""What filling the line shows: too few calls fit, or what fits makes all else wait."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.diagnose.media import Excess, drowning, excesses, line_rates, stream_bits
from readycheck.engine import Outcome
from readycheck.probe import MetricValue
from readycheck.verdict import Judgement

_WAYS = {"up": "sending", "down": "receiving"}
_TURNS = {"_together": "at the same time", "": "one after the other"}


def bandwidth_insufficient(case: Case) -> Iterator[Finding]:
    """Fewer calls than were asked for, played at once or by what the line let through; or a stream that drowns."""
    found = excesses(case, "calls_")
    hurt = {c.check for v in case.verdicts for c in v.checks if c.status in (Judgement.FAIL, Judgement.WARN)}
    drowned = [outcome for outcome in drowning(case) if outcome.check.id in hurt]
    if not found and not drowned:
        return
    metrics = _filled(case)
    wanted = metrics.get("calls_wanted") or 0
    names = {one.band.name for one in found}
    parts = []
    if "calls_loaded_ratio" in names:
        parts.append(f"of {wanted:g} calls at once {metrics['calls_loaded'] or 0:g} kept their quality")
    if "calls_line_ratio" in names:
        reserve = "with a reserve of a quarter there is room for"
        parts.append(f"{reserve} {metrics['calls_line'] or 0:g} of {wanted:g} calls of 100 kbit/s each way")
    parts += [f"a stream of {stream_bits(one) / 1e6:.3g} Mbit/s is more than passes" for one in drowned]
    shown = _filling(metrics) if line_rates(case) or not drowned else _crowding(drowned)
    summary = f"The line carries too little: {'; '.join(parts)}. {shown}"
    played = "calls_loaded_ratio" in names or bool(drowned)
    confidence = (
        Confidence.CERTAIN if len(names) > 1 else Confidence.LIKELY if played else Confidence.POSSIBLE
    )
    made = _finding(case, "bandwidth-insufficient", found, summary, confidence)
    yield _with_streams(case, made, drowned)


def _with_streams(case: Case, made: Finding, drowned: Sequence[Outcome]) -> Finding:
    """What these lose, and how late they come, is the line's width."""
    checks = [outcome.check.id for outcome in drowned]
    affects = tuple(dict.fromkeys((*made.affects, *case.requirements_of(checks))))
    return replace(made, affects=affects, severity=case.severity(affects), evidence=(*made.evidence, *checks))


def _filling(metrics: Mapping[str, MetricValue]) -> str:
    """Of both ways at once, where anything came of that."""
    rates = {
        turns: {way: metrics.get(f"throughput_{way}{suffix}_bits_per_second") for way in _WAYS}
        for suffix, turns in _TURNS.items()
    }
    turns = next((turns for turns, ways in rates.items() if any(ways.values())), _TURNS["_together"])
    return f"Measured {turns}: {', '.join(_rate(way, rate) for way, rate in rates[turns].items())}."


def _rate(way: str, rate: MetricValue) -> str:
    return f"{way} not measured" if rate is None else f"{rate / 1e6:.3g} Mbit/s {way}"


def _crowding(drowned: Sequence[Outcome]) -> str:
    """What tells a full line from a lossy one where nobody filled it to see, or it was the responder's limit."""
    came = min(stream_bits(one, way, "received") for one in drowned for way in _WAYS)
    trip_ms = max(float(one.metrics.get("rtt_ms") or 0.0) for one in drowned)
    return (
        f"{came / 1e6:.3g} Mbit/s of it arrive, which wait in a queue (a round trip takes {trip_ms:.0f} ms), while a "
        "narrower stream loses far less and waits less."
    )


def bufferbloat(case: Case) -> Iterator[Finding]:
    """The same stream takes much longer while the line is full; not only its slowest packets, or it is a guess."""
    found = excesses(case, "queue_")
    if not found:
        return
    metrics = _filled(case)
    idle = metrics.get("idle_trip_ms") or 0.0
    parts, most = [], True
    for one in found:
        usual, late = (metrics.get(f"loaded_{one.way}_trip{name}_ms") or 0.0 for name in ("", "_p95"))
        most = most and usual - idle >= (one.edge or 0.0)
        parts.append(f"while {_WAYS[one.way]} fills it, {usual:.0f} ms (95 % within {late:.0f} ms)")
    summary = (
        f"A round trip takes {idle:.0f} ms on the idle line and, {' and, '.join(parts)}: packets wait in a queue "
        "that is longer than speech can bear."
    )
    confidence = Confidence.CERTAIN if most else Confidence.LIKELY
    yield _finding(case, "bufferbloat", found, summary, confidence)


def _filled(case: Case) -> Mapping[str, MetricValue]:
    """Nothing where the line was not filled."""
    return next((one.metrics for one in case.outcomes if "calls_wanted" in one.metrics), {})


def _finding(
    case: Case, cause: str, found: Sequence[Excess], summary: str, confidence: Confidence
) -> Finding:
    checks = list(dict.fromkeys(one.check for one in found))
    affects = tuple(dict.fromkeys(one.requirement.id for one in found))
    made = case.finding(cause, checks, summary, confidence=confidence)
    return replace(made, affects=affects, severity=case.severity(affects))
