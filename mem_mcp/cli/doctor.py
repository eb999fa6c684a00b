"""mem-mcp doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import typer
from pydantic import BaseModel

from mem_mcp.cli import checks
from mem_mcp.cli.failure import message
from mem_mcp.cli.options import Json
from mem_mcp.cli.output import show
from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import MemError

_REINSTALL = "reinstall: pip install --force-reinstall mem-mcp"
_CHECKS: tuple[tuple[str, Callable[[Settings], str | None], str], ...] = (
    ("python", checks.python, "install Python 3.11 or newer, and mem-mcp into it"),
    ("packages", checks.packages, _REINSTALL),
    (
        "data directory",
        checks.data_directory,
        "choose a folder you can write to with MEM_MCP_DATA_DIR",
    ),
    (
        "store",
        checks.store,
        "vectors are missing: mem-mcp maintain makes them; else put a backup of the data directory "
        "in its place, or choose another folder with MEM_MCP_DATA_DIR",
    ),
    ("embedder", checks.embedder, _REINSTALL),
    (
        "embedding model",
        checks.embedding_model,
        "correct embedding.model, embedding.api_base or the provider's key; until then, recall is "
        "by words only",
    ),
    (
        "reranker",
        checks.reranker,
        "correct rerank.model, rerank.api_base or the provider's key; until then, our own ranking "
        "stands",
    ),
    (
        "language model",
        checks.language_model,
        "correct llm.model, llm.api_base or the provider's key; until then, what is to be read "
        "waits, and mem-mcp reprocess finishes it",
    ),
    ("start", checks.start, "run mem-mcp serve in a terminal and read what it says"),
)


class Check(BaseModel):
    """What one check found; the remedy is empty where all is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class Diagnosis(BaseModel):
    """Every check."""

    ok: bool
    checks: list[Check]


def doctor(as_json: Json = False) -> None:
    """Check installation, store and start, with remedies."""
    found = []
    for check in _checked():
        found.append(check)
        if not as_json:  # at once: the slow checks come last
            typer.echo(_line(check))
    diagnosis = Diagnosis(ok=all(check.ok for check in found), checks=found)
    show(diagnosis, _verdict, as_json=as_json)
    if not diagnosis.ok:
        raise typer.Exit(1)


def _checked() -> Iterator[Check]:
    try:
        settings = load_settings()
    except MemError as error:
        remedy = "correct it; mem-mcp config shows all when they are right"
        yield Check(name="settings", ok=False, detail=message(error), remedy=remedy)
        return
    yield Check(name="settings", ok=True, detail="can be read; mem-mcp config shows them")
    for name, check, remedy in _CHECKS:
        try:
            if (detail := check(settings)) is not None:
                yield Check(name=name, ok=True, detail=detail)
        except (MemError, OSError, ImportError) as error:
            yield Check(name=name, ok=False, detail=message(error), remedy=remedy)


def _line(check: Check) -> str:
    if check.ok:
        return f"ok      {check.name:<15}  {check.detail}"
    return f"FAILED  {check.name:<15}  {check.detail}\n{'':<25}-> {check.remedy}"


def _verdict(diagnosis: Diagnosis) -> Iterator[str]:
    failed = sum(not check.ok for check in diagnosis.checks)
    yield f"{failed} of {len(diagnosis.checks)} failed" if failed else "all is well"
