"""Where runs are kept: a file of SQLite, or a PostgreSQL server by URL. Its password is never shown."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from readycheck.errors import ReadycheckError, UsageError

OPTION = "--store"
NOWHERE = "none"
TWIN = "twin"
"""The site of all runs in a stand-in world: none of them is a baseline or tells of real addresses."""
_SERVER = ("postgresql", "postgres")
_SETTINGS = frozenset({"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"})
_TLS = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FORM = "neither a file, nor sqlite:///FILE, nor postgresql://USER@HOST/DATABASE"
_SERVER_FORM = f"{_FORM} (/ ? # and @ of a password are written %2F %3F %23 and %40)"


class StoreError(ReadycheckError):
    """The stored runs cannot be read or written; the text names the place and the reason."""


class RefusedRunError(StoreError):
    """The database works, and will never take this run as it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or the settings of a connection to a server."""

    shown: str
    file: Path | None = None
    server: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """A name for it that gives nothing away."""
        return hashlib.sha256(self.shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def clean(self, text: str) -> str:
        """A message of a driver, without the password that it may repeat."""
        password = self.server.get("password", "")
        return text.replace(password, "***") if password else text


def default() -> Place:
    from platformdirs import user_data_path

    return _file(user_data_path("readycheck", appauthor=False) / "history.db")


def place_of(text: str | None) -> Place:
    """Raises `UsageError` that shows no password."""
    if text is None or not text:
        return default()
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _file(Path(text).expanduser()) if _is_path(text) else _refuse(text, _FORM)
    if scheme == "sqlite":
        return _file(Path(rest[1:]).expanduser()) if rest[:1] == "/" and rest[1:] else _refuse(text, _FORM)
    if scheme not in _SERVER:
        return _refuse(text, _FORM)
    return _server(text)


def _is_path(text: str) -> bool:
    return "\0" not in text and ("/" in text or "\\" in text or text.endswith((".db", ".sqlite")))


def _refuse(text: str, why: str) -> Place:
    """Up to its last @ anything may be a password, which need not be written as a URL wants it."""
    scheme, separator, rest = text.partition("://")
    before, at, after = rest.rpartition("@")
    if at:
        rest = "***" if set(before) & {"?", "#"} else f"***@{after}"
    shown = f"{scheme}{separator}{rest}".partition("?")[0]
    raise UsageError(f"{OPTION} {shown}: {why}")


def _file(path: Path) -> Place:
    full = Path(os.path.abspath(path))
    return Place(str(full), file=full)


def _server(text: str) -> Place:
    try:
        parts = urlsplit(text)
        asked = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        port = str(parts.port or "")
    except ValueError:
        return _refuse(text, _SERVER_FORM)
    if parts.fragment or "@" in parts.path:
        return _refuse(text, _SERVER_FORM)
    if unknown := sorted(set(asked) - _SETTINGS):
        return _refuse(text, f"unknown setting {unknown[0]} (known: {', '.join(sorted(_SETTINGS))})")
    if asked.get("sslmode", "prefer") not in _TLS:
        return _refuse(text, f"sslmode is one of {', '.join(_TLS)}")
    named = {
        "host": unquote(parts.hostname or ""),
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path[1:]),
    }
    told = {name: value for name, value in named.items() if value} | asked
    told.setdefault("host", "localhost")
    told.setdefault("port", "5432")
    told.setdefault("user", os.environ.get("PGUSER") or "readycheck")
    told.setdefault("dbname", told["user"])
    if not told["port"].isdigit():
        return _refuse(text, _FORM)
    if "password" not in told and os.environ.get("PGPASSWORD"):
        told["password"] = os.environ["PGPASSWORD"]
    host = f"[{told['host']}]" if ":" in told["host"] else told["host"]
    return Place(f"postgresql://{told['user']}@{host}:{told['port']}/{told['dbname']}", server=told)
