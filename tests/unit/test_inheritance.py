"""A profile laid over its base: what merges, what replaces, what goes, and where a mistake is."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.inheritance import IDENTITY, Index, Loc, identity, lay_over, trace
from readycheck.profile import NameGroup, Profile
from tests.unit.builders import make_profile

BASE: dict[str, Any] = {
    "title": "Base",
    "documents": {"doc": {"title": "Ports", "revision": "1"}, "old": {"title": "Old"}},
    "networks": {"service": {"title": "S", "networks": ["192.0.2.0/24"]}},
    "names": {"web": {"domains": [{"pattern": "a.example.com", "certain": True}]}},
    "requirements": [{"id": "a", "ports": ["1", "2"], "targets": {"hosts": ["h"]}}, {"id": "b"}, {"id": "c"}],
    "exemptions": [{"names": ["a.example.com"], "reason": "x"}],
    "reserved": [{"transport": "udp", "ports": ["5004", "9000-9001"], "reason": "x"}],
    "controls": [{"host": "c.example.org", "port": 443, "purpose": "x"}],
    "withdrawn": [{"what": "one", "when": "1"}, {"what": "one", "when": "2"}],
}


def laid(**changes: Any) -> dict[str, Any]:
    merged, problems = lay_over(BASE, changes)
    assert problems == []
    return merged


def problems(**changes: Any) -> list[tuple[Loc, str]]:
    return lay_over(BASE, changes)[1]


# --- what is laid over --------------------------------------------------------------------------------


def test_scalars_replace_and_new_keys_are_added() -> None:
    assert laid(title="Mine", summary="New") == {**BASE, "title": "Mine", "summary": "New"}


def test_tables_merge_by_key() -> None:
    merged = laid(documents={"doc": {"revision": "2"}, "mine": {"title": "Mine"}})
    assert merged["documents"] == {
        "doc": {"title": "Ports", "revision": "2"},
        "old": {"title": "Old"},
        "mine": {"title": "Mine"},
    }


def test_rows_merge_by_what_they_are_known_by_and_keep_their_places() -> None:
    merged = laid(requirements=[{"id": "b", "weight": 2.0}, {"id": "d"}, {"id": "a", "ports": ["3"]}])
    assert merged["requirements"] == [
        {"id": "a", "ports": ["3"], "targets": {"hosts": ["h"]}},
        {"id": "b", "weight": 2.0},
        {"id": "c"},
        {"id": "d"},
    ]


def test_rows_inside_of_a_group_of_names_merge_too() -> None:
    change = {
        "web": {"domains": [{"pattern": "a.example.com", "purpose": "p"}, {"pattern": "b.example.com"}]}
    }
    assert laid(names=change)["names"]["web"]["domains"] == [
        {"pattern": "a.example.com", "certain": True, "purpose": "p"},
        {"pattern": "b.example.com"},
    ]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("exemptions", {"names": ["a.example.com"], "reason": "y"}),
        ("reserved", {"transport": "udp", "ports": [5004, "9000-9001"], "reason": "y"}),
        ("controls", {"host": "c.example.org", "port": "443", "transport": "tcp", "purpose": "y"}),
    ],
)
def test_a_row_may_be_known_by_several_keys(kind: str, row: dict[str, Any]) -> None:
    merged = laid(**{kind: [row]})[kind]
    assert merged == [{**BASE[kind][0], **row}]


def test_other_arrays_replace_and_an_empty_one_empties() -> None:
    assert laid(networks={"service": {"networks": ["198.51.100.0/24"]}})["networks"]["service"] == {
        "title": "S",
        "networks": ["198.51.100.0/24"],
    }
    assert laid(requirements=[])["requirements"] == []


def test_what_is_marked_goes() -> None:
    merged = laid(
        requirements=[{"id": "b", "remove": True}],
        documents={"old": {"remove": True}},
        names={"web": {"domains": [{"pattern": "a.example.com", "remove": True}]}},
    )
    assert [row["id"] for row in merged["requirements"]] == ["a", "c"]
    assert list(merged["documents"]) == ["doc"]
    assert merged["names"]["web"]["domains"] == []


def test_the_base_itself_is_not_touched() -> None:
    before = repr(BASE)
    laid(requirements=[{"id": "a", "targets": {"hosts": []}}], documents={"old": {"remove": True}})
    assert repr(BASE) == before


@pytest.mark.parametrize(
    ("changes", "place", "text"),
    [
        ({"requirements": [{"id": "z", "remove": True}]}, ("requirements", 0), "nothing to remove"),
        ({"documents": {"z": {"remove": True}}}, ("documents", "z"), "nothing to remove"),
        ({"roles": [{"name": "z", "remove": True}]}, ("roles", 0), "nothing to remove"),
        (
            {"requirements": [{"id": "a", "remove": True, "title": "x"}]},
            ("requirements", 0),
            "nothing else can be said",
        ),
        ({"documents": {"doc": {"remove": True, "title": "x"}}}, ("documents", "doc"), "nothing else can be"),
        ({"requirements": [{"id": "a"}, {"id": "a"}]}, ("requirements", 1), "is changed twice"),
        ({"withdrawn": [{"what": "one", "when": "3"}]}, ("withdrawn", 0), "the base has 2 of it"),
    ],
)
def test_what_cannot_be_done_is_said_at_its_place(changes: dict[str, Any], place: Loc, text: str) -> None:
    [(where, what)] = problems(**changes)
    assert where == place
    assert text in what


@pytest.mark.parametrize("value", [5, "x", [1], [{"id": "a"}, 7], {"id": "a"}, [{"title": "no id"}], [[]]])
def test_what_is_of_the_wrong_type_is_left_for_the_schema_to_refuse(value: Any) -> None:
    lay_over(BASE, {"requirements": value, "documents": value, "networks": {"service": value}})
    lay_over({"requirements": value, "networks": value}, BASE)


TABLES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "requirements", "remove", "names", "domains"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(sorted(IDENTITY)), TABLES),
    st.dictionaries(st.sampled_from(sorted(IDENTITY)), TABLES),
)
def test_anything_can_be_laid_over_anything(base: dict[str, Any], changes: dict[str, Any]) -> None:
    merged, found = lay_over(base, changes)
    for loc in [("requirements", 0, "id"), *(place for place, _ in found)]:
        assert trace(loc, merged, [changes, base])[0] in (0, 1)


def test_rows_are_known_by_fields_that_they_have() -> None:
    tables = {**Profile.model_fields, **NameGroup.model_fields}
    for kind, keys in IDENTITY.items():
        row = get_args(tables[kind].annotation)[0]
        assert set(keys) <= set(row.model_fields), kind


# --- where it stands ----------------------------------------------------------------------------------


def test_what_stands_in_a_file_is_found_there() -> None:
    changes = {
        "requirements": [{"id": "new", "ports": ["1"]}, {"id": "c", "ports": ["0"]}],
        "networks": {"service": {"title": "T"}},
    }
    merged, _ = lay_over(BASE, changes)
    layers = [changes, BASE]
    assert trace(("requirements", 2, "ports", 0), merged, layers) == (0, ("requirements", 1, "ports", 0))
    assert trace(("requirements", 3, "ports", 0), merged, layers) == (0, ("requirements", 0, "ports", 0))
    assert trace(("requirements", 0, "ports", 1), merged, layers) == (1, ("requirements", 0, "ports", 1))
    assert trace(("networks", "service", "title"), merged, layers) == (0, ("networks", "service", "title"))
    assert trace(("networks", "service", "networks", 0), merged, layers)[0] == 1


def test_what_is_missing_belongs_to_the_file_that_has_its_row() -> None:
    changes = {"requirements": [{"id": "new"}]}
    merged, _ = lay_over(BASE, changes)
    assert trace(("requirements", 3, "title"), merged, [changes, BASE]) == (0, ("requirements", 0, "title"))
    assert trace(("requirements", 1, "title"), merged, [changes, BASE]) == (1, ("requirements", 1, "title"))
    assert trace(("revision",), merged, [changes, BASE]) == (0, ("revision",))


def test_many_places_do_not_each_search_all_rows() -> None:
    class Counted(list[Any]):
        looked_at = 0

        def __getitem__(self, number: Any) -> Any:
            self.looked_at += 1
            return super().__getitem__(number)

    base = {"requirements": Counted({"id": str(number)} for number in range(1000))}
    merged, _ = lay_over(base, {"requirements": [{"id": "0", "remove": True}]})
    index: Index = {}
    found = [trace(("requirements", n, "title"), merged, [{}, base], index) for n in range(999)]
    assert found == [(1, ("requirements", n + 1, "title")) for n in range(999)]
    assert base["requirements"].looked_at < 5000


def test_a_profile_laid_over_itself_is_itself() -> None:
    tables = make_profile().model_dump(mode="json", exclude_defaults=True)
    assert lay_over(tables, tables) == (tables, [])
    assert identity(tables["requirements"][0], ("requirements",)) == ("sip",)
