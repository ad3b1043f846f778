"""The first words of servers that speak before they are spoken to: SSH, SMTP and IMAP.

Each `unpack_` function is given all that has come so far. It returns None until that is enough, and raises
`ValueError` for what no server of the protocol says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BANNER_BYTES = 8 * 1024
MAX_SSH_LINE = 255

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Cisco's software version holds a minus, which the RFC reserves: the first two are what separates.
_SSH = re.compile(r"SSH-([0-9]{1,3}\.[0-9]{1,3})-(\S+)(?: (.*))?", re.ASCII)
_SMTP = re.compile(r"([0-9]{3})(?:[ -](.*))?", re.ASCII)
_SMTP_GREETINGS = (220, 421, 554)
_IMAP = re.compile(r"\* (OK|PREAUTH|BYE)(?: (.*))?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SshIdentification:
    """The identification string of a server (RFC 4253 section 4.2)."""

    version: str
    software: str
    comments: str


@dataclass(frozen=True, slots=True)
class SmtpGreeting:
    """A greeting; 554 is a refusal to serve, 421 one for the moment (RFC 5321 sections 3.1 and 4.2)."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class ImapGreeting:
    """An untagged OK, PREAUTH or BYE (RFC 9051 section 7.1)."""

    status: str
    text: str


def unpack_ssh(data: bytes) -> SshIdentification | None:
    """Read an identification string and the lines that may come before it (RFC 4253 section 4.2)."""
    for line in _lines(data):
        if line.startswith("SSH-"):
            return _identification(line)
    begun = data.rpartition(b"\n")[2]
    if begun.startswith(b"SSH-") and len(begun) > MAX_SSH_LINE:
        raise ValueError(f"SSH identification string exceeds {MAX_SSH_LINE} bytes")
    return None


def unpack_smtp(data: bytes) -> SmtpGreeting | None:
    """Read a greeting by its first line: some servers make clients wait for the rest of a long one."""
    for line in _lines(data):
        found = _SMTP.fullmatch(line)
        if not found or int(found[1]) not in _SMTP_GREETINGS:
            raise ValueError(f"not an SMTP greeting: {line[:40]!r}")
        return SmtpGreeting(int(found[1]), found[2] or "")
    return None


def unpack_imap(data: bytes) -> ImapGreeting | None:
    """Read the greeting with which every connection begins (RFC 9051 section 7.1)."""
    for line in _lines(data):
        found = _IMAP.fullmatch(line)
        if not found:
            raise ValueError(f"not an IMAP greeting: {line[:40]!r}")
        return ImapGreeting(found[1].upper(), found[2] or "")
    return None


def _identification(line: str) -> SshIdentification:
    found = _SSH.fullmatch(line)
    if not found or len(line.encode()) + 2 > MAX_SSH_LINE:
        raise ValueError(f"not an SSH identification string: {line[:40]!r}")
    return SshIdentification(found[1], found[2], found[3] or "")


def _lines(data: bytes) -> Iterator[str]:
    """The whole lines; raises when there is none to be expected any more once they are used up."""
    if _CONTROL.search(data[:MAX_BANNER_BYTES]):
        raise ValueError(f"not text: the stream starts with {data[:20]!r}")
    *whole, _ = data[:MAX_BANNER_BYTES].split(b"\n")
    yield from (line.decode("utf-8", "replace").removesuffix("\r") for line in whole)
    if len(data) >= MAX_BANNER_BYTES:
        raise ValueError(f"no greeting within {MAX_BANNER_BYTES} bytes")
