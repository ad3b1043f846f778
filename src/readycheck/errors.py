"""The few errors that a person is meant to read; everything else is data or a bug."""

from collections.abc import Iterator


class ReadycheckError(Exception):
    """One clear line for stderr; the command ends with status 3."""


class UsageError(ReadycheckError):
    """An option or argument cannot be used."""


class ProfileError(ReadycheckError):
    """A profile cannot be used; the text names file, table and key of the first `problem`, and how many there are."""

    def __init__(self, *problems: str, total: int = 0) -> None:
        more = max(total, len(problems)) - 1
        super().__init__(problems[0] + (f" (and {more} more)" if more else ""))
        self.problems = problems


class ProbeLoadError(ReadycheckError):
    """A probe plug-in could not be loaded; the text names the distribution and the reason."""


def leaves(error: Exception) -> Iterator[Exception]:
    """What went wrong itself, without the groups that tasks put it in."""
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error
