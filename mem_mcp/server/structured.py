"""Results as structured content, without what goes without saying."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from mem_mcp.api.models import GetResult

KIND = "fact"
"""The kind of a memory that names none; what `remember` stores unless told otherwise."""
OPTIONAL = ("kind", "recorded_at", "user_id")
"""Fields that every result has, and that are left out where a client knows them."""

_DIGITS = 3
_SHOWN = ("memories", "lessons", "successes", "failures")
"""Fields of results that hold memories."""
_DETAILS = (
    "tags", "entities", "relations", "metadata", "used", "evidence", "reason", "source",
)  # fmt: skip
"""Fields of memories that may be of any length, beside the text."""
_DETAILS_MAX = 20_000
"""Characters of all of them in an answer: as many as its texts have, unless settings say else."""
_SCORES = ("score", "rate_low", "rate_high")


def structured(result: BaseModel, user_id: str) -> dict[str, Any]:
    """Return a result as JSON, without the fields that say nothing.

    A field is left out if it is null, or empty or its default and the model has a default for it.
    Also left out are the kind "fact", the caller's own user_id, and a recorded_at that equals
    occurred_at (occurred_at is then rounded to the second). Scores have three digits. Metadata
    stays as the caller gave it; where the metadata, tags, relations and sources of an answer are
    very long in all, the longest are left out whole, and `cut` names them. The answer of
    `get_memory` keeps every field.

    Args:
        result: of any tool.
        user_id: whose call it was answered in.
    """
    if isinstance(result, GetResult):
        return result.model_dump(mode="json")
    lean: dict[str, Any] = to_jsonable_python(_lean(result, user_id))
    _cut_details([one for name in _SHOWN for one in lean.get(name, ())])
    return lean


def _cut_details(memories: list[dict[str, Any]]) -> None:
    """Take out of memories what is too long of all but their texts, the longest first."""
    lengths = sorted(
        (len(json.dumps(memory[name], ensure_ascii=False)), place, name)
        for place, memory in enumerate(memories)
        for name in _DETAILS
        if name in memory
    )
    total = sum(length for length, _, _ in lengths)
    while total > _DETAILS_MAX:
        length, place, name = lengths.pop()
        total -= length
        memories[place].setdefault("cut", {})[name] = length
        del memories[place][name]


def _lean(model: BaseModel, user_id: str) -> dict[str, Any]:
    defaults = _defaults(type(model))
    lean = {}
    for name, value in vars(model).items():
        if value is None or (name in defaults and value in (defaults[name], "", [], {})):
            continue
        part = _part(name, value, user_id)
        if part != {} or name not in defaults:
            lean[name] = part
    if lean.get("kind") == KIND:
        del lean["kind"]
    if lean.get("user_id") == user_id:
        del lean["user_id"]
    if "recorded_at" in lean and lean["recorded_at"] == lean.get("occurred_at"):
        # Nobody said when it was, so this is the clock's time.
        lean["occurred_at"] = lean.pop("recorded_at").replace(microsecond=0)
    return lean


def _part(name: str, value: Any, user_id: str) -> Any:  # noqa: ANN401 - any field's
    if isinstance(value, BaseModel):
        return _lean(value, user_id)
    if isinstance(value, list):
        return [_part(name, each, user_id) for each in value]
    if name == "scores":
        return {score: round(part, _DIGITS) for score, part in value.items()}
    return round(value, _DIGITS) if name in _SCORES else value


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields that may be left out, with their defaults."""
    return {
        name: field.default for name, field in model.model_fields.items() if not field.is_required()
    }
