"""Settings: where they come from, in which order, and how a mistake is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mem_mcp.config import (
    ALL_TOOLS,
    CONFIG_VARIABLE,
    CORE_TOOLS,
    Settings,
    load_settings,
    setting_names,
    variable,
)
from mem_mcp.errors import ConfigError

WriteYaml = Callable[[str], Path]


@pytest.fixture
def yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteYaml:
    """Write the configuration file and name it in the environment."""

    def write(text: str) -> Path:
        path = tmp_path / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv(CONFIG_VARIABLE, str(path))
        return path

    return write


def refused(arguments: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 2_000
    return message


# Sources.


def test_the_defaults_need_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MEM_MCP_DATA_DIR")
    settings = load_settings()
    assert settings.user_id == "default"
    assert settings.tools == "default"
    assert settings.tool_names == CORE_TOOLS
    assert settings.log_level == "WARNING"
    assert settings.store.durability == "fsync"
    assert settings.store.maintain_every == 50
    assert settings.remember.max_characters == 100_000
    assert settings.remember.similar_score == 0.85
    assert settings.embedding.model == "bundled"
    assert settings.llm.model == ""
    assert settings.storage_uri == ""
    assert settings.data_dir.is_absolute()
    assert "mem_mcp" in str(settings.data_dir)


def test_arguments_beat_the_environment_which_beats_the_file_which_beats_the_defaults(
    yaml: WriteYaml, monkeypatch: pytest.MonkeyPatch
):
    yaml(
        "user_id: file\nlog_level: ERROR\ntools: all\n"
        "store:\n  durability: os\n  maintain_every: 7\n"
    )
    monkeypatch.setenv("MEM_MCP_USER_ID", "environment")
    monkeypatch.setenv("MEM_MCP_LOG_LEVEL", "INFO")
    monkeypatch.setenv("MEM_MCP_STORE__MAINTAIN_EVERY", "9")
    settings = load_settings({"user_id": "argument"})
    assert settings.user_id == "argument"
    assert settings.log_level == "INFO"
    assert settings.tools == "all"
    assert (settings.store.durability, settings.store.maintain_every) == ("os", 9)
    assert settings.remember.max_characters == 100_000
    assert load_settings().user_id == "environment"


def test_an_argument_that_is_none_counts_as_absent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_USER_ID", "environment")
    assert load_settings({"user_id": None, "data_dir": None}).user_id == "environment"


def test_an_empty_file_sets_nothing(yaml: WriteYaml):
    for text in ("", "# only a comment\n", "---\n", "{}\n"):
        yaml(text)
        assert load_settings().user_id == "default"


def test_every_setting_has_a_variable(monkeypatch: pytest.MonkeyPatch):
    others: dict[str, str] = {
        "data_dir": "/elsewhere",
        "storage_uri": "s3://bucket/path",
        "user_id": "ann",
        "tools": "all",
        "log_level": "DEBUG",
        "store.durability": "os",
        "store.maintain_every": "77",
        "remember.max_characters": "77",
        "remember.similar_score": "0.5",
        "recall.pool": "77",
        "recall.whole": "77",
        "recall.traces": "False",
        "recall.trace_days": "77",
        "archive.expired": "False",
        "archive.harmful": "False",
        "archive.least_recalls": "77",
        "archive.least_harm": "7.5",
        "archive.harm_ratio": "7.5",
        "embedding.model": "openai/embedding",
        "embedding.api_base": "http://127.0.0.1:1/v1",
        "rerank.model": "cohere/rerank",
        "rerank.api_base": "http://127.0.0.1:1/v1",
        "rerank.candidates": "77",
        "pictures.detail": "low",
        "pictures.folder": "/elsewhere",
        "pictures.urls": "True",
        "pictures.max_bytes": "77",
        "llm.model": "openai/test",
        "llm.api_base": "http://127.0.0.1:1/v1",
        "llm.timeout_seconds": "7.5",
        "llm.deadline_seconds": "7.5",
        "llm.retries": "7",
        "llm.concurrency": "7",
        "llm.requests_per_minute": "7",
        "llm.tokens_per_minute": "7",
        "llm.calls_per_day": "7",
        "llm.tokens_per_day": "7",
        "llm.dollars_per_day": "7.5",
        "llm.max_output_tokens": "77",
        "llm.temperature": "0.5",
        "llm.vision": "True",
        "llm.background": "True",
        "llm.verify": "True",
        "llm.instructions": "Only music",
        "llm.prompts": "/elsewhere",
    }
    fixed = {"llm.fallbacks", "auth.tokens"}
    assert others.keys() | fixed == setting_names().keys()
    for name, value in others.items():
        monkeypatch.setenv(variable(name), value)
    settings = load_settings()
    for name, value in others.items():
        read: Any = settings
        for part in name.split("."):
            read = getattr(read, part)
        assert str(read) == value, name
        assert read != setting_names()[name], name


def test_a_stray_dotenv_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("MEM_MCP_USER_ID=stray\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().user_id == "default"


def test_settings_do_not_change_once_made():
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.user_id = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.store.durability = "os"  # type: ignore[misc]


# The data directory.


def test_a_relative_data_dir_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # LanceDB takes a relative path that begins with "db" for its cloud service.
    monkeypatch.chdir(tmp_path)
    assert load_settings({"data_dir": "dbmemory"}).data_dir == tmp_path / "dbmemory"
    monkeypatch.setenv("MEM_MCP_DATA_DIR", "db://memory")
    assert load_settings().data_dir.is_absolute()
    assert Settings(data_dir=Path("x")).data_dir == tmp_path / "x"


def test_a_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"data_dir": "~/memory"}).data_dir == tmp_path / "memory"


def test_a_configuration_file_in_the_home_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("user_id: ann\n")
    monkeypatch.setenv(CONFIG_VARIABLE, "~/settings.yaml")
    assert load_settings().user_id == "ann"


# Tools and levels.


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ("default", CORE_TOOLS),
        ("all", ALL_TOOLS),
        ("recall", ("recall",)),
        ("recall, remember", ("remember", "recall")),
        ("get_memory,recall", ("recall", "get_memory")),
        (" all ", ALL_TOOLS),
    ],
)
def test_tools_are_named_in_one_text(given: str, offered: tuple[str, ...]):
    assert load_settings({"tools": given}).tool_names == offered


def test_tools_may_be_a_list_in_the_file(yaml: WriteYaml):
    yaml("tools: [recall, get_memory]\n")
    assert load_settings().tool_names == ("recall", "get_memory")


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", "error", "CRITICAL"])
def test_a_log_level_may_be_written_in_any_case(level: str):
    assert load_settings({"log_level": level}).log_level == level.upper()


# Mistakes.


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_DATADIR", "/x")
    message = refused()
    assert "MEM_MCP_DATADIR" in message
    assert "MEM_MCP_DATA_DIR" in message


def test_an_unknown_variable_like_none_is_refused_with_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_ZZZZZZZZ", "x")
    message = refused()
    assert "MEM_MCP_ZZZZZZZZ" in message
    assert "MEM_MCP_STORE__DURABILITY" in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense: 1\n", "nonsense"),
        ("user: ann\n", "user"),
        ("store:\n  speed: 1\n", "store.speed"),
        ("store.durability: os\n", "store.durability"),
        ("recall:\n  whole: {}\n", "recall.whole"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused_by_name(yaml: WriteYaml, text: str, named: str):
    yaml(text)
    assert refused().startswith(f"{named}: ")


def test_an_unknown_argument_is_refused_by_name():
    message = refused({"nonsense": 1})
    assert message.startswith("nonsense: ")
    assert "data_dir" in message


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("log_level", "LOUD", "WARNING"),
        ("log_level", "", "WARNING"),
        ("tools", "recall,nonsense", "nonsense"),
        ("tools", "", "default"),
        ("tools", "all,recall", "all"),
        ("tools", "recall;remember", "remember"),
        ("store.durability", "maybe", "fsync"),
        ("store.durability", "FSYNC", "os"),
        ("store.maintain_every", "0", "1"),
        ("store.maintain_every", "often", "integer"),
        ("remember.max_characters", "-5", "1"),
        ("remember.similar_score", "1.5", "1"),
        ("remember.similar_score", "nan", ""),
        ("recall.whole", "-1", "0"),
        ("recall.pool", "1", "10"),
        ("user_id", "", "1"),
        ("storage_uri", "ftp://x", "s3://"),
        ("embedding.api_base", "not-a-url", "embedding.api_base"),
        ("rerank.candidates", "1", "2"),
        ("llm.model", "two words", "one name"),
        ("llm.api_base", "ftp://x", "http:// or https:// address"),
        ("pictures.detail", "sharp", "low"),
        ("auth.tokens", '{"secret": "ann"}', ""),
    ],
)
def test_a_wrong_value_is_refused_by_name_from_the_environment_and_from_arguments(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
):
    section, _, key = name.rpartition(".")
    given: Any = {"secret": "ann"} if name == "auth.tokens" else value
    from_argument = refused({section: {key: given}} if section else {key: given})
    monkeypatch.setenv(variable(name), value)
    for message in (from_argument, refused()):
        assert message.startswith(f"{name}: "), message
        assert told in message


def test_a_token_is_not_repeated_in_the_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_AUTH__TOKENS", '{"s3cret-t0ken": "ann"}')
    assert "s3cret" not in refused()


@pytest.mark.parametrize("value", ["not json", '{"cut": ', "[1]"])
def test_a_variable_that_is_no_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("MEM_MCP_AUTH__TOKENS", value)
    assert "auth" in refused().lower()


def test_a_section_that_is_no_section_is_refused(monkeypatch: pytest.MonkeyPatch, yaml: WriteYaml):
    yaml("store: fast\n")
    assert refused().startswith("store: ")
    yaml("store:\n")
    refused()
    monkeypatch.delenv(CONFIG_VARIABLE)
    monkeypatch.setenv("MEM_MCP_STORE", "{}")
    assert "MEM_MCP_STORE" in refused()


@pytest.mark.parametrize(
    "text", ["user_id: [", "a: b: c", "\tuser_id: ann", "- a\n- b\n", "just text", "5", "{a: 1"]
)
def test_a_file_that_does_not_parse_is_named(yaml: WriteYaml, text: str):
    path = yaml(text)
    message = refused()
    assert str(path) in message or CONFIG_VARIABLE in message


@pytest.mark.parametrize("text", ["1: x\n", "null: x\n", "? [a, b]\n: x\n", "true: 1\n"])
def test_a_key_that_is_no_name_is_refused(yaml: WriteYaml, text: str):
    yaml(text)
    refused()


def test_a_file_in_another_encoding_is_named(yaml: WriteYaml):
    path = yaml("")
    path.write_bytes("user_id: é\n".encode("latin-1"))
    message = refused()
    assert str(path) in message or CONFIG_VARIABLE in message


def test_a_missing_file_or_a_folder_in_its_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for path in (tmp_path / "missing.yaml", tmp_path):
        monkeypatch.setenv(CONFIG_VARIABLE, str(path))
        message = refused()
        assert message.startswith(f"{CONFIG_VARIABLE}: ")
        assert str(path) in message


def test_a_tag_in_the_file_runs_nothing(yaml: WriteYaml, tmp_path: Path):
    target = tmp_path / "made"
    yaml(f"user_id: !!python/object/apply:pathlib.Path.touch [!!str {target}]\n")
    refused()
    assert not target.exists()
