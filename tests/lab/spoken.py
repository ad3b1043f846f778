"""Real servers of the protocols that a product's own machines speak besides web and SIP."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .certificates import Credentials
from .ports import Kind, Ports

PROGRAMS = ("ssh-keygen", "sshd", "smtpd", "dovecot", "prosody", "slapd", "dnsmasq")

_SSHD = """\
{ports}
ListenAddress 0.0.0.0
HostKey {key}
PidFile none
UsePAM no
"""

_SMTPD = """\
queue compression
pki lab.example cert "{chain}"
pki lab.example key "{key}"
{listen}
action "keep" maildir "/run/mail"
match from any for any reject
"""

_DOVECOT = """\
base_dir = /run/dovecot
log_path = /dev/stderr
protocols = imap
ssl = required
ssl_cert = <{chain}
ssl_key = <{key}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
{listen}
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/run/mail
}}
"""

_PROSODY = """\
run_as_root = true
daemonize = false
pidfile = "/run/prosody.pid"
data_path = "/run/prosody"
log = {{ {{ levels = {{ min = "warn" }}, to = "console" }} }}
interfaces = {{ "0.0.0.0" }}
c2s_ports = {{ {clear} }}
c2s_direct_tls_ports = {{ {secure} }}
s2s_ports = {{ }}
modules_enabled = {{ "tls", "saslauth" }}
ssl = {{ certificate = "{chain}", key = "{key}" }}
c2s_direct_tls_ssl = {{ certificate = "{chain}", key = "{key}" }}
VirtualHost "lab.example"
"""

_SLAPD = """\
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /run/slapd.pid
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
database mdb
suffix "dc=lab,dc=example"
directory /run/slapd
"""


@dataclass(frozen=True)
class Wanted:
    """A server that a product needs: how it is started, and a socket that shows that it is there."""

    name: str
    folders: tuple[str, ...]
    config: str
    command: Callable[[Path], tuple[str, ...]]
    transport: str
    ports: tuple[int, ...]


def wanted(ports: Ports, shown: Credentials, host_key: Path) -> Iterator[Wanted]:
    """The servers for the ports of a product; none for a protocol that it does not speak."""
    files = {"chain": shown.chain, "key": shown.key}
    if ssh := ports.of(Kind.SSH):
        text = _SSHD.format(ports="\n".join(f"Port {port}" for port in ssh), key=host_key)
        yield Wanted(
            "sshd", ("/run/sshd",), text, lambda f: ("/usr/sbin/sshd", "-D", "-e", "-f", str(f)), "t", ssh
        )
    if smtp := ports.of(Kind.SMTP):
        listen = "\n".join(f"listen on 0.0.0.0 port {port} tls pki lab.example" for port in smtp)
        text = _SMTPD.format(listen=listen, **files)
        yield Wanted("smtpd", (), text, lambda f: ("/usr/sbin/smtpd", "-d", "-f", str(f)), "t", smtp)
    if imaps := ports.of(Kind.IMAPS):
        listen = "\n".join(f"  inet_listener imaps{p} {{\n    port = {p}\n    ssl = yes\n  }}" for p in imaps)
        text = _DOVECOT.format(listen=listen, **files)
        yield Wanted("dovecot", (), text, lambda f: ("/usr/sbin/dovecot", "-F", "-c", str(f)), "t", imaps)
    clear, secure = ports.of(Kind.XMPP), ports.of(Kind.XMPP_TLS)
    if clear or secure:
        text = _PROSODY.format(clear=_list(clear), secure=_list(secure), **files)
        command = "/usr/bin/prosody"
        yield Wanted(
            "prosody",
            ("/run/prosody",),
            text,
            lambda f: (command, "--config", str(f)),
            "t",
            (*clear, *secure),
        )
    plain, sealed = ports.of(Kind.LDAP), ports.of(Kind.LDAPS)
    if plain or sealed:
        urls = [f"ldap://0.0.0.0:{port}" for port in plain] + [f"ldaps://0.0.0.0:{port}" for port in sealed]
        text = _SLAPD.format(**files)
        yield Wanted(
            "slapd",
            ("/run/slapd",),
            text,
            lambda f: ("/usr/sbin/slapd", "-d", "0", "-h", " ".join(urls), "-f", str(f)),
            "t",
            (*plain, *sealed),
        )
    if tftp := ports.of(Kind.TFTP):
        text = "port=0\nkeep-in-foreground\nenable-tftp\ntftp-root=/run/tftp\nuser=root\n"
        yield Wanted(
            "dnsmasq", ("/run/tftp",), text, lambda f: ("/usr/sbin/dnsmasq", "-C", str(f)), "u", tftp
        )


def _list(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports))
