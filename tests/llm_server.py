"""A language model's server on loopback: OpenAI's protocol over real HTTP, with scripted answers.

    with LLMServer() as server:
        server.script({"facts": ["likes tea"]}, failing(500), "no JSON at all")
        ... call a model "openai/test" at the address server.url ...
        assert "tea" in server.requests[0].text

An answer is a text, or what becomes JSON (a dict, a list, a pydantic model), or a `Reply` with a
fault. Embeddings and rerankings are answered by themselves unless the script says otherwise.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from pydantic import BaseModel

INPUT_TOKENS = 11
OUTPUT_TOKENS = 7


@dataclass(frozen=True, slots=True)
class Request:
    """What the server was sent."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    arrived: float = field(default_factory=time.monotonic)
    """Seconds, on a clock that never goes back."""

    @property
    def format(self) -> str:
        """Type of the answer's format that was asked for: json_schema, json_object or text."""
        return self.body.get("response_format", {}).get("type", "text")

    @property
    def text(self) -> str:
        """Every text of the messages."""
        contents = [message["content"] for message in self.body["messages"]]
        parts = [[{"text": each}] if isinstance(each, str) else each for each in contents]
        return "\n".join(part["text"] for each in parts for part in each if "text" in part)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server sends back."""

    body: object = ""
    """A text as it is; anything else as JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    """Seconds before it is sent."""
    hang_up: bool = False
    """Close the connection instead."""


Answer = Reply | BaseModel | dict[str, Any] | list[Any] | str | None


def said(
    content: str | None, *, finish: str = "stop", delay: float = 0, **message: object
) -> Reply:
    """A completion with this content, and further fields of its message."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": content, **message},
    }
    return Reply(_completion([choice]), delay=delay)


def failing(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    """An error of the provider; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": message, "type": "error", "param": None, "code": code}
    return Reply({"error": error}, status=status, headers=named)


def refused(reason: str = "I cannot help with that") -> Reply:
    """The model declines to answer."""
    return said(None, refusal=reason)


def without_choices() -> Reply:
    """A completion with nothing in it."""
    return Reply(_completion([]))


def too_long() -> Reply:
    """The messages do not fit the model's context window."""
    message = "This model's maximum context length is 4096 tokens; reduce the messages."
    return failing(400, message, code="context_length_exceeded")


def unsupported_format() -> Reply:
    """The provider knows no such response_format."""
    return failing(400, "response_format is not supported by this model")


def embedded(count: int, start: int = 0) -> Reply:
    """So many vectors, whatever the number of texts; their indices begin at `start`."""
    return Reply(_embeddings([1] * count, start))


def _completion(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "choices": choices,
        "usage": {
            "prompt_tokens": INPUT_TOKENS,
            "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }


def _embeddings(lengths: list[int], start: int = 0) -> dict[str, Any]:
    # Out of order, as the protocol permits.
    rows = [
        {"object": "embedding", "index": index, "embedding": [float(length), 1.0, 0.0]}
        for index, length in enumerate(lengths, start)
    ]
    usage = {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS}
    return {"object": "list", "data": rows[::-1], "usage": usage}


def _reranked(documents: list[str], query: str) -> dict[str, Any]:
    scores = [float(query in document) for document in documents]
    results = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
    return {"id": "rerank-1", "results": results[::-1], "meta": {}}


def _by_itself(request: Request) -> Answer:
    if request.path.endswith("/embeddings"):
        return Reply(_embeddings([len(text) for text in request.body["input"]]))
    if request.path.endswith("/rerank"):
        return Reply(_reranked(request.body["documents"], request.body["query"]))
    return failing(500, "nothing scripted")


class LLMServer:
    """Answers as it is told and keeps what it was asked; a context manager."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Answer] = _by_itself
        """Called in the connection's thread."""
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        # A short poll: the server stops when it is told, not half a second later.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The `api_base` of its models."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def script(self, *answers: Answer) -> None:
        """Give these answers in turn, then those of a server without a script."""
        left = deque(answers)
        self.answer = lambda request: left.popleft() if left else _by_itself(request)

    def always(self, answer: Answer) -> None:
        """Give one answer to everything."""
        self.answer = lambda request: answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: LLMServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that left."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two every answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Http

    def do_POST(self) -> None:
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body)
        owner.requests.append(request)
        answer = owner.answer(request)
        reply = answer if isinstance(answer, Reply) else _said(answer)
        if reply.delay:
            owner.closing.wait(reply.delay)
        if reply.hang_up or owner.closing.is_set():
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(reply, body["model"])

    def _send(self, reply: Reply, model: str) -> None:
        text = reply.body
        if not isinstance(text, str):
            named = isinstance(text, dict) and text.keys() & {"choices", "data"}
            text = json.dumps({**text, "model": model} if named else text)
        content = text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Write nothing to stderr."""


def _said(answer: BaseModel | dict[str, Any] | list[Any] | str | None) -> Reply:
    if isinstance(answer, BaseModel):
        return said(answer.model_dump_json())
    return said(answer if answer is None or isinstance(answer, str) else json.dumps(answer))
