"""A real stand-in world of the real profile, and in it a small program in place of the agent."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from readycheck.errors import UsageError
from readycheck.profile import Profile
from readycheck.profile_file import parse
from readycheck.twin import world
from readycheck.twin.offer import read_offer
from readycheck.twin.population import living
from readycheck.twin.scenarios import SCENARIOS, draw

pytestmark = [pytest.mark.twin, pytest.mark.alone]

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles" / "readycheck_profiles" / "webex-calling.toml"
SEED = 1

CLIENT = """
import json, os, select, socket, ssl, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from readycheck.wire import ntp, stun
from readycheck.wire.extended_error import unpack_extended_error

WAIT = 0.8
given, roots, told = json.loads(sys.argv[1]), sys.argv[sys.argv.index("--trust-roots") + 1], {}

def said(error):
    return getattr(error, "reason", None) or type(error).__name__

def datagram(to, payload, ttl=None):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, 11, 1)
        if ttl:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        began = time.perf_counter()
        s.sendto(payload, to)
        poll = select.poll()
        poll.register(s, select.POLLIN)
        if not poll.poll(WAIT * 1000):
            return "silent"
        elapsed = (time.perf_counter() - began) * 1000
        try:
            data, source = s.recvfrom(2048)
        except OSError:
            _, ancillary, _, _ = s.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
            return [unpack_extended_error(data).offender for *_, data in ancillary][0]
        assert source == to, (source, to)
        return data, elapsed

def ladder(to, rungs):
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda ttl: datagram(to, b"x", ttl), rungs))

def ask_stun(to):
    answer = datagram(to, stun.pack_binding_request(os.urandom(12)))
    if isinstance(answer, str):
        return answer
    told["rtt_ms"] = answer[1]
    return stun.unpack_message(answer[0]).xor_mapped_address[0]

def echo(to):
    payload = b"\\x80\\x00" + os.urandom(30)
    answer = datagram(to, payload)
    return answer if isinstance(answer, str) else "echo" if answer[0] == payload else "other"

def clock(to):
    now = time.time()
    answer = datagram(to, ntp.pack_request(now))
    if isinstance(answer, str):
        return answer
    return "right" if abs(ntp.unpack_reply(answer[0]).transmit - now) < 60 else "wrong"

def resolve(name):
    try:
        return socket.gethostbyname(name)
    except socket.gaierror as error:
        return socket.EAI_AGAIN == error.errno and "silent" or "no such name"

def tcp(to):
    try:
        with socket.create_connection(to, WAIT):
            return "open"
    except OSError as error:
        return said(error)

def tls(to, name=None, request=b""):
    context = ssl.create_default_context(cafile=roots)
    context.check_hostname = name is not None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with socket.create_connection(to, WAIT) as plain, context.wrap_socket(plain, server_hostname=name) as s:
            s.sendall(request)
            return s.recv(100)[:12].decode() if request else "greeted"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.partition(",")[0]
    except OSError as error:
        return said(error)

OPTIONS = b"OPTIONS sips:x SIP/2.0\\r\\nVia: SIP/2.0/TLS a;branch=z9hG4bKa\\r\\nFrom: <sip:a@b>;tag=1\\r\\n" \
    b"To: <sip:b@c>\\r\\nCall-ID: 1\\r\\nCSeq: 1 OPTIONS\\r\\n\\r\\n"
node, other, dead, blocked = given["node"], given["other"], given["dead"], given["blocked"]
CHECKS = {
    "stun": lambda: ask_stun((node, 5004)),
    "media_low": lambda: echo((node, 19560)),
    "media_high": lambda: echo((node, 65535)),
    "time": lambda: clock((node, 123)),
    "dead": lambda: ask_stun((dead, 5004)),
    "unlisted": lambda: tcp((node, 4444)),
    "sip": lambda: tls((node, 8934), request=OPTIONS),
    "sip_upper": lambda: tcp((other, 8934)),
    "sip_blocked": lambda: tcp((blocked, 8934)),
    "trunk": lambda: tcp((node, 5062)),
    "trunk_tls": lambda: tls((node, 5062), request=OPTIONS),
    "web": lambda: tls((given["web"], 443), "activate.cisco.com", b"GET / HTTP/1.1\\r\\n\\r\\n"),
    "web_other": lambda: tls((given["api"], 443), "webexapis.com", b"GET / HTTP/1.1\\r\\n\\r\\n"),
    "name": lambda: resolve("activate.cisco.com"),
    "stranger": lambda: resolve("example.com"),
    "no_name": lambda: resolve("nobody.webex.com"),
    "dns_tcp": lambda: tcp(("203.0.113.53", 53)),
    "hops": lambda: ladder((dead, 5004), range(1, 8)),
    "stun_hops": lambda: ladder((dead, 9000), (2, 6)),
}

def check(name, ask):
    told[name] = ask()

threads = [threading.Thread(target=check, args=item) for item in CHECKS.items()
           if item[0] in given["only"] or not given["only"]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(given["file"], "w") as file:
    json.dump(told, file)
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return parse(PROFILE.read_bytes(), PROFILE.name)


@pytest.fixture
def explore(profile: Profile, tmp_path: Path) -> Run:
    """What the client of a world sees."""

    def explore(scenario: str = "none", only: Sequence[str] = (), **options: Any) -> dict[str, Any]:
        addresses = set(living("23.89.0.0/16", SEED, world.SPARSE))
        plan = draw(read_offer(profile), SCENARIOS[scenario], seed=SEED, ratio=world.SPARSE)
        blocked = next(iter(SCENARIOS["subnet-blocked"].rules(read_offer(profile))[0].networks))
        given = {
            "file": str(tmp_path / "told.json"),
            "only": list(only),
            "node": min(addresses),
            "other": next(a for a in sorted(addresses) if a.startswith("23.89.200.")),
            "dead": next(a for a in (f"23.89.9.{i}" for i in range(256)) if a not in addresses),
            "blocked": next(iter(living(blocked, SEED, world.SPARSE))),
            "web": plan.addresses["activate.cisco.com"],
            "api": plan.addresses["webexapis.com"],
        }
        arguments = [json.dumps(given)]
        status = world.run(
            profile,
            arguments,
            scenario=SCENARIOS[scenario],
            seed=SEED,
            agent=[sys.executable, "-c", CLIENT],
            **options,
        )
        assert status == 0
        told: dict[str, Any] = json.loads((tmp_path / "told.json").read_text())
        return told

    return explore


OPEN = {
    "stun": "198.51.100.10",
    "media_low": "echo",
    "media_high": "echo",
    "time": "right",
    "dead": "silent",
    "unlisted": "TimeoutError",
    "sip": "SIP/2.0 200 ",
    "sip_upper": "open",
    "sip_blocked": "open",
    "trunk": "open",
    "trunk_tls": "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "web": "HTTP/1.1 200",
    "web_other": "HTTP/1.1 200",
    "no_name": "no such name",
    "dns_tcp": "open",
    "hops": [
        "192.168.20.1",
        "10.20.0.1",
        "198.51.100.9",
        "198.51.100.17",
        "198.51.100.25",
        "203.0.113.1",
        "203.0.113.9",
    ],
    "stun_hops": ["10.20.0.1", "203.0.113.1"],
}
SILENT_HOPS = {"hops": ["192.168.20.1", "10.20.0.1", *["silent"] * 5], "stun_hops": ["10.20.0.1", "silent"]}
NO_MEDIA = {"stun": "silent", "media_low": "silent", "media_high": "silent"}
ALERT = "TLSV1_ALERT_PROTOCOL_VERSION"
NO_PORTAL = ("sip", "sip_upper", "sip_blocked", "trunk", "trunk_tls", "web", "web_other", "unlisted")
UNKNOWN_CHAIN = "unable to get local issuer certificate"
NO_TCP = "TimeoutError"
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "udp-blocked": {**NO_MEDIA, **SILENT_HOPS},
    "sip-port-rejected": {"sip": "ConnectionRefusedError", "sip_upper": "ConnectionRefusedError",
                          "sip_blocked": "ConnectionRefusedError"},
    "sip-port-dropped": {"sip": NO_TCP, "sip_upper": NO_TCP, "sip_blocked": NO_TCP},
    "subnet-blocked": {"sip_blocked": NO_TCP},
    "half-subnet-blocked": {"sip_upper": NO_TCP},
    "rtp-range-partial": {"media_high": "silent"},
    "udp-return-blocked": NO_MEDIA,
    "icmp-filtered": SILENT_HOPS,
    "dns-unreachable": {"name": "silent", "stranger": "silent", "no_name": "silent", "dns_tcp": NO_TCP},
    "dns-tcp-blocked": {"dns_tcp": NO_TCP},
    "dns-filter": {"name": "no such name"},
    "dns-hijack": {"name": "192.88.99.254", "no_name": "192.88.99.254"},
    "dns-slow": {},
    "captive-portal": {**NO_MEDIA, **SILENT_HOPS, **dict.fromkeys(NO_PORTAL, "ConnectionRefusedError"),
                       "time": "silent"},
    "ntp-blocked": {"time": "silent"},
    "clock-skew": {"time": "wrong"},
    "certificate-untrusted": {"sip": UNKNOWN_CHAIN, "trunk_tls": UNKNOWN_CHAIN},
    "certificate-expired": {"sip": "certificate has expired", "trunk_tls": "certificate has expired"},
    "certificate-chain-incomplete": {"sip": UNKNOWN_CHAIN, "trunk_tls": UNKNOWN_CHAIN},
    "certificate-name-mismatch": {"web": "Hostname mismatch"},
    "tls-inspection": {"web": UNKNOWN_CHAIN, "web_other": UNKNOWN_CHAIN},
    "tls-version": {"sip": ALERT, "trunk_tls": ALERT, "web": ALERT, "web_other": ALERT},
    "service-down": {"sip": "ConnectionRefusedError", "sip_upper": "ConnectionRefusedError",
                     "sip_blocked": "ConnectionRefusedError", "trunk": "ConnectionRefusedError",
                     "trunk_tls": "ConnectionRefusedError"},
    "sip-silent": {"sip": "TimeoutError"},
    "carrier-nat": {"hops": [*OPEN["hops"][:2], "100.64.8.9", *OPEN["hops"][3:]], "stun": "198.51.100.18"},
    "nat-symmetric": {},
    "slow": {},
    "quic": {},
    "quic-blocked": {},
    "pmtu-blackhole": {"sip": NO_TCP, "trunk_tls": NO_TCP, "web": NO_TCP, "web_other": NO_TCP},
}  # fmt: skip
LEFT_OPEN = {
    "all-dropped": "everything changes, see its own test",
    "pac-error": "the network stays as it is: what this machine is set to follow is wrong",
    **dict.fromkeys(
        ("sni-filter", "sni-filter-silent", "sni-required"),
        "what changes hangs on the name in a greeting: the demo tells them apart",
    ),
}


def test_every_scenario_is_tried() -> None:
    assert CHANGES.keys() | LEFT_OPEN.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_a_scenario_changes_what_it_says_and_nothing_else(explore: Run, name: str) -> None:
    seen = explore(name)
    expected = OPEN | CHANGES[name]
    assert {key: seen[key] for key in expected} == expected
    if "name" not in expected:
        assert seen["name"].count(".") == 3
    assert seen["rtt_ms"] >= 40 if name == "slow" else True


def test_all_dropped_leaves_the_site_alone(explore: Run) -> None:
    seen = explore("all-dropped")
    assert seen["hops"] == SILENT_HOPS["hops"]
    answered = {key for key in OPEN if seen[key] == OPEN[key]}
    assert answered == {"dead", "unlisted"}


@pytest.mark.parametrize("name", ["none", "udp-blocked", "sip-port-dropped", "subnet-blocked", "ntp-blocked"])
def test_a_world_without_nftables_is_broken_by_routing(explore: Run, name: str) -> None:
    # Nobody serves the long media ranges there, the client's address is seen as it is, and kernels refuse.
    differs = {
        "media_low": "silent",
        "media_high": "silent",
        "unlisted": "ConnectionRefusedError",
        "stun": "192.168.20.10",
    }
    blind = {"hops", "stun_hops"} if name == "udp-blocked" else set()
    expected = {key: value for key, value in (OPEN | differs | CHANGES[name]).items() if key not in blind}
    seen = explore(name, nftables=False)
    assert {key: seen[key] for key in expected} == expected


def test_a_rejection_without_nftables_is_an_icmp_message(explore: Run) -> None:
    seen = explore("sip-port-rejected", only=("sip", "trunk"), nftables=False)
    assert (seen["sip"], seen["trunk"]) == ("OSError", "open")


def test_a_firewall_of_ones_own(explore: Run, tmp_path: Path) -> None:
    rules = tmp_path / "edge.nft"
    rules.write_text(
        textwrap.dedent("""\
            flush ruleset
            table inet mine {
                chain forward {
                    type filter hook forward priority 0; policy accept;
                    iifname "lan0" udp dport 5004 drop
                }
            }
        """)
    )
    seen = explore("none", only=("stun", "media_low", "sip"), edge_rules=rules)
    assert {key: seen[key] for key in ("stun", "media_low", "sip")} == {
        "stun": "silent",
        "media_low": "echo",
        "sip": OPEN["sip"],
    }


@pytest.mark.parametrize("text", ["tabel x {}\n", None])
def test_unusable_rules_are_a_usage_error(profile: Profile, tmp_path: Path, text: str | None) -> None:
    rules = tmp_path / "edge.nft"
    if text is not None:
        rules.write_text(text)
    with pytest.raises(UsageError, match="--edge-rules"):
        play(profile, [sys.executable, "-c", "raise SystemExit('ran')"], edge_rules=rules)


def test_rules_need_nftables(profile: Profile, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs nftables"):
        play(profile, [sys.executable], edge_rules=tmp_path / "x", nftables=False)


def play(profile: Profile, agent: Sequence[str], argv: Sequence[str] = (), **options: Any) -> int:
    return world.run(profile, argv, scenario=SCENARIOS["none"], seed=SEED, agent=agent, **options)


def test_nothing_of_the_host_can_be_reached(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    code = textwrap.dedent("""
        import json, socket, sys
        from readycheck.twin.isolation import leaks
        found = list(leaks())
        for family, address in json.loads(sys.argv[1]):
            with socket.socket(family) as s:
                s.settimeout(0.5)
                try:
                    s.connect(tuple(address) if isinstance(address, list) else address)
                    found.append(f"reached {address}")
                except OSError:
                    pass
        open(sys.argv[2], "w").write(json.dumps(found))
    """)
    with socket.create_server(("0.0.0.0", 0)) as listener, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind(f"\0readycheck-{os.getpid()}")
        hidden.listen()
        port = listener.getsockname()[1]
        canaries = [[socket.AF_INET, [address, port]] for address in host_addresses()]
        canaries.append([socket.AF_UNIX, f"\0readycheck-{os.getpid()}"])
        with socket.create_connection(("127.0.0.1", port)):
            pass
        told = tmp_path / "told.json"
        assert play(profile, [sys.executable, "-c", code, json.dumps(canaries), str(told)]) == 0
    assert json.loads(told.read_text()) == []


def host_addresses() -> list[str]:
    shown = subprocess.run(["/sbin/ip", "-j", "-4", "addr"], capture_output=True, check=True).stdout
    return [info["local"] for link in json.loads(shown) for info in link["addr_info"]]


@pytest.mark.parametrize(("raw", "capabilities"), [(False, 0), (True, 1 << 13)])
def test_the_agent_has_no_privileges(profile: Profile, tmp_path: Path, raw: bool, capabilities: int) -> None:
    told = tmp_path / "status"
    code = f"open({str(told)!r}, 'w').write(open('/proc/self/status').read())"
    assert play(profile, [sys.executable, "-c", code], raw=raw) == 0
    fields = dict(line.split(":\t", 1) for line in told.read_text().splitlines() if ":\t" in line)
    assert {name: int(fields[name], 16) for name in ("CapBnd", "CapEff", "CapPrm", "CapAmb")} == {
        "CapBnd": 0,
        "CapEff": capabilities,
        "CapPrm": capabilities,
        "CapAmb": capabilities,
    }
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_the_agents_status_is_returned(profile: Profile, status: int) -> None:
    assert play(profile, [sys.executable, "-c", f"raise SystemExit({status})"]) == status


def test_output_passes_through_and_standard_error_stays_apart(
    profile: Profile, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        play(profile, [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"]) == 0
    )
    assert capfd.readouterr() == ("out\n", "err\n")


PLAYER = """
import sys
from readycheck.profile_file import parse
from readycheck.twin import world
from readycheck.twin.scenarios import SCENARIOS
profile = parse(open(sys.argv[1], "rb").read(), "profile")
agent = [sys.executable, "-c", sys.argv[2]]
raise SystemExit(world.run(profile, [], scenario=SCENARIOS["none"], seed=1, agent=agent))
"""
# The signal may come while "started" is still being printed, and a buffer is not to be entered twice.
PATIENT = """
import os, signal, sys
told = []
def end(number, _):
    told.append(str(number))
    os.write(1, f"partial {' '.join(told)}\\n".encode())
    sys.exit(3)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
while True:
    signal.pause()
"""


def start_player() -> subprocess.Popen[str]:
    player = subprocess.Popen(
        [sys.executable, "-c", PLAYER, str(PROFILE), PATIENT], stdout=subprocess.PIPE, text=True
    )
    assert player.stdout is not None and player.stdout.readline() == "started\n"
    return player


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_agent_is_told_once_to_stop_and_says_what_it_knows(number: signal.Signals) -> None:
    with start_player() as player:
        player.send_signal(number)
        assert player.stdout is not None and player.stdout.read() == f"partial {int(number)}\n"
        assert player.wait() == 3


def test_nothing_is_left_when_the_program_is_killed() -> None:
    with start_player() as player:
        player.kill()
        # The world's processes share this pipe: it ends when the last of them has.
        assert player.stdout is not None and player.stdout.read() == ""


def test_a_refusal_is_told_in_words() -> None:
    code = "from readycheck.twin import world; print(world.available())"
    forbidden = f"echo 0 > /proc/sys/user/max_user_namespaces; exec {sys.executable} -c '{code}'"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", forbidden],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("namespaces are not to be had here: ")


def test_a_world_is_to_be_had_here() -> None:
    assert world.available() is None
