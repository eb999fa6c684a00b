"""LiteLLM itself: imported late, in a thread, and kept quiet."""

from __future__ import annotations

import asyncio
import logging
import os
from importlib import import_module
from typing import Any
from urllib.request import getproxies

Library = Any
"""The library. Imported by name and untyped: its types are a million lines to check."""

# Both of the first two: which of them keeps the library off the network depends on its version.
_BEFORE_IMPORT = {
    "LITELLM_OFFLINE_MODE": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",  # else it loads a stray .env into this process
    "LITELLM_LOG": "ERROR",
    # Else it fetches the pictures whose addresses it is given, for providers that do not.
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
}
_LOOPBACK = "localhost,127.0.0.1,::1"
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

_library: Library = None
_users = 0


async def litellm() -> Library:
    """Return the library; the first call of the process takes seconds, off the event loop."""
    # Not sys.modules: there it stands from the moment its import begins.
    return _library or await asyncio.to_thread(_load)


def _load() -> Library:
    global _library  # noqa: PLW0603 - a module is loaded once a process
    for name, value in _BEFORE_IMPORT.items():
        os.environ.setdefault(name, value)
    _spare_loopback()
    library: Library = import_module("litellm")
    library.suppress_debug_info = True  # else it prints advice to stdout
    library.disable_hf_tokenizer_download = True  # else it asks huggingface.co to count tokens
    library.DEFAULT_MAX_RETRIES = 0  # else its OpenAI embeddings retry each of our retries
    for name in _LOGGERS:
        # What fails is raised; its log lines would repeat the provider's own text.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What both leave until first use would then hold up the event loop for most of a second.
    import_module("openai.resources")
    types = library.types.router
    types.Deployment(model_name="", litellm_params=types.LiteLLM_Params(model=""))
    _library = library
    return library


def _spare_loopback() -> None:
    """Reach models on this machine directly: a proxy would look for them on its own."""
    if not set(getproxies()) - {"no"}:
        return
    name = "no_proxy" if os.environ.get("no_proxy") else "NO_PROXY"  # the former wins
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))


async def enter() -> Library:
    """Return LiteLLM and count one more user; call `leave` when done."""
    global _users  # noqa: PLW0603 - its connections are the process's
    library = await litellm()
    _users += 1
    return library


async def leave() -> None:
    """Close the connections of the library once nobody uses it."""
    global _users  # noqa: PLW0603 - its connections are the process's
    _users -= 1
    if _library is not None and not _users:
        await _library.close_litellm_async_clients()
        # It would hand the closed clients to the next who asks.
        _library.in_memory_llm_clients_cache.flush_cache()
