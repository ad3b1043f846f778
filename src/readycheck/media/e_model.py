"""The E-model of narrowband telephony (ITU-T G.107): from delay and loss to a rating R and a MOS. Pure.

Rating factors R are 0..100 and above, MOS 1..4.5, delays milliseconds, loss a ratio 0..1, levels dB.
"""

import math
from dataclasses import dataclass

_ECHO_FLOOR = 100.0
_LEAST_R, _MOST_R = 6.5153, 100.0
"""Below the first the polynomial of G.107 annex B falls under 1, its own least value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How coding and loss impair (ITU-T G.113 appendix I): `ie` without loss, `bpl` is robustness against it.

    `wideband` codecs have no values on the scale of G.107: they are rated as the named equivalent, and said to be.
    """

    name: str
    ie: float
    bpl: float
    rated_as: str = ""

    @property
    def wideband(self) -> bool:
        return bool(self.rated_as)


G711 = Codec(name="G.711 with concealment", ie=0.0, bpl=25.1)
G711_PLAIN = Codec(name="G.711 without concealment", ie=0.0, bpl=4.3)
G729A = Codec(name="G.729A with VAD", ie=11.0, bpl=19.0)
G723_1 = Codec(name="G.723.1 at 6.3 kbit/s with VAD", ie=15.0, bpl=16.1)
G722 = Codec(name="G.722", ie=G711.ie, bpl=G711.bpl, rated_as=G711.name)
OPUS = Codec(name="Opus", ie=G711.ie, bpl=G711.bpl, rated_as=G711.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminals:
    """The parameters of G.107 table 3 that no network changes, at their default values."""

    send_loudness: float = 8.0
    receive_loudness: float = 2.0
    sidetone_masking: float = 15.0
    sender_d: float = 3.0
    receiver_d: float = 3.0
    talker_echo_loudness: float = 65.0
    weighted_echo_path_loss: float = 110.0
    quantising_units: float = 1.0
    circuit_noise: float = -70.0
    noise_floor: float = -64.0
    room_noise_sender: float = 35.0
    room_noise_receiver: float = 35.0
    advantage: float = 0.0


DEFAULTS = Terminals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """R and MOS, with the parts that they come of: R = Ro - Is - Id - Ie,eff + A."""

    r: float
    mos: float
    ro: float
    simultaneous: float
    delay: float
    equipment: float


def rate(
    one_way_ms: float,
    loss_ratio: float,
    codec: Codec = G711,
    *,
    burst_ratio: float = 1.0,
    terminals: Terminals = DEFAULTS,
) -> Rating:
    """Rate a call whose mouth-to-ear delay is `one_way_ms`; `burst_ratio` 1 is random loss (G.107 clause 7.1)."""
    ro = _basic(terminals)
    simultaneous = _simultaneous(terminals, ro, one_way_ms)
    delay = _delay(terminals, ro, one_way_ms)
    equipment = effective_equipment(codec, loss_ratio, burst_ratio)
    r = ro - simultaneous - delay - equipment + terminals.advantage
    return Rating(r=r, mos=mos(r), ro=ro, simultaneous=simultaneous, delay=delay, equipment=equipment)


def mos(r: float) -> float:
    """The mean opinion score of a rating (G.107 annex B)."""
    if r <= _LEAST_R:
        return 1.0
    if r >= _MOST_R:
        return 4.5
    return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)


def effective_equipment(codec: Codec, loss_ratio: float, burst_ratio: float = 1.0) -> float:
    """Ie,eff (G.107 clause 7.5)."""
    percent = loss_ratio * 100
    return codec.ie + (95 - codec.ie) * percent / (percent / burst_ratio + codec.bpl)


def burst_ratio(mean_burst: float, loss_ratio: float) -> float:
    """BurstR: the mean length of runs of lost packets over that of random loss; never less than 1 here."""
    return max(1.0, mean_burst * (1 - loss_ratio))


def simplified(one_way_ms: float, loss_ratio: float, codec: Codec = G711) -> float:
    """R by the delay term of Cole and Rosenbluth; near the full model up to some 300 ms."""
    late = max(0.0, one_way_ms - 177.3)
    return 93.2 - (0.024 * one_way_ms + 0.11 * late) - effective_equipment(codec, loss_ratio)


# --- the terms of G.107 clause 7 ------------------------------------------------------------------------


def _noise(t: Terminals) -> float:
    """No: all noise at the 0 dBr point (clause 7.2)."""
    overall = t.send_loudness + t.receive_loudness
    room = t.room_noise_sender
    at_sender = room - t.send_loudness - t.sender_d - 100 + 0.004 * (room - overall - t.sender_d - 14) ** 2
    effective = t.room_noise_receiver + _decibel(1 + _power(10 - (t.sidetone_masking + t.receiver_d)))
    at_receiver = t.receive_loudness - 121 + effective + 0.008 * (effective - 35) ** 2
    floor = t.noise_floor + t.receive_loudness
    return _decibel(sum(map(_power, (t.circuit_noise, at_sender, at_receiver, floor))))


def _basic(t: Terminals) -> float:
    """Ro: the signal against the noise."""
    return 15 - 1.5 * (t.send_loudness + _noise(t))


def _simultaneous(t: Terminals, ro: float, one_way_ms: float) -> float:
    """Is: too loud, a wrong sidetone, quantisation (clause 7.3)."""
    overall = t.send_loudness + t.receive_loudness
    x = overall + 0.2 * (64 + _noise(t) - t.receive_loudness)
    loud = 20 * (math.pow(1 + (x / 8) ** 8, 1 / 8) - x / 8)
    echo = math.exp(-one_way_ms / 4) * _power(-t.talker_echo_loudness)
    sidetone = -_decibel(_power(-t.sidetone_masking) + echo)
    masked = (
        12 * math.pow(1 + ((sidetone - 13) / 6) ** 8, 1 / 8)
        - 28 * math.pow(1 + ((sidetone + 1) / 19.4) ** 35, 1 / 35)
        - 13 * math.pow(1 + ((sidetone - 3) / 33) ** 13, 1 / 13)
        + 29
    )
    q = 37 - 15 * math.log10(t.quantising_units)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y, z = (ro - 100) / 15 + 46 / 8.4 - g / 9, 46 / 30 - g / 40
    return loud + masked + 15 * math.log10(1 + math.pow(10, y) + math.pow(10, z))


def _delay(t: Terminals, ro: float, one_way_ms: float) -> float:
    """Id: echo of the talker, echo of the listener, and delay without any echo (clause 7.4)."""
    return _talker_echo(t, one_way_ms) + _listener_echo(t, ro, one_way_ms) + _pure_delay(one_way_ms)


def _talker_echo(t: Terminals, one_way_ms: float) -> float:
    ratio = (1 + one_way_ms / 10) / (1 + one_way_ms / 150)
    heard = t.talker_echo_loudness - 40 * math.log10(ratio) + 6 * math.exp(-0.3 * one_way_ms**2)
    without = -1.5 * (_noise(t) - t.receive_loudness)
    half = (without - (80 + 2.5 * (heard - 14))) / 2
    return (half + math.sqrt(half**2 + _ECHO_FLOOR) - 1) * (1 - math.exp(-one_way_ms))


def _listener_echo(t: Terminals, ro: float, one_way_ms: float) -> float:
    heard = 10.5 * (t.weighted_echo_path_loss + 7) * math.pow(2 * one_way_ms + 1, -0.25)
    half = (ro - heard) / 2
    return half + math.sqrt(half**2 + 169)


def _pure_delay(one_way_ms: float) -> float:
    if one_way_ms <= 100:
        return 0.0
    x = math.log2(one_way_ms / 100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)


def _decibel(power: float) -> float:
    return 10 * math.log10(power)


def _power(decibel: float) -> float:
    return math.pow(10, decibel / 10)
