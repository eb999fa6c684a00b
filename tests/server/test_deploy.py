"""The files in configs/deploy/ name only what there is."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from guarded import serving

from mem_mcp import Settings
from mem_mcp.cli.serve import _parser
from mem_mcp.config import load_settings, setting_names, variable

DEPLOY = Path(__file__).parents[2] / "configs" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
RULES = yaml.safe_load((DEPLOY / "rules.yaml").read_text())
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text())
SERVERS = ("server-1", "server-2")
KINDS = {"counter": ("_total",), "histogram": ("", "_bucket", "_sum", "_count"), "gauge": ("",)}
README = (DEPLOY / "README.md").read_text()


def expressions() -> list[str]:
    alerts = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return alerts + panels


def environment(server: str) -> dict[str, str]:
    return COMPOSE["services"][server]["environment"]


@pytest.mark.anyio
async def test_every_metric_that_is_watched_is_one_of_the_server(settings: Settings):
    async with serving(settings) as server, httpx2.AsyncClient() as http:
        await server.lazy.get()
        page = (await http.get(server.url.replace("/mcp", "/metrics"))).text
    kinds = dict(re.findall(r"^# TYPE (mem_mcp_\w+) (\w+)$", page, re.MULTILINE))
    there = {
        name if name.endswith(end) else name + end
        for name, kind in kinds.items()
        for end in KINDS[kind]
    }
    watched = set(re.findall(r"\bmem_mcp_\w+", "\n".join([*expressions(), README])))
    assert watched <= there
    assert len(watched) > 10


@pytest.mark.parametrize("server", SERVERS)
def test_what_compose_sets_is_read(server: str, monkeypatch: pytest.MonkeyPatch):
    given = {
        name: re.sub(r"\$\{\w+:\?\}", "x", value) for name, value in environment(server).items()
    }
    ours = {name for name in given if name.startswith("MEM_MCP_")}
    assert ours <= {variable(name) for name in setting_names()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.storage_uri.startswith("s3://memory/")
    assert settings.store.options["endpoint"] == "http://store:9000"
    assert settings.http.stateless
    assert settings.http.open_metrics


def test_a_server_is_stopped_later_than_it_drains():
    drains = Settings().http.drain_seconds
    for server in SERVERS:
        assert int(COMPOSE["services"][server]["stop_grace_period"].rstrip("s")) >= drains + 10
    assert int(unit()["Service"]["TimeoutStopSec"]) >= drains + 10


def test_compose_has_what_it_names():
    services, volumes, networks = (COMPOSE[part] for part in ("services", "volumes", "networks"))
    for name, service in services.items():
        assert set(service["networks"]) <= set(networks) if "networks" in service else True, name
        assert set(service.get("depends_on", ())) <= set(services), name
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes
    balanced = (DEPLOY / "haproxy.cfg").read_text()
    assert {f"server {name} {name}:8000" for name in SERVERS} <= {
        line.strip() for line in balanced.splitlines()
    }
    assert "uri /ready" in balanced


def unit() -> Any:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "mem-mcp.service")
    return parser


def test_the_commands_that_start_a_server_are_understood():
    started = [unit()["Service"]["ExecStart"].split()[1:]]
    image = (DEPLOY / "Dockerfile").read_text()
    started.append(json.loads(image.rpartition("CMD ")[2]))
    for command, *arguments in started:
        assert command == "serve"
        options = _parser().parse_args(arguments)
        assert (options.transport, options.port) == ("http", 8000)


def test_the_readme_names_settings_and_files_that_there_are():
    names = {*setting_names(), *map(variable, setting_names())}
    for word in re.findall(r"`((?:http|limits|store|auth|llm|remember)\.\w+|MEM_MCP_\w+)`", README):
        assert word in names, word
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (DEPLOY / path).exists(), path
    assert [each.name for each in DEPLOY.iterdir() if f"({each.name})" not in README] == [
        "README.md"
    ]
