"""Every setting with its default, its bounds and the checks of its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mem_mcp.config import paths, settings_file
from mem_mcp.config.section import Section
from mem_mcp.config.serving import TOKEN_FILE, AuthSettings, HttpSettings, LimitSettings
from mem_mcp.config.store_options import checked_address, checked_options
from mem_mcp.errors import ConfigError
from mem_mcp.times import local_zone

PREFIX = "MEM_MCP_"
CONFIG_VARIABLE = settings_file.VARIABLE
BUNDLED = "bundled"
"""Name of the embedding model in the package."""
_ADDRESS = r"^(https?://\S+)?$"
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

CORE_TOOLS = (
    "remember", "recall", "record_outcome", "recall_lessons", "give_feedback", "update_memory",
    "forget",
)  # fmt: skip
"""What a model is offered by default."""
ALL_TOOLS = (*CORE_TOOLS, "get_memory", "list_memories", "why")
_PATHS = (
    "data_dir", "llm.prompts", "pictures.folder", "auth.token_file", "http.certificate",
    "http.certificate_key",
)  # fmt: skip


def _absolute(given: object) -> object:
    return str(paths.local_path(str(given))) if isinstance(given, str | Path) and given else given


class StoreSettings(Section):
    """How the store writes, and how often it is compacted."""

    durability: Literal["fsync", "os"] = "fsync"
    """fsync: an answer waits until the disk has the write. os: the operating system decides."""
    maintain_every: int = Field(default=50, ge=1, le=100_000)
    """Commits between two passes of compaction and index updates."""
    options: Annotated[dict[str, str], NoDecode] = Field(default={})
    """How to reach an object store: endpoint, region, path_style, allow_http, timeout, retries."""

    _options = field_validator("options", mode="before")(checked_options)


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
    least_share: float = Field(default=0.3, ge=0, le=1)
    """Share of the best score below which a memory is left out, unless min_score is given."""
    traces: bool = True
    """Log each answer, so that feedback and outcomes can name it by its recall_id."""
    trace_days: int = Field(default=30, ge=1, le=3_650)
    """Days for which the logs of answers and of calls to models are kept."""


class AnswerSettings(Section):
    """How much of texts `recall`, `recall_lessons` and `list_memories` show by themselves.

    A longer text is shown by its best passage, and `get_memory` shows it whole. A caller's
    max_tokens replaces both bounds.
    """

    characters: int = Field(default=20_000, ge=1_000, le=10_000_000)
    """Most characters of the texts of an answer, unless max_tokens is given."""
    memory_characters: int = Field(default=4_000, ge=100, le=10_000_000)
    """Most characters of one memory's text in it; get_memory shows it whole."""


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

    model: str = Field(default=BUNDLED, pattern=r"^\S+$")
    """bundled: the one in the package, without network or key; or any that LiteLLM knows."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""

    query_prefix: str | None = Field(default=None, max_length=1000)
    """What is put before questions for that model; null: what its family was taught, if known."""
    passage_prefix: str | None = Field(default=None, max_length=1000)
    """What is put before the texts that are stored, likewise."""

    @property
    def bundled(self) -> bool:
        """Whether it is the model in the package."""
        return self.model == BUNDLED


class RerankSettings(Section):
    """A model that reads question and memory together, after our ranking and before the cut."""

    model: str = Field(default="", pattern=r"^\S*$")
    """Reranking model as LiteLLM names it, like cohere/rerank-v3.5; empty: none."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""
    candidates: int = Field(default=50, ge=2, le=1_000)
    """How many of the best candidates by our ranking it gets."""


class PictureSettings(Section):
    """Which pictures in messages `remember` lets a vision model describe."""

    detail: Literal["low", "high", "auto"] = "auto"
    """How closely the model looks (some charge by it); a picture's own `detail` wins."""
    folder: str = ""
    """Messages may name pictures by their files inside this folder; empty: they may not."""
    urls: bool = False
    """Pass addresses of pictures on to the provider; they are never fetched by mem-mcp."""
    max_bytes: int = Field(default=5_000_000, ge=1, le=100_000_000)
    """Size of the largest picture."""

    _local = field_validator("folder", mode="before")(_absolute)


class LLMSettings(Section):
    """The language model that manages memory; its key is in the provider's own variable."""

    model: str = Field(default="", pattern=r"^\S*$")
    """Model as LiteLLM names it, like openai/gpt-4o-mini or ollama_chat/llama3.2; empty: none."""
    api_base: str = Field(default="", pattern=_ADDRESS)
    """Address of that model's server; empty: the provider's own."""
    fallbacks: Annotated[list[str], NoDecode] = Field(default=[])
    """Models to ask in turn when `model` fails, separated by commas."""
    fallback_api_bases: Annotated[list[str], NoDecode] = Field(default=[])
    """Their addresses, in the same order; empty: api_base if of model's provider, else its own."""
    timeout_seconds: float = Field(default=30, gt=0, le=3_600)
    """Seconds that one attempt may take."""
    deadline_seconds: float = Field(default=45, gt=0, le=3_600)
    """Seconds that all model calls of one tool call may take together."""
    retries: int = Field(default=2, ge=0, le=10)
    """Further attempts after a temporary failure."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Requests that may run at once; further ones wait."""
    requests_per_minute: int = Field(default=0, ge=0)
    """Requests a minute; further ones wait; 0: no bound."""
    tokens_per_minute: int = Field(default=0, ge=0)
    """Tokens sent and received a minute; requests beyond wait; 0: no bound."""
    calls_per_day: int = Field(default=0, ge=0)
    """Calls of the language model until midnight UTC, by all processes together; 0: no bound."""
    tokens_per_day: int = Field(default=0, ge=0)
    """Tokens it may take and give until midnight UTC, likewise; 0: no bound."""
    dollars_per_day: float = Field(default=0.0, ge=0)
    """Dollars it may cost until midnight UTC, likewise, at known prices; 0: no bound."""
    max_output_tokens: int = Field(default=2_000, ge=1, le=1_000_000)
    """Length of the longest answer; doubled once when an answer was cut there."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature; it is not sent to models that do not take one."""
    vision: bool | None = None
    """Whether the model reads images; null: what LiteLLM knows about it."""
    small: bool | None = None
    """Whether the model is small, to be asked in a short form; null: what its name says."""
    background: bool = False
    """Answer record_outcome at once and judge its logs afterwards."""
    verify: bool = False
    """Ask the model a second time whether its facts are what the messages say."""
    instructions: str = Field(default="", max_length=10_000)
    """What to keep and what to leave out, added to the built-in rules."""
    prompts: str = ""
    """Folder of prompt texts, such as extract.md, that replace the built-in ones; empty: none."""

    _local = field_validator("prompts", mode="before")(_absolute)

    @field_validator("fallback_api_bases", mode="before")
    @classmethod
    def _addresses(cls, given: object) -> object:
        listed = given.split(",") if isinstance(given, str) else given
        if not isinstance(listed, list):
            return given
        addresses = [str(address or "").strip() for address in listed]
        for address in addresses:
            if not re.match(_ADDRESS, address):
                raise ValueError(
                    f"{address!r} is not an http:// or https:// address; separate several by "
                    "commas, with nothing between two for a fallback that needs none"
                )
        return addresses if any(addresses) else []

    @model_validator(mode="after")
    def _address_each_fallback(self) -> Self:
        addresses, models = len(self.fallback_api_bases), len(self.fallbacks)
        if addresses > models:
            raise ValueError(
                f"fallback_api_bases has {addresses} addresses, and fallbacks {models} models; "
                "name them in the same order"
            )
        return self

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """`model` and its fallbacks, each with the address of its server; "": its provider's own.

        An address that is set for one provider's models is never passed over in favour of that
        provider's public one.
        """
        usual = {self.model.partition("/")[0]: self.api_base}
        named = zip_longest(self.fallbacks, self.fallback_api_bases, fillvalue="")
        others = [
            (model, address or usual.get(model.partition("/")[0], "")) for model, address in named
        ]
        return [(self.model, self.api_base), *others]

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


class Settings(BaseSettings):
    """Every setting of a memory, immutable.

    Raises:
        ValidationError: a value is wrong; `load_settings` raises ConfigError instead.
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
    time_zone: str = ""
    """IANA name of the zone of times without one, and of dates shown. Empty: the machine's."""
    log_level: LogLevel = "WARNING"
    """Least severe level that is written to stderr."""
    log_format: Literal["text", "json"] = "text"
    """Form of what is written there: text, or json, an object a line."""
    audit: str = ""
    """Where a server notes each write, without texts: log, or a file; empty: nowhere."""
    secrets: Literal["mask", "refuse", "off"] = "mask"
    """Keys and tokens of known forms in what is stored: mask them, refuse the call, or off."""
    store: StoreSettings = StoreSettings()
    remember: RememberSettings = RememberSettings()
    recall: RecallSettings = RecallSettings()
    answer: AnswerSettings = AnswerSettings()
    archive: ArchiveSettings = ArchiveSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    rerank: RerankSettings = RerankSettings()
    llm: LLMSettings = LLMSettings()
    pictures: PictureSettings = PictureSettings()
    auth: AuthSettings = AuthSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()

    _remarks: tuple[str, ...] = PrivateAttr(default=())

    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings about how values were understood, a sentence each."""
        return self._remarks

    @model_validator(mode="wrap")
    @classmethod
    def _add_remarks(cls, given: dict[str, Any], make: Callable[[object], Self]) -> Self:
        settings = make(given)
        settings._remarks = tuple(  # noqa: SLF001 - its own class's
            f"{name}: {str(written)!r} is relative; {_at(name, settings)} is used"
            for name in _PATHS
            if isinstance(written := _at(name, given), str | Path)
            and written
            and paths.is_relative(str(written))
        )
        return settings

    @field_validator("data_dir", mode="before")
    @classmethod
    def _local(cls, given: object) -> object:
        # LanceDB takes relative paths that begin with "db" for its cloud service.
        return paths.local_path(str(given)) if isinstance(given, str | Path) else given

    @field_validator("audit", mode="before")
    @classmethod
    def _audit_file(cls, given: object) -> object:
        return given if given == "log" else _absolute(given)

    _address = field_validator("storage_uri")(checked_address)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            local_zone(name)
        except ConfigError as error:
            raise ValueError(str(error).partition(": ")[2]) from error
        return name

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
            hint = did_you_mean(unknown[0], ALL_TOOLS)
            raise ValueError(" ".join(filter(None, [f"no tool {unknown[0]!r};", hint, allowed])))
        return ",".join(names)

    @property
    def token_file(self) -> Path:
        """The file of tokens of the server."""
        named = self.auth.token_file
        return Path(named) if named else self.data_dir / TOKEN_FILE

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
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a stray .env belongs to others
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, then the YAML file if one is named."""
        file = settings_file.named_file()
        if file is None:
            return init_settings, env_settings
        values = InitSettingsSource(settings_cls, settings_file.read(file))
        return init_settings, env_settings, values


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return a question that offers the most similar known name; empty if none is similar."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def _at(name: str, settings: object) -> object:
    """Return a setting from Settings or from nested dicts; None if it is absent."""
    for part in name.split("."):
        settings = (
            settings.get(part) if isinstance(settings, Mapping) else getattr(settings, part, None)
        )
    return settings
