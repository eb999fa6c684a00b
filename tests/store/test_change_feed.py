"""The change feed between processes and the journal of commits: never wrong, at worst unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.api.models import Kind, Memory
from mem_mcp.store import Version
from mem_mcp.store import change_feed as module
from mem_mcp.store.change_feed import Changes, Notices

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(memory_id: str, user_id: str = "ann", kind: Kind = "fact") -> Version:
    memory = Memory(
        version_id=f"{memory_id}.1",
        memory_id=memory_id,
        version=1,
        event="ADD",
        text="text",
        kind=kind,
        user_id=user_id,
        content_hash=memory_id,
        occurred_at=NOW,
        recorded_at=NOW,
    )
    return Version(memory, None)


def between(changes: Changes, after: int, until: int, user: str = "ann") -> set[str] | None:
    found = changes.between(after, until, 10, (user,), ())
    return None if found is None else set(found)


def test_a_commit_of_another_process_is_known_and_its_current_row_is_not(tmp_path: Path):
    one, other = (Changes(Notices(tmp_path / "commits")) for _ in range(2))
    other.add(2, [row("a"), row("b", "bob")], [row("a")])
    assert one.between(1, 2, 10, ("ann",), ()) == {"a": None}
    assert between(one, 1, 2, "bob") == {"b"}
    one.add(3, [row("c")], [row("c")])
    assert between(one, 1, 3) == {"a", "c"}
    assert other.between(2, 3, 10, ("ann",), ()) == {"c": None}
    mine = one.between(2, 3, 10, ("ann",), ())
    assert mine is not None
    assert mine["c"] is not None, "what a process knows of its own commits stays"


def test_what_was_told_before_a_process_began_does_not_count(tmp_path: Path):
    Notices(tmp_path / "commits").post(2, [row("of a time that a backup has undone")])
    assert between(Changes(Notices(tmp_path / "commits")), 1, 2) is None


def test_a_large_commit_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_IN_A_LINE", 2)
    one, other = (Changes(Notices(tmp_path / "commits")) for _ in range(2))
    other.add(2, [row(name) for name in "abc"])
    assert between(one, 1, 2) is None


@pytest.mark.parametrize(
    "said", ["rubbish\n", '[3, [["a"]]]\n', "[null, []]\n", '{"a": 1}\n', "\n"]
)
def test_a_line_that_cannot_be_read_tells_nothing(tmp_path: Path, said: str):
    path = tmp_path / "commits"
    one = Changes(Notices(path))
    with path.open("a") as file:
        file.write(said)
    Notices(path).post(2, [row("a")])
    assert between(one, 1, 2) == {"a"}
    assert between(one, 2, 3) is None


def test_a_line_counts_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "commits"
    one = Changes(Notices(path))
    Notices(path).post(2, [row("a")])
    whole = path.read_bytes()
    path.write_bytes(whole[:7])
    assert between(one, 1, 2) is None
    with path.open("ab") as file:
        file.write(whole[7:])
    assert between(one, 1, 2) == {"a"}


def test_the_file_stays_small_and_a_new_one_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "commits"
    monkeypatch.setattr(module, "_MOST_BYTES", 500)
    one, other = (Changes(Notices(path)) for _ in range(2))
    for version in range(2, 100):
        other.add(version, [row(f"m{version}")])
        assert between(one, version - 1, version) in ({f"m{version}"}, None)
        assert path.stat().st_size < 700
    path.unlink()
    other.add(100, [row("last")])
    assert between(one, 99, 100) in ({"last"}, None)
    other.add(101, [row("very last")])
    assert between(one, 100, 101) == {"very last"}


def test_a_folder_that_is_gone_loses_no_commit(tmp_path: Path):
    changes = Changes(Notices(tmp_path / "gone" / "commits"))
    changes.add(2, [row("a")])
    assert between(changes, 1, 2) == {"a"}
    assert between(changes, 2, 3) is None


@given(
    st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5),
    st.integers(min_value=0),
)
def test_no_end_of_a_line_can_be_read_as_another_one(
    tmp_path_factory: pytest.TempPathFactory, memories: list[tuple[str, str]], start: int
):
    path = tmp_path_factory.mktemp("notices") / "commits"
    Notices(path).post(7, [row(memory_id, user_id) for memory_id, user_id in memories])
    whole = path.read_bytes()
    listening = Notices(path.with_name("other"))
    listening._path.write_bytes(whole[1 + start % (len(whole) - 1) :])
    assert list(listening.new()) == []


# The journal of this process.


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
