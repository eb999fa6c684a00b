"""How fast a server starts and answers through each transport, beside one that does nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack
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


async def starts(rig: Rig) -> list[Figure]:
    """Start the server and the bare one in turn, up to their first answer."""
    recall = {"query": "Where is the bicycle?", "user_id": rig.user}
    bare_command = _bare_server(rig)
    ours, bare = [], []
    for _ in range(rig.repetitions.starts):
        bare.append(await asyncio.to_thread(_start, rig, bare_command, "one", {"text": "x"}))
        ours.append(await asyncio.to_thread(_start, rig, _OURS, "recall", recall))
    to_initialize, to_recall, peaks = zip(*ours, strict=True)
    bare_to_initialize, bare_to_call, bare_peaks = zip(*bare, strict=True)
    return [
        rig.figure("start: to initialize", to_initialize, bare_to_initialize, unit="s"),
        rig.figure("start: to the first recall", to_recall, bare_to_call, unit="s"),
        *_peak_figure(rig.size, peaks, bare_peaks),
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


def _start(
    rig: Rig, command: Sequence[str], tool: str, arguments: dict[str, str]
) -> tuple[float, float, int]:
    """Return the seconds to the handshake and to the first answer, and the peak memory."""
    start = perf_counter()
    with connected("stdio", command, rig.settings.data_dir) as server:
        initialized = perf_counter() - start
        server.call(tool, **arguments)
        return initialized, perf_counter() - start, _peak_bytes(server.pid)


def _peak_figure(size: int, ours: Sequence[int], bare: Sequence[int]) -> list[Figure]:
    if not all([*ours, *bare]):  # only Linux tells
        return []
    value, floor = median(ours) / 1e6, median(bare) / 1e6
    return [
        Figure(
            case="peak memory, a server",
            size=size,
            unit="MB",
            calls=len(ours),
            value=round(value, 1),
            floor=round(floor, 1),
            ratio=round(value / floor, 2),
        )
    ]


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1_024 * int(peak[1]) if peak else 0
