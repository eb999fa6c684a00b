"""The architecture: who may import what, and what a fresh process loads."""

from __future__ import annotations

import ast
import collections
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mem_mcp

ROOT = Path(mem_mcp.__file__).parent
MODULES = {
    ".".join(("mem_mcp", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in ROOT.rglob("*.py")
    if path.relative_to(ROOT).parts[:2] != ("embedding", "model")  # the export script, not ours
}
MOST_LINES = 450


def package(module: str) -> str:
    """Name the part of the house that a module belongs to."""
    return [*module.split("."), "__init__"][1]


def imports(module: str) -> Iterator[str]:
    """Every module that a module imports anywhere, also inside functions and for types."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_ranking_reads_no_clock_and_does_no_io():
    forbidden = {"asyncio", "time", "random", "secrets", "pathlib", "os", "io", "logging"}
    for module, path in MODULES.items():
        if package(module) == "ranking":
            assert not forbidden & set(imports(module)), module
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            assert not {"utcnow", "today", "utc_now"} & asked, module
            assert not [node for node in nodes if isinstance(node, ast.AsyncFunctionDef)], module


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_stays_small_and_says_what_it_is(module: str):
    text = MODULES[module].read_text(encoding="utf-8")
    if module != "mem_mcp.memory":
        assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), module


def test_no_module_is_named_after_nothing():
    nothing = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base"}
    for module in MODULES:
        assert not nothing & set(module.split(".")), module


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "mem_mcp.server.app",
            {"lancedb", "pyarrow", "numpy", "onnxruntime", "litellm", "typer"},
        ),
        ("mem_mcp.memory", {"litellm", "onnxruntime", "mcp", "typer"}),
        ("mem_mcp", {"lancedb", "pyarrow", "numpy", "onnxruntime", "litellm", "mcp", "pydantic"}),
    ],
)
def test_an_import_loads_nothing_that_it_does_not_need_at_once(module: str, absent: set[str]):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    loaded = set(done.stdout.split())
    assert "mem_mcp" in loaded
    assert not absent & loaded


def test_a_public_class_name_occurs_once():
    homes = collections.defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: files for name, files in homes.items() if len(files) > 1}
    # What users open, and one version of what it holds: both names are in the contract.
    assert twice == {"Memory": ["api/models.py", "memory.py"]}
