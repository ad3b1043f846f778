"""The first process of a world, while it watches agent and servers; the rest is in tests/e2e/test_twin.py."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from readycheck.twin import build, inside

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the twin's namespaces are Linux's")

WAITING = "import signal; print('up', flush=True); signal.pause()"
INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(3))
print('up', flush=True)
while True:
    signal.pause()
"""


class Scene:
    """Two processes and a control pipe."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.read, self.write = os.pipe()

    def start(self, code: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        self.processes.append(process)
        return process

    def up(self, code: str) -> subprocess.Popen[bytes]:
        process = self.start(code)
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        os.close(self.read)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def test_the_agents_status_is_the_worlds(scene: Scene) -> None:
    cloud = scene.up(WAITING)
    assert inside._watch(scene.start("raise SystemExit(2)"), [cloud], scene.read) == 2
    os.close(scene.write)


def test_an_agent_that_was_killed_leaves_the_verdict_unknown(scene: Scene) -> None:
    cloud, agent = scene.up(WAITING), scene.up(WAITING)
    agent.kill()
    assert inside._watch(agent, [cloud], scene.read) == inside.UNKNOWN
    os.close(scene.write)


def test_signals_are_handed_on(scene: Scene) -> None:
    cloud, agent = scene.up(WAITING), scene.up(INTERRUPTED)
    os.write(scene.write, bytes([signal.SIGINT]))
    assert inside._watch(agent, [cloud], scene.read) == 3
    os.close(scene.write)


def test_the_world_ends_when_nobody_waits_for_it(scene: Scene) -> None:
    cloud, agent = scene.up(WAITING), scene.up(WAITING)
    os.close(scene.write)
    assert inside._watch(agent, [cloud], scene.read) == inside.UNKNOWN
    assert agent.wait() == -signal.SIGKILL


def test_servers_that_end_are_an_error(scene: Scene) -> None:
    cloud, agent = scene.start("raise SystemExit(9)"), scene.up(WAITING)
    with pytest.raises(build.BuildError, match="servers ended before"):
        inside._watch(agent, [cloud], scene.read)
    assert agent.wait() == -signal.SIGKILL
    os.close(scene.write)


def test_servers_that_do_not_start_are_an_error(scene: Scene) -> None:
    with pytest.raises(build.BuildError, match="did not start"):
        inside._await_ready(scene.start("raise SystemExit(1)"))
    os.close(scene.write)


def test_orders_survive_being_told() -> None:
    orders = inside.Orders(blueprint="{}", agent=("a", "b"), raw=True, edge_rules="/x")
    descriptor = os.memfd_create("orders")
    os.write(descriptor, orders.to_json().encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    assert inside._read(descriptor) == orders


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (build.BuildError("rules", usage=True), ("rules", True)),
        (build.BuildError("ip"), ("ip", False)),
        (OSError(1, "no"), ("[Errno 1] no", False)),
        (KeyError("x"), ("a bug in the twin: KeyError('x')", False)),
    ],
)
def test_whatever_goes_wrong_is_told_and_is_no_verdict(error: Exception, told: tuple[str, bool]) -> None:
    heard: list[tuple[str, bool]] = []

    def fail() -> int:
        raise error

    assert inside._told_by(fail, lambda *words: heard.append(words)) == inside.UNKNOWN
    assert heard == [told]


def test_what_goes_well_keeps_its_status() -> None:
    assert inside._told_by(lambda: 2, lambda *_: pytest.fail("nothing to tell")) == 2
