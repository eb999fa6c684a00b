"""Chains: the versions of memories of another store, taken over with their ids and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mem_mcp.api.models import Memory
from mem_mcp.errors import WriteConflict
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store, TextVectors, Version, unbroken
from mem_mcp.writing.memory_text import embedded_text
from mem_mcp.writing.text_vectors import embed_memories

_Place = tuple[str, str | None, int]
"""User, run and position of a message."""
_PLACED = ("memory_id", "kind", "user_id", "run_id", "position", "status", "content_hash")


@dataclass(slots=True)
class Chain:
    """The versions of one memory, each with the line that it was read from."""

    lines: dict[int, int] = field(default_factory=dict)
    """Version to line."""
    versions: dict[int, Memory] = field(default_factory=dict)


@dataclass(slots=True)
class Taken:
    """What became of chains."""

    added: int = 0
    """Versions that are stored now."""
    known: int = 0
    """Versions that were stored already."""
    errors: list[tuple[int, str]] = field(default_factory=list)
    """Line and what is wrong with it."""
    again: list[tuple[int, Memory]] = field(default_factory=list)
    """Line and memory: the same text was stored here and there, each in its own way."""


@dataclass(slots=True)
class _Plan:
    add: list[Memory]
    close: list[Version]
    taken: Taken


@unbroken
async def take_over(runtime: Runtime, chains: Sequence[Chain]) -> Taken:
    """Store the versions that are missing here, in one commit.

    Args:
        runtime: what to work with.
        chains: of different memories.

    Raises:
        WriteConflict: others kept changing the same memories; nothing was stored.
    """
    wrong: list[tuple[int, str]] = []
    for chain in chains:
        wrong += _mend(chain)
    vectors: dict[str, TextVectors] = {}
    for _ in range(WRITE_ATTEMPTS):
        stored = await _stored(runtime.store, chains)
        plan = _planned(chains, stored, await _places(runtime.store, chains))
        await _embed(runtime, plan.add, vectors)
        none = TextVectors()
        rows = [
            Version(one, *(none if one.status == "deleted" else vectors[embedded_text(one)]))
            for one in plan.add
        ]
        if not rows or await runtime.store.apply(rows, plan.close):
            plan.taken.errors += wrong
            return plan.taken
    raise WriteConflict("others keep changing the same memories; try again")


def _mend(chain: Chain) -> list[tuple[int, str]]:
    """Leave out of a chain what cannot be true, and say what is wrong with it."""
    wrong: list[tuple[int, str]] = []
    numbers = sorted(chain.versions)
    for number in numbers:
        memory = chain.versions[number]
        earlier = [one for version, one in chain.versions.items() if version < number]
        before = max(earlier, key=lambda one: one.version, default=None)
        problem = ""
        if memory.superseded_at is not None and memory.superseded_at < memory.recorded_at:
            problem = "superseded_at: is before recorded_at"
        elif before is not None and memory.recorded_at <= before.recorded_at:
            problem = f"recorded_at: is not after that of version {before.version}"
        elif memory.superseded_at is None and number != numbers[-1]:
            problem = f"superseded_at: is missing, and version {numbers[-1]} is current, too"
        if problem:
            wrong.append((chain.lines[number], f"{problem}; the line was skipped"))
            del chain.versions[number]
        elif number > 1 and (before is None or before.version != number - 1):
            wrong.append((chain.lines[number], f"version: version {number - 1} is missing"))
    return wrong


async def _stored(store: Store, chains: Sequence[Chain]) -> dict[str, dict[int, Version]]:
    """Return what is stored of these memories, version by version."""
    ids = sorted({one.memory_id for chain in chains for one in chain.versions.values()})
    found: dict[str, dict[int, Version]] = {}
    if not ids:
        return found
    rows = await store.read({"memory_id": {"in": ids}}, columns=EVERY_FIELD)
    for row in rows:
        found.setdefault(row.memory.memory_id, {})[row.memory.version] = row
    return found


def place_taken(memory: Memory) -> str:
    """Say that another message has the place of one in its run."""
    place = f"position: {memory.position} of this run is taken by another message"
    return f"{place}; leave it out"


async def _places(store: Store, chains: Sequence[Chain]) -> dict[_Place, Memory]:
    """Return the messages that are in the places of those in chains now."""
    asked: dict[tuple[str, str | None], list[int | None]] = {}
    for chain in chains:
        if chain.versions and (place := _place(chain.versions[max(chain.versions)])):
            user_id, run_id, position = place
            asked.setdefault((user_id, run_id), []).append(position)
    conditions = [
        {
            "user_id": user_id,
            "run_id": {"exists": False} if run_id is None else run_id,
            "position": {"in": positions},
        }
        for (user_id, run_id), positions in asked.items()
    ]
    if not conditions:
        return {}
    here = {"kind": "message", "superseded_at": {"exists": False}, "status": {"ne": "deleted"}}
    rows = await store.read({**here, "OR": conditions}, columns=_PLACED)
    return {place: row.memory for row in rows if (place := _place(row.memory))}


def _place(memory: Memory) -> _Place | None:
    """Return the place of a message in its run; None for what has none, or is forgotten."""
    if memory.kind != "message" or memory.position is None or memory.status == "deleted":
        return None
    return memory.user_id, memory.run_id, memory.position


def _planned(
    chains: Sequence[Chain], stored: dict[str, dict[int, Version]], places: dict[_Place, Memory]
) -> _Plan:
    plan, places = _Plan([], [], Taken()), dict(places)
    for chain in chains:
        if not chain.versions:
            continue
        newest = chain.versions[max(chain.versions)]
        place = _place(newest)
        other = places.setdefault(place, newest) if place else newest
        if other.memory_id == newest.memory_id:
            _plan_chain(plan, chain, newest, stored.get(newest.memory_id, {}))
        elif other.content_hash == newest.content_hash:
            plan.taken.again.append((chain.lines[newest.version], newest))
        else:
            plan.taken.errors.append((chain.lines[newest.version], place_taken(newest)))
    return plan


def _plan_chain(plan: _Plan, chain: Chain, newest: Memory, here: dict[int, Version]) -> None:
    taken, last = plan.taken, max(here, default=0)
    other = next(
        (n for n in sorted(chain.versions) if n in here and _differ(chain.versions[n], here[n])),
        None,
    )
    if other is not None:
        current = here[last].memory
        if current.content_hash == newest.content_hash and "deleted" not in (
            current.status, newest.status,
        ):  # fmt: skip
            taken.again.append((chain.lines[newest.version], newest))
            return
        taken.errors.append(
            (
                chain.lines[other],
                f"memory_id: version {other} of memory {newest.memory_id!r} is another one here; "
                "it stays as it is",
            )
        )
        return
    missing = [chain.versions[n] for n in sorted(chain.versions) if n not in here]
    taken.known += len(chain.versions) - len(missing)
    taken.added += len(missing)
    if missing and missing[-1].version > last and missing[-1].superseded_at is not None:
        taken.errors.append(
            (
                chain.lines[newest.version],
                f"version: version {newest.version + 1} is missing, so this one is current",
            )
        )
        missing[-1] = missing[-1].model_copy(update={"superseded_at": None})
    plan.add += missing
    follower = next((one for one in missing if one.version > last), None)
    if last and follower is not None and here[last].memory.superseded_at is None:
        ended = {"superseded_at": follower.recorded_at}
        closed = here[last].memory.model_copy(update=ended)
        plan.close.append(Version(closed, *here[last].vectors))


def _differ(there: Memory, here: Version) -> bool:
    names = ("recorded_at", "content_hash", "event", "status")
    return any(getattr(there, name) != getattr(here.memory, name) for name in names)


async def _embed(
    runtime: Runtime, memories: Sequence[Memory], vectors: dict[str, TextVectors]
) -> None:
    """Add the vectors of texts that are not there yet."""
    texts = {embedded_text(one): one for one in memories if one.status != "deleted"}
    asked = sorted(texts.keys() - vectors.keys(), key=len)
    if asked:
        made, _ = await embed_memories(runtime, [texts[text] for text in asked])
        vectors |= dict(zip(asked, made, strict=True))
