"""Digest authentication (RFC 7616): the answer to a challenge; the password itself is never sent."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

_ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""Strongest first, as clients are to choose (RFC 7616 section 3.7)."""
_UNQUOTED = ("algorithm", "qop", "nc", "userhash", "username*")


@dataclass(frozen=True, slots=True)
class Request:
    """What the login is for; `uri` is the target as the request line has it."""

    method: str
    uri: str


def strength(params: Mapping[str, str]) -> int | None:
    """Rank of a challenge, 0 the strongest; None when its algorithm or its `qop` is not known."""
    name = _algorithm(params)
    known = name in _ALGORITHMS and _ALGORITHMS[name] in hashlib.algorithms_available
    return list(_ALGORITHMS).index(name) if known and _protection(params) is not None else None


def respond(
    params: Mapping[str, str], username: str, password: str, request: Request, *, cnonce: str = ""
) -> str:
    """The credentials that answer a challenge which has a `strength` (RFC 7616 section 3.4)."""
    cnonce, count, qop = cnonce or secrets.token_hex(16), "00000001", _protection(params)
    realm, nonce = params.get("realm", ""), params.get("nonce", "")

    def digest(*parts: str) -> str:
        found = hashlib.new(_ALGORITHMS[_algorithm(params)], usedforsecurity=False)
        found.update(":".join(parts).encode())
        return found.hexdigest()

    secret = digest(username, realm, password)
    if _is_session(params):
        secret = digest(secret, nonce, cnonce)
    about = [request.method, request.uri, *([digest("")] if qop == "auth-int" else [])]
    proof = [nonce, count, cnonce, qop] if qop else [nonce]
    hashed = params.get("userhash", "").lower() == "true"
    told = {
        **_named(digest(username, realm) if hashed else username),
        "realm": realm,
        "nonce": nonce,
        "uri": request.uri,
        "response": digest(secret, *proof, digest(*about)),
        **{name: params[name] for name in ("algorithm", "opaque") if name in params},
        **({"qop": qop, "nc": count} if qop else {}),
        **({"cnonce": cnonce} if qop or _is_session(params) else {}),
        **({"userhash": "true"} if hashed else {}),
    }
    return "Digest " + ", ".join(_written(name, value) for name, value in told.items())


def _named(username: str) -> dict[str, str]:
    """A name beyond ASCII has a field and an encoding of its own (RFC 8187)."""
    return (
        {"username": username} if username.isascii() else {"username*": f"UTF-8''{quote(username, safe='')}"}
    )


def _written(name: str, value: str) -> str:
    if name in _UNQUOTED:
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _algorithm(params: Mapping[str, str]) -> str:
    return params.get("algorithm", "MD5").upper().removesuffix("-SESS")


def _is_session(params: Mapping[str, str]) -> bool:
    return params.get("algorithm", "").upper().endswith("-SESS")


def _protection(params: Mapping[str, str]) -> str | None:
    """The `qop` to use: empty where the challenge has none (RFC 2069), None where it has none that is known."""
    if "qop" not in params:
        return ""
    offered = [one.strip().lower() for one in params["qop"].split(",")]
    return next((one for one in ("auth", "auth-int") if one in offered), None)
