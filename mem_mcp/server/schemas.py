"""Short JSON schemas of results."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]
CoreSchema = Any
"""Pydantic's own, which differs between its versions."""


def short_schema(model: type[BaseModel]) -> Schema:
    """Return the shortest schema that says what a result holds.

    Args:
        model: of the result.
    """
    return model.model_json_schema(schema_generator=_Result)


class _Short(GenerateJsonSchema):
    """Without titles, docstrings and defaults that mean absent; what occurs once is not named."""

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

    def model_schema(self, schema: CoreSchema) -> Schema:
        made = super().model_schema(schema)
        return _without(made, "title", "description", "additionalProperties")

    def dict_schema(self, schema: CoreSchema) -> Schema:
        made = super().dict_schema(schema)
        anything = made.get("additionalProperties") is True
        return _without(made, "additionalProperties") if anything else made

    def default_schema(self, schema: CoreSchema) -> Schema:
        made = super().default_schema(schema)
        return made if made.get("default") else _without(made, "default")


class _Result(_Short):
    """The shape of a result: names, types and what is always there."""

    def default_schema(self, schema: CoreSchema) -> Schema:
        return self.generate_inner(schema["schema"])

    def literal_schema(self, schema: CoreSchema) -> Schema:
        return {"enum": [*schema["expected"]]}

    def nullable_schema(self, schema: CoreSchema) -> Schema:
        made = self.generate_inner(schema["schema"])
        if "enum" in made:
            return {"enum": [*made["enum"], None]}
        return {**made, "type": [made["type"], "null"]}

    def model_schema(self, schema: CoreSchema) -> Schema:
        made = super().model_schema(schema)
        # A few of one type, like counts: their names are clear from the data.
        first, *others = made["properties"].values()
        if others and first.keys() == {"type"} and all(other == first for other in others):
            return {"additionalProperties": first, "type": "object"}
        return made


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}
