"""What goes to stdout, whoever may be reading it, or no longer."""

import io
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress

from readycheck.errors import ReadycheckError

_LONGEST = 1000


def tell(text: str) -> None:
    """Write to stdout. That the reader has left, as `head` does, is no error; a full disk is one."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a title in another script must not end a run
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_stdout()
    except OSError as error:
        abandon_stdout()
        raise ReadycheckError(f"standard output: {error.strerror or error}") from None


def tell_lines(*lines: str) -> None:
    """Lines that may hold what a plug-in or a server has chosen: nothing in them steers a terminal."""
    tell("".join("".join(c if c.isprintable() else "?" for c in line) + "\n" for line in lines))


def complain(lines: Iterable[str]) -> None:
    """To stderr, where nothing in them steers a terminal either."""
    from readycheck.render.clean import clean

    with suppress(OSError, ValueError):
        sys.stderr.write("".join(f"readycheck: {clean(line, _LONGEST)}\n" for line in lines))
        sys.stderr.flush()


def screen() -> tuple[int | None, bool]:
    """The width of the terminal, if stdout is one, and whether it shows colours."""
    if not sys.stdout.isatty():
        return None, False
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return shutil.get_terminal_size((100, 24)).columns, colour


def abandon_stdout() -> None:
    """What the interpreter still has to flush goes nowhere, and so fails no more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
