import inspect
import re

import pytest

from manyheads_shared import errors
from manyheads_shared.errors import DigestMismatchError, HubRefusedError, ManyheadsError, PrimaryMismatchError

TREE = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, ManyheadsError)}


def _drawn() -> dict[str, str | None]:
    """Each class of the drawn tree with the class it hangs from."""
    parents: dict[int, str] = {}
    drawn: dict[str, str | None] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            drawn[found[2]] = parents.get(depth - 1)
            parents[depth] = found[2]
    return drawn


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    real = {
        name: (value.__base__.__name__ if name != "ManyheadsError" else None) for name, value in TREE.items() if value.__base__
    }

    assert _drawn() == real


@pytest.mark.parametrize("name", TREE)
def test_every_error_says_when_it_is_raised_and_how_to_leave(name: str) -> None:
    assert TREE[name].__doc__
    assert 1 <= TREE[name].exit_code <= 5


def test_the_exit_codes_drawn_are_those_used() -> None:
    drawn = re.findall(r"(\w+Error)\b.*exit (\d)$", errors.__doc__ or "", re.MULTILINE)

    assert drawn
    assert all(TREE[name].exit_code == int(code) for name, code in drawn)


def test_a_mismatch_names_what_was_expected_and_what_came() -> None:
    error = DigestMismatchError("head alpha@1", "sha256:aa", "sha256:bb")

    assert str(error) == "head alpha@1: expected sha256:aa, got sha256:bb. The bytes were changed; fetch them again."
    assert (error.name, error.expected, error.actual) == ("head alpha@1", "sha256:aa", "sha256:bb")


def test_a_head_for_another_primary_says_what_to_do() -> None:
    assert "train it again on this one" in str(PrimaryMismatchError("alpha@1", "sha256:aa", "sha256:bb"))


def test_a_hubs_refusal_keeps_its_code_for_machines() -> None:
    error = HubRefusedError(422, "recall-too-low", "expected 0.9, got 0.5")

    assert (error.status_code, error.code, error.detail) == (422, "recall-too-low", "expected 0.9, got 0.5")
    assert "422 recall-too-low" in str(error)
