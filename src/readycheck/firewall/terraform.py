"""Terraform in its JSON syntax: a security group of AWS and its rules."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from readycheck.firewall import aws, remarks
from readycheck.firewall.rules import NAME_SERVERS, Peer, Rule
from readycheck.firewall.sheet import Sheet

GROUP = "readycheck"
OPTIONAL = "readycheck_optional"

_ECHO = {"4": ("icmp", 8, -1), "6": ("icmpv6", 128, -1)}
_FLOWS = {"egress": "aws_vpc_security_group_egress_rule", "ingress": "aws_vpc_security_group_ingress_rule"}


def render(sheet: Sheet) -> str:
    document = {
        "//": _heading(sheet),
        "variable": {**_variables(), **_blanks(sheet)},
        "locals": _locals(sheet),
        "resource": _resources(sheet),
    }
    return json.dumps(document, indent=2) + "\n"


def _heading(sheet: Sheet) -> list[str]:
    """A property of this name is a comment."""
    parts = (
        remarks.title(sheet),
        [
            "Save as readycheck.tf.json beside a provider for AWS. The group is that of the hosts themselves, so that "
            "inbound rules name no host; it lets nothing else out.",
            f"What is optional or legacy is in force once the variable {OPTIONAL} is true, and what only you can say "
            "once the list is not empty that the variable of its name holds.",
        ],
        aws.counted(sheet),
        remarks.scope(sheet, knows_sources=False),
        remarks.blanks(sheet),
        _left_out(sheet),
        remarks.unsaid(sheet, _able),
        remarks.between(sheet),
        remarks.withdrawn(sheet),
    )
    return [line for part in parts for line in part]


def _able(_: Rule, name: str) -> bool:
    return False


def _left_out(sheet: Sheet) -> Iterator[str]:
    """Rules that a variable cannot complete."""
    for rule in (*sheet.rules, *sheet.spare):
        if rule.peer is not Peer.NAMES and not aws.places(rule) and not _unknown(rule):
            yield from remarks.explained(sheet, rule)


def _variables() -> dict[str, Any]:
    return {
        "vpc_id": {"type": "string", "description": "The VPC of the security group"},
        OPTIONAL: {
            "type": "bool",
            "default": False,
            "description": "Let through what is optional or legacy too",
        },
    }


def _blanks(sheet: Sheet) -> dict[str, Any]:
    """Lists of networks that only the customer can say; an empty one makes no rule."""
    found: dict[str, Any] = {}
    titles = {f"{{{blank.name}}}": blank.title for blank in sheet.blanks}
    for rule in (*sheet.rules, *sheet.spare):
        for far in _unknown(rule):
            title = remarks.plain(titles.get(far, far))
            found[_variable(far)] = {
                "type": "list(string)",
                "default": [],
                "description": f"{title}, as IPv4 networks",
            }
    return found


def _unknown(rule: Rule) -> tuple[str, ...]:
    """Far ends to be given, of rules that lack nothing else that a security group needs."""
    if rule.peer not in (Peer.GIVEN, Peer.RESOLVERS) or (not rule.ports and rule.transport != "icmp"):
        return ()
    return rule.peers or (f"{{{NAME_SERVERS}}}",)


def _variable(far: str) -> str:
    return f"readycheck_{remarks.variable(far)}"


def _locals(sheet: Sheet) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for flow in _FLOWS:
        rows[f"{GROUP}_{flow}"] = dict(_rows(sheet, sheet.rules, flow))
        rows[f"{OPTIONAL}_{flow}"] = dict(_rows(sheet, sheet.spare, flow))
    rows[f"{GROUP}_domains"] = {
        rule.label: list(rule.peers) for rule in (*sheet.rules, *sheet.spare) if rule.peer is Peer.NAMES
    }
    return rows


def _rows(sheet: Sheet, rules: Iterable[Rule], flow: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each port range to each address range, by a key that stays while both do."""
    for rule in rules:
        if aws.flow(rule) != flow:
            continue
        for place in aws.places(rule):
            family = "6" if ":" in place else "4"
            for protocol, low, high in _ports(rule, family):
                yield (
                    f"{protocol} {low}-{high} {place}",
                    {
                        "protocol": protocol,
                        "from": low,
                        "to": high,
                        "cidr_ipv4": place if family == "4" else None,
                        "cidr_ipv6": place if family == "6" else None,
                        "description": aws.description(sheet, rule),
                    },
                )


def _ports(rule: Rule, family: str) -> list[tuple[str, int, int]]:
    if rule.transport == "icmp":
        return [_ECHO[family]]
    return [(rule.transport, span.low, span.high) for span in rule.ports]


def _resources(sheet: Sheet) -> dict[str, Any]:
    group = {
        "name": f"readycheck-{sheet.name}",
        "description": f"{sheet.name} {remarks.identifier(sheet.revision, 24)}",
        "vpc_id": "${var.vpc_id}",
    }
    found: dict[str, Any] = {"aws_security_group": {GROUP: group}}
    for flow, kind in _FLOWS.items():
        optional = f"{{ for k, v in local.{OPTIONAL}_{flow} : k => v if var.{OPTIONAL} }}"
        found[kind] = {
            GROUP: {
                "for_each": f"${{merge({optional}, local.{GROUP}_{flow})}}",
                **_rule({"4": "${each.value.cidr_ipv4}", "6": "${each.value.cidr_ipv6}"}),
            }
        }
    for rule in (*sheet.rules, *sheet.spare):
        for name, block in _given(sheet, rule):
            found[_FLOWS[aws.flow(rule)]][name] = block
    return found


def _rule(places: dict[str, str]) -> dict[str, Any]:
    return {
        "security_group_id": f"${{aws_security_group.{GROUP}.id}}",
        "ip_protocol": "${each.value.protocol}",
        "from_port": "${each.value.from}",
        "to_port": "${each.value.to}",
        "description": "${each.value.description}",
        **{f"cidr_ipv{family}": value for family, value in places.items()},
    }


def _given(sheet: Sheet, rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    """A rule for each network of a variable and each range of ports."""
    for far in _unknown(rule):
        for protocol, low, high in _ports(rule, "4"):
            variable = f"var.{_variable(far)}"
            networks = f"var.{OPTIONAL} ? {variable} : []" if rule in sheet.spare else variable
            yield (
                f"{_variable(far)}_{protocol}_{remarks.variable(f'{low}_{high}')}",
                {
                    "for_each": f"${{toset({networks})}}",
                    "security_group_id": f"${{aws_security_group.{GROUP}.id}}",
                    "ip_protocol": protocol,
                    "from_port": low,
                    "to_port": high,
                    "cidr_ipv4": "${each.value}",
                    "description": aws.description(sheet, rule),
                },
            )
