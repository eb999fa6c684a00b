"""mem-mcp demo: the whole of it in a minute, on a server started as a client starts it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from mem_mcp.cli.client import call, connected, server_command
from mem_mcp.cli.conversation import MESSAGES, QUESTIONS, UPDATE, Question
from mem_mcp.cli.output import one_line, said
from mem_mcp.config import variable
from mem_mcp.errors import MemError

if TYPE_CHECKING:
    from mcp import Client

_WIDTH = 88


def demo() -> None:
    """Watch a server remember, recall, update and forget."""
    typer.secho(
        "mem-mcp demo: a server on stdio, in a temporary folder, without network", bold=True
    )
    with tempfile.TemporaryDirectory(prefix="mem-mcp-demo-") as folder:
        asyncio.run(_play(folder))
    typer.secho("\nGive it to your agent; for Claude Code:", bold=True)
    typer.echo(f"  claude mcp add memory --scope user -- {server_command()}")
    typer.echo("Other clients: configs/clients. Is all well here? mem-mcp doctor")


class _Steps:
    """Prints each step with the time since the last."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def done(self, title: str, lines: Iterable[str] = ()) -> None:
        took = f"{(time.perf_counter() - self._last) * 1000:,.0f} ms"
        typer.echo(f"\n{title:<{_WIDTH - 10}}{took:>10}")
        for line in lines:
            typer.secho(f"  {line}", dim=True)
        self._last = time.perf_counter()


async def _play(folder: str) -> None:
    steps = _Steps()
    environment = {variable("data_dir"): folder, variable("tools"): "all"}
    async with connected(environment) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        steps.done("Start the server and ask for its tools", [", ".join(tools)])
        await _remember(client, steps)
        found = [await _recall(client, steps, question) for question in QUESTIONS]
        await _update(client, steps, found[0])
        await _history(client, steps, found[0])
        await _forget(client, steps, found[0])


async def _remember(client: Client, steps: _Steps) -> None:
    stored = await call(client, "remember", messages=MESSAGES, run_id="demo")
    events = [one["event"] for one in stored["results"]]
    _expect(events == ["ADD"] * len(MESSAGES), f"remember: {events}")
    lines = [said(m["name"], m["content"], _WIDTH - 2) for m in MESSAGES]
    steps.done(f"Remember a conversation of {len(MESSAGES)} messages", lines)


async def _recall(client: Client, steps: _Steps, question: Question) -> str:
    """Ask, and return the id of the memory that answers."""
    found = (await call(client, "recall", query=question.text, limit=2))["memories"]
    steps.done(f"Recall: {question.text}", map(_scored, found))
    _expect(bool(found) and question.answer in found[0]["text"], f"no {question.answer!r} found")
    return str(found[0]["memory_id"])


async def _update(client: Client, steps: _Steps, memory_id: str) -> None:
    await call(client, "update_memory", memory_id=memory_id, **UPDATE)
    found = (await call(client, "recall", query=QUESTIONS[0].text, limit=1))["memories"]
    _expect([one["text"] for one in found] == [UPDATE["content"]], "the update is not recalled")
    steps.done(f"Update it, because {UPDATE['reason']}; recall again", map(_scored, found))


async def _history(client: Client, steps: _Steps, memory_id: str) -> None:
    got = await call(client, "get_memory", memory_id=memory_id, history=True)
    events = [version["event"] for version in got["versions"]]
    _expect(events == ["ADD", "UPDATE"], f"history: {events}")
    steps.done("Show its history", map(_version, got["versions"]))


async def _forget(client: Client, steps: _Steps, memory_id: str) -> None:
    await call(client, "forget", memory_id=memory_id)
    found = (await call(client, "recall", query=QUESTIONS[0].text))["memories"]
    _expect(memory_id not in {one["memory_id"] for one in found}, "forgotten, but still recalled")
    steps.done("Forget it; it is recalled no more")


def _expect(held: bool, otherwise: str) -> None:
    if not held:
        raise MemError(f"the demo failed: {otherwise}; mem-mcp doctor may say why")


def _scored(memory: dict[str, Any]) -> str:
    return f"{memory['score']:.2f}  {said(memory['actor_id'], memory['text'], _WIDTH - 8)}"


def _version(version: dict[str, Any]) -> str:
    return f"v{version['version']} {version['event']:<6}  {one_line(version['text'], _WIDTH - 14)}"
