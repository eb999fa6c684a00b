from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mem_mcp import Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.speed import run
from mem_mcp.evaluation.speed.fill import OWNER, THOUSAND, CopyingEmbedder, spot
from mem_mcp.evaluation.speed.profile import ProfiledCall, steps
from mem_mcp.evaluation.speed.report import Figure, SpeedReport
from mem_mcp.evaluation.speed.run import run_speed
from mem_mcp.evaluation.speed.setup import Repetitions
from mem_mcp.telemetry import Span

FEW = Repetitions(
    recalls=2, commits=2, at_once=2, rounds=1, writes=2, batch=5, searches=2, plans_from=10,
    starts=1, profiled=2,
)  # fmt: skip


def measure(settings: Settings, sizes: list[int] | None = None, **changed: Any) -> SpeedReport:
    arguments = {"seed": 0, "profile": False, "repetitions": FEW, "settings": settings, **changed}
    return run_speed(sizes or [20], **arguments)


@pytest.fixture(scope="module")
def report() -> SpeedReport:
    return measure(Settings(), profile=True)


@pytest.mark.slow
def test_every_measurement_stands_beside_its_floor(report: SpeedReport):
    rows = {row.case: row for row in report.rows}
    assert not [row for row in report.rows if row.error]
    for case in (
        "recall, a tag on 1 % of the owner's",
        "recall, all of the owner's",
        "recall, all of the owner's, after a commit, own",
        "recall, all of the owner's, after a commit, another process's",
        "2 recalls at once",
        "start: to initialize",
        "start: to the first recall",
        "recall over stdio",
        "recall over http",
        "recall over sse",
        "remember",
        "remember_many of 5",
    ):
        row = rows[case]
        assert None not in (row.value, row.floor, row.p95, row.ratio)
        assert row.calls
        assert row.ratio == pytest.approx((row.value or 0) / (row.floor or 1), abs=0.01)
    assert rows["disk, a memory"].value == pytest.approx(
        1e6 * (rows["disk"].value or 0) / 20, rel=0.5
    )
    assert (rows["peak memory, this process"].value or 0) > 50


def test_the_planner_is_held_against_exact_search(report: SpeedReport):
    assert [row.case for row in report.planner] == ["100 %", "10 %", "1 %", "0.1 %", "0.01 %"]
    assert [row.recall_at_10 for row in report.planner] == [1.0] * 5
    assert [row.matches for row in report.planner] == [20, 2, 2, 2, 2]


def test_the_profile_names_the_steps_of_recall_and_remember(report: SpeedReport):
    recall, _, remember = report.profiles
    assert {"embed", "count", "rank", "rest", "total"} <= {s.step for s in recall.steps}
    assert {"embed", "place", "similar", "commit", "rest"} <= {s.step for s in remember.steps}
    assert recall.steps[-1].share == 100


def test_a_report_says_what_ran_in_every_format(report: SpeedReport):
    content = json.loads(report.model_dump_json())
    assert content["suite"] == "speed"
    assert content["environment"]["cores"] > 0
    assert {"seed", "settings", "versions", "commit", "data"} <= content.keys()
    for page in (report.text(), report.markdown()):
        assert "20 memories" in page
        assert "made-up sentences" in page
        assert "seed 0" in page
        assert "synthetic" not in page
    assert "| remember |" in report.markdown()


def test_a_stage_that_fails_is_a_row_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async def broken(rig: Any) -> list[Figure]:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(run, "starts", broken)
    found = measure(settings, repetitions=replace(FEW, transports=()))
    (failed,) = [row for row in found.rows if row.error]
    assert (failed.case, failed.error) == ("start", "RuntimeError: out of luck")
    assert "failed: start: RuntimeError: out of luck" in found.text()
    assert "remember" in {row.case for row in found.rows}


@pytest.mark.parametrize("sizes", [[9], [10_000_001], [0], [-5], [100, 2.5], [20, 20], [True]])
def test_a_size_that_cannot_be_measured_is_refused(settings: Settings, sizes: list[Any]):
    with pytest.raises(InvalidInput, match=r"^sizes: must"):
        measure(settings, sizes)


def test_no_size_at_all_is_refused(settings: Settings):
    with pytest.raises(InvalidInput, match=r"^sizes: name at least one"):
        run_speed([], 0, profile=False, settings=settings)


def test_a_size_that_does_not_fit_the_disk_is_named_before_anything_is_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    usage = SimpleNamespace(total=10**10, used=9 * 10**9, free=2 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(run, "fill", None)
    with pytest.raises(
        InvalidInput, match=r"1,000,000 memories need about 7\.5 GB.*1\.0 GB to spare"
    ):
        measure(settings, [20, 1_000_000])


def test_a_data_file_that_is_missing_or_of_another_format_is_named(
    settings: Settings, tmp_path: Path
):
    other = tmp_path / "other.json"
    other.write_text('{"not": "LoCoMo"}')
    for path in (tmp_path / "absent.json", other):
        with pytest.raises(InvalidInput, match=path.name):
            measure(settings, data=path)


def test_half_of_a_store_is_one_users_and_one_has_exactly_a_thousand():
    users = [spot(number, 10_000).user_id for number in range(10_000)]
    assert users.count(OWNER) == 5_000
    assert users.count(THOUSAND) == 1_000
    assert max(map(users.count, set(users) - {OWNER, THOUSAND})) == 100


@pytest.mark.anyio
async def test_a_text_is_embedded_once_and_its_copies_are_near_but_not_equal():
    class Counting:
        identity, dimension = "counting", 384
        asked = 0

        async def embed(self, texts: Any, role: str) -> Any:
            self.asked += len(texts)
            return np.eye(384, dtype=np.float32)[: len(texts)]

    inner = Counting()
    embedder = CopyingEmbedder(inner, seed=0)
    first, second = await embedder.embed(["tea", "tea"], "passage")
    (third,) = await embedder.embed(["tea"], "passage")
    assert inner.asked == 1
    assert first @ first == pytest.approx(1)
    for copy in (second, third):
        assert 0.8 < first @ copy < 0.99
    assert (await embedder.embed([], "passage")).shape == (0, 384)


def test_steps_that_run_together_leave_no_negative_rest():
    spans = (Span("embed", 0.0, 2.0), Span("read", 1.0, 2.0), Span("rank", 4.0, 1.0))
    found = {step.step: step for step in steps([ProfiledCall(6.0, spans)])}
    assert found["rest"].milliseconds == 2_000
    assert found["embed"].share == pytest.approx(33.3)
    assert found["total"].share == 100
