"""What a run is doing, on stderr: a live display on a terminal, a few plain lines elsewhere."""

import contextlib
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from readycheck.render.clean import clean

if TYPE_CHECKING:
    from rich.live import Live

    from readycheck.engine import Outcome, Progress
    from readycheck.plan import Check

MOST_RUNNING = 3


class Display:
    """Give it to `assess` as `watch`, inside `with`. It writes nothing when `quiet`."""

    def __init__(
        self,
        title: str = "",
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        verbose: bool = False,
        colour: bool = True,
    ) -> None:
        self.title = f"readycheck: {clean(title, 80)}" if title else "readycheck"
        self.quiet, self.verbose, self.colour = quiet, verbose, colour
        self.stream = stream or sys.stderr  # None when there is nobody to tell, as under pythonw
        self.done = self.total = self.unanswered = self.crashed = 0
        self._running: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self.quiet and _is_terminal(self.stream):
            self._live = self._start()
        elif not self.quiet:
            self._say(f"{self.title}: measuring")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif not self.quiet:
            self._say(f"{self.title}: {self._counts()}")

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

    def _start(self) -> "Live":
        """Rich is imported only here: `--help` and pipes do without it."""
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.text import Text

        columns = BarColumn(bar_width=24), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        bar = Progress(*columns)
        task = bar.add_task("", total=None)

        def view() -> Group:
            bar.update(task, description=self._counts(), completed=self.done, total=self.total or None)
            return Group(Text(self.title, style="bold"), bar, Text(self._under_way(), style="dim"))

        console = Console(file=self.stream, no_color=not self.colour or None, highlight=False, markup=False)
        live = Live(get_renderable=view, console=console, transient=True, refresh_per_second=8)
        live.start()
        return live

    def _under_way(self) -> str:
        running = tuple(self._running.values())
        more = f" and {len(running) - MOST_RUNNING} more" if len(running) > MOST_RUNNING else ""
        return ", ".join(running[:MOST_RUNNING]) + more

    def _tell(self, outcome: "Outcome", fate: str) -> None:
        """On a terminal the line is put above the live display."""
        line = f"{self.done}/{self.total} {fate}: {_name(outcome.check)} ({outcome.duration_ms:.0f} ms)"
        if self._live is not None:
            self._live.console.print(line, style="dim")
        else:
            self._say(line)

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed stderr is no reason to end a run
            print(line, file=self.stream, flush=True)

    def _counts(self) -> str:
        parts = [f"{self.done} of {self.total} checks"]
        if self.unanswered:
            parts.append(f"{self.unanswered} without an answer")
        if self.crashed:
            parts.append(f"{self.crashed} crashed")
        return ", ".join(parts)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


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
