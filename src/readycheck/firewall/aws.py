"""A shell script for the AWS CLI: permissions of security groups, which know neither names nor source ports."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import networks
from readycheck.firewall.rules import Peer, Rule
from readycheck.firewall.sheet import Sheet

QUOTA = 60
"""Rules of a security group in one direction and one address family, unless the account has a larger quota."""

_MARK = "#"
_LONGEST_DESCRIPTION = 255
_ANYWHERE = ("0.0.0.0/0", "::/0")
_ECHO = {4: ("icmp", 8), 6: ("icmpv6", 128)}
_RANGES = {4: ("IpRanges", "CidrIp"), 6: ("Ipv6Ranges", "CidrIpv6")}
_COMMANDS = {"egress": "authorize-security-group-egress", "ingress": "authorize-security-group-ingress"}


def render(sheet: Sheet) -> str:
    shown = [rule for rule in (*sheet.rules, *sheet.spare) if places(rule)]
    lines = [
        "#!/bin/sh",
        *remarks.commented(_MARK, _heading(sheet)),
        "",
        "set -eu",
        ': "${GROUP_ID:?the identifier of the security group, sg-...}"',
    ]
    for rule in shown:
        held = f"{_MARK} " if rule in sheet.spare else ""
        lines += [_MARK, *remarks.commented(_MARK, remarks.explained(sheet, rule))]
        lines += [f"{held}{line}" for line in _command(sheet, rule)]
    missing = [rule for rule in sheet.rules if not places(rule) and rule.peer is not Peer.NAMES]
    lines += [_MARK] if missing else []
    lines += remarks.commented(_MARK, (line for rule in missing for line in remarks.explained(sheet, rule)))
    return "\n".join([*lines, *remarks.closing(_MARK, sheet, _able)]) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    yield from remarks.title(sheet)
    yield ""
    yield (
        "Run it with the group in GROUP_ID, or take the lists in single quotes for --ip-permissions. A new group "
        "lets everything out: revoke that rule first, or the group denies nothing. The group is that of the hosts "
        "themselves, so that inbound rules name no host."
    )
    yield from counted(sheet)
    yield from remarks.scope(sheet, knows_sources=False)
    yield from remarks.blanks(sheet)


def counted(sheet: Sheet) -> Iterator[str]:
    """How many rules these are by the quota's way of counting."""
    counts: dict[str, int] = {}
    for rule in sheet.rules:
        for place in places(rule):
            family = "IPv6" if ":" in place else "IPv4"
            key = f"{flow(rule)} {family}"
            counts[key] = counts.get(key, 0) + max(1, len(rule.ports))
    told = ", ".join(f"{count} {key}" for key, count in counts.items()) or "none"
    over = any(count > QUOTA for count in counts.values())
    advice = (
        "this is more: have the quota raised, or attach several groups, each with a part"
        if over
        else "they fit"
    )
    yield f"Rules in force: {told}. A group has {QUOTA} of each by default; {advice}."


def flow(rule: Rule) -> str:
    return "ingress" if rule.direction == "inbound" else "egress"


def places(rule: Rule) -> tuple[str, ...]:
    """The address ranges of a rule that a security group can hold; the host is the group itself."""
    if not rule.ports and rule.transport != "icmp":
        return ()
    if rule.peer is Peer.NETWORKS:
        return tuple(str(network) for network in networks(rule.peers))
    return _ANYWHERE if rule.peer is Peer.ANY else ()


def description(sheet: Sheet, rule: Rule) -> str:
    """Slugs and digits in what AWS allows a description to have."""
    return remarks.served(sheet, rule, _LONGEST_DESCRIPTION)


def _able(_: Rule, name: str) -> bool:
    return False


def _command(sheet: Sheet, rule: Rule) -> Iterator[str]:
    yield f'aws ec2 {_COMMANDS[flow(rule)]} --group-id "$GROUP_ID" --ip-permissions \''
    yield from json.dumps(list(permissions(sheet, rule)), indent=1).splitlines()
    yield "'"


def permissions(sheet: Sheet, rule: Rule) -> Iterator[dict[str, Any]]:
    """A permission for each range of ports, with all address ranges."""
    if rule.transport == "icmp":
        for version, (protocol, kind) in _ECHO.items():
            ranges = _ranges(sheet, rule, (version,))
            if ranges:
                yield {"IpProtocol": protocol, "FromPort": kind, "ToPort": -1, **ranges}
        return
    for span in rule.ports:
        ends = {"FromPort": span.low, "ToPort": span.high}
        yield {"IpProtocol": rule.transport, **ends, **_ranges(sheet, rule, (4, 6))}


def _ranges(sheet: Sheet, rule: Rule, versions: Iterable[int]) -> dict[str, Any]:
    text = description(sheet, rule)
    found: dict[str, Any] = {}
    for version in versions:
        kind, key = _RANGES[version]
        mine = [place for place in places(rule) if (":" in place) == (version == 6)]
        if mine:
            found[kind] = [{key: place, "Description": text} for place in mine]
    return found
