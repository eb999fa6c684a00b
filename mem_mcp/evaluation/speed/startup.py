"""How fast a server starts, and how much memory it takes, beside one that does nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from mem_mcp.evaluation.speed.layout import usual_user
from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import figure
from mem_mcp.evaluation.speed.transports import bare_server
from mem_mcp.evaluation.speed.wire import HELLO, SOURCE

_PATIENCE = 120
"""Seconds to wait for an answer."""
_LONGEST_LINE = 2**24


@dataclass(frozen=True, slots=True)
class Started:
    """One start, in seconds from the process's."""

    initialized: float
    answered: float
    peak_bytes: int | None


async def starts(rig: Rig) -> list[Figure]:
    """Start both servers in turn."""
    bare_file = bare_server(rig.settings.data_dir.parent)
    recall = {"query": "Where is the bicycle?", "user_id": usual_user(rig.size)}
    ours, bare = [], []
    for _ in range(rig.counts.starts):
        bare.append(await _start([str(bare_file)], rig, "one", {"text": "x"}))
        ours.append(await _start(["-m", "mem_mcp", "serve"], rig, "recall", recall))
    return [*_times(rig.size, ours, bare), *_peaks(rig.size, ours, bare)]


def _times(size: int, ours: Sequence[Started], bare: Sequence[Started]) -> list[Figure]:
    return [
        figure(
            "start: to initialize",
            size,
            [one.initialized for one in ours],
            [one.initialized for one in bare],
            unit="s",
        ),
        figure(
            "start: to the first recall",
            size,
            [one.answered for one in ours],
            [one.answered for one in bare],
            unit="s",
        ),
    ]


def _peaks(size: int, ours: Sequence[Started], bare: Sequence[Started]) -> list[Figure]:
    peaks = [one.peak_bytes for one in ours if one.peak_bytes]
    floors = [one.peak_bytes for one in bare if one.peak_bytes]
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


async def _start(
    arguments: Sequence[str], rig: Rig, tool: str, tool_arguments: dict[str, Any]
) -> Started:
    environment = {**os.environ, "MEM_MCP_DATA_DIR": str(rig.settings.data_dir)}
    environment.pop("MEM_MCP_STORAGE_URI", None)
    start = perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
        cwd=SOURCE,
        limit=_LONGEST_LINE,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            await _request(process, 1, "initialize", HELLO)
            initialized = perf_counter() - start
            _send(process, {"method": "notifications/initialized"})
            await _request(process, 2, "tools/call", {"name": tool, "arguments": tool_arguments})
            return Started(initialized, perf_counter() - start, _peak(process.pid))
    finally:
        await _end(process)


def _send(process: Process, message: dict[str, Any]) -> None:
    if process.stdin is None:
        raise RuntimeError("the server takes no input")
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def _request(process: Process, number: int, method: str, params: dict[str, Any]) -> None:
    """Ask, and wait for the answer; notifications may come before it.

    Raises:
        RuntimeError: the server ended, or refused.
    """
    _send(process, {"id": number, "method": method, "params": params})
    while process.stdout is not None and (line := await process.stdout.readline()):
        answer = json.loads(line)
        if answer.get("id") != number:
            continue
        if "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(f"the server refused {method}: {line.decode()[:300]}")
        return
    raise RuntimeError(f"the server ended before it answered {method}")


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _peak(pid: int) -> int | None:
    """Return the most memory that a process has had, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1_024 * int(found[1]) if found else None
