"""What changed from one run to another."""

from dataclasses import replace

from readycheck.history.difference import Change, difference
from tests.unit.history.runs import case, small


def kinds(found: tuple[Change, ...], kind: str) -> dict[str, tuple[object, object]]:
    return {change.what: (change.before, change.after) for change in found if change.kind == kind}


def test_the_same_run_has_no_difference() -> None:
    assert difference(case("sni-required"), case("sni-required")) == ()


def test_causes_come_and_go() -> None:
    found = tuple(difference(case("sni-filter"), case("sni-required")))
    causes = kinds(found, "finding")
    assert [after for _, after in causes.values()].count(None) == 1
    assert any(what.startswith("sni-required") and before is None for what, (before, _) in causes.items())
    assert kinds(found, "requirement")


def test_what_else_changed_is_named() -> None:
    before = small(1)
    after = replace(
        small(2, profile_revision="2027-01"),
        environment=replace(before.environment, resolvers=("192.0.2.53",), gateway="10.9.9.1"),
        tool=replace(before.tool, version="9.9"),
    )
    assert kinds(tuple(difference(before, after)), "surroundings") == {
        "readycheck": (before.tool.version, "9.9"),
        "profile revision": (before.run.profile_revision, "2027-01"),
        "gateway": ("10.1.2.1", "10.9.9.1"),
        "resolvers": ("10.1.2.1, 9.9.9.9", "192.0.2.53"),
    }


def test_only_a_clear_change_of_a_number_is_told() -> None:
    report = case("sni-required")
    slower = replace(
        report,
        checks=tuple(
            replace(check, metrics={**check.metrics, "rtt_ms": 80.0, "slowest_ms": (value or 0) * 1.01})
            if check.requirement == "dns-udp" and isinstance(value := check.metrics.get("slowest_ms"), float)
            else check
            for check in report.checks
        ),
    )
    assert list(kinds(tuple(difference(report, slower)), "number")) == ["dns-udp.rtt_ms"]
