"""What is promised beside what was measured: a table for the terminal, and the page. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """`kept` None says that it could not be measured."""

    what: str
    promised: str
    measured: str
    kept: bool | None
    beside: str = ""

    @property
    def word(self) -> str:
        return {True: "kept", False: "NOT KEPT", None: "not measured"}[self.kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """When, with what and for how long it was measured."""

    date: str
    version: str
    system: str
    cores: int
    minutes: float
    short: bool
    busy_share: float


def lines(promises: Iterable[Promise]) -> Iterable[str]:
    for one in promises:
        beside = f"   beside: {one.beside}" if one.beside else ""
        yield f"  {one.what:<44}{one.measured}   promised: {one.promised}, {one.word}{beside}"


def page(promises: Sequence[Promise], wires: Sequence[tuple[str, str]], header: Header) -> str:
    length = "Shortened: its figures say less than those of a whole run. " if header.short else ""
    busy = (
        f"Before it began, {header.busy_share:.0%} of the processors' time went to other things: figures of time are "
        "worse than they would be on a quiet machine. "
        if header.busy_share > 0.1
        else ""
    )
    return (
        "# Accuracy of media figures\n\n"
        "<!-- Written by `make bench-media`; do not edit. -->\n\n"
        "What is promised of streams to a responder and of the responder itself, and what was measured. Streams go "
        "over a forwarder that delays, loses, mixes and copies packets by a known seed and takes down what it did to "
        "each; `irtt` and `iperf3` are at work on the same way at the same time. When packets leave is taken from the "
        "kernel, for all three alike. All of it is in network namespaces of one machine, so that one clock "
        "rules both ends.\n\n"
        f"readycheck {header.version}, {header.date}, {header.system}, {header.cores} cores, {header.minutes:.1f} "
        f"minutes. {length}{busy}\n\n"
        "| what | promised | measured | | beside |\n| --- | --- | --- | --- | --- |\n"
        + "".join(f"| {p.what} | {p.promised} | {p.measured} | {p.word} | {p.beside} |\n" for p in promises)
        + "\n## Ways\n\nPackets of each direction are treated alike. Delays and jitter are in milliseconds.\n\n"
        "| way | what it does |\n| --- | --- |\n" + "".join(f"| {name} | {does} |\n" for name, does in wires)
    )
