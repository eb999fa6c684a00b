"""Entities and relations in recall, and the neighbourhood of an entity."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mem_mcp import AsyncMemory, Memory, Settings
from mem_mcp.api.models import RecallResult
from mem_mcp.cli.app import app
from mem_mcp.errors import InvalidInput

pytestmark = pytest.mark.anyio
QUESTION = "Which city should a letter to Ann go to?"
FIRST = "Since March she has had a desk at Acme"
SECOND = "The firm moved its premises, boxes and plants and all"


@pytest.fixture(params=[4_000, 0], ids=["small", "large"])
async def scope(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncMemory]:
    """A memory whose scopes are read whole, and one where only the nearest rows are read."""
    settings = Settings(data_dir=tmp_path / "memory", recall={"whole": request.param, "pool": 10})
    async with AsyncMemory.open(settings) as opened:
        await opened.remember_many(
            [
                {"content": f"A letter came for flat {row}, from a city by the sea"}
                for row in range(60)
            ]
        )
        yield opened


async def tell(memory: AsyncMemory, user_id: str = "") -> list[str]:
    done = [
        await memory.remember(
            FIRST, entities=["Ann", "Acme"], relations=[edge("Ann", "works at", "Acme")],
            user_id=user_id,
        ),
        await memory.remember(
            SECOND, entities=["ACME"], relations=[edge("Acme", "sits in", "Oslo")], user_id=user_id
        ),
    ]  # fmt: skip
    return [one.results[0].memory_id for one in done]


def edge(source: str, relation: str, target: str) -> dict[str, str]:
    return {"source": source, "relation": relation, "target": target}


def graph_parts(found: RecallResult) -> dict[str, float]:
    return {one.text: (one.scores or {})["graph"] for one in found.memories}


async def test_a_memory_two_hops_away_without_a_common_word_is_found(scope: AsyncMemory):
    before = await scope.recall(QUESTION, limit=200, explain=True)
    assert not any(graph_parts(before).values())
    await tell(scope)
    found = await scope.recall(QUESTION, limit=200, explain=True)
    parts = graph_parts(found)
    assert parts[FIRST] > parts[SECOND] > 0
    assert not any(part for text, part in parts.items() if text not in (FIRST, SECOND))
    second = next(one for one in found.memories if one.text == SECOND)
    assert [one.target for one in second.relations] == ["Oslo"]


async def test_a_superseded_a_hidden_and_a_strangers_memory_lead_nowhere(scope: AsyncMemory):
    await tell(scope, user_id="eve")
    assert SECOND not in graph_parts(await scope.recall(QUESTION, limit=200, explain=True))
    first, _ = await tell(scope)
    await scope.update_memory(first, status="archived")
    assert not graph_parts(await scope.recall(QUESTION, limit=200, explain=True)).get(SECOND)
    await scope.update_memory(first, status="active")
    assert graph_parts(await scope.recall(QUESTION, limit=200, explain=True))[SECOND] > 0
    await scope.forget(first)
    assert not graph_parts(await scope.recall(QUESTION, limit=200, explain=True)).get(SECOND)
    assert (await scope.graph("Ann")).entities == []


async def test_an_alias_leads_to_what_is_stored_under_the_other_name(scope: AsyncMemory):
    await tell(scope)
    await scope.remember(
        "Annabel is what her passport says", relations=[edge("Annabel", "Also known as", "Ann")]
    )
    found = await scope.recall("Annabel's address?", limit=200, explain=True)
    assert graph_parts(found)[FIRST] > 0


async def test_a_hub_does_not_crowd_out_the_way(scope: AsyncMemory):
    await scope.remember_many(
        [{"content": f"Errand {row} is done", "entities": ["user"]} for row in range(200)]
    )
    await scope.remember(FIRST, entities=["Ann", "Acme", "user"])
    await scope.remember(SECOND, entities=["Acme"])
    found = await scope.recall(QUESTION, limit=200, explain=True)
    parts = graph_parts(found)
    assert parts[SECOND] > 0
    others = [part for text, part in parts.items() if text.startswith("Errand")]
    assert max(others, default=0) < 0.02


async def test_the_neighbourhood_of_an_entity(scope: AsyncMemory):
    first, second = await tell(scope)
    await scope.remember("Oslo has trams", entities=["Oslo", "trams"])
    near = await scope.graph("ann's", hops=1)
    assert near.entities == ["Ann", "Acme"]
    assert [one.model_dump() for one in near.edges] == [
        {**edge("Ann", "works at", "Acme"), "memory_ids": [first]}
    ]
    further = await scope.graph("Ann")
    assert set(further.entities) == {"Ann", "Acme", "Oslo"}
    assert {(one.source, one.target, *one.memory_ids) for one in further.edges} == {
        ("Ann", "Acme", first),
        ("Acme", "Oslo", second),
    }
    all_ = await scope.graph("Ann", hops=3)
    assert ("Oslo", "mentioned with", "trams") in {
        (one.source, one.relation, one.target) for one in all_.edges
    }


async def test_what_supports_an_edge_twice_is_one_edge(scope: AsyncMemory):
    ids = [
        (await scope.remember(text, relations=[relation])).results[0].memory_id
        for text, relation in (
            ("Bo met Cy on Monday", edge("Bo", "knows", "Cy")),
            ("bo and cy go back years", edge("bo", "Knows", "CY")),
        )
    ]
    (only,) = (await scope.graph("Bo")).edges
    assert sorted(only.memory_ids) == sorted(ids)


@pytest.mark.parametrize(("entity", "hops"), [("", 2), (" ", 2), ("Ann", 0), ("Ann", 5)])
async def test_wrong_arguments_are_refused(memory: AsyncMemory, entity: str, hops: int):
    with pytest.raises(InvalidInput):
        await memory.graph(entity, hops=hops)


def test_the_command_prints_edges_and_writes_dot(tmp_path: Path):
    with Memory.open() as memory:
        memory.remember("x", relations=[edge('the "A" team', "beats", "B\\C")])
        memory.remember("y", entities=["B\\C", "Dee"])
    dot = tmp_path / "out.dot"
    shown = CliRunner().invoke(app, ["graph", "The A Team", "--dot", str(dot)])
    assert shown.exit_code == 0, shown.output
    assert 'the "A" team -- beats -> B\\C' in shown.output
    written = dot.read_text(encoding="utf-8")
    assert '"the \\"A\\" team" -> "B\\\\C" [label="beats"];' in written
    assert "style=dashed" in written
    told = CliRunner().invoke(app, ["graph", "Dee", "--hops", "1", "--json"])
    assert [one["relation"] for one in json.loads(told.stdout)["edges"]] == ["mentioned with"]
    nothing = CliRunner().invoke(app, ["graph", "Nobody"])
    assert nothing.output.strip() == "no memory speaks of it"
    assert CliRunner().invoke(app, ["graph", "Ann", "--hops", "9"]).exit_code != 0
