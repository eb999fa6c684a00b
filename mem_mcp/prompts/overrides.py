"""The guidance of each prompt: the built-in text, or an operator's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Self

from mem_mcp.errors import ConfigError, InvalidInput, LLMUnavailable
from mem_mcp.prompts import describe, extract, judge, procedure, verify
from mem_mcp.prompts.template import PLACEHOLDER
from mem_mcp.text import check_text


@dataclass(frozen=True, slots=True)
class Prompts:
    """The guidance of each prompt.

    Each text holds PLACEHOLDER once. There the fixed rules are put in; no file replaces those.
    """

    extract: str = extract.GUIDANCE
    judge: str = judge.GUIDANCE
    verify: str = verify.GUIDANCE
    procedure: str = procedure.GUIDANCE
    describe: str = describe.GUIDANCE

    @classmethod
    def load(cls, folder: Path | None) -> Self:
        """Read the texts that a folder overrides: `extract.md` and so on, in UTF-8.

        Args:
            folder: holds these files and no others; None for none. Names that begin with a dot
                are ignored.

        Raises:
            ConfigError: a file is not one of these, cannot be read, or lacks the placeholder.
        """
        if folder is None:
            return cls()
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise ConfigError(
                f"llm.prompts: {str(folder)!r}: {error.strerror}; name a folder of your own texts"
            ) from error
        allowed = {f"{field.name}.md": field.name for field in fields(cls)}
        for path in paths:
            if path.name not in allowed:
                raise ConfigError(
                    f"llm.prompts: {path} is no prompt; allowed: {', '.join(allowed)}"
                )
        return cls(**{allowed[path.name]: _read(path) for path in paths})


class PromptFolder:
    """The guidance of each prompt, read when it is first needed.

    A wrong file matters only to what asks a model with it: each attribute raises LLMUnavailable
    until its file is right, and the others are there meanwhile.

    Args:
        folder: holds the texts that override ours; None for none. See `Prompts.load`, which checks
            it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @cached_property
    def extract(self) -> str:
        """The guidance for turning messages into facts."""
        return self._guidance("extract")

    @cached_property
    def judge(self) -> str:
        """The guidance for judging an outcome by its logs."""
        return self._guidance("judge")

    @cached_property
    def verify(self) -> str:
        """The guidance for checking facts against messages."""
        return self._guidance("verify")

    @cached_property
    def procedure(self) -> str:
        """The guidance for turning a log into a procedure."""
        return self._guidance("procedure")

    @cached_property
    def describe(self) -> str:
        """The guidance for describing a picture."""
        return self._guidance("describe")

    def _guidance(self, name: str) -> str:
        ours: str = getattr(Prompts(), name)
        if self._folder is None:
            return ours
        path = self._folder / f"{name}.md"
        if self._folder.is_dir() and not path.exists():
            return ours
        try:
            return _read(path)
        except ConfigError as error:
            raise LLMUnavailable("unconfigured", str(error)) from error


def _read(path: Path) -> str:
    try:
        text = check_text(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ConfigError(f"llm.prompts: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"llm.prompts: {path} is not UTF-8; save it as that") from error
    except InvalidInput as error:
        raise ConfigError(f"llm.prompts: {error}") from error
    if (found := text.count(PLACEHOLDER)) != 1:
        raise ConfigError(
            f"llm.prompts: {path} has {PLACEHOLDER} {found} times; write it once, where the fixed "
            "rules shall come in"
        )
    return text
