"""Map LiteLLM's exceptions to LLMError, without secrets that a provider's text may hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from math import ceil, isfinite

from mem_mcp.errors import (
    LLMAuthError,
    LLMContextTooLong,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMRejected,
    LLMUnavailable,
)
from mem_mcp.times import utc_now

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
# LiteLLM recognises these only by the exact words of a few providers.
_TOO_LONG = re.compile(r"(?i:context_length_exceeded|context (length|window)|prompt is too long)")
_FILTERED = re.compile(r"(?i:content_policy_violation|content_filter|content management policy)")
_NOT_FETCHED = re.compile(r"Image URL download is disabled")
_REJECTED = {400, 413, 422}
# Classes for errors of providers for which LiteLLM has no class.
_BY_STATUS = {
    **dict.fromkeys(_REJECTED, "BadRequestError"),
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
}
_PREFIX = re.compile(r"^(?:litellm\.\w+: *|\w+(?:Error|Exception)(?: -|:) *)+")
_PAUSE = "{model} takes no more requests for {seconds:,} s, says its provider (Retry-After)"
_NO_KEY = "{model} needs a key; set {keys}"
_ERRORS: dict[str, tuple[Callable[[str], LLMError], str]] = {
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
class FailedRequest:
    """What an error message says of the request that failed."""

    model: str
    api_base: str
    timeout: float
    """Timeout in seconds."""
    keys: Sequence[str]
    """Environment variables that hold, or should hold, the provider's key."""


def explain(error: Exception, request: FailedRequest) -> LLMError:
    """Return the LLMError to raise in place of an exception of LiteLLM."""
    text = str(error)
    facts = {
        "model": request.model,
        "timeout": request.timeout,
        "keys": " or ".join(request.keys) or "the environment",  # Gemini takes either of two
        # LiteLLM puts class names before the provider's text, and advice after it.
        "said": scrub(_PREFIX.sub("", text).partition("\n")[0]),
    }
    if _NOT_FETCHED.search(text):
        return LLMRejected(f"{request.model} does not fetch pictures by address; send their data")
    kind, message = next((_ERRORS[name] for name in _names(error) if name in _ERRORS), (None, ""))
    wants_key = _KEY_WANTED.search(text) or kind is LLMAuthError
    if wants_key and request.keys and not any(key in os.environ for key in request.keys):
        return LLMAuthError(_NO_KEY.format(**facts))
    if kind is LLMRateLimited and (seconds := _retry_after(error)):
        return LLMRateLimited(_PAUSE.format(**facts, seconds=ceil(seconds)), seconds)
    if kind:
        return kind(message.format(**facts))
    if _CONNECTION.search(text):
        where = scrub(request.api_base) or "its provider"
        return LLMUnavailable("connection", f"{request.model} cannot be reached at {where}")
    status = getattr(error, "status_code", None)
    what = f"status {status}" if status else type(error).__name__
    return LLMUnavailable("server", f"{request.model} failed ({what})")


def _retry_after(error: Exception) -> float:
    """Return the seconds that a provider wants no request for; 0 if it does not say."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or getattr(error, "litellm_response_headers", None)
    said = str((headers or {}).get("retry-after", "")).strip()
    with suppress(ValueError):
        return max(float(said), 0.0) if isfinite(float(said)) else 0.0
    with suppress(ValueError):
        when = parsedate_to_datetime(said)
        return max((when.replace(tzinfo=when.tzinfo or UTC) - utc_now()).total_seconds(), 0.0)
    return 0.0


def _names(error: Exception) -> Iterator[str]:
    """Yield names of LiteLLM's classes for an error, most specific first."""
    status = getattr(error, "status_code", None)
    if status in _REJECTED:
        text = f"{error} {getattr(error, 'code', '')}"
        if _TOO_LONG.search(text):
            yield "ContextWindowExceededError"
        if _FILTERED.search(text):
            yield "ContentPolicyViolationError"
    yield from (each.__name__ for each in type(error).__mro__)
    yield _BY_STATUS.get(status or 0, "")


def scrub(text: str) -> str:
    """Return a text as one line of 200 characters at most, without what may be a secret."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_VARIABLE.search(name):
            text = text.replace(value, "…")
    text = " ".join(_SECRET.sub("…", text).split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
