"""mem-mcp demo: show what the memory does, through a server started as a client starts it."""

from __future__ import annotations

import asyncio
import tempfile
import textwrap
import time
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

import typer

from mem_mcp.cli.conversation import (
    ADVICE,
    FAILED,
    MESSAGES,
    NEXT_TASK,
    QUESTIONS,
    TIPS,
    UPDATE,
    Question,
)
from mem_mcp.cli.output import one_line, said
from mem_mcp.cli.stdio_client import call, connected, program_command
from mem_mcp.config import variable
from mem_mcp.errors import MemError

if TYPE_CHECKING:
    from mcp import Client

_WIDTH = 88


def demo() -> None:
    """See a server remember, recall, update, forget and learn."""
    typer.secho(
        "mem-mcp demo: a server on stdio, in a temporary folder, without network", bold=True
    )
    with tempfile.TemporaryDirectory(prefix="mem-mcp-demo-") as folder:
        asyncio.run(_play(folder))
    typer.secho("\nGive it to your agent, such as claude-code, cursor or vscode:", bold=True)
    typer.echo(f"  {program_command()} install claude-code")
    typer.echo("Other clients: install --list. Is all well here? mem-mcp doctor")


class _Steps:
    """Prints the steps, each with the time since the one before."""

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
        memory_ids = [await _recall(client, steps, question) for question in QUESTIONS]
        await _update(client, steps, memory_ids[0])
        await _history(client, steps, memory_ids[0])
        await _forget(client, steps, memory_ids[0])
        await _learn(client, steps)
        await _rate(client, steps)


async def _remember(client: Client, steps: _Steps) -> None:
    stored = await call(client, "remember", messages=MESSAGES, run_id="demo")
    events = [result["event"] for result in stored["results"]]
    _expect(events == ["ADD"] * len(MESSAGES), f"remember: {events}")
    lines = [said(m["name"], m["content"], _WIDTH - 2) for m in MESSAGES]
    steps.done(f"Remember a conversation of {len(MESSAGES)} messages", lines)


async def _recall(client: Client, steps: _Steps, question: Question) -> str:
    """Recall, and return the id of the memory that answers the question."""
    memories = (await call(client, "recall", query=question.text, limit=2))["memories"]
    steps.done(f"Recall: {question.text}", map(_scored, memories))
    _expect(
        bool(memories) and question.answer in memories[0]["text"], f"no {question.answer!r} found"
    )
    return str(memories[0]["memory_id"])


async def _update(client: Client, steps: _Steps, memory_id: str) -> None:
    await call(client, "update_memory", memory_id=memory_id, **UPDATE)
    memories = (await call(client, "recall", query=QUESTIONS[0].text, limit=1))["memories"]
    _expect(
        [memory["text"] for memory in memories] == [UPDATE["content"]], "the update is not recalled"
    )
    steps.done(f"Update it, because {UPDATE['reason']}; recall again", map(_scored, memories))


async def _history(client: Client, steps: _Steps, memory_id: str) -> None:
    memory = await call(client, "get_memory", memory_id=memory_id, history=True)
    events = [version["event"] for version in memory["versions"]]
    _expect(events == ["ADD", "UPDATE"], f"history: {events}")
    steps.done("Show its history", map(_version, memory["versions"]))


async def _forget(client: Client, steps: _Steps, memory_id: str) -> None:
    await call(client, "forget", memory_id=memory_id)
    memories = (await call(client, "recall", query=QUESTIONS[0].text))["memories"]
    ids = {memory["memory_id"] for memory in memories}
    _expect(memory_id not in ids, "forgotten, but still recalled")
    steps.done("Forget it; it is recalled no more")


async def _learn(client: Client, steps: _Steps) -> None:
    """Record a failed task, and recall its lesson before a similar task."""
    recorded = await call(client, "record_outcome", **FAILED)
    _expect(recorded["outcome"] == "failure", f"recorded as {recorded['outcome']}")
    fields = [f"{name:<8} {FAILED[name]}" for name in ("task", "summary", "lesson")]
    steps.done("A task failed: record what happened and what it taught", fields)
    brief = await call(client, "recall_lessons", task=NEXT_TASK)
    _expect(FAILED["lesson"] in brief["briefing"], "the lesson is not in the briefing")
    wrapped = [
        textwrap.wrap(one_line(line), _WIDTH - 2, subsequent_indent="  ")
        for line in brief["briefing"].splitlines()
    ]
    steps.done(f"Lessons before: {NEXT_TASK}", chain.from_iterable(wrapped))


async def _rate(client: Client, steps: _Steps) -> None:
    """Rate two tips, and check that they change places."""
    for tip in TIPS:
        await call(client, "remember", content=tip, kind="procedure")
    before = await _advice(client, steps, f"Recall: {ADVICE}", {})
    _expect(sorted(before) == sorted(TIPS), "not both tips are recalled")
    misled, helped = before
    for tip, word in ((misled, "NEGATIVE"), (helped, "POSITIVE")):
        ids = {name: before[tip][name] for name in ("memory_id", "recall_id")}
        await call(client, "give_feedback", feedback=word, **ids)
    after = await _advice(client, steps, "The first misled, the second helped; ask again", before)
    _expect([*after] == [helped, misled], "feedback did not change their order")
    rose = after[helped]["score"] > before[helped]["score"]
    fell = after[misled]["score"] < before[misled]["score"]
    _expect(rose and fell, "feedback did not move their scores")


async def _advice(
    client: Client, steps: _Steps, title: str, before: dict[str, Any]
) -> dict[str, Any]:
    """Recall the tips, print each score and its change, and return them by text, best first."""
    answer = await call(client, "recall", query=ADVICE, kinds=["procedure"], limit=len(TIPS))
    tips = {tip["text"]: {**tip, "recall_id": answer["recall_id"]} for tip in answer["memories"]}
    earlier = {text: f"{tip['score']:.2f} -> " for text, tip in before.items()}
    steps.done(title, [earlier.get(text, "") + _scored(tip) for text, tip in tips.items()])
    return tips


def _expect(held: bool, otherwise: str) -> None:
    if not held:
        raise MemError(f"the demo failed: {otherwise}; mem-mcp doctor may say why")


def _scored(memory: dict[str, Any]) -> str:
    return f"{memory['score']:.2f}  {said(memory.get('actor_id'), memory['text'], _WIDTH - 8)}"


def _version(version: dict[str, Any]) -> str:
    return f"v{version['version']} {version['event']:<6}  {one_line(version['text'], _WIDTH - 14)}"
