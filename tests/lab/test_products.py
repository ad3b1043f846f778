"""Each role of each product that can be tested from its place is ready on the open network of real servers."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from readycheck.catalog import available, read
from readycheck.profile import Profile

from .agent import Run, run_agent
from .cloud import CloudMode
from .products import given, known_nodes, row_of
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

AT_ONCE = 3
PATIENCE_S = 280.0
Plays = Mapping[tuple[str, str], Future[Run]]


def _cases() -> Iterator[Any]:
    for name, *_ in sorted(available(), key=lambda found: found[0]):
        profile = read(name)
        for role in profile.roles:
            if _is_testable(profile, role.name):
                yield pytest.param(name, role.name, id=f"{name}-{role.name}")


def _is_testable(profile: Profile, role: str) -> bool:
    mine = (r for r in profile.requirements if role in r.roles)
    return any(r.probe and not r.untestable for r in mine)


@pytest.fixture(scope="module")
def plays(_equipped: None, bytecode: Path, request: pytest.FixtureRequest) -> Iterator[Plays]:
    """The runs that the chosen tests ask for, a few products at a time: they mostly wait."""
    wanted: dict[str, dict[str, Future[Run]]] = {}
    for item in request.session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path == request.path:
            wanted.setdefault(parameters["name"], {})[parameters["role"]] = Future()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, roles in wanted.items():
            pool.submit(_perform, name, roles, bytecode)
        yield {(name, role): run for name, roles in wanted.items() for role, run in roles.items()}


def _perform(name: str, roles: Mapping[str, Future[Run]], bytecode: Path) -> None:
    try:
        with World.build(read(name)) as world:
            for role, run in roles.items():
                run.set_result(_play(world, role, bytecode))
    except Exception as error:
        for run in roles.values():
            if not run.done():
                run.set_exception(error)


def _play(world: World, role: str, bytecode: Path) -> Run:
    name = world.profile.name
    world.arrange(row_of(world.profile), CloudMode(media_answers=True))
    roots = str(world.certificates.roots)
    arguments = [
        "run",
        name,
        "--role",
        role,
        "-f",
        "json",
        "--trust-roots",
        roots,
        *given(world.profile),
        *known_nodes(world.profile),
    ]
    run = run_agent(world.machine, "client", arguments, bytecode)
    world.servers.require_running()
    return run


@pytest.mark.parametrize(("name", "role"), [*_cases()])
def test_a_role_is_ready(plays: Plays, name: str, role: str) -> None:
    run = plays[name, role].result(PATIENCE_S)
    assert run.report is not None, run.stderr
    unmet = [
        (r["id"], r["importance"], r["status"], r["because"])
        for r in run.report["requirements"]
        if r["status"] in ("fail", "warn", "inconclusive")
    ]
    assert (run.status, run.report["verdict"], run.report["findings"]) == (0, "ready", []), unmet
