"""Short JSON schemas of results."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from mem_mcp.api.models import GetResult, Lesson, ToolStats
from mem_mcp.server.structured import KIND, OPTIONAL

Schema = dict[str, Any]
CoreSchema = Any
"""Pydantic's own, which differs between its versions."""

_NUMBERS = {"integer", "number"}


def short_schema(model: type[BaseModel]) -> Schema:
    """Return the shortest schema that says what `structured` returns of a result.

    Args:
        model: of the result.
    """
    generator = _Whole if model is GetResult else _Lean
    return {"type": "object", **model.model_json_schema(schema_generator=generator)}


class _Whole(GenerateJsonSchema):
    """Schemas of names, types and required fields.

    They have no titles and no docstrings, and no type that `items`, `properties` or `enum` imply.
    A definition that is used once stands where it is used.
    """

    _shared: frozenset[str] = frozenset()

    def definitions_schema(self, schema: CoreSchema) -> Schema:
        self._shared |= {str(each.get("ref")) for each in schema["definitions"]}
        return super().definitions_schema(schema)

    def generate_inner(self, schema: CoreSchema) -> Schema:
        if schema.get("ref") not in self._shared:
            schema = {key: value for key, value in schema.items() if key != "ref"}
        return super().generate_inner(schema)

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:  # noqa: ARG002
        return False

    def literal_schema(self, schema: CoreSchema) -> Schema:
        return {"enum": [*schema["expected"]]}

    def datetime_schema(self, schema: CoreSchema) -> Schema:  # noqa: ARG002
        return {"type": "string"}

    def list_schema(self, schema: CoreSchema) -> Schema:
        return _without(super().list_schema(schema), "type")

    def dict_schema(self, schema: CoreSchema) -> Schema:
        made = super().dict_schema(schema)
        anything = made.get("additionalProperties", True) is True
        return _without(made, "additionalProperties" if anything else "type")

    def default_schema(self, schema: CoreSchema) -> Schema:
        made = super().default_schema(schema)
        return made if made.get("default") else _without(made, "default")

    def model_schema(self, schema: CoreSchema) -> Schema:
        made = super().model_schema(schema)
        # A few of one type, like counts: their names are clear from the data.
        fields = [_without(each, "default") for each in made["properties"].values()]
        types = {each["type"] for each in fields if each.keys() == {"type"}}
        alike = len(types) == 1 or types == _NUMBERS
        if alike and len(fields) > 1 and all(each.keys() == {"type"} for each in fields):
            return {"additionalProperties": {"type": max(types)}}
        return _without(made, "type", "title", "description", "additionalProperties")


class _Lean(_Whole):
    """The same without what `structured` leaves out; null does not occur."""

    def nullable_schema(self, schema: CoreSchema) -> Schema:
        return self.generate_inner(schema["schema"])

    def field_is_required(self, field: CoreSchema, total: bool) -> bool:
        return super().field_is_required(field, total) and field["schema"]["type"] != "nullable"

    def model_schema(self, schema: CoreSchema) -> Schema:
        made = super().model_schema(schema)
        fields = made.get("properties", {})
        if schema["cls"] is Lesson:  # it is no statement, and recall_lessons explains nothing
            left_out = "scores", "marks", "matched", "relations", "newer_than"
            made["properties"] = fields = _without(fields, *left_out)
            fields["kind"] = {"type": "string"}
        elif "kind" in fields:
            fields["kind"]["default"] = KIND
        for name in {"cut", "legend", "marks", "scores"} & fields.keys():  # clear from the data
            fields[name] = {"type": "object"}
        if "degraded" in fields:  # sentences
            fields["degraded"] = {"type": "array"}
        if schema["cls"] is ToolStats:  # it has every field, which need not be said twice
            del made["required"]
        if "required" in made:
            made["required"] = [name for name in made["required"] if name not in OPTIONAL]
        return made


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}
