"""mem-mcp doctor: run the checks, and print the results with remedies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from mem_mcp.cli import doctor_checks
from mem_mcp.cli.commands import Json
from mem_mcp.cli.failure import message
from mem_mcp.cli.late_settings import check_late_settings
from mem_mcp.cli.output import counted, one_line, show
from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import ConfigError, MemError, StoreError

if TYPE_CHECKING:
    from mem_mcp.store import MendedTable, RepairReport

_MOST_SHOWN = 5
_FIRST_THE_OTHERS = "first mend what failed above; it starts then"
_REINSTALL = "reinstall: pip install --force-reinstall mem-mcp"
_CHECKS: tuple[tuple[str, Callable[[Settings], str | None], str], ...] = (
    ("python", doctor_checks.python, "install Python 3.11 or newer, and mem-mcp into it"),
    ("packages", doctor_checks.packages, _REINSTALL),
    (
        "data directory",
        doctor_checks.data_directory,
        "choose a folder you can write to with MEM_MCP_DATA_DIR",
    ),
    (
        "store",
        doctor_checks.store,
        "put a backup of the data directory in its place, or choose another folder with "
        "MEM_MCP_DATA_DIR",
    ),
    ("embedder", doctor_checks.embedder, _REINSTALL),
    (
        "embedding model",
        doctor_checks.embedding_model,
        "correct embedding.model, embedding.api_base or the provider's key; until then, recall is "
        "by words only",
    ),
    (
        "reranker",
        doctor_checks.reranker,
        "correct rerank.model, rerank.api_base or the provider's key; until then, our own ranking "
        "stands",
    ),
    (
        "language model",
        doctor_checks.language_model,
        "correct llm.model, llm.api_base or the provider's key; until then, what is to be read "
        "waits, and mem-mcp reprocess finishes it",
    ),
    (
        "what waits",
        doctor_checks.what_waits,
        "mem-mcp reprocess asks once more; a better model (llm.model) may read them",
    ),
    ("start", doctor_checks.start, "run mem-mcp serve in a terminal and read what it says"),
)


class Finding(BaseModel):
    """The result of one check; `remedy` is empty if `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class Diagnosis(BaseModel):
    """The results of all checks; `ok` if all are."""

    ok: bool
    checks: list[Finding]


def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend a damaged store; a copy of it is made first."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check installation, store and start, with remedies."""
    if repair:
        _repair(as_json=as_json)
        return
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:  # print each at once, because the last checks are slow
            typer.echo(_line(finding))
    diagnosis = Diagnosis(ok=all(finding.ok for finding in findings), checks=findings)
    show(diagnosis, _verdict, as_json=as_json)
    if not diagnosis.ok:
        raise typer.Exit(1)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except MemError as error:
        remedy = "correct it; mem-mcp config shows all when they are right"
        yield Finding(name="settings", ok=False, detail=message(error), remedy=remedy)
        return
    wrong = None
    try:
        check_late_settings(settings)
    except ConfigError as error:
        wrong = _failed("settings", error, "")
    remarks = ["can be read; mem-mcp config shows them", *settings.remarks]
    yield wrong or Finding(name="settings", ok=True, detail="; ".join(remarks))
    failed = wrong is not None
    for name, check, remedy in _CHECKS:
        try:
            if (detail := check(settings)) is not None:
                yield Finding(name=name, ok=True, detail=detail)
        except (MemError, OSError, ImportError) as error:
            yield _failed(name, error, _FIRST_THE_OTHERS if failed and name == "start" else remedy)
            failed = True


def _failed(name: str, error: MemError | OSError | ImportError, remedy: str) -> Finding:
    """Return a failed finding, with the remedy of the error or else that of the check."""
    if isinstance(error, StoreError) and error.helps:
        return Finding(name=name, ok=False, detail=one_line(error.problem), remedy=error.helps)
    if isinstance(error, ConfigError):
        remedy = "correct that setting, or leave it empty for the default"
    return Finding(name=name, ok=False, detail=message(error), remedy=remedy)


def _repair(*, as_json: bool) -> None:
    from mem_mcp.store import repair  # noqa: PLC0415 - imports LanceDB

    settings = load_settings()
    if settings.storage_uri:
        raise StoreError(
            f"storage_uri: {settings.storage_uri} is not on this machine, and cannot be repaired",
            "put a backup in its place",
        )
    show(asyncio.run(repair(settings.data_dir)), _repaired, as_json=as_json)


def _repaired(report: RepairReport) -> Iterator[str]:
    if not report.tables:
        yield f"{report.location}: nothing is damaged, and nothing was changed"
        return
    yield f"everything as it was is in {report.copy_at}; remove it when you miss nothing"
    for table in report.tables:
        yield table.table
        yield from (f"  damaged  {file}" for file in table.damaged[:_MOST_SHOWN])
        if len(table.damaged) > _MOST_SHOWN:
            yield f"  and {len(table.damaged) - _MOST_SHOWN:,} more files; --json names all"
        yield from (f"  {line}" for line in _repaired_table(table))


def _repaired_table(table: MendedTable) -> Iterator[str]:
    """Yield what the repair of one table restored and lost."""
    if table.versions_lost:
        commits = counted(table.versions_lost, "commit", "commits")
        if table.back_to:
            yield f"went back to {table.back_to:%Y-%m-%d %H:%M:%S}Z: {commits} not readable"
        else:
            yield "made anew from its rows: no version of it can be opened"
    if table.rows_saved:
        yield f"put back {counted(table.rows_saved, 'row', 'rows')} from files that can be read"
    if table.memories_lost:
        shown = ", ".join(table.memories_lost[:_MOST_SHOWN])
        more = ", …; --json names all" if len(table.memories_lost) > _MOST_SHOWN else ""
        yield f"lost what was last stored of {counted(len(table.memories_lost))}: {shown}{more}"
        yield "what was forgotten or purged lately may be back"
    elif table.rows_lost or table.versions_lost:
        least = f"at least {counted(table.rows_lost, 'row', 'rows')}"
        yield f"lost {least if table.rows_lost else 'no row that is known of'}"
        yield "what was forgotten or purged lately may be back"
    else:
        yield "nothing is lost"
    if table.indices_rebuilt:
        yield "its indices are made anew, now and by the next mem-mcp maintain"


def _line(finding: Finding) -> str:
    if finding.ok:
        return f"ok      {finding.name:<15}  {finding.detail}"
    return f"FAILED  {finding.name:<15}  {finding.detail}\n{'':<25}-> {finding.remedy}"


def _verdict(diagnosis: Diagnosis) -> Iterator[str]:
    failed = sum(not finding.ok for finding in diagnosis.checks)
    yield f"{failed} of {len(diagnosis.checks)} failed" if failed else "all is well"
