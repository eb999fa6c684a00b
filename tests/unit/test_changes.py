"""The journal of commits: which memories a process knows to have changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.store.changes import Changes


def test_nothing_has_changed_since_the_same_commit():
    assert Changes().between(7, 7, 10) == frozenset()


def test_commits_of_others_are_unknown():
    changes = Changes()
    changes.add(2, ["a"])
    changes.add(4, ["b"])
    assert changes.between(1, 2, 10) == {"a"}
    assert changes.between(3, 4, 10) == {"b"}
    assert changes.between(1, 4, 10) is None
    assert changes.between(4, 5, 10) is None


def test_more_than_can_be_looked_up_one_by_one_is_unknown():
    changes = Changes()
    changes.add(1, map(str, range(5)))
    assert changes.between(0, 1, 5) is not None
    assert changes.between(0, 1, 4) is None


@given(st.integers(0, 2_500), st.integers(0, 2_500))
def test_the_journal_is_bounded_and_never_wrong(after: int, until: int):
    changes = Changes()
    for version in range(1, 2_400):
        changes.add(version, [str(version)])
    found = changes.between(after, until, 10_000)
    if found is not None:
        assert found == {str(version) for version in range(after + 1, until + 1)}
    elif until < 2_400:
        assert after < 2_400 - 2_000
