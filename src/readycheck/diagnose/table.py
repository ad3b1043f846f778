"""The tables of rules and follow-ups, most telling first, and how the findings become one list."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from readycheck.diagnose import (
    answers,
    beside,
    capacity,
    certificates,
    clock,
    egress,
    elsewhere,
    flows,
    hosts,
    idle,
    inspection,
    interception,
    ipv6,
    link,
    lookups,
    loops,
    media,
    names,
    nat,
    new_flows,
    offline,
    openings,
    path_mtu,
    portal,
    printed_hosts,
    proxies,
    proxy_scripts,
    proxy_ways,
    quic,
    reach,
    refusals,
    remembered,
    rtcp,
    server_names,
    services,
    sinkholes,
    turns,
    versions,
)
from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Finding, Where, sort_key
from readycheck.diagnose.situation import Situation
from readycheck.plan import Check
from readycheck.probe import Effort

Rule = Callable[[Case], Iterator[Finding]]
FollowUp = Callable[[Situation], Iterator[Check]]

RULES: tuple[Rule, ...] = (
    offline.no_network,
    portal.captive_portal,
    ipv6.ipv6_only,
    offline.host_firewall,
    new_flows.new_flows_lost,
    offline.site_offline,
    loops.packets_go_round,
    proxy_ways.proxy_required,
    names.silent_at_first,
    names.dns_unreachable,
    names.lookups_in_vain,
    proxy_scripts.pac_error,
    proxies.proxy_trouble,
    proxy_ways.proxy_breaks_websocket,
    interception.proxy_transparent,
    portal.plain_http_is_led_away,
    interception.strangers_answer,
    answers.dns_hijack,
    answers.dns_filter,
    sinkholes.led_to_one_place,
    lookups.dns_slow,
    lookups.dead_name_servers,
    lookups.lost_questions,
    lookups.refused_by_turns,
    server_names.sni_filter,
    server_names.sni_required,
    versions.newer_greetings_cut,
    turns.first_packets_lost,
    turns.rate_limited,
    media.udp_return_blocked,
    rtcp.rtcp_blocked,
    media.burst_loss,
    media.loss,
    turns.intermittent,
    refusals.refused_by_turns,
    path_mtu.pmtu_blackhole,
    turns.greetings_by_turns,
    openings.ports_without_answers,
    hosts.connections_lost,
    reach.udp_blocked,
    reach.udp_return_blocked,
    reach.ports_blocked,
    reach.networks_blocked,
    reach.lone_walls,
    reach.ports_silent,
    reach.service_down,
    printed_hosts.some_refuse,
    services.service_failing,
    services.service_replaced,
    hosts.media_of_hosts,
    hosts.ports_of_hosts,
    hosts.hosts_alone,
    remembered.gone_silent,
    names.ntp_blocked,
    names.dns_tcp_blocked,
    clock.clock_skew,
    inspection.tls_inspection,
    certificates.tls_trouble,
    ipv6.ipv6_broken,
    ipv6.ipv6_mute,
    link.slow_connect,
    link.long_way,
    link.vpn_in_path,
    link.wifi_weak,
    link.egress_unstable,
    nat.sip_alg,
    nat.nat_binding_short,
    idle.idle_timeout_short,
    nat.nat_symmetric,
    nat.nat_double,
    quic.quic_blocked,
    media.jitter,
    media.delay,
    media.reordering,
    media.duplication,
    media.dscp_changed,
    capacity.bandwidth_insufficient,
    capacity.bufferbloat,
    services.signalling_failing,
)

FOLLOW_UPS: tuple[FollowUp, ...] = (
    path_mtu.stalled_handshakes,
    portal.ask_others,
    answers.ask_again,
    answers.ask_nearer,
    lookups.ask_again,
    egress.survey,
    elsewhere.ask,
    ipv6.other_family,
    ipv6.translation,
    server_names.names_in_question,
    server_names.nameless_in_question,
    flows.compare,
    flows.ask_again,
    link.connect_again,
    beside.past_the_proxy,
    beside.through_the_proxy,
    interception.ask_nowhere,
)
"""Each yields the checks that would tell its causes apart, and none in a network where nothing is in doubt."""

ASIDES: tuple[FollowUp, ...] = (nat.map_again, quic.advertised)
"""No failure asks for them, and their causes are notes: a run that needs no follow-up does not wait for them."""


def follow_ups(situation: Situation) -> tuple[Check, ...]:
    """The checks of the next round: those that were not made yet."""
    wanted = _asked(FOLLOW_UPS, situation)
    if wanted or situation.has_followed or situation.plan.effort is Effort.THOROUGH:
        wanted |= _asked(ASIDES, situation)
    return tuple(wanted.values())


def _asked(rows: Sequence[FollowUp], situation: Situation) -> dict[str, Check]:
    checks = (check for follow_up in rows for check in follow_up(situation))
    return {check.id: check for check in checks if check.id not in situation.done}


def diagnose(case: Case) -> tuple[Finding, ...]:
    """Findings, sorted; one whose evidence another explains is swallowed by it."""
    kept: list[Finding] = []
    for candidate in _merged(finding for rule in RULES for finding in rule(case)):
        explaining = next((k for k in kept if _explains(k, candidate)), None)
        if explaining is None:
            kept.append(candidate)
        elif candidate.cause != explaining.cause and candidate.cause not in explaining.explains:
            grown = replace(explaining, explains=(*explaining.explains, candidate.cause))
            kept[kept.index(explaining)] = grown
    return tuple(sorted(map(_addressed, kept), key=sort_key))


def _addressed(finding: Finding) -> Finding:
    """With something to do, told to the one who can do it."""
    remedy = finding.remedy or _usual_remedy(finding.cause)
    if finding.where is Where.ISP and remedy.startswith(("Allow ", "Add ")):
        remedy = f"Ask the provider to {remedy[0].lower()}{remedy[1:]}"
    return replace(finding, remedy=remedy)


def _usual_remedy(cause: str) -> str:
    from readycheck.diagnose.causes import CAUSES  # takes time to read, and hardly any rule leaves it to them

    return CAUSES[cause].remedy if cause in CAUSES else ""


def _explains(kept: Finding, candidate: Finding) -> bool:
    if {kept.cause, candidate.cause} <= media.MEASURES:
        return False
    return bool(candidate.evidence) and set(candidate.evidence) <= set(kept.evidence)


SAME_LIST = {"address-blocked": "subnet-blocked"}
"""A host that stops where networks stop is one more entry of a firewall's list, and is told in the same finding."""


def _merged(findings: Iterator[Finding]) -> Iterator[Finding]:
    """One finding for each cause and place; nothing that one of them says is lost."""
    by_place: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = SAME_LIST.get(finding.cause, finding.cause), finding.where.value
        by_place[key] = _join(by_place[key], finding) if key in by_place else finding
    yield from by_place.values()


def _join(one: Finding, other: Finding) -> Finding:
    return replace(
        one,
        summary=_both(one.summary, other.summary),
        remedy=_both(one.remedy, other.remedy),
        explains=one.explains if one.cause == other.cause else (*one.explains, other.cause),
        affects=tuple(dict.fromkeys((*one.affects, *other.affects))),
        evidence=tuple(dict.fromkeys((*one.evidence, *other.evidence))),
        severity=min(one.severity, other.severity, key=_severity_rank),
        confidence=one.confidence,
    )


def _both(one: str, other: str) -> str:
    return one if other in one else f"{one} {other}".strip()


def _severity_rank(severity: object) -> int:
    return ["blocking", "degrading", "note"].index(str(severity))
