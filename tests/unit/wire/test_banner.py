"""The first words of SSH, SMTP and IMAP servers."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.banner import (
    MAX_BANNER_BYTES,
    ImapGreeting,
    SmtpGreeting,
    SshIdentification,
    unpack_imap,
    unpack_smtp,
    unpack_ssh,
)

SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
SMTP = b"220-mail.example ESMTP\r\n220 ready\r\n"
IMAP = b"* OK [CAPABILITY IMAP4rev2] Dovecot ready.\r\n"
fuzz = settings(deadline=None, database=None, max_examples=300)

Unpack = Callable[[bytes], object]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (SSH, SshIdentification("2.0", "OpenSSH_9.2p1", "Debian-2+deb12u3")),
        (b"SSH-2.0-Cisco-1.25\n", SshIdentification("2.0", "Cisco-1.25", "")),
        (b"SSH-1.99-x y z\r\nmore", SshIdentification("1.99", "x", "y z")),
        (b"Welcome\r\n\r\nto gr\xc3\xbc\xff\r\n" + SSH, SshIdentification("2.0", "OpenSSH_9.2p1", "Debian-2+deb12u3")),
        (b"", None),
        (SSH[:-1], None),
        (b"220 a line before it may look like anything\r\n", None),
    ],
)  # fmt: skip
def test_ssh(data: bytes, found: SshIdentification | None) -> None:
    assert unpack_ssh(data) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"220 mail.example ESMTP Postfix\r\n", SmtpGreeting(220, "mail.example ESMTP Postfix")),
        (SMTP, SmtpGreeting(220, "mail.example ESMTP")),
        (SMTP[:24], SmtpGreeting(220, "mail.example ESMTP")),
        (b"554 no service\n", SmtpGreeting(554, "no service")),
        (b"421 later\r\n", SmtpGreeting(421, "later")),
        (b"220\r\n", SmtpGreeting(220, "")),
        (SMTP[:23], None),
    ],
)
def test_smtp(data: bytes, found: SmtpGreeting | None) -> None:
    assert unpack_smtp(data) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (IMAP, ImapGreeting("OK", "[CAPABILITY IMAP4rev2] Dovecot ready.")),
        (b"* preauth you\r\n", ImapGreeting("PREAUTH", "you")),
        (b"* BYE\r\n", ImapGreeting("BYE", "")),
        (IMAP[:-1], None),
    ],
)
def test_imap(data: bytes, found: ImapGreeting | None) -> None:
    assert unpack_imap(data) == found


@pytest.mark.parametrize(
    ("unpack", "data", "reason"),
    [
        (unpack_ssh, b"SSH-2.0\r\n", "not an SSH identification string: 'SSH-2.0'"),
        (unpack_ssh, b"SSH-two-x\r\n", "not an SSH identification string"),
        (unpack_ssh, b"SSH-2.0-" + b"x" * 246 + b"\r\n", "not an SSH identification string"),
        (unpack_ssh, b"SSH-2.0-" + b"x" * 260, "exceeds 255 bytes"),
        (unpack_ssh, b"\x16\x03\x01\x00", "not text"),
        (unpack_ssh, b"SSH-2.0-x\x1b[2J\r\n", "not text"),
        (unpack_ssh, b"no\r\n" * MAX_BANNER_BYTES, "no greeting within 8192 bytes"),
        (unpack_smtp, b"250 ok\r\n", "not an SMTP greeting: '250 ok'"),
        (unpack_smtp, SSH, "not an SMTP greeting"),
        (unpack_smtp, b"2200 x\r\n", "not an SMTP greeting"),
        (unpack_smtp, b"220 " + b"x" * MAX_BANNER_BYTES, "no greeting within"),
        (unpack_imap, b"+OK POP3 ready\r\n", "not an IMAP greeting: '\\+OK POP3 ready'"),
        (unpack_imap, b"* NO\r\n", "not an IMAP greeting"),
        (unpack_imap, b"* OKAY\r\n", "not an IMAP greeting"),
        (unpack_imap, b"0\x0c\x02\x01", "not text"),
    ],
)
def test_what_is_something_else_is_named(unpack: Unpack, data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack(data)


def test_the_longest_ssh_line_passes() -> None:
    longest = b"SSH-2.0-" + b"x" * 245 + b"\r\n"
    assert len(longest) == 255 and unpack_ssh(longest) is not None


@pytest.mark.parametrize(("unpack", "data"), [(unpack_ssh, SSH), (unpack_smtp, SMTP), (unpack_imap, IMAP)])
def test_a_part_waits_for_the_rest(unpack: Unpack, data: bytes) -> None:
    whole = unpack(data)
    assert {unpack(data[:size]) for size in range(len(data))} <= {None, whole}
    assert unpack(data + b"anything \xff") == whole


@given(data=st.binary(max_size=300), prefix=st.sampled_from((b"", b"SSH-2.0-", b"220-", b"* OK ")))
@fuzz
def test_only_value_error_leaves(data: bytes, prefix: bytes) -> None:
    for unpack in (unpack_ssh, unpack_smtp, unpack_imap):
        with suppress(ValueError):
            unpack(prefix + data)
