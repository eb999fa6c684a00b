"""Every operation that is offered as a command, derived from its declared arguments."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

import mem_mcp
from mem_mcp.api import checks
from mem_mcp.api.call import Argument, arguments_of
from mem_mcp.api.explore import Graph, Why
from mem_mcp.api.feedback import MOST_ITEMS, GiveFeedback
from mem_mcp.api.manage import EraseUser, Forget, GetMemory, ListMemories, UpdateMemory
from mem_mcp.api.models import FeedbackRefused, FeedbackResult, Reprocessed
from mem_mcp.api.outcomes import RecallLessons, RecordOutcome
from mem_mcp.api.recall import Recall
from mem_mcp.api.remember import Remember
from mem_mcp.api.upkeep import Maintain, Reprocess
from mem_mcp.cli import render
from mem_mcp.cli.output import show
from mem_mcp.cli.session import run
from mem_mcp.errors import InvalidInput

Json = Annotated[bool, typer.Option("--json", help="Print JSON, on one line.")]
User = Annotated[str, typer.Option("--user", help="Whose memory; empty: the default user.")]
Values = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """How an argument is written, where its own name and type do not say it."""

    flag: str = ""
    metavar: str | None = None
    help: str = ""
    read: Callable[[Any], Any] = lambda value: value
    """Makes the argument of what was written."""
    is_flag: bool = False


def _text(text: str) -> str:
    """Return a text; of -, all of stdin."""
    if text != "-":
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("TEXT", f"stdin is not UTF-8 (byte {error.start})") from error


def _bytes(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _logs(files: Sequence[str]) -> list[str]:
    # What a program printed need not be text in every byte.
    return [_bytes(file).decode("utf-8", "replace") for file in files]


def _marks(file: str) -> tuple[list[Mapping[str, Any]], list[FeedbackRefused]]:
    """Return the marks of a file, and what is wrong with lines that are none."""
    marks: list[Mapping[str, Any]] = []
    refused: list[FeedbackRefused] = []
    for number, line in enumerate(_bytes(file).split(b"\n"), start=1):
        name = f"--items line {number}"
        try:
            if text := line.decode("utf-8-sig").strip():
                marks.append(checks.object_of(text, name))
        except UnicodeDecodeError:
            refused.append(FeedbackRefused(memory_id="", error=f"{name}: is not UTF-8"))
        except InvalidInput as error:
            refused.append(FeedbackRefused(memory_id="", error=str(error)))
    if not marks and not refused:
        raise InvalidInput("--items", f"there is nothing in {file}")
    return marks, refused


_METAVARS = {"integer": "N", "number": "X"}
OPTIONS = {
    "user_id": Option("--user"),
    "agent_id": Option("--agent"),
    "run_id": Option("--run"),
    "tags": Option("--tag"),
    "kinds": Option("--kind"),
    "entities": Option("--entity"),
    "outcomes": Option("--outcome"),
    "tool_name": Option("--tool"),
    "used_memory_ids": Option("--used", "ID"),
    "idempotency_key": Option("--idempotency-key,--key", "KEY"),
    "include_global": Option("--global/--no-global"),
    "feedback_reason": Option("--reason"),
    "logs": Option("--log", "FILE", "Raw log, kept and not searched; - reads stdin", _logs),
    "user_scope": Option(
        "--global",
        help="Share it with all users",
        read=lambda on: "global" if on else "",
        is_flag=True,
    ),
    "feedback": Option(metavar="POSITIVE|NEGATIVE|VERY_NEGATIVE|NONE"),
}
"""By argument; all others are called by their own name."""


@dataclass(frozen=True)
class Command:
    """An operation as a command."""

    takes: type
    """Its declared arguments; their docstring is its help."""
    method: str
    lines: Callable[[Any], Any]
    """Makes the lines for people."""
    by_position: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    brief: str = ""
    """Its line in the list of commands, where the first sentence of its help is too long."""
    any_embedder: bool = False
    call: Callable[[mem_mcp.AsyncMemory, Values], Awaitable[BaseModel]] | None = None
    """Asks the memory; None to call the method once."""
    failed: Callable[[Any], bool] = lambda _: False
    """Whether a result ends the command with exit code 1."""
    switch: tuple[str, str] | None = None
    """A flag that `lines` takes, and its help."""
    file: tuple[str, str, Callable[[Any], Iterable[str]]] | None = None
    """An option that names a file, its help, and what makes the file's lines of the result."""


def command(spec: Command) -> Callable[..., None]:
    """Return the function of a command; its signature is what Typer makes the options of."""
    declared = [argument for argument in arguments_of(spec.takes) if argument.doc is not None]
    options = {**OPTIONS, **spec.options}

    def invoke(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - of each command
        switch = {spec.switch[0]: given.pop(spec.switch[0])} if spec.switch else {}
        path = given.pop(spec.file[0]) if spec.file else None
        values = {
            name: options[name].read(value) if name in options else value
            for name, value in given.items()
            if value is not None
        }

        async def work(memory: mem_mcp.AsyncMemory) -> BaseModel:
            if spec.call is not None:
                return await spec.call(memory, values)
            result: BaseModel = await getattr(memory, spec.method)(**values)
            return result

        result = run(work, any_embedder=spec.any_embedder)
        if spec.file and path is not None:
            path.write_text("\n".join([*spec.file[2](result), ""]), encoding="utf-8")
        show(result, lambda result: spec.lines(result, **switch), as_json=as_json)
        if spec.failed(result):
            raise typer.Exit(1)

    parameters = [
        _parameter(argument, options.get(argument.name, Option()), spec.by_position)
        for argument in declared
    ]
    if spec.switch:
        name, text = spec.switch
        kind: Any = Annotated[bool, typer.Option(_dashed(name), help=text)]
        parameters.append(_keyword(name, kind, default=False))
    if spec.file:
        name, text, _ = spec.file
        kind = Annotated[Path | None, typer.Option(_dashed(name), metavar="FILE", help=text)]
        parameters.append(_keyword(name, kind, default=None))
    parameters.append(_keyword("as_json", Json, default=False))
    parameters.sort(key=lambda one: one.name not in spec.by_position)
    invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    invoke.__annotations__ = {one.name: one.annotation for one in parameters}
    # What follows the first sentence is advice to models.
    invoke.__doc__ = f"{cleandoc(spec.takes.__doc__ or '').partition('. ')[0].rstrip('.')}."
    return invoke


def _parameter(argument: Argument, option: Option, by_position: Sequence[str]) -> inspect.Parameter:
    kind = argument.check.schema.get("type")
    items = argument.check.schema.get("items", {})
    text = f"{option.help or (argument.doc.whole if argument.doc else argument.name)}."
    if option.is_flag or kind == "boolean":
        default = False if option.is_flag else argument.default
        flag = option.flag or _dashed(argument.name)
        return _keyword(argument.name, Annotated[bool, typer.Option(flag, help=text)], default)
    is_list = kind == "array" and items.get("type") == "string"
    is_json = kind == "object" or (kind == "array" and not is_list)
    metavar = option.metavar or ("JSON" if is_json else _METAVARS.get(str(kind), "TEXT"))
    annotation: Any = list[str] | None if is_list else str | None
    if argument.name in by_position:
        given = typer.Argument(metavar=option.metavar or argument.name.upper(), help=text)
        annotation = str if argument.is_required else str | None
    else:
        if argument.default and not argument.is_required:
            text = f"{text[:-1]}; default: {argument.default}."
        flags = (option.flag or _dashed(argument.name)).split(",")
        given = typer.Option(*flags, metavar=metavar, help=text)
    default = inspect.Parameter.empty if argument.is_required else None
    return _keyword(argument.name, Annotated[annotation, given], default)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


async def _give_feedback(memory: mem_mcp.AsyncMemory, values: Values) -> FeedbackResult:
    """Give one mark, or those of a file, in as many calls as they need."""
    if "items" not in values:
        if "memory_id" not in values:
            raise InvalidInput("MEMORY_ID", "is missing; name a memory, or a file with --items")
        if "feedback" not in values:
            raise InvalidInput(
                "feedback", "say POSITIVE, NEGATIVE or VERY_NEGATIVE, or NONE to take it back"
            )
        return await memory.give_feedback(**values)
    scope = {name: values.pop(name) for name in ("user_id", "agent_id", "run_id") if name in values}
    file = values.pop("items")
    if any(values.values()):
        raise InvalidInput("--items", "takes the place of MEMORY_ID and of what is said of it")
    marks, refused = _marks(file)
    parts = [
        await memory.give_feedback(items=marks[start : start + MOST_ITEMS], **scope)
        for start in range(0, len(marks), MOST_ITEMS)
    ]
    return FeedbackResult(
        results=[one for part in parts for one in part.results],
        errors=[*refused, *(one for part in parts for one in part.errors)],
        degraded=[note for part in parts for note in part.degraded],
    )


def _refused_some(result: FeedbackResult) -> bool:
    return bool(result.errors)


def _still_waits(result: Reprocessed) -> bool:
    return bool(result.waiting)


COMMANDS = {
    "remember": Command(
        Remember,
        "remember",
        render.remembered,
        ("content",),
        brief="Store what should be known later.",
        options={
            "content": Option(metavar="TEXT", help="What to store; - reads stdin", read=_text)
        },
    ),
    "recall": Command(Recall, "recall", render.recalled, ("query",)),
    "outcome": Command(RecordOutcome, "record_outcome", render.recorded, ("task",)),
    "lessons": Command(
        RecallLessons,
        "recall_lessons",
        render.lessons,
        ("task",),
        brief="Show what earlier tasks teach.",
        switch=("briefing", "Print only the text to put into a prompt."),
    ),
    "feedback": Command(
        GiveFeedback,
        "give_feedback",
        render.rated,
        ("memory_id", "feedback"),
        brief="Say whether a recalled memory helped.",
        options={
            "items": Option(
                metavar="FILE",
                help="Many, one a line of JSON: memory_id, feedback, and if you like "
                "feedback_reason, recall_id or query; - reads stdin",
            )
        },
        call=_give_feedback,
        failed=_refused_some,
    ),
    "why": Command(
        Why,
        "why",
        render.explained,
        ("recall_id", "memory_id"),
        brief="Say why a memory was, or was not, found.",
    ),
    "list": Command(ListMemories, "list_memories", render.listed),
    "get": Command(GetMemory, "get_memory", render.got, ("memory_id",), brief="Show one memory."),
    "graph": Command(
        Graph,
        "graph",
        render.graph,
        ("entity",),
        brief="Show what is stored around an entity.",
        any_embedder=True,
        file=("dot", "Write it for Graphviz as well.", render.dot),
    ),
    "update": Command(
        UpdateMemory,
        "update_memory",
        render.updated,
        ("memory_id",),
        brief="Correct or complete a memory.",
    ),
    "forget": Command(
        Forget, "forget", render.forgotten, ("memory_id",), brief="Stop recalling a memory."
    ),
    "erase-user": Command(
        EraseUser,
        "erase_user",
        render.erased,
        ("user",),
        brief="Erase everything of one user.",
        any_embedder=True,
        file=("receipt", "Write the receipt to it as well, as JSON.", render.receipt),
    ),
    "maintain": Command(
        Maintain, "maintain", render.maintained, brief="Compact the store, and archive what is due."
    ),
    "reprocess": Command(
        Reprocess,
        "reprocess",
        render.reprocessed,
        options={"memory_ids": Option("--id", "ID")},
        brief="Let the language model read what waits.",
        failed=_still_waits,
    ),
}
"""By the name of the command."""
