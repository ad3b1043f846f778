"""One flat word for what went wrong."""

import errno
import socket

import pytest

from readycheck.failure import LOCAL_FAILURES, Failure, Step, classify, classify_icmp


@pytest.mark.parametrize(
    ("failure", "words"),
    [(Failure.TIMED_OUT, "timed out"), (Failure.DNS_NXDOMAIN, "DNS NXDOMAIN"), (Failure.UNKNOWN, "unknown")],
)
def test_it_has_words_for_people(failure: Failure, words: str) -> None:
    assert failure.words == words


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (TimeoutError(), Failure.TIMED_OUT),
        (OSError(errno.ETIMEDOUT, ""), Failure.TIMED_OUT),
        (OSError(errno.ECONNREFUSED, ""), Failure.CONNECTION_REFUSED),
        (OSError(errno.ECONNRESET, ""), Failure.CONNECTION_RESET),
        (ConnectionResetError(), Failure.CONNECTION_RESET),
        (BrokenPipeError(errno.EPIPE, ""), Failure.CONNECTION_RESET),
        (OSError(errno.ENETUNREACH, ""), Failure.NETWORK_UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, ""), Failure.HOST_UNREACHABLE),
        (OSError(errno.EMSGSIZE, ""), Failure.MESSAGE_TOO_LONG),
        (PermissionError(errno.EPERM, ""), Failure.PERMISSION_DENIED),
        (PermissionError(errno.EACCES, ""), Failure.PERMISSION_DENIED),
        (OSError(errno.EADDRNOTAVAIL, ""), Failure.ADDRESS_NOT_AVAILABLE),
        (OSError(errno.EAFNOSUPPORT, ""), Failure.NETWORK_UNREACHABLE),
        (OSError(errno.ENOTTY, ""), Failure.UNKNOWN),
        (socket.gaierror(-2, ""), Failure.UNKNOWN),
        (ValueError(), Failure.UNKNOWN),
    ],
)
def test_an_error_of_the_system_has_a_name(error: BaseException, failure: Failure) -> None:
    assert classify(error) is failure


@pytest.mark.parametrize(
    ("meaning", "failure"),
    [
        ("time_exceeded", Failure.HOP_LIMIT_EXCEEDED),
        ("port_unreachable", Failure.PORT_UNREACHABLE),
        ("admin_prohibited", Failure.ICMP_ADMIN_PROHIBITED),
        ("fragmentation_needed", Failure.MESSAGE_TOO_LONG),
        ("something new", Failure.UNKNOWN),
    ],
)
def test_an_icmp_message_has_a_name(meaning: str, failure: Failure) -> None:
    assert classify_icmp(meaning) is failure


def test_the_words_are_flat() -> None:
    for word in (*Failure, *Step):
        assert word == word.lower()
        assert word.replace("_", "").isalnum()


def test_what_this_host_did_is_no_failure_of_the_network() -> None:
    assert Failure.PERMISSION_DENIED in LOCAL_FAILURES
    assert not LOCAL_FAILURES & {Failure.TIMED_OUT, Failure.NETWORK_UNREACHABLE, Failure.CONNECTION_REFUSED}
