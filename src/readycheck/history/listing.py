"""Stored runs as text, JSON and CSV. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from readycheck.history.summary import Summary
from readycheck.history.trend import Point, buckets, columns_of, plot, sparkline
from readycheck.render import spreadsheet
from readycheck.render.clean import clean

_ID = 12
_COLUMNS = (
    *("id", "started_at", "site", "profile", "revision", "verdict", "score", "grade", "coverage"),
    *("state", "duration_ms", "causes", "failed", "tool", "kept"),
)


def table(runs: Sequence[Summary]) -> str:
    """The newest first, the scores as a line below."""
    if not runs:
        return "no runs\n"
    rows: list[tuple[str, ...]] = [("RUN", "STARTED (UTC)", "SITE", "PROFILE", "VERDICT", "SCORE", "CAUSES")]
    rows += [_row(run) for run in runs]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = ["  ".join((*map(str.ljust, row, widths), row[-1])).rstrip() for row in rows]
    scores = [None if run.score is None else float(run.score) for run in reversed(runs)]
    if len(runs) > 1 and any(score is not None for score in scores):
        lines += ["", f"scores, oldest first: {sparkline(scores)}"]
    return "\n".join(lines) + "\n"


def _row(run: Summary) -> tuple[str, ...]:
    score = "-" if run.score is None else str(run.score)
    causes = " ".join(run.causes) + ("" if run.kept else "  (pruned)")
    moment = run.started_at[:19].replace("T", " ")
    texts = (run.id[:_ID], moment, run.site or "-", run.profile, run.verdict, score, causes)
    return tuple(clean(text, 200) for text in texts)


def table_json(runs: Iterable[Summary]) -> str:
    return _json([{name: _plain(getattr(run, name)) for name in (*_COLUMNS, "numbers")} for run in runs])


def table_csv(runs: Iterable[Summary]) -> str:
    return spreadsheet.table(_COLUMNS, ([_text(getattr(run, name)) for name in _COLUMNS] for run in runs))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> Any:
    return " ".join(value) if isinstance(value, tuple) else value


def trend(name: str, points: Sequence[Point], width: int, *, plotted: bool) -> str:
    values = [value for _, value in points if value is not None]
    if not values:
        return f"{clean(name, 100)}: nothing was measured in {len(points)} runs\n"
    ordered = sorted(values)
    said = (
        f"{clean(name, 100)}: {len(values)} of {len(points)} runs; lowest {ordered[0]:.4g}, "
        f"median {ordered[len(ordered) // 2]:.4g}, highest {ordered[-1]:.4g}, last {values[-1]:.4g}"
    )
    columns = columns_of(points, width) if plotted else min(width, len(points))
    if len(points) > columns:
        said += f"; a column is the median of about {len(points) / columns:.2g} runs"
    rows = plot(points, width) if plotted else [sparkline(buckets(points, width))]
    return "\n".join((said, *rows)) + "\n"


def trend_json(name: str, points: Sequence[Point]) -> str:
    return _json({"number": name, "points": [[_moment(moment), value] for moment, value in points]})


def trend_csv(name: str, points: Sequence[Point]) -> str:
    return spreadsheet.table(("started_at", name), ([_moment(moment), value] for moment, value in points))


def _moment(moment: int) -> str:
    return (
        datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
