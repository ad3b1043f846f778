"""What profiles cost: reading and checking the installed ones, and a profile as large as anybody may write one."""

import gc
import time
from collections.abc import Callable
from statistics import median

from bench import large
from bench.table import Row, remark, show
from readycheck.__main__ import lighten
from readycheck.catalog import available, draft
from readycheck.plan import DEFAULT_SEED, Selection, plan, usable
from readycheck.profile_file import layer, stack
from readycheck.registry import find

ROUNDS = 15
PROMISED_MS = 50.0
PROMISED_LARGE_MS = 2000.0


def measure() -> None:
    """From their names, as a command does it. Imports, and what is built on first use, are not in it."""
    lighten()
    registry = find()
    len(registry.installed)  # loads the probes, which is importing them
    sizes = {name: len(entry.read_bytes()) for name, entry in available()}

    def read_all() -> None:
        for name in sizes:
            usable(draft(name), registry)

    usable(stack([layer(large.text(1, 1, 1), "first")]), registry)  # builds what reading needs
    times = [_ms(read_all) for _ in range(ROUNDS)]
    rows = [
        Row("read and validate, the first time", times[0], "ms", limit=PROMISED_MS),
        Row(f"read and validate, median of {ROUNDS}", median(times), "ms", limit=PROMISED_MS),
        Row("read and validate, when nothing else ran", min(times), "ms", limit=PROMISED_MS),
    ]
    show(f"The {len(sizes)} installed profiles", rows)
    remark(f"{sum(sizes.values()) // 1000} kB: {', '.join(sorted(sizes))}")
    for groups in (1, 100, large.REQUIREMENTS):
        _measure_large(groups)


def _measure_large(groups: int) -> None:
    text, registry = large.text(groups), find()
    gc.collect()
    began = time.perf_counter()
    profile = usable(stack([layer(text, "large")]), registry)
    validated = time.perf_counter()
    plan(profile, registry, Selection(), DEFAULT_SEED)
    planned = time.perf_counter()
    rows = [
        Row("read and validate", (validated - began) * 1000, "ms", limit=PROMISED_LARGE_MS),
        Row("plan", (planned - validated) * 1000, "ms", limit=PROMISED_LARGE_MS),
    ]
    size = f"{large.REQUIREMENTS} requirements, {large.NETWORKS} networks in {groups} groups"
    show(f"{size}, {len(text) / 1e6:.1f} MB", rows)


def _ms(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
