"""LiteLLM's exceptions in the words of ours, without what a provider's text may hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mem_mcp.errors import (
    LLMAuthError,
    LLMContextTooLong,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMRejected,
    LLMUnavailable,
)

_SECRET_VARIABLE = re.compile(r"(?i:KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)")
_SECRET = re.compile(
    r"(?i:bearer|basic)\s+\S+"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|pplx|nvapi|r8|csk|key|ghp|github_pat|glpat|xox[a-z])[-_][\w.*-]{6,}"
    r"|\bAIza[\w-]{10,}|\bAKIA[A-Z0-9]{12,}|\beyJ[\w-]{10,}[\w.-]*"
    r"|(?i:api[-_ ]?key|token|secret|password)\s*[=:]\s*\S+"
    r"|(?<=://)[^/\s@]+@"
)
_SHORTEST_SECRET = 8
_MOST_CHARACTERS = 200
_CONNECTION = re.compile(
    r"(?i:connection error|cannot connect|connect call failed|connection reset"
    r"|server disconnected|name or service not known|nodename nor servname)"
)
_KEY_WANTED = re.compile(r"(?i:api[-_ ]?key)")
# The library knows these by a few providers' exact words only.
_TOO_LONG = re.compile(r"(?i:context_length_exceeded|context (length|window)|prompt is too long)")
_FILTERED = re.compile(r"(?i:content_policy_violation|content_filter|content management policy)")
_NOT_FETCHED = re.compile(r"Image URL download is disabled")
_REJECTED = {400, 413, 422}
# Not every provider's has a class of its own.
_BY_STATUS = {
    **dict.fromkeys(_REJECTED, "BadRequestError"),
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
}
_PREFIX = re.compile(r"^(?:litellm\.\w+: *|\w+(?:Error|Exception)(?: -|:) *)+")
_NO_KEY = "{model} needs a key; set {keys}"
_TOLD: dict[str, tuple[Callable[[str], LLMError], str]] = {
    "AuthenticationError": (LLMAuthError, "the provider of {model} refused the key in {keys}"),
    "PermissionDeniedError": (LLMAuthError, "the key in {keys} may not use {model}"),
    "ContextWindowExceededError": (LLMContextTooLong, "too long for the context window of {model}"),
    "ContentPolicyViolationError": (LLMRefused, "the provider of {model} refused the content"),
    "RateLimitError": (LLMRateLimited, "{model} takes no more requests for now; try again later"),
    "NotFoundError": (
        partial(LLMUnavailable, "not_found"),
        "its provider knows no {model}; check the setting of its name and of its api_base",
    ),
    "BadRequestError": (LLMRejected, "{model} does not take the request: {said}"),
    "APITimeoutError": (
        partial(LLMUnavailable, "timeout"),
        "{model} gave no answer within {timeout:g} s (llm.timeout_seconds)",
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that failed: model, address, timeout and the variables of its keys."""

    model: str
    api_base: str
    timeout: float
    """Seconds."""
    keys: Sequence[str]
    """Variables that hold its provider's key, or should."""


def explain(error: Exception, asked: Asked) -> LLMError:
    """Return what to raise instead of an exception of the library."""
    text = str(error)
    facts = {
        "model": asked.model,
        "timeout": asked.timeout,
        "keys": " or ".join(asked.keys) or "the environment",  # Gemini's takes either of two
        # The library puts names of classes before what the provider said, and advice after it.
        "said": scrub(_PREFIX.sub("", text).partition("\n")[0]),
    }
    if _NOT_FETCHED.search(text):
        return LLMRejected(f"{asked.model} does not fetch pictures by address; send their data")
    told = [_TOLD[name] for name in _names(error) if name in _TOLD]
    wants_key = _KEY_WANTED.search(text) or (told and told[0][0] is LLMAuthError)
    if wants_key and asked.keys and not any(key in os.environ for key in asked.keys):
        return LLMAuthError(_NO_KEY.format(**facts))
    if told:
        kind, message = told[0]
        return kind(message.format(**facts))
    if _CONNECTION.search(text):
        where = scrub(asked.api_base) or "its provider"
        return LLMUnavailable("connection", f"{asked.model} cannot be reached at {where}")
    status = getattr(error, "status_code", None)
    what = f"status {status}" if status else type(error).__name__
    return LLMUnavailable("server", f"{asked.model} failed ({what})")


def _names(error: Exception) -> Iterator[str]:
    """Name what happened, most specific first; as the library's classes, which would need it."""
    status = getattr(error, "status_code", None)
    if status in _REJECTED:
        said = f"{error} {getattr(error, 'code', '')}"
        if _TOO_LONG.search(said):
            yield "ContextWindowExceededError"
        if _FILTERED.search(said):
            yield "ContentPolicyViolationError"
    yield from (each.__name__ for each in type(error).__mro__)
    yield _BY_STATUS.get(status or 0, "")


def scrub(text: str) -> str:
    """Return a text in one line, shortened, and with nothing in it that may be a secret."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_VARIABLE.search(name):
            text = text.replace(value, "…")
    text = " ".join(_SECRET.sub("…", text).split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
