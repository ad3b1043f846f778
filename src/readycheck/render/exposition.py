"""Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from readycheck.render.clean import clean

TEXT = "text/plain; version=0.0.4; charset=utf-8"
END = "# EOF"
"""A comment in the text format, and in OpenMetrics the sign that nothing is missing."""
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_LONGEST_LABEL = 400
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without the prefix, what it means, its samples. The name of a counter ends in `_total`."""

    name: str
    meaning: str
    samples: Iterable[Sample]
    kind: Literal["gauge", "counter"] = "gauge"


def expose(families: Iterable[Family], prefix: str, common: Labels | None = None) -> str:
    """In the text format; a family without samples is left out."""
    return "".join(line for family in families for line in _lines(family, prefix, common or {}))


def open_metrics(text: str) -> str:
    """The same metrics, from the text format: a counter is declared without its ending, and the end is marked."""
    marked = text if text.endswith(f"{END}\n") else f"{text}{END}\n"
    return "".join(map(_declared, marked.splitlines(keepends=True)))


def _declared(line: str) -> str:
    return line.replace("_total ", " ", 1) if line.startswith("# ") else line


def _lines(family: Family, prefix: str, common: Labels) -> Iterator[str]:
    # Twice the same series, and the collector refuses the whole page.
    samples = {_labels({**common, **labels}): value for labels, value in family.samples}
    if not samples:
        return
    name = prefix + family.name
    yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.kind}\n"
    yield from (f"{name}{labels} {_number(value)}\n" for labels, value in samples.items())


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _labels(labels: Labels) -> str:
    shown = ",".join(
        f'{name}="{clean(value, _LONGEST_LABEL).translate(_ESCAPES)}"' for name, value in labels.items()
    )
    return f"{{{shown}}}" if shown else ""
