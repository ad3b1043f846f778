"""The report for a terminal, or for a pipe: what a firewall administrator needs, in that order."""

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from readycheck.diagnose.finding import Severity
from readycheck.render import comparison, streams, surroundings, throughput, wording
from readycheck.render.clean import clean
from readycheck.verdict import Judgement, Readiness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from readycheck.diagnose.finding import Finding
    from readycheck.report import CheckReport, Report, RequirementReport

WIDE = 110
NARROWEST = 40
_GLYPHS = {
    Judgement.PASS: ("✓", "+", "green"),
    Judgement.WARN: ("!", "!", "yellow"),
    Judgement.FAIL: ("✗", "x", "bold red"),
    Judgement.INCONCLUSIVE: ("?", "?", "cyan"),
    Judgement.SKIPPED: ("-", "-", "dim"),
}
_VERDICTS = {
    Readiness.READY: "bold green",
    Readiness.WARNINGS: "bold yellow",
    Readiness.NOT_READY: "bold red",
    Readiness.UNKNOWN: "bold cyan",
}
_SEVERITIES = {Severity.BLOCKING: "bold red", Severity.DEGRADING: "bold yellow", Severity.NOTE: "bold"}


def render(report: "Report", *, width: int = 80, colour: bool = False, verbose: bool = False) -> str:
    """The report as text. Without `colour` there are no escape codes and only ASCII of our own."""
    sheet = _Sheet(report, _console(max(width, NARROWEST), colour), colour, verbose)
    sheet.write()
    text: str = sheet.console.file.getvalue()  # type: ignore[attr-defined]
    return text if colour else "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _console(width: int, colour: bool) -> Console:
    """A console that looks at nothing but its arguments: no environment, no terminal."""
    return Console(
        file=StringIO(),
        width=width,
        height=100,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One rendering; each method writes a section."""

    report: "Report"
    console: Console
    colour: bool
    verbose: bool

    def write(self) -> None:
        self._headline()
        self._findings()
        self._comparison()
        self._requirements()
        self._areas()
        self._streams()
        self._throughput()
        self._untestable()
        self._environment()
        self._more()

    def _headline(self) -> None:
        word, sentence = wording.headline(self.report)
        self._line(Text.assemble((word, _VERDICTS[self.report.verdict]), f": {sentence}"))
        self._line(Text(wording.score_line(self.report)))
        if self.report.score.because:
            self._line(Text(clean(self.report.score.because), style="dim"))
        self._pairs(wording.run_facts(self.report))

    def _findings(self) -> None:
        findings = self.report.findings
        self._title("Findings", str(len(findings)) if findings else "")
        if not findings:
            self._line(Text(wording.no_findings(self.report)))
        for index, finding in enumerate(findings, start=1):
            if index > 1:
                self.console.print()
            self._finding(index, finding)

    def _finding(self, index: int, finding: "Finding") -> None:
        severity = (finding.severity.value.upper(), _SEVERITIES[finding.severity])
        cause = (clean(finding.cause, 60), "bold")
        self._line(Text.assemble(f"{index}. ", severity, " ", cause, f" ({wording.place_line(finding)})"))
        self._indented(Text(clean(finding.summary, 1000)))
        few = 1000 if self.verbose else 6
        pairs = [("remedy", clean(finding.remedy, 1000)), ("affects", wording.listed(finding.affects, few))]
        pairs.append(("explains", wording.listed(finding.explains, 20)))
        pairs.append(("evidence", wording.listed(finding.evidence, few) if self.verbose else ""))
        self._pairs(((label, clean(text, 4000)) for label, text in pairs if text), indent=3)

    def _comparison(self) -> None:
        if found := self.report.comparison:
            self._title("Compared with", comparison.title(found))
            self._pairs(comparison.rows(found, self.verbose))

    def _requirements(self) -> None:
        counted = [f"{n} {status.value}" for status, n in wording.counts(self.report).items() if n]
        self._title("Requirements", ", ".join(counted) or "none testable from here")
        for index, group in enumerate(g for g in wording.groups(self.report) if g.requirements):
            if index:
                self.console.print()
            self._line(Text(f"{group.area.value}:", style="underline" if self.colour else ""))
            self._group(group.requirements)

    def _group(self, requirements: "Iterable[RequirementReport]") -> None:
        wide = self.console.width >= WIDE and not self.verbose
        table = self._grid(14, *((None, 1),) * (2 if wide else 1))
        for requirement in requirements:
            title, because, name, source = self._requirement(requirement)
            # Its strength says why it passed.
            brief = requirement.status is Judgement.PASS and not self.verbose and not requirement.ungiven
            if wide:
                cells = (
                    [title, name] if brief else [_joined("\n", title, because), _joined("\n", name, source)]
                )
            elif brief:
                fits = len(title) + len(name) + 18 <= self.console.width
                cells = [_joined("  " if fits else "\n", title, name)]
            else:
                cells = [_joined("\n", title, because, _joined(" ", name, source))]
            table.add_row(self._status(requirement.status), *cells)
            if self.verbose:
                self._checks(table, requirement)
        self.console.print(table)

    def _requirement(self, requirement: "RequirementReport") -> tuple[Text, Text, Text, Text]:
        tags = [requirement.importance.value, wording.STRENGTHS[requirement.strength]]
        if self.verbose and requirement.strength:
            tags.append(wording.margin(requirement.margin))
        telling = requirement.status in (Judgement.FAIL, Judgement.WARN)
        return (
            Text(clean(requirement.title, 200)),
            Text(clean(requirement.because), style="" if telling else "dim"),
            Text(f"{clean(requirement.id, 80)}: {', '.join(tag for tag in tags if tag)}", style="dim"),
            Text(f"[{wording.short_citation(requirement.source)}]", style="dim"),
        )

    def _checks(self, table: Table, requirement: "RequirementReport") -> None:
        wanted = set(requirement.checks)
        mine = [check for check in self.report.checks if check.id in wanted]
        for check in sorted(mine, key=lambda c: wording.WORST_FIRST.index(c.status)):
            text = Text.assemble(self._status(check.status), ": ", _check_line(check), overflow="fold")
            table.add_row("", Padding(text, (0, 0, 0, 2)))

    def _areas(self) -> None:
        if not self.report.score.areas:
            return
        self._title("Scores by area")
        table = self._grid(None, (None, None), (None, None), (None, None))
        for area in self.report.score.areas:
            value = "not measured" if area.score is None else f"{area.score:.0f} of 100"
            coverage = f"coverage {wording.share(area.confidence_ratio)}"
            table.add_row(area.name.value, value, coverage, f"weight {area.weight:g}")
        self.console.print(table)

    def _streams(self) -> None:
        found = list(streams.rows(self.report))
        if not found:
            return
        self._title("Media streams", "to the responder and back")
        table = self._grid(None, *((None, None),) * (len(streams.HEAD) - 1))
        for cells in (streams.HEAD, *found):
            table.add_row(*cells, style="dim" if cells is streams.HEAD else "")
        self.console.print(table)

    def _throughput(self) -> None:
        if found := list(throughput.facts(self.report)):
            self._title(throughput.TITLE, "to the responder and back")
            self._pairs(found)

    def _untestable(self) -> None:
        found = wording.untestable(self.report)
        if not found:
            return
        total = sum(len(some) for some in found.values())
        ratio = wording.share(self.report.score.untestable_ratio)
        self._title("Not testable from here", f"{total}; {ratio} of the weight")
        for because, requirements in found.items():
            names = wording.listed((clean(r.id, 80) for r in requirements), 1000 if self.verbose else 4)
            self._line(Text(f"- {names}: {clean(because, 200)}"), hang=2)

    def _environment(self) -> None:
        self._title("Measured from")
        self._pairs(surroundings.facts(self.report.environment))

    def _more(self) -> None:
        self.console.print()
        if not self.verbose:
            self._line(
                Text("-v shows every check, margin and citation; -f json has all the evidence.", style="dim")
            )
        for cause in dict.fromkeys(clean(f.cause, 40) for f in self.report.findings[:1]):
            self._line(Text(f"'readycheck explain {cause}' says what it rests on.", style="dim"))

    def _title(self, text: str, tail: str = "") -> None:
        title = text if self.colour else text.upper()
        self.console.print()
        self._line(Text.assemble((title, "bold"), f" ({tail})" if tail else ""))

    def _line(self, text: Text, hang: int = 3) -> None:
        """A paragraph whose further lines are indented."""
        text.overflow = "fold"
        first, *rest = text.wrap(self.console, self.console.width)
        self.console.print(first)
        if rest:
            remaining = Text(" ").join(rest)
            self._indented(remaining, hang)

    def _indented(self, text: Text, indent: int = 3) -> None:
        text.overflow = "fold"
        self.console.print(Padding(text, (0, 0, 0, indent)))

    def _pairs(self, pairs: "Iterable[tuple[str, str]]", indent: int = 0) -> None:
        table = self._grid(None, (None, 1))
        for label, text in pairs:
            table.add_row(Text(label, style="dim"), Text(text, overflow="fold"))
        self.console.print(Padding(table, (0, 0, 0, indent)) if indent else table)

    def _grid(self, first: int | None, *columns: tuple[int | None, int | None]) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0), expand=any(ratio for _, ratio in columns))
        table.add_column(width=first, no_wrap=True, overflow="fold")
        for width, ratio in columns:
            table.add_column(width=width, ratio=ratio, overflow="fold")
        return table

    def _status(self, status: Judgement) -> Text:
        rich, plain, style = _GLYPHS[status]
        return Text(f"{rich if self.colour else plain} {status.value}", style=style)


def _joined(separator: str, *parts: Text) -> Text:
    return Text(separator, overflow="fold").join(parts)


def _check_line(check: "CheckReport") -> str:
    parts = [clean(check.because)]
    if check.failure and check.status is not Judgement.PASS and check.failure.words not in check.because:
        parts.insert(0, check.failure.words + (f" at {check.step.value}" if check.step else ""))
    numbers = [wording.duration(check.duration_ms), wording.metrics(check)]
    return f"{wording.subject(check)}: {': '.join(parts)} ({', '.join(n for n in numbers if n)})"
