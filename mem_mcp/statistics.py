"""What `stats` returns: counts that describe a store, and what models were asked for it."""

from __future__ import annotations

from mem_mcp.models import Learning, LLMUsage, Model


class ModelsUse(LLMUsage):
    """What models were asked, by every process on a store."""

    retries: int
    """Further attempts at the same requests, which are not counted as calls."""


class ModelUse(ModelsUse):
    """What one model was asked in one way."""

    model: str
    call: str
    """completion, embedding or rerank."""
    failed: int
    """Of the calls, those that no response came to."""
    failures: dict[str, int]
    """Why, the most frequent first: a reason such as timeout, or the name of an error."""
    seconds_mean: float
    """How long a call was waited for, further attempts included."""


class Stats(Model):
    """Counts that describe a store."""

    memories: int
    versions: int
    users: int
    by_kind: dict[str, int]
    by_status: dict[str, int]
    without_vector: int
    embedder: str | None
    dimension: int | None
    """Length of its vectors; None before the first."""
    data_bytes: int | None
    table_version: int
    location: str
    models: list[ModelUse]
    """Those that were asked lately, the most asked first."""
    models_days: int = 0
    """How many days that is; 0 where none was asked."""
    models_today: ModelsUse | None = None
    """All of them, since midnight UTC."""
    learning: Learning = Learning()
