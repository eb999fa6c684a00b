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
    assert len(message) < 2_500
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
    for text in (
        "",
        "# only a comment\n",
        "---\n",
        "{}\n",
        "store:\n",
        "user_id:\nstore:\n  durability:\n",
    ):
        yaml(text)
        assert load_settings().user_id == "default"


def test_every_setting_has_a_variable(monkeypatch: pytest.MonkeyPatch):
    others: dict[str, str] = {
        "data_dir": "/elsewhere",
        "storage_uri": "s3://bucket/path",
        "user_id": "ann",
        "tools": "all",
        "time_zone": "Asia/Bangkok",
        "log_level": "DEBUG",
        "log_format": "json",
        "audit": "/elsewhere/audit.jsonl",
        "store.durability": "os",
        "store.maintain_every": "77",
        "remember.max_characters": "77",
        "remember.similar_score": "0.5",
        "recall.pool": "77",
        "recall.whole": "77",
        "recall.least_share": "0.5",
        "recall.traces": "False",
        "recall.trace_days": "77",
        "answer.characters": "7777",
        "answer.memory_characters": "777",
        "archive.expired": "False",
        "archive.harmful": "False",
        "archive.least_recalls": "77",
        "archive.least_harm": "7.5",
        "archive.harm_ratio": "7.5",
        "embedding.model": "openai/embedding",
        "embedding.api_base": "http://127.0.0.1:1/v1",
        "embedding.query_prefix": "q: ",
        "embedding.passage_prefix": "p: ",
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
        "llm.small": "True",
        "llm.background": "True",
        "llm.verify": "True",
        "llm.instructions": "Only music",
        "llm.prompts": "/elsewhere",
        "auth.token_file": "/elsewhere",
        "auth.issuer": "https://login.example.com",
        "auth.audience": "memory",
        "auth.jwks": "https://login.example.com/keys",
        "auth.user_claim": "email",
        "auth.scope_claim": "scp",
        "auth.resource_url": "https://memory.example.com/mcp",
        "http.forwarded_allow_ips": "10.0.0.7",
        "http.drain_seconds": "7.5",
        "http.stateless": "True",
        "http.certificate": "/elsewhere/chain.pem",
        "http.certificate_key": "/elsewhere/key.pem",
        "http.open_metrics": "True",
        "limits.body_bytes": "7777",
        "limits.requests_per_minute": "7",
        "limits.calls_at_once": "7",
        "limits.memories_per_user": "7",
        "limits.bytes_per_user": "7",
        "limits.seconds_per_call": "777.5",
        "secrets": "refuse",
    }
    fixed = {
        "store.options",
        "llm.fallbacks",
        "llm.fallback_api_bases",
        "auth.tokens",
        "http.hosts",
    }
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


def test_variables_in_a_path_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yaml: WriteYaml
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLACE", str(tmp_path / "place"))
    home, place = tmp_path / "home", tmp_path / "place"
    wanted = {"$HOME/m": home / "m", "${HOME}/m": home / "m", "${PLACE}": place, "~": home}
    for written, meant in wanted.items():
        assert load_settings({"data_dir": written}).data_dir == meant
        paths = load_settings({"llm": {"prompts": written}, "pictures": {"folder": written}})
        assert (paths.llm.prompts, paths.pictures.folder) == (str(meant), str(meant))
    place.mkdir()
    (place / "s.yaml").write_text("data_dir: ${PLACE}/$EXTRA\n", encoding="utf-8")
    monkeypatch.setenv("EXTRA", "a $HOME b")
    monkeypatch.setenv(CONFIG_VARIABLE, "${PLACE}/s.yaml")
    monkeypatch.delenv("MEM_MCP_DATA_DIR")
    assert load_settings().data_dir == place / "a $HOME b"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("${workspaceFolder}/memory", "${workspaceFolder} is not set"),
        ("${env:HOME}/memory", "${env:HOME} is not filled in"),
        ("${HOME/memory", "${HOME is not filled in"),
        ("/x/$NO_SUCH_VARIABLE/y", "$NO_SUCH_VARIABLE is not set"),
        ("$(pwd)/memory", "$(pwd) is not filled in"),
        ("%APPDATA%\\memory", "%APPDATA% is not filled in"),
        ("%ProgramFiles(x86)%/memory", "%ProgramFiles(x86)% is not filled in"),
        ("{{home}}/memory", "{{ is not filled in"),
        ('"/x/memory"', "write it without"),
        ("'~/memory'", "write it without"),
        ("“/x/memory”", "write it without"),
        ('/x/memory"', "write it without"),
        ("file:///x/memory", "write a path of this machine"),
        ("https://x.test/memory", "write a path of this machine"),
        ("s3://bucket/memory", "set storage_uri"),
        ("db://memory", "set storage_uri"),
        ("C:\\Users\\ann\\memory", "a path of Windows"),
        ("\\\\server\\share", "a path of Windows"),
        ("/x/memory ", "blanks at an end"),
        ("/x/memory\n", "line break"),
        ("/x/mem\0ory", "line break"),
        ("/x/\udcff", "not UTF-8"),
        (" ", "must not be empty"),
        ("~nobody-of-this-name/memory", "no home folder for ~"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused_wherever_one_is_wanted(
    monkeypatch: pytest.MonkeyPatch, written: str, told: str
):
    for name in ("data_dir", "llm.prompts", "pictures.folder"):
        section, _, key = name.rpartition(".")
        message = refused({section: {key: written}} if section else {key: written})
        assert message.startswith(f"{name}: "), message
        assert told in message
    if "\0" not in written:
        monkeypatch.setenv(CONFIG_VARIABLE, written)
        message = refused()
        assert message.startswith(f"{CONFIG_VARIABLE}: "), message
        assert told in message


@pytest.mark.parametrize(
    "name", ["a$", "costs 5$", "50% of 80%", "it's", "a#b?c", "ความจำ 🚀", "{x}"]
)
def test_a_path_with_odd_signs_is_taken_as_it_is(tmp_path: Path, name: str):
    assert load_settings({"data_dir": f"{tmp_path}/{name}"}).data_dir == tmp_path / name


def test_a_data_directory_that_can_be_no_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for path in ("file", "file/below", "dangling", "x" * 300, "y/" * 3_000):
        message = refused({"data_dir": tmp_path / path})
        assert message.startswith("data_dir: ")
        assert "MEM_MCP_DATA_DIR" in message
    stored = load_settings({"data_dir": tmp_path / "file", "storage_uri": "s3://bucket/x"})
    assert stored.storage_uri  # data_dir is not used then


def test_what_was_relative_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"data_dir": "m", "llm": {"prompts": "./p"}, "pictures": {}})
    assert settings.remarks == (
        f"data_dir: 'm' is relative; {tmp_path / 'm'} is used",
        f"llm.prompts: './p' is relative; {tmp_path / 'p'} is used",
    )
    assert [record.getMessage() for record in caplog.records] == list(settings.remarks)
    assert load_settings({"data_dir": "~/m"}).remarks == ()


def test_a_user_without_a_home_folder_names_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def homeless(*_: object, **__: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("platformdirs.user_data_dir", homeless)
    assert load_settings().data_dir == tmp_path / "memory"
    monkeypatch.delenv("MEM_MCP_DATA_DIR")
    assert "no home folder" in refused()
    assert load_settings({"storage_uri": "s3://bucket/x"}).storage_uri == "s3://bucket/x"


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


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch):
    wanted = load_settings()
    for name in setting_names():
        if name != "data_dir":
            monkeypatch.setenv(variable(name), "")
    monkeypatch.setenv(CONFIG_VARIABLE, "")
    monkeypatch.setenv("MEM_MCP_NONSENSE", "")
    assert load_settings() == wanted


# Mistakes.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store:\n\tdurability: os\n", "has a tab in line 2; indent with spaces"),
        ("user_id: a\nuser_id: b\n", "user_id stands again in line 2; keep one"),
        ("llm:\n  model: a\n  retries: 1\n  model: b\n", "model stands again in line 4"),
        ("user_id: 5\n", "user_id: 5 is not text; write it in quotes"),
        ("user_id: 2026-01-01\n", "user_id: datetime.date(2026, 1, 1) is not text"),
        ("user_id: 2026-13-45\n", "is not YAML"),
        ("user_id: [a, b]\n", "user_id: ['a', 'b'] is not text"),
        ("recall:\n  pool: [1, 2]\n", "recall.pool: [1, 2] is not a whole number"),
        ("recall:\n  pool: 12.5\n", "recall.pool: 12.5 is not a whole number"),
        ("store: {durability: [os]}\n", "store.durability: ['os'] is not one of 'fsync', 'os'"),
        ("llm: openai/gpt\n", "llm: 'openai/gpt' is not a section"),
        ("data_dir: [a]\n", "data_dir: "),
        ("llm:\n  prompts: {a: b}\n", "llm.prompts: {'a': 'b'} is not text"),
        ("store:\n  durabilty: os\n", "did you mean store.durability?"),
        ("recall:\n  model: x\n", "recall.model: no such setting; "),
        ("usr_id: ann\n", "did you mean user_id?"),
        ("llm:\n  api_key: s3cret\n", "a key belongs in the provider's own variable"),
        ("store.durability: os\n", "write durability below store:, indented"),
        ("a: " + "[" * 5_000, "is not YAML"),
        ("user_id: \x07\n", "is not UTF-8 text"),
        ("--- a\n--- b\n", "is not YAML"),
        ("user_id: *a\n", "is not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_is_allowed(
    yaml: WriteYaml, monkeypatch: pytest.MonkeyPatch, text: str, told: str
):
    monkeypatch.delenv("MEM_MCP_DATA_DIR")
    yaml(text)
    message = refused()
    assert told in message
    assert "s3cret" not in message


def test_a_file_with_a_byte_order_mark_is_read(yaml: WriteYaml):
    path = yaml("user_id: ann\n")
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text("user_id: ann\r\n", encoding=encoding)
        assert load_settings().user_id == "ann"


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_DATADIR", "/x")
    message = refused()
    assert "MEM_MCP_DATADIR" in message
    assert "MEM_MCP_DATA_DIR" in message


def test_a_key_among_our_variables_is_told_where_it_belongs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_LLM__API_KEY", "s3cret")
    message = refused()
    assert "OPENAI_API_KEY" in message
    assert "s3cret" not in message


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
        ("tools", "recall,nonsense", "nonsense"),
        ("tools", "all,recall", "all"),
        ("tools", "recal", "did you mean recall?"),
        ("tools", ",", "no tool is named"),
        ("recall.traces", "perhaps", "'perhaps' is not true or false"),
        ("llm.temperature", "warm", "'warm' is not a number"),
        ("tools", "recall;remember", "remember"),
        ("store.durability", "maybe", "fsync"),
        ("store.durability", "FSYNC", "os"),
        ("store.maintain_every", "0", "1"),
        ("store.maintain_every", "often", "'often' is not a whole number"),
        ("remember.max_characters", "-5", "1"),
        ("remember.similar_score", "1.5", "1"),
        ("remember.similar_score", "nan", ""),
        ("recall.whole", "-1", "0"),
        ("recall.pool", "1", "10"),
        ("storage_uri", "ftp://x", "s3://"),
        ("embedding.api_base", "not-a-url", "embedding.api_base"),
        ("rerank.candidates", "1", "2"),
        ("llm.model", "two words", "one name"),
        ("http.hosts", "https://memory.example.com", "without"),
        ("auth.issuer", "login.example.com", "http:// or https:// address"),
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
    long = "s3cret-t0ken" * 4
    for given in ('{"s3cret-t0ken": "ann"}', f'{{"{long}": 7}}', f'{{"{long}": "global"}}'):
        monkeypatch.setenv("MEM_MCP_AUTH__TOKENS", given)
        assert "s3cret" not in refused()


@pytest.mark.parametrize("value", ["not json", '{"cut": ', "[1]"])
def test_a_variable_that_is_no_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("MEM_MCP_AUTH__TOKENS", value)
    assert refused().startswith("auth.tokens: ")


def test_a_section_that_is_no_section_is_refused(monkeypatch: pytest.MonkeyPatch, yaml: WriteYaml):
    yaml("store: fast\n")
    assert refused().startswith("store: ")
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


@pytest.mark.parametrize(
    ("options", "understood"),
    [
        ("endpoint=https://minio:9000, path_style=Yes", {"path_style": "true"}),
        ('{"region": "garage", "timeout": 10, "allow_http": true}', {"allow_http": "true"}),
        ("", {}),
    ],
)
def test_the_options_of_an_object_store_are_read_as_pairs_or_as_json(
    monkeypatch: pytest.MonkeyPatch, options: str, understood: dict[str, str]
) -> None:
    monkeypatch.setenv("MEM_MCP_STORE__OPTIONS", options)
    assert understood.items() <= load_settings().store.options.items()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("endpont=https://x", "did you mean endpoint"),
        ("aws_secret_access_key=abc", "set the provider's own variable"),
        ("endpoint=http://x", "not encrypted; set allow_http"),
        ("endpoint=minio:9000", "not an http:// or https:// address"),
        ("timeout=soon", "must be seconds"),
        ("retries=-1", "must be a whole number"),
        ("path_style=perhaps", "must be true or false"),
        ("region", "name=value"),
        ("{", "is no JSON"),
        ("[1]", "name=value"),
    ],
)
def test_a_wrong_option_of_an_object_store_is_named(
    monkeypatch: pytest.MonkeyPatch, options: str, said: str
) -> None:
    monkeypatch.setenv("MEM_MCP_STORE__OPTIONS", options)
    with pytest.raises(ConfigError, match=rf"^store\.options: .*{said}"):
        load_settings()


@pytest.mark.parametrize(
    "address",
    ["ftp://bucket", "s3:/bucket", "s3://", "s3:///team", "s3://key:secret@bucket", "s3://b?x=1"],
)
def test_an_address_that_is_of_no_object_store_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"^storage_uri: "):
        load_settings({"storage_uri": address})


def test_an_address_of_an_object_store_loses_what_says_nothing() -> None:
    assert load_settings({"storage_uri": " S3://bucket/team/ "}).storage_uri == "s3://bucket/team"
