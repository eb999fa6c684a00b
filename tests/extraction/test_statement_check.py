"""Statements beside true quotes: the false ones are not believed, honest rewordings are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mem_mcp.extraction.statement_check import Support, difference, is_named
from mem_mcp.prompts.conversation import Utterance

DATA = Path(__file__).parents[1] / "data"


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


HELD_OUT = read("statements_held_out.jsonl")
STATEMENTS = {
    "the checks were written beside": read("statements.jsonl"),
    **{
        f"written before, to {half}": [row for row in HELD_OUT if row["half"] == half]
        for half in ("choose", "measure")
    },
}
SETS = pytest.mark.parametrize("statements", STATEMENTS.values(), ids=STATEMENTS.keys())


def checked(row: dict[str, Any]) -> str:
    at = datetime.fromisoformat(row["said_on"]).replace(tzinfo=UTC)
    said = Utterance(row["message"], "user", row["name"] or None, at)
    people = [name for name in (row["name"], "Ben") if name]
    return difference(row["text"], Support([said], row["quote"], people=people))


def false(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in statements if row["differs"]]


def honest(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in statements if not row["differs"]]


@SETS
def test_the_statements_are_many_and_varied(statements: list[dict[str, Any]]):
    assert len(false(statements)) >= 60
    assert len(honest(statements)) >= 120
    assert len({row["language"] for row in false(statements)}) >= 6
    kinds = {row["differs"] for row in false(statements)}
    assert kinds == {"number", "name", "date", "negation", "mood", "speaker"}


@SETS
def test_statements_that_differ_from_their_quote_are_not_believed(statements: list[dict[str, Any]]):
    believed = [row["text"] for row in false(statements) if not checked(row)]
    assert len(believed) <= len(false(statements)) / 12, believed


@SETS
def test_honest_rewordings_are_believed(statements: list[dict[str, Any]]):
    refused = [(row["text"], why) for row in honest(statements) if (why := checked(row))]
    assert len(refused) <= len(honest(statements)) / 30, refused


NAMED = [
    ("My sister Ines lives in Graz.", ["Ines", "Graz", "sister", "the user", "Ana"]),
    ("Petras Bäckerei ist in Gent.", ["Petra", "Gent", "Bäckerei", "Bäckereien"]),
    ("Mi hermana Lucía vive en Jerez.", ["Lucía", "Jerez", "hermana"]),
    ("J'habite à Lyon avec Théo.", ["Lyon", "Théo", "l'utilisateur"]),
    ("Ho comprato una Vespa da Carlo.", ["Vespa", "Carlo"]),
    ("我妹妹住在成都。", ["成都", "妹妹"]),
    ("I deploy billing_v2 on db-7 with Argo CD.", ["billing_v2", "db-7", "Argo CD"]),
]
INVENTED = ["Elon Musk", "Clara", "Oslo", "Ines Huber", "db-9", "上海", "billing_v3"]


def test_only_what_somebody_named_is_an_entity():
    for text, names in NAMED:
        said = Utterance(text, "user", "Ana", datetime(2026, 5, 4, tzinfo=UTC))
        support = Support([said], text, people=["Ana"])
        assert [name for name in names if not is_named(name, support)] == [], text
        assert [name for name in INVENTED if is_named(name, support)] == [], text
