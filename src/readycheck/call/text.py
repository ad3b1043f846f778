"""A call in words, for whoever has the user on the line. Pure."""

from collections.abc import Iterator, Mapping

from readycheck.call.attempt import Attempt, Judged, Reception, judge, verdict, verdict_of
from readycheck.call.document import Called
from readycheck.call.stage import Failed, Stage, Via
from readycheck.call.vouching import Vouched
from readycheck.profile import Limit
from readycheck.verdict import Readiness

_STAGES = {
    Stage.NAMES: "names",
    Stage.SIGNALLING: "signalling",
    Stage.ICE: "ICE",
    Stage.DTLS: "DTLS",
    Stage.MEDIA_ONE_WAY: "media one way",
    Stage.MEDIA_BOTH_WAYS: "media both ways",
}
_VIAS = {Via.UDP: "UDP", Via.TCP: "TCP", Via.TLS: "TLS"}
_VERDICTS = {
    Readiness.READY: "READY: the call works",
    Readiness.WARNINGS: "WARNINGS: the call works, but not as it should",
    Readiness.NOT_READY: "NOT READY: the call does not work",
    Readiness.UNKNOWN: "UNKNOWN: the far end took no call, which says nothing of this network",
}
_METRICS = {
    "loss_up_ratio": "loss to the far end",
    "loss_down_ratio": "loss from the far end",
    "jitter_up_ms": "jitter at the far end",
    "jitter_down_ms": "jitter here",
    "rtt_ms": "round trip",
}
_WIDTH = max(map(len, _STAGES.values()))


def render(called: Called) -> str:
    lines = [f"{called.title}: a call to {called.place}", ""]
    for one in called.attempts:
        lines += [*_attempt(one, called.limits), ""]
    lines.append(_VERDICTS[verdict(called.attempts, called.limits)] + _fallback(called))
    return "".join(f"{line}\n" for line in lines)


def _fallback(called: Called) -> str:
    """Which way saved the call."""
    found = [(one.via, verdict_of(one, called.limits)) for one in called.attempts]
    if not found or found[0][1] is not Readiness.NOT_READY:
        return ""
    working = [_VIAS[via] for via, level in found if level in (Readiness.READY, Readiness.WARNINGS)]
    return f" (by {working[0]} alone, {_VIAS[found[0][0]]} fails)" if working else ""


def _attempt(one: Attempt, limits: Mapping[str, Limit]) -> Iterator[str]:
    yield f"by {_VIAS[one.via]}: {_headline(one, limits)}"
    for passed in one.passed:
        yield f"  {_STAGES[passed.stage]:{_WIDTH}}  passed in {_time(passed.took_ms)}{_more(one, passed.stage)}"
    if one.failed is not None:
        yield f"  {_STAGES[one.failed.stage]:{_WIDTH}}  FAILED: {one.failed.detail} ({one.failed.failure.value})"
    elif one.quality.metrics():
        yield f"  {_STAGES[Stage.MEDIA_BOTH_WAYS]:{_WIDTH}}  passed for {one.talked_s:.1f} s"
    yield from _quality(one, limits)


def _headline(one: Attempt, limits: Mapping[str, Limit]) -> str:
    if one.failed is not None:
        return _failure(one.failed)
    words = {
        Readiness.READY: "works",
        Readiness.WARNINGS: "works, with a quality beyond what is recommended",
        Readiness.NOT_READY: "connects, and its quality is too bad",
    }
    level = verdict_of(one, limits)
    connected = "" if one.connect_ms is None else f"; connected in {_time(one.connect_ms)}"
    return f"{words.get(level, level.value)}{connected}"


def _failure(failed: Failed) -> str:
    """With how long it went well, for that is what the user heard."""
    heard = f", after {failed.talked_s:.1f} s of talk" if failed.talked_s > 0 else ""
    return f"FAILS at {_STAGES[failed.stage]}, {failed.after_s:.1f} s after it began{heard}"


def _more(one: Attempt, stage: Stage) -> str:
    if stage is Stage.NAMES:
        return f": {one.place}"
    if stage is Stage.SIGNALLING:
        proxy = [f"through the proxy {one.proxy}"] if one.proxy else []
        return "".join(f": {', '.join(words)}" for words in [proxy + _vouching(one)] if words)
    if stage is Stage.DTLS and one.srtp:
        return f": {one.srtp}"
    return ""


def _vouching(one: Attempt) -> list[str]:
    """Who answers may be anybody's relay where nobody vouches for its certificate."""
    if one.via is Via.TCP:
        return []
    words = {Vouched.KEY: "by the key", Vouched.AUTHORITY: "by an authority", None: "by nobody"}
    return [f"TLS, its certificate vouched for {words[one.vouched]}"]


def _quality(one: Attempt, limits: Mapping[str, Limit]) -> Iterator[str]:
    quality = one.quality
    if quality.up is not None:
        yield f"  to the far end:   {_reception(quality.up)}"
    if quality.down is not None:
        yield f"  from the far end: {_reception(quality.down)}"
    if quality.rtt_ms is not None:
        yield f"  round trip {quality.rtt_ms:.1f} ms"
    if one.dscp and one.dscp_seen is not None:
        kept = "arrives" if one.dscp_seen == one.dscp else f"arrives as {one.dscp_seen}"
        yield f"  marked with DSCP {one.dscp}, which {kept} at the far end"
    yield from map(_beyond, judge(quality, limits))


def _reception(one: Reception) -> str:
    return f"{one.lost} of {one.packets} packets lost ({one.loss_ratio:.1%}), jitter {one.jitter_ms:.1f} ms"


def _beyond(found: Judged) -> str:
    shown, edge = _value(found.metric, found.value), _value(found.metric, found.limit)
    if found.level is None:
        return f"  {_METRICS[found.metric]} {shown} is not judged: this host sent too late itself"
    kind = "too much" if found.level is Readiness.NOT_READY else "more than recommended"
    return f"  {_METRICS[found.metric]} {shown} is {kind}: {edge} ({found.source})"


def _value(metric: str, value: float) -> str:
    return f"{value:.2%}" if metric.endswith("_ratio") else f"{value:.1f} ms"


def _time(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"
