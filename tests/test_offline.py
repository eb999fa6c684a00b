"""Nothing leaves the machine by itself, and nothing is written outside the data directory.

That no process asks the network within 20 seconds is shown by `.ci/offline`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from llm_server import LLMServer

from mem_mcp.embedding import onnx
from mem_mcp.llm import litellm_api

ROOT = Path(__file__).parents[1]
OFF = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """An environment whose home and temporary folders are empty."""
    for name in ("home", "tmp", "cwd"):
        (tmp_path / name).mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONPATH": str(ROOT),
        "MEM_MCP_DATA_DIR": str(tmp_path / "memory"),
    }


def python(code: str, environment: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_using_the_memory_writes_nothing_outside_the_data_directory(
    fresh: dict[str, str], tmp_path: Path
):
    code = (
        "from mem_mcp import Memory\n"
        "with Memory.open() as memory:\n"
        "    memory.remember('Tea is at five')\n"
        "    assert memory.recall('tea').memories"
    )
    python(code, fresh, tmp_path / "cwd")
    stray = [path for name in ("home", "tmp", "cwd") for path in (tmp_path / name).rglob("*")]
    assert stray == []


def test_any_import_of_ours_turns_telemetry_off_before_the_libraries_come(
    fresh: dict[str, str], tmp_path: Path
):
    code = f"import os, mem_mcp.errors; print(*[os.environ.get(name) for name in {OFF}])"
    assert python(code, fresh, tmp_path / "cwd") == "1 1 1\n"
    empty = fresh | dict.fromkeys(OFF, "")
    assert python(code, empty, tmp_path / "cwd") == "1 1 1\n"
    chosen = fresh | dict.fromkeys(OFF, "0")
    assert python(code, chosen, tmp_path / "cwd") == "0 0 0\n"


def test_the_runtime_of_the_embedder_is_told_by_its_own_switch_too(
    monkeypatch: pytest.MonkeyPatch,
):
    told = []
    monkeypatch.setattr("onnxruntime.disable_telemetry_events", lambda: told.append(True))
    onnx._session(onnx.MODEL_DIR / "model.onnx")
    assert told == [True]


def test_counting_tokens_asks_no_hub():
    library = litellm_api._load()
    assert library.disable_hf_tokenizer_download is True
    assert library.token_counter(model="ollama_chat/llama3.2", text="Tea is at five") > 0


@pytest.mark.slow
def test_a_model_on_this_machine_is_reached_past_a_dead_proxy(
    server: LLMServer, fresh: dict[str, str], tmp_path: Path
):
    dead = dict.fromkeys(("HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    model = {"MEM_MCP_EMBEDDING__MODEL": "openai/test", "MEM_MCP_EMBEDDING__API_BASE": server.url}
    code = (
        "from mem_mcp import Memory\n"
        "with Memory.open() as memory: print(memory.remember('Tea is at five').degraded)"
    )
    environment = {**fresh, **dead, **model, "no_proxy": "x.test", "OPENAI_API_KEY": "x"}
    assert python(code, environment, tmp_path / "cwd") == "[]\n"
    assert server.requests


@pytest.mark.parametrize(
    ("given", "spared"),
    [
        ({}, None),
        ({"NO_PROXY": "x.test"}, "x.test"),
        ({"HTTP_PROXY": "p:1"}, "localhost,127.0.0.1,::1"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "x.test"}, "x.test,localhost,127.0.0.1,::1"),
        ({"http_proxy": "p:1", "no_proxy": "x.test"}, "x.test,localhost,127.0.0.1,::1"),
    ],
)
def test_loopback_is_spared_only_where_there_is_a_proxy(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], spared: str | None
):
    monkeypatch.setattr("os.environ", dict(given))
    litellm_api._spare_loopback()
    assert os.environ.get("no_proxy", os.environ.get("NO_PROXY")) == spared
