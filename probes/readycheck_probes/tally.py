"""The numbers that every probe reports: how many targets were asked, how many answered, how fast."""

from collections.abc import Iterable, Sequence
from statistics import median

from readycheck.probe import Better, Metric, MetricValue, Observation, Step, Unit

COMMON_METRICS = (
    Metric("sent", Unit.COUNT, title="targets asked"),
    Metric("answered", Unit.COUNT, Better.HIGHER, "targets that answered"),
    Metric("rtt_ms", Unit.MILLISECONDS, Better.LOWER, "round trip, median of the answers"),
)
HANDSHAKE_METRICS = (
    Metric("handshake_ms", Unit.MILLISECONDS, Better.LOWER, "TLS handshake, median"),
    Metric("expires_days", Unit.DAYS, Better.HIGHER, "until the first certificate expires"),
)


def tally(observations: Sequence[Observation], proves: Step, *, timed: Step) -> dict[str, MetricValue]:
    """The common metrics; the round trip is that of the step `timed`."""
    return {
        "sent": len({_asked(one) for one in observations}),
        "answered": len({_asked(one) for one in successes(observations, proves)}),
        "rtt_ms": median_of(rtts_ms(successes(observations, timed))),
    }


def tally_handshakes(observations: Sequence[Observation]) -> dict[str, MetricValue]:
    """The TLS metrics; a certificate that was refused still has its expiry."""
    handshakes = [one for one in observations if one.step is Step.TLS_HANDSHAKE]
    expiries = [one.facts["tls"]["expires_days"] for one in handshakes if one.facts.get("tls")]
    return {
        "handshake_ms": median_of(one.elapsed_ms for one in successes(handshakes, Step.TLS_HANDSHAKE)),
        "expires_days": min(expiries, default=None),
    }


def successes(observations: Sequence[Observation], step: Step) -> list[Observation]:
    """The steps that succeeded; a tunnel through a proxy is a connection."""
    steps = (Step.CONNECT, Step.PROXY_CONNECT) if step is Step.CONNECT else (step,)
    return [one for one in observations if one.step in steps and one.failure is None]


def rtts_ms(observations: Iterable[Observation]) -> list[float]:
    """Round trips; an answer that does not say which attempt it answers has none."""
    return [float(one.facts["rtt_ms"]) for one in observations if "rtt_ms" in one.facts]


def median_of(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(median(found), 3) if found else None


def _asked(observation: Observation) -> tuple[str | None, int | None]:
    # A name counts once, however many of its addresses were tried.
    return observation.target.host or observation.target.address, observation.target.port
