"""What LiteLLM knows of a model without asking its server."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mem_mcp.llm.litellm_api import Library


def missing_keys(library: Library, model: str) -> list[str]:
    """Return the environment variables that a model's provider wants and that are not set."""
    missing: list[str] = library.validate_environment(model)["missing_keys"]
    # Addresses have defaults, or come from the settings.
    return [name for name in missing if not name.endswith("_API_BASE")]


def key_variables(library: Library, model: str) -> list[str]:
    """Return the environment variables that hold the key of a model's provider, or should."""
    if missing := missing_keys(library, model):
        return missing
    try:
        provider = library.get_llm_provider(model)[1]
    except library.exceptions.BadRequestError:
        return []
    usual = f"{provider.upper()}_API_KEY"
    return [usual] if usual in os.environ else []


def context_window(library: Library, model: str) -> int | None:
    """Return how many tokens a model reads at most; None where that is not known."""
    try:
        known = library.get_model_info(model)
    except library.exceptions.ModelNotMappedError:
        return None
    return known.get("max_input_tokens") or None


def count_tokens(library: Library, model: str, texts: Sequence[str]) -> list[int]:
    """Count the tokens of each text; an estimate where the model's tokenizer is not known."""
    return [library.token_counter(model=model, text=text) for text in texts]


def sees(library: Library, model: str) -> bool:
    """Whether a model is known to read images."""
    return bool(library.supports_vision(model))
