from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mem_mcp import Settings
from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import evaluate
from mem_mcp.evaluation.datasets import locomo
from mem_mcp.evaluation.retrieval.evidence import EvidenceReport

LEAK = "unindexed zeppelin keyword"
ANNA = {
    "sample_id": "conv-1",
    "conversation": {
        "speaker_a": "Anna",
        "speaker_b": "Ben",
        "session_10_date_time": "12:05 am on 1 January, 2024",
        "session_10": [{"speaker": "Ben", "dia_id": "D10:1", "text": "Happy new year!"}],
        "session_2_date_time": "1:56 pm on 8 May, 2023",
        "session_2": [
            {"speaker": "Anna", "dia_id": "D2:1", "text": "I moved here from Sweden."},
            {
                "speaker": "Ben",
                "dia_id": "D2:2",
                "text": "Look at my new bicycle!",
                "img_url": ["https://example.org/bicycle.jpg"],
                "blip_caption": "a photo of a red bicycle",
                "query": LEAK,
            },
            {"speaker": "Anna", "dia_id": "D2:3", "text": " "},
        ],
        "session_11_date_time": "3:00 pm on 2 January, 2024",
    },
    "qa": [
        {
            "question": "Where is Anna from?",
            "answer": "Sweden",
            "evidence": ["D2:1"],
            "category": 4,
        },
        {
            "question": "What colour is the bicycle?",
            "answer": "red",
            "evidence": ["D:2:02; D10:1", "D", "D2:99"],
            "category": 1,
        },
        {"question": "What year began?", "answer": 2024, "evidence": ["D10:1"], "category": 2},
        {"question": "Why did Ben move?", "adversarial_answer": "x", "evidence": [], "category": 5},
        {"question": "Is Anna kind?", "answer": "yes", "evidence": ["D7:1"], "category": 3},
    ],
}
CARL = {
    "sample_id": "conv-2",
    "conversation": {
        "session_1_date_time": "9:00 am on 3 March, 2022",
        "session_1": [{"speaker": "Carl", "dia_id": "D1:1", "text": "My cat is called Miso."}],
    },
    "qa": [
        {
            "question": "What is the cat called?",
            "answer": "Miso",
            "evidence": ["D1:1"],
            "category": 4,
        }
    ],
}


@pytest.fixture
def write(tmp_path: Path):
    def write(content: Any, name: str = "locomo.json") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


@pytest.fixture
def data(write) -> Path:
    return write([ANNA, CARL])


def test_every_turn_becomes_a_message_of_its_session_in_order(data):
    first, second, third = locomo.load(data).calls
    assert first.keys == ("conv-1 D2:1", "conv-1 D2:2")
    assert first.arguments == {
        "messages": [
            {"role": "user", "name": "Anna", "content": "I moved here from Sweden."},
            {
                "role": "user",
                "name": "Ben",
                "content": "Look at my new bicycle! [shares an image: a photo of a red bicycle]",
            },
        ],
        "user_id": "conv-1",
        "run_id": "session_2",
        "occurred_at": datetime(2023, 5, 8, 13, 56, tzinfo=UTC),
    }
    assert second.arguments["run_id"] == "session_10"
    assert second.arguments["occurred_at"] == datetime(2024, 1, 1, 0, 5, tzinfo=UTC)
    assert third.arguments["user_id"] == "conv-2"


def test_the_search_words_of_an_image_are_never_read(data):
    assert LEAK in data.read_text("utf-8")
    assert LEAK not in repr(locomo.load(data))


def test_malformed_evidence_is_split_normalised_and_dropped_where_it_names_no_turn(data):
    dataset = locomo.load(data)
    assert [sorted(case.relevant) for case in dataset.cases] == [
        ["conv-1 D2:1"],
        ["conv-1 D10:1", "conv-1 D2:2"],
        ["conv-1 D10:1"],
        ["conv-2 D1:1"],
    ]
    assert dataset.skipped == 1  # the one whose only evidence does not exist


def test_adversarial_questions_are_not_asked(data):
    assert [case.category for case in locomo.load(data).cases] == [
        "single-hop",
        "multi-hop",
        "temporal",
        "single-hop",
    ]


@pytest.mark.anyio
async def test_a_run_counts_questions_memories_and_tokens(data, settings):
    report = await evaluate("locomo", data, settings=settings)
    assert report.overall.cases == 4
    assert report.overall.failed == 0
    assert report.data.memories == 4
    assert report.data.skipped == 1
    assert {name: each.cases for name, each in report.categories.items()} == {
        "multi-hop": 1,
        "single-hop": 2,
        "temporal": 1,
    }
    assert report.overall.metrics["recall@20"] == 100
    assert report.overall.tokens == report.overall.full_tokens > 0
    assert report.timing.p50_ms > 0
    assert not settings.data_dir.exists()


@pytest.mark.anyio
async def test_questions_are_asked_within_their_own_conversation(data, settings):
    report = await evaluate("locomo", data, settings=settings)
    cat = next(row for row in report.rows if row.case == "conv-2 question 1")
    assert cat.ranks == (1,)
    assert cat.full_tokens < report.rows[0].full_tokens


@pytest.mark.anyio
async def test_two_runs_differ_in_nothing_but_their_timing(data, settings):
    one = await evaluate("locomo", data, settings=settings, seed=3)
    two = await evaluate("locomo", data, settings=settings, seed=3)
    assert one.model_copy(update={"timing": two.timing}) == two


@pytest.mark.anyio
async def test_a_quick_run_takes_the_first_conversations(data, settings):
    steps = []
    report = await evaluate(
        "locomo", data, first=1, settings=settings, progress=lambda *step: steps.append(step)
    )
    assert report.overall.cases == 3
    assert steps[-1] == (6, 6)  # three memories and three questions


@pytest.mark.anyio
async def test_a_question_that_fails_is_a_row_and_found_nothing(write, settings):
    blank = {"question": " ", "evidence": ["D1:1"], "category": 4}
    report = await evaluate(
        "locomo", write([{**CARL, "qa": [blank, *CARL["qa"]]}]), settings=settings
    )
    failed, answered = report.rows
    assert "query" in failed.error
    assert failed.ranks == ()
    assert answered.error is None
    assert (report.overall.cases, report.overall.failed) == (2, 1)
    assert report.overall.metrics["recall@5"] == 50
    assert "failed: conv-2 question 1: InvalidInput: query" in report.text()
    assert "- failed: conv-2 question 1" in report.markdown()


@pytest.mark.anyio
async def test_a_run_in_which_all_fails_still_reports(write, settings):
    blank = {"question": "", "evidence": ["D1:1"], "category": 4}
    report = await evaluate("locomo", write([{**CARL, "qa": [blank]}]), settings=settings)
    assert report.overall.failed == 1
    assert report.timing.p50_ms is None
    assert report.text()


@pytest.mark.anyio
async def test_a_report_says_what_ran_and_holds_no_path(data, settings, tmp_path):
    report = await evaluate("locomo", data, settings=settings, seed=5)
    assert (report.suite, report.seed, report.limit) == ("locomo", 5, 20)
    assert set(report.versions) == {"mem-mcp", "lancedb", "onnxruntime", "python"}
    assert report.settings["embedding"] == {"model": "bundled"}
    assert report.data.file == "locomo.json"
    assert str(tmp_path) not in report.model_dump_json()
    assert EvidenceReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.anyio
async def test_the_tables_have_a_row_a_category_and_one_for_all(data, settings):
    report = await evaluate("locomo", data, settings=settings)
    header = "category questions recall@1 recall@5 recall@10 recall@20 MRR nDCG@10 tokens"
    names = ["multi-hop", "single-hop", "temporal", "all", "95"]
    rows = [line.split() for line in report.text().splitlines()]
    start = rows.index(header.split())
    assert [row[0] for row in rows[start + 1 : start + 6]] == names
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in report.markdown().splitlines()
        if line.startswith("|")
    ]
    assert cells[0] == header.split()
    assert [len(row) for row in cells] == [9] * 7 + [7] * 10


WRONG = {
    "cut off": (json.dumps([ANNA])[:-40], "cut off"),
    "empty": ("", "cut off"),
    "another format": ([{"question": "?"}], "not in LoCoMo's format: 0.sample_id"),
    "an object": ({"qa": []}, "not in LoCoMo's format: the whole"),
    "no conversation": ([], "holds no conversation"),
    "no turn": ([{**CARL, "conversation": {}}], "holds no conversation"),
    "no question": ([{**CARL, "qa": []}], "no question"),
    "a turn without speaker": (
        [{**CARL, "conversation": {"session_1": [{"dia_id": "D1:1", "text": "x"}]}}],
        "session_1.0.speaker",
    ),
    "another kind of id": (
        [{**CARL, "conversation": {"session_1": [{"speaker": "C", "dia_id": "7", "text": "x"}]}}],
        "session_1.0.dia_id",
    ),
    "another kind of date": (
        [
            {
                **CARL,
                "conversation": {**CARL["conversation"], "session_1_date_time": "2022-03-03"},
            }
        ],
        "session_1_date_time",
    ),
    "a conversation twice": ([CARL, CARL], "'conv-2 D1:1' twice"),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("content", "problem"), WRONG.values(), ids=list(WRONG))
async def test_a_file_that_cannot_be_used_is_refused_by_name(write, settings, content, problem):
    path = write(content)
    with pytest.raises(InvalidInput) as refused:
        await evaluate("locomo", path, settings=settings)
    assert refused.value.argument == "data"
    assert problem in str(refused.value)


@pytest.mark.anyio
async def test_a_missing_file_a_folder_and_another_encoding_are_refused(tmp_path, settings):
    latin = tmp_path / "latin.json"
    latin.write_bytes('["é"]'.encode("latin-1"))
    for path, problem in (
        (tmp_path / "absent.json", "No such file"),
        (tmp_path, "Is a directory"),
        (latin, "not UTF-8"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            await evaluate("locomo", path, settings=settings)


@pytest.mark.anyio
async def test_a_turn_that_cannot_be_stored_ends_the_run_with_its_name(write, settings):
    turn = {"speaker": "Carl", "dia_id": "D1:1", "text": "NUL \x00 inside"}
    path = write([{**CARL, "conversation": {"session_1": [turn]}}])
    with pytest.raises(InvalidInput, match=r"data: .*conv-2 D1:1.*NUL"):
        await evaluate("locomo", path, settings=settings)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"suite": "loco"},
            "suite: 'loco' is not one of locomo, lessons, intents, abstain, locomo-curve",
        ),
        ({"suite": "locomo", "first": 0}, "first"),
        ({"suite": "locomo", "seed": -1}, "seed"),
    ],
)
async def test_a_wrong_argument_is_named(data, settings: Settings, arguments, problem):
    with pytest.raises(InvalidInput, match=problem):
        await evaluate(data=data, settings=settings, **arguments)


def _command(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command_prints_one_line_of_json_and_nothing_else(data):
    done = _command("locomo", "--data", data, "--json")
    assert done.exit_code == 0
    assert EvidenceReport.model_validate(json.loads(done.stdout)).overall.cases == 4
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_the_command_prints_a_table_and_writes_the_reports_where_asked(data, tmp_path):
    folder = tmp_path / "reports" / "today"
    done = _command("locomo", "--data", data, "--output", folder, "--first", 1)
    assert done.exit_code == 0
    assert "recall@10" in done.stdout
    written = EvidenceReport.model_validate_json((folder / "locomo.json").read_text("utf-8"))
    assert written.overall.cases == 3
    assert (folder / "locomo.md").read_text("utf-8") == written.markdown()


def test_the_command_says_in_one_line_which_file_is_missing(tmp_path):
    done = _command("locomo", "--data", tmp_path / "absent.json")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "absent.json" in done.stderr


def test_the_command_refuses_a_folder_for_reports_that_is_a_file_before_the_work(data):
    done = _command("locomo", "--data", data, "--output", data)
    assert (done.exit_code, done.stdout) == (1, "")
    assert str(data) in done.stderr
