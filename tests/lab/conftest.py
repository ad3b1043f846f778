"""Fixtures of the lab: worlds that are built once, and scenarios that are played ahead of their tests."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from readycheck.catalog import read

from .agent import warm_up
from .scenario import Scenario
from .stage import Play, Stage
from .world import World, missing_tools

PROFILE = "webex-calling"


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


def _chosen(items: Sequence[pytest.Item]) -> list[Play]:
    parameters = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return [Play.of(p["scenario"]) for p in parameters if isinstance(p.get("scenario"), Scenario)]


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
