"""The files in configs/ say what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mem_mcp.clients.install import client_named, entry_of
from mem_mcp.clients.rows import CLIENTS
from mem_mcp.clients.server import MemoryServer
from mem_mcp.config import CONFIG_VARIABLE, Settings, load_settings, setting_names

CONFIGS = Path(__file__).parents[1] / "configs"
DEFAULT = CONFIGS / "default.yaml"
PLATFORM_DEPENDENT = "data_dir"
BLOCKS = CONFIGS / "clients"
README = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("path", sorted(BLOCKS.glob("*.json")), ids=lambda path: path.stem)
def test_a_client_block_is_what_install_writes(path: Path):
    client = client_named(path.stem)
    entry = entry_of(client, MemoryServer("mem-mcp", ("serve",)), "memory")
    assert json.loads(path.read_text()) == {client.key[0]: {"memory": entry}}


@pytest.mark.parametrize(
    ("key", "clients"), [("mcpServers", ("claude-desktop", "cursor")), ("servers", ("vscode",))]
)
def test_a_block_of_the_readme_is_for_the_clients_that_it_names(key: str, clients: tuple[str, ...]):
    blocks = [json.loads(text) for text in re.findall(r"```json\n(\{.*?)\n```", README, re.DOTALL)]
    (block,) = [block for block in blocks if key in block]
    server = block[key]["memory"]
    for name in clients:
        client = client_named(name)
        entry = entry_of(client, MemoryServer("/path/to/.venv/bin/mem-mcp", ("serve",)), "memory")
        assert client.key == (key,)
        assert server in (entry, {part: entry[part] for part in ("command", "args")})


def test_the_readme_counts_the_clients():
    assert f"install --list names {len(CLIENTS)}\n" in README


def test_the_clients_readme_names_every_block():
    readme = (CONFIGS / "clients" / "README.md").read_text()
    assert [
        path.name for path in (CONFIGS / "clients").glob("*.json") if path.name not in readme
    ] == []
