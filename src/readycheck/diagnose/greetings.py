"""What the probe `sni` saw of one name: how its greetings end, and what that says of who ends them. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import comb

from readycheck.diagnose.case import Case, Place
from readycheck.diagnose.finding import Where
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope

PROBE = "sni"


class Fate(StrEnum):
    """How a greeting ends. A certificate is `foreign` when it is untrusted, or not for the name that was asked."""

    ANSWER = "answer"
    FOREIGN = "foreign"
    ALERT = "alert"
    CUT = "cut"
    SILENCE = "silence"
    PAGE = "page"
    EXPIRED = "expired"
    OTHER = "other"


_FATES = {
    Failure.CONNECTION_RESET: Fate.CUT,
    Failure.CONNECTION_CLOSED: Fate.CUT,
    Failure.TIMED_OUT: Fate.SILENCE,
    Failure.TLS_NOT_TLS: Fate.PAGE,
    Failure.HOST_UNREACHABLE: Fate.EXPIRED,
    Failure.CERTIFICATE_UNTRUSTED: Fate.FOREIGN,
    Failure.CERTIFICATE_CHAIN_INCOMPLETE: Fate.FOREIGN,
    Failure.CERTIFICATE_NAME_MISMATCH: Fate.FOREIGN,
    **{failure: Fate.ALERT for failure in Failure if failure.value.startswith("tls_alert")},
}
HOPS_MOST = 255
KILLS = (Fate.CUT, Fate.SILENCE, Fate.PAGE, Fate.ALERT, Fate.FOREIGN)
_AS_IT_IS = ("asked", "elsewhere")
_OTHERWISE = ("elsewhere", "strange", "older")
"""Sent elsewhere, or with less to offer: what becomes of these does not show that an address is sealed."""
SHAPES = ("segments", "records")
"""Shapes in which a greeting says the same to a server, and not to a box that reads packets.

Mixed case is none: servers, too, may compare names letter by letter.
"""
RARE, UNSURE = 0.01, 0.2
"""Silence may be the luck of each flow: less likely, it is none; more likely, it shows nothing of the name."""


def fate(observation: Observation) -> Fate:
    """How a handshake ended; one whose answer had begun to come was not kept from the server."""
    if observation.failure is Failure.TIMED_OUT and observation.facts.get("received_bytes"):
        return Fate.OTHER
    if observation.failure is not None:
        return _FATES.get(observation.failure, Fate.OTHER)
    shown = observation.facts.get("tls") or {}
    wrong = shown.get("trust_failure") or shown.get("name_matches") is False
    return Fate.FOREIGN if wrong else Fate.ANSWER


def lives(found: Fate, kill: Fate) -> bool:
    """Whether a server has answered where another greeting ends by `kill`."""
    if kill is Fate.FOREIGN:
        return found is Fate.ANSWER
    return found in (Fate.ANSWER, Fate.ALERT, Fate.FOREIGN) and found is not kill


def _differs(found: Fate, kill: Fate) -> bool:
    """A page where a host speaks TLS is a box's own word: what ends the other greeting knows one from the other."""
    return lives(found, kill) or (found is Fate.PAGE and kill is not Fate.PAGE)


@dataclass(frozen=True)
class Trial:
    """All greetings about one name (`asked`; None: no name) of one address, in one check.

    `harmless` are the fates of a name that exists nowhere, at the same control as this name's. `answered`: the same
    greeting to the same place was answered in another check.
    """

    asked: str | None
    about: str
    check: str
    greetings: tuple[Observation, ...]
    rungs: tuple[Observation, ...]
    harmless: tuple[Fate, ...]
    answered: bool = False

    @property
    def port(self) -> int:
        return int(self.about.rsplit(":", 1)[-1])

    def fates(self, variant: str) -> list[Fate]:
        return [fate(o) for o in self.greetings if o.facts.get("variant") == variant]

    @cached_property
    def kill(self) -> Fate | None:
        """How the greeting in question ends, each time and wherever it was sent as it is; None if it lives."""
        found = self.fates("asked") or self.fates("elsewhere")
        kinds = {each for each in found if each is not Fate.OTHER}
        usual = Counter(found).most_common(1)[0][0] if kinds and kinds <= set(KILLS) else None
        return None if usual is Fate.SILENCE and self._came_through else usual

    @property
    def _came_through(self) -> bool:
        """It was answered at another time: who drops a name drops it always, and a lossy way by chance."""
        return self.answered or any(lives(end, Fate.SILENCE) for end in self._rungs("asked").values())

    def alive(self, variant: str) -> bool:
        """Whether all greetings of this variant were answered by a server."""
        found = self.fates(variant)
        return self.kill is not None and bool(found) and all(lives(each, self.kill) for each in found)

    def differs(self, variant: str) -> bool:
        """Whether all greetings of this variant met another end: a server's answer, or a page in its place."""
        found = self.fates(variant)
        return bool(found) and all(_differs(each, self.kill or Fate.OTHER) for each in found)

    @property
    def others_live(self) -> bool:
        """The address answers other names, or none."""
        return any(self.alive(variant) for variant in ("decoy", "nameless", "longer"))

    @property
    def evaded(self) -> tuple[str, ...]:
        """The shapes in which the very same name passes: then it is not the server that minds it."""
        if not (self.others_live or self.kill is Fate.FOREIGN):
            return ()
        return tuple(shape for shape in SHAPES if self.alive(shape))

    @property
    def elsewhere(self) -> bool:
        """The greeting dies alike at a host to which its name means nothing, and which answers others."""
        found = self.fates("elsewhere")
        alike = bool(found) and all(each is self.kill for each in found)
        kill = self.kill or Fate.OTHER
        known = self.asked is None or any(_differs(each, kill) for each in self.harmless)
        return alike and known

    @property
    def _acquitted(self) -> bool:
        """The name lives at another host: what minds it may be the vendor's own, before its servers."""
        return self.alive("elsewhere")

    @property
    def guilty(self) -> bool:
        """Whether something shows that it is not the server who ends this greeting."""
        by_shape = bool(self.evaded) and not self._acquitted
        return self.kill is not None and (by_shape or self.elsewhere or self.on_the_way)

    @property
    def resigned(self) -> bool:
        """What answers in the server's place shows a certificate that nobody vouches for."""
        shown = [o.facts.get("tls") or {} for o in self.greetings if o.facts.get("variant") in _AS_IT_IS]
        return self.kill is Fate.FOREIGN and any(each.get("trust_failure") for each in shown)

    @property
    def is_sealed(self) -> bool:
        """Connections to the address stand, and whatever is said there gets no answer."""
        said = [fate(o) for o in self.greetings if o.facts.get("variant") not in _OTHERWISE]
        return bool(said) and set(said) <= {Fate.CUT, Fate.SILENCE}

    @property
    def minds_version(self) -> bool:
        """Whatever offers TLS 1.3 is cut off, and what offers 1.2 at most is completed, each time."""
        usual = {fate(o) for o in self.greetings if o.facts.get("variant") != "older"}
        older = self.fates("older")
        return usual == {Fate.CUT} and len(older) > 1 and set(older) <= {Fate.ANSWER, Fate.FOREIGN}

    # --- by name, or by chance ---

    @cached_property
    def luck(self) -> float:
        """How likely silence falls on this name each time, where as many flows are lost and the name is no matter.

        Fisher's exact test. The decoy alone is compared: the other variants may be minded for their own sake.
        """
        mine, beside = self._lost("asked"), self._lost("decoy")
        if self.kill is not Fate.SILENCE:
            return 0.0
        return comb(len(beside), sum(beside)) / comb(len(mine) + len(beside), sum(mine) + sum(beside))

    def _lost(self, variant: str) -> list[bool]:
        """Of the greetings that could have an answer, which had none."""
        ends = self._rungs(variant)
        said = [each for each in self.fates(variant) if each is not Fate.OTHER]
        return [end is Fate.SILENCE for end in (*said, *(ends[t] for t in self._heard_at if t in ends))]

    @cached_property
    def _heard_at(self) -> list[int]:
        """Hop limits beyond all that this greeting is heard from, with which either one could be answered."""
        both = [item for variant in ("asked", "decoy") for item in self._rungs(variant).items()]
        server = min((ttl for ttl, end in both if lives(end, Fate.SILENCE)), default=HOPS_MOST)
        spoke = {ttl for ttl, end in both if end is not Fate.SILENCE or ttl >= server}
        return sorted(ttl for ttl in spoke if ttl > self.reached)

    @property
    def was_heard(self) -> bool:
        """The far side has acknowledged each greeting that it left without an answer: no packet of it was dropped."""
        silent = [o for o in self.greetings if o.facts.get("variant") == "asked" and fate(o) is Fate.SILENCE]
        return bool(silent) and all(o.facts.get("unacked") == 0 for o in silent)

    @property
    def is_by_chance(self) -> bool:
        """Flows that are lost each by its own luck could well have fallen so."""
        return self.luck >= (RARE if self.was_heard else UNSURE)

    # --- by hop limit ---

    def _rungs(self, variant: str) -> dict[int, Fate]:
        return {int(o.facts["ttl"]): fate(o) for o in self.rungs if o.facts.get("variant") == variant}

    @cached_property
    def reached(self) -> int:
        """The farthest hop from which a router reported this greeting; 0 without any."""
        return max((ttl for ttl, end in self._rungs("asked").items() if end is Fate.EXPIRED), default=0)

    @cached_property
    def _killed_at(self) -> list[int]:
        """Hop limits with which an end came back that somebody must have sent."""
        if self.kill in (None, Fate.SILENCE):
            return []
        return sorted(ttl for ttl, end in self._rungs("asked").items() if end is self.kill)

    @cached_property
    def _parted(self) -> list[int]:
        """Hop limits with which the decoy went on, or was lost for good, and this greeting met its end."""
        decoy = self._rungs("decoy")
        if self.kill is Fate.SILENCE:
            mine = self._rungs("asked")
            lost = [ttl for ttl in sorted(decoy) if ttl > self.reached and mine.get(ttl) is Fate.SILENCE]
            return [ttl for ttl in lost if decoy[ttl] is Fate.EXPIRED]
        return [ttl for ttl in self._killed_at if decoy.get(ttl) in (Fate.EXPIRED, Fate.SILENCE)]

    @property
    def on_the_way(self) -> bool:
        """It ends before it can have reached the server, with more than one hop limit."""
        return len(self._parted) > 1

    @property
    def passed(self) -> int:
        """The last hop that surely let it pass, where one did."""
        return self.reached if self.kill is Fate.SILENCE else min(self._killed_at, default=1) - 1

    @property
    def falls_short_at(self) -> int | None:
        """The first hop from which greetings to another host were heard, and these were lost for good."""
        mine, beside = self._rungs("asked"), self._rungs("elsewhere")
        lost = [ttl for ttl, end in sorted(mine.items()) if ttl > self.reached and end is Fate.SILENCE]
        passed = [ttl for ttl in lost if beside.get(ttl) is Fate.EXPIRED]
        return passed[0] if self.reached and len(passed) > 1 else None

    def place(self, edge_ttl: int | None, hop: Callable[[int], str] = "hop {}".format) -> Place:
        """Where the box sits, as far as hop limits tell; `hop` names a router by its distance."""
        if self.kill is Fate.SILENCE:
            return self._place_of_silence(edge_ttl, hop)
        if not self._killed_at:
            return Place(Where.UNKNOWN, "")
        least = self._killed_at[0]
        near = edge_ttl is not None and least <= edge_ttl + 1
        if not (near or self.on_the_way):  # it may have come as far as the server
            return Place(Where.UNKNOWN, "")
        words = f"It ends so even when its hop limit lets it go no further than {hop(least)}"
        if least == 1:
            return Place(Where.UNKNOWN, f"{words}: this host or its first router ends it")
        return Place(_side(near, edge_ttl), f"{words}; {hop(least - 1)} still let it pass")

    def _place_of_silence(self, edge_ttl: int | None, hop: Callable[[int], str]) -> Place:
        if not self.on_the_way or not self.reached:
            return Place(Where.UNKNOWN, "")
        near = edge_ttl is not None and self.reached <= edge_ttl
        words = f"It reaches {hop(self.reached)} and no further; with another name it goes on to"
        return Place(_side(near, edge_ttl), f"{words} {hop(self._parted[0])}")


def _side(near: bool, edge_ttl: int | None) -> Where:
    return Where.UNKNOWN if edge_ttl is None else Where.SITE if near else Where.ISP


def trials(case: Case) -> Iterator[Trial]:
    """What every check of the probe saw, name by name."""
    for outcome in case.outcomes:
        if outcome.check.scope is not Scope.FOLLOW_UP or outcome.check.probe != PROBE:
            continue
        greetings = [o for o in outcome.observations if o.step is Step.TLS_HANDSHAKE and "about" in o.facts]
        harmless = tuple(fate(o) for o in greetings if o.facts.get("variant") == "strange")
        through = _came_through(case)
        for asked, about in dict.fromkeys((o.facts.get("asked"), str(o.facts["about"])) for o in greetings):
            yield Trial(
                asked=asked,
                about=about,
                check=outcome.check.id,
                greetings=tuple(
                    o for o in greetings if (o.facts["asked"], o.facts["about"]) == (asked, about)
                ),
                rungs=tuple(
                    o
                    for o in outcome.observations
                    if o.facts.get("purpose") == "greeting"
                    and (o.facts["asked"], _about(o)) == (asked, about)
                ),
                harmless=harmless,
                answered=(asked, about) in through,
            )


def _came_through(case: Case) -> set[tuple[str | None, str]]:
    """Names, and the endpoints at which other checks were answered; small segments may cut a greeting up."""
    return {
        (o.target.sni, f"{o.target.address}:{o.target.port}")
        for outcome, o in case.observations()
        if o.step is Step.TLS_HANDSHAKE and o.failure is None and not o.target.via
        if outcome.check.probe != PROBE and o.facts.get("max_segment") is None
    }


def _about(rung: Observation) -> str:
    """The endpoint of the name in question; it is the rung's own where it does not say."""
    return str(rung.facts.get("about") or f"{rung.target.address}:{rung.target.port}")
