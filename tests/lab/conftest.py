"""Fixtures of the lab: worlds that are built once, and scenarios that are played ahead of their tests."""

import os
import queue
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from readycheck.catalog import read

from .agent import Run, run_agent, warm_up
from .machine import LabError
from .table import Scenario
from .world import World, missing_tools

PROFILE = "webex-calling"
_WORLDS = 3
"""A run mostly waits, so that two processors carry more than two; a fourth makes the others late."""
_PATIENCE_S = 600.0


class Stage:
    """Plays scenarios, each in one of a few worlds, in the order in which they were asked for."""

    def __init__(self, bytecode: Path) -> None:
        self._bytecode = bytecode
        self._wanted: queue.SimpleQueue[Scenario | None] = queue.SimpleQueue()
        self._runs: dict[str, Future[Run]] = {}
        self._actors: list[threading.Thread] = []
        self._over = threading.Event()

    def announce(self, scenarios: Sequence[Scenario]) -> None:
        for scenario in scenarios:
            if scenario.name not in self._runs:
                self._runs[scenario.name] = Future()
                self._wanted.put(scenario)
        while len(self._actors) < min(_WORLDS, len(self._runs)):
            actor = threading.Thread(target=self._act, name=f"lab-{len(self._actors)}", daemon=True)
            self._actors.append(actor)
            actor.start()

    def play(self, scenario: Scenario) -> Run:
        self.announce([scenario])
        return self._runs[scenario.name].result(_PATIENCE_S)

    def close(self) -> None:
        self._over.set()
        for _ in self._actors:
            self._wanted.put(None)
        for actor in self._actors:
            actor.join()

    def _act(self) -> None:
        try:
            with World.build(read(PROFILE)) as world:
                while (scenario := self._wanted.get()) is not None and not self._over.is_set():
                    self._perform(world, scenario)
        except Exception as error:
            self._give_up(error)

    def _perform(self, world: World, scenario: Scenario) -> None:
        try:
            run = played(world, scenario, self._bytecode)
        except Exception as error:
            self._runs[scenario.name].set_exception(error)
        else:
            self._runs[scenario.name].set_result(run)

    def _give_up(self, error: Exception) -> None:
        """No world can be had: no scenario will ever be played."""
        while True:
            try:
                scenario = self._wanted.get_nowait()
            except queue.Empty:
                return
            if scenario is not None:
                self._runs[scenario.name].set_exception(error)


def played(world: World, scenario: Scenario, bytecode: Path | None = None) -> Run:
    """What the agent says; once more when it was the lab that failed in the meantime."""
    for chance in (2, 1):
        world.arrange(scenario.row, scenario.cloud)
        run = run_agent(world.machine, "client", arguments(world, scenario.arguments), bytecode)
        try:
            world.servers.require_running()
        except LabError:
            if chance == 1:
                raise
        else:
            return run
    raise AssertionError("unreachable")


def arguments(world: World, more: Sequence[str]) -> list[str]:
    return ["run", PROFILE, "-f", "json", "--trust-roots", str(world.certificates.roots), *more]


@pytest.fixture(scope="session")
def _equipped() -> None:
    """Skip, loudly, where the lab cannot be built."""
    if os.geteuid() != 0:
        pytest.skip("lab: needs root, for network namespaces and servers on low ports")
    missing = missing_tools()
    if missing:
        pytest.skip(f"lab: not installed: {', '.join(missing)} (as root, `make test` installs them)")


@pytest.fixture(scope="session")
def stage(_equipped: None, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="readycheck-lab-bytecode-") as name:
        bytecode = Path(name)
        bytecode.chmod(0o755)
        warm_up(bytecode)
        yield from _stage(request, Stage(bytecode))


def _stage(request: pytest.FixtureRequest, made: Stage) -> Iterator[Stage]:
    if not hasattr(request.config, "workerinput"):  # a worker of xdist does not know its tests beforehand
        made.announce(_chosen(request.session.items))
    try:
        yield made
    finally:
        made.close()


def _chosen(items: Sequence[pytest.Item]) -> list[Scenario]:
    parameters = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return [p["scenario"] for p in parameters if isinstance(p.get("scenario"), Scenario)]


@pytest.fixture(scope="module")
def world(_equipped: None) -> Iterator[World]:
    with World.build(read(PROFILE)) as made:
        yield made


@pytest.fixture(scope="module")
def product(_equipped: None, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world of the profile that the test names."""
    with World.build(read(request.param)) as made:
        yield made


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bytecode")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    warm_up(folder)
    return folder
