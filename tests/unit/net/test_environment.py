"""Facts about a host, from a made-up one in a folder and from the one that runs the test."""

import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readycheck.net import environment as module
from readycheck.net.environment import (
    Environment,
    FoundProxy,
    Interface,
    Kind,
    gather,
    has_ipv6,
    is_ipv6_only,
)
from readycheck.net.interface import Capability

linux = pytest.mark.skipif(sys.platform != "linux", reason="proc and sys are Linux's")

ROUTE = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 600 00000000 0 0 0
wlan0 00000000 020200C0 0003 0 0 100 00000000 0 0 0
eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""
ANYWHERE = f"{'0' * 32} 00"
ROUTE_6 = f"""20010db8000000000000000000000000 40 {ANYWHERE} {"0" * 32} 00000100 00000001 00000000 00000001 eth0
{ANYWHERE} {ANYWHERE} fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0
"""
WIRELESS = """Inter-| sta-|   Quality        |   Discarded packets
 face | tus | link level noise |  nwid  crypt   frag
 wlan0: 0000   54.  -56.  -256        0      0      0
 odd0: 0000   54.  200.  -256        0      0      0
"""
INET_6 = "fe800000000000000000000000000001 02 40 20 80 eth0\n"
LINKS: dict[str, dict[str, str | None]] = {
    "lo": {"type": "772"},
    "eth0": {"type": "1", "device": None, "mtu": "1400"},
    "wlan0": {"type": "1", "device": None},
    "wlan1": {"type": "1", "phy80211": None},
    "veth0": {"type": "1"},
    "wg0": {"type": "65534"},
    "ppp0": {"type": "512"},
    "ib0": {"type": "32"},
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a host of the files that are given."""

    def make(files: dict[str, str | bytes]) -> Path:
        for index, (name, values) in enumerate(LINKS.items(), 1):
            folder = tmp_path / "sys/class/net" / name
            folder.mkdir(parents=True)
            for key, value in {"ifindex": str(index), **values}.items():
                (folder / key).mkdir() if value is None else (folder / key).write_text(f"{value}\n")
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    monkeypatch.setattr(socket, "if_nameindex", lambda: list(enumerate(LINKS, 1)))
    monkeypatch.setattr(
        module, "_ipv4_addresses", lambda: [("eth0", "192.0.2.7"), ("eth0", "192.0.2.8"), ("lo", "127.0.0.1")]
    )
    return make


@linux
def test_interfaces(host: Callable[..., Path]) -> None:
    root = host({"proc/net/wireless": WIRELESS, "proc/net/if_inet6": INET_6})
    found = gather(root=root)
    assert {one.name: one.kind.value for one in found.interfaces} == {
        "lo": "loopback",
        "eth0": "wired",
        "wlan0": "wifi",
        "wlan1": "wifi",
        "veth0": "virtual",
        "wg0": "vpn",
        "ppp0": "vpn",
        "ib0": "unknown",
    }
    links = {one.name: one for one in found.interfaces}
    assert links["eth0"] == Interface(
        name="eth0", kind=Kind.WIRED, addresses=("192.0.2.7", "192.0.2.8", "fe80::1"), mtu=1400
    )
    assert links["wlan0"].signal_dbm == -56
    assert found.notes == ("the signal of wlan1 cannot be read",)


@linux
def test_a_sysfs_of_another_network_namespace_is_not_believed(
    host: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [(1, "lo"), (900, "eth0"), (901, "wg0"), (902, "wlan0")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: names)
    found = gather(root=host({}))
    assert [one.kind for one in found.interfaces] == [Kind.LOOPBACK, Kind.UNKNOWN, Kind.VPN, Kind.WIFI]
    assert found.interfaces[1].mtu is None


@linux
@pytest.mark.parametrize(
    ("files", "gateway", "interface"),
    [
        ({"proc/net/route": ROUTE}, "192.0.2.2", "wlan0"),
        ({"proc/net/route": ROUTE.replace(" 0003 0 0 100", " 0001 0 0 100")}, None, "wlan0"),
        ({"proc/net/route": ROUTE.splitlines()[0], "proc/net/ipv6_route": ROUTE_6}, "fe80::1", "eth0"),
        ({}, None, None),
    ],
)
def test_the_default_route(
    host: Callable[..., Path], files: dict[str, str], gateway: str | None, interface: str | None
) -> None:
    found = gather(root=host(files))
    assert (found.gateway, found.default_interface) == (gateway, interface)


@pytest.mark.parametrize(
    ("name", "text", "server"),
    [
        ("run/systemd/netif/leases/2", "# x\nADDRESS=192.0.2.7\nSERVER_ADDRESS=192.0.2.1\n", "192.0.2.1"),
        (
            "var/lib/dhcp/dhclient.eth0.leases",
            "option dhcp-server-identifier 192.0.2.3;\noption dhcp-server-identifier 192.0.2.4;\n",
            "192.0.2.4",
        ),
        ("var/lib/NetworkManager/internal-x.lease", "SERVER_ADDRESS=192.0.2.5", "192.0.2.5"),
        ("var/lib/dhcp/other", "SERVER_ADDRESS=192.0.2.5", None),
    ],
)
def test_the_dhcp_server(host: Callable[..., Path], name: str, text: str, server: str | None) -> None:
    assert gather(root=host({name: text})).dhcp_server == server


def test_what_is_given_is_told_without_secrets(tmp_path: Path) -> None:
    found = gather(
        resolvers=[("192.0.2.1", 53), ("192.0.2.1", 5353), ("2001:db8::1", 53), ("2001:db8::1", 54)],
        proxies={"https": "http://user:s3cret@p.example:3128", "all": "socks://user:s3cret@p.example"},
        capabilities=[Capability.HOP_LIMIT, Capability.ICMP_ERRORS],
        root=tmp_path,
    )
    assert found.resolvers == ("192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:54")
    assert found.capabilities == ("hop_limit", "icmp_errors")
    assert found.proxies[0] == FoundProxy(scheme="https", url="http://p.example:3128", source="environment")
    assert found.proxies[1].url == "unusable"
    assert "s3cret" not in str(found)


@linux
def test_this_host_can_be_read() -> None:
    found = gather()
    loopback = next(one for one in found.interfaces if one.kind is Kind.LOOPBACK)
    assert "127.0.0.1" in loopback.addresses
    assert loopback.mtu is not None
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.host and found.platform
    assert asdict(found)["interfaces"]


def test_facts_that_cannot_be_read_are_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "if_nameindex", broken)
    monkeypatch.setattr("platform.node", broken)
    found = gather(root=tmp_path)
    assert (found.host, found.interfaces) == ("", ())
    assert {
        "the interfaces cannot be read: Permission denied",
        "the host name cannot be read: Permission denied",
    } <= set(found.notes)


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_other_systems_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    names = [(1, "lo0"), (2, "utun3"), (3, "en0"), (4, "wireless_32768"), (5, "loopback_0")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: names)
    found = gather()
    assert "not read on this system" in found.notes[0]
    kinds = [Kind.LOOPBACK, Kind.VPN, Kind.UNKNOWN, Kind.WIFI, Kind.LOOPBACK]
    assert [one.kind for one in found.interfaces] == kinds


@linux
@settings(
    deadline=None, database=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300), st.text("0123456789abcdef .:-\n\tleth", max_size=300))
def test_any_content_is_survived(tmp_path: Path, data: bytes, text: str) -> None:
    for name in ("route", "ipv6_route", "if_inet6", "wireless"):
        file = tmp_path / "proc/net" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"header\nheader\n" + data + b"\n" + text.encode())
    lease = tmp_path / "run/systemd/netif/leases/2"
    lease.parent.mkdir(parents=True, exist_ok=True)
    lease.write_bytes(b"SERVER_ADDRESS=" + data + text.encode())
    assert isinstance(gather(root=tmp_path), Environment)


# --- families -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "six", "only"),
    [
        (("192.0.2.1",), False, False),
        (("192.0.2.1", "2001:db8::1"), True, False),
        (("2001:db8::1", "fe80::1"), True, True),
        (("2001:db8::1", "169.254.1.1"), True, True),
        (("2001:db8::1", "192.0.0.4"), True, False),
        (("fe80::1", "fd00::1"), False, False),
        ((), False, False),
    ],
)
def test_which_families_lead_out(addresses: tuple[str, ...], six: bool, only: bool) -> None:
    links = (
        Interface(name="lo", kind=Kind.LOOPBACK, addresses=("127.0.0.1", "::1")),
        Interface(name="eth0", addresses=addresses),
    )
    host = Environment(host="", platform="", interfaces=links)
    assert (has_ipv6(host), is_ipv6_only(host)) == (six, only)
