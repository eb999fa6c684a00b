"""Vectors and relevance scores as providers send them: checked, and in the order asked. Pure."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, TypeAdapter, ValidationError

from mem_mcp.errors import LLMBadOutput

BATCH = 96
"""Texts in one request: what the strictest of the common providers takes."""

_Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)  # the library sends dicts or objects

    index: Annotated[int, Strict()]


class _Embedded(_Row):
    embedding: Annotated[list[_Number], Strict()]


class _Scored(_Row):
    relevance_score: _Number


Row = TypeVar("Row", bound=_Row)
_EMBEDDED = TypeAdapter(list[_Embedded])
_SCORED = TypeAdapter(list[_Scored])


def embeddings(rows: object, count: int, model: str) -> list[list[float]]:
    """Return the vector of each text, ordered by the rows' index.

    Args:
        rows: as the provider sent them.
        count: how many there must be.
        model: what to name in an error.

    Raises:
        LLMBadOutput: an index is missing or comes twice, or a row has no vector.
    """
    return [row.embedding for row in _in_order(_EMBEDDED, rows, count, model)]


def relevances(rows: object, count: int, model: str) -> list[float]:
    """Return how relevant each text is, ordered by the rows' index; see `embeddings`.

    Raises:
        LLMBadOutput: an index is missing or comes twice, or a row has no number.
    """
    return [row.relevance_score for row in _in_order(_SCORED, rows, count, model)]


def _in_order(form: TypeAdapter[list[Row]], rows: object, count: int, model: str) -> list[Row]:
    try:
        found = form.validate_python(rows)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise LLMBadOutput(
            f"{model} answered in another form ({place}: {first['msg']}); use another model"
        ) from None
    by_index = {row.index: row for row in found}
    if len(found) != count or by_index.keys() != set(range(count)):
        raise LLMBadOutput(f"{model} answered {len(found)} of {count} texts; use another model")
    return [by_index[index] for index in range(count)]
