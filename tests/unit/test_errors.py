"""The errors that a person reads share one root, so that one place can turn them into a line."""

import pytest

from readycheck import errors


@pytest.mark.parametrize("kind", [errors.UsageError, errors.ProfileError, errors.ProbeLoadError])
def test_all_of_them_have_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.ReadycheckError)
    assert str(kind("a line")) == "a line"


def test_a_bug_is_none_of_them() -> None:
    assert not issubclass(errors.ReadycheckError, OSError | ValueError | RuntimeError)


def test_what_tasks_have_grouped_is_taken_apart() -> None:
    one, two, three = KeyError("one"), OSError("two"), ValueError("three")
    assert list(errors.leaves(ExceptionGroup("g", [ExceptionGroup("h", [one, two]), three]))) == [
        one,
        two,
        three,
    ]
    assert list(errors.leaves(one)) == [one]
