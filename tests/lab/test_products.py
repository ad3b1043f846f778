"""Each role of each product that can be tested from its place is ready on the open network of real servers.

Roles of a product are tried together, a few in a run: it is ready when all that any of them needs is there.
"""

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
TOGETHER = 2
"""More roles than these of the largest product need longer than a run may take."""
PATIENCE_S = 280.0
Roles = tuple[str, ...]
Plays = Mapping[tuple[str, Roles], Future[Run]]


def _cases() -> Iterator[Any]:
    for name, *_ in sorted(available(), key=lambda found: found[0]):
        profile = read(name)
        roles = [role.name for role in profile.roles if _is_testable(profile, role.name)]
        for first in range(0, len(roles), TOGETHER):
            chosen = tuple(roles[first : first + TOGETHER])
            yield pytest.param(name, chosen, id=f"{name}-{'+'.join(chosen)}")


def _is_testable(profile: Profile, role: str) -> bool:
    mine = (r for r in profile.requirements if role in r.roles)
    return any(r.probe and not r.untestable for r in mine)


@pytest.fixture(scope="module")
def plays(_equipped: None, bytecode: Path, request: pytest.FixtureRequest) -> Iterator[Plays]:
    """The runs that the chosen tests ask for, a few products at a time: they mostly wait."""
    wanted: dict[str, dict[Roles, Future[Run]]] = {}
    for item in request.session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path == request.path:
            wanted.setdefault(parameters["name"], {})[parameters["roles"]] = Future()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, runs in wanted.items():
            pool.submit(_perform, name, runs, bytecode)
        yield {(name, roles): run for name, runs in wanted.items() for roles, run in runs.items()}


def _perform(name: str, runs: Mapping[Roles, Future[Run]], bytecode: Path) -> None:
    try:
        with World.build(read(name)) as world:
            for roles, run in runs.items():
                run.set_result(_play(world, roles, bytecode))
    except Exception as error:
        for run in runs.values():
            if not run.done():
                run.set_exception(error)


def _play(world: World, roles: Roles, bytecode: Path) -> Run:
    name = world.profile.name
    world.arrange(row_of(world.profile), CloudMode(media_answers=True))
    roots = str(world.certificates.roots)
    arguments = [
        "run",
        name,
        *(word for role in roles for word in ("--role", role)),
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


@pytest.mark.parametrize(("name", "roles"), [*_cases()])
def test_roles_are_ready(plays: Plays, name: str, roles: Roles) -> None:
    run = plays[name, roles].result(PATIENCE_S)
    assert run.report is not None, run.stderr
    unmet = [
        (r["id"], r["importance"], r["status"], r["because"])
        for r in run.report["requirements"]
        if r["status"] in ("fail", "warn", "inconclusive")
    ]
    assert (run.status, run.report["verdict"], run.report["findings"]) == (0, "ready", []), unmet
