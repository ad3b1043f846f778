"""The accuracy page, from rows. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose.causes import CAUSES

from .judging import Row
from .score import NOTHING, Confusion, Score, score
from .today import CLASSES, Heard


@dataclass(frozen=True, kw_only=True)
class Header:
    """When, with what and how the rows were made; `before` is the false blame before some were played `again`.

    `added` are networks that a later run played first.
    """

    date: str
    version: str
    system: str
    minutes: float
    worlds: int
    loaded: bool = False
    again: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    before: str = ""


def page(rows: Sequence[Row], heard: Sequence[Heard], header: Header) -> str:
    plain = [row for row in rows if not row.raw]
    raw = [row for row in rows if row.raw]
    parts = [
        _head(rows, header),
        "## In numbers",
        *_numbers(plain, raw),
        "## Which cause was named",
        "Each row is a cause that was the case, each column what was said for it, surely or (with ?) as possible.",
        _confusion(score(rows).by_cause),
        "## Which place was named",
        "Of the causes that were named. `unknown` is honest, any other place that is not the right one a false blame.",
        _confusion(score(rows).by_place),
        _unplayed(rows),
        *_comparison(heard),
        "## Each network",
        _networks(rows),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(rows: Sequence[Row], header: Header) -> str:
    names = len({row.scenario for row in rows})
    profiles = sorted({row.profile for row in rows})
    busy = " The machine was busy with other things: the times below mean nothing." if header.loaded else ""
    return (
        "# Accuracy\n\n"
        "<!-- Written by `make matrix`; do not edit. -->\n\n"
        "How often readycheck names the cause, the place and the owner of a fault, and how often it blames somebody "
        "falsely. Every number is of the run that is described here. The networks are in `tests/lab/scenarios/`: "
        "Linux namespaces with real servers, routers and filters, and for each what is true of it, and what must not "
        f"be found.\n\nreadycheck {header.version}, {header.date}, {header.system}; {names} networks, {len(rows)} runs "
        f"against {', '.join(profiles)}, {header.worlds} at a time, {header.minutes} minutes.{busy}"
        f"{''.join(_later(header))}"
    )


def _later(header: Header) -> Iterator[str]:
    if header.again:
        yield (
            f"\n\nWhat that run showed was mended. Networks that were played again after it, whose rows "
            f"stand in the place of the first ones: {', '.join(header.again)}."
        )
    if header.added:
        yield (
            f"\n\nAdded after that run ({len(header.added)}), and played in a run of their own by the program as "
            f"it was mended since: {', '.join(header.added)}."
        )
    if header.before:
        yield f"\n\nIn the first run false blame was {header.before}."


def _numbers(plain: Sequence[Row], raw: Sequence[Row]) -> Iterator[str]:
    columns = [("as an ordinary user", score(plain))]
    columns += [("with CAP_NET_RAW", score(raw))] if raw else []
    yield _table(
        ["", *(title for title, _ in columns)],
        ([title, *(read(one) for _, one in columns)] for title, read in _LINES),
    )
    yield "In brackets: the interval in which the true share lies with 95 % confidence (Wilson)."
    unsolved = [row for row in plain if row.beyond]
    if unsolved:
        known = score([row for row in plain if not row.beyond])
        yield (
            f"{len(unsolved)} of these runs are of networks of which we know that the program does not come to the "
            f"truth yet; they count in full above. Without them: causes {known.causes}, false blame "
            f"{known.false_blame}."
        )


_LINES: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("runs", lambda s: f"{s.runs}" + (f" ({s.unplayed} could not be played)" if s.unplayed else "")),
    ("causes named, likely or certain", lambda s: str(s.causes)),
    ("… of these at the right place", lambda s: str(s.places)),
    ("… of these at an unknown place", lambda s: str(s.unknown_places)),
    ("runs with a false blame (cause or place)", lambda s: str(s.false_blame)),
    ("… of the networks in which nothing is wrong", lambda s: str(s.false_blame_where_open)),
    ("runs with more than one surplus guess", lambda s: str(s.surplus)),
    ("faults of which nothing was said", lambda s: str(s.silent)),
    ("required or recommended requirements left inconclusive", lambda s: str(s.inconclusive)),
    ("right exit status", lambda s: str(s.right_exits)),
    ("passes for something not measured", lambda s: str(s.unmeasured_passes)),
    ("median time to the verdict, with a fault", lambda s: f"{s.median_s:.1f} s"),
    ("median time to the verdict, nothing wrong", lambda s: f"{s.median_open_s:.1f} s"),
)


def _confusion(matrix: Confusion) -> str:
    """Columns would be too many: what was said is listed by how often."""
    lines = []
    for truth in matrix.truths:
        said = sorted(matrix.sayings, key=lambda s, t=truth: (s != t, -matrix.of(t, s)))  # type: ignore[misc]
        words = ", ".join(f"{_code(s)} {matrix.of(truth, s)}" for s in said if matrix.of(truth, s))
        right = matrix.of(truth, truth)
        every = sum(matrix.of(truth, s) for s in matrix.sayings)
        lines.append([_code(truth), f"{right} of {every}", words])
    return _table(["truth", "right", "said"], lines)


def _code(name: str) -> str:
    return name if name == NOTHING else f"`{name}`"


def _unplayed(rows: Iterable[Row]) -> str:
    played = {answer.wanted for row in rows for answer in row.answers}
    missing = [f"`{cause}`" for cause in CAUSES if cause not in played]
    return f"Of these causes no network of this run is a case: {', '.join(missing)}." if missing else ""


def _comparison(heard: Sequence[Heard]) -> Iterator[str]:
    if not heard:
        return
    yield "## What other tools say of the same faults"
    yield (
        "In the same namespaces, as root, pointed at the right host and port by somebody who knows them. "
        f"Each answer is one of: {', '.join(CLASSES.values())}."
    )
    tools = list(dict.fromkeys(one.tool for one in heard))
    networks = list(dict.fromkeys(one.scenario for one in heard))
    by = {(one.scenario, one.tool): one for one in heard}
    yield _table(
        ["network", *tools],
        (
            [f"`{name}`", *(CLASSES[by[name, t].says] if (name, t) in by else "" for t in tools)]
            for name in networks
        ),
    )
    yield "In their own words, with the exit status and the time it took:"
    yield _table(
        ["network", "tool", "status", "says"],
        (
            [f"`{one.scenario}`", one.tool, f"{one.status}, {one.seconds:.0f} s", f"`{_cell(one.words)}`"]
            for one in heard
        ),
    )


def _networks(rows: Sequence[Row]) -> str:
    return _table(
        ["network", "profile", "raw", "truth", "found", "s", "right"],
        ([*_network(row)] for row in sorted(rows, key=lambda r: (r.topic, r.scenario, r.profile, r.raw))),
    )


def _network(row: Row) -> Iterator[str]:
    yield f"`{row.scenario}`"
    yield row.profile
    yield "yes" if row.raw else ""
    yield ", ".join(f"{a.wanted} at {a.wanted_where}" for a in row.answers) or "nothing wrong"
    found = [f"{a.cause} at {a.where}, {a.confidence}" for a in row.answers if a.cause]
    yield "; ".join([*found, *(f"possible: {guess}" for guess in row.guesses)]) or "nothing"
    yield f"{row.seconds:.1f}" if not row.problem else ""
    known = f" (known: {row.beyond})" if row.wrong and row.beyond else ""
    yield _cell("; ".join(row.wrong) + known if row.wrong else "yes")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join([*rows, *("| " + " | ".join(line) + " |" for line in lines)])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("`", "'").split())
