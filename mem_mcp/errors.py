"""The one tree of errors.

MemError                    whatever mem_mcp raises on purpose
├── InvalidInput            the caller's argument; `argument` names it
├── NotFound                no such memory for this caller
├── NotPermitted            the memory is there, but this caller may not change it
├── QuotaExceeded           what is to be stored is more than the user may have
├── ConfigError             a setting
├── StoreError              the data directory or what is in it
│   ├── StoreBusy           it does not take the call at the moment
│   └── WriteConflict       others kept changing the same memory
├── EmbedderUnavailable     no vectors can be made now
└── LLMError                a model behind a network gave no usable answer
    ├── LLMUnavailable      not configured, not reached, too slow or failing; `reason` says which
    ├── LLMRateLimited      it takes no more requests for the moment
    ├── LLMAuthError        its key is missing or was refused
    ├── LLMRejected         it does not take such a request
    ├── LLMContextTooLong   the request does not fit its context window
    ├── LLMRefused          it declined to answer, or its filter did
    ├── LLMBadOutput        what it answered cannot be used, also when asked again
    └── LLMBudgetSpent      the settings allow no more of it today

Messages are written for the caller: what was wrong, then what to do.
"""

from typing import Literal

LLMFailure = Literal[
    "unconfigured", "connection", "timeout", "server", "not_found", "open", "deadline"
]
"""Why a model is unavailable; open: it kept failing, so it is left alone for a moment."""


def quoted(value: object, longest: int) -> str:
    """Return a refused value as a message shows it, cut to so many characters."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


class MemError(Exception):
    """Base of every error mem_mcp raises on purpose."""


class InvalidInput(MemError):
    """An argument was refused; nothing was stored."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument
        self.problem = problem


class NotFound(MemError):
    """No memory with this id is visible to the caller (another user's looks the same)."""

    def __init__(self, memory_id: str) -> None:
        super().__init__(
            f"memory_id: no memory {memory_id!r}; use an id that recall or list_memories returned"
        )
        self.memory_id = memory_id


class NotPermitted(MemError):
    """The caller sees the memory but may not change it."""


class QuotaExceeded(MemError):
    """The user may not have so much; nothing was stored."""


class ConfigError(MemError):
    """A setting is wrong; the message names it and what is allowed."""


class StoreError(MemError):
    """The store cannot be opened, read or written.

    Args:
        problem: what is wrong.
        helps: what to do about it.
    """

    def __init__(self, problem: str, helps: str = "") -> None:
        super().__init__(f"{problem}; {helps}" if helps else problem)
        self.problem = problem
        self.helps = helps


class StoreBusy(StoreError):
    """Load, a network or other writers stood in the way; the call may be repeated."""


class WriteConflict(StoreError):
    """Other writers kept winning the race for the same memory; the call may be repeated."""


class EmbedderUnavailable(MemError):
    """Vectors cannot be made at the moment; search by words still works."""


class LLMError(MemError):
    """A model behind a network gave no usable answer; what needs none still works."""

    of_request = False
    """Whether it is about this very request, and says nothing of what another one would get."""


class LLMUnavailable(LLMError):
    """The model cannot be used at the moment, or not with these settings."""

    def __init__(self, reason: LLMFailure, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LLMRateLimited(LLMError):
    """The provider takes no more requests for the moment.

    Args:
        message: what was wrong.
        seconds: for how long, as far as it says so; 0 if it does not.
    """

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class LLMAuthError(LLMError):
    """The provider's key is missing or was refused; the message names its variable."""


class LLMRejected(LLMError):
    """The provider does not take such a request, however often it is sent."""

    of_request = True


class LLMContextTooLong(LLMError):
    """The request does not fit the model's context window; send less."""

    of_request = True


class LLMRefused(LLMError):
    """The model, or the provider's content filter, declined to answer."""

    of_request = True


class LLMBadOutput(LLMError):
    """What the model answered cannot be used, also not after it was told why."""

    of_request = True


class LLMCut(LLMBadOutput):
    """The answer was longer than it may be, and nothing of it can be used; ask for less."""


class LLMBudgetSpent(LLMError):
    """The settings allow no more calls, tokens or dollars today; resets at midnight UTC."""
