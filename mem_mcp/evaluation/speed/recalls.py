"""How fast recall is: of one user, of a tag, of a large scope, and many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mem_mcp.evaluation.speed.layout import OWNER, TAGS, small_users, usual_user
from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import beside, figure, paced, taken

_TAG = TAGS[100]


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
    """Ask both the same questions; only the product would remember one that came before."""
    for question in islice(rig.questions, 2):  # read the indices in
        await rig.memory.recall(question, **scope)
        await rig.floor.recall(question, where)
    asked = list(islice(rig.questions, rig.counts.recalls))
    ours, floor = await beside(
        lambda number: rig.memory.recall(asked[number], **scope),
        lambda number: rig.floor.recall(asked[number], where),
        rig.counts.recalls,
        rig.counts.seconds,
    )
    return figure(name, rig.size, ours, floor)


async def after_commits(rig: Rig) -> list[Figure]:
    """Time recalls that each follow a commit to the same scope, of this or of another process."""
    user = usual_user(rig.size)
    name = "recall, " + small_users(rig.size).get(user, "all of the owner's")
    figures = []
    for whose, writer in (("own", rig.memory), ("another process's", rig.other)):
        asked = list(islice(rig.questions, rig.counts.commits))
        ours, floor = [], []
        for number in paced(rig.counts.commits, rig.counts.seconds):
            question = asked[number]
            await writer.remember(f"{question} ({whose} {number})", user_id=user)
            ours.append(await taken(rig.memory.recall(question, user_id=user)))
            floor.append(await taken(rig.floor.recall(question, f"user_id = '{user}'")))
        figures.append(figure(f"{name}, after a commit, {whose}", rig.size, ours, floor))
    return figures


async def at_once(rig: Rig) -> list[Figure]:
    """Time many recalls at once beside as many in a row."""
    count = rig.counts.at_once
    together, in_turn = await beside(
        lambda _: _together(rig, count),
        lambda _: _in_turn(rig, count),
        rig.counts.rounds,
        rig.counts.seconds,
    )
    return [figure(f"{count} recalls at once", rig.size, together, in_turn)]


async def _together(rig: Rig, count: int) -> None:
    user = usual_user(rig.size)
    asked = islice(rig.questions, count)
    await asyncio.gather(*(rig.memory.recall(question, user_id=user) for question in asked))


async def _in_turn(rig: Rig, count: int) -> None:
    user = usual_user(rig.size)
    for question in islice(rig.questions, count):
        await rig.memory.recall(question, user_id=user)
