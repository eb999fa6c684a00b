"""The journal of commits: what a process knows to have changed."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.api.models import Kind, Memory
from mem_mcp.store import Version
from mem_mcp.store.change_feed import Changes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(memory_id: str, user_id: str = "ann", kind: Kind = "fact") -> Version:
    memory = Memory(
        version_id=f"{memory_id}.1",
        memory_id=memory_id,
        version=1,
        event="ADD",
        text=memory_id,
        kind=kind,
        user_id=user_id,
        content_hash=memory_id,
        occurred_at=NOW,
        recorded_at=NOW,
    )
    return Version(memory, None)


def ids(
    changes: Changes,
    after: int,
    until: int,
    most: int = 10,
    users: tuple[str, ...] = ("ann",),
    kinds: tuple[str, ...] = (),
) -> set[str] | None:
    found = changes.between(after, until, most, users, kinds)
    return None if found is None else set(found)


def test_nothing_has_changed_since_the_same_commit():
    assert ids(Changes(), 7, 7) == set()


def test_commits_of_others_are_unknown():
    changes = Changes()
    changes.add(2, [row("a")])
    changes.add(4, [row("b")])
    assert ids(changes, 1, 2) == {"a"}
    assert ids(changes, 3, 4) == {"b"}
    assert ids(changes, 1, 4) is None
    assert ids(changes, 4, 5) is None


def test_only_what_is_asked_for_counts():
    changes = Changes()
    changes.add(1, [row("a"), row("b", user_id="bob"), row("c", kind="outcome")])
    assert ids(changes, 0, 1) == {"a", "c"}
    assert ids(changes, 0, 1, users=("bob",)) == {"b"}
    assert ids(changes, 0, 1, kinds=("outcome",)) == {"c"}


def test_the_current_row_is_the_last_that_is_known():
    changes = Changes()
    first, second = row("a"), row("a")
    changes.add(1, [first], [first])
    changes.add(2, [second], [second])
    assert changes.between(0, 2, 10, ["ann"], []) == {"a": second}
    changes.add(3, [first])
    assert changes.between(0, 3, 10, ["ann"], []) == {"a": None}


def test_more_than_can_be_looked_up_one_by_one_is_unknown():
    changes = Changes()
    changes.add(1, [row(str(number)) for number in range(5)])
    assert ids(changes, 0, 1, most=5) is not None
    assert ids(changes, 0, 1, most=4) is None


@given(st.integers(0, 2_500), st.integers(0, 2_500))
def test_the_journal_is_bounded_and_never_wrong(after: int, until: int):
    found = ids(LONG, after, until, most=10_000)
    if found is not None:
        assert found == {str(version) for version in range(after + 1, until + 1)}
    elif until < 2_400:
        assert after < 2_400 - 2_000


LONG = Changes()
for _version in range(1, 2_400):
    LONG.add(_version, [row(str(_version))])
