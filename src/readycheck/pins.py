"""Pins learned from a network known to be clean: issuers' keys, kept in the user's data folder."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from readycheck.errors import ReadycheckError, UsageError
from readycheck.failure import Step
from readycheck.report import Report

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Learned:
    """What handshakes showed: pins of issuers by name, and the targets that no pin in force matches."""

    issuers: Mapping[str, str]
    mismatched: tuple[str, ...]
    untrusted: tuple[str, ...]


def folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("readycheck", appauthor=False) / "pins"


def load(profile: str, base: Path | None = None) -> Mapping[str, str]:
    """Learned pins of a profile, subject by key hash; empty when none were learned."""
    path = (base or folder()) / f"{profile}.json"
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise UsageError(f"{path}: not a table of key hashes and names")
    return data


def save(profile: str, pins: Mapping[str, str], base: Path | None = None) -> Path:
    """Write beside and rename."""
    path = (base or folder()) / f"{profile}.json"
    beside = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(dict(sorted(pins.items())), indent=2) + "\n")
        beside.replace(path)
    except OSError as error:
        raise ReadycheckError(f"{path}: {error.strerror or error}") from None
    return path


def learn(report: Report, in_force: Iterable[str]) -> Learned:
    """Read the issuers' keys off a report's handshakes; pure. A leaf's key is never learned."""
    pins = frozenset(in_force)
    issuers: dict[str, str] = {}
    mismatched: list[str] = []
    untrusted: list[str] = []
    pinned = {r.id for r in report.profile.requirements if r.pinned}
    for check in report.checks:
        for seen in check.observations:
            tls = seen.facts.get("tls")
            if seen.step is not Step.TLS_HANDSHAKE or not tls or check.requirement not in pinned:
                continue
            if seen.failure is not None:
                untrusted.append(str(seen.target))
                continue
            if pins and not pins & set(tls["pins"]):
                mismatched.append(str(seen.target))
            issuers |= {
                c["spki_sha256"]: c["subject"] for c in tls["chain"][1:] if c["spki_sha256"] in tls["pins"]
            }
    return Learned(issuers, tuple(dict.fromkeys(mismatched)), tuple(dict.fromkeys(untrusted)))
