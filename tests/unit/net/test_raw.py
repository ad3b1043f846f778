"""The separate raw-socket program, as the main program asks it."""

import asyncio
from pathlib import Path

import pytest

from readycheck.failure import Failure
from readycheck.net import raw
from readycheck.net.guard import OutsideLoopback
from readycheck.net.interface import NetError
from readycheck.observation import Target

TARGET = Target(address="127.0.0.1", port=5004, transport="udp")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in named `readycheck_trace` that prints what a test writes into it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "readycheck_trace.py"


def answering(program: Path, text: str) -> None:
    program.write_text(f"import sys\nsys.stdin.read()\nprint({text!r})\n", encoding="utf-8")


def hanging(program: Path) -> None:
    program.write_text("import threading\nthreading.Event().wait()\n", encoding="utf-8")


async def test_replies_are_told_as_a_connection_would_tell_them(program: Path) -> None:
    answering(
        program,
        '{"version": 1, "replies": {"0": {"reply": "time_exceeded", "code": 0, "from": "198.51.100.1", "ttl": 63,'
        ' "quoted_tos": 0}, "1": {"reply": "rst", "ttl": 62}, "2": {"reply": null},'
        ' "3": {"reply": "unreachable", "code": 13, "from": "192.168.1.1"}, "4": {"reply": "synack", "ttl": 60}}}',
    )
    replies = await raw.send_raw([(TARGET, ttl) for ttl in range(1, 6)], timeout_ms=10)
    assert [r.failure for r in replies] == [
        Failure.HOP_LIMIT_EXCEEDED,
        Failure.CONNECTION_REFUSED,
        Failure.TIMED_OUT,
        Failure.ICMP_ADMIN_PROHIBITED,
        None,
    ]
    assert replies[0].facts["offender"] == "198.51.100.1"
    assert replies[0].facts["quoted_tos"] == 0
    assert replies[1].facts["reply_ttl"] == 62


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('{"error": {"code": "permission", "message": "CAP_NET_RAW"}}', Failure.PERMISSION_DENIED),
        ('{"error": {"code": "not-installed"}}', Failure.PLATFORM),
        ("no JSON at all", Failure.PLATFORM),
        ("[]", Failure.PLATFORM),
        ('{"replies": 7}', Failure.PLATFORM),
    ],
)
async def test_what_it_cannot_do_is_a_failure(program: Path, text: str, failure: Failure) -> None:
    answering(program, text)
    with pytest.raises(NetError) as caught:
        await raw.send_raw([(TARGET, 1)], timeout_ms=10)
    assert caught.value.failure is failure


async def test_one_that_hangs_is_ended(program: Path) -> None:
    hanging(program)
    with pytest.raises(NetError) as caught:
        await raw.send_raw([(TARGET, 1)], timeout_ms=1, start_s=0.2)
    assert caught.value.failure is Failure.TIMED_OUT
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]


async def test_the_fence_of_the_tests_holds_for_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READYCHECK_LOOPBACK_ONLY", "1")
    with pytest.raises(OutsideLoopback):
        await raw.send_raw([(Target(address="192.0.2.1", port=1, transport="udp"), 1)], timeout_ms=10)
