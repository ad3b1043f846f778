"""The one entry point: everything that is not a verdict ends with status 3 and one line."""

import sys
from collections.abc import Sequence

UNKNOWN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status (INTERFACE: 0 ready, 1 warnings, 2 not ready, 3 everything else)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:  # answered before anything heavy is imported
        from readycheck import __version__

        sys.stdout.write(f"readycheck {__version__}\n")
        return 0
    from readycheck.cli.app import command

    try:
        status = command().main(given, prog_name="readycheck", standalone_mode=False)
    except KeyboardInterrupt:
        return _say("interrupted")
    except SystemExit as ended:
        return UNKNOWN if ended.code else 0
    except Exception as error:
        return _say(_line(error))
    return status if status in (0, 1, 2, UNKNOWN) else 0 if status is None else UNKNOWN


def _line(error: Exception) -> str:
    """What a person can act on; a bug names its place, because nobody can act on it but us."""
    from readycheck.errors import ReadycheckError

    if isinstance(error, ReadycheckError):
        return str(error)
    if hasattr(error, "format_message"):
        return str(error.format_message())
    if type(error).__name__ == "Abort":
        return "aborted"
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"internal error: {type(error).__name__}: {error}{place}"


def _say(text: str) -> int:
    line = " ".join(text.split())
    sys.stderr.write(f"readycheck: {line}\n")
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
