"""Settings: arguments > environment > YAML file > defaults."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mem_mcp import mistakes, paths, settings_file
from mem_mcp.errors import ConfigError

PREFIX = "MEM_MCP_"
CONFIG_VARIABLE = settings_file.VARIABLE
_ADDRESS = r"^(https?://\S+)?$"
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

CORE_TOOLS = (
    "remember", "recall", "record_outcome", "recall_lessons", "give_feedback", "update_memory",
    "forget",
)  # fmt: skip
"""What a model is offered by default."""
ALL_TOOLS = (*CORE_TOOLS, "get_memory", "list_memories")


_log = logging.getLogger(__name__)


_PATHS = ("data_dir", "llm.prompts", "pictures.folder")


def _path_text(given: object) -> object:
    return str(paths.local_path(str(given))) if isinstance(given, str | Path) and given else given


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class StoreSettings(Section):
    """How the store writes and keeps itself tidy."""

    durability: Literal["fsync", "os"] = "fsync"
    """fsync: an answer waits until the disk has the write. os: the operating system decides."""
    maintain_every: int = Field(default=50, ge=1, le=100_000)
    """Commits between two passes of compaction and index updates."""


class RememberSettings(Section):
    """What `remember` accepts and reports."""

    max_characters: int = Field(default=100_000, ge=1, le=10_000_000)
    """Longest text of one memory."""
    similar_score: float = Field(default=0.85, ge=0, le=1)
    """Cosine from which a stored memory is named as similar to a new one."""


class RecallSettings(Section):
    """How `recall` searches."""

    pool: int = Field(default=200, ge=10, le=5_000)
    """Candidates taken from each side (meaning, words) where the scope is larger than `whole`."""
    whole: int = Field(default=6_000, ge=0, le=20_000)
    """Scopes up to this many memories are ranked whole."""
    traces: bool = True
    """Note what was answered, so that feedback and outcomes can name it by its recall_id."""
    trace_days: int = Field(default=30, ge=1, le=3_650)
    """How long that is kept, and what models were asked."""


class ArchiveSettings(Section):
    """What `maintain` takes out of recall; each can be brought back with `update_memory`.

    Harm and help are counted in marks since a memory was last changed: a POSITIVE is one for it, a
    NEGATIVE one and a VERY_NEGATIVE two against it; each success that used it is half a mark for
    it, each failure half a mark against it.
    """

    expired: bool = True
    """Archive what has expired: recall leaves it out anyway, and the lists show why."""
    harmful: bool = True
    """Archive what was recalled often and harmed clearly more than it helped."""
    least_recalls: int = Field(default=5, ge=1, le=1_000_000)
    """Recalls of a memory, among those still traced, before it may count as harmful."""
    least_harm: float = Field(default=3.0, gt=0, le=1_000_000)
    """Marks against a memory before it may count as harmful."""
    harm_ratio: float = Field(default=3.0, ge=1, le=1_000_000)
    """How many times the marks against it must outweigh those for it."""


class EmbeddingSettings(Section):
    """What turns text into vectors."""

    model: str = Field(default="bundled", pattern=r"^\S+$")
    """bundled: the one in the package, without network or key; or any that LiteLLM knows."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""

    @property
    def bundled(self) -> bool:
        """Whether it is the model in the package."""
        return self.model == "bundled"


class RerankSettings(Section):
    """A model that reads question and memory together, after our ranking and before the cut."""

    model: str = Field(default="", pattern=r"^\S*$")
    """Reranking model as LiteLLM names it, like cohere/rerank-v3.5; empty: none."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""
    candidates: int = Field(default=50, ge=2, le=1_000)
    """So many of the best by our ranking are given to it."""


class PictureSettings(Section):
    """Which pictures of messages `remember` has described, by a model that sees."""

    detail: Literal["low", "high", "auto"] = "auto"
    """How closely it looks, for providers that charge by it; a picture's own `detail` wins."""
    folder: str = ""
    """Pictures may be named as files inside this folder; empty: none may."""
    urls: bool = False
    """Pass addresses of pictures on to the provider; they are never fetched by mem-mcp."""
    max_bytes: int = Field(default=5_000_000, ge=1, le=100_000_000)
    """Largest picture."""

    _local = field_validator("folder", mode="before")(_path_text)


class LLMSettings(Section):
    """The language model that manages memory; its key is the provider's own variable's to hold."""

    model: str = Field(default="", pattern=r"^\S*$")
    """Model as LiteLLM names it, like openai/gpt-4o-mini or ollama_chat/llama3.2; empty: none."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""
    fallbacks: Annotated[list[str], NoDecode] = []
    """Models asked in turn where it fails, separated by commas; api_base is not theirs."""
    timeout_seconds: float = Field(default=30, gt=0, le=3_600)
    """How long one attempt may take."""
    deadline_seconds: float = Field(default=45, gt=0, le=3_600)
    """How long all that one tool call asks of the model may take."""
    retries: int = Field(default=2, ge=0, le=10)
    """Further attempts after a failure that may pass."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Requests under way at once; more wait."""
    requests_per_minute: int = Field(default=0, ge=0)
    """More wait; 0: no bound."""
    tokens_per_minute: int = Field(default=0, ge=0)
    """More wait; 0: no bound."""
    calls_per_day: int = Field(default=0, ge=0)
    """Budget of each process, until midnight UTC; 0: no bound."""
    tokens_per_day: int = Field(default=0, ge=0)
    """Likewise, of tokens sent and received."""
    dollars_per_day: float = Field(default=0.0, ge=0)
    """Likewise, for models whose price is known."""
    max_output_tokens: int = Field(default=2_000, ge=1, le=1_000_000)
    """Longest answer; once doubled when an answer was cut there."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """How freely it answers; left out for models that have no such setting."""
    vision: bool | None = None
    """Whether it reads images; null: what LiteLLM knows of it."""
    background: bool = False
    """Answer record_outcome at once and judge its logs afterwards."""
    verify: bool = False
    """Ask it a second time whether what it extracted is what was said."""
    instructions: str = Field(default="", max_length=10_000)
    """What to keep and what to leave out, beside the rules."""
    prompts: str = ""
    """Folder of texts in place of ours, such as extract.md; empty: ours."""

    _local = field_validator("prompts", mode="before")(_path_text)

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _names(cls, names: object) -> object:
        listed = names.split(",") if isinstance(names, str) else names
        if not isinstance(listed, list):
            return names
        stripped = [str(name).strip() for name in listed if str(name).strip()]
        if any(set(name) & set("[]\"' ") for name in stripped):
            raise ValueError("must be names of models separated by commas, such as openai/a,groq/b")
        return stripped


class AuthSettings(Section):
    """Who may call over HTTP; this version listens on 127.0.0.1 only and asks for no token."""

    tokens: dict[str, str] = Field(default={}, max_length=0)
    """Token to user; must stay empty."""


class Settings(BaseSettings):
    """Every setting of a memory; immutable once made.

    Raises:
        ConfigError: from `load_settings`, naming the setting and what is allowed.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Field(default_factory=paths.user_data)
    """Folder of the store. Default: the platform's folder for user data."""
    storage_uri: str = ""
    """Where the table lives instead of data_dir: s3://, gs://, az:// or db://."""
    user_id: str = Field(default="default", min_length=1)
    """User of a call that names none."""
    tools: str = "default"
    """Tools offered to the model: default, all, or names separated by commas."""
    log_level: LogLevel = "WARNING"
    """Least severe level that is written to stderr."""
    store: StoreSettings = StoreSettings()
    remember: RememberSettings = RememberSettings()
    recall: RecallSettings = RecallSettings()
    archive: ArchiveSettings = ArchiveSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    rerank: RerankSettings = RerankSettings()
    llm: LLMSettings = LLMSettings()
    pictures: PictureSettings = PictureSettings()
    auth: AuthSettings = AuthSettings()

    _remarks: tuple[str, ...] = PrivateAttr(default=())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What their author should know of how they were understood; a sentence each."""
        return self._remarks

    @model_validator(mode="wrap")
    @classmethod
    def _remarking(cls, given: dict[str, Any], make: Callable[[object], Self]) -> Self:
        made = make(given)
        made._remarks = tuple(  # noqa: SLF001 - its own class's
            f"{name}: {str(written)!r} is relative; {_at(name, made)} is used"
            for name in _PATHS
            if isinstance(written := _at(name, given), str | Path)
            and written
            and paths.is_relative(str(written))
        )
        return made

    @field_validator("data_dir", mode="before")
    @classmethod
    def _local(cls, given: object) -> object:
        # LanceDB takes relative paths that begin with "db" for its cloud service.
        return paths.local_path(str(given)) if isinstance(given, str | Path) else given

    @field_validator("storage_uri")
    @classmethod
    def _known_scheme(cls, uri: str) -> str:
        if uri and not uri.startswith(("s3://", "gs://", "az://", "db://")):
            raise ValueError("must start with s3://, gs://, az:// or db://, or be empty")
        return uri

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("tools", mode="before")
    @classmethod
    def _known_tools(cls, tools: object) -> object:
        names = tools.split(",") if isinstance(tools, str) else tools
        if not isinstance(names, Iterable):
            return tools
        names = [stripped for name in names if (stripped := str(name).strip())]
        if names in (["default"], ["all"]):
            return names[0]
        allowed = f"allowed: default, all, or some of {', '.join(ALL_TOOLS)}"
        if not names:
            raise ValueError(f"no tool is named; {allowed}")
        if unknown := [name for name in names if name not in ALL_TOOLS]:
            hint = mistakes.nearest(unknown[0], ALL_TOOLS)
            raise ValueError(" ".join(filter(None, [f"no tool {unknown[0]!r};", hint, allowed])))
        return ",".join(names)

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The names behind `tools`, in the order they are offered."""
        if self.tools == "all":
            return ALL_TOOLS
        if self.tools == "default":
            return CORE_TOOLS
        return tuple(name for name in ALL_TOOLS if name in self.tools.split(","))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a stray .env is not ours to read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, then the YAML file where one is named."""
        file = settings_file.named_file()
        if file is None:
            return init_settings, env_settings
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, settings_file.read(file)),
        )


def load_settings(arguments: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from every source.

    Args:
        arguments: what overrides the environment and the file; None values count as absent.

    Raises:
        ConfigError: a setting or the file is wrong; one line that says which and what is allowed.
    """
    _refuse_unknown_variables()
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError(mistakes.explain(error, setting_names())) from error
    except SettingsError as error:  # the one setting that is JSON in the environment
        raise ConfigError(f"auth.tokens: is not JSON ({variable('auth.tokens')})") from error
    try:
        if not settings.storage_uri:
            paths.check_folder(settings.data_dir)
    except ValueError as error:
        raise ConfigError(f"data_dir: {error} ({variable('data_dir')})") from error
    for remark in settings.remarks:
        _log.warning("%s", remark)
    return settings


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> dict[str, Any]:
    """List every setting with its default, as `section.name`."""
    names: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= setting_names(field.annotation, f"{prefix}{name}.")
        else:
            names[prefix + name] = field.get_default(call_default_factory=True)
    return names


def variable(setting: str) -> str:
    """Name the environment variable of a setting such as `store.durability`."""
    return PREFIX + setting.upper().replace(".", "__")


def _at(name: str, settings: object) -> object:
    """Return a setting of settings, or of what they shall be made from; None where it is not."""
    for part in name.split("."):
        settings = (
            settings.get(part) if isinstance(settings, Mapping) else getattr(settings, part, None)
        )
    return settings


def _refuse_unknown_variables() -> None:
    known = {variable(name) for name in setting_names()} | {CONFIG_VARIABLE}
    for name, value in os.environ.items():
        if value and name.startswith(PREFIX) and name not in known:
            raise ConfigError(mistakes.unknown_variable(name, known))
