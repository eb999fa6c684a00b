"""LiteLLM itself: imported late, in a thread, and kept quiet; and what it knows of models."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from urllib.request import getproxies

Library = Any
"""The LiteLLM module. It is imported by name, since mypy would check a million lines of types."""

# Which of the first two keeps the library off the network depends on its version.
_BEFORE_IMPORT = {
    "LITELLM_OFFLINE_MODE": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",  # else it loads any .env file into this process
    "LITELLM_LOG": "ERROR",
    # Else it downloads pictures by their URL for providers that do not.
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
}
_LOOPBACK = "localhost,127.0.0.1,::1"
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

_library: Library = None
_users = 0


async def litellm() -> Library:
    """Return LiteLLM. The first call in a process imports it in a thread, which takes seconds."""
    # Not from sys.modules, which has it from the moment its import begins.
    return _library or await asyncio.to_thread(_load)


def _load() -> Library:
    global _library  # noqa: PLW0603 - a module is loaded once a process
    for name, value in _BEFORE_IMPORT.items():
        os.environ.setdefault(name, value)
    _spare_loopback()
    library: Library = import_module("litellm")
    library.suppress_debug_info = True  # else it prints advice to stdout
    library.disable_hf_tokenizer_download = True  # else counting tokens asks huggingface.co
    library.DEFAULT_MAX_RETRIES = 0  # else its OpenAI embeddings retry each of our retries
    for name in _LOGGERS:
        # Errors are raised to us; the log lines would repeat the provider's own text.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Both load parts at first use, which would block the event loop for most of a second.
    import_module("openai.resources")
    types = library.types.router
    types.Deployment(model_name="", litellm_params=types.LiteLLM_Params(model=""))
    _library = library
    return library


def _spare_loopback() -> None:
    """Exclude this machine from the proxy, which would look for models on its own loopback."""
    if not set(getproxies()) - {"no"}:
        return
    name = "no_proxy" if os.environ.get("no_proxy") else "NO_PROXY"  # the former wins
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))


async def enter() -> Library:
    """Return LiteLLM and count one more user; call `leave` when done."""
    global _users  # noqa: PLW0603 - the connections are shared by the process
    library = await litellm()
    _users += 1
    return library


async def leave() -> None:
    """Count one user less; the last one closes LiteLLM's connections."""
    global _users  # noqa: PLW0603 - the connections are shared by the process
    _users -= 1
    if _library is not None and not _users:
        await _library.close_litellm_async_clients()
        # Else the next user gets the closed clients.
        _library.in_memory_llm_clients_cache.flush_cache()


_LARGE = 10.0
"""Billions of parameters from which a model is not small."""
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


def is_small(model: str) -> bool:
    """Return whether a model's name says that it is small, as in qwen2.5-1.5b or llama3.2:3b."""
    sizes = [float(size) for size in _SIZE.findall(model)]
    return bool(sizes) and max(sizes) < _LARGE


def pause(library: Library, retry: int, retries: int) -> float:
    """Return the seconds before a further attempt: more before each, and some by chance.

    Args:
        library: LiteLLM.
        retry: which of the further attempts it is, from 0.
        retries: how many further attempts there are.
    """
    backoff = library.utils._calculate_retry_after  # noqa: SLF001 - what its Router takes
    return float(backoff(remaining_retries=retries - retry, max_retries=retries))


def missing_keys(library: Library, model: str) -> list[str]:
    """Return the environment variables that a model's provider needs and that are not set."""
    missing: list[str] = library.validate_environment(model)["missing_keys"]
    # Addresses have defaults or come from the settings.
    return [name for name in missing if not name.endswith("_API_BASE")]


def key_variables(library: Library, model: str) -> list[str]:
    """Return the environment variables that hold, or should hold, the key of a model's provider."""
    if missing := missing_keys(library, model):
        return missing
    try:
        provider = library.get_llm_provider(model)[1]
    except library.exceptions.BadRequestError:
        return []
    usual = f"{provider.upper()}_API_KEY"
    return [usual] if usual in os.environ else []


def context_window(library: Library, model: str) -> int | None:
    """Return the most tokens that a model reads; None if LiteLLM does not know."""
    try:
        info = library.get_model_info(model)
    except library.exceptions.ModelNotMappedError:
        return None
    return info.get("max_input_tokens") or None


def has_price(library: Library, model: str) -> bool:
    """Return whether LiteLLM knows what a model's tokens cost; Ollama's cost nothing."""
    try:
        costs = library.cost_per_token(model=model, prompt_tokens=1, completion_tokens=1)
    except (library.exceptions.ModelNotMappedError, library.exceptions.BadRequestError):
        return False
    # A model of unknown price has a price of 0 once a Router has it.
    return sum(costs) > 0 or model.startswith("ollama")


def count_tokens(library: Library, model: str, texts: Sequence[str]) -> list[int]:
    """Return the tokens of each text; an estimate if the model's tokenizer is not known."""
    return [library.token_counter(model=model, text=text) for text in texts]


def sees(library: Library, model: str) -> bool:
    """Return whether LiteLLM knows that a model reads images."""
    return bool(library.supports_vision(model))
