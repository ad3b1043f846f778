"""The outcome of a check -> what it shows, by how it found its targets. Pure; *not measured* is never *pass*."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace

from readycheck.bands import Judgement, bands_of
from readycheck.check_verdict import (
    Bench,
    CheckVerdict,
    Strength,
    deciding_steps,
    make_verdict,
    within_limits,
)
from readycheck.denials import UNWILLING
from readycheck.engine import Outcome, Status
from readycheck.evidence import OPEN, Cell, Evidence, Sign
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.profile import Requirement
from readycheck.walls import columns_of

NOT_RUN = "not run: "


def judge_check(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    """What one check shows by itself and by the grid."""
    if outcome.status is Status.CRASHED:
        return make_verdict(outcome, Judgement.INCONCLUSIVE, outcome.because)
    if outcome.status is Status.SKIPPED:
        return make_verdict(outcome, Judgement.INCONCLUSIVE, NOT_RUN + outcome.because)
    if outcome.check.target.via:
        return _tunnelled(requirement, outcome, basis)
    if not basis.ipv4 and _is_ipv4_literal(outcome):
        return make_verdict(
            outcome, Judgement.SKIPPED, "this host has no IPv4: these addresses cannot be tried"
        )
    by_scope: Mapping[Scope, Callable[[Requirement, Outcome, Bench], CheckVerdict]] = {
        Scope.SAMPLED: _sampled,
        Scope.NAMED: _named,
        Scope.RESOLVERS: _resolver,
        Scope.FAR_END: _far_end,
    }
    verdict = by_scope[outcome.check.scope](requirement, outcome, basis)
    if outcome.cut and outcome.because and verdict.status is Judgement.INCONCLUSIVE:
        return replace(verdict, because=outcome.because)
    return verdict


def _is_ipv4_literal(outcome: Outcome) -> bool:
    """No name was looked up, and nothing left this host."""
    return bool(outcome.observations) and all(
        o.failure in _UNROUTED
        and not o.facts.get("offender")
        and o.target.address is not None
        and ":" not in o.target.address
        for o in outcome.observations
    )


_UNROUTED = (Failure.NETWORK_UNREACHABLE, Failure.HOST_UNREACHABLE, Failure.ADDRESS_NOT_AVAILABLE)


# --- sampled addresses of vendor networks -------------------------------------------------------------


def _sampled(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    """Answers first; a wall in the same network counts beside them; else the grid."""
    cells = basis.evidence.of_check(outcome.check.id)
    answered = [c for c in cells if c.sign is Sign.ANSWERED]
    sound = [c for c in answered if c.failure is None]
    wall = _wall_of(outcome, basis)
    if wall:
        return make_verdict(outcome, Judgement.FAIL, wall)
    if sound:
        verdict = within_limits(requirement, outcome, basis)
        if len(sound) < len(answered) and verdict.status is Judgement.PASS:
            odd = f"{len(answered) - len(sound)} of {len(answered)} answering addresses failed"
            return replace(verdict, status=Judgement.WARN, because=odd)
        return verdict
    if answered:
        names = ", ".join(sorted({c.failure.words for c in answered if c.failure}))
        count = f"{len(answered)} of {len(cells)} addresses answered: {names}"
        return make_verdict(outcome, Judgement.FAIL, count)
    if cells and all(c.sign is Sign.LOCAL for c in cells):
        reasons = ", ".join(sorted({c.failure.words for c in cells if c.failure}))
        return make_verdict(outcome, Judgement.INCONCLUSIVE, f"this host could not send: {reasons}")
    return _by_grid(outcome, cells, basis)


def _wall_of(outcome: Outcome, basis: Bench) -> str:
    """The words for the wall that this check's port or network stands behind; empty when there is none."""
    target, walls = outcome.check.target, basis.walls
    transport, network = target.transport or "", target.network or ""
    if (transport, target.ports) in walls.columns:
        what = "this port" if target.ports else "every network"
        return f"{what}: {_words(walls.of_column((transport, target.ports), basis.evidence))}"
    if (transport, network) in walls.rows:
        return f"this network: {_words(walls.of_network(network))}"
    if (transport, target.ports, network) in walls.lone:
        return "this port of this network: packets stop on the way, at a point that others pass"
    if any((t, n) == (transport, network) for t, n, _ in walls.parts) and not _is_spared(outcome, basis):
        return f"a part of this network: {_words(walls.of_network(network))}"
    return ""


def _is_spared(outcome: Outcome, basis: Bench) -> bool:
    """It is answered in the network, and what stops there are other ports, which pass nowhere in it.

    Then the wall is for those ports of the whole network, and no part of the network is shown to be closed to this one.
    """
    target, evidence = outcome.check.target, basis.evidence
    transport, network = target.transport or "", target.network or ""
    answered = any(c.sign is Sign.ANSWERED for c in evidence.of_check(outcome.check.id))
    walled = {c.port for c in basis.walls.of_network(network) if c.transport == transport}
    own = any(port in walled for t, port in evidence.labels if target.ports in evidence.labels[t, port])
    passing = any(c.sign in OPEN and c.port in walled for c in evidence.row(transport, network))
    return answered and not own and not passing


def _words(cells: Sequence[Cell]) -> str:
    rejected = [c for c in cells if c.sign is Sign.REJECTED]
    if rejected:
        by = next((f" by {c.offender}" for c in rejected if c.offender), "")
        return f"refused on the way{by}"
    followed = len({c.address for c in cells})
    return f"packets stop on the way, at a point that others pass ({followed} address{'es' * (followed > 1)} followed)"


def _by_grid(outcome: Outcome, cells: Sequence[Cell], basis: Bench) -> CheckVerdict:
    """No address answered: what hop-limited packets, and the neighbours in the grid, say."""
    check, evidence = outcome.check, basis.evidence
    transport, network, label = check.target.transport or "", check.target.network or "", check.target.ports
    row, column = evidence.row(transport, network), evidence.column(transport, label)
    left = [c for c in row if c.sign is Sign.LEFT and c in column]
    returns = evidence.answers_return(transport, network, label, basis.kin[check.requirement or ""])
    refused = sum(c.sign is Sign.REFUSED for c in cells)
    if left and returns:
        parts = len({c.part for c in left})
        because = f"packets leave the site ({parts} of 4 parts of the network), and replies come back"
        return make_verdict(outcome, Judgement.PASS, because, Strength.EGRESS)
    kin = basis.kin[check.requirement or ""]
    if _both_ways(row, evidence, basis.all) and _both_ways(column, evidence, kin) and not refused:
        because = "covered: its network and its ports are proven by other samples"
        return make_verdict(outcome, Judgement.SKIPPED, because)
    return make_verdict(
        outcome, Judgement.INCONCLUSIVE, _open_question(len(left), refused, len(cells), basis.hops)
    )


def _both_ways(cells: Iterable[Cell], evidence: Evidence, kin: frozenset[str]) -> bool:
    """One of these cells answered, or its packets leave where replies are known to come back."""
    return any(
        c.sign in OPEN
        and any(
            evidence.answers_return(c.transport, c.network, label, kin)
            for _, label in columns_of(c, evidence)
        )
        for c in cells
    )


def _open_question(left: int, refused: int, asked: int, hops: bool) -> str:
    if refused:
        return f"{refused} of {asked} addresses refused; by whom is not known"
    if left:
        return "packets leave the site, but nothing shows that replies come back"
    if not hops:
        return "no answer, and routers cannot be heard from here: no privilege, or not on this platform"
    return "no answer, and no proof either way"


def refused_alone(
    checks: tuple[CheckVerdict, ...], outcomes: Sequence[Outcome], alone: Set[str]
) -> tuple[CheckVerdict, ...]:
    """A host that is printed by itself, and refuses what those beside it serve, does not work, whoever refuses."""
    because = "refused, while most of the hosts that are printed beside it answer"
    return tuple(
        replace(verdict, status=Judgement.FAIL, strength=None, because=because)
        if outcome.check.id in alone and verdict.status is not Judgement.FAIL
        else verdict
        for verdict, outcome in zip(checks, outcomes, strict=True)
    )


REFUSED_ADDRESSES, REFUSED_NETWORKS = 3, 2


def refused_everywhere(
    checks: tuple[CheckVerdict, ...], outcomes: Sequence[Outcome], basis: Bench
) -> tuple[CheckVerdict, ...]:
    """A port that addresses of several networks refuse, and none answers, does not work, whoever refuses."""
    by_port: dict[str, list[Cell]] = {}
    for outcome in outcomes:
        by_port.setdefault(outcome.check.target.ports, []).extend(basis.evidence.of_check(outcome.check.id))
    shut = {port for port, cells in by_port.items() if _is_shut(cells)}
    because = "refused by addresses of several networks, and answered by none"
    return tuple(
        replace(verdict, status=Judgement.FAIL, because=because)
        if outcome.check.target.ports in shut and _any_refused(basis.evidence.of_check(outcome.check.id))
        else verdict
        for verdict, outcome in zip(checks, outcomes, strict=True)
    )


def _is_shut(cells: Sequence[Cell]) -> bool:
    refused = [c for c in cells if c.sign is Sign.REFUSED]
    return (
        not any(c.sign is Sign.ANSWERED for c in cells)
        and len({c.address for c in refused}) >= REFUSED_ADDRESSES
        and len({c.network for c in refused}) >= REFUSED_NETWORKS
    )


def _any_refused(cells: Iterable[Cell]) -> bool:
    return any(c.sign is Sign.REFUSED for c in cells)


def silent_everywhere(
    checks: tuple[CheckVerdict, ...], outcomes: Sequence[Outcome], basis: Bench
) -> tuple[CheckVerdict, ...]:
    """A port that no host of any network answers on, though many live in each, does not work, whoever drops it."""
    because = "silent at every address of every network, where many answer on other ports"
    return tuple(
        replace(verdict, status=Judgement.FAIL, because=because)
        if (outcome.check.target.transport, outcome.check.target.ports) in basis.dark
        else verdict
        for verdict, outcome in zip(checks, outcomes, strict=True)
    )


# --- names and resolvers ------------------------------------------------------------------------------


def _named(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    proofs = [o for o in outcome.observations if o.step is outcome.check.proves]
    if any(_is_answer(o) for o in proofs):
        return within_limits(requirement, outcome, basis)
    deciding = deciding_steps(outcome)
    failures = {o.failure for o in deciding if o.failure}
    words = ", ".join(sorted(f.words for f in failures)) or "nothing was measured"
    if failures == {Failure.DNS_NXDOMAIN} and not outcome.check.certain:
        return _of_a_wildcard(outcome, basis.evidence)
    if deciding and all(o.step is Step.RESOLVE for o in deciding) and failures != {Failure.DNS_NXDOMAIN}:
        return make_verdict(outcome, Judgement.INCONCLUSIVE, f"the name could not be resolved: {words}")
    if failures and failures <= LOCAL_FAILURES:
        because = f"this host does not permit the test: {words}"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    if not failures or failures <= (LOCAL_FAILURES | {Failure.INTERRUPTED}):
        return make_verdict(outcome, Judgement.INCONCLUSIVE, words)
    if outcome.cut and failures == {Failure.TIMED_OUT}:
        return make_verdict(outcome, Judgement.INCONCLUSIVE, "the deadline of the run came first")
    if (
        outcome.check.may_be_silent
        and any(map(_is_withheld, deciding))
        and not any(map(_is_forbidden, deciding))
    ):
        if all(_place(o) in basis.evidence.halted for o in deciding):
            because = "packets stop on the way where those to another port of the same host go on"
            return make_verdict(outcome, Judgement.FAIL, because)
        because = "no answer, which healthy hosts may withhold here: no proof either way"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    return make_verdict(outcome, Judgement.FAIL, words)


def _of_a_wildcard(outcome: Outcome, evidence: Evidence) -> CheckVerdict:
    """A name that stands for a wildcard, and does not exist."""
    group = outcome.check.group
    if group in evidence.denied:
        because = f"the name server denies the whole domain of {group}"
        return make_verdict(outcome, Judgement.FAIL, because)
    if group in evidence.doubtful:
        because = f"no name that stands for {group} exists: nothing of it was tested"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    because = "this name stands for a wildcard and does not exist: nothing to test"
    return make_verdict(outcome, Judgement.SKIPPED, because)


def gone_altogether(
    checks: tuple[CheckVerdict, ...], outcomes: Sequence[Outcome]
) -> tuple[CheckVerdict, ...]:
    """A vendor retires one name: where none of several is left that stand for a wildcard, nothing of it was tested.

    So it is for a proxy that reaches none of them, and does not say why.
    """
    missing: dict[str, set[str | None]] = {}
    there: set[str] = set()
    for verdict, outcome in zip(checks, outcomes, strict=True):
        check = outcome.check
        if check.scope is Scope.NAMED and not check.certain and verdict.status is Judgement.SKIPPED:
            missing.setdefault(check.group, set()).add(check.target.host)
        elif check.scope is Scope.NAMED and not check.certain:  # on another port, it may be
            there.add(check.group)
    gone = {group for group, hosts in missing.items() if len(hosts) > 1} - there
    return tuple(
        replace(verdict, status=Judgement.INCONCLUSIVE, because=_untested(outcome))
        if outcome.check.group in gone and not outcome.check.certain
        else verdict
        for verdict, outcome in zip(checks, outcomes, strict=True)
    )


def _untested(outcome: Outcome) -> str:
    """What a proxy does not reach may live all the same."""
    if outcome.check.target.via:
        return "the proxy reaches none of the names that stand for this wildcard: nothing of it was tested"
    return "none of the names that stand for this wildcard is there: nothing of it was tested"


def _place(observation: Observation) -> tuple[str, str, int]:
    target = observation.target
    return target.transport or "", target.address or "", target.port or 0


def _is_withheld(observation: Observation) -> bool:
    """What a host does that does not serve strangers: nothing, or its own system says that nobody listens now."""
    if observation.failure is Failure.PORT_UNREACHABLE:
        return observation.facts.get("offender") == observation.target.address
    return observation.failure is Failure.TIMED_OUT


def _is_forbidden(observation: Observation) -> bool:
    """Somebody on the way says that policy refuses it: the silence of another address excuses nothing."""
    offender = observation.facts.get("offender")
    prohibited = observation.failure is Failure.ICMP_ADMIN_PROHIBITED
    return prohibited and isinstance(offender, str) and offender != observation.target.address


def _resolver(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    replies = [o for o in outcome.observations if o.step is outcome.check.proves]
    if any(_is_answer(o) and o.failure not in UNWILLING for o in replies):
        return within_limits(requirement, outcome, basis)
    if any(map(_is_answer, replies)) and outcome.check.target.address in basis.evidence.capricious:
        because = "the name server refused or failed to look up what it looked up at another time"
        return make_verdict(outcome, Judgement.WARN, because)
    if outcome.check.target.address in basis.evidence.wakened:
        because = "silent like all name servers when the run began; it answered when asked later"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    failures = sorted({o.failure.words for o in outcome.observations if o.failure})
    status = Judgement.FAIL if replies and not outcome.cut else Judgement.INCONCLUSIVE
    return make_verdict(outcome, status, ", ".join(failures) or "nothing was measured")


def _is_answer(observation: Observation) -> bool:
    """A name server that says that a name does not exist has answered."""
    return observation.failure is None or bool(observation.facts.get("answered_by_server"))


# --- the responder ------------------------------------------------------------------------------------


def _far_end(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    """It is nobody's service but the user's own: that it does not answer shows nothing of the product."""
    legs = [o for o in outcome.observations if o.step is outcome.check.proves]
    if calls := [leg for leg in legs if leg.facts.get("purpose") == "call"]:
        return _called(outcome, calls)
    cut = next((leg for leg in legs if leg.failure not in (None, Failure.TIMED_OUT)), None)
    if cut is None and any(leg.failure is None for leg in legs):
        if requirement.limits and not any(bands_of(requirement, outcome.metrics)):
            words = f"{', '.join(requirement.limits)}: not measured"
            return make_verdict(outcome, Judgement.INCONCLUSIVE, words)
        verdict = within_limits(requirement, outcome, basis)
        packets = outcome.metrics.get("answered")
        sound = "measured with the responder"
        if packets is not None:
            sound = f"the responder answered {packets:g} packets"
        return replace(verdict, because=sound) if verdict.status is Judgement.PASS else verdict
    lost = next((leg for leg in legs if leg.failure is Failure.TIMED_OUT and "counted" in leg.facts), None)
    if lost is not None and requirement.limits:
        return make_verdict(outcome, Judgement.FAIL, lost.detail or "nothing comes back from the responder")
    failed = next((o for o in reversed(outcome.observations) if o.failure), None)
    words = f"{failed.failure}: {failed.detail}" if failed else "nothing was measured"
    return make_verdict(outcome, Judgement.INCONCLUSIVE, f"the responder shows nothing: {words}")


def _called(outcome: Outcome, calls: Sequence[Observation]) -> CheckVerdict:
    """Calls from outside; where some came in, it is not for their author that others did not."""
    came, shut = ([o for o in calls if o.failure is None], [o for o in calls if o.facts.get("shut")])
    if len(came) == len(calls):
        because = f"the responder comes in at {_ports_of(came)}"
        return make_verdict(outcome, Judgement.PASS, because, Strength.ANSWERED)
    if shut and (came or not outcome.check.may_be_silent):
        return make_verdict(
            outcome, Judgement.FAIL, f"what the responder sends to {_ports_of(shut)} does not arrive"
        )
    if shut:
        because = (
            f"what the responder sends to {_ports_of(shut)} does not arrive: so it is where nobody comes in, and "
            "where the partner's own addresses alone do"
        )
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    words = "; ".join(dict.fromkeys(f"{o.failure}: {o.detail}" for o in calls if o.failure))
    return make_verdict(outcome, Judgement.INCONCLUSIVE, words)


def _ports_of(calls: Sequence[Observation]) -> str:
    return f"{calls[0].facts['transport']} port {', '.join(str(o.facts['port']) for o in calls)}"


# --- through a proxy ----------------------------------------------------------------------------------


def _tunnelled(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    """What the proxy refuses has failed; what it tried and did not reach may be a sample's usual silence.

    A login that was never tried shows nothing of what lies behind the proxy.
    """
    deciding = deciding_steps(outcome)
    lacks = sorted({str(lack) for o in deciding for lack in o.facts.get("lacks") or ()})
    if lacks:
        because = f"the proxy wants a login that this host cannot make: {', '.join(lacks)}"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    tried = [o for o in deciding if o.failure is not Failure.INTERRUPTED]
    if tried and all(is_lost(o) for o in tried) and not outcome.cut:
        return _lost(outcome, basis.evidence)
    refused = [o for o in deciding if o.step is Step.PROXY_CONNECT and o.failure and not is_lost(o)]
    verdict = _named(requirement, outcome, basis)
    if refused and verdict.status is Judgement.PASS:
        because = f"the proxy refuses {len(refused)} of {len(deciding)} addresses"
        return replace(verdict, status=Judgement.WARN, because=because)
    return verdict


def _lost(outcome: Outcome, evidence: Evidence) -> CheckVerdict:
    target = outcome.check.target
    if outcome.check.scope is Scope.SAMPLED:
        because = "the proxy reaches none of the sampled addresses, most of which are silent by nature"
        return make_verdict(outcome, Judgement.INCONCLUSIVE, because)
    if not outcome.check.certain and (target.host, target.ports) not in evidence.living:
        because = "this name stands for a wildcard and the proxy does not reach it: it may not exist"
        return make_verdict(outcome, Judgement.SKIPPED, because)
    statuses = {str(o.facts["status"]) for o in deciding_steps(outcome) if "status" in o.facts}
    words = f"it answers with status {', '.join(sorted(statuses))}" if statuses else "it does not answer"
    return make_verdict(outcome, Judgement.FAIL, f"the proxy does not reach it: {words}")


def is_lost(observation: Observation) -> bool:
    """The proxy tried to reach the target and could not; a status below 500 says that it did not want to."""
    if observation.step is not Step.PROXY_CONNECT:
        return False
    status = observation.facts.get("status")
    gave_up = isinstance(status, int) and status >= _GATEWAY_FAILED
    return observation.failure is Failure.TIMED_OUT or gave_up


_GATEWAY_FAILED = 500
