"""How fast a recall is through each transport, beside a server that does nothing."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from mem_mcp.evaluation.speed.layout import usual_user
from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import figure, paced, taken
from mem_mcp.evaluation.speed.wire import call, connected

# The first calls open what a process needs.
_UNCOUNTED = 2
_OURS = {
    "stdio": ("-m", "mem_mcp", "serve"),
    "http": ("-m", "mem_mcp", "serve", "--transport", "http", "--port", "{port}"),
    "sse": ("-m", "mem_mcp", "serve", "--transport", "sse", "--port", "{port}"),
}
BARE = """
import sys

from mcp.server import MCPServer

server = MCPServer("bare")
for name in ("one", "two", "three", "four", "five"):

    def tool(text: str) -> str:
        return text

    server.tool(name=name)(tool)
match sys.argv[1:]:
    case ["http", port]:
        server.run("streamable-http", port=int(port))
    case ["sse", port]:
        server.run("sse", port=int(port))
    case _:
        server.run()
"""
"""A server of five empty tools; takes a transport and a port."""


def bare_server(folder: Path) -> Path:
    """Write the server that does nothing; return its file."""
    file = folder / "bare.py"
    file.write_text(BARE, encoding="utf-8")
    return file


async def servings(rig: Rig) -> list[Figure]:
    """Time the same recalls in this process and through each transport, in turn."""
    return [one for transport in rig.counts.transports for one in await _serving(rig, transport)]


async def _serving(rig: Rig, transport: str) -> list[Figure]:
    user, folder = usual_user(rig.size), rig.settings.data_dir
    asked = list(islice(rig.questions, rig.counts.recalls + _UNCOUNTED))
    ours, bare, within = [], [], []
    with ExitStack() as stack:
        empty = connected(transport, (str(bare_server(folder.parent)), transport, "{port}"), folder)
        theirs = await asyncio.to_thread(stack.enter_context, empty)
        served = connected(transport, _OURS[transport], folder)
        mine = await asyncio.to_thread(stack.enter_context, served)
        for number in paced(len(asked), rig.counts.seconds):
            question = asked[number]
            recall = partial(call, mine, number + 1, "recall", query=question, user_id=user)
            echo = partial(call, theirs, number + 1, "one", text=question)
            within.append(await taken(rig.memory.recall(question, user_id=user)))
            ours.append(await taken(asyncio.to_thread(recall)))
            bare.append(await taken(asyncio.to_thread(echo)))
    times, floor = ours[_UNCOUNTED:], bare[_UNCOUNTED:]
    itself = median(within[_UNCOUNTED:])
    beyond = [max(0.0, seconds - itself) for seconds in times]
    return [
        figure(f"recall over {transport}", rig.size, times, floor),
        figure(f"recall over {transport}, beyond the recall itself", rig.size, beyond, floor),
    ]
