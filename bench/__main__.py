"""Run the benchmarks that are named, or all of them."""

import compileall
import os
import sys

from bench import exporter, history, profiles, quarter, runs, startup, stun
from readycheck.twin import world

BENCHMARKS = {
    "startup": startup.measure,
    "profiles": profiles.measure,
    "history": history.measure,
    "exporter": exporter.measure,
    "quarter": quarter.measure,
    "memory": runs.measure_memory,
    "open": runs.measure_open,
    "dropped": runs.measure_dropped,
    "traffic": runs.measure_traffic,
    "stun": stun.measure,
}
NEED_NO_NETWORK = {"startup", "profiles", "history", "exporter", "quarter"}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"bench: unknown: {', '.join(unknown)} (known: {', '.join(BENCHMARKS)})\n")
        return 2
    _have_bytecode()
    lacking = world.available()
    for name in names or BENCHMARKS:
        if lacking and name not in NEED_NO_NETWORK:
            sys.stdout.write(f"{name}: NOT MEASURED: {lacking}\n")
        else:
            BENCHMARKS[name]()
    return 0


def _have_bytecode() -> None:
    """As it is where it is installed: nobody compiles the program on every start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in ("src", "probes", "bench"):
        compileall.compile_dir(folder, quiet=2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
