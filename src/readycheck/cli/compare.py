"""`compare A B`: two runs side by side, and what changed from the one to the other."""

from typing import TYPE_CHECKING, Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import tell
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.report import Report

_RUN = "The file of a report (a path, or ending in .json), a stored run's id, or 'last'."


def compare(
    before: Annotated[str, typer.Argument(metavar="A", help=_RUN)],
    after: Annotated[str, typer.Argument(metavar="B", help=_RUN)],
    format_: o.TableFormat = o.Table.TEXT,
    verbose: o.InFull = False,
    store: o.Store = None,
) -> None:
    """Set two runs side by side, and say what changed.

    Both are of one profile; of one site before and after a change, or of two sites. The first suspect is what may be
    behind that which is worse in B.
    """
    tell_both(_report(before, store), _report(after, store), format_.value, verbose)


def _report(text: str, store: str | None) -> "Report":
    from readycheck.cli.baseline import is_file, read

    if is_file(text):
        return read(text, text)
    from readycheck.cli.storing import store_at
    from readycheck.history.store import opened

    place = store_at(store)
    if place is None:
        raise UsageError(f"{text}: no run is kept, and it is no file (a path, or ending in .json)")
    with opened(place) as stored:
        return stored.report(stored.find(text))


def tell_both(before: "Report", after: "Report", how: str, verbose: bool) -> None:
    """As text, json or csv."""
    from readycheck.comparison.compare import compare as changed
    from readycheck.render.comparison import as_csv, as_json, as_text

    if before.run.profile != after.run.profile:
        names = " and ".join(ascii(report.run.profile)[1:-1][:80] for report in (before, after))
        raise UsageError(f"runs of {names}: only those of one profile can be compared")
    found = changed(before, after)
    if how == "text":
        tell(as_text(before, after, found, verbose))
    else:
        tell(as_csv(found) if how == "csv" else as_json(before, after, found))
