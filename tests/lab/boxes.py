"""Programs of the site that stand between its hosts and the world: proxies, resolvers, a portal, a clock."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from .certificates import Certificates
from .cloud import RESOLVER
from .machine import SBIN, Machine, Process
from .waiting import await_bound

_RELAY = str(Path(__file__).with_name("relay.py"))


class Program(StrEnum):
    SQUID = "squid"
    MITMPROXY = "mitmdump"
    UNBOUND = "unbound"
    CHRONY = "chronyd"
    NGINX = "nginx"
    RELAY = "relay"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A program at a place of the row. `lines` go into its configuration; for a program without, they are arguments.

    They may say $(ca) for the site's own authority, key and certificate in one file, $(roots) for the vendor's.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    program: Program
    at: str = "site"
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Kind:
    """How to run a program: its configuration, its command line, where it listens, and what to do before."""

    command: Callable[[str, Sequence[str]], list[str]]
    listens: tuple[str, int]
    config: str = ""
    before: str = ""


def lacks(boxes: Sequence[Box]) -> list[str]:
    """The programs that are not installed."""
    wanted = {str(box.program) for box in boxes if box.program is not Program.RELAY}
    missing = {name for name in wanted if shutil.which(name, path=SBIN) is None}
    bumps = any(_bumps(box.lines) for box in boxes)
    return sorted(missing | ({"squid-openssl"} if bumps and not Path(_CERTGEN).exists() else set()))


def _bumps(lines: Sequence[str]) -> bool:
    """Whether squid is to open TLS: its other flavour in Debian, which excludes this one, cannot."""
    return any("ssl-bump" in line for line in lines)


def start_box(machine: Machine, certificates: Certificates, box: Box) -> Process:
    """Returns when it listens."""
    kind = _KINDS[box.program]
    name = f"{box.program}-{box.at}"
    lines = [_filled(line, certificates) for line in (*box.lines, *(_BUMPING if _bumps(box.lines) else ()))]
    path = machine.folder / f"{name}.conf"
    path.write_text(kind.config.replace("@LINES@", "\n".join(lines)))
    path.chmod(0o644)
    if kind.before:
        machine.run(box.at, "sh", "-euc", kind.before)
    process = machine.start(box.at, name, *kind.command(str(path), lines))
    transport, port = kind.listens
    await_bound(machine, box.at, process, transport, f":{port}")
    return process


def _filled(line: str, certificates: Certificates) -> str:
    return line.replace("$(ca)", str(certificates.corporate)).replace("$(roots)", str(certificates.roots))


_SQUID = f"""\
http_port 3128
@LINES@
http_access allow all
dns_nameservers {RESOLVER}
visible_hostname proxy.site.example
cache_effective_user proxy
pid_filename /run/squid/squid.pid
cache_log /run/squid/cache.log
access_log none
cache_store_log none
netdb_filename none
cache deny all
cache_mem 8 MB
memory_pools off
max_filedescriptors 1024
coredump_dir /run/squid
pinger_enable off
shutdown_lifetime 0 seconds
positive_dns_ttl 60 seconds
connect_timeout 5 seconds
"""
_CERTGEN = "/usr/lib/squid/security_file_certgen"
_BUMPING = (
    f"sslcrtd_program {_CERTGEN} -s /run/squid/certificates -M 4MB",
    "sslcrtd_children 1 startup=1 idle=1",
)
_SQUID_BEFORE = f"""
rm -rf /run/squid
mkdir -p /run/squid
if test -x {_CERTGEN}; then {_CERTGEN} -c -s /run/squid/certificates -M 4MB >/dev/null; fi
chown -R proxy:proxy /run/squid
"""

_UNBOUND = f"""\
server:
  interface: 0.0.0.0
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "/run"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  tcp-idle-timeout: 5000
  incoming-num-tcp: 50
@LINES@
forward-zone:
  name: "."
  forward-addr: {RESOLVER}
remote-control:
  control-enable: no
"""

_CHRONY = """\
local stratum 5
allow all
port 123
cmdport 0
pidfile /run/chronyd-site.pid
driftfile /run/chrony-site.drift
@LINES@
"""

_NGINX = """\
daemon off;
user root;
worker_processes 1;
pid /run/nginx-site.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path /run/nginx-site-body;
  proxy_temp_path /run/nginx-site-proxy;
  fastcgi_temp_path /run/nginx-site-fastcgi;
  uwsgi_temp_path /run/nginx-site-uwsgi;
  scgi_temp_path /run/nginx-site-scgi;
  server {
    listen 0.0.0.0:8080;
@LINES@
  }
}
"""

_KINDS = {
    Program.SQUID: _Kind(
        lambda path, _: ["squid", "-N", "-f", path],
        ("t", 3128),
        _SQUID,
        _SQUID_BEFORE,
    ),
    Program.MITMPROXY: _Kind(
        lambda _, lines: [
            *("mitmdump", "--quiet", "--listen-port", "8080", "--set", "confdir=/run/mitmproxy"),
            *(word for line in lines for word in line.split()),
        ],
        ("t", 8080),
    ),
    Program.UNBOUND: _Kind(lambda path, _: ["unbound", "-d", "-c", path], ("u", 53), _UNBOUND),
    Program.CHRONY: _Kind(
        lambda path, _: ["chronyd", "-d", "-x", "-u", "root", "-f", path], ("u", 123), _CHRONY
    ),
    Program.NGINX: _Kind(lambda path, _: ["nginx", "-c", path, "-e", "stderr"], ("t", 8080), _NGINX),
    Program.RELAY: _Kind(
        lambda _, lines: [sys.executable, "-I", _RELAY, *(word for line in lines for word in line.split())],
        ("u", 53),
    ),
}
