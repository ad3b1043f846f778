"""Pins learned from a network known to be clean: issuers' keys, kept in the user's data folder."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.errors import ReadycheckError, UsageError
from readycheck.failure import Step

if TYPE_CHECKING:
    from readycheck.report import Report

MAX_BYTES = 1_000_000
_PIN = re.compile(r"[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True, slots=True)
class Learned:
    """What handshakes showed: names of issuers by pin, and the targets that cast doubt on this network.

    `mismatched` show none of the pins in force, `untrusted` a chain that does not verify.
    """

    issuers: Mapping[str, str]
    mismatched: tuple[str, ...]
    untrusted: tuple[str, ...]

    @property
    def doubtful(self) -> tuple[str, ...]:
        return (*self.mismatched, *self.untrusted)


def folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("readycheck", appauthor=False) / "pins"


def load(profile: str, base: Path | None = None) -> Mapping[str, str]:
    """Learned pins of a profile, subject by key hash; empty when none were learned.

    Raises `UsageError` for a file that cannot be used: a run without its pins would judge differently.
    """
    path = (base or folder()) / f"{profile}.json"
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        data = json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if not _is_seen(path):  # a service that runs with somebody else's home
            return {}
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not a JSON file of learned pins") from None
    if not isinstance(data, dict) or not all(
        _PIN.fullmatch(k) and isinstance(v, str) for k, v in data.items()
    ):
        raise UsageError(f"{path}: not a table of key hashes and names")
    return data


def _is_seen(path: Path) -> bool:
    with suppress(OSError):
        path.stat()
        return True
    return False


def save(profile: str, pins: Mapping[str, str], base: Path | None = None) -> Path:
    """Write beside and rename."""
    path = (base or folder()) / f"{profile}.json"
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(json.dumps(dict(sorted(pins.items())), indent=2) + "\n", encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ReadycheckError(f"{path}: {error.strerror or error}") from None
    return path


def learn(report: "Report", in_force: Iterable[str]) -> Learned:
    """Read the issuers' keys off a report's handshakes; pure. A leaf's key is never learned."""
    pins = frozenset(in_force)
    issuers: dict[str, str] = {}
    leaves: set[str] = set()
    mismatched: list[str] = []
    untrusted: list[str] = []
    pinned = {r.id for r in report.profile.requirements if r.pinned}
    for check in report.checks:
        for seen in check.observations:
            tls = seen.facts.get("tls")
            if seen.step is not Step.TLS_HANDSHAKE or not tls or check.requirement not in pinned:
                continue
            if tls["trust_failure"] or tls["name_matches"] is False:
                untrusted.append(str(seen.target))
                continue
            if pins and not pins & set(tls["pins"]):
                mismatched.append(str(seen.target))
            leaves |= {c["spki_sha256"] for c in tls["chain"][:1]}
            issuers |= {
                c["spki_sha256"]: c["subject"] for c in tls["chain"][1:] if c["spki_sha256"] in tls["pins"]
            }
    learned = {key: subject for key, subject in issuers.items() if key not in leaves}
    return Learned(learned, tuple(dict.fromkeys(mismatched)), tuple(dict.fromkeys(untrusted)))
