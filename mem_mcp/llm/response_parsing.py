"""Check the vectors and relevance scores of a response and put them in order. Pure."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, TypeAdapter, ValidationError

from mem_mcp.errors import LLMBadOutput

BATCH = 96
"""Texts in one request: the bound of the strictest common provider."""

_Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]


class _IndexedRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)  # LiteLLM returns dicts or objects

    index: Annotated[int, Strict()]


class _EmbeddingRow(_IndexedRow):
    embedding: Annotated[list[_Number], Strict()]


class _ScoreRow(_IndexedRow):
    relevance_score: _Number


Row = TypeVar("Row", bound=_IndexedRow)
_EMBEDDINGS = TypeAdapter(list[_EmbeddingRow])
_SCORES = TypeAdapter(list[_ScoreRow])


def embeddings(rows: object, count: int, model: str) -> list[list[float]]:
    """Return the vector of each text, in the order of the rows' index.

    Args:
        rows: rows of the response.
        count: number of texts that were sent.
        model: name for the error message.

    Raises:
        LLMBadOutput: an index is missing or repeated, or a row has no vector.
    """
    return [row.embedding for row in _in_order(_EMBEDDINGS, rows, count, model)]


def relevances(rows: object, count: int, model: str) -> list[float]:
    """Return the relevance of each text, in the order of the rows' index; see `embeddings`.

    Raises:
        LLMBadOutput: an index is missing or repeated, or a row has no number.
    """
    return [row.relevance_score for row in _in_order(_SCORES, rows, count, model)]


def _in_order(form: TypeAdapter[list[Row]], rows: object, count: int, model: str) -> list[Row]:
    try:
        parsed = form.validate_python(rows)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise LLMBadOutput(
            f"{model} answered in another form ({place}: {first['msg']}); use another model"
        ) from None
    by_index = {row.index: row for row in parsed}
    if len(parsed) != count or by_index.keys() != set(range(count)):
        raise LLMBadOutput(f"{model} answered {len(parsed)} of {count} texts; use another model")
    return [by_index[index] for index in range(count)]
