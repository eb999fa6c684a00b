"""Base of response models: the schema asked for is strict, reading is lenient."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, WithJsonSchema, model_validator


class Response(BaseModel):
    """Base of answers and of their parts.

    The schema suits providers that enforce it: every field is required, nothing has a default, no
    references. Reading is lenient, because asking again costs a call and other models leave out
    fields, add some, or wrap the object: a missing or null list is empty, a missing `X | None` is
    None, unknown fields are ignored. An object with none of the fields is refused.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the model sent
        if not isinstance(data, dict):
            return data
        data = cls._unwrapped(data)
        empty: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            if get_origin(field.annotation) is list:
                empty[name] = []
            elif NoneType in get_args(field.annotation):
                empty[name] = None
        return {**empty, **{name: value for name, value in data.items() if value is not None}}

    @classmethod
    def _unwrapped(cls, data: dict[str, Any]) -> dict[str, Any]:
        fields = cls.model_fields.keys()
        if fields & data.keys():
            return data
        inside = [one for one in data.values() if isinstance(one, dict) and fields & one.keys()]
        if len(inside) == 1:
            return inside[0]
        raise ValueError(f"none of its fields is there: {', '.join(fields)}")

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the schema without references, titles and the descriptions of whole objects."""
        schema = super().model_json_schema(*args, **kwargs)
        plain: dict[str, Any] = _plain(schema, schema.pop("$defs", {}))
        return plain


def one_of(*words: str) -> WithJsonSchema:
    """Put an enum of words into the schema; reading accepts any text, which a check reports."""
    return WithJsonSchema({"type": "string", "enum": list(words)})


def _plain(node: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    if reference := node.get("$ref"):
        return _plain(known[reference.rpartition("/")[2]], known)
    kept = {key: value for key, value in node.items() if key != "title"}
    if kept.get("type") == "object":
        kept.pop("description", None)
        kept["additionalProperties"] = False
        kept["properties"] = {
            name: _plain(field, known) for name, field in kept["properties"].items()
        }
    if "items" in kept:
        kept["items"] = _plain(kept["items"], known)
    if "anyOf" in kept:
        kept["anyOf"] = [_plain(each, known) for each in kept["anyOf"]]
    return kept
