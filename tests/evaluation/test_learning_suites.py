"""The suites about learning: marks help other questions, outcomes help other tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mem_mcp import AsyncMemory
from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import evaluate
from mem_mcp.evaluation.learning import feedback, task_stream
from mem_mcp.evaluation.learning.feedback import (
    FeedbackReport,
    MeasuredQuestion,
    Measurement,
    grouped,
)
from mem_mcp.evaluation.learning.outcome_recall import LessonsReport
from mem_mcp.evaluation.learning.simulated_agent import Episode, NearestEpisodes, Stream
from mem_mcp.evaluation.learning.task_stream import StreamReport

TURNS = [
    "My cat is called Miso.",
    "I built a wooden boat in Norway.",
    "We had pancakes for breakfast.",
    "The train to Oslo was late again.",
    "My sister plays the cello.",
    "It rained all week.",
    "I planted tomatoes in May.",
    "The new lamp is green.",
    "Tom broke his arm while skiing.",
    "We painted the kitchen yellow.",
    "My neighbour sells honey.",
    "The library closes at six.",
]
ASKED = {
    "What is the cat called?": 1,
    "What name does Carl's cat have?": 1,
    "Where was the boat built?": 2,
    "Who plays the cello?": 5,
}
# What a message asks for is not the name that its words are closest to: only experience tells.
MISLED = """text,category
When will my new card arrive?,blue_form
Where is my new card?,blue_form
Has my new card arrived?,blue_form
Where has my new card gone?,blue_form
When is my new card here?,blue_form
"A PIN for the app on my phone, please",red_form
"""


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(feedback, "SEEDS", 2)
    return _talk(tmp_path, ASKED)


@pytest.fixture
def misled(tmp_path: Path) -> Path:
    path = tmp_path / "test.csv"
    path.write_text(MISLED, "utf-8")
    return path


def _talk(folder: Path, asked: dict[str, int]) -> Path:
    said = [{"speaker": "Carl", "dia_id": f"D1:{n}", "text": t} for n, t in enumerate(TURNS, 1)]
    content = {
        "sample_id": "Carl",
        "conversation": {"session_1_date_time": "9:00 am on 3 March, 2022", "session_1": said},
        "qa": [
            {"question": question, "evidence": [f"D1:{turn}"], "category": 4}
            for question, turn in asked.items()
        ],
    }
    path = folder / "locomo.json"
    path.write_text(json.dumps([content]), "utf-8")
    return path


@pytest.fixture
def issues(tmp_path: Path) -> Path:
    attempts = {
        "The parser drops the last comma": True,
        "The parser keeps a comma too many": False,
        "Printing a date shows the wrong month": False,
        "The parser forgets a bracket": True,
    }
    same = {"files": ["src/parser.py"]}
    rows = [
        {"instance_id": f"a__b-{number}", "issue": text, "resolved": resolved, **same}
        for number, (text, resolved) in enumerate(attempts.items())
    ]
    path = tmp_path / "issues.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


class Spy:
    """Notes the marks that reach a memory, and can refuse some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[tuple[str, str], str]] = []
        give = AsyncMemory.give_feedback

        async def noted(memory: AsyncMemory, *, items: list[Any], user_id: str) -> Any:
            assert user_id == "Carl"
            marks = {(one["memory_id"], one["query"]): one["feedback"] for one in items}
            assert len(marks) == len(items) <= 1_000
            self.calls.append(marks)
            return await give(memory, items=items, user_id=user_id)

        monkeypatch.setattr(AsyncMemory, "give_feedback", noted)


@pytest.mark.anyio
async def test_half_of_the_questions_mark_and_the_other_half_is_measured(talk, settings):
    steps = []
    report = await evaluate(
        "feedback", talk, seed=3, settings=settings, progress=lambda *step: steps.append(step)
    )
    assert isinstance(report, FeedbackReport)
    assert report.seeds == [3, 4]
    for seed in report.seeds:
        assert sum(seed in row.seeds for row in report.rows) == 2
        assert f"\n{seed}, all wrong " in report.text()
    arms = ["none", "clean", "20 % wrong", "all wrong"]
    assert all(list(one.ranks) == arms for row in report.rows for one in row.seeds.values())
    assert list(report.groups["all"].gains) == arms[1:]
    assert report.marks == 20
    # Twelve turns; four questions before and after; two measured in three arms with two seeds.
    assert steps[-1] == (12 + 8 + 12, 12 + 8 + 12)


@pytest.mark.anyio
async def test_all_marks_are_taken_back_and_leave_no_trace(talk, settings):
    report = await evaluate("feedback", talk, settings=settings)
    assert (report.changed, report.refused) == (0, 0)
    assert "0 of 4 questions were answered differently" in report.text()
    assert "marks were refused" not in report.text()


@pytest.mark.anyio
async def test_what_answers_is_marked_helpful_and_the_rest_not_unless_turned_round(
    talk, settings, monkeypatch
):
    spy = Spy(monkeypatch)
    await evaluate("feedback", talk, settings=settings)
    words = [[word for call in spy.calls[arm::4] for word in call.values()] for arm in range(4)]
    clean, mixed, turned, removed = words
    assert [call.keys() for call in spy.calls] == [
        call.keys() for call in spy.calls[::4] for _ in words
    ]
    assert (clean.count("POSITIVE"), clean.count("NEGATIVE")) == (4, 36)  # of four questions
    assert (turned.count("POSITIVE"), turned.count("NEGATIVE")) == (36, 4)
    assert set(removed) == {""}
    assert 0 < sum(one != other for one, other in zip(clean, mixed, strict=True)) < 20


@pytest.mark.anyio
async def test_a_question_shares_marks_and_is_helped_by_those_of_its_own_answer(
    tmp_path, settings, monkeypatch
):
    monkeypatch.setattr(feedback, "SEEDS", 1)
    monkeypatch.setattr(feedback, "MARKED", 1)
    alike = {question: turn for question, turn in ASKED.items() if turn == 1}
    report = await evaluate("feedback", _talk(tmp_path, alike), settings=settings)
    (measured,) = (row for row in report.rows if row.seeds)
    assert (measured.seeds[0].shared, measured.seeds[0].helped) == (True, True)
    assert "others" not in report.groups
    apart = {question: turn for question, turn in ASKED.items() if turn in {2, 5}}
    report = await evaluate("feedback", _talk(tmp_path, apart), settings=settings)
    (measured,) = (row for row in report.rows if row.seeds)
    assert (measured.seeds[0].shared, measured.seeds[0].helped) == (False, False)
    assert list(report.groups) == ["all", "not helped", "others"]


def test_means_are_over_all_that_was_measured_and_intervals_over_questions():
    def measured(*clean: int) -> Measurement:
        return Measurement(shared=True, helped=False, ranks={"none": (1,), "clean": clean})

    rows = [
        MeasuredQuestion(case="a", category="x", relevant=1, seeds={0: measured(1), 1: measured()}),
        MeasuredQuestion(case="b", category="x", relevant=1, seeds={1: measured(2)}),
        MeasuredQuestion(case="c", category="x", relevant=1, seeds={}),
    ]
    groups = grouped(rows, [0, 1], 0)
    assert groups["all"] == groups["shared"] == groups["not helped"]
    assert (groups["all"].questions, groups["all"].measured) == (2, 3)
    assert groups["all"].metrics["none"] == {"MRR": 100, "recall@10": 100}
    assert groups["all"].metrics["clean"] == {"MRR": 50, "recall@10": 66.67}
    gain = groups["all"].gains["clean"]["recall@10"]
    assert gain.points == -33.33
    assert gain.interval == (-50, 0)  # of a alone, measured twice, and of b alone
    assert grouped(rows, [1], 0)["all"].metrics["clean"]["MRR"] == 25


@pytest.mark.anyio
async def test_a_question_that_fails_is_a_row_and_gives_no_marks(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(feedback, "SEEDS", 1)
    report = await evaluate("feedback", _talk(tmp_path, {" ": 1, **ASKED}), settings=settings)
    assert "query" in report.rows[0].error
    assert [row.error for row in report.rows[1:]] == [None] * 4
    assert all(one.ranks["none"] == () for one in report.rows[0].seeds.values())
    assert "failed: Carl question 1: InvalidInput" in report.text()


@pytest.mark.anyio
async def test_marks_that_are_refused_are_counted(talk, settings, monkeypatch):
    monkeypatch.setattr(feedback, "_words", lambda marks, *_: ["PURPLE"] * len(marks))
    report = await evaluate("feedback", talk, settings=settings)
    assert report.refused == 2 * 3 * 20
    assert "120 marks were refused" in report.text()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "cut off"),
        ('[{"question": "?"}]', "not in LoCoMo's format"),
        (MISLED, "is not JSON"),
        (None, "No such file"),
    ],
)
@pytest.mark.anyio
async def test_a_file_of_conversations_that_cannot_be_used_is_named(
    talk, settings, content, problem
):
    _replace(talk, content)
    await _refused("feedback", talk, settings, problem)


def test_the_order_of_the_stream_follows_the_seed_and_all_actions_remain(misled):
    orders = {
        seed: [case.name for case in task_stream.load(misled, seed=seed).cases] for seed in (0, 1)
    }
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    assert orders[1] == [case.name for case in task_stream.load(misled, seed=1).cases]
    few = task_stream.load(misled, 2, 1).cases
    assert [case.name for case in few] == orders[1][:2]
    assert {case.among for case in few} == {("blue_form", "red_form")}


def _tasks() -> Stream:
    return Stream(
        texts=["a", "b", "c"],
        truth=[0, 0, 0],
        actions=["left", "right"],
        vectors=np.array([[1, 0], [1, 0], [0, 1]], np.float32),
        closeness=np.array([[0.5, 0.4]] * 3),
    )


def test_the_rule_weighs_successes_for_and_failures_against_by_likeness():
    tasks = _tasks()
    assert tasks.act(0, []) == 0
    assert tasks.act(0, [Episode(1, action=1, success=True)]) == 1
    assert tasks.act(0, [Episode(1, action=0, success=False)]) == 1
    assert tasks.act(0, [Episode(2, action=1, success=True)]) == 0  # nothing alike
    both = [Episode(1, action=1, success=True), Episode(1, action=1, success=False)]
    assert tasks.act(0, both) == 0


def test_only_the_first_ten_episodes_vote():
    far = [Episode(2, action=0, success=True)] * 10
    assert _tasks().act(0, [*far, Episode(1, action=1, success=True)]) == 0
    assert _tasks().act(0, [*far[1:], Episode(1, action=1, success=True)]) == 1


@pytest.mark.anyio
async def test_what_is_compared_with_takes_the_nearest_of_the_outcomes_asked_for():
    past = NearestEpisodes(_tasks(), ("failure",))
    episodes = [Episode(*one) for one in ((2, 0, False), (1, 0, True), (1, 1, False))]
    for one in episodes:
        await past.add(one)
    assert await past.like(0) == [episodes[2], episodes[0]]


@pytest.mark.anyio
async def test_an_agent_with_both_outcomes_learns_what_no_name_tells(misled, settings):
    steps = []
    report = await evaluate(
        "stream", misled, settings=settings, progress=lambda *step: steps.append(step)
    )
    assert isinstance(report, StreamReport)
    assert list(report.arms) == [arm.name for arm in task_stream.ARMS]
    right = {name: each.whole for name, each in report.arms.items()}
    assert right["no memory"] == right["successes only"] == 0  # it never tries the other action
    assert right["both"] > 50
    assert right["told the right action"] > 50
    gain = report.differences[0]
    assert (gain.arm, gain.whole.over, gain.whole.points) == ("both", "no memory", right["both"])
    assert steps[-1] == (30, 30)  # six messages, and five arms that ask a memory
    assert [row.action for row in report.rows] == [
        case.category for case in task_stream.load(misled).cases
    ]
    # Ten are recalled: in so short a stream every earlier message, in whatever order.
    assert all(each.whole == each.exact_whole for each in report.arms.values())
    assert StreamReport.model_validate_json(report.model_dump_json()) == report
    assert "\nboth - successes only " in report.text()


@pytest.mark.anyio
async def test_a_message_that_fails_is_a_row_and_not_right(misled, settings, monkeypatch):
    broken = task_stream.load(misled).cases[3]
    recall = AsyncMemory.recall_lessons

    async def fails(memory: AsyncMemory, task: str, **arguments: Any) -> Any:
        if task == broken.arguments["task"]:
            raise OSError("the disk is full")
        return await recall(memory, task, **arguments)

    monkeypatch.setattr(AsyncMemory, "recall_lessons", fails)
    _fewer_arms(monkeypatch, "no memory", "successes only")
    report = await evaluate("stream", misled, settings=settings)
    errors = {row.case: row.error for row in report.rows if row.error}
    assert errors == {broken.name: "successes only: OSError: the disk is full"}
    assert not any(report.rows[3].right.values())
    assert {each.failed for each in report.arms.values()} == {0, 1}
    assert f"failed: {broken.name}: successes only: OSError" in report.text()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "does not begin with the line text,category"),
        ("[]", "does not begin with the line text,category"),
        ("text,category\n", "holds no message"),
        (MISLED + "Where is", "no text and category in line 8"),
        (MISLED + '"Where, is', "is not CSV, or is cut off (line 8"),
        (MISLED + "Where is it?,card_arr", "its last line does not end"),
        (None, "No such file"),
    ],
)
@pytest.mark.anyio
async def test_a_file_of_messages_that_cannot_be_used_is_named(misled, settings, content, problem):
    _replace(misled, content)
    await _refused("stream", misled, settings, problem)


@pytest.mark.anyio
async def test_messages_in_another_encoding_are_named(misled, settings):
    misled.write_bytes(MISLED.replace("gone", "goné").encode("latin-1"))
    await _refused("stream", misled, settings, "not UTF-8")


@pytest.mark.anyio
async def test_each_recalled_attempt_is_shown_with_its_own_outcome(issues, settings):
    report = await evaluate("lessons", issues, arms=False, settings=settings)
    assert isinstance(report, LessonsReport)
    assert [each.recalled for each in report.attempts] == [0, 1, 2, 3]
    assert report.shown_right == 100
    assert [cell.strip() for cell in _line(report, "| all | 4 |")] == ["all", "4", "6", "100.0"]
    assert len(report.rows) == 2  # the questions are the same as ever


@pytest.mark.anyio
async def test_an_attempt_shown_with_another_outcome_is_counted(issues, settings, monkeypatch):
    recall = AsyncMemory.recall_lessons

    async def turned(memory: AsyncMemory, task: str, **arguments: Any) -> Any:
        found = await recall(memory, task, **arguments)
        swapped = {"successes": found.failures, "failures": found.successes}
        return found.model_copy(update=swapped)

    monkeypatch.setattr(AsyncMemory, "recall_lessons", turned)
    report = await evaluate("lessons", issues, arms=False, settings=settings)
    assert report.shown_right == 0


@pytest.mark.anyio
async def test_an_attempt_that_fails_is_a_row(issues, settings, monkeypatch):
    async def fails(*_: Any, **__: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(AsyncMemory, "record_outcome", fails)
    report = await evaluate("lessons", issues, arms=False, settings=settings)
    assert [each.error for each in report.attempts] == ["OSError: the disk is full"] * 4
    assert "failed: a__b-0: OSError: the disk is full" in report.text()
    assert report.overall.failed == 0


@pytest.mark.anyio
async def test_an_attempt_without_an_outcome_is_refused(tmp_path, settings):
    path = tmp_path / "issues.jsonl"
    path.write_text('{"instance_id": "a__b-1", "issue": "x", "files": []}\n', "utf-8")
    await _refused("lessons", path, settings, "line 1 (resolved")


def test_the_command_runs_them_and_its_help_names_them(misled, talk, tmp_path, monkeypatch):
    _fewer_arms(monkeypatch, "both")
    for suite, data in (("stream", misled), ("feedback", talk)):
        done = CliRunner().invoke(
            app, ["evaluate", suite, "--data", str(data), "--output", str(tmp_path), "--first", "1"]
        )
        assert done.exit_code == 0, done.stderr
        written = (tmp_path / f"{suite}.md").read_text("utf-8")
        assert written.startswith(f"# {suite}: ")
        assert json.loads((tmp_path / f"{suite}.json").read_text("utf-8"))["suite"] == suite
        assert suite in CliRunner().invoke(app, ["evaluate", "--help"]).stdout


def _fewer_arms(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(task_stream, "ARMS", [arm for arm in task_stream.ARMS if arm.name in names])
    monkeypatch.setattr(task_stream, "COMPARED", [])


async def _refused(suite: str, path: Path, settings, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await evaluate(suite, path, settings=settings)
    assert refused.value.argument == "data"
    assert problem in str(refused.value)
    assert path.name in str(refused.value)


def _replace(path: Path, content: str | None) -> None:
    """Write another content, or none at all: then the file is gone."""
    if content is None:
        path.unlink()
    else:
        path.write_text(content, "utf-8")


def _line(report: LessonsReport, start: str) -> list[str]:
    (line,) = (one for one in report.markdown().splitlines() if one.startswith(start))
    return line.strip("|").split("|")
