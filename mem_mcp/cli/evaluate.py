"""mem-mcp evaluate: measure the quality and the speed of the memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import show
from mem_mcp.cli.progress import bar
from mem_mcp.cli.stats_plot import check_plot
from mem_mcp.errors import InvalidInput

if TYPE_CHECKING:
    from mem_mcp.evaluation import Report

_SIZES = "1000,10000,100000"
_TUNED = "locomo", "lessons", "intents", "xquad"

Suite = Annotated[
    str,
    typer.Argument(
        metavar="SUITE",
        help="locomo, lessons, intents, xquad, abstain, everyday, feedback, stream, extraction or "
        "speed.",
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="The data set in its original format: LoCoMo's JSON (locomo, abstain, feedback), "
        "attempts at issues as JSON Lines (lessons), Banking77's train.csv with test.csv beside it "
        "(intents) or its test.csv (stream), XQuAD's folder of languages (xquad), conversations "
        "as JSON Lines (extraction), a folder of small stores as YAML, or one of its files "
        "(everyday); for speed, which needs none, LoCoMo's.",
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        metavar="FILE",
        help="extraction: answers recorded for the same conversations, as JSON Lines, in place of "
        "the configured model's.",
    ),
]
Answer = Annotated[
    bool,
    typer.Option(
        "--answer",
        help="locomo: let the configured model answer the questions from what is recalled, from "
        "plain retrieval and from the whole conversation, and judge the answers.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Also write SUITE.json and SUITE.md there."),
]
First = Annotated[
    int | None,
    typer.Option(
        "--first",
        help="Only so many conversations (locomo, abstain, feedback, extraction), issues "
        "(lessons), articles (xquad), messages (stream), questions (intents; 1,000 by default) or "
        "groups of each kind and half (everyday).",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        help="Of samples, pairs, orders and bootstrap intervals; feedback draws its halves with it "
        "and the next four.",
    ),
]
Arms = Annotated[
    bool,
    typer.Option(
        "--arms/--no-arms",
        help="Compare with BM25, dense and two mixes of them; or with the other two of --answer.",
    ),
]
Tune = Annotated[
    bool,
    typer.Option(
        "--tune",
        help="locomo, lessons, intents, xquad: what other values of the ranking's constants would "
        "do, over all and with each group of questions left out.",
    ),
]
Curve = Annotated[
    bool, typer.Option("--curve", help="locomo: the evidence found within budgets of tokens.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="locomo --curve: draw it.")
]
Sizes = Annotated[
    str, typer.Option("--sizes", help=f"speed: numbers of memories; {_SIZES} by default.")
]
Half = Annotated[
    str,
    typer.Option(
        "--half",
        metavar="HALF",
        help="everyday: only the groups for choosing constants (choose), or for measuring "
        "(measure).",
    ),
]
Profile = Annotated[bool, typer.Option("--profile", help="speed: where the time goes, by step.")]


def evaluate(
    suite: Suite,
    data: DataFile = None,
    as_json: Json = False,
    output: Output = None,
    first: First = None,
    seed: Seed = 0,
    arms: Arms = True,
    curve: Curve = False,
    tune: Tune = False,
    plot: Plot = None,
    sizes: Sizes = "",
    profile: Profile = False,
    answers: Answers = None,
    answer: Answer = False,
    half: Half = "",
) -> None:
    """Measure how good and how fast the memory is.

    In a store of its own, which is deleted afterwards.
    """
    is_speed = suite == "speed"
    _only("--curve", "locomo, without --answer", given=curve, fits=suite == "locomo" and not answer)
    tuned = suite in _TUNED and not (answer or curve)
    _only("--tune", f"{', '.join(_TUNED)}, by itself", given=tune, fits=tuned)
    _only("--plot", "locomo --curve", given=plot is not None, fits=curve)
    _only("--first", "the other suites", given=first is not None, fits=not is_speed)
    _only("--sizes", "speed", given=bool(sizes), fits=is_speed)
    _only("--profile", "speed", given=profile, fits=is_speed)
    _only("--answer", "locomo", given=answer, fits=suite == "locomo")
    _only("--answers", "extraction", given=answers is not None, fits=suite == "extraction")
    _only("--half", "everyday", given=bool(half), fits=suite == "everyday")
    # Fail before the long work, not after it, if the results cannot be written.
    if output:
        output.mkdir(parents=True, exist_ok=True)
    if plot:
        check_plot(plot)
    if is_speed:
        report = _speed(sizes or _SIZES, data, seed, profile=profile)
    elif suite == "extraction":
        report = _extraction(data, answers, seed, first)
    elif suite == "everyday":
        report = _everyday(data, half, seed, first)
    else:
        part = "curve" if curve else "answer" if answer else "tune" if tune else ""
        full = f"{suite}-{part}" if part else suite
        report = _suite(full, data, seed, first, arms=arms)
    if output:
        _write(report, output)
    if plot:
        _draw(report, plot)
    show(report, lambda result: [result.text()], as_json=as_json)


def _only(option: str, where: str, *, given: bool, fits: bool) -> None:
    if given and not fits:
        raise InvalidInput(option, f"is only for {where}")


def _suite(suite: str, data: Path | None, seed: int, first: int | None, *, arms: bool) -> Report:
    # Imported late, so that other commands start faster.
    from mem_mcp.evaluation import evaluate as run_suite  # noqa: PLC0415
    from mem_mcp.evaluation.run import suite_named  # noqa: PLC0415

    suite_named(suite)
    if data is None:
        raise InvalidInput("--data", f"is missing: which file is {suite} to read?")
    with bar(suite) as progress:
        return asyncio.run(
            run_suite(suite, data, seed=seed, first=first, arms=arms, progress=progress)
        )


def _extraction(data: Path | None, answers: Path | None, seed: int, first: int | None) -> Report:
    from mem_mcp.evaluation.extraction.run import run_extraction  # noqa: PLC0415

    with bar("extraction") as progress:
        return asyncio.run(run_extraction(data, answers, seed=seed, first=first, progress=progress))


def _everyday(data: Path | None, half: str, seed: int, first: int | None) -> Report:
    from mem_mcp.evaluation.retrieval.everyday import run_everyday  # noqa: PLC0415

    with bar("everyday") as progress:
        return asyncio.run(run_everyday(data, half, seed=seed, first=first, progress=progress))


def _speed(sizes: str, data: Path | None, seed: int, *, profile: bool) -> Report:
    from mem_mcp.evaluation.speed.run import run_speed  # noqa: PLC0415

    try:
        numbers = [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise InvalidInput("--sizes", f"{sizes!r} is not like {_SIZES}") from error
    with bar("speed") as progress:
        return run_speed(numbers, seed, profile, data, progress=progress)


def _draw(report: Report, path: Path) -> None:
    from mem_mcp.evaluation.retrieval.token_budget import CurveReport, draw  # noqa: PLC0415

    if isinstance(report, CurveReport):
        draw(report, path)


def _write(report: Report, folder: Path) -> None:
    content = report.model_dump_json(indent=2) + "\n"
    (folder / f"{report.suite}.json").write_text(content, encoding="utf-8")
    (folder / f"{report.suite}.md").write_text(report.markdown(), encoding="utf-8")
