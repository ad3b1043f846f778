"""The delegating network; and hop limits and ICMP errors, behind a router in namespaces of our own."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net import system
from readycheck.net.interface import Capability, NetError, Resolution, Shown, Stream, TlsSettings
from readycheck.net.system import NetworkOptions, SystemNetwork, detect_capabilities
from readycheck.testing import tls_facts


class FixedResolver:
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, float]] = []

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        self.asked.append((host, timeout))
        return Resolution(self.addresses, "hosts file", {"ttl": 1})


async def no_handshake(stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream:
    raise NetError(Failure.TLS_NOT_TLS, f"{settings.server_name} within {timeout:g} s")


def network(*addresses: str, **options: Any) -> SystemNetwork:
    return SystemNetwork(NetworkOptions(**options), FixedResolver(*addresses), no_handshake)


async def test_names_go_to_the_resolver_and_addresses_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "is_routed", lambda address, options: True)
    resolver = FixedResolver("192.0.2.1", "2001:db8::1")
    net = SystemNetwork(NetworkOptions(), resolver, no_handshake)
    found = await net.resolve("name.test", timeout=2)
    assert (found.addresses, found.server) == (("192.0.2.1", "2001:db8::1"), "hosts file")
    assert (await net.resolve("2001:db8::9", timeout=2)).addresses == ("2001:db8::9",)
    assert resolver.asked == [("name.test", 2)]


@pytest.mark.parametrize(
    ("routed", "left"),
    [
        (("192.0.2.1", "2001:db8::1"), ("192.0.2.1", "2001:db8::1")),
        (("192.0.2.1",), ("192.0.2.1",)),
        (("2001:db8::1",), ("2001:db8::1",)),
        ((), ("192.0.2.1", "2001:db8::1")),
    ],
)
async def test_addresses_that_this_host_has_no_route_for_are_left_out_beside_others(
    monkeypatch: pytest.MonkeyPatch, routed: tuple[str, ...], left: tuple[str, ...]
) -> None:
    monkeypatch.setattr(system, "is_routed", lambda address, options: address in routed)
    assert (await network("192.0.2.1", "2001:db8::1").resolve("name.test", timeout=2)).addresses == left
    assert (await network("192.0.2.1").resolve("name.test", timeout=2)).addresses == ("192.0.2.1",)


@pytest.mark.parametrize(("family", "left"), [("4", "192.0.2.1"), ("6", "2001:db8::1")])
async def test_only_the_family_in_use_is_left(family: str, left: str) -> None:
    found = await network("192.0.2.1", "2001:db8::1", family=family).resolve("name.test", timeout=2)
    assert found.addresses == (left,)


async def test_no_address_of_the_family_is_no_answer() -> None:
    with pytest.raises(NetError, match=r"name\.test has no IPv6 address") as caught:
        await network("192.0.2.1", family="6").resolve("name.test", timeout=2)
    assert caught.value.failure is Failure.DNS_NO_ANSWER
    assert caught.value.facts == {"ttl": 1, "server": "hosts file"}
    with pytest.raises(NetError, match=r"name\.test has no address"):
        await network().resolve("name.test", timeout=2)


async def test_the_handshake_is_the_one_given() -> None:
    net = network()
    with socket.create_server(("127.0.0.1", 0)) as server:
        with closing(await net.connect(server.getsockname(), timeout=5)) as stream:
            with pytest.raises(NetError, match=r"name\.test within 2 s"):
                await net.start_tls(stream, TlsSettings(server_name="name.test"), timeout=2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8")
async def test_what_others_have_shown_is_judged_by_the_trust_set_given() -> None:
    shown = Shown(version="TLSv1.3", cipher="", alpn="h3", chain=())
    judged = tls_facts(alpn="h3")
    made = SystemNetwork(NetworkOptions(), FixedResolver(), no_handshake, lambda shown, settings: judged)
    assert made.vouch(shown, TlsSettings()) is judged
    with pytest.raises(ValueError, match="trust set"):
        network().vouch(shown, TlsSettings())


async def test_the_source_binds_what_is_of_its_family() -> None:
    net = network(source="127.0.0.77")
    with socket.create_server(("127.0.0.1", 0)) as server:
        with closing(await net.connect(server.getsockname(), timeout=5)) as stream:
            assert stream.local[0] == "127.0.0.77"
    with closing(await net.open_datagram()) as four, closing(await net.open_datagram(family=6)) as six:
        assert (four.local[0], six.local[0]) == ("127.0.0.77", "::")


async def test_datagrams_and_connections_share_one_pace() -> None:
    net = network(rate=1000)
    claims = []
    net._pace.claim = lambda now: claims.append(now) or 0.0  # type: ignore[method-assign,func-returns-value]
    with socket.create_server(("127.0.0.1", 0)) as server, closing(await net.open_datagram()) as datagrams:
        (await net.connect(server.getsockname(), timeout=5)).close()
        await datagrams.send(b"ping", server.getsockname())
    assert len(claims) == 2


async def test_the_rest_is_told_as_it_is() -> None:
    net = network(resolvers=(("192.0.2.53", 53),))
    assert net.resolvers() == (("192.0.2.53", 53),)
    assert net.now_ns() <= net.now_ns()
    assert net.capabilities() is net.capabilities()
    await net.sleep(0)


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux can")
def test_capabilities_are_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {Capability.ICMP_ERRORS, Capability.HOP_LIMIT, Capability.KERNEL_TIMESTAMPS}
    assert detect_capabilities() >= usual

    def refused(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr("readycheck.net.system._may_open_raw_sockets", lambda: False)
    monkeypatch.setattr("readycheck.net.system.report_errors", refused)
    assert detect_capabilities() == usual - {Capability.ICMP_ERRORS}


# A client, a router and nothing behind it: 10.9.0.1 -- 10.9.0.2, which has a link towards the nets.
_SETUP = """
set -e
ip link set lo up
ip link add near type veth peer name edge
sh -c 'echo $$ > "$0"; exec unshare --net sleep 60' "$PIDFILE" >/dev/null 2>&1 &
trap 'kill $!' EXIT
until [ -s "$PIDFILE" ]; do :; done
router=$(cat "$PIDFILE")
until [ "$(readlink /proc/$router/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link set edge netns $router
ip addr add 10.9.0.1/24 dev near
ip addr add fd09::1/64 dev near nodad
ip link set near up
ip route add default via 10.9.0.2
ip -6 route add default via fd09::2
in_router() { nsenter -t $router -n "$@"; }
in_router sh -e -c '
ip link set lo up
ip addr add 10.9.0.2/24 dev edge
ip addr add fd09::2/64 dev edge nodad
ip link set edge up
ip link add beyond type veth peer name void
ip link set void up
ip addr add 198.51.100.1/24 dev beyond
ip addr add 2001:db8:1::1/64 dev beyond nodad
ip link set beyond up
ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev beyond
ip -6 neigh add 2001:db8:1::9 lladdr 02:00:00:00:00:09 dev beyond
ip route add prohibit 203.0.113.0/24
ip route add unreachable 192.0.2.0/24
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 0 > /proc/sys/net/ipv4/icmp_ratemask
echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
'
"$PYTHON" -c "$SCRIPT"
"""

_PRELUDE = """
import asyncio, json
from readycheck.net.interface import NetError
from readycheck.net.datagram import SocketOptions, SystemDatagrams
from readycheck.net.stream import open_stream

async def dial(host, port=443, **options):
    try:
        (await open_stream((host, port), **{"timeout": 5, **options})).close()
    except NetError as error:
        return [error.failure, error.facts]
    return ["connected", {}]

async def main():
    result = await measure()
    print(json.dumps(result))
"""


def behind_a_router(script: str, tmp_path: Path) -> Any:
    """Run `async def measure()` in the client; returns its result."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("READYCHECK_")}
    environment |= {
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "SCRIPT": _PRELUDE + textwrap.dedent(script) + "\nasyncio.run(main())\n",
        "PIDFILE": str(tmp_path / "router.pid"),
    }
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--kill-child", "--fork", "sh", "-c", _SETUP],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.twin
def test_a_syn_tells_the_hop_that_it_died_at(tmp_path: Path) -> None:
    found = behind_a_router(
        """
        async def measure():
            return [await dial("203.0.113.9"), await dial("192.0.2.9"), await dial("10.9.0.2"),
                    await dial("198.51.100.9", ttl=1), await dial("2001:db8:1::9", ttl=1),
                    await dial("198.51.100.9", timeout=0.05)]
        """,
        tmp_path,
    )
    assert found == [
        ["icmp_admin_prohibited", {"offender": "10.9.0.2", "meaning": "admin_prohibited"}],
        ["host_unreachable", {"offender": "10.9.0.2", "meaning": "host_unreachable"}],
        ["connection_refused", {}],
        ["hop_limit_exceeded", {"offender": "10.9.0.2", "meaning": "time_exceeded"}],
        ["hop_limit_exceeded", {"offender": "fd09::2", "meaning": "time_exceeded"}],
        ["timed_out", {}],
    ]


@pytest.mark.twin
def test_datagrams_tell_the_hop_for_each_destination(tmp_path: Path) -> None:
    found = behind_a_router(
        """
        async def measure():
            found = []
            for family, hosts in ((4, ["198.51.100.9", "203.0.113.9", "192.0.2.9"]), (6, ["2001:db8:1::9"])):
                datagrams = SystemDatagrams(SocketOptions(family=family, ttl=1))
                routed = SystemDatagrams(SocketOptions(family=family))
                for host in hosts[1:]:
                    await routed.send(b"ping", (host, 5000))
                reports = [await routed.receive(timeout=5) for _ in hosts[1:]]
                for port in range(20):
                    await datagrams.send(b"ping", (hosts[0], 5000 + port))
                reports += [await datagrams.receive(timeout=5) for _ in range(20)]
                found.append(sorted({(r.destination[0], r.offender, r.meaning) for r in reports}))
                found.append(sorted({r.destination[1] for r in reports}) == list(range(5000, 5020)))
                datagrams.close()
                routed.close()
            return found
        """,
        tmp_path,
    )
    assert found == [
        [
            ["192.0.2.9", "10.9.0.2", "host_unreachable"],
            ["198.51.100.9", "10.9.0.2", "time_exceeded"],
            ["203.0.113.9", "10.9.0.2", "admin_prohibited"],
        ],
        True,
        [["2001:db8:1::9", "fd09::2", "time_exceeded"]],
        True,
    ]


@pytest.mark.twin
def test_what_this_host_refuses_is_no_icmp_error(tmp_path: Path) -> None:
    found = behind_a_router(
        """
        import subprocess

        async def send(host):
            datagrams = SystemDatagrams(SocketOptions())
            try:
                await datagrams.send(b"ping", (host, 5000))
            except NetError as error:
                return error.failure
            finally:
                datagrams.close()

        async def measure():
            subprocess.run(["ip", "route", "add", "prohibit", "203.0.113.7"], check=True)
            subprocess.run(["ip", "route", "del", "default"], check=True)
            interface = SystemDatagrams(SocketOptions(interface="near"))
            await interface.send(b"ping", ("10.9.0.2", 5000))
            report = await interface.receive(timeout=5)
            interface.close()
            return [await send("203.0.113.7"), await send("198.51.100.9"), await dial("198.51.100.9"),
                    report.meaning]
        """,
        tmp_path,
    )
    unreachable = "network_unreachable"
    assert found == ["permission_denied", unreachable, [unreachable, {}], "port_unreachable"]


@pytest.mark.twin
@pytest.mark.parametrize("raw", [False, True])
def test_echoes_tell_the_hop_for_each_destination(tmp_path: Path, raw: bool) -> None:
    found = behind_a_router(
        f"""
        from readycheck.net.echo import open_echo

        async def measure():
            if not {raw}:
                with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
                    file.write("0 0")
            found = []
            for family, ttl, host in ((4, 1, "198.51.100.9"), (4, None, "203.0.113.9"), (4, None, "192.0.2.9"),
                                      (6, 1, "2001:db8:1::9")):
                echoes = open_echo(SocketOptions(family=family, ttl=ttl))
                await echoes.send(b"hello", (host, 0))
                report = await echoes.receive(timeout=5)
                echoes.close()
                found.append([report.destination, report.offender, report.meaning, report.payload.decode()])
            return found
        """,
        tmp_path,
    )
    assert found == [
        [["198.51.100.9", 0], "10.9.0.2", "time_exceeded", "hello"],
        [["203.0.113.9", 0], "10.9.0.2", "admin_prohibited", "hello"],
        [["192.0.2.9", 0], "10.9.0.2", "host_unreachable", "hello"],
        [["2001:db8:1::9", 0], "fd09::2", "time_exceeded", "hello"],
    ]


async def test_the_loop_runs_on() -> None:
    """No reader or task of the tests above is left behind."""
    assert len(asyncio.all_tasks()) == 1
