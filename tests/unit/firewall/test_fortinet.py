"""FortiOS, compared with commands written by hand."""

from .sample import CALLED, DNS, FORWARDED, MEDIA, OPTIONAL, PING, SIGNALLING, WEB, in_force, printed


def policy(
    name: str, source: str, target: str, six: str = "", need: str = "sip", service: str = ""
) -> list[str]:
    return [
        "config firewall policy",
        "    edit 0",
        f'        set name "{name}"',
        '        set srcintf "internal"',
        '        set dstintf "wan1"',
        f"        set srcaddr{six} {source}",
        f"        set dstaddr{six} {target}",
        f'        set service "{service or name.removesuffix("-v6")}"',
        '        set schedule "always"',
        "        set action accept",
        "        set logtraffic all",
        f'        set comments "example 1: {need} (required)"',
        "    next",
        "end",
    ]


def table(path: str, **rows: list[str]) -> list[str]:
    lines = [f"config firewall {path}"]
    for name, settings in rows.items():
        lines += [f'    edit "{name}"', *(f"        set {setting}" for setting in settings), "    next"]
    return [*lines, "end"]


def test_networks_of_both_families() -> None:
    assert in_force("fortinet", "#", SIGNALLING) == [
        *table(
            "address",
            **{
                "RC-198.51.100.0-24": ["subnet 198.51.100.0 255.255.255.0"],
                "RC-203.0.113.7-32": ["subnet 203.0.113.7 255.255.255.255"],
            },
        ),
        *table("address6", **{"RC-2001_db8_1__-48": ["ip6 2001:db8:1::/48"]}),
        *table("service custom", **{"RC-out-tcp-5061": ["protocol TCP/UDP/SCTP", "tcp-portrange 5061"]}),
        *policy("RC-out-tcp-5061", '"all"', '"RC-198.51.100.0-24" "RC-203.0.113.7-32"'),
        *policy("RC-out-tcp-5061-v6", '"all"', '"RC-2001_db8_1__-48"', "6"),
    ]


def test_names_and_leading_wildcards_are_fqdn_addresses() -> None:
    lines = in_force("fortinet", "#", WEB)
    assert lines[:14] == table(
        "address",
        **{
            "RC-api.example.com": ["type fqdn", 'fqdn "api.example.com"'],
            "RC-example.net": ["type fqdn", 'fqdn "example.net"'],
            "RC-_.example.net": ["type fqdn", 'fqdn "*.example.net"'],
        },
    )
    assert '        set dstaddr "RC-api.example.com" "RC-example.net" "RC-_.example.net"' in lines
    assert "#     *-cdn.example.org  outbound tcp 443, for web (required)" in printed("fortinet", WEB)


def test_ports_and_source_ports() -> None:
    assert "        set udp-portrange 5004 9000-9010" in in_force("fortinet", "#", MEDIA)
    lines = in_force("fortinet", "#", MEDIA, source_ports=True)
    assert "        set udp-portrange 5004:8000-8099 9000-9010:8000-8099" in lines


def test_ping_is_a_service_of_the_unit() -> None:
    lines = in_force("fortinet", "#", PING)
    assert "config firewall service custom" not in lines
    assert [line.strip() for line in lines if "set service" in line] == [
        'set service "PING"',
        'set service "PING6"',
    ]


def test_any_destination_in_both_families() -> None:
    lines = in_force("fortinet", "#", WEB, any_name=True)
    assert lines[6:] == [
        *policy("RC-out-tcp-443", '"all"', '"all"', need="web"),
        *policy("RC-out-tcp-443-v6", '"all"', '"all"', "6", need="web"),
    ]


def test_inbound() -> None:
    lines = in_force("fortinet", "#", CALLED, FORWARDED, values={"gateway": "192.0.2.10"})
    ends = [line.strip() for line in lines if "intf" in line or "addr " in line]
    assert ends == [
        *(
            'set srcintf "wan1"',
            'set dstintf "internal"',
            'set srcaddr "all"',
            'set dstaddr "RC-192.0.2.10-32"',
        ),
        *('set srcintf "wan1"', 'set dstintf "internal"'),
        *('set srcaddr "RC-198.51.100.0-24" "RC-203.0.113.7-32"', 'set dstaddr "RC-192.0.2.10-32"'),
    ]


def test_what_is_missing_or_optional_is_behind_marks() -> None:
    assert in_force("fortinet", "#", DNS, OPTIONAL, CALLED, {**FORWARDED, "ports": []}) == []
    assert "#         set subnet <name-servers> 255.255.255.255" in printed("fortinet", DNS)
    assert "#         set tcp-portrange <portal-ports>" in printed("fortinet", {**FORWARDED, "ports": []})


def test_names_of_policies_fit() -> None:
    """FortiOS takes 35 characters."""
    names = [line.strip() for line in printed("fortinet") if "set name" in line]
    assert names and all(len(name) - len('# set name ""') <= 35 for name in names)
