"""How fast a server starts and answers through each transport, beside one that does nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.evaluation.speed.setup import Rig, seconds_for
from mem_mcp.evaluation.speed.wire import connected

_OURS = ("-m", "mem_mcp", "serve")
_TRANSPORT = {
    "stdio": (),
    "http": ("--transport", "http", "--port", "{port}"),
    "sse": ("--transport", "sse", "--port", "{port}"),
}
_UNCOUNTED = 2
"""The first calls, in which a process opens what it needs."""
_BARE = """
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


@dataclass(frozen=True, slots=True)
class ServerStart:
    """The seconds of one start, from the start of the process on."""

    initialized: float
    answered: float
    peak_bytes: int | None


async def starts(rig: Rig) -> list[Figure]:
    """Start the server and the bare one in turn, up to their first answer."""
    recall = {"query": "Where is the bicycle?", "user_id": rig.user}
    bare_command = _bare_server(rig)
    ours, bare = [], []
    for _ in range(rig.repetitions.starts):
        bare.append(await asyncio.to_thread(_start, rig, bare_command, "one", {"text": "x"}))
        ours.append(await asyncio.to_thread(_start, rig, _OURS, "recall", recall))
    initialized = [[start.initialized for start in each] for each in (ours, bare)]
    answered = [[start.answered for start in each] for each in (ours, bare)]
    return [
        rig.figure("start: to initialize", *initialized, unit="s"),
        rig.figure("start: to the first recall", *answered, unit="s"),
        *_peaks(rig.size, ours, bare),
    ]


async def recalls_over_transports(rig: Rig) -> list[Figure]:
    """Time the same recalls in this process and through each transport, in turn."""
    return [
        figure
        for transport in rig.repetitions.transports
        for figure in await _recalls_over(rig, transport)
    ]


async def _recalls_over(rig: Rig, transport: str) -> list[Figure]:
    user, folder = rig.user, rig.settings.data_dir
    questions = rig.ask(rig.repetitions.recalls + _UNCOUNTED)
    ours, bare, within = [], [], []
    with ExitStack() as stack:
        commands = ((*_bare_server(rig), transport, "{port}"), (*_OURS, *_TRANSPORT[transport]))
        theirs, mine = [
            await asyncio.to_thread(stack.enter_context, connected(transport, command, folder))
            for command in commands
        ]
        for number in rig.paced(len(questions)):
            question = questions[number]
            within.append(await seconds_for(rig.memory.recall(question, user_id=user)))
            recall = asyncio.to_thread(mine.call, "recall", query=question, user_id=user)
            ours.append(await seconds_for(recall))
            bare.append(await seconds_for(asyncio.to_thread(theirs.call, "one", text=question)))
    ours, bare, itself = ours[_UNCOUNTED:], bare[_UNCOUNTED:], median(within[_UNCOUNTED:])
    beyond = [max(0.0, seconds - itself) for seconds in ours]
    return [
        rig.figure(f"recall over {transport}", ours, bare),
        rig.figure(f"recall over {transport}, beyond the recall itself", beyond, bare),
    ]


def _bare_server(rig: Rig) -> tuple[str]:
    """Write the server that does nothing; return the command that starts it."""
    file = rig.settings.data_dir.with_name("bare.py")
    file.write_text(_BARE, encoding="utf-8")
    return (str(file),)


def _start(rig: Rig, command: Sequence[str], tool: str, arguments: dict[str, str]) -> ServerStart:
    start = perf_counter()
    with connected("stdio", command, rig.settings.data_dir) as server:
        initialized = perf_counter() - start
        server.call(tool, **arguments)
        return ServerStart(initialized, perf_counter() - start, _peak_bytes(server.pid))


def _peaks(size: int, ours: Sequence[ServerStart], bare: Sequence[ServerStart]) -> list[Figure]:
    peaks = [start.peak_bytes for start in ours if start.peak_bytes]
    floors = [start.peak_bytes for start in bare if start.peak_bytes]
    if not peaks or not floors:  # only Linux tells
        return []
    value, floor = median(peaks) / 1e6, median(floors) / 1e6
    return [
        Figure(
            case="peak memory, a server",
            size=size,
            unit="MB",
            calls=len(peaks),
            value=round(value, 1),
            floor=round(floor, 1),
            ratio=round(value / floor, 2),
        )
    ]


def _peak_bytes(pid: int) -> int | None:
    """Return the most memory that a process has had, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1_024 * int(peak[1]) if peak else None
