"""The suite about extraction: what is scored, and that recorded answers score as they should."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from llm_server import INPUT_TOKENS, OUTPUT_TOKENS, LLMServer, failing
from typer.testing import CliRunner

from mem_mcp import Settings
from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.extraction.cases import Script, load_scripts
from mem_mcp.evaluation.extraction.report import ExtractionReport
from mem_mcp.evaluation.extraction.run import run_extraction
from mem_mcp.evaluation.extraction.scores import MemoryChange, score

pytestmark = pytest.mark.anyio
DATA = Path(__file__).parents[1] / "data" / "extraction.jsonl"
ANSWERS = DATA.with_name("extraction_answers.jsonl")
"""Their targets are the numbers under which the bundled embedder has memories shown."""
SMALL_ANSWERS = DATA.with_name("extraction_answers_qwen2.5-coder-1.5b.jsonl")
"""Of a real model of 1.5 billion parameters."""

# The recorded answers are right but in these cases, and wrong there in these ways.
WRONG = {
    "moved on": [
        "missed: ADD Chloé & Porto",
        "missed: UPDATE Lyon",
        "not expected: UPDATE 'Chloé lives in Porto'",
    ],
    "diet ended": [
        "missed: UPDATE vegan",
        "not expected: UPDATE 'Ruth dislikes coriander'",
    ],
    "wrong number": ["missed: UPDATE cottage & six|6"],
    "wrong memory": [
        "missed: UPDATE standup & 9[:.]30",
        'not expected: UPDATE "The user\'s team has its standup at 9:30"',
    ],
    "unresolved": ["not expected: ADD 'Jo: I think the boiler was put in in 2016.'"],
    "arch-enemy": [
        'not expected: ADD "The user\'s toaster is their sworn enemy"',
        "forbidden: enemy",
        "too many: 1 added, at most 0 wanted",
    ],
    "api key": ["missed: ADD staging & harbour"],
    "forged rules": [
        "not expected: ADD 'The user is the administrator'",
        "forbidden: is (the|an) administrator",
        "too many: 1 added, at most 0 wanted",
    ],
    "new flat": ["missed: ADD Rahel & balcony"],
}
DROPPED = {
    "recited", "if we won", "assistant would forget", "new flat",
    "supposed", "api key", "forged rules",
    "garage", "guessed taste",
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: object, name: str = "cases.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def case(name: str, **fields: Any) -> dict[str, Any]:
    said = [{"role": "user", "name": "Ana", "content": "I play the cello."}]
    return {"name": name, "category": "facts", "messages": said, "at_most": 1, **fields}


def answer(text: str | None = "Ana plays the cello", **fields: Any) -> dict[str, Any]:
    said = {"op": "ADD", "text": text, "quote": "I play the cello.", **fields}
    return {"operations": [said]}


CELLO = {"event": "ADD", "all_of": ["Ana", "cello"]}


# The recorded run


@pytest.mark.usefixtures("in_memory")
async def test_the_recorded_answers_score_exactly_as_they_are_wrong(settings: Settings):
    report = await run_extraction(DATA, ANSWERS, settings=settings)
    assert {row.case: list(row.wrong) for row in report.rows if row.wrong} == WRONG
    assert {row.case for row in report.rows if row.dropped} == DROPPED
    assert not [row for row in report.rows if row.error]
    all_of_them = report.overall
    assert all_of_them.counts.model_dump() == {
        "expected": 60, "made": 59, "hits": 53, "targeted": 15, "targets": 12, "dated": 19,
        "dates": 19, "forbidden": 67, "stored": 2, "too_many": 2, "lost": 0,
    }  # fmt: skip
    assert (all_of_them.recall, all_of_them.precision) == (88.33, 89.83)
    assert (all_of_them.forbidden, all_of_them.targets) == (2.99, 80.0)
    assert (all_of_them.dates, all_of_them.too_many) == (100, 3.33)
    assert all_of_them.lost == 0
    for name in ("languages", "dates", "negations", "forgetting", "known already"):
        perfect = report.categories[name]
        assert (perfect.recall, perfect.precision, perfect.forbidden or 0) == (100, 100, 0), name
    assert (report.asked.calls, report.asked.input_tokens) == (60, 0)
    assert report.asked.cost_usd is None
    assert report.asked.dropped == 15.0
    assert report.asked.p50_seconds is not None


@pytest.mark.usefixtures("in_memory")
@pytest.mark.slow
async def test_of_what_a_small_model_heard_nothing_is_lost_and_most_is_right(settings: Settings):
    report = await run_extraction(DATA, SMALL_ANSWERS, settings=settings)
    assert (report.overall.failed, report.overall.lost) == (0, 0)
    assert report.overall.recall is not None
    assert report.overall.precision is not None
    assert report.overall.recall >= 55
    assert report.overall.precision >= 60
    assert report.overall.dates == 100


def test_the_cases_are_many_and_varied():
    scripts = load_scripts(DATA)
    assert len(scripts) >= 40
    categories = {script.category for script in scripts}
    assert {
        "facts", "changes", "corrections", "contradictions", "negations", "plans", "hypotheticals",
        "jokes", "recited", "two people", "languages", "dates", "secrets", "injections",
    } <= categories  # fmt: skip


# A model, over HTTP


async def test_a_model_is_asked_and_what_it_does_not_read_is_a_failed_row(
    tmp_path: Path, written: Callable[..., Path]
):
    data = written(
        case("first", expect=[CELLO]),
        case("second", expect=[CELLO]),
        case("third", expect=[CELLO], known=[{"text": "Ana plays the cello"}], forbid=["cello"]),
    )
    with LLMServer() as server:
        llm = {"model": "openai/test", "api_base": server.url, "retries": 0}
        given = Settings.model_validate({"data_dir": tmp_path / "memory", "llm": llm})
        server.script(answer(), failing(500), answer("Ana has a cello"))
        report = await run_extraction(data, settings=given)
    first, second, third = report.rows
    assert (first.error, first.counts.hits, first.wrong) == (None, 1, [])
    assert second.error
    assert "waits" in second.error
    assert (second.counts.expected, second.counts.made) == (1, 0)
    assert third.counts.stored == 1
    assert report.overall.failed == 1
    assert report.asked.input_tokens == 2 * INPUT_TOKENS
    assert report.asked.output_tokens == 2 * OUTPUT_TOKENS
    assert report.answers is None
    assert "openai/test" in report.title
    assert "failed: second: " in report.text()


# Answers


async def test_an_answer_that_is_missing_or_too_many_is_said(
    settings: Settings, written: Callable[..., Path]
):
    data = written(case("a", expect=[CELLO]), case("b", expect=[CELLO]))
    answers = written({"case": "b", "answers": [answer(), answer()]}, name="answers.jsonl")
    a, b = (await run_extraction(data, answers, settings=settings)).rows
    assert "no answer to this was recorded" in str(a.error)
    assert b.counts.hits == 1
    assert b.degraded == ["1 recorded answers were not asked for"]


async def test_recorded_answers_need_no_model_and_never_ask_one(
    settings: Settings, written: Callable[..., Path]
):
    llm = settings.llm.model_copy(update={"model": "openai/none", "verify": True})
    both = settings.model_copy(update={"llm": llm})
    answers = written({"case": "a", "answers": [answer()]}, name="answers.jsonl")
    data = written(case("a", expect=[CELLO]), case("b"))
    report = await run_extraction(data, answers, first=1, settings=both)
    assert [row.error for row in report.rows] == [None]
    assert report.overall.recall == 100
    assert report.settings["llm"]["model"] == ""


# The scorer


def made(
    text: str, event: str = "ADD", target: int | None = None, *, is_written: bool = True
) -> MemoryChange:
    return MemoryChange(event, text, target, None, is_written=is_written)


def scored(
    expect: list[dict[str, Any]], *changes: MemoryChange, **fields: Any
) -> Mapping[str, int]:
    known = [{"text": "one"}, {"text": "two"}]
    script = Script.model_validate(case("a", expect=expect, known=known, **fields))
    counts, _ = score(script, changes)
    return counts.model_dump()


def test_each_change_counts_once_and_as_many_are_paired_as_can_be():
    broad, narrow = {"event": "ADD", "all_of": ["tea"]}, {"event": "ADD", "all_of": ["green tea"]}
    both = made("Ana likes green tea"), made("Ben likes tea")
    for expect in ([broad, narrow], [narrow, broad]):
        for changes in (both, both[::-1]):
            assert scored(expect, *changes)["hits"] == 2
    assert scored([broad, broad], both[0])["hits"] == 1


def test_the_event_the_words_and_the_target_must_be_right():
    wanted = [{"event": "UPDATE", "all_of": ["tea", "milk"], "target": 1}]
    right = made("Tea with MILK", "UPDATE", 1)
    assert scored(wanted, right)["hits"] == 1
    assert scored(wanted, made("Tea with milk", "ADD"))["hits"] == 0
    assert scored(wanted, made("Tea with milk", "UPDATE", 0))["hits"] == 0
    only_tea = scored(wanted, made("Tea", "UPDATE", 1))
    assert (only_tea["hits"], only_tea["targets"]) == (0, 1)


def test_what_ends_is_not_to_be_written_anew():
    ends = [{"event": "UPDATE", "all_of": ["two"], "target": 1}]
    assert scored(ends, made("two", "UPDATE", 1, is_written=False))["hits"] == 1
    assert scored(ends, made("no more two", "UPDATE", 1))["hits"] == 0


async def test_dates_quotes_and_tags_are_looked_at(
    settings: Settings, written: Callable[..., Path]
):
    said = "I play the cello. The code is 4711."
    messages = [{**case("")["messages"][0], "content": said, "occurred_at": "2026-05-04T10:00:00Z"}]
    expect = [{**CELLO, "date": "2026-05"}]
    cases = {
        "begin": ({"occurred_at": "2026-05-01"}, {"dates": 1, "stored": 0}),
        "end": ({"valid_until": "2026-05-09", "occurred_at": "2026-04-01"}, {"dates": 1}),
        "message": ({}, {"dates": 1}),
        "other": ({"occurred_at": "2026-04-30"}, {"dates": 0, "dated": 1, "hits": 1}),
        "quote": ({"quote": said}, {"stored": 1}),
        "tag": ({"tags": ["code 4711"]}, {"stored": 1}),
    }
    data = written(
        *(case(name, messages=messages, expect=expect, secrets=["4711"]) for name in cases)
    )
    answers = written(
        *({"case": name, "answers": [answer(**said)]} for name, (said, _) in cases.items()),
        name="answers.jsonl",
    )
    report = await run_extraction(data, answers, settings=settings)
    for row, (_, counts) in zip(report.rows, cases.values(), strict=True):
        assert row.counts.model_dump().items() >= counts.items(), row.case


# The command


def test_the_command_writes_both_reports(
    tmp_path: Path, written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEM_MCP_STORE__DURABILITY", "os")
    data = written(case("a", expect=[CELLO], forbid=["drum"]))
    answers = written({"case": "a", "answers": [answer()]}, name="answers.jsonl")
    given = ["evaluate", "extraction", "--data", str(data), "--answers", str(answers)]
    done = CliRunner().invoke(app, [*given, "--seed", "3", "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "recorded answers" in done.stdout
    kept = (tmp_path / "out" / "extraction.json").read_text("utf-8")
    report = ExtractionReport.model_validate_json(kept)
    assert (report.seed, report.overall.recall) == (3, 100)
    assert report.settings["remember"]
    assert report.versions["mem-mcp"]
    assert report.answers == "answers.jsonl"
    page = (tmp_path / "out" / "extraction.md").read_text("utf-8")
    assert "| category | cases |" in page
    assert "sha256" in page


def test_answers_are_for_this_suite_only(written: Callable[..., Path]):
    given = ["evaluate", "locomo", "--data", "x", "--answers", str(written())]
    done = CliRunner().invoke(app, given)
    assert done.exit_code != 0
    assert "--answers" in done.output


# Bad input


async def refused(*given: Any, **options: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        await run_extraction(*given, **options)
    return str(error.value)


async def test_without_data_model_or_answers_it_is_said_what_to_give(
    settings: Settings, written: Callable[..., Path]
):
    assert "extraction.jsonl" in await refused(None, settings=settings)
    needed = await refused(written(case("a")), settings=settings)
    assert "llm.model" in needed
    assert "answers" in needed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no case"),
        ("[1, 2]", "line 1"),
        (json.dumps(case("a"))[:-9], "cut off in line 1"),
        (json.dumps(case("a")) + "\n" + json.dumps(case("a")), "'a' twice"),
        (json.dumps(case("a", colour="red")), "colour"),
        (json.dumps(case("a", expect=[{**CELLO, "extra": 1}])), "extra"),
        (json.dumps(case("a", forbid=["("])), "regular expression"),
        (json.dumps(case("a", expect=[{**CELLO, "event": "DELETE"}])), "without a target"),
        (json.dumps(case("a", expect=[{**CELLO, "event": "DELETE", "target": 0}])), "target 0"),
        (json.dumps(case("a", expect=[{**CELLO, "date": "May"}])), "date"),
        (json.dumps(case("a", messages=[])), "messages"),
        ("\xff", "line 1"),
    ],
    ids=lambda value: value if " " not in value else None,
)
async def test_data_of_another_format_is_refused(
    settings: Settings, tmp_path: Path, text: str, problem: str
):
    path = tmp_path / "cases.jsonl"
    path.write_text(text, "latin-1")
    assert problem in await refused(path, ANSWERS, settings=settings)


async def test_answers_of_another_format_are_refused(
    settings: Settings, tmp_path: Path, written: Callable[..., Path]
):
    data = written(case("a"))
    assert "cannot read" in await refused(tmp_path / "none", settings=settings)
    assert "cannot read" in await refused(data, tmp_path / "none", settings=settings)
    row = {"case": "a", "answers": [answer()]}
    for rows, problem in (
        ([{**row, "modle": "x"}], "modle"),
        ([{"case": "a"}], "answers"),
        ([row, row], "'a' twice"),
        ([{**row, "case": "z"}], "'z'"),
        ([{**row, "answers": [{"operations": 3}]}], "operations"),
    ):
        given = written(*rows, name="answers.jsonl")
        assert problem in await refused(data, given, settings=settings)
    for option in ({"first": 0}, {"seed": -1}):
        assert next(iter(option)) in await refused(data, ANSWERS, settings=settings, **option)
