"""What is said while a run is under way."""

from io import StringIO

import pytest

from readycheck.engine import Outcome, Progress, Status
from readycheck.failure import Failure, Step
from readycheck.plan import Check, CheckTarget, Scope
from readycheck.render.progress import Display, fate_of

from . import factory


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def planned(name: str = "sip") -> Check:
    target = CheckTarget(host=f"{name}.example", ports="443", transport="tcp")
    return Check(
        id=name,
        requirement=name,
        probe="tls",
        scope=Scope.NAMED,
        target=target,
        params=None,
        budget_s=1.0,
        proves=Step.TLS_HANDSHAKE,
    )


def outcome(status: Status = Status.MEASURED, failure: Failure | None = None, name: str = "sip") -> Outcome:
    observations = (factory.observation(failure),)
    return Outcome(check=planned(name), status=status, observations=observations, duration_ms=41.0)


def play(display: Display) -> None:
    with display:
        display(Progress(planned("sip"), None, 0, 2))
        display(Progress(planned("media"), None, 0, 2))
        display(Progress(planned("sip"), outcome(), 1, 2))
        display(Progress(planned("media"), outcome(failure=Failure.TIMED_OUT, name="media"), 2, 2))


@pytest.mark.parametrize(
    ("status", "failure", "fate"),
    [
        (Status.MEASURED, None, "answered"),
        (Status.MEASURED, Failure.TIMED_OUT, "no answer"),
        (Status.SKIPPED, Failure.TIMED_OUT, "skipped"),
        (Status.CRASHED, None, "crashed"),
    ],
)
def test_fate(status: Status, failure: Failure | None, fate: str) -> None:
    assert fate_of(outcome(status, failure)) == fate


def test_a_pipe_gets_a_line_at_the_start_and_at_the_end() -> None:
    stream = StringIO()
    play(Display("Example Calling", stream=stream))
    assert stream.getvalue().splitlines() == [
        "readycheck: Example Calling: measuring",
        "readycheck: Example Calling: 2 of 2 checks, 1 without an answer",
    ]


def test_verbose_adds_a_line_for_each_check() -> None:
    stream = StringIO()
    play(Display(stream=stream, verbose=True))
    assert stream.getvalue().splitlines()[1:3] == [
        "1/2 answered: tls sip.example:443 (41 ms)",
        "2/2 no answer: tls media.example:443 (41 ms)",
    ]


@pytest.mark.parametrize("stream", [StringIO(), Terminal()])
def test_quiet_says_nothing(stream: StringIO) -> None:
    play(Display(stream=stream, quiet=True, verbose=True))
    assert stream.getvalue() == ""


@pytest.mark.parametrize("verbose", [False, True])
def test_a_terminal_gets_a_display_that_goes_away(verbose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    play(Display("Example Calling", stream=stream, verbose=verbose))
    text = stream.getvalue()
    assert "Example Calling" in text
    assert "2 of 2 checks, 1 without an answer" in text
    assert "\x1b[2K" in text
    assert "\x1b[?25h" in text  # the cursor is back


def test_an_interrupted_run_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), Display(stream=stream):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()


def test_a_closed_stream_ends_nothing() -> None:
    stream = StringIO()
    display = Display(stream=stream)
    stream.close()
    play(display)
