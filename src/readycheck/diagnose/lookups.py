"""Whether look-ups take long: a slow name server, or a dead one that is asked before a live one.

A name server of the site may be a forwarder, which is as slow as the one that it asks: where it is shows no place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from readycheck.denials import capricious, said
from readycheck.diagnose import turns
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity
from readycheck.diagnose.flows import lost_at_first
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.media.stream import wilson
from readycheck.net.address import is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.profile import Requirement
from readycheck.wakened import AGAIN, are_all_silent, waking

_PATH_FACTOR = 2
_LONGEST_S = 4.0
_GAP_S = 0.06
"""Longer in all, for twenty questions, than what another check sends at once stays in a queue."""

_TRIES = 2
_RETRY_MS = 1000.0  # after which a question is put again, here as in most stub resolvers
_LIMIT = "rtt_ms"
_LOST_SHARE = 0.15
"""More than any line loses on which calls are possible."""

_DOUBTFUL = 2
_ASKED_TWICE, _ASKED_OFTEN = 2, 4

_WAKING_S = 2.4
"""Over which questions are spread to servers of which none answered: what wakes late answers the later ones."""


def dns_slow(case: Case) -> Iterator[Finding]:
    """Answers take long, twice, and much longer than the way to other places does.

    The first time a name is asked it may have to be fetched; the limit is the profile's, whose source it names.
    """
    outcomes = _asked_plainly(case.outcomes)
    path_ms, asked = _path_ms(case), _asked(outcomes)
    for outcome in outcomes:
        server = outcome.check.target.address or ""
        times = _times_ms(outcome)
        slow = [o for o in asked if o.check.target.address == server]
        limits = [_limit_ms(case.requirements, o) for o in slow]
        if not outcome.check.id.startswith(AGAIN) or not times or not limits:
            continue
        usual, limit = median(times), min(limits)
        if _is_prompt(outcome, limit) and any(turns.intermittent(case)):
            continue  # questions are lost as all else is
        if usual >= max(limit, _PATH_FACTOR * (path_ms or 0.0)):
            yield case.finding(
                "dns-slow",
                [o.check.id for o in slow if _is_slow(case.requirements, o)],
                _slow_words(server, usual, limit, outcome),
                owner=Owner.DNS,
                confidence=Confidence.LIKELY if path_ms is None else Confidence.CERTAIN,
                remedy="Use a name server near by, and look at the forwarder's upstream and load.",
            )


def _is_prompt(outcome: Outcome, limit_ms: float) -> bool:
    """But for the questions that had to be asked again."""
    times = [float(o.facts[_LIMIT]) for o in outcome.observations if _is_answer(o) and _LIMIT in o.facts]
    return bool(times) and median(times) < limit_ms


def _slow_words(server: str, usual_ms: float, limit_ms: float, outcome: Outcome) -> str:
    answers = [o for o in outcome.observations if _is_answer(o)]
    repeated = sum(_attempts(o) > 1 for o in answers)
    lost = f"; {repeated} of {len(answers)} questions had to be asked again" if repeated else ""
    return (
        f"The name server {server} takes {usual_ms:.0f} ms to answer, for names too that it was asked before "
        f"(limit {limit_ms:.0f} ms){lost}."
    )


def lost_questions(case: Case) -> Iterator[Finding]:
    """A name server leaves a good part of the questions unanswered, surely more than was lost elsewhere.

    Also of those that are asked again in peace: a run's many names at once may overrun the queue of a narrow line.
    """
    outcomes = _asked_plainly(case.outcomes)
    late, of = lost_at_first(outcomes)
    elsewhere = wilson(late, of)[1] if of else 1.0  # through a proxy alone the line may lose as much
    slow = {check for found in dns_slow(case) for check in found.evidence}
    for outcome in _asked(outcomes):
        server = outcome.check.target.address or ""
        lost, sent = _losses(outcomes, server)
        low, high = wilson(lost, sent) if sent else (0.0, 1.0)
        asked = outcome.check.target.transport == "udp" and outcome.check.id not in slow
        many = lost < sent and low > max(_LOST_SHARE, elsewhere) and _loses_in_peace(outcomes, server)
        if asked and many and not waking(outcomes) and not any(turns.intermittent(case)):
            yield case.finding(
                "dns-slow",
                [outcome.check.id],
                f"The name server {server} leaves {lost} of {sent} questions unanswered ({low:.0%} to {high:.0%} at "
                f"95 % confidence), while {late} of {of} services were reached late or at the second try: a look-up "
                "waits a second or more for each loss.",
                owner=Owner.DNS,
                remedy="Look at the name server's load, at limits on questions of one host, and at its own way to the "
                "servers that it asks.",
            )


def _loses_in_peace(outcomes: Sequence[Outcome], server: str) -> bool:
    lost, sent = _losses([o for o in outcomes if o.check.id.startswith(AGAIN)], server)
    return lost > _LOST_SHARE * sent


def refused_by_turns(case: Case) -> Iterator[Finding]:
    """A name server refuses names, or fails to look them up, and looks the same ones up at another time.

    It may have been failed by the servers that it forwards to, which are elsewhere.
    """
    failing = {check.check for _, check in case.failing}
    for server, turned_away in capricious(said(case.outcomes)).items():
        names = list(dict.fromkeys(s.host for s in turned_away))
        checks = list(dict.fromkeys(s.check for s in turned_away if s.check in failing))
        if len(names) > 1 and checks:
            yield case.finding(
                "intermittent",
                checks,
                f"The name server {server} refused or failed to look up {len(names)} names ({names[0]}, {names[1]}) "
                "that it looked up at another time of this run: it is overloaded, or limits how many questions one "
                "host may ask.",
                owner=Owner.DNS,
                remedy="Raise or lift the name server's limit on questions of one host, and look at its load and at "
                "the servers that it forwards to.",
            )


def _losses(outcomes: Sequence[Outcome], server: str) -> tuple[int, int]:
    """Of the datagrams with questions to a server, how many had no answer: lost, sent.

    A look-up that several checks share is one question. A name that is never answered may be filtered.
    """
    asked = {
        (o.target.host, o.facts.get(_LIMIT)) if o.step is Step.RESOLVE else (outcome.check.id, number): o
        for outcome in outcomes
        for number, o in enumerate(outcome.observations)
        if server in (o.facts.get("server"), _server(outcome, o))
    }
    heard = {o.target.host for o in asked.values() if "rcode" in o.facts or _is_answer(o)}
    counts = [_lost_and_sent(o) for o in asked.values() if o.target.host in heard]
    return sum(lost for lost, _ in counts), sum(sent for _, sent in counts)


def _asked_plainly(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """As if no question had had EDNS for a server that has answered none which had: programs ask without, or learn."""
    answers: dict[str | None, set[bool]] = {}
    for outcome in outcomes:
        for o in filter(_is_answer, outcome.observations):
            if server := _server(outcome, o) or (o.step is Step.RESOLVE and str(o.facts.get("server") or "")):
                answers.setdefault(server, set()).add(bool(o.facts.get("edns_fallback")))
    deaf = {server for server, fell_back in answers.items() if fell_back == {True}}

    def plainly(outcome: Outcome, o: Observation) -> Observation:
        mine = {_server(outcome, o), o.facts.get("server")} & deaf
        return replace(o, facts={k: v for k, v in o.facts.items() if k != "attempts"}) if mine else o

    if not deaf:
        return outcomes
    return tuple(
        replace(o, observations=tuple(plainly(o, each) for each in o.observations)) for o in outcomes
    )


def _server(outcome: Outcome, observation: Observation) -> str | None:
    """The server that a question of its own was put to by UDP."""
    target = observation.target
    asked = outcome.check.probe == "dns" and observation.step is Step.RESPONSE and target.transport != "tcp"
    told = _is_answer(observation) or observation.failure is Failure.TIMED_OUT
    return target.address if asked and told else None


def _lost_and_sent(observation: Observation) -> tuple[int, int]:
    if observation.failure is Failure.TIMED_OUT:
        return _TRIES, _TRIES
    return _attempts(observation) - 1, _attempts(observation)


def dead_name_servers(case: Case) -> Iterator[Finding]:
    """Some servers of the list are silent and others answer: whoever asks them in turn waits for the silent ones."""
    asked = [o for o in _asked(case.outcomes) if o.check.target.transport == "udp" and o.observations]
    dead = [o for o in asked if not any(map(_is_answer, o.observations))]
    if not dead or len(dead) == len(asked):
        return
    silent = list(dict.fromkeys(str(o.check.target.address) for o in dead))
    first = asked[0] in dead
    found = case.finding(
        "dns-slow" if first else "dns-unreachable",
        [o.check.id for o in _asked(case.outcomes) if o.check.target.address in silent],
        f"{', '.join(silent)}, {'the first' if first else 'not the first'} in the list of name servers, does not "
        f"answer: {'each look-up' if first else 'a look-up that comes to it'} waits for it (by default 5 s on Linux, "
        "1 s on Windows) before another is asked.",
        owner=Owner.DNS,
        confidence=Confidence.CERTAIN,
        remedy="Take the silent name server off the list that hosts are given (DHCP option 6), or repair it.",
    )
    yield found if first else replace(found, severity=Severity.NOTE)


def _asked(outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return [o for o in outcomes if o.check.scope is Scope.RESOLVERS]


def _is_answer(observation: Observation) -> bool:
    return observation.failure is None or bool(observation.facts.get("answered_by_server"))


def _attempts(observation: Observation) -> int:
    return int(observation.facts.get("attempts") or 1)


def _times_ms(outcome: Outcome) -> list[float]:
    """How long each answer was waited for, lost questions included."""
    return [
        float(o.facts[_LIMIT]) + _RETRY_MS * (_attempts(o) - 1)
        for o in outcome.observations
        if o.step is Step.RESPONSE and _is_answer(o) and _LIMIT in o.facts
    ]


def _limit_ms(requirements: Mapping[str, Requirement], outcome: Outcome) -> float:
    requirement = requirements.get(outcome.check.requirement or "")
    limit = requirement.limits.get(_LIMIT) if requirement else None
    return float(limit.warn) if limit and limit.warn is not None else float("inf")


def _is_slow(requirements: Mapping[str, Requirement], outcome: Outcome) -> bool:
    times = _times_ms(outcome)
    return bool(times) and median(times) >= _limit_ms(requirements, outcome)


def _path_ms(case: Case) -> float | None:
    """The usual round trip of a connection beyond the site: a satellite is no slow name server."""
    times = [
        float(o.facts[_LIMIT])
        for outcome, o in case.observations()
        if o.step is Step.CONNECT and o.failure is None and _LIMIT in o.facts and _is_remote(o.target)
    ]
    return median(times) if times else None


def _is_remote(target: Target) -> bool:
    return bool(target.address) and not is_site_address(str(target.address))


def ask_again(situation: Situation) -> Iterator[Check]:
    """The names that took long, twice more, for what is slow from a cache is slow; or often, to count what is lost.

    Where no server answered, all of them: nobody is out of reach who was asked in the first seconds alone.
    """
    requirements = {r.id: r for r in situation.plan.selected}
    outcomes = _asked_plainly(situation.outcomes)
    all_silent = are_all_silent(outcomes)
    for outcome in _asked(outcomes):
        target = outcome.check.target
        lossy = _losses(outcomes, target.address or "")[0] >= _DOUBTFUL
        if (
            target.transport == "udp"
            and target.address
            and (lossy or all_silent or _is_slow(requirements, outcome))
        ):
            asked = next(check for check in situation.plan.checks if check.id == outcome.check.id)
            names = asked.params.names * (_ASKED_OFTEN if lossy else _ASKED_TWICE)
            check = situation.check(
                f"{AGAIN}{target.address}",
                "dns",
                asked.params.targets,
                longest_s=_LONGEST_S,
                names=names,
                types=asked.params.types,
                gap_s=_WAKING_S / len(names) if all_silent and names else _GAP_S,
            )
            yield from [check] if check else []
