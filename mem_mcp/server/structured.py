"""Results as structured content, without what goes without saying."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from mem_mcp.api.models import GetResult

KIND = "fact"
"""The kind of a memory that names none; what `remember` stores unless told otherwise."""
OPTIONAL = ("kind", "recorded_at", "user_id")
"""Fields that every result has, and that are left out where a client knows them."""

_DIGITS = 3
_SCORES = ("score", "rate_low", "rate_high")


def structured(result: BaseModel, user_id: str) -> dict[str, Any]:
    """Return a result as JSON; what is absent is null, empty, the default, or as said below.

    Scores have three digits. Fields without a default stay, also when empty, but for these: null,
    the kind "fact", the caller's own user_id, and a recorded_at that is also occurred_at, which
    then is given to the second. Metadata is the caller's own and stays as it is, and the answer of
    `get_memory` is whole.

    Args:
        result: of any tool.
        user_id: whose call it was answered in.
    """
    if isinstance(result, GetResult):
        return result.model_dump(mode="json")
    lean: dict[str, Any] = to_jsonable_python(_lean(result, user_id))
    return lean


def _lean(value: Any, user_id: str) -> Any:  # noqa: ANN401 - any field's
    if isinstance(value, list):
        return [_lean(each, user_id) for each in value]
    if not isinstance(value, BaseModel):
        return value
    fields = dict(value)
    recorded_at = fields.get("recorded_at")
    if recorded_at is not None and recorded_at == fields.get("occurred_at"):
        # Nobody said when it was, so this is the clock's time.
        fields["occurred_at"] = fields.pop("recorded_at").replace(microsecond=0)
    declared, known = type(value).model_fields, {"kind": KIND, "user_id": user_id}
    lean = {name: _rounded(name, _lean(part, user_id)) for name, part in fields.items()}
    return {
        name: part
        for name, part in lean.items()
        if part is not None and part != known.get(name) and not _is_unset(declared[name], part)
    }


def _is_unset(field: FieldInfo, part: Any) -> bool:  # noqa: ANN401
    return not field.is_required() and part in (field.default, "", [], {})


def _rounded(name: str, part: Any) -> Any:  # noqa: ANN401
    if name == "scores" and part is not None:
        return {score: round(value, _DIGITS) for score, value in part.items()}
    return round(part, _DIGITS) if name in _SCORES else part
