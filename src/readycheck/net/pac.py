"""Proxy scripts (PAC): what they answer, found out by a sandbox process that may take a bounded time."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from readycheck.errors import UsageError
from readycheck.net.proxy import ProxyUrl, parse_proxy

Resolve = Callable[[str], Awaitable[Sequence[str]]]

SCRIPT_S = 1.0
"""How long a script may work at one question, or at being read; look-ups of names are not its work."""
TOTAL_S = 3.0
"""For all questions, with their look-ups."""
MAX_LOOKUPS = 1000
_START_S = 2.0  # for a busy host to start a process
_SHARE = 0.25  # of the time that an endless script gets of the processor on a busy host
_MAX_ERRORS = 3  # of the first answers: the others would be no better
_LINE_BYTES = 64 << 10
_MAX_ENTRIES = 16
_PROXIES = {"PROXY": "http", "HTTP": "http", "HTTPS": "https"}
_FOREIGN = ("SOCKS", "SOCKS4", "SOCKS5")
_PASSED_ON = ("TZ", "LANG", "LC_ALL", "SystemRoot")


class PacError(Exception):
    """A script that is of no use; the text says why, as the rest of a sentence about it."""

    def __init__(self, reason: str, line: int | None = None, *, overdue_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.line, self.overdue_s = reason, line, overdue_s


class NotInTime(Exception):
    """The script did not come to an end, and it was not its own work that took the time."""


class EngineMissing(Exception):
    """This installation has nothing that could run a script."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a script is asked: the URL without its path, as browsers pass it for https, and the host of it."""

    url: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the script says to a question; `error` instead, when it fails at it."""

    question: Question
    text: str = ""
    error: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """An answer that has been read: proxies in their order, None for the direct way."""

    hops: tuple[ProxyUrl | None, ...] = ()
    foreign: tuple[str, ...] = ()
    trouble: str = ""


async def evaluate(
    script: str, questions: Iterable[Question], resolve: Resolve, *, own: Sequence[str] = (), now: str = ""
) -> tuple[Answer, ...]:
    """Ask a script about hosts. Raises `PacError` when it cannot be run at all, or works too long.

    Raises `NotInTime` when this host, or the names that the script looks up, take too long.
    `resolve` gives the addresses of a name and bounds its own time; `now` (ISO 8601) is for tests.
    """
    if find_spec("quickjs") is None:
        raise EngineMissing
    before_s = _processor_s()
    try:
        return await _evaluated(script, tuple(questions), resolve, own, now)
    except PacError as error:
        used_s = _processor_s() - before_s
        if error.overdue_s and before_s >= 0 and used_s < error.overdue_s * _SHARE:
            raise NotInTime from error
        raise


def _processor_s() -> float:
    """The time that children of this process have used; below zero where that is not known."""
    try:
        import resource
    except ImportError:
        return -1.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _evaluated(
    script: str, questions: Sequence[Question], resolve: Resolve, own: Sequence[str], now: str
) -> tuple[Answer, ...]:
    process = await _start()
    try:
        async with asyncio.timeout(TOTAL_S):
            talk = _Talk(process, resolve)
            loaded = await talk.ask({"script": script, "own": list(own), "now": now or None}, _START_S)
            if "error" in loaded:
                raise PacError(_plain(loaded["error"]), loaded.get("line"))
            return await _answers(talk, questions)
    except TimeoutError:
        reason = f"it needs more than {TOTAL_S:g} s for the product's hosts"
        raise PacError(reason, overdue_s=TOTAL_S) from None
    finally:
        await _end(process)


async def _answers(talk: "_Talk", questions: Iterable[Question]) -> tuple[Answer, ...]:
    found: list[Answer] = []
    for question in questions:
        found.append(await talk.question(question))
        if len(found) == _MAX_ERRORS and all(answer.error for answer in found):
            raise PacError(found[0].error, found[0].line)
    return tuple(found)


def read_answer(text: str) -> Ways:
    """`PROXY host:port; DIRECT`: the first entry that works counts. An empty answer is the direct way."""
    hops: list[ProxyUrl | None] = []
    foreign: list[str] = []
    troubles: list[str] = []
    for entry in [part.strip() for part in text.split(";") if part.strip()][:_MAX_ENTRIES]:
        kind, _, place = entry.partition(" ")
        if kind.upper() == "DIRECT" and not place:
            hops.append(None)
        elif kind.upper() in _FOREIGN and place:
            foreign.append(_plain(entry))
        elif proxy := _proxy(kind.upper(), place.strip()):
            hops.append(proxy)
        else:
            troubles.append(f"'{_plain(entry)}'")
    if not hops and not foreign and not troubles:
        hops.append(None)
    return Ways(hops=tuple(hops), foreign=tuple(foreign), trouble=", ".join(troubles[:3]))


def _proxy(kind: str, place: str) -> ProxyUrl | None:
    if kind not in _PROXIES or not re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", place):
        return None
    with suppress(UsageError):
        found = parse_proxy(f"{_PROXIES[kind]}://{place}")
        return found if re.search(r"[A-Za-z0-9]", found.host) else None
    return None


class _Talk:
    """The dialogue with a sandbox; it is asked for one thing at a time."""

    def __init__(self, process: asyncio.subprocess.Process, resolve: Resolve) -> None:
        self._process, self._resolve = process, resolve
        self._known: dict[str, list[str]] = {}

    async def question(self, question: Question) -> Answer:
        told = await self.ask({"url": question.url, "host": question.host}, SCRIPT_S)
        if "error" in told:
            return Answer(question=question, error=_plain(told["error"]), line=told.get("line"))
        return Answer(question=question, text=str(told.get("answer", "")))

    async def ask(self, message: Mapping[str, Any], limit_s: float) -> Mapping[str, Any]:
        """Answers its look-ups until it has an answer; their time is not counted."""
        for _ in range(MAX_LOOKUPS):
            told = await self._exchange(message, limit_s)
            if "ask" not in told:
                return told
            message = {"addresses": await self._addresses(str(told["ask"]))}
            limit_s = min(limit_s, SCRIPT_S)
        raise PacError(f"it looks up more than {MAX_LOOKUPS} names for one answer")

    async def _addresses(self, host: str) -> list[str]:
        if host not in self._known:
            self._known[host] = list(await self._resolve(host))
        return self._known[host]

    async def _exchange(self, message: Mapping[str, Any], limit_s: float) -> Mapping[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise PacError(f"it runs for more than {limit_s:g} s", overdue_s=limit_s) from None
        except (ConnectionError, ValueError):
            line = b""
        if not line.endswith(b"\n"):
            raise PacError(await self._last_words())
        found: Mapping[str, Any] = json.loads(line)
        return found

    async def _last_words(self) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                status = await self._process.wait()
                cut = getattr(signal, "SIGXCPU", None)
                if cut is not None and status == -cut:
                    return "it takes more processor time than it may"
        return "it breaks the program that runs it"


async def _start() -> asyncio.subprocess.Process:
    """A process that inherits neither settings nor secrets of this one."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "readycheck.net.pac_sandbox"),
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        env=_surroundings(),
    )


def _surroundings() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


def _plain(text: object) -> str:
    """What a script says, made fit for a line."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text)[:200])
    return shown.strip()
