"""How fast writes are: one durable memory, and a thousand."""

from __future__ import annotations

from mem_mcp.evaluation.speed.layout import usual_user
from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import beside, figure, paced, taken

_BATCH_USER = "batches"
_ROW = 10


async def single_writes(rig: Rig) -> list[Figure]:
    """Time remember beside one embedding and one LanceDB add.

    Each in rows of some: the floor's commits are another process's, after which the product reads
    what it had in memory anew, and so it is measured once in each row, not at every call.
    """
    user, said = usual_user(rig.size), rig.corpus.said
    await rig.memory.remember("The first write of a process opens files.", user_id=user)
    await rig.floor.remember("The first write of a process opens files.", "first")
    ours: list[float] = []
    floor: list[float] = []
    for row in paced(-(-rig.counts.writes // _ROW), rig.counts.seconds):
        numbers = range(row * _ROW, min((row + 1) * _ROW, rig.counts.writes))
        texts = [f"{said[number % len(said)].text} ({number})" for number in numbers]
        ours += [await taken(rig.memory.remember(text, user_id=user)) for text in texts]
        floor += [
            await taken(rig.floor.remember(text, str(number)))
            for number, text in zip(numbers, texts, strict=True)
        ]
    return [figure("remember", rig.size, ours, floor)]


async def batch_writes(rig: Rig) -> list[Figure]:
    """Time remember_many beside the embedder's own work on the same texts."""
    batches = [_batch(rig, number) for number in range(rig.counts.rounds)]
    ours, floor = await beside(
        lambda number: rig.memory.remember_many(
            [{"content": text, "user_id": _BATCH_USER} for text in batches[number]]
        ),
        lambda number: rig.floor.embedder.embed(batches[number]),
        rig.counts.rounds,
        rig.counts.seconds,
    )
    size = rig.counts.batch
    rates = [size / seconds for seconds in ours], [size / seconds for seconds in floor]
    return [figure(f"remember_many of {size:,}", rig.size, *rates, unit="memories/s")]


def _batch(rig: Rig, number: int) -> list[str]:
    """Return texts that no other batch has: a repeated one would not be stored."""
    said = rig.corpus.said
    first = number * rig.counts.batch
    rows = range(first, first + rig.counts.batch)
    return [f"{said[row % len(said)].text} ({row})" for row in rows]
