"""Stdout, whoever reads it."""

import io
import os
import sys

import pytest

from readycheck.cli.output import complain, tell, tell_lines
from readycheck.errors import ReadycheckError


def stdout_to(descriptor: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(os.fdopen(descriptor, "wb"), encoding=encoding)


def test_what_is_told_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    tell("one\n")
    tell_lines("two", "three\x1b[31m\x07", "né")
    assert capsys.readouterr().out == "one\ntwo\nthree?[31m?\nné\n"


def test_a_reader_that_has_left_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with stdout_to(writer) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        tell("x" * 200_000)
        tell("more")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with stdout_to(os.open("/dev/full", os.O_WRONLY)) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(ReadycheckError, match="standard output: No space left on device"):
            tell("x")


def test_a_terminal_of_another_script_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as read, stdout_to(writer, "ascii") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        tell("Zürich\n")
        assert read.readline() == b"Z?rich\n"


def test_complaints_go_to_stderr_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain(["one", "two\x1b[31m\nlines", "x" * 5000])
    told, said = capsys.readouterr()
    assert told == ""
    one, two, long = said.splitlines()
    assert (one, two) == ("readycheck: one", "readycheck: two?[31m lines")
    assert len(long) < 1100


def test_nobody_to_complain_to_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with stdout_to(writer) as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        complain(["one"])
        monkeypatch.setattr(sys, "stderr", sys.__stderr__)
        with pytest.raises(BrokenPipeError):
            stderr.close()
