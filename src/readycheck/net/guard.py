"""Refuse to send where nobody meant to: the fences of the tests and of the stand-in world."""

import os
from ipaddress import ip_address
from pathlib import Path

from readycheck.errors import UsageError

ONLY_NETNS = "READYCHECK_ONLY_NETNS"
LOOPBACK_ONLY = "READYCHECK_LOOPBACK_ONLY"

_NAMESPACE = Path("/proc/self/ns/net")


class OutsideLoopback(AssertionError):
    """A test was about to send to a real network: a bug, never a result."""


def refuse_outside(inode: str | None = None) -> None:
    """Refuse to run in any other network namespace than `inode`, by default the environment's."""
    wanted = inode if inode is not None else os.environ.get(ONLY_NETNS)
    if not wanted:
        return
    found = _own_namespace()
    if str(found) != wanted.strip():
        raise UsageError(f"may only run in network namespace {wanted}, but this is {found or 'unknown'}")


def is_fenced() -> bool:
    """Whether the tests hold this program to loopback."""
    return bool(os.environ.get(LOOPBACK_ONLY))


def allow(address: str) -> None:
    """Stop the program when the tests fenced it in and `address` is not loopback."""
    if is_fenced() and not is_loopback(address):
        raise OutsideLoopback(f"{LOOPBACK_ONLY} is set: refusing to send to {address}")


def _own_namespace() -> int | None:
    try:
        return _NAMESPACE.stat().st_ino
    except OSError:
        return None


def is_loopback(address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
