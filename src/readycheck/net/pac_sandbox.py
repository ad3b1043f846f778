"""`python -m readycheck.net.pac_sandbox`: runs one proxy script for the process at the other end of its pipes.

The script is code from the network. It gets an engine without files and sockets in a process of its own, with
little memory and processor time; whoever started it ends it when it takes too long. One JSON object on each line:
first `script`, `own` (addresses) and `now` come in, then a `url` and `host` for each question. `ready`, `answer`
or `error` go out, and `ask` for the addresses of a name, which come in as `addresses`.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TextIO

from readycheck.net.pac_functions import functions

ENTRY = "FindProxyForURL"
MAX_ANSWER = 1000
_MAX_ERROR = 200
_HEAP_BYTES = 64 << 20
_STACK_BYTES = 512 << 10
_PROCESS_BYTES = 1 << 30
_PROCESSOR_S = 5
_PLACE = re.compile(r"<input>:(\d+)")


class Sandbox:
    """A script and its answers; `tell` and `hear` are the pipes."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], hear: Callable[[], dict[str, Any]]) -> None:
        self._tell, self._hear = tell, hear
        self._context: Any = None
        self._fault = ""

    def load(self, script: str, own: Sequence[str], now: str | None) -> dict[str, Any]:
        """Run the script's own lines, which define what is asked later."""
        import quickjs

        self._context = quickjs.Context()
        self._context.set_memory_limit(_HEAP_BYTES)
        self._context.set_max_stack_size(_STACK_BYTES)
        fixed = datetime.fromisoformat(now) if now else None
        table = functions(self._resolve, own, lambda: fixed or datetime.now().astimezone())
        for name, function in table.items():
            self._context.add_callable(name, self._guarded(name, function))
        return self._told(lambda: self._load(script))

    def answer(self, url: str, host: str) -> dict[str, Any]:
        return self._told(lambda: self._answer(url, host))

    def _load(self, script: str) -> dict[str, Any]:
        self._context.eval(script)
        if self._context.eval(f"typeof {ENTRY}") != "function":
            return {"error": f"it has no function {ENTRY}"}
        return {"ready": True}

    def _answer(self, url: str, host: str) -> dict[str, Any]:
        found = self._context.get(ENTRY)(url, host)
        if not isinstance(found, str):
            kind = "nothing" if found is None else "what is no text"
            return {"error": f"{ENTRY} answers {kind}"}
        if len(found) > MAX_ANSWER:
            return {"error": f"{ENTRY} answers with {len(found)} characters"}
        return {"answer": found}

    def _told(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Whatever the script does to the engine is an error of the script."""
        self._fault = ""
        try:
            return work()
        except MemoryError:
            return {"error": "it takes more memory than it may"}
        except Exception as error:
            text = str(error)
            first = self._fault or text.partition("\n")[0] or type(error).__name__
            if "out of memory" in first:
                first = "it takes more memory than it may"
            place = _PLACE.search(text)
            return {"error": first[:_MAX_ERROR], "line": int(place[1]) if place else None}

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The engine does not say what went wrong in a function of ours."""

        def call(*given: Any) -> Any:
            try:
                return function(*given)
            except Exception as error:
                self._fault = f"{name}: {error}"
                raise

        return call

    def _resolve(self, host: str) -> Sequence[str]:
        self._tell({"ask": host[:255]})
        return tuple(self._hear()["addresses"])


def main(commands: TextIO, replies: TextIO) -> int:
    def tell(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    def hear() -> dict[str, Any]:
        line = commands.readline()
        if not line:
            raise SystemExit(0)
        found: dict[str, Any] = json.loads(line)
        return found

    _limit()
    sandbox = Sandbox(tell, hear)
    tell(sandbox.load(**hear()))
    while True:
        tell(sandbox.answer(**hear()))


def _limit() -> None:
    """What the system can hold a process to; the engine's own limits hold everywhere."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_AS: _PROCESS_BYTES,
        resource.RLIMIT_CPU: _PROCESSOR_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, hard))
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
