"""What a run is doing, on stderr: a live display on a terminal, a few plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from readycheck.render.clean import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from readycheck.engine import Outcome, Progress
    from readycheck.plan import Check

MOST_RUNNING = 3


class Display:
    """Give it to `assess` as `watch`, inside `with`. It writes nothing when `quiet`."""

    def __init__(
        self,
        title: str,
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        verbose: bool = False,
        colour: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.quiet, self.verbose, self.colour = clean(title, 80), quiet, verbose, colour
        self.stream = stream or sys.stderr
        self.done = self.total = self.unanswered = self.crashed = 0
        self._running: dict[str, str] = {}
        self._now, self._began = now, now()
        self._live: Any = None

    def __enter__(self) -> Self:
        self._began = self._now()
        if not self.quiet and self.stream.isatty():
            self._live = self._start()
        elif not self.quiet:
            self._say(f"readycheck: {self.title}: measuring")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif not self.quiet:
            self._say(f"readycheck: {self.title}: {self._counts()} in {self._elapsed():.1f} s")

    def __call__(self, progress: "Progress") -> None:
        """A check began or ended."""
        self.done, self.total = progress.done, progress.total
        if progress.outcome is None:
            self._running[progress.check.id] = _name(progress.check)
            return
        self._running.pop(progress.check.id, None)
        fate = fate_of(progress.outcome)
        self.unanswered += fate == "no answer"
        self.crashed += fate == "crashed"
        if self.verbose and not self.quiet:
            self._tell(progress.outcome, fate)

    def __rich__(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        bar = ProgressBar(total=max(1, self.total), completed=self.done, width=24)
        table.add_row(bar, Text(f"{self._counts()}, {self._elapsed():.1f} s", no_wrap=True))
        running = list(self._running.values())
        more = f" and {len(running) - MOST_RUNNING} more" if len(running) > MOST_RUNNING else ""
        rows = Text(", ".join(running[:MOST_RUNNING]) + more, style="dim", no_wrap=True, overflow="ellipsis")
        outer = Table.grid()
        outer.add_row(Text(self.title, style="bold"))
        outer.add_row(table)
        outer.add_row(rows)
        return outer

    def _start(self) -> Any:
        """Rich is imported only here: `--help` and pipes do without it."""
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, no_color=not self.colour, highlight=False, markup=False)
        live = Live(self, console=console, transient=True, refresh_per_second=8, redirect_stdout=False)
        live.start()
        return live

    def _tell(self, outcome: "Outcome", fate: str) -> None:
        """On a terminal the line is put above the live display."""
        line = f"{self.done}/{self.total} {fate}: {_name(outcome.check)} ({outcome.duration_ms:.0f} ms)"
        if self._live is not None:
            self._live.console.print(line, style="dim")
        else:
            self._say(line)

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)  # noqa: T201

    def _counts(self) -> str:
        parts = [f"{self.done} of {self.total} checks"]
        if self.unanswered:
            parts.append(f"{self.unanswered} without an answer")
        if self.crashed:
            parts.append(f"{self.crashed} crashed")
        return ", ".join(parts)

    def _elapsed(self) -> float:
        return self._now() - self._began


def fate_of(outcome: "Outcome") -> str:
    """A word for the moment; the verdict comes later, and from more than this."""
    if outcome.status.value != "measured":
        return outcome.status.value
    proven = any(o.failure is None and o.step is outcome.check.proves for o in outcome.observations)
    return "answered" if proven else "no answer"


def _name(check: "Check") -> str:
    target = check.target
    where = target.host or target.network or target.address or ""
    return clean(f"{check.probe} {where}{f':{target.ports}' if target.ports else ''}", 60)
