"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mem_mcp.evaluation.report import Figures, Report

Table = list[list[str]]


def text(report: Report) -> str:
    """Return the report as aligned columns and a few lines."""
    table = _table(report)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_title(report), "", *(_aligned(row, widths) for row in table), "", *_notes(report)]
    return "\n".join(lines)


def markdown(report: Report) -> str:
    """Return the report as a Markdown page."""
    header, *body = ["| " + " | ".join(row) + " |" for row in _table(report)]
    rule = "|---|" + "---:|" * (len(_table(report)[0]) - 1)
    notes = [f"- {_one_line(note)}" for note in _notes(report)]
    return "\n".join([f"# {_title(report)}", "", header, rule, *body, "", *notes, ""])


def _title(report: Report) -> str:
    overall = report.overall
    return (
        f"{report.suite}: {overall.cases:,} questions about {report.data.memories:,} memories, "
        "in percent"
    )


def _table(report: Report) -> Table:
    names = list(report.overall.metrics)
    rows = [[name, *_cells(each)] for name, each in report.categories.items()]
    interval = [f"{low:.1f}-{high:.1f}" for low, high in report.overall.intervals.values()]
    return [
        ["category", "questions", *names, "tokens"],
        *rows,
        ["all", *_cells(report.overall)],
        ["95 % interval", "", *interval, ""],
    ]


def _cells(each: Figures) -> list[str]:
    return [f"{each.cases:,}", *(f"{v:.1f}" for v in each.metrics.values()), f"{each.tokens:,.0f}"]


def _notes(report: Report) -> Iterable[str]:
    overall, data = report.overall, report.data
    share = 100 * overall.tokens / overall.full_tokens if overall.full_tokens else 0
    yield (
        f"tokens: {overall.tokens:,.0f} in the {report.limit} memories returned, "
        f"{overall.full_tokens:,.0f} in the whole ({share:.1f} %)"
    )
    yield f"recall: p50 {report.timing.p50_ms} ms, p95 {report.timing.p95_ms} ms"
    yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.skipped} questions without evidence"
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"run: {versions}, commit {report.commit or 'unknown'}, seed {report.seed}"
    yield from (f"failed: {row.case}: {row.error}" for row in report.failures)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *cells = row
    numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *numbers]).rstrip()


def _one_line(note: str) -> str:
    return " ".join(note.split())
