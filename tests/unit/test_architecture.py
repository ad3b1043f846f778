"""The shape of the source: import order is data-flow order, and some things live in one place only."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = (ROOT / "src", ROOT / "probes", ROOT / "profiles")

ORDER = (
    "readycheck",
    "readycheck.errors",
    "readycheck.patience",
    "readycheck.installation",
    "readycheck.units",
    "readycheck.failure",
    "readycheck.observation",
    "readycheck.wire",
    "readycheck.media",
    "readycheck.net",
    "readycheck.probe",
    "readycheck.net.traced",
    "readycheck.notation",
    "readycheck.spans",
    "readycheck.references",
    "readycheck.profile",
    "readycheck.toml_text",
    "readycheck.toml_lines",
    "readycheck.inheritance",
    "readycheck.profile_schema",
    "readycheck.profile_template",
    "readycheck.profile_file",
    "readycheck.catalog",
    "readycheck.registry",
    "readycheck.sampling",
    "readycheck.check",
    "readycheck.check_maker",
    "readycheck.plan",
    "readycheck.lateness",
    "readycheck.engine",
    "readycheck.denials",
    "readycheck.lost_packets",
    "readycheck.wakened",
    "readycheck.evidence",
    "readycheck.printed",
    "readycheck.walls",
    "readycheck.bands",
    "readycheck.check_verdict",
    "readycheck.judgement",
    "readycheck.verdict",
    "readycheck.diagnose",
    "readycheck.score",
    "readycheck.comparison.change",
    "readycheck.report",
    "readycheck.call",
    "readycheck.conclude",
    "readycheck.assess",
    "readycheck.rejudge",
    "readycheck.comparison",
    "readycheck.regression",
    "readycheck.pins",
    "readycheck.render",
    "readycheck.coverage",
    "readycheck.firewall",
    "readycheck.overview.words",
    "readycheck.profile_diff",
    "readycheck.overview",
    "readycheck.history",
    "readycheck.alert",
    "readycheck.telemetry",
    "readycheck.schedule",
    "readycheck.responder",
    "readycheck.twin",
    "readycheck.web",
    "readycheck.testing",
    "readycheck.cli",
    "readycheck.__main__",
)
"""The rooms of the engine: a module imports its own room and those above it, none below.

A package is one room, but for what is listed by its own name: the traced network is given to probes, so it
knows their contract, and the rest of `net` does not.
"""

PURE = (
    "wire",
    "sampling",
    "check",
    "check_maker",
    "plan",
    "denials",
    "lost_packets",
    "wakened",
    "evidence",
    "printed",
    "walls",
    "bands",
    "check_verdict",
    "judgement",
    "verdict",
    "diagnose",
    "score",
    "comparison",
    "regression",
    "report",
    "conclude",
    "render",
    "firewall",
    "overview",
    "coverage",
    "profile_diff",
    "telemetry.attribute",
    "telemetry.metrics",
    "telemetry.trace",
)
"""Stages that can be redone from a stored report: they neither wait nor touch the world."""
IMPURE_LIBRARIES = {"asyncio", "socket", "ssl", "subprocess", "threading", "time", "httpx", "dns"}

SOCKETS_LIVE_IN = ("readycheck.net", "readycheck.twin", "readycheck.responder", "readycheck_trace")
PROBES_MAY_IMPORT = ("probe", "observation", "failure", "units", "net", "wire", "media")
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base", "handler"}

NO_TEST_OF_THEIR_OWN = {
    "readycheck.check_verdict": "tested by the tests of verdict, which reads on from it",
    "readycheck.judgement": "tested by the tests of verdict, which reads on from it",
    "readycheck.__main__": "the entry point: run by every end-to-end test",
    "readycheck.check": "types, and what is read off them by the tests of check_maker and plan",
    "readycheck.cli": "thin: run by the end-to-end tests",
    "readycheck.comparison.change": "types",
    "readycheck.lost_packets": "what the evidence says of ports: run by its tests",
    "readycheck.diagnose.case": "what rules read: run by every case",
    "readycheck.diagnose.doors": "what the rules for hosts read: run by their tests",
    "readycheck.diagnose.finding": "types",
    "readycheck.diagnose.situation": "what follow-ups read: run by the tests of each of them",
    "readycheck.errors": "types",
    "readycheck.history.engine": "run by the tests of store and keep, against both databases",
    "readycheck.history.migrations": "run by the tests of migration",
    "readycheck.history.spool": "run by the tests of keep, which fills and empties it",
    "readycheck.history.schema": "tables: held against the migrations by the tests of migration",
    "readycheck.net.interface": "types",
    "readycheck.net.proxy_talk": "tested by the tests of tunnel, which talks through it",
    "readycheck.notation": "tested by the tests of profile, which is written in it",
    "readycheck.references": "tested by the tests of profile, which hold it together",
    "readycheck.profile_file": "tested by the tests of profile, which it reads",
    "readycheck.probe": "types",
    "readycheck.units": "types",
    "readycheck.regression.policy": "types",
    "readycheck.regression.track": "tested by the tests of advance, and measured by those of regressions",
    "readycheck.responder.filter": "run by the tests of reflector, which hangs it before its port",
    "readycheck.conclude": "run by the tests of assess and rejudge, and by every stored case",
    "readycheck_probes.asking": "shared by the probes: run against the servers of their tests",
    "readycheck_probes.binding": "shared by the probes",
    "readycheck_probes.dialling": "shared by the probes",
    "readycheck_probes.errand": "shared by the questions of nat: run by its tests",
    "readycheck_probes.exchange": "shared by the probes",
    "readycheck_probes.greeting": "shared by the probes",
    "readycheck_probes.hops": "shared by the probes: run by the tests of path, flow and repeat",
    "readycheck_probes.hostile": "shared by the probes",
    "readycheck_probes.lifetime": "the ladder of nat: run by its tests",
    "readycheck_probes.options": "shared by the probes: run by the tests of sip",
    "readycheck_probes.protocols": "what tcp can ask for: run by its tests",
    "readycheck_probes.own_address": "a question of nat: run by its tests",
    "readycheck_probes.quic_session": "run against the servers of the tests of quic",
    "readycheck_probes.tally": "shared by the probes",
    "readycheck_probes.upgrade": "run against the servers of the tests of websocket",
    "readycheck_trace.__main__": "the entry point: run by the tests of the package",
}
"""A package stands for all in it."""


@cache
def sources() -> dict[str, Path]:
    """All modules, by name; a package goes by the name of its folder."""
    found: dict[str, Path] = {}
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports, wherever in it: of our own the modules, of others the dotted names."""
    tree = ast.parse(sources()[module].read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in _names(module, node))


def _names(module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = _origin(module, node)
        submodules = {f"{origin}.{alias.name}" for alias in node.names} & set(sources())
        yield from submodules
        if len(submodules) < len(node.names):
            yield origin


def _origin(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = sources()[module].name == "__init__.py"
    parts = module.split(".")[: (1 if is_package else 0) - node.level or None]
    return ".".join([*parts, *([node.module] if node.module else [])])


def room(module: str) -> int:
    """The place of a module in the order: its own, or that of the package that it is in."""
    while module not in ORDER:
        module = module.rpartition(".")[0]
    return ORDER.index(module)


def belongs(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def engine_modules() -> list[str]:
    return [module for module in sources() if belongs(module, "readycheck")]


@pytest.mark.parametrize("module", engine_modules())
def test_a_module_imports_none_below_it(module: str) -> None:
    own = {name for name in imports(module) if belongs(name, "readycheck")}
    below = sorted(name for name in own if room(name) > room(module))
    assert not below, f"{module} imports what comes after it in the flow of data"


@pytest.mark.parametrize("module", engine_modules())
def test_every_room_is_in_the_order(module: str) -> None:
    known = {name.split(".")[1] for name in ORDER if "." in name}
    assert module == "readycheck" or module.split(".")[1] in known, f"give {module} a place in ORDER"


def test_there_are_no_cycles() -> None:
    graph = {module: imports(module) & set(sources()) for module in sources()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_probes_know_the_contract_only() -> None:
    allowed = tuple(f"readycheck.{name}" for name in PROBES_MAY_IMPORT)
    for module in sources():
        if belongs(module, "readycheck_probes"):
            own = {name for name in imports(module) if belongs(name, "readycheck", "readycheck_trace")}
            strangers = sorted(name for name in own if not belongs(name, *allowed))
            assert not strangers, f"{module} imports more of the engine than a third party could"


def test_the_engine_knows_no_probe_by_name() -> None:
    for module in engine_modules():
        named = [
            name for name in imports(module) if belongs(name, "readycheck_probes", "readycheck_profiles")
        ]
        assert not named, f"{module} goes around the entry points"


def test_pure_stages_touch_nothing() -> None:
    for module in sources():
        if belongs(module, *(f"readycheck.{stage}" for stage in PURE)):
            touched = {name.split(".")[0] for name in imports(module)} & IMPURE_LIBRARIES
            assert not touched, f"{module} is pure and imports {touched}"


def test_sockets_live_in_few_places() -> None:
    for module in engine_modules():
        if not belongs(module, *SOCKETS_LIVE_IN):
            assert "socket" not in imports(module), f"{module} goes around the network"


def test_scapy_lives_in_its_own_program() -> None:
    for module in sources():
        uses = {name.split(".")[0] for name in imports(module)}
        if belongs(module, "readycheck_trace"):
            assert not uses & {"readycheck", "readycheck_probes"}, f"{module}: licences are kept apart"
        else:
            assert not uses & {"scapy", "readycheck_trace"}, f"{module}: scapy is GPL-2.0-only"


def test_scapy_is_imported_on_use() -> None:
    for module in sources():
        if belongs(module, "readycheck_trace"):
            tree = ast.parse(sources()[module].read_text(encoding="utf-8"))
            eager = [name for node in tree.body for name in _names(module, node) if belongs(name, "scapy")]
            assert not eager, f"{module} imports scapy before it is asked to"


def test_names_say_something() -> None:
    for module in sources():
        assert not NAMES_OF_NOTHING & set(module.split(".")), f"{module}: name it for what it holds"


@pytest.mark.parametrize("module", [name for name, path in sources().items() if path.name != "__init__.py"])
def test_a_module_has_a_test_of_its_own(module: str) -> None:
    name = f"test_{module.rpartition('.')[2]}.py"
    tested = any(path.name == name for path in (ROOT / "tests").rglob("test_*.py"))
    excused = belongs(module, *NO_TEST_OF_THEIR_OWN)
    assert tested or excused, f"no {name} under tests/, and no excuse"


def test_excuses_are_in_use() -> None:
    assert set(NO_TEST_OF_THEIR_OWN) <= set(sources())


def test_whole_networks_are_played_where_make_looks_for_them() -> None:
    """`make test` spares the second of its two parts the reading of all other tests."""
    ignored = re.findall(r"--ignore=(\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert "tests/unit" in ignored
    texts = {path: path.read_text("utf-8") for folder in ignored for path in (ROOT / folder).rglob("*.py")}
    assert [
        path.name for path, text in texts.items() if re.search(r"pytest\.mark\.(lab|alone)\b", text)
    ] == []
