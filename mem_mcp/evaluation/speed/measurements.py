"""How fast recall and writes are, and how well the planner of vector searches chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np

from mem_mcp.evaluation.speed.fill import OWNER, TAGS, small_users
from mem_mcp.evaluation.speed.report import Figure, PlannerSearch
from mem_mcp.evaluation.speed.setup import LIMIT, Rig, seconds_for
from mem_mcp.store import Filters, Vector

_TAG = TAGS[100]
_BATCH_USER = "batches"
_GROUP = 10
_ONE_IN: Mapping[str, int] = {"10 %": 10, "1 %": 100, "0.1 %": 1_000, "0.01 %": 10_000}
_COLUMNS = ["version_id"]


async def recalls(rig: Rig) -> list[Figure]:
    """Time recalls of each scope beside the floor."""
    return [await _recalls(rig, name, where, scope) for name, where, scope in _scopes(rig)]


def _scopes(rig: Rig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for user, name in small_users(rig.size).items():
        yield f"recall, {name}", f"user_id = '{user}'", {"user_id": user}
    owned = f"user_id = '{OWNER}'"
    tagged = f"{owned} AND array_has_any(tags, ['{_TAG}'])"
    yield "recall, a tag on 1 % of the owner's", tagged, {"user_id": OWNER, "tags": [_TAG]}
    yield "recall, all of the owner's", owned, {"user_id": OWNER}


async def _recalls(rig: Rig, name: str, where: str, scope: dict[str, Any]) -> Figure:
    """Ask both the same questions, none twice: the product caches vectors of questions."""
    for question in rig.ask(2):  # these read the indices into memory
        await rig.memory.recall(question, **scope)
        await rig.floor.recall(question, where)
    questions = rig.ask(rig.repetitions.recalls)
    seconds = await rig.compare(
        lambda number: rig.memory.recall(questions[number], **scope),
        lambda number: rig.floor.recall(questions[number], where),
        len(questions),
    )
    return rig.figure(name, *seconds)


async def recalls_after_commits(rig: Rig) -> list[Figure]:
    """Time recalls that each follow a commit to the same scope, of this or of another process."""
    user = rig.user
    name = "recall, " + small_users(rig.size).get(user, "all of the owner's")
    figures = []
    for whose, writer in (("own", rig.memory), ("another process's", rig.other)):
        questions = rig.ask(rig.repetitions.commits)
        ours, floor = [], []
        for number in rig.paced(len(questions)):
            question = questions[number]
            await writer.remember(f"{question} ({whose} {number})", user_id=user)
            ours.append(await seconds_for(rig.memory.recall(question, user_id=user)))
            floor.append(await seconds_for(rig.floor.recall(question, f"user_id = '{user}'")))
        figures.append(rig.figure(f"{name}, after a commit, {whose}", ours, floor))
    return figures


async def recalls_at_once(rig: Rig) -> list[Figure]:
    """Time many recalls at once beside as many in a row."""
    count, user = rig.repetitions.at_once, rig.user

    async def together(_: int) -> None:
        questions = rig.ask(count)
        await asyncio.gather(*(rig.memory.recall(each, user_id=user) for each in questions))

    async def in_turn(_: int) -> None:
        for question in rig.ask(count):
            await rig.memory.recall(question, user_id=user)

    seconds = await rig.compare(together, in_turn, rig.repetitions.rounds)
    return [rig.figure(f"{count} recalls at once", *seconds)]


async def single_writes(rig: Rig) -> list[Figure]:
    """Time remember beside one embedding and one LanceDB add.

    They take turns in groups: after a commit of the floor, which is another process's, the product
    reads its cached memories anew. So it does that once in each group, and not at every call.
    """
    user, writes = rig.user, rig.repetitions.writes
    await rig.memory.remember("The first write of a process opens files.", user_id=user)
    await rig.floor.remember("The first write of a process opens files.", "first")
    ours: list[float] = []
    floor: list[float] = []
    for group in rig.paced(-(-writes // _GROUP)):
        numbers = range(group * _GROUP, min((group + 1) * _GROUP, writes))
        texts = [_text(rig, number) for number in numbers]
        ours += [await seconds_for(rig.memory.remember(each, user_id=user)) for each in texts]
        floor += [
            await seconds_for(rig.floor.remember(text, str(number)))
            for number, text in zip(numbers, texts, strict=True)
        ]
    return [rig.figure("remember", ours, floor)]


async def batch_writes(rig: Rig) -> list[Figure]:
    """Time remember_many beside the embedder's own work on the same texts."""
    size, rounds = rig.repetitions.batch, rig.repetitions.rounds
    # No two batches share a text: a repeated one would not be stored.
    batches = [
        [_text(rig, number) for number in range(first, first + size)]
        for first in range(0, rounds * size, size)
    ]
    ours, floor = await rig.compare(
        lambda number: rig.memory.remember_many(
            [{"content": text, "user_id": _BATCH_USER} for text in batches[number]]
        ),
        lambda number: rig.floor.embedder.embed(batches[number], "passage"),
        rounds,
    )
    rates = [size / seconds for seconds in ours], [size / seconds for seconds in floor]
    return [rig.figure(f"remember_many of {size:,}", *rates, unit="memories/s")]


def _text(rig: Rig, number: int) -> str:
    return f"{rig.corpus.utterance(number).text} ({number})"


async def planner_searches(rig: Rig) -> list[PlannerSearch]:
    """Search at every selectivity, once as the planner chooses and once exactly."""
    vectors = await rig.floor.embedder.embed(rig.ask(rig.repetitions.searches), "query")
    rows = [await _planned(rig, "100 %", vectors, {}, "")]
    for name, one_in in _ONE_IN.items():
        tag = TAGS[one_in]
        where = f"array_has_any(tags, ['{tag}'])"
        rows.append(await _planned(rig, name, vectors, {"tags": tag}, where))
    return rows


async def _planned(
    rig: Rig, name: str, vectors: Sequence[Vector] | Vector, filters: Filters, where: str
) -> PlannerSearch:
    seconds: list[tuple[float, float]] = []
    recall: list[float] = []
    for number in rig.paced(len(vectors)):
        start = perf_counter()
        vector = np.stack([vectors[number]])
        (rows,) = await rig.store.nearest(vector, filters, _COLUMNS, limit=LIMIT)
        middle = perf_counter()
        exact = await rig.floor.exact(vectors[number], where, _COLUMNS)
        seconds.append((middle - start, perf_counter() - middle))
        ids = set(exact["version_id"].to_pylist())
        recall.append(len({row["version_id"] for row in rows} & ids) / (len(ids) or 1))
    ours, floor = zip(*seconds, strict=True)
    return PlannerSearch(
        case=name,
        size=rig.size,
        matches=await rig.store.count(filters),
        calls=len(seconds),
        recall_at_10=round(fmean(recall), 4),
        milliseconds=round(1_000 * median(ours), 3),
        exact_milliseconds=round(1_000 * median(floor), 3),
    )
