"""Acknowledged, and nothing else: random use and faults, against a dictionary of what was said."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mem_mcp import Memory, Settings
from mem_mcp.embedding import CachedEmbedder
from mem_mcp.errors import EmbedderUnavailable, StoreError
from mem_mcp.store import Store

USERS = st.sampled_from(["ann", "bob"])
SUBJECTS = ["kettle", "bridge", "harbour", "violin", "lantern", "orchard"]
VALUES = ["red", "blue", "12", "21", "5", "✅", "open", "closed"]
TEXTS = st.builds("The {} is {}".format, st.sampled_from(SUBJECTS), st.sampled_from(VALUES))
TAGS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2)
MARKS = st.sampled_from(["POSITIVE", "NEGATIVE", "VERY_NEGATIVE", None])
TASK = "Move the piano"


@dataclass
class Known:
    """What was acknowledged of one memory."""

    user: str
    text: str
    tags: set[str] = field(default_factory=set)
    status: str = "active"


@contextmanager
def fault(method: str, *, after: bool) -> Iterator[None]:
    """Let a method of the store fail before or after its work, as a kill at that moment would."""
    right = getattr(Store, method)

    async def fails(self: Store, *args: Any, **kwargs: Any) -> Any:
        if after:
            await right(self, *args, **kwargs)
        raise StoreError("a fault of this test")

    patch = pytest.MonkeyPatch()
    patch.setattr(Store, method, fails)
    try:
        yield
    finally:
        patch.undo()


class Use(RuleBasedStateMachine):
    """One memory that is used at random."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="use"))
        self.number = 0
        self.facts: dict[str, Known] = {}
        self.outcomes: dict[str, str] = {}
        """Id to user."""
        self.unsure: dict[tuple[str, str], set[str]] = {}
        """What was said and not acknowledged, by user and text: its tags."""
        self.memory = self.opened()

    def opened(self) -> Memory:
        return Memory.open(Settings(data_dir=self.folder / str(self.number)))

    def teardown(self) -> None:
        self.memory.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def holder(self, user: str, text: str) -> str | None:
        each = (i for i, one in self.facts.items() if (one.user, one.text) == (user, text))
        return next(each, None)

    def some(self, data: st.DataObject) -> tuple[str, Known]:
        memory_id = data.draw(st.sampled_from(sorted(self.facts)))
        return memory_id, self.facts[memory_id]

    def acknowledged(self, memory_id: str, user: str, text: str, tags: set[str]) -> None:
        holder = self.holder(user, text)
        assert holder in (None, memory_id)
        known = self.facts.setdefault(memory_id, Known(user, text))
        known.tags |= tags
        known.status = "active"

    def settle(self) -> None:
        """See what became of what was not acknowledged: it is whole, or it is absent."""
        for (user, text), tags in self.unsure.items():
            listed = self.memory.list_memories(user_id=user, filters={"text": text}).memories
            for one in listed:
                if one.memory_id not in self.facts:
                    assert {*one.tags} == tags
                    self.facts[one.memory_id] = Known(user, text, {*tags})
                else:
                    known = self.facts[one.memory_id]
                    assert ({*one.tags}, one.status) in (
                        (known.tags, known.status), (known.tags | tags, "active"),
                    )  # fmt: skip
                    known.tags, known.status = {*one.tags}, one.status
        self.unsure.clear()

    @rule(user=USERS, text=TEXTS, tags=TAGS)
    def remember(self, user: str, text: str, tags: list[str]) -> None:
        holder = self.holder(user, text)
        (one,) = self.memory.remember(text, user_id=user, tags=tags).results
        if holder is None:
            assert one.event == "ADD"
        else:
            known = self.facts[holder]
            is_new = not {*tags} <= known.tags or known.status != "active"
            assert (one.memory_id, one.event) == (holder, "UPDATE" if is_new else "NONE")
        self.acknowledged(one.memory_id, user, text, {*tags})

    @rule(user=USERS, texts=st.lists(TEXTS, min_size=1, max_size=4))
    def remember_many(self, user: str, texts: list[str]) -> None:
        items = [{"content": text, "user_id": user} for text in texts]
        for text, one in zip(texts, self.memory.remember_many(items).results, strict=True):
            self.acknowledged(one.memory_id, user, text, set())

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), text=TEXTS)
    def update(self, data: st.DataObject, text: str) -> None:
        memory_id, known = self.some(data)
        if self.holder(known.user, text) in (None, memory_id):
            self.memory.update_memory(memory_id, content=text, user_id=known.user)
            known.text = text

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), status=st.sampled_from(["active", "archived"]))
    def set_status(self, data: st.DataObject, status: str) -> None:
        memory_id, known = self.some(data)
        self.memory.update_memory(memory_id, status=status, user_id=known.user)
        known.status = status

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), purge=st.booleans())
    def forget(self, data: st.DataObject, purge: bool) -> None:
        memory_id, known = self.some(data)
        assert self.memory.forget(memory_id, user_id=known.user, purge=purge).forgotten
        del self.facts[memory_id]

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), mark=MARKS)
    def mark(self, data: st.DataObject, mark: str | None) -> None:
        memory_id, known = self.some(data)
        self.memory.give_feedback(memory_id, mark, user_id=known.user)
        status = self.memory.get_memory(memory_id, user_id=known.user).memory.status
        if mark == "VERY_NEGATIVE" and known.status != "archived":
            assert status == "hidden"
        assert (status == "archived") == (known.status == "archived")
        known.status = status

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), outcome=st.sampled_from(["success", "failure"]))
    def record(self, data: st.DataObject, outcome: str) -> None:
        used, known = self.some(data)
        done = self.memory.record_outcome(
            TASK, outcome=outcome, used_memory_ids=[used], user_id=known.user
        )
        assert done.credited == [used]
        self.outcomes[done.memory_id] = known.user

    @rule()
    def restart(self) -> None:
        self.memory.close()
        self.memory = self.opened()

    @rule(user=USERS, text=TEXTS, tags=TAGS, after=st.booleans())
    def killed(self, user: str, text: str, tags: list[str], after: bool) -> None:
        self.unsure[user, text] = {*tags}
        with fault("apply", after=after), suppress(StoreError):
            self.memory.remember(text, user_id=user, tags=tags)
        self.restart()
        self.settle()

    @rule(user=USERS, text=TEXTS)
    def without_the_embedder(self, user: str, text: str) -> None:
        async def fails(*_: object) -> Any:
            raise EmbedderUnavailable("a fault of this test")

        patch = pytest.MonkeyPatch()
        patch.setattr(CachedEmbedder, "embed", fails)
        try:
            self.remember(user, text, [])
        finally:
            patch.undo()

    @rule()
    def move(self) -> None:
        """Go on in another store, with what an export of this one holds."""
        asynchronous = self.memory.asynchronous

        async def exported() -> list[bytes]:
            return [line.encode() async for line in asynchronous.export_lines(traces=True)]

        lines = self.memory.wait(exported)
        self.memory.close()
        self.number += 1
        self.memory = self.opened()
        there = self.memory.asynchronous
        done = self.memory.wait(lambda: there.import_lines(lines))
        assert (done.duplicates, done.errors) == (0, [])
        again = self.memory.wait(lambda: there.import_lines(lines))
        assert (again.imported, again.errors) == (0, [])

    @rule()
    def check(self) -> None:
        """What was acknowledged is listed, found and exported, and nothing else is there."""
        for user in ("ann", "bob"):
            facts = {i: one for i, one in self.facts.items() if one.user == user}
            listed = self.memory.list_memories(user_id=user, limit=200).memories
            assert {one.memory_id: (one.text, one.status) for one in listed} == {
                **{i: (one.text, one.status) for i, one in facts.items()},
                **{i: (TASK, "active") for i, owner in self.outcomes.items() if owner == user},
            }
            for memory_id, one in facts.items():
                found = self.memory.recall(one.text, user_id=user, limit=3).memories
                ids = {own for each in found for own in (each.memory_id, *each.also)}
                assert (memory_id in ids) == (one.status == "active"), one
        asynchronous = self.memory.asynchronous

        async def current() -> set[str]:
            lines = [json.loads(line) async for line in asynchronous.export_lines()]
            return {
                one["memory_id"]
                for one in lines
                if "memory_id" in one
                and "superseded_at" not in one
                and one.get("status") != "deleted"
            }

        assert self.memory.wait(current) == {*self.facts, *self.outcomes}


def use(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Use,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )


@pytest.mark.slow
def test_what_was_acknowledged_is_there_and_nothing_else():
    use(50, 12)


@pytest.mark.full
def test_what_was_acknowledged_is_there_and_nothing_else_in_two_thousand_runs():
    use(2_000, 12)
