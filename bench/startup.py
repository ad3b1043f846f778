"""What it costs to start: `--help` and `--version` against an interpreter that does nothing."""

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from bench.table import Row, remark, show

ROUNDS = 12
HEAVY = ("scapy", "aiortc", "aioquic", "dns", "httpx", "cryptography", "pydantic", "rich", "websockets")
PROMISED_MS = 120.0

_LOADED = """
import sys
from readycheck.__main__ import main
main(["--help"])
print(*sorted({name.partition(".")[0] for name in sys.modules} & set(%r)), file=sys.stderr)
"""


def measure() -> None:
    commands = {
        "python -c pass": ["-c", "pass"],
        "readycheck --version": ["-m", "readycheck", "--version"],
        "readycheck --help": ["-m", "readycheck", "--help"],
        "readycheck run --help": ["-m", "readycheck", "run", "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):  # in turns, so that what else the machine does falls on all alike
        for name, arguments in commands.items():
            times[name].append(_once(arguments))
    bare = median(times["python -c pass"])
    rows = []
    for name in list(commands)[1:]:
        limit = bare + PROMISED_MS if name == "readycheck --help" else None
        rows.append(Row(name, median(times[name]), "ms", "python -c pass", bare, limit))
    show(f"Start-up (median of {ROUNDS})", rows)
    command = [sys.executable, "-c", _LOADED % (HEAVY,)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    remark(f"--help imports, of {', '.join(HEAVY)}: {', '.join(loaded) or 'none'}")


def _once(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000
