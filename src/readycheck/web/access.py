"""Who may ask: TLS and logins, by the web configuration file that the exporters of Prometheus share."""

import asyncio
import hashlib
import re
import ssl
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readycheck.errors import UsageError

OPTION = "--web-config"
_TLS, _USERS = "tls_server_config", "basic_auth_users"
_LARGEST = 100_000
_REMEMBERED = 1000
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9])\$[./A-Za-z0-9]{53}")


class Access:
    """By default there is neither, as behind a firewall. `users` are names with the bcrypt hashes of passwords."""

    def __init__(self, tls: ssl.SSLContext | None = None, users: Mapping[str, str] | None = None) -> None:
        self.tls = tls
        self.users = users or {}
        self._admitted: set[bytes] = set()
        self._turn = asyncio.Lock()

    async def admits(self, authorization: str) -> bool:
        """By its header `Authorization` (RFC 7617). Hashes are slow by intent: one is checked at a time, and once."""
        if not self.users:
            return True
        seen = hashlib.sha256(authorization.encode("utf-8", "replace")).digest()
        if seen in self._admitted:
            return True
        async with self._turn:
            # Others with the same login may have had their turn meanwhile.
            known = seen in self._admitted
            if not known and not await asyncio.to_thread(_is_login, authorization, self.users):
                return False
        if len(self._admitted) < _REMEMBERED:
            self._admitted.add(seen)
        return True


def _is_login(authorization: str, users: Mapping[str, str]) -> bool:
    import bcrypt

    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    anybody = max(users.values(), key=_cost)  # no name is found out by the time that it takes
    try:
        name, _, password = b64decode(encoded, validate=True).decode().partition(":")
        fits = bcrypt.checkpw(password.encode(), users.get(name, anybody).encode())
    except ValueError:  # also for a password that is longer than bcrypt has them
        return False
    return fits and name in users


def _cost(hashed: str) -> str:
    return hashed.split("$")[2]


def read_access(path: Path) -> Access:
    """Raises `UsageError` that names the file and the key."""
    told = _read(path)
    _refuse_unknown(path, "", told, (_TLS, _USERS))
    if not told or not all(told.values()):
        empty = next((key for key in told if not told[key]), f"{_TLS} or {_USERS}")
        raise UsageError(f"{OPTION} {path}: {empty}: nothing is there, and nobody would be kept out")
    tls = _context(path, told[_TLS]) if _TLS in told else None
    return Access(tls, _logins(path, told.get(_USERS, {})))


def _read(path: Path) -> Mapping[Any, Any]:
    try:
        import bcrypt  # noqa: F401
        import yaml
    except ImportError:
        raise UsageError(f"{OPTION}: needs the extra 'web' (pip install readycheck[web])") from None
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:  # what is cut off may be what protects
            raise UsageError(f"{OPTION} {path}: longer than {_LARGEST} bytes")
        told = yaml.safe_load(text) or {}
    except OSError as error:
        raise UsageError(f"{OPTION} {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(f"{OPTION} {path}: not YAML" + (f", line {mark.line + 1}" if mark else "")) from None
    if not isinstance(told, dict):
        raise UsageError(f"{OPTION} {path}: not a table of {_TLS} and {_USERS}")
    return told


def _refuse_unknown(path: Path, within: str, told: Any, known: tuple[str, ...]) -> None:
    """What would protect and is not understood must not pass for understood."""
    if not isinstance(told, dict):
        raise UsageError(f"{OPTION} {path}: {within.rstrip('.')}: not a table")
    for key in told:
        if key not in known:
            raise UsageError(f"{OPTION} {path}: {within}{key}: not known here (known: {', '.join(known)})")


def _context(path: Path, told: Any) -> ssl.SSLContext:
    """Files are named as from the folder of the configuration."""
    _refuse_unknown(path, f"{_TLS}.", told, ("cert_file", "key_file"))
    for name in ("cert_file", "key_file"):
        if not isinstance(told.get(name), str):
            raise UsageError(f"{OPTION} {path}: {_TLS}.{name}: missing")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # some systems' Python leaves that to OpenSSL
    try:
        # An empty password: one that is asked for at the terminal would hold a service up.
        context.load_cert_chain(path.parent / told["cert_file"], path.parent / told["key_file"], lambda: "")
    except ssl.SSLError:
        raise UsageError(
            f"{OPTION} {path}: {_TLS}: not a certificate and its key, without a password"
        ) from None
    except OSError as error:
        raise UsageError(f"{OPTION} {path}: {_TLS}: {error.strerror or error}") from None
    return context


def _logins(path: Path, told: Any) -> dict[str, str]:
    if not isinstance(told, dict):
        raise UsageError(f"{OPTION} {path}: {_USERS}: not a table of names and bcrypt hashes")
    for name, hashed in told.items():
        if not isinstance(name, str) or ":" in name or not _HASH.fullmatch(str(hashed)):
            raise UsageError(
                f"{OPTION} {path}: {_USERS}.{name}: not a bcrypt hash, as 'htpasswd -nB' makes it"
            )
    return told
