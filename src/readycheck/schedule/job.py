"""What is to be run again and again, and what of it nobody else may read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from readycheck.errors import UsageError

MARK = "Written by 'readycheck schedule install'"

SECRETS = {
    "READYCHECK_ALERT": "--alert",
    "READYCHECK_STORE": "--store",
    "READYCHECK_PROXY": "--proxy",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "--otlp",
}
"""Variables, and the options that they stand for."""
_BESIDE = {"READYCHECK_ALERT_SECRET": "--alert=webhook+", "OTEL_EXPORTER_OTLP_HEADERS": "--otlp="}
"""Variables that have no option, and the one that they go with."""
USUALLY_LONGEST_S = 1800
"""Whoever waits for its time ends a run that takes longer."""
_LOCAL = ("command:", "syslog:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`arguments` are those of `run`, without `secrets`, which are variables of its environment."""

    name: str
    profile: str
    every: str
    every_s: int
    offset_s: int
    program: tuple[str, ...]
    arguments: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: str = ""  # the file of the secrets
    run_as: str | None = None
    longest_s: int = USUALLY_LONGEST_S

    @property
    def command(self) -> tuple[str, ...]:
        return (*self.program, "run", *self.arguments)


def name_of(profile: str) -> str:
    """Of units, lines and tasks; of a CronJob too, which Kubernetes holds to 52 characters."""
    stem = PurePath(profile).name.removesuffix(".toml").lower()
    return f"readycheck-{re.sub('[^a-z0-9]+', '-', stem).strip('-')[:41].rstrip('-')}"


def without_secrets(
    arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Whoever may list processes and units reads arguments: what may hold a password or token is a variable.

    Of `environ` comes what has no option. Raises `UsageError`.
    """
    given = {name: _texts(arguments, f"{option}=") for name, option in SECRETS.items()}
    secret = {name: texts for name, texts in given.items() if any(_is_secret(name, text) for text in texts)}
    for name, texts in secret.items():
        if any(map(str.isspace, "".join(texts))) or not _is_quotable("".join(texts)):
            raise UsageError(
                f"{SECRETS[name]}: beside what is secret, blanks are to be written as %20, quotes as %27"
            )
    beside = {
        name: environ[name] for name, start in _BESIDE.items() if name in environ and _texts(arguments, start)
    }
    for name, text in beside.items():
        if not _is_quotable(text):
            raise UsageError(f"{name}: printable characters and no quotes are to be in it")
    moved = {SECRETS[name] for name in secret}
    kept = tuple(each for each in arguments if each.partition("=")[0] not in moved)
    return kept, {name: " ".join(texts) for name, texts in secret.items()} | beside


def _texts(arguments: Sequence[str], start: str) -> list[str]:
    return [each.removeprefix(start) for each in arguments if each.startswith(start)]


def _is_quotable(text: str) -> bool:
    return text.isprintable() and "'" not in text


def _is_secret(name: str, text: str) -> bool:
    _, scheme_ends, place = text.partition("://")
    match name:
        case "READYCHECK_ALERT":
            return not text.startswith(_LOCAL)
        case "READYCHECK_STORE":
            return bool(scheme_ends)
        case "OTEL_EXPORTER_OTLP_ENDPOINT":  # vendors have tokens in the path
            return "@" in place or "/" in place.rstrip("/")
    return "@" in text


def text_of(secrets: Mapping[str, str]) -> str:
    """As systemd and a shell both read it."""
    return f"# {MARK}\n" + "".join(f"{name}='{value}'\n" for name, value in secrets.items())
