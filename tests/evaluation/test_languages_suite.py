"""The suite of languages: within each, to and from English, and with an embedder of noise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import evaluate
from mem_mcp.evaluation.datasets import xquad
from mem_mcp.evaluation.retrieval.languages import LanguagesReport, NoiseEmbedder

ENGLISH = [
    [
        {"text": "The harbour of Aldmoor freezes in January.", "questions": ["What freezes?"]},
        {"text": "Bakers sell rye bread.", "questions": ["What do bakers sell?", "Who sells rye?"]},
    ],
    [{"text": "Three bridges cross the river Tarn.", "questions": ["What crosses the Tarn?"]}],
]
SPANISH = [
    [
        {"text": "El puerto de Aldmoor se congela en enero.", "questions": ["¿Qué se congela?"]},
        {
            "text": "Los panaderos venden pan de centeno.",
            "questions": ["¿Qué venden los panaderos?", "¿Quién vende centeno?"],
        },
    ],
    [{"text": "Tres puentes cruzan el río Tarn.", "questions": ["¿Qué cruza el Tarn?"]}],
]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "xquad"
    path.mkdir()
    for name, articles in (("en", ENGLISH), ("es", SPANISH)):
        (path / f"{name}.json").write_text(json.dumps(articles), "utf-8")
    return path


def test_each_language_is_a_user_and_is_asked_in_its_own_and_in_english(folder):
    dataset = xquad.load(folder)
    assert dataset.memories == 6
    assert {call.arguments["user_id"] for call in dataset.calls} == {"en", "es"}
    asked = [(case.category, case.arguments["user_id"]) for case in dataset.cases]
    pairs = [("en-en", "en"), ("es-es", "es"), ("es-en", "en"), ("en-es", "es")]
    assert asked == [pair for pair in pairs for _ in range(4)]
    case = next(case for case in dataset.cases if case.name == "es-en 2.2")
    assert case.arguments["query"] == "¿Quién vende centeno?"
    assert case.relevant == {"en 2"}
    assert list(case.among) == ["en 1", "en 2", "en 3"]


def test_a_quick_run_takes_the_first_articles(folder):
    assert xquad.load(folder, 1).memories == 4


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("fr.json", json.dumps(ENGLISH[:1]), "not parallel"),
        ("fr.json", "[[{}]]", "fr.json is not in XQuAD's format"),
        ("fr.json", "[[", "fr.json is not JSON"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(folder, file, content, problem):
    (folder / file).write_text(content, "utf-8")
    with pytest.raises(InvalidInput, match=problem):
        xquad.load(folder)


def test_a_folder_without_languages_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"not a folder with a file such as en\.json"):
        xquad.load(tmp_path / "nowhere")


@pytest.mark.anyio
async def test_ours_stands_beside_words_meaning_and_ours_over_noise(folder, settings):
    steps: list[tuple[int, int]] = []
    report = await evaluate(
        "xquad", folder, settings=settings, progress=lambda *step: steps.append(step)
    )
    assert isinstance(report, LanguagesReport)
    assert (list(report.within), list(report.to_english)) == (["en", "es"], ["es"])
    assert list(report.from_english) == ["es"]
    english = report.within["en"]
    assert english.cases == 4
    assert list(english.hits) == ["ours", "words", "meaning", "noise"]
    assert english.hits["ours"] == 100
    assert english.off_topic_auc == 1
    assert report.to_english["es"].off_topic_auc is None
    off_topic = [row.off_topic_score for row in report.rows if row.category == "es-es"]
    own = [row.score for row in report.rows if row.category == "es-es"]
    assert None not in off_topic
    assert max(off_topic) < min(own)
    assert all(row.error is None for row in report.rows)
    assert "| hit@1 within |" in report.markdown()
    assert "mean" in report.text()
    assert steps[-1][0] == steps[-1][1]


@pytest.mark.anyio
async def test_without_the_arms_only_ours_is_measured(folder, settings):
    report = await evaluate("xquad", folder, arms=False, settings=settings)
    assert list(report.within["es"].hits) == ["ours"]


def test_the_command_reads_a_folder(folder, tmp_path):
    done = CliRunner().invoke(
        app, ["evaluate", "xquad", "--data", str(folder), "--first", "1", "--output", str(tmp_path)]
    )
    assert done.exit_code == 0, done.stderr
    written = LanguagesReport.model_validate_json((tmp_path / "xquad.json").read_text("utf-8"))
    assert written.within["en"].cases == 3


@pytest.mark.anyio
async def test_noise_is_the_same_for_the_same_text_and_has_no_other_likeness():
    rows = await NoiseEmbedder().embed(["tea", "tea", *(f"text {n}" for n in range(50))], "query")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (rows[0] == rows[1]).all()
    assert np.abs(rows[2:] @ rows[0]).max() < 0.3
