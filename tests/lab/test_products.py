"""Each role of each product that can be tested from its place is ready on the open network of real servers.

Roles of a product are tried together, a few in a run: it is ready when all that any of them needs is there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readycheck.catalog import available, read
from readycheck.profile import Profile

from .agent import run_agent
from .cloud import CloudMode
from .products import given, known_nodes, row_of
from .world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

TOGETHER = 2
"""More roles than these of the largest product need longer than a run may take."""


def _cases() -> Iterator[Any]:
    for name, *_ in sorted(available(), key=lambda found: found[0]):
        profile = read(name)
        roles = [role.name for role in profile.roles if _is_testable(profile, role.name)]
        for first in range(0, len(roles), TOGETHER):
            chosen = roles[first : first + TOGETHER]
            yield pytest.param(name, chosen, id=f"{name}-{'+'.join(chosen)}")


def _is_testable(profile: Profile, role: str) -> bool:
    mine = (r for r in profile.requirements if role in r.roles)
    return any(r.probe and not r.untestable for r in mine)


@pytest.mark.parametrize(("product", "roles"), [*_cases()], indirect=["product"])
def test_roles_are_ready(product: World, roles: list[str], bytecode: Path) -> None:
    name = product.profile.name
    product.arrange(row_of(product.profile), CloudMode(media_answers=True))
    arguments = [
        *("run", name, "-f", "json", "--trust-roots", str(product.certificates.roots)),
        *(word for role in roles for word in ("--role", role)),
        *given(product.profile),
        *known_nodes(product.profile),
    ]
    run = run_agent(product.machine, "client", arguments, bytecode)
    product.servers.require_running()
    assert run.report is not None, run.stderr
    unmet = [
        (r["id"], r["importance"], r["status"], r["because"])
        for r in run.report["requirements"]
        if r["status"] in ("fail", "warn", "inconclusive")
    ]
    assert (run.status, run.report["verdict"], run.report["findings"]) == (0, "ready", []), unmet
