"""What a line of input means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import INVALID_REQUEST, PARSE_ERROR, JSONRPCNotification, JSONRPCRequest

from mem_mcp.server.framing import Line, Lines, understand

LONGEST = 10_000
DEEP = b"[" * 100_000 + b"]" * 100_000


def call(**changed: Any) -> bytes:
    """A request whose content is "x", with the id first as many clients write it."""
    arguments = {"content": "x", "metadata": {"id": 99}}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": arguments}
    return json.dumps(message | changed).encode()


def last(**changed: Any) -> bytes:
    """The same with the id last, as the TypeScript SDK writes it."""
    message = json.loads(call(**changed))
    return json.dumps({"params": message.pop("params"), **message, "id": message["id"]}).encode()


def refused(data: bytes) -> list[tuple[int, Any]]:
    """The code and the id of each error that answers a line."""
    answers = understand(Line(data), LONGEST)
    assert isinstance(answers, list)
    return [(each["error"]["code"], each["id"]) for each in map(json.loads, answers)]


@pytest.mark.parametrize("written", [call, last])
@pytest.mark.parametrize(
    "content",
    [
        *(b'"a%cb"' % byte for byte in (0, 9, 11, 12, 13, 31)),
        b'"caf\xe9"',
        b'"a\\ud800b"',
        b'"\xed\xa0\x80"',
        DEEP,
        b'{"id":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5_000,
        b"'x'",
        b'"x",',
        b"x",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_json_is_refused_by_the_id_of_its_sender(written, content: bytes):
    assert refused(written().replace(b'"x"', content)) == [(PARSE_ERROR, 7)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_the_id_is_found_in_utf_16_too(encoding: str):
    assert refused(call().decode().encode(encoding)) == [(PARSE_ERROR, 7)]


def test_an_id_is_never_taken_from_inside_the_request():
    assert refused(b'{"jsonrpc":"2.0","method":"x","params":{"id":5,"content":"cut o') == [
        (PARSE_ERROR, None)
    ]
    assert refused(b'{"params":{"id":5,"jsonrpc":"2.0"},"method":"x","i') == [(PARSE_ERROR, None)]
    assert refused(call().replace(b'"id": 7, ', b"")[:-1] + b",}") == [(PARSE_ERROR, None)]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (call() + call(id="b"), [7, "b"]),
        (b"hello", [None]),
        (b"<a/>", [None]),
        (b"Content-Length: 120\r", [None]),
        (b"\xff\xfe", [None]),
    ],
)
def test_several_on_a_line_are_each_refused_and_none_at_all_once(line: bytes, ids: list[Any]):
    assert refused(line) == [(PARSE_ERROR, each) for each in ids]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (b"[" + call() + b"," + call(id=8) + b"]", [7, 8]),
        *((line, [None]) for line in (b"[]", b"5", b'"x"', b"null", b"{}")),
        *((call(id=wrong), [None]) for wrong in (None, True, {}, [7])),
        (call(id=1.5), [1.5]),
        (call(jsonrpc="1.0"), [7]),
        (call(method=5), [7]),
        (call(params=[]), [7]),
        (b'{"id": 7, "method": "ping"}', [7]),
        # An answer to an answer would be taken for that of a request with the same id.
        (b'{"jsonrpc": "2.0", "id": 7, "result": [1]}', [None]),
    ],
)
def test_json_that_is_no_request_is_refused(line: bytes, ids: list[Any]):
    assert refused(line) == [(INVALID_REQUEST, each) for each in ids]


def test_a_byte_order_mark_and_windows_line_ends_are_passed_over():
    for line in (b"\xef\xbb\xbf" + call(), call() + b"\r", b"  " + call()):
        assert isinstance(understand(Line(line), LONGEST), JSONRPCRequest)
    notification = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'
    assert isinstance(understand(Line(notification), LONGEST), JSONRPCNotification)


@pytest.mark.parametrize("written", [call, last])
def test_a_line_that_is_too_long_is_refused_by_its_id_and_the_next_is_whole(written):
    lines = Lines(LONGEST)
    sent = written().replace(b'"x"', b'"' + b"y" * 500_000 + b'"') + b"\n" + call() + b"\n"
    found = [line for at in range(0, len(sent), 777) for line in lines.feed(sent[at : at + 777])]
    assert [line.too_long for line in found] == [True, False]
    assert len(found[0].data) < LONGEST
    (answer,) = understand(found[0], LONGEST)
    assert json.loads(answer)["id"] == 7
    assert json.loads(answer)["error"]["code"] == INVALID_REQUEST
    assert "10,000 bytes" in json.loads(answer)["error"]["message"]


@given(st.binary(max_size=300), st.integers(1, 40))
def test_lines_are_the_same_however_they_come_in(sent: bytes, step: int):
    lines = Lines(LONGEST)
    found = [one for at in range(0, len(sent), step) for one in lines.feed(sent[at : at + step])]
    assert [one.data for one in [*found, lines.end()]] == sent.split(b"\n")


@given(st.binary(max_size=60).map(lambda noise: b'{"jsonrpc":"2.0","id":3,' + noise))
def test_whatever_comes_in_is_understood_or_answered(line: bytes):
    assert understand(Line(line), LONGEST)
