"""Base of response models: the schema asked for is strict, reading is lenient."""

from __future__ import annotations

import re
from contextlib import suppress
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    WithJsonSchema,
    model_validator,
)


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


def _text(value: Any) -> Any:  # noqa: ANN401 - whatever the model sent
    if isinstance(value, bool | dict | list):
        return None
    text = value if value is None or isinstance(value, str) else str(value)
    return None if text is None or text.strip().lower() in _NOTHING else text


def _number(value: Any) -> int | None:  # noqa: ANN401 - whatever the model sent
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    match = _WHOLE.fullmatch(value) if isinstance(value, str) else None
    if match:
        return int(match[0])
    return int(value) if isinstance(value, int | float) and value == value // 1 else None


def _fraction(value: Any) -> float | None:  # noqa: ANN401 - whatever the model sent
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - whatever the model sent
    items = value if isinstance(value, list) else [value]
    names = (item.get("name") if isinstance(item, dict) else item for item in items)
    return [name for name in names if isinstance(name, str)]


_NOTHING = ("null", "none", "")
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,9}\s*")
lenient_text = BeforeValidator(_text)
"""Read "null" and what is no text as None."""
lenient_number = BeforeValidator(_number)
"""Read "3" and [3] as 3; what is no whole number as None."""
lenient_fraction = BeforeValidator(_fraction)
"""Read what is no number as None."""
lenient_texts = BeforeValidator(_texts)
"""Read one text as a list; leave out what is no text."""


def valid_items(of: type[BaseModel]) -> BeforeValidator:
    """Leave out the items of a list that do not fit a model."""

    def items(value: Any) -> list[BaseModel]:  # noqa: ANN401 - whatever the model sent
        fitting = []
        for item in value if isinstance(value, list) else []:
            with suppress(ValidationError):
                fitting.append(of.model_validate(item))
        return fitting

    return BeforeValidator(items)


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
