"""Plays scenarios: a few worlds that are built once for each profile, and one agent at a time in each."""

import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from readycheck.catalog import read

from .agent import Run, run_agent
from .boxes import lacks
from .cloud import RESPONDER
from .impatience import impatient
from .machine import LabError
from .products import given, known_nodes, row_of
from .scenario import Scenario, fitted
from .world import World

WORLDS = 3
"""A run mostly waits, so that two processors carry more than two; a fourth makes the others late.

What measures times has none but its like beside it, which wait even more.
"""
_PATIENCE_S = 1200.0


@dataclass(frozen=True)
class Play:
    """A scenario to be played: against a profile, with or without raw sockets."""

    scenario: Scenario
    profile: str
    raw: bool = False

    @classmethod
    def of(cls, scenario: Scenario) -> "Play":
        return cls(scenario, scenario.profile)

    @property
    def key(self) -> tuple[str, str, bool]:
        return self.scenario.name, self.profile, self.raw


@dataclass(frozen=True)
class Played:
    """What came of it; `scenario` has what its variables stood for in that world."""

    scenario: Scenario
    run: Run


class ProgramMissing(Exception):
    """A program of this scenario is not installed."""


def adapted(scenario: Scenario, profile: str) -> Scenario:
    """Another product than webex-calling is given the customer's hosts, and a place where it belongs."""
    if profile == "webex-calling":
        return scenario
    product = read(profile)
    if profile != scenario.profile:  # it needs other things, and may mind less or more
        truths = tuple(replace(truth, words="", affects=()) for truth in scenario.expect)
        spared = (0,) if 0 in scenario.exits else ()
        exits = (*spared, 1, 2, 3) if truths else (0, 1)
        scenario = replace(scenario, exits=exits, expect=truths, media=())
    return replace(
        scenario,
        network=replace(scenario.network, nat=scenario.network.nat and row_of(product).nat),
        cloud=replace(scenario.cloud, media_answers=True),
        arguments=(*given(product), *known_nodes(product), *scenario.arguments),
    )


class Room:
    """Lets in those of one kind at a time, in the order in which they come."""

    def __init__(self) -> None:
        self._door, self._changed = threading.Lock(), threading.Condition()
        self._kind, self._inside = False, 0

    @contextmanager
    def shared_by(self, kind: bool) -> Iterator[None]:
        with self._door, self._changed:
            self._changed.wait_for(lambda: not self._inside or self._kind is kind)
            self._kind, self._inside = kind, self._inside + 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()


class Stage:
    """Plays scenarios in the order in which they were asked for, those of one profile after each other."""

    def __init__(self, bytecode: Path, worlds: int = WORLDS) -> None:
        self._bytecode, self._worlds = bytecode, worlds
        self._wanted: queue.SimpleQueue[Play | None] = queue.SimpleQueue()
        self._runs: dict[tuple[str, str, bool], Future[Played]] = {}
        self._actors: list[threading.Thread] = []
        self._over = threading.Event()
        self._room = Room()

    def announce(self, plays: Iterable[Play]) -> None:
        for play in plays:
            if play.key not in self._runs:
                self._runs[play.key] = Future()
                self._wanted.put(play)
        while len(self._actors) < min(self._worlds, len(self._runs)):
            actor = threading.Thread(target=self._act, name=f"lab-{len(self._actors)}", daemon=True)
            self._actors.append(actor)
            actor.start()

    def play(self, play: Play) -> Played:
        """Once for each play: reports are large, and are not kept."""
        self.announce([play])
        future = self._runs[play.key]
        try:
            return future.result(_PATIENCE_S)
        finally:
            if future.done():
                del self._runs[play.key]

    def close(self) -> None:
        self._over.set()
        for _ in self._actors:
            self._wanted.put(None)
        for actor in self._actors:
            actor.join()

    def _act(self) -> None:
        """One world at a time; another profile needs another world."""
        play = self._wanted.get()
        while play is not None and not self._over.is_set():
            play = self._act_in_world(play)

    def _act_in_world(self, play: Play | None) -> Play | None:
        assert play is not None
        profile = play.profile
        try:
            with World.build(read(profile)) as world:
                while play is not None and play.profile == profile and not self._over.is_set():
                    self._perform(world, play)
                    play = self._wanted.get()
        except Exception as error:
            if play is not None:
                self._runs[play.key].set_exception(error)
                play = self._wanted.get()
        return play

    def _perform(self, world: World, play: Play) -> None:
        try:
            with self._room.shared_by(play.scenario.is_timed):
                done = played(world, play, self._bytecode)
        except Exception as error:
            self._runs[play.key].set_exception(error)
        else:
            self._runs[play.key].set_result(done)


def played(world: World, play: Play, bytecode: Path | None = None) -> Played:
    """What the agent says; once more when it was the lab that failed in the meantime."""
    missing = lacks(play.scenario.network.boxes)
    if missing:
        raise ProgramMissing(f"not installed: {', '.join(missing)}")
    scenario = fitted(adapted(play.scenario, play.profile), world.profile, world.addresses)
    roots, ca = str(world.certificates.roots), str(world.certificates.corporate)
    given = [word.replace("$(ca)", ca) for word in scenario.arguments]
    far = ["--responder", RESPONDER] if scenario.cloud.responder else []
    profile = impatient(world.machine.folder) if scenario.impatient else play.profile
    words = ["run", profile, "-f", "json", "--trust-roots", roots, *far, *given]
    for chance in (2, 1):
        world.arrange(scenario.network, scenario.cloud)
        run = run_agent(
            world.machine,
            "client",
            words,
            bytecode,
            scenario.environment,
            raw=play.raw,
            radio_dbm=scenario.network.radio_dbm,
        )
        try:
            world.require_running()
        except LabError:
            if chance == 1:
                raise
        else:
            return Played(scenario, run)
    raise AssertionError("unreachable")
