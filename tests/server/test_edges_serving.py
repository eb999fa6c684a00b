"""The edges of serving over stdio: how the input begins, breaks and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server import MCPServer

import mem_mcp
from mem_mcp import Memory, Settings
from mem_mcp.server.stdio import serve_stdio

SERVE = [sys.executable, "-m", "mem_mcp", "serve"]
ENDS_WITHIN = 120  # seconds; a guard against hanging, never a measurement
ROOT = str(Path(mem_mcp.__file__).parents[1])
NO_REQUEST, NO_JSON = -32600, -32700


def line(request_id: Any, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def call(request_id: Any, tool: str, **arguments: Any) -> bytes:
    return line(request_id, "tools/call", name=tool, arguments=arguments)


HELLO = line(
    "hello",
    "initialize",
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "by hand", "version": "1"},
)
READY = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def popen(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": ROOT, **options.pop("env", {})}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([*SERVE, *arguments], env=environment, **{**pipes, **options})


def served(*lines: bytes, **options: Any) -> list[dict[str, Any]]:
    """Send all of it and end the input at once; return the answers of a server that ended well."""
    process = popen(**options)
    out, err = process.communicate(b"".join(lines) or None, timeout=ENDS_WITHIN)
    assert (process.returncode, err or b"") == (0, b"")
    return [json.loads(each) for each in (out or b"").decode("utf-8").splitlines()]


def by_id(answers: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Answers by their ids; there is one for each."""
    found = {each["id"]: each for each in answers if "id" in each}
    assert len(found) == len([each for each in answers if "id" in each])
    return found


def stored(settings: Settings) -> set[str]:
    with Memory.open(settings) as memory:
        return {one.text for one in memory.list_memories(limit=200).memories}


# The end of the input


def test_what_was_read_before_the_input_ended_is_done_and_answered(settings: Settings):
    texts = {f"Fact number {number}" for number in range(20)}
    calls = [call(text, "remember", content=text) for text in sorted(texts)]
    twice = [call(1, "remember", content=text) for text in ("One", "Two")]
    withdrawn = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}\n'
    # Without initialized, with one id used twice, with one call taken back, and the last line open.
    sent = [
        HELLO,
        *calls,
        *twice,
        call(6, "recall", query="x"),
        withdrawn,
        call(5, "none").rstrip(),
    ]
    answers = served(*sent)
    assert sorted(str(each["id"]) for each in answers) == ["1", "1", "5", *sorted(texts), "hello"]
    assert not any(each["result"]["isError"] for each in answers if each["id"] in {1, *texts})
    assert stored(settings) == {"One", "Two", *texts}


def test_a_client_without_a_handshake_is_answered_when_the_input_ends(settings: Settings):
    listening = line("sub", "subscriptions/listen", notifications={}, _meta=MODERN)
    asked = line(2, "tools/call", name="remember", arguments={"content": "Modern"}, _meta=MODERN)
    answers = by_id(served(listening, asked))
    assert not answers[2]["result"]["isError"]
    assert stored(settings) == {"Modern"}


def test_an_input_of_any_sort_ends_the_server_when_it_ends(tmp_path: Path):
    requests = tmp_path / "requests"
    requests.write_bytes(HELLO + READY + line(2, "tools/list"))
    with requests.open("rb") as file:
        assert by_id(served(stdin=file)).keys() == {"hello", 2}
    assert served(stdin=subprocess.DEVNULL) == []


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-"])
def test_standard_streams_that_are_closed_do_no_harm(closed: str):
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *SERVE]
    process = subprocess.run(
        shell,
        input=HELLO + READY,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        timeout=ENDS_WITHIN,
        check=True,
    )
    assert (process.stdout, process.stderr) == (b"", b"")


@pytest.mark.anyio
async def test_an_answer_that_never_comes_is_waited_for_within_a_bound():
    server: MCPServer[Any] = MCPServer("test")
    begun = []

    @server.tool()
    async def never() -> None:
        begun.append(True)
        await anyio.sleep_forever()

    wires = Sent(HELLO + READY + call(2, "never"))
    await serve_stdio(server, wires, patience=0.2, longest=1_000_000)  # type: ignore[arg-type]
    assert begun
    assert by_id(wires.answers).keys() == {"hello", 2}


class Sent:
    """Wires on which all has been sent."""

    def __init__(self, sent: bytes) -> None:
        self._sent = [sent, b""]
        self.answers: list[dict[str, Any]] = []

    async def read(self) -> bytes:
        return self._sent.pop(0)

    async def write(self, data: bytes) -> None:
        self.answers.append(json.loads(data))


def test_what_was_read_is_stored_also_when_nobody_reads_the_answers(settings: Settings):
    process = popen()
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    process.stdin.write(HELLO + READY + call(2, "remember", content="Unheard"))
    process.stdin.flush()
    # The input stays open: that nobody reads is enough.
    assert process.wait(ENDS_WITHIN) == 0
    assert process.stderr
    assert process.stderr.read() == b""
    process.stderr.close()
    process.stdin.close()
    assert stored(settings) == {"Unheard"}


# Lines that cannot be read


def test_every_line_that_cannot_be_read_is_answered_and_the_next_one_served(settings: Settings):
    raw = call("raw", "remember", content="x")
    lines = {
        **{f"byte {b}": raw.replace(b'"x"', b'"a%cb"' % b) for b in (0, 9, 11, 12, 13, 31)},
        "bad UTF-8": raw.replace(b'"x"', b'"caf\xe9"'),
        "lone surrogate": raw.replace(b'"x"', b'"a\\ud800b"'),
        "deep": raw.replace(b'"x"', b"[" * 100_000 + b"]" * 100_000),
        "long": raw.replace(b'"x"', b'"' + b"y" * 100_000_000 + b'"'),
        "no object": b"[5]\n",
        "words": b"Content-Length: 5\r\n",
        "half": raw[:60] + b"\n",
        "fraction": raw.replace(b'"raw"', b"1.5"),
        "null": raw.replace(b'"raw"', b"null"),
    }
    sent = [HELLO, READY, b"\n", b" \r\n"]
    for name, one in lines.items():
        sent += [one.replace(b'"raw"', json.dumps(name).encode()), line(f"after {name}", "ping")]
    good = call("good", "remember", content="Still here").rstrip()
    answers = served(b"\xef\xbb\xbf", *sent, good + b"\r\n", READY.decode().encode("utf-16"))
    codes = [
        (each["id"], each["error"]["code"]) for each in answers if "error" in each and each["id"]
    ]
    readable = {"long": NO_REQUEST, "fraction": NO_REQUEST}
    unnamed = {"no object", "words", "null"}
    assert codes == [
        (1.5 if name == "fraction" else name, readable.get(name, NO_JSON))
        for name in lines
        if name not in unnamed
    ]
    nameless = [each["error"]["code"] for each in answers if "id" in each and each["id"] is None]
    assert nameless[:3] == [NO_REQUEST, NO_JSON, NO_REQUEST]
    served_ids = {each["id"] for each in answers if "result" in each}
    assert served_ids == {"hello", "good", *(f"after {name}" for name in lines)}
    assert stored(settings) == {"Still here"}


def test_a_line_without_end_takes_bounded_memory():
    limited = (
        "import resource, runpy, sys; sys.argv = ['mem-mcp', 'serve']\n"
        "runpy.run_module('mem_mcp', run_name='__main__', alter_sys=True)"
    )
    measured = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", measured, limited],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert process.stdin
    part = b"y" * 10_000_000
    for _ in range(40):
        process.stdin.write(part)
    out, err = process.communicate(timeout=ENDS_WITHIN)
    assert json.loads(out)["error"]["code"] == NO_REQUEST
    # Of 400 MB no more than twice what a line may have, beside the process itself.
    assert int(err) < 350_000


def test_answers_are_utf_8_whatever_the_locale():
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    name = "\N{ROCKET} 数据库 ฉันชอบชา"
    asked = json.dumps(json.loads(call(2, name)), ensure_ascii=False).encode() + b"\n"
    answers = by_id(served(HELLO, READY, asked, env=locale))
    assert name in json.dumps(answers[2], ensure_ascii=False)


def test_sigterm_ends_a_server_that_still_works_after_the_input_ended():
    process = popen()
    assert process.stdin
    assert process.stdout
    process.stdin.write(HELLO + READY + call(2, "remember", content="Perhaps"))
    process.stdin.close()
    process.stdin = None
    assert json.loads(process.stdout.readline())["id"] == "hello"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=ENDS_WITHIN)
    assert (process.returncode, err) == (0, b"")
