"""Messages as other programs keep them: who says what, and when, in one form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mem_mcp.api.messages import normalise
from mem_mcp.config import Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.extraction.pictures import content_of

FAST = hypothesis_settings(deadline=None, max_examples=150)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PNG = "iVBORw0KGgo="
DATA = f"data:image/png;base64,{PNG}"


def said(message: object) -> dict[str, Any]:
    found = normalise(message, "messages[0]")
    assert found is not None
    return found


def text(message: object) -> str:
    content = said(message)["content"]
    assert isinstance(content, str)
    return content


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def refusal(message: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        normalise(message, "messages[0]")
    return caught.value


# Ours.


def test_our_own_form_stays_as_it_is():
    ours = {"role": "user", "content": " Hi \n", "name": "Ann", "occurred_at": NOON}
    assert normalise(ours, "messages[0]") == ours
    assert said({"content": "Hi"}) == {
        "role": None, "content": "Hi", "name": None, "occurred_at": None,
    }  # fmt: skip


def test_other_keys_are_passed_over():
    message = {"id": "m1", "role": "user", "content": "Hi", "metadata": {"a": 1}, "usage": None}
    assert text(message) == "Hi"


def test_a_message_may_be_json_text_or_any_mapping():
    message = {"role": "user", "content": "Hi"}
    assert text(json.dumps(message)) == "Hi"
    assert text(MappingProxyType(message)) == "Hi"


# OpenAI.


def test_openais_text_and_parts_are_read():
    assert text({"role": "developer", "content": "Be brief"}) == "Be brief"
    assert (
        text(user({"type": "text", "text": "One"}, {"type": "text", "text": "Two"})) == "One\nTwo"
    )
    assert text(user({"type": "input_text", "text": "In"})) == "In"
    answer = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Out", "annotations": []}],
    }
    assert (said(answer)["role"], text(answer)) == ("assistant", "Out")
    thread = {
        "object": "thread.message",
        "created_at": 1_769_860_800,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hi", "annotations": []}}],
    }
    assert (text(thread), said(thread)["occurred_at"]) == ("Hi", NOON)


def test_openais_calls_of_tools_are_kept_as_text():
    call = {"name": "search", "arguments": '{"q": "tea"}'}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": call}] * 2,
    }
    assert text(message) == '[tool call] search({"q": "tea"})\n[tool call] search({"q": "tea"})'
    assert text({**message, "content": "I look"}).startswith("I look\n[tool call] search(")
    older = {"role": "assistant", "content": None, "function_call": call}
    assert text(older) == '[tool call] search({"q": "tea"})'
    custom = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    assert text({"role": "assistant", "tool_calls": [custom]}) == "[tool call] shell(ls -l)"


def test_openais_results_of_tools_are_kept_with_their_role_and_name():
    result = {"role": "tool", "tool_call_id": "call_1", "name": "search", "content": "Green tea"}
    assert said(result) == {
        "role": "tool", "content": "Green tea", "name": "search", "occurred_at": None,
    }  # fmt: skip
    assert said({"role": "function", "name": "f", "content": "1"})["role"] == "tool"


def test_the_items_of_openais_responses_are_read():
    call = {"type": "function_call", "call_id": "c", "name": "search", "arguments": '{"q": 1}'}
    assert said(call) == {
        "role": "assistant", "content": '[tool call] search({"q": 1})', "name": None,
        "occurred_at": None,
    }  # fmt: skip
    output = {"type": "function_call_output", "call_id": "c", "output": "Green"}
    assert (said(output)["role"], text(output)) == ("tool", "[tool result] Green")
    assert normalise({"type": "reasoning", "id": "r", "summary": []}, "messages[0]") is None


def test_openais_refusals_and_spoken_answers_are_said():
    assert text({"role": "assistant", "content": None, "refusal": "I cannot"}) == "I cannot"
    assert text({"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}) == "No"
    spoken = {"id": "a", "data": "UklGRg==", "transcript": "Good morning"}
    assert text({"role": "assistant", "content": None, "audio": spoken}) == "Good morning"


class _Library(BaseModel):
    role: str = "assistant"
    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


def test_the_objects_of_other_libraries_are_read():
    assert text(_Library(content="Hi")) == "Hi"
    assert said(_Library(content="Hi"))["role"] == "assistant"


# Anthropic.


def test_anthropics_blocks_are_read_in_order_without_thoughts():
    message = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Secret", "signature": "x"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "I look"},
            {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": "té"}},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        ],
    }
    assert text(message) == 'I look\n[tool call] search({"q": "té"})\n[tool call] web_search()'


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("Green tea", "[tool result] Green tea"),
        (
            [{"type": "text", "text": "Green"}, {"type": "text", "text": "tea"}],
            "[tool result] Green\ntea",
        ),
        (["Green"], "[tool result] Green"),
        ("", "[tool result]"),
        (None, "[tool result]"),
        (
            [{"type": "tool_reference", "tool_name": "x"}],
            '[tool result] {"type": "tool_reference", "tool_name": "x"}',
        ),
        ({"temperature": 15}, '[tool result] {"temperature": 15}'),
        ({"parts": ["a"], "n": 1}, '[tool result] {"parts": ["a"], "n": 1}'),
        ({"text": "a", "n": 1}, '[tool result] {"text": "a", "n": 1}'),
        (15, "[tool result] 15"),
        (
            [{"type": "document", "title": "Plan", "source": {"type": "text", "data": "Dig"}}],
            "[tool result] [file Plan]\nDig",
        ),
    ],
)
def test_anthropics_results_of_tools_are_kept_as_text(content: Any, kept: str):
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
    assert text(user(result)) == kept
    assert text(user({**result, "is_error": True})) == kept.replace("result", "error", 1)
    assert text(user(result, {"type": "text", "text": "See?"})) == f"{kept}\nSee?"


def test_the_results_of_a_web_search_are_kept_but_for_what_only_the_provider_reads():
    hit = {
        "type": "web_search_result",
        "title": "Tea",
        "url": "https://t",
        "encrypted_content": "x",
    }
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [hit]}
    kept = text({"role": "assistant", "content": [result]})
    assert json.loads(kept.removeprefix("[tool result] ")) == {
        "type": "web_search_result", "title": "Tea", "url": "https://t",
    }  # fmt: skip


def test_a_picture_in_the_result_of_a_tool_is_a_picture_of_the_message():
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    image = {"type": "image", "source": source}
    result = {"type": "tool_result", "content": [{"type": "text", "text": "Shot"}, image]}
    assert said(user(result))["content"] == [{"type": "text", "text": "[tool result] Shot"}, image]
    alone = {"type": "tool_result", "content": [image]}
    assert said(user(alone))["content"] == [{"type": "text", "text": "[tool result]"}, image]


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        (
            {
                "type": "document",
                "title": "Plan",
                "source": {"type": "text", "media_type": "text/plain", "data": "Dig"},
            },
            "[file Plan]\nDig",
        ),
        ({"type": "document", "source": {"type": "text", "data": "Dig"}}, "Dig"),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "text", "text": "Dig"}]},
            },
            "Dig",
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            },
            "[file a.pdf]",
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://t/a.pdf"}},
            "[file https://t/a.pdf]",
        ),
        ({"type": "document", "source": {"type": "file", "file_id": "file_1"}}, "[file file_1]"),
        (
            {
                "type": "search_result",
                "title": "Tea",
                "source": "https://t",
                "content": [{"type": "text", "text": "Green"}],
            },
            "[file Tea]\nGreen",
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
            },
            "[file a.pdf]",
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, "[file file-1]"),
        ({"type": "input_file", "filename": "b.csv", "file_data": "data:x"}, "[file b.csv]"),
        ({"type": "input_image", "file_id": "file-2"}, "[file file-2]"),
        ({"type": "image_file", "image_file": {"file_id": "file-3"}}, "[file file-3]"),
        ({"type": "image", "source": {"type": "file", "file_id": "file_4"}}, "[file file_4]"),
        ({"fileData": {"fileUri": "gs://b/a.mp4", "mimeType": "video/mp4"}}, "[file gs://b/a.mp4]"),
        ({"type": "resource_link", "uri": "file:///a.txt", "name": "a\n txt"}, "[file a txt]"),
        (
            {"type": "resource", "resource": {"uri": "memo://1", "text": "Dig"}},
            "[file memo://1]\nDig",
        ),
        (
            {"type": "resource", "resource": {"uri": "memo://1", "blob": "UklGRg=="}},
            "[file memo://1]",
        ),
        ({"type": "video", "name": "v" * 500}, f"[file {'v' * 200}]"),
    ],
)
def test_a_file_is_kept_by_its_text_or_its_name(part: dict[str, Any], kept: str):
    assert text(user(part)) == kept


# Pictures.


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
        {"type": "image_url", "image_url": DATA},
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"},
    ],
)
def test_a_picture_in_a_form_of_ours_stays_as_it_is(part: dict[str, Any]):
    assert said(user("See", part))["content"] == [{"type": "text", "text": "See"}, part]
    assert len(content_of(said(user(part))["content"], "c", Settings()).pictures) == 1


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": DATA, "detail": "high"},
        {"type": "image", "source_type": "url", "url": DATA},
        {"type": "image", "url": "https://example.org/a.png"},
        {"type": "image_url", "url": DATA},
        {"type": "image", "image_url": {"url": DATA}},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {"type": "image", "image": PNG, "mediaType": "image/png"},
        {"type": "image", "image": DATA},
        {"type": "file", "mediaType": "image/png", "url": DATA},
        {"type": "file", "source_type": "base64", "mime_type": "image/png", "data": PNG},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inline_data": {"mime_type": "image/png", "data": PNG}},
    ],
)
def test_a_picture_in_another_form_comes_out_in_one_of_ours(part: dict[str, Any]):
    content = said(user("See", part))["content"]
    assert content[0] == {"type": "text", "text": "See"}
    held = content_of(content, "c", Settings())
    assert held.parts[0] == "See"
    assert held.pictures[0].url in (DATA, "https://example.org/a.png")
    assert held.pictures[0].detail == part.get("detail", "auto")


@pytest.mark.parametrize("part", [{"type": "image"}, {"type": "image_url", "image_url": 5}])
def test_a_picture_in_no_form_is_left_for_the_pictures_to_refuse(part: dict[str, Any]):
    content = said(user(part))["content"]
    with pytest.raises(InvalidInput, match="a picture is"):
        content_of(content, "c", Settings())


# LangChain.


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("human", "user"),
        ("ai", "assistant"),
        ("system", "system"),
        ("AIMessageChunk", "assistant"),
        ("tool", "tool"),
        ("function", "tool"),
    ],
)
def test_langchains_messages_are_read_by_their_type(kind: str, role: str):
    fields = {"content": "Hi", "additional_kwargs": {}, "name": "Ann", "id": "run-1"}
    expected = {"role": role, "content": "Hi", "name": "Ann", "occurred_at": None}
    kept = {**fields, "type": kind}
    if kind == "AIMessageChunk":
        kept = {"id": ["langchain", "schema", "messages", kind], "lc": 1, "kwargs": fields}
    assert said(kept) == expected
    assert said({"type": kind, "data": kept} if kind != "AIMessageChunk" else kept) == expected


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("HumanMessage", "user"),
        ("AIMessage", "assistant"),
        ("SystemMessage", "system"),
        ("ToolMessage", "tool"),
        ("HumanMessageChunk", "user"),
    ],
)
def test_langchains_dumps_are_read_by_their_class(name: str, role: str):
    dumped = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", name],
        "kwargs": {"content": "Hi", "response_metadata": {}},
    }
    assert (said(dumped)["role"], text(dumped)) == (role, "Hi")


def test_langchains_chat_messages_have_a_role_of_their_own():
    message = {"type": "chat", "data": {"content": "Hi", "role": "narrator", "type": "chat"}}
    assert said(message)["role"] == "narrator"


def test_langchains_calls_of_tools_are_kept_once():
    call = {"name": "search", "args": {"q": "tea"}, "id": "toolu_1", "type": "tool_call"}
    block = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": "tea"}}
    both = {
        "type": "ai",
        "content": [{"type": "text", "text": "I look"}, block],
        "tool_calls": [call],
    }
    assert text(both) == 'I look\n[tool call] search({"q": "tea"})'
    assert (
        text({"type": "ai", "content": "", "tool_calls": [call]})
        == '[tool call] search({"q": "tea"})'
    )
    more = {"tool_calls": [{"id": "c", "function": {"name": "search", "arguments": "{}"}}]}
    older = {"type": "ai", "data": {"content": "", "additional_kwargs": more, "tool_calls": []}}
    assert text(older) == "[tool call] search({})"


# Claude Code.

LINE = {
    "parentUuid": None,
    "isSidechain": False,
    "userType": "external",
    "cwd": "/home/ann/shop",
    "sessionId": "0b0e7c7e-1f4e-4a55-9a4e-3b7d7d0a2f11",
    "version": "2.0.76",
    "gitBranch": "main",
    "uuid": "5c2f0a5e-6d0b-4f53-9f0f-0c3c9ad3a001",
    "timestamp": "2026-01-31T12:00:00.000Z",
}


def test_the_lines_of_a_transcript_are_read():
    typed = {**LINE, "type": "user", "message": {"role": "user", "content": "Fix the shop"}}
    assert said(typed) == {
        "role": "user", "content": "Fix the shop", "name": None, "occurred_at": NOON,
    }  # fmt: skip
    inner = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {"file": "a.py"}}],
        "usage": {"input_tokens": 5},
    }
    answer = {**LINE, "type": "assistant", "message": inner, "requestId": "req_1"}
    assert (said(answer)["role"], text(answer)) == (
        "assistant", '[tool call] Read({"file": "a.py"})',
    )  # fmt: skip
    assert text(json.dumps(answer)) == text(answer)
    without_role = {**LINE, "type": "assistant", "message": {"content": "Done"}}
    assert said(without_role)["role"] == "assistant"
    system = {**LINE, "type": "system", "subtype": "compact_boundary", "content": "Compacted"}
    assert (said(system)["role"], text(system)) == ("system", "Compacted")


def test_what_a_user_types_meanwhile_is_said():
    queued = {"type": "queued_command", "prompt": "and the tests", "commandMode": "prompt"}
    line = {**LINE, "type": "attachment", "attachment": queued}
    assert said(line) == {
        "role": "user", "content": "and the tests", "name": None, "occurred_at": NOON,
    }  # fmt: skip
    notice = {**line, "attachment": {**queued, "commandMode": "task-notification"}}
    assert said(notice)["role"] == "system"


@pytest.mark.parametrize(
    "line",
    [
        {"type": "summary", "summary": "Fixing the shop", "leafUuid": "5c2f"},
        {"type": "file-history-snapshot", "messageId": "5c2f", "snapshot": {}},
        {"type": "queue-operation", "operation": "enqueue", "content": "and the tests"},
        {**LINE, "type": "progress", "data": {"type": "hook_progress"}},
        {**LINE, "type": "attachment", "attachment": {"type": "todo_reminder", "content": []}},
        {**LINE, "type": "system", "subtype": "turn_duration", "durationMs": 5},
        {
            **LINE,
            "type": "assistant",
            "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm"}]},
        },
        {"role": "assistant", "content": "", "reasoning_content": "Hm"},
        {"role": "model", "parts": [{"text": "Hm", "thought": True}]},
    ],
)
def test_bookkeeping_and_mere_thoughts_say_nothing(line: dict[str, Any]):
    assert normalise(line, "messages[0]") is None


def test_a_message_with_a_text_is_kept_also_where_its_type_is_one_of_bookkeeping():
    assert text({"type": "summary", "role": "system", "content": "We fixed it"}) == "We fixed it"


# Gemini, ShareGPT and ChatGPT.


def test_geminis_parts_are_read():
    assert said({"role": "model", "parts": [{"text": "One"}, {"text": "Two"}]}) == {
        "role": "assistant", "content": "One\nTwo", "name": None, "occurred_at": None,
    }  # fmt: skip
    call = {"functionCall": {"name": "search", "args": {"q": "tea"}}}
    assert text({"role": "model", "parts": [call]}) == '[tool call] search({"q": "tea"})'
    answer = {"functionResponse": {"name": "search", "response": {"hits": 2}}}
    assert text({"role": "user", "parts": [answer]}) == '[tool result] search: {"hits": 2}'
    snake = {"function_call": {"name": "search", "args": {}}}
    assert text({"role": "model", "parts": [snake]}) == "[tool call] search()"


def test_sharegpts_turns_are_read():
    assert said({"from": "human", "value": "Hi"}) == {
        "role": "user", "content": "Hi", "name": None, "occurred_at": None,
    }  # fmt: skip
    assert said({"from": "gpt", "value": "Hello"})["role"] == "assistant"


def test_who_is_no_role_is_a_name():
    assert said({"from": "Ann", "text": "Hi"})["name"] == "Ann"
    assert said({"author": "Ann", "role": "user", "text": "Hi"})["name"] == "Ann"
    assert said({"from": "Ann", "name": "Bob", "message": "Hi"})["name"] == "Bob"


def test_an_export_of_chatgpt_is_read():
    message = {
        "id": "m",
        "author": {"role": "user", "name": None, "metadata": {}},
        "create_time": 1_769_860_800.5,
        "content": {"content_type": "text", "parts": ["One", "Two"]},
        "status": "finished_successfully",
    }
    found = said(message)
    assert (found["role"], found["content"]) == ("user", "One\nTwo")
    assert found["occurred_at"] == NOON.replace(microsecond=500_000)


# Who.


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ("User", "user"),
        (" HUMAN ", "user"),
        ("ai", "assistant"),
        ("bot", "assistant"),
        ("model", "assistant"),
        ("gpt", "assistant"),
        ("developer", "developer"),
        ("Narrator", "Narrator"),
        ("", None),
        (None, None),
    ],
)
def test_roles_are_read_in_any_case_and_others_stay(given: Any, role: str | None):
    assert said({"role": given, "content": "Hi"})["role"] == role


@pytest.mark.parametrize("key", ["role", "name"])
@pytest.mark.parametrize("value", [5, True, ["user"], {"a": 1}])
def test_a_role_or_a_name_that_is_no_text_is_refused(key: str, value: Any):
    error = refusal({"content": "Hi", key: value})
    assert str(error) == f"messages[0].{key}: must be text, not {type(value).__name__}"


# When.


@pytest.mark.parametrize("key", ["occurred_at", "timestamp", "created_at", "createdAt"])
@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31 13:00",
        NOON,
        1_769_860_800,
        1_769_860_800_000,
        1769860800.0,
    ],
)
def test_a_time_is_read_from_its_keys_as_text_or_unix_time(key: str, value: Any):
    message = {"role": "user", "content": "Hi", key: value}
    found = normalise(message, "messages[0]", ZoneInfo("Europe/Berlin"))
    assert found is not None
    assert found["occurred_at"] == NOON


def test_our_own_key_comes_before_the_others():
    times = {"timestamp": "2020-01-01", "occurred_at": "2026-01-31T12:00Z", "created_at": 5}
    assert said({"content": "Hi", **times})["occurred_at"] == NOON
    assert said({"content": "Hi", "timestamp": None, "created_at": ""})["occurred_at"] is None


@pytest.mark.parametrize(
    "value",
    ["yesterday", "10:32", 5, -1, True, 1e20, float("nan"), float("inf"), ["x"], {"$date": 1}],
)
def test_what_is_no_time_is_refused_under_the_key_that_was_used(value: Any):
    error = refusal({"role": "user", "content": "Hi", "timestamp": value})
    assert error.argument == "messages[0].timestamp"
    assert "is not a time; write a date like 2026-01-31" in str(error)


# What is refused.


@pytest.mark.parametrize("value", ["Hi", "{no json", "[]", None, 5, True, [], ["Hi"], b"{}"])
def test_what_is_no_object_is_refused(value: Any):
    error = refusal(value)
    assert error.argument == "messages[0]"
    wanted = "must be {role, content}, with name and occurred_at if known"
    assert str(error) == f"messages[0]: {wanted}, not {type(value).__name__}"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user"},
        {"role": "user", "content": ""},
        {"role": "user", "content": " \n"},
        {"role": "user", "content": None},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "text", "text": ""}]},
        {"role": "user", "contents": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [], "refusal": None},
        {"type": "user", "message": {"role": "user", "content": []}},
        {"type": "human", "data": {}},
        {"lc": 1, "id": ["HumanMessage"], "kwargs": {}},
    ],
)
def test_a_message_without_a_text_is_refused_with_the_places_looked_at(message: dict[str, Any]):
    assert str(refusal(message)) == (
        "messages[0]: has no text; it was looked for in content, parts, text, value, message, "
        "refusal and tool_calls"
    )


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "x"}},
            "a part of type 'input_audio' has no text",
        ),
        ({"type": "video", "url": "data:video/mp4;base64,x"}, "a part of type 'video' has no text"),
        ({"a": 1}, "a part without a type has no text"),
        ({"type": "text", "text": 5}, "a part of type text has its text in text"),
        ({"type": "text"}, "a part of type text has its text in text"),
        (5, "must be text or a list of parts, not int"),
        (None, "must be text or a list of parts, not NoneType"),
        (["Hi"], "must be text or a list of parts, not list"),
    ],
)
def test_a_part_that_nothing_can_be_kept_of_is_refused_by_its_type(part: Any, why: str):
    error = refusal(user({"type": "text", "text": "Hi"}, part))
    assert error.argument == "messages[0].content"
    assert why in str(error)


@pytest.mark.parametrize("content", [5, True, 0.5])
def test_a_content_that_is_neither_text_nor_parts_is_refused(content: Any):
    error = refusal({"role": "user", "content": content})
    assert str(error).startswith("messages[0].content: must be text or a list of parts, not ")


@pytest.mark.parametrize("calls", ["search", 5, ["search"], [None]])
def test_calls_that_are_no_list_of_objects_are_refused(calls: Any):
    error = refusal({"role": "assistant", "content": "Hi", "tool_calls": calls})
    assert error.argument == "messages[0].tool_calls"


def test_what_is_nested_without_end_is_refused():
    part: Any = {"type": "text", "text": "Hi"}
    for _ in range(50):
        part = {"type": "section", "content": [part]}
    assert "nested deeper" in str(refusal(user(part)))
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    call = {"type": "tool_use", "name": "f", "input": {"a": deep}}
    assert "is no JSON" in str(refusal(user(call)))
    assert "must be" in str(refusal('{"a":' * 100_000))


# Whatever comes.

KEYS = (
    *("role", "content", "parts", "text", "value", "message", "type", "data", "lc", "kwargs", "id"),
    *("name", "from", "author", "occurred_at", "timestamp", "tool_calls", "function", "arguments"),
    *("function_call", "functionCall", "input", "refusal", "audio", "transcript", "source", "url"),
    *("image_url", "detail", "inlineData", "mimeType", "resource", "attachment", "thought", "file"),
    *("additional_kwargs", "result", "is_error", "prompt", "subtype"),
)
WORDS = (
    *("user", "human", "ai", "text", "image", "image_url", "tool_use", "tool_result", "thinking"),
    *("document", "summary", "attachment", "queued_command", "function_call", "base64"),
    *("HumanMessage", "image/png", DATA, "Hi", "", " ", "2026-01-31"),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=15,
)


@FAST
@given(json_values | st.dictionaries(st.sampled_from(KEYS), json_values, max_size=5))
def test_any_value_is_a_message_or_refused(value: Any):
    with suppress(InvalidInput):
        found = normalise(value, "messages[0]")
        if found is None:
            return
        assert set(found) == {"role", "content", "name", "occurred_at"}
        assert isinstance(found["role"], str | None)
        assert isinstance(found["name"], str | None)
        assert isinstance(found["occurred_at"], datetime | None)
        for part in found["content"] if isinstance(found["content"], list) else []:
            assert isinstance(part, Mapping)
            assert part["type"] in ("text", "image", "image_url")
        content_of(found["content"], "messages[0].content", Settings())


@FAST
@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["user", "tool", None]))
def test_a_plain_message_is_never_changed(words: str, role: str | None):
    found = said({"role": role, "content": words})
    assert (found["role"], found["content"]) == (role, words)
    assert said(found) == found
