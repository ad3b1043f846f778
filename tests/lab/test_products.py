"""Each role of each product that can be tested from its place is ready on the open network of real servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readycheck.catalog import available, read
from readycheck.profile import Profile

from .agent import run_agent
from .cloud import NODES, CloudMode
from .world import RowMode, World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

PEERED = ("webex-calling-dedicated-instance",)
"""Its page forbids address translation, and its networks are reached over a link of their own."""


def _cases() -> Iterator[Any]:
    for name, *_ in sorted(available(), key=lambda found: found[0]):
        profile = read(name)
        for role in profile.roles:
            if _is_testable(profile, role.name):
                yield pytest.param(name, role.name, id=f"{name}-{role.name}")


def _is_testable(profile: Profile, role: str) -> bool:
    mine = (r for r in profile.requirements if role in r.roles)
    return any(r.probe and not r.untestable for r in mine)


@pytest.mark.parametrize(("product", "role"), [*_cases()], indirect=["product"])
def test_a_role_is_ready(product: World, role: str, bytecode: Path) -> None:
    name = product.profile.name
    product.arrange(RowMode(nat=name not in PEERED), CloudMode(media_answers=True))
    given = [
        word
        for placeholder, row in product.profile.placeholders.items()
        if row.example
        for word in ("--set", f"{placeholder}={row.example}")
    ]
    given += [word for node in NODES[:1] if "webex" in name for word in ("--target", node)]
    roots = str(product.certificates.roots)
    arguments = ["run", name, "--role", role, "-f", "json", "--trust-roots", roots, *given]
    run = run_agent(product.machine, "client", arguments, bytecode)
    product.servers.require_running()
    assert run.report is not None, run.stderr
    unmet = [
        (r["id"], r["importance"], r["status"], r["because"])
        for r in run.report["requirements"]
        if r["status"] in ("fail", "warn", "inconclusive")
    ]
    assert (run.status, run.report["verdict"], run.report["findings"]) == (0, "ready", []), unmet
