"""The suites beside locomo, and the rankings that recall is compared with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import evaluate
from mem_mcp.evaluation.datasets import banking77, github_issues
from mem_mcp.evaluation.retrieval.evidence import EvidenceReport
from mem_mcp.evaluation.retrieval.off_topic import AbstainReport
from mem_mcp.evaluation.retrieval.token_budget import BUDGETS, CurveReport


def _issue(name: str, text: str, *files: str) -> dict[str, Any]:
    return {"instance_id": name, "issue": text, "files": list(files), "resolved": True}


SHELF = [
    _issue("a__b-1", "The parser drops the last comma of a list", "src/parser.py"),
    _issue("c__d-7", "The parser drops the last comma of a tuple", "src/parser.py"),
    _issue("a__b-2", "Printing a date shows the wrong month", "src/dates.py", "tests/test_x.py"),
    _issue("a__b-3", "The parser keeps a comma too many", "src/parser.py", "tests/test_x.py"),
    _issue("a__b-4", "Colours are lost", "src/colour.py", "tests/test_x.py", "README.md"),
    _issue("a__b-5", "The month of a date is wrong", "src/dates.py", "README.md"),
]
TRAIN = """text,category
Where is my card?,card_arrival
"My card, has it been sent?",card_arrival
How do I change my PIN?,change_pin
Can I top up by bank transfer?,top_up
"""
TEST = """text,category
Has my card been sent yet?,card_arrival
I want another PIN,change_pin
Do you open on Sundays?,opening_hours
"""


def _talk(name: str, turns: list[str], question: str) -> dict[str, Any]:
    said = [{"speaker": name, "dia_id": f"D1:{n}", "text": t} for n, t in enumerate(turns, 1)]
    return {
        "sample_id": name,
        "conversation": {"session_1_date_time": "9:00 am on 3 March, 2022", "session_1": said},
        "qa": [{"question": question, "evidence": ["D1:1"], "category": 4}],
    }


CAT = _talk("Carl", ["My cat is called Miso.", "Good morning!"], "What is the cat called?")
BOAT = _talk(
    "Dora", ["I built a wooden boat in Norway.", "See you."], "Where did Dora build a boat?"
)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return _lines(tmp_path, SHELF)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    (tmp_path / "test.csv").write_text(TEST, "utf-8")
    path = tmp_path / "train.csv"
    path.write_text(TRAIN, "utf-8")
    return path


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    return _json(tmp_path, [CAT, BOAT])


def _lines(folder: Path, rows: list[Any]) -> Path:
    path = folder / "issues.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _json(folder: Path, content: Any) -> Path:
    path = folder / "locomo.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_an_issue_is_asked_about_among_the_earlier_ones_of_its_repository(shelf):
    dataset = github_issues.load(shelf)
    assert [(case.name, sorted(case.among), sorted(case.relevant)) for case in dataset.cases] == [
        ("a__b-3", ["a__b-1", "a__b-2"], ["a__b-1"]),
        ("a__b-5", ["a__b-1", "a__b-2", "a__b-3", "a__b-4"], ["a__b-2"]),
    ]
    assert {case.category for case in dataset.cases} == {"a/b"}
    assert (dataset.memories, dataset.skipped) == (6, 4)


def test_an_issue_with_only_one_before_it_is_not_asked_about(tmp_path):
    same = [_issue(f"a__b-{n}", "Comma", "src/parser.py") for n in (1, 2, 3)]
    assert [case.name for case in github_issues.load(_lines(tmp_path, same)).cases] == ["a__b-3"]


@pytest.mark.anyio
async def test_recall_finds_no_later_issue_and_none_of_another_repository(shelf, settings):
    report = await evaluate("lessons", shelf, settings=settings)
    assert isinstance(report, EvidenceReport)
    parser, dates = report.rows
    assert (parser.ranks, parser.relevant) == ((1,), 1)
    assert dates.ranks == (1,)
    assert parser.tokens == parser.full_tokens < dates.tokens == dates.full_tokens
    assert list(report.overall.metrics) == ["hit@1", "hit@5", "hit@10", "MRR", "nDCG@10"]


@pytest.mark.anyio
async def test_a_quick_run_of_lessons_takes_the_first_issues(shelf, settings):
    report = await evaluate("lessons", shelf, first=4, settings=settings)
    assert (len(report.rows), report.data.memories) == (1, 4)


def test_messages_of_the_same_intent_are_relevant_and_unknown_intents_left_out(bank):
    dataset = banking77.load(bank)
    relevant = {case.name: sorted(case.relevant) for case in dataset.cases}
    assert relevant == {
        "test.csv line 2": ["train.csv line 2", "train.csv line 3"],
        "test.csv line 3": ["train.csv line 4"],
    }
    assert (dataset.memories, dataset.skipped) == (4, 1)
    assert {call.arguments["content"] for call in dataset.calls} >= {"My card, has it been sent?"}


def test_the_samples_of_intents_follow_the_seed(bank, monkeypatch):
    monkeypatch.setattr(banking77, "MEMORIES", 2)
    samples = {
        seed: [call.keys for call in banking77.load(bank, seed=seed).calls] for seed in range(8)
    }
    assert all(len(sample) == 2 for sample in samples.values())
    assert len({tuple(sorted(sample)) for sample in samples.values()}) > 1
    assert samples[3] == [call.keys for call in banking77.load(bank, seed=3).calls]


@pytest.mark.anyio
async def test_equal_messages_are_one_memory_that_is_found_once(bank, settings):
    bank.write_text(TRAIN + " Where is my card? ,card_arrival\n", "utf-8")
    report = await evaluate("intents", bank, settings=settings)
    card = next(row for row in report.rows if row.case == "test.csv line 2")
    assert card.relevant == 2
    assert len(card.ranks) == len(card.others["dense"]) == 2


@pytest.mark.anyio
async def test_every_ranking_stands_beside_ours_on_the_same_questions(bank, settings):
    report = await evaluate("intents", bank, settings=settings)
    assert list(report.others) == ["BM25", "dense", "RRF", "half"]
    assert {tuple(each) for each in report.others.values()} == {tuple(report.overall.metrics)}
    assert list(report.gains) == list(report.overall.metrics)
    page = report.text()
    for name in ("BM25", "dense", "RRF", "half", "ours", "best other", "ours - best other"):
        assert f"\n{name} " in page
    assert EvidenceReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.anyio
async def test_the_other_rankings_see_only_what_recall_may_see(shelf, settings):
    report = await evaluate("lessons", shelf, settings=settings)
    for row, candidates in zip(report.rows, (2, 4), strict=True):
        assert all(len(ranks) == 1 <= ranks[0] <= candidates for ranks in row.others.values())


@pytest.mark.anyio
async def test_without_the_arms_only_ours_is_measured(bank, settings):
    report = await evaluate("intents", bank, arms=False, settings=settings)
    assert (report.others, report.gains) == ({}, {})
    assert "BM25" not in report.text()


@pytest.mark.anyio
async def test_each_question_is_asked_of_its_own_conversation_and_of_another(talks, settings):
    steps = []
    report = await evaluate(
        "abstain", talks, settings=settings, progress=lambda *step: steps.append(step)
    )
    assert isinstance(report, AbstainReport)
    assert [(row.case, row.other) for row in report.rows] == [
        ("Carl question 1", "Dora"),
        ("Dora question 1", "Carl"),
    ]
    for row in report.rows:
        assert row.own_score == row.evidence_score > row.other_score
    assert (report.auc, report.balanced_accuracy) == (1, 100)
    assert steps[-1] == (8, 8)  # four memories, two questions asked twice


@pytest.mark.anyio
async def test_the_table_says_what_each_min_score_would_do(talks, settings):
    report = await evaluate("abstain", talks, settings=settings)
    assert [each.min_score for each in report.levels] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    base = report.levels[0]
    assert (base.answered, base.evidence, base.rejected) == (100, 100, 0)
    for level in report.levels:
        kept = [row.own_score >= level.min_score for row in report.rows]
        refused = [row.other_score < level.min_score for row in report.rows]
        assert level.answered == level.evidence == 50 * sum(kept)
        assert level.rejected == 50 * sum(refused)
    assert "\n| min_score | own answered |" in report.markdown()


@pytest.mark.anyio
async def test_a_question_that_fails_counts_against_the_score_on_both_sides(tmp_path, settings):
    blank = {"question": " ", "evidence": ["D1:1"], "category": 4}
    path = _json(tmp_path, [{**CAT, "qa": [blank, *CAT["qa"]]}, BOAT])
    report = await evaluate("abstain", path, settings=settings)
    assert report.failed == 1
    assert "query" in report.rows[0].error
    assert (report.levels[0].answered, report.levels[-1].rejected) == (66.7, 66.7)
    assert "failed: Carl question 1: InvalidInput" in report.text()


@pytest.mark.anyio
async def test_one_conversation_has_no_other_to_ask(talks, settings):
    with pytest.raises(InvalidInput, match=r"two conversations, and .*locomo\.json gives one"):
        await evaluate("abstain", talks, first=1, settings=settings)


@pytest.mark.anyio
async def test_the_curve_shows_what_is_found_within_each_budget(tmp_path, settings):
    long = " ".join(["The harbour was quiet and the boats lay still."] * 25)
    path = _json(tmp_path, [_talk("Carl", [f"My cat is called Miso. {long}", "Hi!"], "The cat?")])
    report = await evaluate("locomo-curve", path, settings=settings)
    assert isinstance(report, CurveReport)
    assert tuple(report.budgets) == BUDGETS
    assert [point.found for point in report.budgets.values()] == [100] * len(BUDGETS)
    assert all(point.tokens <= budget for budget, point in report.budgets.items())
    assert report.usual.found == report.reached == 100
    assert report.full_tokens == report.usual.tokens > 250
    assert "within 1,000 tokens 100.0 % of what 20 memories find" in report.text()


@pytest.mark.anyio
async def test_a_question_that_fails_is_a_row_of_the_curve(tmp_path, settings):
    path = _json(tmp_path, [{**CAT, "qa": [{**CAT["qa"][0], "question": " "}]}])
    report = await evaluate("locomo-curve", path, settings=settings)
    assert report.rows[0].error.startswith("InvalidInput: query")
    assert report.reached == 0
    assert "failed: Carl question 1" in report.text()


ISSUE = json.dumps(SHELF[0]) + "\n"
WRONG_ISSUES = {
    "cut off": (ISSUE + ISSUE[:-20], "cut off in line 2"),
    "another format": ('{"text": "x"}\n', "of another format or cut off in line 1 (instance_id"),
    "one JSON document": (json.dumps(SHELF), "line 1 (the whole"),
    "no issue": ("\n", "holds no issue"),
    "no repository in the id": (ISSUE.replace("a__b-1", "ab"), "line 1 (instance_id"),
    "an issue twice": (ISSUE + ISSUE, "'a__b-1' twice"),
    "no question": (ISSUE, "no question that can be scored"),
}
WRONG_MESSAGES = {
    "another header": ("a,b\nx,y\n", "does not begin with the line text,category"),
    "empty": ("", "does not begin with the line text,category"),
    "no message": ("text,category\n", "holds no message"),
    "cut off in a text": (TRAIN + "Where is", "no text and category in line 6"),
    "cut off in a quoted text": (TRAIN + '"Where, is', "is not CSV, or is cut off (line 6"),
    "cut off in an intent": (TRAIN + "Where is it?,card_arr", "its last line does not end"),
    "a column too many": (TRAIN + "a,b,c\n", "no text and category in line 6"),
    "no intent": (TRAIN + "a, \n", "no text and category in line 6"),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("content", "problem"), WRONG_ISSUES.values(), ids=list(WRONG_ISSUES))
async def test_a_file_of_issues_that_cannot_be_used_is_named(shelf, settings, content, problem):
    shelf.write_text(content, "utf-8")
    await _refused("lessons", shelf, settings, problem, named=shelf)


@pytest.mark.anyio
@pytest.mark.parametrize(("content", "problem"), WRONG_MESSAGES.values(), ids=list(WRONG_MESSAGES))
@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
async def test_a_file_of_messages_that_cannot_be_used_is_named(
    bank, settings, content, problem, name
):
    broken = bank.with_name(name)
    broken.write_text(content, "utf-8")
    await _refused("intents", bank, settings, problem, named=broken)


@pytest.mark.anyio
async def test_missing_files_and_other_encodings_are_named(bank, shelf, settings):
    await _refused("lessons", shelf.with_name("absent"), settings, "No such file", named="absent")
    shelf.write_bytes(ISSUE.replace("comma", "cöäma").encode("latin-1"))
    await _refused("lessons", shelf, settings, "line 1", named=shelf)
    bank.write_bytes(TRAIN.replace("card?", "cärd?").encode("latin-1"))
    await _refused("intents", bank, settings, "not UTF-8", named=bank)
    bank.write_text(TRAIN, "utf-8")
    bank.with_name("test.csv").unlink()
    await _refused("intents", bank, settings, "No such file", named="test.csv")


async def _refused(suite: str, path: Path, settings, problem: str, *, named: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        await evaluate(suite, path, settings=settings)
    assert refused.value.argument == "data"
    assert problem in str(refused.value)
    assert str(named) in str(refused.value)


def _command(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command_writes_a_report_of_each_suite_under_its_name(talks, tmp_path):
    done = _command("abstain", "--data", talks, "--output", tmp_path, "--seed", 4)
    assert done.exit_code == 0, done.stderr
    assert "min_score" in done.stdout
    written = AbstainReport.model_validate_json((tmp_path / "abstain.json").read_text("utf-8"))
    assert written.seed == 4
    assert (tmp_path / "abstain.md").read_text("utf-8") == written.markdown()
    done = _command("locomo", "--curve", "--data", talks, "--output", tmp_path, "--first", 1)
    assert done.exit_code == 0, done.stderr
    curve = CurveReport.model_validate_json((tmp_path / "locomo-curve.json").read_text("utf-8"))
    assert len(curve.rows) == 1


def test_a_picture_without_matplotlib_is_refused_before_the_work(talks, tmp_path, monkeypatch):
    monkeypatch.setattr("mem_mcp.cli.stats_plot.find_spec", lambda _name: None)
    picture = tmp_path / "new" / "curve.svg"
    done = _command("locomo", "--curve", "--plot", picture, "--data", talks)
    assert (done.exit_code, done.stdout) == (1, "")
    assert 'pip install "mem-mcp[plot]"' in done.stderr
    assert not picture.parent.exists()


def test_the_curve_is_drawn_where_asked(talks, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "curve.svg"
    done = _command("locomo", "--curve", "--plot", picture, "--data", talks)
    assert done.exit_code == 0, done.stderr
    assert picture.read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["lessons", "--curve"], "--curve: is only for locomo"),
        (["locomo", "--plot", "x.svg"], "--plot: is only for locomo --curve"),
        (["locomo", "--sizes", "1000"], "--sizes: is only for speed"),
        (["locomo", "--profile"], "--profile: is only for speed"),
        (["speed", "--first", "3"], "--first: is only for the other suites"),
        (["speed", "--sizes", "1000,many"], "--sizes: '1000,many' is not like"),
        (["intents"], "--data: is missing"),
    ],
)
def test_an_option_that_does_not_fit_the_suite_is_named(arguments, problem, monkeypatch):
    monkeypatch.setitem(
        sys.modules, "mem_mcp.evaluation.speed.run", SimpleNamespace(run_speed=None)
    )
    done = _command(*arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert problem in done.stderr


def test_speed_is_run_with_its_own_options(talks, tmp_path, monkeypatch):
    report = AbstainReport.model_validate_json(
        _command("abstain", "--data", talks, "--json").stdout
    )
    asked = []

    def run_speed(*arguments, progress):
        asked.append(arguments)
        return report

    fake = SimpleNamespace(run_speed=run_speed)
    monkeypatch.setitem(sys.modules, "mem_mcp.evaluation.speed.run", fake)
    assert _command("speed", "--sizes", "10,200", "--seed", 2, "--profile").exit_code == 0
    assert _command("speed", "--data", talks, "--output", tmp_path).exit_code == 0
    assert asked == [([10, 200], 2, True, None), ([1_000, 10_000, 100_000], 0, False, talks)]
