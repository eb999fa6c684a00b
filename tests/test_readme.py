from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mem_mcp.config import ALL_TOOLS, Section, Settings, setting_names, variable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """Return the cells of the README's table under a header row."""
    rows = README.partition(header)[2].splitlines()[2:]
    cells = []
    for row in rows:
        if not row.startswith("|"):
            break
        cells.append([cell.strip().strip("`") for cell in row.strip("|").split("|")])
    return cells


def descriptions(section: type[BaseModel] = Settings, prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= descriptions(field.annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = " ".join((field.description or "").split())
    return found


def test_the_tools_table_lists_the_tools_in_their_order() -> None:
    assert [row[0] for row in table("| tool | what it does |")] == list(ALL_TOOLS)


def test_the_settings_table_says_what_the_code_says() -> None:
    rows = {row[0]: row[1:] for row in table("| setting | environment | default | what it is |")}
    assert rows.keys() == setting_names().keys()
    for name, default in setting_names().items():
        shown = "the platform's" if name == "data_dir" else str(default).lower() or "empty"
        assert rows[name][0] == variable(name)
        assert rows[name][1].lower() == shown
        assert rows[name][2] == descriptions()[name]


@pytest.mark.parametrize("command", ["mem-mcp demo", "python -m pytest"])
def test_the_commands_of_the_readme_are_there(command: str) -> None:
    assert any(command in line for line in README.splitlines() if line.startswith("    python3"))


def test_ci_runs_the_test_command_of_the_readme() -> None:
    lines = [line.strip() for line in README.splitlines()]
    (command,) = [line for line in lines if line.startswith("python3") and "pytest" in line]
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_stays_short_and_names_only_files_that_exist() -> None:
    assert len(README.splitlines()) <= 250
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
