"""What the MCP conformance suite calls by name, on the product's own server.

    python tests/server/conformance_fixtures.py PORT

Serves over HTTP on loopback until it is ended. The suite fixes names, arguments and what kinds of
content come back; the texts are free.
"""

from __future__ import annotations

import base64
import json
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

from mcp import MCPDeprecationWarning
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp.types import (
    AudioContent,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

from mem_mcp.config import load_settings
from mem_mcp.server import app
from mem_mcp.server.transports import serve

# One transparent pixel, and one silent sample.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAA"
    "AABJRU5ErkJggg=="
)
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Name(BaseModel):
    name: str


class Color(BaseModel):
    color: str


class Ok(BaseModel):
    ok: bool


class Contact(BaseModel):
    username: str
    email: str


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


def _titled(*names: str) -> list[dict[str, str]]:
    return [{"const": name, "title": name.title()} for name in names]


class Enums(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2"]})  # noqa: N815
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("value1", "value2")})  # noqa: N815
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]}
    )
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"anyOf": _titled("value1", "value2")}}
    )


# Tools: contents


def test_simple_text() -> str:
    return "A simple text."


def test_image_content() -> list[ImageContent]:
    return [ImageContent(type="image", data=PNG, mime_type="image/png")]


def test_audio_content() -> list[AudioContent]:
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


def test_embedded_resource() -> list[EmbeddedResource]:
    return [_embedded("test://embedded-resource")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    image, text = test_image_content(), TextContent(type="text", text="Several kinds:")
    return [text, *image, _embedded("test://mixed-content-resource")]


def test_error_handling() -> str:
    raise RuntimeError("it fails on purpose")


def _embedded(uri: str) -> EmbeddedResource:
    resource = TextResourceContents(uri=uri, mime_type="text/plain", text="Embedded.")
    return EmbeddedResource(type="resource", resource=resource)


# Tools: what a server says and asks during a call


async def test_tool_with_logging(ctx: Context) -> str:
    for step in ("starts", "goes on", "ends"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)  # the earlier era has it
            await ctx.info(step)
    return "Logged."


async def test_tool_with_progress(ctx: Context) -> str:
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
    return "Done."


def _question(prompt: str) -> Sample:
    content = TextContent(type="text", text=prompt)
    return Sample([SamplingMessage(role="user", content=content)], max_tokens=100)


def _capital() -> Sample:
    return _question("What is the capital of France?")


def _name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


def _roots() -> ListRoots:
    return ListRoots()


def _contact(message: str) -> Elicit[Contact]:
    return Elicit(message, Contact)


Sampled = Annotated[CreateMessageResult, Resolve(_question)]
Capital = Annotated[CreateMessageResult, Resolve(_capital)]
Named = Annotated[Name, Resolve(_name)]
Rooted = Annotated[ListRootsResult, Resolve(_roots)]


def test_sampling(prompt: str, answer: Sampled) -> str:
    return f"LLM response: {answer.content}"


def test_elicitation(message: str, given: Annotated[Contact, Resolve(_contact)]) -> str:
    return f"User response: {given}"


async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    return f"Elicitation completed: {await ctx.elicit('Who are you?', Defaults)}"


async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    return f"Elicitation completed: {await ctx.elicit('Choose.', Enums)}"


def test_missing_capability(answer: Capital) -> str:
    return f"LLM response: {answer.content}"


def test_streaming_elicitation(given: Named) -> str:
    return f"Hello, {given.name}!"


def test_input_required_result_sampling(answer: Capital) -> str:
    return f"LLM response: {answer.content}"


def test_input_required_result_list_roots(given: Rooted) -> str:
    return f"Roots: {[root.name for root in given.roots]}"


def test_input_required_result_multiple_inputs(given: Named, answer: Capital, at: Rooted) -> str:
    return f"{given} {answer.content} {at.roots}"


def _asked(key: str, form: type[BaseModel], state: str | None = None) -> InputRequiredResult:
    schema = form.model_json_schema()
    asked = ElicitRequest(params=ElicitRequestFormParams(message=key, requested_schema=schema))
    return InputRequiredResult(input_requests={key: asked}, request_state=state)


def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    given = (ctx.input_responses or {}).get("user_name")
    content = getattr(given, "content", None)
    return f"Hello, {content['name']}!" if content else _asked("user_name", Name)


def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    if ctx.request_state is None:
        return _asked("confirm", Ok, "confirming")
    return "state-ok" if ctx.request_state == "confirming" else "state-unknown"


def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    if ctx.request_state is None:
        return _asked("step1", Name, "named")
    return _asked("step2", Color, "colored") if ctx.request_state == "named" else "Done."


def test_custom_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    return region


def json_schema_2020_12_tool() -> str:
    return "Its schema is what matters."


SCHEMA_2020_12: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


# Tools: changes that a subscriber hears of


async def test_trigger_tool_change(ctx: Context) -> str:
    await ctx.notify_tools_changed()
    return "Told."


async def test_trigger_prompt_change(ctx: Context) -> str:
    await ctx.notify_prompts_changed()
    return "Told."


TOOLS: tuple[Callable[..., Any], ...] = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_progress,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_missing_capability,
    test_streaming_elicitation,
    test_input_required_result_list_roots,
    test_input_required_result_multiple_inputs,
    test_input_required_result_elicitation,
    test_input_required_result_multi_round,
    test_custom_header,
    test_trigger_tool_change,
    test_trigger_prompt_change,
)
# One behaviour under several names.
ALSO_NAMED: dict[Callable[..., Any], tuple[str, ...]] = {
    test_tool_with_logging: ("test_tool_with_logging", "test_logging_tool"),
    test_input_required_result_sampling: (
        "test_input_required_result_sampling",
        "test_input_required_result_capabilities",
    ),
    test_input_required_result_request_state: (
        "test_input_required_result_request_state",
        "test_input_required_result_tampered_state",
    ),
}


# Prompts


def test_simple_prompt() -> list[UserMessage]:
    return [UserMessage("A simple prompt.")]


def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    return [UserMessage(f"{arg1} {arg2}")]


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
    return [UserMessage(_embedded(resourceUri)), UserMessage("Look at it.")]


def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(*test_image_content()), UserMessage("Look at it.")]


def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
    return [UserMessage("Go on.")] if ctx.input_responses else _asked("user_context", Name)


PROMPTS = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
    test_input_required_result_prompt,
)


# Resources


def static_text() -> str:
    return "A static text."


def static_binary() -> bytes:
    return base64.b64decode(PNG)


def template(id: str) -> str:
    return json.dumps({"id": id})


RESOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "test://static-text": (static_text, "text/plain"),
    "test://static-binary": (static_binary, "image/png"),
    "test://watched-resource": (static_text, "text/plain"),
    "test://template/{id}/data": (template, "application/json"),
}
# Of the earlier era; the SDK's high-level server has no hook for them.
HANDLED: dict[str, type[Any]] = {
    "resources/subscribe": SubscribeRequestParams,
    "resources/unsubscribe": UnsubscribeRequestParams,
    "logging/setLevel": SetLevelRequestParams,
}


async def accepted(ctx: Any, params: Any) -> EmptyResult:
    return EmptyResult()


def with_fixtures(server: MCPServer[Any]) -> MCPServer[Any]:
    """Add everything that the suite calls to a server, and return it."""
    for tool in TOOLS:
        server.tool(description="A fixture.")(tool)
    for tool, names in ALSO_NAMED.items():
        for name in names:
            server.tool(name, description="A fixture.")(tool)
    server.tool(description="A fixture.")(json_schema_2020_12_tool)
    server._tool_manager._tools["json_schema_2020_12_tool"].parameters = SCHEMA_2020_12
    for prompt in PROMPTS:
        server.prompt(description="A fixture.")(prompt)
    for address, (read, mime_type) in RESOURCES.items():
        server.resource(address, mime_type=mime_type)(read)
    for method, takes in HANDLED.items():
        server._lowlevel_server.add_request_handler(method, takes, accepted)
    return server


def main() -> None:
    plain = app.build_server
    app.build_server = lambda lazy: with_fixtures(plain(lazy))
    serve(load_settings(), "http", port=int(sys.argv[1]))


if __name__ == "__main__":
    main()
