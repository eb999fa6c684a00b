"""Stores that cannot be written to: reading goes on, and a write says what is in its way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mem_mcp import AsyncMemory, Memory, Settings
from mem_mcp.errors import StoreError

ROOT = Path(__file__).parents[2]
# Every read, then every write, as an agent makes them; each write's refusal is printed.
VISIT = """
import asyncio, json, os, sys
from mem_mcp import AsyncMemory, Settings
from mem_mcp.errors import MemError
from mem_mcp.embedding import BundledEmbedder

async def visit(folder):
    async with AsyncMemory.open(Settings(data_dir=folder)) as m:
        found = await m.recall("Where does server a run?", min_score=0)
        (one,) = [x for x in found.memories if "Oslo" in x.text]
        await m.recall_lessons("Move a server")
        listed = await m.list_memories()
        await m.get_memory(one.memory_id, history=True)
        await m.stats()
        _, *lines = [line async for line in m.export_lines()]
        await m.graph("server a")
        (await m.forget(filters={"kind": "fact"}))
        pass_ = await m.maintain()
        writes = [
            m.remember("The pump is green."), m.record_outcome("Move server c", "success"),
            m.give_feedback(one.memory_id, "POSITIVE"), m.forget(one.memory_id),
            m.update_memory(one.memory_id, content="Server a runs in Bonn."),
        ]
        refused = []
        for write in writes:
            try:
                await write
            except MemError as error:
                refused.append(str(error))
    print(json.dumps([len(found.memories), listed.total, len(lines), pass_.ran, refused]))
"""
AS_NOBODY = """
embedder = BundledEmbedder(); embedder.load()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""
RUN = "asyncio.run(visit(sys.argv[1]))"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "memory"
    with Memory.open(Settings(data_dir=folder)) as memory:
        one = memory.remember("Server a runs in Oslo.").results[0].memory_id
        memory.remember("Server b runs in Graz.")
        memory.give_feedback(one, "POSITIVE", query="Where is server a?")
        memory.record_outcome(
            "Move server b", "success", lesson="Unplug it first.", used_memory_ids=[one]
        )
    return folder


def in_a_namespace(*commands: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run shell commands that may mount what they like; nothing of it outlives them."""
    probe = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(probe, check=False, capture_output=True).returncode
    ):
        pytest.skip("mounting is not allowed here")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", " && ".join(commands)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, **options},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def check_visit(output: str, folder: Path, reason: str) -> None:
    found, total, lines, maintained, refused = json.loads(output.splitlines()[-1])
    assert (found, total, lines, maintained) == (3, 3, 4, False)  # a mark is a line, too
    assert len(refused) == 5
    for refusal in refused:
        assert refusal.startswith(f"{str(folder)!r} cannot be written to ({reason})")
        assert "MEM_MCP_DATA_DIR" in refusal


@pytest.mark.slow
def test_on_a_read_only_mount_everything_is_read_and_every_write_is_refused(
    filled: Path, tmp_path: Path
):
    mount = tmp_path / "mount"
    mount.mkdir()
    before = sorted(filled.rglob("*"))
    done = in_a_namespace(
        'mount --bind "$STORE" "$PLACE"', 'mount -o remount,ro,bind "$PLACE"',
        '"$PYTHON" -c "$VISIT" "$PLACE"',
        'export MEM_MCP_DATA_DIR="$PLACE"',
        '("$PYTHON" -m mem_mcp doctor --json; true)',
        '"$PYTHON" -m mem_mcp export -',
        STORE=str(filled), PLACE=str(mount), VISIT=VISIT + RUN,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    visit, doctor, *lines = done.stdout.splitlines()
    check_visit(visit, mount, "Read-only file system")
    assert len(lines) == 5  # the header, three memories and a mark
    checks = {check["name"]: check for check in json.loads(doctor)["checks"]}
    assert [name for name, check in checks.items() if not check["ok"]] == ["data directory"]
    assert "mount it writable" in checks["data directory"]["remedy"]
    assert done.stderr == ""
    assert sorted(filled.rglob("*")) == before


def test_an_empty_or_missing_folder_on_a_read_only_mount_is_said_to_be_just_that(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    done = in_a_namespace(
        'mount --bind "$PLACE" "$PLACE"', 'mount -o remount,ro,bind "$PLACE"',
        '(MEM_MCP_DATA_DIR="$PLACE/empty" "$PYTHON" -m mem_mcp recall x; true)',
        '(MEM_MCP_DATA_DIR="$PLACE/missing" "$PYTHON" -m mem_mcp list; true)',
        PLACE=str(tmp_path),
    )  # fmt: skip
    empty, missing = done.stderr.splitlines()
    assert "there are no memories yet" in empty
    assert f"{str(tmp_path / 'empty')!r} cannot be written to (Read-only file system)" in empty
    assert f"{str(tmp_path / 'missing')!r} cannot be used (Read-only file system)" in missing
    assert "MEM_MCP_DATA_DIR" in missing


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to be another user")
def test_another_users_store_is_read_and_every_write_is_refused(filled: Path):
    # Not in pytest's own folder, which is closed to others.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        store = Path(shutil.copytree(filled, Path(place, "memory")))
        done = subprocess.run(
            [sys.executable, "-c", VISIT + AS_NOBODY + RUN, str(store)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check_visit(done.stdout, store, "Permission denied")


@pytest.mark.slow
def test_a_disk_that_fills_up_loses_nothing_that_was_acknowledged(tmp_path: Path):
    code = """
import asyncio, json, os, sys
from pathlib import Path
from mem_mcp import AsyncMemory, Settings
from mem_mcp.errors import MemError

async def fill(folder):
    kept, errors = [], []
    ballast = Path(folder) / "ballast"
    ballast.write_bytes(bytes(600_000))
    settings = Settings(data_dir=Path(folder) / "memory")
    async with AsyncMemory.open(settings) as m:
        for n in range(400):
            try:
                await m.remember(f"Fact {n}: " + "the pump is green. " * 40)
                kept.append(n)
            except MemError as error:
                errors.append(str(error))
                if len(errors) == 3:
                    break
        await m.recall("Which colour has the pump?")
        ballast.unlink()
        await m.remember("There is space again.")
    async with AsyncMemory.open(settings) as m:
        damaged = await m.examine()
        there = [json.loads(line).get("text", "") async for line in m.export_lines()]
    lost = [n for n in kept if not any(t.startswith(f"Fact {n}:") for t in there)]
    print(json.dumps([len(kept), errors, lost, damaged, "There is space again." in there]))
asyncio.run(fill(sys.argv[1]))
"""
    done = in_a_namespace(
        'mount -t tmpfs -o size=3m none "$PLACE"', '"$PYTHON" -c "$CODE" "$PLACE"',
        PLACE=str(tmp_path), CODE=code,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept, errors, lost, damaged, works = json.loads(done.stdout.splitlines()[-1])
    assert kept > 3
    assert (lost, damaged, works) == ([], [], True)
    assert len(errors) == 3
    for error in errors:
        assert "no space is left" in error
        assert "free some space" in error


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "memory"
    folder.write_text("a file")
    return folder


@pytest.mark.anyio
async def test_a_file_where_the_folder_should_be_is_named(broken: Path):
    for folder in (broken, broken / "deeper"):
        with pytest.raises(StoreError, match="is a file, and a folder is needed; move it away"):
            async with AsyncMemory.open(Settings(data_dir=folder)):
                pass
