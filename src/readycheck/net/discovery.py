"""Which proxy leads where: finds the proxy script that is named, and asks it about every host."""

import asyncio
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from readycheck.failure import Failure
from readycheck.net import guard, wpad
from readycheck.net.environment import FoundProxy, FoundScript, ScriptAnswer
from readycheck.net.interface import NetError, Network
from readycheck.net.pac import (
    Answer,
    EngineMissing,
    NotInTime,
    PacError,
    Question,
    Ways,
    evaluate,
    read_answer,
)
from readycheck.net.pac_fetch import FetchError, Place, fetch, place_of, text_of
from readycheck.net.precedence import Named
from readycheck.net.proxy import ProxyChoice, ProxyUrl

FETCH_S, GUESS_S, NAME_S, CONNECT_S = 3.0, 1.5, 1.0, 1.0
_MOST_HOSTS, _MOST_ANSWERS, _MOST_PROXIES, _MOST_TRIED = 40, 64, 16, 8
_LOOKUPS_AT_ONCE = 40
_MOST_SILENCES = 3
_ENTRY = b"FindProxyForURL"
_LOOKS_UP = re.compile(rb"dnsResolve|isInNet|isResolvable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The way to each host. `ways` are a script's, by lane, and empty where no script leads."""

    choice: ProxyChoice = field(default_factory=ProxyChoice)
    ways: Mapping[str, ProxyUrl | None] = field(default_factory=dict)
    script: FoundScript | None = None
    notes: tuple[str, ...] = ()

    @property
    def usual(self) -> ProxyUrl | None:
        """The way of most lanes: that of a lane which was not asked for."""
        return Counter(self.ways.values()).most_common(1)[0][0] if self.ways else self.choice.proxy

    @property
    def proxies(self) -> tuple[ProxyUrl, ...]:
        """Each once, the one that leads to most first."""
        fixed = (self.choice.proxy,) if self.choice.proxy else ()
        counted = Counter(way for way in self.ways.values() if way is not None)
        return tuple(dict.fromkeys((*fixed, *(proxy for proxy, _ in counted.most_common()))))

    @property
    def found(self) -> tuple[FoundProxy, ...]:
        """What the report says of them."""
        source = f"proxy script {self.script.place}" if self.script and self.ways else self.choice.source
        return tuple(
            FoundProxy(scheme="https", url=str(one), source=source) for one in self.proxies[:_MOST_PROXIES]
        )


async def route(
    what: Named,
    network: Network,
    lanes: Mapping[str, Question],
    *,
    own: Sequence[str] = (),
    root: Path = Path("/"),
) -> Routing:
    """Find the script if there is one, and ask it for every lane; never raises for what a network or script does."""
    if what.choice.proxy is not None or not (what.script or what.detect):
        return Routing(choice=what.choice)
    notes: list[str] = []
    for lead in _leads(what, network, root):
        script = await _fetched(lead, network, notes)
        if isinstance(script, FoundScript):
            return Routing(script=script, notes=tuple(notes))
        if script is not None:
            return await _followed(lead, script, _Names(network), lanes, own, notes)
    return Routing(notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Lead:
    """A place where a script may be; at a guessed one it is no fault that there is none."""

    text: str
    source: str
    guessed: bool = False


def _leads(what: Named, network: Network, root: Path) -> Iterator[_Lead]:
    if what.script:
        yield _Lead(what.script, what.source)
        return
    if guard.is_fenced() and not any(guard.is_loopback(host) for host, _ in network.resolvers()):
        return  # tests and stand-in worlds have no DHCP, and nobody but themselves to ask
    if url := wpad.lease_url(root):
        yield _Lead(url, "DHCP option 252")
    for name in wpad.names(wpad.search_domains(root)):
        yield _Lead(f"http://{name}/wpad.dat", f"the name {name}", guessed=True)


# --- fetching it --------------------------------------------------------------------------------------


async def _fetched(lead: _Lead, network: Network, notes: list[str]) -> bytes | FoundScript | None:
    """The script, what is wrong with it, or None where there is none."""
    try:
        place = place_of(lead.text)
    except ValueError as error:
        return FoundScript(place=_clean(lead.text), source=lead.source, error=f"it {error}")
    if lead.guessed and not await _exists(place, network):
        return None
    try:
        script = await fetch(place, network, timeout=GUESS_S if lead.guessed else FETCH_S)
    except FetchError as error:
        if not lead.guessed:
            return FoundScript(
                place=_shown(place), source=lead.source, error=f"it {error}", failure=error.failure
            )
        notes.append(f"{lead.source} exists, and there is no proxy script: it {error}")
        return None
    if lead.guessed and _ENTRY not in script:
        notes.append(f"{lead.source} exists, and what it serves is no proxy script")
        return None
    return script


async def _exists(place: Place, network: Network) -> bool:
    host = place.text.split("/")[2]
    try:
        return bool((await network.resolve(host, timeout=NAME_S)).addresses)
    except NetError:
        return False


# --- asking it ----------------------------------------------------------------------------------------


class _Names:
    """The script's look-ups, by the run's resolver; name servers that stay silent are given up."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._silences = 0
        self._known: dict[str, Sequence[str]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        if host not in self._known:
            self._known[host] = await self._look_up(host)
        return self._known[host]

    async def look_up_all(self, hosts: Iterable[str]) -> None:
        """At once, because a script asks for one after the other."""
        slots = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

        async def one(host: str) -> None:
            async with slots:
                await self.resolve(host)

        async with asyncio.TaskGroup() as group:
            for host in dict.fromkeys(hosts):
                group.create_task(one(host))

    async def _look_up(self, host: str) -> Sequence[str]:
        if self._silences >= _MOST_SILENCES:
            return ()
        try:
            return (await self.network.resolve(host, timeout=NAME_S)).addresses
        except NetError as error:
            self._silences += error.failure is Failure.TIMED_OUT
            return ()


async def _followed(
    lead: _Lead,
    script: bytes,
    names: _Names,
    lanes: Mapping[str, Question],
    own: Sequence[str],
    notes: list[str],
) -> Routing:
    found = FoundScript(
        place=_shown(place_of(lead.text)),
        source=lead.source,
        size=len(script),
        sha256=hashlib.sha256(script).hexdigest(),
    )
    questions = tuple(dict.fromkeys(lanes.values()))
    if _LOOKS_UP.search(script):
        await names.look_up_all(question.host for question in questions)
    try:
        answers = await evaluate(text_of(script), questions, names.resolve, own=own)
    except EngineMissing:
        notes.append(f"the proxy script {found.place} is not followed: quickjs-ng is not installed")
        return Routing(script=found, notes=tuple(notes))
    except NotInTime:
        notes.append(
            f"the proxy script {found.place} is not followed: this host or its name servers are too slow"
        )
        return Routing(script=found, notes=tuple(notes))
    except PacError as error:
        return Routing(script=replace(found, error=error.reason, line=error.line), notes=tuple(notes))
    ways = await _ways(answers, names.network, notes)
    by_lane = {lane: ways[question] for lane, question in lanes.items()}
    return Routing(ways=by_lane, script=replace(found, answers=_summary(answers, ways)), notes=tuple(notes))


async def _ways(
    answers: Sequence[Answer], network: Network, notes: list[str]
) -> Mapping[Question, ProxyUrl | None]:
    """The first of each answer that works; a program that cannot follow an answer goes directly."""
    read = {answer.text: read_answer(answer.text) for answer in answers if not answer.error}
    asked = {hop for ways in read.values() if len(ways.hops) > 1 for hop in ways.hops[:-1] if hop}
    dead = await _dead(sorted(asked, key=str)[:_MOST_TRIED], network)
    chosen = {text: _first_alive(ways, dead) for text, ways in read.items()}
    notes += (
        f"the proxy {hop} of the script does not answer; the next of its answer is used" for hop in dead
    )
    for text, ways in read.items():
        if ways.foreign and not ways.hops:
            notes.append(
                f"the proxy script answers '{_clean(text)}': SOCKS is not supported, these hosts are tested directly"
            )
    return {answer.question: chosen.get(answer.text) for answer in answers}


def _first_alive(ways: Ways, dead: Sequence[ProxyUrl]) -> ProxyUrl | None:
    return next((hop for hop in ways.hops if hop not in dead), next(iter(ways.hops), None))


async def _dead(proxies: Sequence[ProxyUrl], network: Network) -> Sequence[ProxyUrl]:
    """Those with an alternative are tried before they are trusted, as browsers do."""
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(_is_there(proxy, network)) for proxy in proxies]
    return [proxy for proxy, tried in zip(proxies, tries, strict=True) if not tried.result()]


async def _is_there(proxy: ProxyUrl, network: Network) -> bool:
    try:
        address = (await network.resolve(proxy.host, timeout=NAME_S)).addresses[0]
        (await network.connect((address, proxy.port), timeout=CONNECT_S)).close()
    except (NetError, IndexError):
        return False
    return True


def _summary(answers: Sequence[Answer], ways: Mapping[Question, ProxyUrl | None]) -> tuple[ScriptAnswer, ...]:
    """Each distinct answer once, with the hosts that it is for; those with something wrong come first."""
    hosts: dict[tuple[str, str, int | None], list[Question]] = {}
    for answer in answers:
        hosts.setdefault((answer.text, answer.error, answer.line), []).append(answer.question)
    told = tuple(
        ScriptAnswer(
            text=_clean(text),
            via=way.place if (way := ways[questions[0]]) else None,
            hosts=tuple(question.host for question in questions[:_MOST_HOSTS]),
            number=len(questions),
            error=error or _misnamed(text),
            line=line,
        )
        for (text, error, line), questions in hosts.items()
    )
    return tuple(sorted(told, key=lambda answer: not answer.error)[:_MOST_ANSWERS])


def _misnamed(text: str) -> str:
    trouble = read_answer(text).trouble
    return f"it names {trouble}, which is no proxy" if trouble else ""


def _shown(place: Place) -> str:
    """Without credentials, and without the name of whose home it is in."""
    home = os.path.expanduser("~")
    text = place.shown
    return _clean(
        f"~{text[len(home) :]}" if not place.is_url and text.startswith(f"{home}{os.sep}") else text
    )


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:300])
