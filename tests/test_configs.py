"""The files in configs/ say what the code does."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mem_mcp.config import CONFIG_VARIABLE, Settings, load_settings, setting_names

CONFIGS = Path(__file__).parents[1] / "configs"
DEFAULT = CONFIGS / "default.yaml"
PLATFORM_DEPENDENT = "data_dir"
CLIENTS = {
    "claude-desktop": "mcpServers",
    "claude-code": "mcpServers",
    "cursor": "mcpServers",
    "vscode": "servers",
}


def flat(tree: dict[str, Any], names: set[str], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in tree.items():
        if prefix + key in names:
            found[prefix + key] = value
        else:
            found |= flat(value, names, f"{prefix}{key}.")
    return found


def test_default_yaml_holds_every_setting_with_its_default():
    defaults = setting_names()
    del defaults[PLATFORM_DEPENDENT]
    assert flat(yaml.safe_load(DEFAULT.read_text()), set(defaults)) == defaults


def test_default_yaml_shows_the_data_directory_in_a_comment():
    assert f"\n# {PLATFORM_DEPENDENT}: " in DEFAULT.read_text()


def test_each_setting_of_default_yaml_has_a_comment_above_it():
    lines = DEFAULT.read_text().splitlines()
    names = [name.rpartition(".")[2] for name in setting_names() if name != PLATFORM_DEPENDENT]
    for name in names:
        (above,) = {
            lines[number - 1].strip()[:2]
            for number, line in enumerate(lines)
            if line.strip().startswith(f"{name}:") and line.strip() != f"{name}:"
        }
        assert above == "# ", name


def test_default_yaml_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    without = Settings()
    monkeypatch.setenv(CONFIG_VARIABLE, str(DEFAULT))
    assert load_settings() == without


@pytest.mark.parametrize(("client", "key"), CLIENTS.items())
def test_a_client_block_starts_the_server(client: str, key: str):
    block = json.loads((CONFIGS / "clients" / f"{client}.json").read_text())
    assert list(block) == [key]
    server = block[key]["memory"]
    assert (server["command"], server["args"]) == ("mem-mcp", ["serve"])


def test_vs_code_is_told_the_transport():
    block = json.loads((CONFIGS / "clients" / "vscode.json").read_text())
    assert block["servers"]["memory"]["type"] == "stdio"


def test_the_clients_readme_names_every_block():
    readme = (CONFIGS / "clients" / "README.md").read_text()
    assert [
        path.name for path in (CONFIGS / "clients").glob("*.json") if path.name not in readme
    ] == []
