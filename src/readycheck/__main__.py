"""The one entry point: everything that is not a verdict ends with status 3 and one line."""

import errno
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

UNKNOWN = 3
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status (INTERFACE: 0 ready, 1 warnings, 2 not ready, 3 everything else)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _open_standard_streams()
        with _signals_interrupt():
            status = _invoke(given)
            sys.stdout.flush()
    except KeyboardInterrupt:
        if arguments is None:
            _ignore_signals()
        _abandon_stdout()
        return _say("interrupted")
    except SystemExit as ended:
        return UNKNOWN if ended.code else 0
    except BrokenPipeError:  # of `--help`; the reader has what it wanted, as `head` does
        _abandon_stdout()
        return 0
    except Exception as error:
        return _say(_line(error))
    return status if status in (0, 1, 2, UNKNOWN) else 0 if status is None else UNKNOWN


def _invoke(given: list[str]) -> Any:
    if given == ["--version"]:  # answered before anything heavy is imported
        from readycheck import __version__

        return print(f"readycheck {__version__}")  # noqa: T201
    lighten()
    import typer

    from readycheck.cli.app import command

    # Not its `main`, which has exit statuses of its own for signals and closed pipes.
    try:
        with command().make_context("readycheck", given) as context:
            return context.command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code


def lighten() -> None:
    """What a run makes lives as long as the run: looking for garbage every 700 objects finds none."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it reads what every package offers


def _open_standard_streams() -> None:
    """A closed standard stream would give its number to a socket or to the next file that is opened."""
    if sys.platform != "win32":
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Missing, they also belong to pythonw, which has none.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program as Ctrl-C does, unless whoever started it has them ignored."""
    import signal
    import threading

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """There is nothing left to interrupt but the end of the program."""
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _abandon_stdout() -> None:
    from readycheck.cli.output import abandon_stdout

    abandon_stdout()


def _line(error: Exception) -> str:
    """What a person can act on; a bug names its place, because nobody can act on it but us."""
    from readycheck.errors import ReadycheckError, leaves

    error = next(leaves(error))
    if isinstance(error, ReadycheckError):
        return str(error)
    if hasattr(error, "format_message"):
        return _usage(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of `--help`, whose writing is not ours
        _abandon_stdout()
        return f"standard output: {error.strerror}"
    if type(error).__name__ == "Abort":
        return "aborted"
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"internal error: {type(error).__name__}: {error}{place}"


def _usage(error: Any) -> str:
    """What the command line's own library has to say, and where the help is."""
    context = getattr(error, "ctx", None)
    said = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        said = "Missing command"
    return f"{said} (see '{context.command_path} --help')" if context else said


def _say(text: str) -> int:
    from readycheck.cli.output import complain

    complain([text])
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
