"""The architecture: who may import what, and what a fresh process loads."""

from __future__ import annotations

import ast
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
MIDDLE = {"ranking", "prompts", "llm", "embedding", "store"}
BASE = {
    *("models", "config", "errors", "statistics", "text", "times", "telemetry"),
    *("paths", "settings_file", "mistakes", "resident"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"cli", *BASE},
    "__init__": {"engine", *BASE},
    "cli": {"evaluation", "server", "engine", *MIDDLE, *BASE},
    "evaluation": {"engine", *MIDDLE, *BASE},
    "server": {"engine", *MIDDLE, *BASE},
    "engine": {*MIDDLE, *BASE},
    **dict.fromkeys(MIDDLE, BASE),
    **dict.fromkeys(BASE, BASE),
}
ONLY_IN = {
    "lancedb": {"store"},
    "mcp": {"server", "cli"},
    "onnxruntime": {"embedding"},
    "tokenizers": {"embedding"},
    "litellm": {"llm"},
    "typer": {"cli"},
}
FLOORS = ("journal", "finding", "writing", "learning", "reading")
"""Of the engine, below its verbs; the lowest first."""
FOR_ALL = {"arguments", "resources"}
BUILT_ON = {"transfer": {"remember"}, "background": {"reprocess"}}
"""Verbs that are another one, repeated."""
MOST_LINES = 450


def package(module: str) -> str:
    """Name the part of the house that a module belongs to."""
    return [*module.split("."), "__init__"][1]


def imports(module: str) -> Iterator[str]:
    """Every module that a module imports anywhere, also inside functions and for types."""
    path = MODULES[module]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                home = module.split(".")[: None if path.name == "__init__.py" else -1]
                home = home[: len(home) - node.level + 1]
                base = ".".join([*home, *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                public = mem_mcp._HOMES.get(alias.name, base) if base == "mem_mcp" else base
                yield whole if whole in MODULES else public


def test_the_rules_cover_every_module():
    assert {package(module) for module in MODULES} <= MAY_IMPORT.keys()
    assert {"cli", "server", "evaluation", "engine", "store", "ranking", "embedding"} <= {
        package(module) for module in MODULES
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module: str):
    own = package(module)
    allowed = MAY_IMPORT[own] | (set() if own in BASE else {own})
    for imported in imports(module):
        if imported == "mem_mcp" or not imported.startswith("mem_mcp."):
            continue
        assert package(imported) in allowed, f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_library_has_one_door(module: str):
    roots = {imported.split(".")[0] for imported in imports(module)}
    for library, doors in ONLY_IN.items():
        if package(module) not in doors:
            assert library not in roots, f"{module} imports {library}"


def verbs() -> list[str]:
    files = (ROOT / "engine").glob("*.py")
    return sorted({path.stem for path in files} - FOR_ALL - {"__init__", "memory"})


def parts_of_the_engine(module: str) -> set[str]:
    """Name the parts of the engine that a module imports."""
    named = (imported for imported in imports(module) if imported.startswith("mem_mcp.engine."))
    return {imported.split(".")[2] for imported in named}


@pytest.mark.parametrize("verb", verbs())
def test_the_verbs_do_not_import_one_another(verb: str):
    allowed = {*FLOORS, *FOR_ALL, *BUILT_ON.get(verb, set())}
    assert parts_of_the_engine(f"mem_mcp.engine.{verb}") <= allowed


@pytest.mark.parametrize("floor", FLOORS)
def test_what_verbs_share_imports_no_verb_and_goes_down_only(floor: str):
    allowed = {*FLOORS[: FLOORS.index(floor) + 1], *FOR_ALL}
    shared = [module for module in MODULES if module.startswith(f"mem_mcp.engine.{floor}.")]
    assert shared
    for module in shared:
        assert parts_of_the_engine(module) <= allowed, module


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
    if module != "mem_mcp.engine.memory":
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
            {"lancedb", "pyarrow", "numpy", "onnxruntime", "litellm", "typer", "tokenizers"},
        ),
        ("mem_mcp.engine.memory", {"litellm", "onnxruntime", "tokenizers", "mcp", "typer"}),
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
