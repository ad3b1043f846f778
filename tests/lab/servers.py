"""The real servers of the lab: coturn, Kamailio, unbound, chrony, nginx and those of other protocols."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from .certificates import Certificates, Credentials
from .cloud import (
    ELSEWHERE,
    ELSEWHERE_IPV6,
    IPV6,
    RESOLVER,
    RESOLVER_IPV6,
    SERVERS,
    SIP_OFFSET,
    CloudMode,
    Sip,
    Web,
    shifted,
)
from .machine import LabError, Machine, Process
from .ports import Kind, Ports
from .spoken import wanted
from .waiting import await_bound

PROGRAMS = ("turnserver", "kamailio", "unbound", "chronyd", "nginx")
WEBSOCKET_PORT = 9980
_HTTP3_PORT = 4430

_UNBOUND = """\
server:
  port: {port}
  interface: 0.0.0.0
{more}
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "/run"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "iterator"
  tcp-idle-timeout: 5000
  incoming-num-tcp: 200
  local-zone: "." static
  local-data: ". 60 IN SOA lab.example. nobody.lab.example. 1 3600 1200 604800 60"
{data}
remote-control:
  control-enable: no
"""

_CHRONY = """\
local stratum 3
allow all
port {port}
cmdport 0
pidfile /run/chronyd-{port}.pid
driftfile /run/chrony-{port}.drift
"""

_NGINX = """\
daemon off;
user root;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  map $http_upgrade $wants_websocket {{ default 0; ~*websocket 1; }}
  client_body_temp_path /run/nginx-body;
  proxy_temp_path /run/nginx-proxy;
  fastcgi_temp_path /run/nginx-fastcgi;
  uwsgi_temp_path /run/nginx-uwsgi;
  scgi_temp_path /run/nginx-scgi;
  server {{
    {plain}
    {pages}
  }}
{secure}
}}
"""

_NGINX_SECURE = """\
  server {{
    {listen}
    ssl_certificate {chain};
    ssl_certificate_key {key};
    {more}
    {pages}
  }}
"""

_PAGES = f"""\
error_page 418 = @websocket;
    location / {{
      if ($wants_websocket) {{ return 418; }}
      return 200 "lab, in the place of an Example Domain\\n";
    }}
    location @websocket {{
      proxy_pass http://127.0.0.1:{WEBSOCKET_PORT};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}"""

_SETTINGS = {
    Web.OLD_TLS: "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;",
    Web.OLD_CIPHERS: "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA:AES256-SHA:@SECLEVEL=0;",
}
_ANSWERS = {
    Web.CLOSING: "location / { return 444; }",
    Web.HTTP3: """add_header alt-svc 'h3=":443"; ma=60' always; location / { return 200 "lab\\n"; }""",
    Web.FAILING: 'location / { return 503 "down for maintenance\\n"; }',
}

_WEBSOCKET = f"""\
import asyncio
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with serve(echo, "127.0.0.1", {WEBSOCKET_PORT}):
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""

_KAMAILIO = """\
#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
# One process does all TLS: with several, Kamailio 5.6 frees OpenSSL 3's shared memory twice and dies of it.
tcp_children=1
tcp_accept_no_cl=yes
tcp_connection_lifetime=30
disable_tcp=no
enable_tls=yes
auto_aliases=no
dns_try_ipv6=no
use_dns_cache=no
{listen}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "textops.so"
loadmodule "tls.so"
modparam("tls", "config", "{tls}")
modparam("tls", "low_mem_threshold1", -1)
modparam("tls", "low_mem_threshold2", -1)
request_route {{
  {route}
}}
"""

_KAMAILIO_TLS = """\
[server:default]
method = {method}
verify_certificate = {mutual}
require_certificate = {mutual}
private_key = {key}
certificate = {chain}
{more}
"""

_ANSWER = """if (is_method("OPTIONS")) {
    append_to_reply("Accept: application/sdp\\r\\n");
    sl_send_reply("200", "OK");
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");"""
_ROUTES = {Sip.SILENT: "exit;", Sip.UNAVAILABLE: 'sl_send_reply("503", "Service Unavailable");'}


class Servers:
    """Starts what a scenario needs, once; `network` is the one that the cloud lives in."""

    def __init__(
        self,
        machine: Machine,
        network: str,
        certificates: Certificates,
        addresses: Mapping[str, str],
        ports: Ports,
    ) -> None:
        self._machine, self._network, self._certificates = machine, network, certificates
        self._addresses, self._ports = addresses, ports
        self._sip: dict[Sip, Process] = {}
        self._resolvers: dict[tuple[tuple[str, ...], bool], int] = {((), False): 53}
        self._speaks_http3 = False
        self._clocks: dict[int, int] = {0: 123}
        self._others: list[Process] = []

    def start(self) -> None:
        """Everything but SIP; returns when all of them answer."""
        self._others = started = [self._unbound(), self._chrony(), self._nginx(), self._coturn()]
        self._others.append(self._run("websocket", sys.executable, "-c", _WEBSOCKET))
        self.sip(Sip.ANSWERING)
        self._speakers()
        for process, transport, address, ports in (
            (started[0], "u", "0.0.0.0", (53,)),
            (started[0], "t", "0.0.0.0", (53,)),
            (started[1], "u", "0.0.0.0", (123,)),
            (started[2], "t", "0.0.0.0", self._ports.web),
            (started[3], "u", SERVERS, self._ports.of(Kind.STUN)),
        ):
            for port in ports:
                self._await(process, transport, f"{address}:{port}")

    def sip(self, mode: Sip) -> None:
        """Have Kamailio run in this mode, besides the modes that already run."""
        if mode in self._sip or mode is Sip.DOWN or not self._ports.of(Kind.SIP, Kind.CLEAR_SIP):
            return
        process = self._kamailio(mode)
        self._sip[mode] = process
        for port in self._ports.of(Kind.SIP):
            self._await(process, "t", f"{SERVERS}:{port + SIP_OFFSET[mode]}")

    def require_running(self) -> None:
        """Raises `LabError` when a server died, and lets it be started anew."""
        for mode, process in list(self._sip.items()):
            if not process.running():
                del self._sip[mode]
                raise LabError(f"Kamailio ({mode}) died: {process.said()}")
        for process in self._others:
            process.require_running()

    def leads(self, mode: CloudMode) -> list[str]:
        """The translations that lead to the resolver and the clock of this mode, which run from now on."""
        resolver = self._resolver(mode.retired, mode.ipv6)
        clock = self._clock(mode.clock_s)
        asked = f"ip daddr {RESOLVER} meta l4proto {{ tcp, udp }} th dport 53"
        found = [f"{asked} redirect to :{resolver}"] if resolver != 53 else []
        found += [f"udp dport 123 redirect to :{clock}"] if clock != 123 else []
        return found + ([f"udp dport 443 redirect to :{self._http3()}"] if mode.web is Web.HTTP3 else [])

    def _http3(self) -> int:
        if not self._speaks_http3:
            shown = self._certificates.web
            server = str(Path(__file__).with_name("http3.py"))
            command = (sys.executable, server, str(_HTTP3_PORT), str(shown.chain), str(shown.key))
            self._others.append(self._run("http3", *command))
            self._await(self._others[-1], "u", f"0.0.0.0:{_HTTP3_PORT}")
            self._speaks_http3 = True
        return _HTTP3_PORT

    def _resolver(self, retired: tuple[str, ...], ipv6: bool) -> int:
        key = retired, ipv6
        if key not in self._resolvers:
            port = self._resolvers[key] = 5300 + len(self._resolvers)
            self._others.append(self._unbound(port, retired, ipv6=ipv6))
            self._await(self._others[-1], "t", f"0.0.0.0:{port}")
        return self._resolvers[key]

    def _clock(self, ahead_s: int) -> int:
        if ahead_s not in self._clocks:
            port = self._clocks[ahead_s] = 12300 + len(self._clocks)
            self._others.append(self._chrony(port, ahead_s))
            self._await(self._others[-1], "u", f"0.0.0.0:{port}")
        return self._clocks[ahead_s]

    def _unbound(self, port: int = 53, retired: Sequence[str] = (), *, ipv6: bool = False) -> Process:
        more = f"  ip-freebind: yes\n  interface: {RESOLVER_IPV6}@53\n  access-control: ::/0 allow"
        config = self._file(
            f"unbound-{port}.conf",
            _UNBOUND.format(
                port=port,
                more=more if ipv6 else "  interface-automatic: yes\n  do-ip6: no",
                data="\n".join(self._records(retired, ipv6=ipv6)),
            ),
        )
        return self._run(f"unbound-{port}", "unbound", "-d", "-c", str(config))

    def _records(self, retired: Sequence[str], *, ipv6: bool) -> Iterator[str]:
        for number, (name, address) in enumerate(self._addresses.items(), start=0x100):
            if name not in retired:
                yield f'  local-data: "{name}. 300 IN A {address}"'
                if ipv6:
                    foreign = ip_address(address) in ELSEWHERE
                    prefix = (ELSEWHERE_IPV6 if foreign else IPV6).partition("/")[0]
                    yield f'  local-data: "{name}. 300 IN AAAA {prefix}{number:x}"'

    def _chrony(self, port: int = 123, ahead_s: int = 0) -> Process:
        config = self._file(f"chrony-{port}.conf", _CHRONY.format(port=port))
        late = ["faketime", "-f", f"{ahead_s:+d}s"] if ahead_s else []
        return self._run(f"chrony-{port}", *late, "chronyd", "-d", "-x", "-u", "root", "-f", str(config))

    def _nginx(self) -> Process:
        made = self._certificates
        blocks = [
            _secure(
                {
                    Web.MISNAMED: made.misnamed,
                    Web.SECOND_ROOT: made.second,
                    Web.UNKNOWN_AUTHORITY: made.unknown,
                    Web.EXPIRED: made.expired,
                    Web.EARLY: made.early,
                    Web.LEAF_ONLY: made.leaf_only,
                }.get(mode, made.web),
                self._shifted(mode),
                _SETTINGS.get(mode, "ssl_protocols TLSv1.2 TLSv1.3;"),
                _ANSWERS.get(mode, _PAGES),
            )
            for mode in Web
            if mode is not Web.DOWN
        ]
        if mutual := self._ports.of(Kind.MUTUAL):
            asking = f"ssl_verify_client on; ssl_client_certificate {made.roots};"
            blocks.append(_secure(made.web, mutual, asking))
        plain = " ".join(f"listen 0.0.0.0:{port}; listen [::]:{port};" for port in self._ports.of(Kind.HTTP))
        config = self._file("nginx.conf", _NGINX.format(plain=plain, pages=_PAGES, secure="".join(blocks)))
        return self._run("nginx", "nginx", "-c", str(config), "-e", "stderr")

    def _shifted(self, mode: Web) -> list[int]:
        return [shifted(port, mode) for port in self._ports.of(Kind.HTTPS)]

    def _coturn(self) -> Process:
        first, *others = self._ports.of(Kind.STUN)
        return self._run(
            "coturn",
            "turnserver",
            *("-n", "--no-cli", "--no-auth", "--stun-only", "--no-tls", "--no-dtls", "--no-tcp"),
            *(f"--listening-ip={SERVERS}", f"--listening-port={first}", f"--relay-ip={SERVERS}"),
            *(f"--aux-server={SERVERS}:{port}" for port in others),
            *("--pidfile=/run/turnserver.pid", "--log-file=stdout", "--userdb=/run/turndb"),
        )

    def _kamailio(self, mode: Sip) -> Process:
        made = self._certificates
        shown = {
            Sip.EXPIRED: made.expired,
            Sip.UNKNOWN_AUTHORITY: made.unknown,
            Sip.LEAF_ONLY: made.leaf_only,
        }.get(mode, made.sip)
        old = mode is Sip.OLD_TLS
        mutual = mode is Sip.MUTUAL
        more = "cipher_list = ALL:@SECLEVEL=0" if old else f"ca_list = {made.roots}" if mutual else ""
        tls = _KAMAILIO_TLS.format(
            method="TLSv1.1" if old else "TLSv1.2+",
            mutual="yes" if mutual else "no",
            key=shown.key,
            chain=shown.chain,
            more=more,
        )
        route = _ROUTES.get(mode, _ANSWER)
        listen = [f"listen=tls:{SERVERS}:{port + SIP_OFFSET[mode]}" for port in self._ports.of(Kind.SIP)]
        if mode is Sip.ANSWERING:
            clear = self._ports.of(Kind.CLEAR_SIP)
            listen += [
                f"listen={transport}:{SERVERS}:{port}" for transport in ("udp", "tcp") for port in clear
            ]
        tls_file = self._file(f"kamailio-{mode}-tls.cfg", tls)
        config = self._file(
            f"kamailio-{mode}.cfg", _KAMAILIO.format(listen="\n".join(listen), tls=tls_file, route=route)
        )
        run = f"/run/kamailio-{mode}"
        self._machine.run(None, "mkdir", "-p", run)
        return self._run(
            f"kamailio-{mode}",
            "kamailio",
            *("-DD", "-E", "-m", "32", "-M", "8", "-Y", run, "-P", f"{run}/pid", "-f", str(config)),
        )

    def _speakers(self) -> None:
        host_key = self._machine.folder / "host.key"
        if not host_key.exists():
            self._machine.run(None, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key))
        for server in wanted(self._ports, self._certificates.web, host_key):
            self._machine.run(None, "mkdir", "-p", "/run/mail", *server.folders)
            process = self._run(
                server.name, *server.command(self._file(f"{server.name}.cfg.lua", server.config))
            )
            self._others.append(process)
            for port in server.ports:
                self._await(process, server.transport, f"0.0.0.0:{port}")

    def _file(self, name: str, text: str) -> Path:
        path = self._machine.folder / name
        path.write_text(text)
        return path

    def _run(self, name: str, *command: str) -> Process:
        return self._machine.start(self._network, name, *command)

    def _await(self, process: Process, transport: str, local: str) -> None:
        await_bound(self._machine, self._network, process, transport, local)


def _secure(credentials: Credentials, ports: Sequence[int], more: str, pages: str = _PAGES) -> str:
    listen = " ".join(f"listen 0.0.0.0:{port} ssl; listen [::]:{port} ssl;" for port in ports)
    return _NGINX_SECURE.format(
        listen=listen, chain=credentials.chain, key=credentials.key, more=more, pages=pages
    )
