"""Other values of the ranking's constants: what each would do, over all and without a group."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from mem_mcp.cli.app import app
from mem_mcp.evaluation import evaluate
from mem_mcp.evaluation.retrieval import tuning
from mem_mcp.evaluation.retrieval.tuning import TuningReport, constant
from mem_mcp.ranking import constants

PARAGRAPHS = [
    {"text": "The harbour of Aldmoor freezes in January.", "questions": ["What freezes?"]},
    {"text": "Bakers sell rye bread.", "questions": ["What do bakers sell?"]},
]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "xquad"
    path.mkdir()
    for name in ("en", "es"):
        (path / f"{name}.json").write_text(json.dumps([PARAGRAPHS]), "utf-8")
    return path


def test_a_constant_has_another_value_wherever_it_is_used_and_only_meanwhile():
    users = [sys.modules[f"mem_mcp.ranking.{name}"] for name in ("rank", "fusion")]
    rank, fusion = users
    with constant("NAME_BOOST", 7.0), constant("LEXICAL_WEIGHT_MAX", 8.0):
        assert (rank.NAME_BOOST, fusion.LEXICAL_WEIGHT_MAX) == (7.0, 8.0)
        assert constants.NAME_BOOST != 7.0
    assert rank.NAME_BOOST == constants.NAME_BOOST
    assert fusion.LEXICAL_WEIGHT_MAX == constants.LEXICAL_WEIGHT_MAX


def test_a_constant_is_restored_after_an_error():
    rank = sys.modules["mem_mcp.ranking.rank"]
    with pytest.raises(ZeroDivisionError), constant("NAME_BOOST", 7.0):
        raise ZeroDivisionError
    assert rank.NAME_BOOST == constants.NAME_BOOST


@pytest.mark.parametrize("name", tuning.TUNED)
def test_each_constant_is_used_by_the_ranking(name):
    users = [
        key
        for key, module in sys.modules.items()
        if key.startswith("mem_mcp.ranking.") and name in vars(module)
    ]
    assert len(users) > 1


@pytest.mark.anyio
async def test_a_value_that_ruins_the_order_loses_over_all_and_without_each_language(
    folder, settings, monkeypatch
):
    others = [("LEXICAL_WEIGHT_MAX", -9.0), ("NAME_BOOST", constants.NAME_BOOST)]
    monkeypatch.setattr(tuning, "_others", lambda: iter(others))
    report = await evaluate("xquad-tune", folder, settings=settings)
    assert isinstance(report, TuningReport)
    assert (report.metric, report.figure, report.groups) == ("hit@1", 100, ["en", "es"])
    ruined, same = report.rows
    assert (ruined.constant, ruined.value) == ("LEXICAL_WEIGHT_MAX", -9.0)
    assert ruined.present == constants.LEXICAL_WEIGHT_MAX
    assert ruined.gain < 0
    assert ruined.without_a_group[1] <= 0
    assert (same.gain, same.without_a_group) == (0, (0, 0))
    assert f"LEXICAL_WEIGHT_MAX {ruined.present} -> -9.0" in report.text()


def test_only_suites_with_constants_are_tuned(folder):
    done = CliRunner().invoke(app, ["evaluate", "abstain", "--data", str(folder), "--tune"])
    assert done.exit_code != 0
    assert "--tune" in done.stderr
