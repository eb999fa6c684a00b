"""The suite of everyday stores: its data, how it is scored, and the floor under today's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mem_mcp import Settings
from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.everyday import EverydayGroup, EverydayKind, load_kinds
from mem_mcp.evaluation.retrieval.everyday import HALVES, run_everyday

pytestmark = pytest.mark.anyio
DATA = Path(__file__).parents[1] / "data" / "everyday"
MOST_MEMORIES = 80

# Questions that were answered right, of those of the first two choose groups of each kind. Raise a
# number when the ranking gets better; the groups to measure with are no test's business.
RIGHT = {
    "changed_minds": 13, "code_names": 15, "dates": 17, "emoji_scripts": 15, "identifiers": 16,
    "long_notes": 16, "negation": 16, "numbers": 15, "opposites": 15, "paths": 17,
    "preferences": 14, "records": 13, "typos": 15, "versions": 15, "word_names": 15,
}  # fmt: skip
SLACK = 1
"""Questions of a kind that other versions of the dependencies may answer otherwise."""
SMALL = """
- name: pets
  half: choose
  language: en
  now: 2026-03-02T08:00:00Z
  memories:
    cat: "The cat is called Miso."
    dog: {text: "The dog is called Bruno.", tags: [dog], occurred_at: 2026-01-05}
    bath: {task: "Bathe the dog", outcome: failure, lesson: "Close the bathroom door first."}
    vet: {text: "The vet is Dr. Lund.", valid_until: 2026-02-01}
  questions:
    "What is the cat called?": cat
    "What is the dog called?": [dog, bath]
- name: plants
  half: measure
  language: en
  memories:
    fern: "The fern is watered daily."
  questions:
    "How often is the fern watered?": fern
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


# The data


def stores() -> list[tuple[EverydayKind, EverydayGroup]]:
    return [(kind, group) for kind in load_kinds(DATA) for group in kind.groups]


def test_the_data_has_many_questions_in_many_languages():
    groups = [group for _, group in stores()]
    assert sum(len(group.questions) for group in groups) >= 400
    assert len({group.language for group in groups} - {"mixed"}) >= 8


def test_each_kind_has_questions_enough_in_both_halves():
    counts = Counter((kind.name, group.half) for kind, group in stores() for _ in group.questions)
    assert len(counts) == 2 * len(RIGHT)
    assert min(counts.values()) >= 15


def test_each_store_is_small_and_never_tells_the_same_twice():
    for kind, group in stores():
        memories = [each for store in kind.store(group) for each in store.memories.values()]
        texts = [each.text or each.task for each in memories]
        assert 10 <= len(texts) == len(set(texts)) <= MOST_MEMORIES, group.name


# The run


@pytest.mark.usefixtures("in_memory")
@pytest.mark.slow
async def test_what_is_answered_right_today_stays_right(settings: Settings):
    report = await run_everyday(DATA, "choose", first=2, settings=settings)
    assert not [row for row in report.rows if row.error]
    right = Counter(row.kind for row in report.rows if 1 in row.ranks)
    worse = {kind: right[kind] for kind, before in RIGHT.items() if right[kind] < before - SLACK}
    assert not worse
    assert right.total() >= sum(RIGHT.values()) - 3 * SLACK


async def test_each_question_is_asked_of_its_own_group(settings, written):
    report = await run_everyday(written(SMALL), settings=settings)
    assert [(row.case, row.kind, row.group, row.half) for row in report.rows] == [
        ("What is the cat called?", "small", "pets", "choose"),
        ("What is the dog called?", "small", "pets", "choose"),
        ("How often is the fern watered?", "small", "plants", "measure"),
    ]
    assert [row.ranks[0] for row in report.rows] == [1, 1, 1]
    assert report.figure("hit@1", "choose") == report.figure("MRR", "measure", "small") == 100
    assert report.figure("hit@1", "measure", "large") is None
    assert (report.data.file, report.data.memories) == ("small.yaml", 5)


async def test_a_wrong_first_answer_is_shown(settings, written):
    wrong = SMALL.replace('"What is the cat called?": cat', '"What is the cat called?": vet')
    row = (await run_everyday(written(wrong), "choose", settings=settings)).rows[0]
    assert row.ranks[0] > 1
    assert row.first == "The cat is called Miso."


async def test_a_group_may_lie_beside_another(settings, written):
    beside = SMALL.replace("half: measure", "half: choose\n  beside: [pets]")
    report = await run_everyday(written(beside), "choose", first=2, settings=settings)
    assert report.data.memories == 4 + 5
    assert len(report.rows) == 3


async def test_a_memory_without_a_date_is_a_day_younger_than_the_one_before_it(written):
    (kind,) = load_kinds(written(SMALL))
    days = [date[:10] for date in kind.groups[0].occurred_at().values()]
    assert days == ["2026-02-26", "2026-01-05", "2026-02-28", "2026-03-01"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (": cat\n", ": cow\n", "'cow', the answer to"),
        ("half: choose", "half: both", "half: Input should be 'choose' or 'measure'"),
        ("task: ", "text: wet, task: ", "either a text or a task"),
        ("tags: [dog]", "lesson: none", "only a task has"),
        ("name: plants", "name: pets", "'pets' twice"),
        ("fern: ", "moss: old\n    moss: ", "'moss' twice"),
        ("half: measure", "half: measure\n  beside: [pets]", "not of its half"),
        ("now: 2026-03-02T08:00:00Z", "now: soon", "now: "),
        ("- name: pets", "- name: {", "is no YAML of groups"),
        ("2026-01-05", "the fifth", "small: pets cannot be stored"),
    ],
)
async def test_data_that_cannot_be_used_is_named(settings, written, old, new, problem):
    assert old in SMALL
    with pytest.raises(InvalidInput, match=problem.replace("(", r"\(")):
        await run_everyday(written(SMALL.replace(old, new)), settings=settings)


async def test_what_cannot_be_run_is_refused(settings, tmp_path):
    with pytest.raises(InvalidInput, match="name a folder of everyday stores"):
        await run_everyday(None, settings=settings)
    with pytest.raises(InvalidInput, match="'third' is not one of choose, measure"):
        await run_everyday(DATA, "third", settings=settings)
    with pytest.raises(InvalidInput, match=r"no file whose name ends in \.yaml"):
        await run_everyday(tmp_path, settings=settings)


# The command line


def test_the_command_prints_both_halves_apart_and_together_by_kind(written):
    done = CliRunner().invoke(app, ["evaluate", "everyday", "--data", str(written(SMALL))])
    assert done.exit_code == 0, done.output
    head, _, header, small, total, *_ = done.stdout.splitlines()
    assert head == "everyday: 3 questions about 5 memories, in percent"
    assert header.split() == [
        "kind",
        *(c for half in HALVES for c in (half, "hit@1", "hit@3", "MRR")),
    ]
    assert small.split() == [
        "small",
        "2",
        "100.0",
        "100.0",
        "100.0",
        "1",
        "100.0",
        "100.0",
        "100.0",
    ]
    assert total.split()[0] == "all"


def test_one_half_can_be_run_alone(written):
    data = str(written(SMALL))
    done = CliRunner().invoke(app, ["evaluate", "everyday", "--half", "measure", "--data", data])
    assert done.stdout.splitlines()[2].split() == ["kind", "measure", "hit@1", "hit@3", "MRR"]
    refused = CliRunner().invoke(app, ["evaluate", "intents", "--half", "choose"])
    assert refused.exit_code == 1
    assert "--half: is only for everyday" in refused.output
