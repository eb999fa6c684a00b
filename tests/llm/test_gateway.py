"""The gateway against a real HTTP server: what it asks, what it makes of answers and of faults."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from llm_server import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Answer,
    LLMServer,
    Reply,
    Request,
    embedded,
    failing,
    refused,
    said,
    too_long,
    unsupported_format,
    without_choices,
)
from pydantic import BaseModel

from mem_mcp.config import LLMSettings, load_settings
from mem_mcp.errors import (
    ConfigError,
    LLMAuthError,
    LLMBadOutput,
    LLMBudgetSpent,
    LLMContextTooLong,
    LLMError,
    LLMRateLimited,
    LLMRefused,
    LLMRejected,
    LLMUnavailable,
)
from mem_mcp.llm import Gateway, Ledger, Usage, dispatch, rate_limits
from mem_mcp.llm.error_mapping import scrub
from mem_mcp.llm.rate_limits import Breaker, MinuteWindow
from mem_mcp.llm.usage import open_turn

pytestmark = pytest.mark.anyio

TEA = {"facts": ["likes tea"]}
ASK = [{"role": "user", "content": "Ann says: I like tea"}]
ROOT = Path(__file__).parents[2]


class Facts(BaseModel):
    facts: list[str]


Make = Callable[..., Gateway]


@pytest.fixture
async def make(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make gateways to the server, each with an account of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    made: list[Gateway] = []

    def gateway(**settings: Any) -> Gateway:
        settings = {"model": "openai/test", "api_base": server.url, **settings}
        made.append(Gateway(LLMSettings(**settings), Ledger()))
        return made[-1]

    first = gateway()
    await first.warm()
    # What the library reads of the environment when it is imported.
    monkeypatch.setattr("litellm.utils.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("litellm.utils.JITTER", 0.0)
    yield gateway
    for each in made:
        await each.aclose()


class Clock:
    """A time that stands still, but for those who wait for it to pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def asyncio_with(sleep: Callable[[float], Any]) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(asyncio), "sleep": sleep})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock that limits read; gateways that are made from now on read it."""
    clock = Clock()
    monkeypatch.setattr(rate_limits, "MinuteWindow", partial(MinuteWindow, clock=clock))
    monkeypatch.setattr(dispatch, "Breaker", partial(Breaker, clock))
    monkeypatch.setattr(rate_limits, "asyncio", asyncio_with(clock.sleep))
    return clock


def unused_url() -> str:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unbound.getsockname()[1]}/v1"


async def failure(gateway: Gateway) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await gateway.complete(ASK, Facts)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert caught.value.__cause__ is None
    return caught.value


# Structured answers.


async def test_an_answer_is_validated_and_its_use_is_told(server: LLMServer, make: Make):
    server.script(TEA)
    gateway = make()
    done = await gateway.complete(ASK, Facts)
    assert done.answer == Facts(facts=["likes tea"])
    assert done.model == "openai/test"
    used = done.usage
    assert (used.calls, used.retries) == (1, 0)
    assert (used.input_tokens, used.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert used.cost_usd is None
    assert 0 < used.seconds < 5
    assert gateway.usage == used


async def test_a_request_carries_the_schema_and_the_settings(server: LLMServer, make: Make):
    server.script(TEA, TEA)
    gateway = make(max_output_tokens=77, temperature=0.5)
    await gateway.complete(ASK, Facts)
    await gateway.complete(ASK, Facts, max_output_tokens=5)
    first, second = server.requests
    assert first.path == "/v1/chat/completions"
    assert first.format == "json_schema"
    assert first.body["response_format"]["json_schema"]["schema"]["required"] == ["facts"]
    assert (first.body["max_tokens"], first.body["temperature"]) == (77, 0.5)
    assert first.body["messages"] == ASK
    assert second.body["max_tokens"] == 5


@pytest.mark.parametrize(
    "text",
    [
        '{"facts": ["likes tea"]}',
        ' \n{"facts": ["likes tea"]}\n',
        '```json\n{"facts": ["likes tea"]}\n```',
        '```\n{"facts": ["likes tea"]}\n```\nThat is all {really}.',
        'Here you are: {"facts": ["likes tea"]} I hope it helps {you}.',
        '<think>A {set} of facts?</think>\n{"facts": ["likes tea"]}',
    ],
)
async def test_an_object_is_found_in_what_surrounds_it(server: LLMServer, make: Make, text: str):
    server.script(text)
    assert (await make().complete(ASK, Facts)).answer.facts == ["likes tea"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("She likes tea, I think.", "JSON"),
        ('{"facts": ["likes te', "JSON"),
        ('{"facts": "likes tea"}', "facts: Input should be a valid"),
        ('{"facts": [1.5]}', "facts.0"),
        ("{}", "facts: Field required"),
        ("[]", "object"),
        ('[{"facts": []}, {"facts": ["likes tea"]}]', "object"),
    ],
)
async def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason(
    server: LLMServer, make: Make, text: str, told: str
):
    server.script(text, TEA)
    done = await make().complete(ASK, Facts)
    assert done.answer.facts == ["likes tea"]
    assert done.usage.calls == 2
    assert done.usage.output_tokens == 2 * OUTPUT_TOKENS
    again = server.requests[1].body["messages"]
    assert again[:-2] == ASK
    assert again[-2] == {"role": "assistant", "content": text}
    assert told in again[-1]["content"]
    assert '"required":["facts"]' in again[-1]["content"]


async def test_an_answer_that_does_not_fit_twice_is_an_error(server: LLMServer, make: Make):
    server.script("no", '{"facts": 1}', TEA)
    error = await failure(make())
    assert isinstance(error, LLMBadOutput)
    assert "facts" in str(error)
    assert len(server.requests) == 2


async def test_a_cut_answer_is_asked_for_again_with_twice_the_room(server: LLMServer, make: Make):
    server.script(said('{"facts": ["likes t', finish="length"), TEA)
    done = await make(max_output_tokens=50).complete(ASK, Facts)
    assert done.answer.facts == ["likes tea"]
    first, second = server.requests
    assert (first.body["max_tokens"], second.body["max_tokens"]) == (50, 100)
    assert second.body["messages"] == ASK


async def test_an_answer_that_ends_at_the_bound_but_fits_is_taken(server: LLMServer, make: Make):
    server.script(said('{"facts": []}', finish="length"))
    assert (await make().complete(ASK, Facts)).answer.facts == []


@pytest.mark.parametrize("nothing", ["", None, "  \n", without_choices()])
async def test_no_answer_is_asked_for_once_more(server: LLMServer, make: Make, nothing: Answer):
    server.script(nothing, TEA)
    gateway = make()
    assert (await gateway.complete(ASK, Facts)).answer.facts == ["likes tea"]
    assert server.requests[1].body["messages"] == ASK
    server.script(nothing, nothing, TEA)
    assert isinstance(await failure(gateway), LLMBadOutput)


@pytest.mark.parametrize(
    "reply",
    [
        refused(),
        said(None, finish="content_filter"),
        failing(400, "The response was filtered", code="content_policy_violation"),
    ],
)
async def test_a_refusal_is_an_error_of_its_own_and_is_not_argued_with(
    server: LLMServer, make: Make, reply: Reply
):
    server.always(reply)
    error = await failure(make(fallbacks=["openai/other"]))
    assert isinstance(error, LLMRefused)
    assert len(server.requests) == 1


async def test_a_refused_format_is_asked_for_in_words_and_remembered(server: LLMServer, make: Make):
    def answer(request: Request) -> Answer:
        return TEA if request.format == "text" else unsupported_format()

    server.answer = answer
    gateway = make(fallbacks=["openai/other"])
    system = {"role": "system", "content": "You extract facts."}
    done = await gateway.complete([system, *ASK], Facts)
    assert (done.answer.facts, done.model) == (["likes tea"], "openai/test")
    assert [each.format for each in server.requests] == ["json_schema", "json_object", "text"]
    assert done.usage.calls == 3
    told, *others = server.requests[-1].body["messages"]
    assert told["content"].startswith("You extract facts.\n\nAnswer with one JSON object")
    assert '"required":["facts"]' in told["content"]
    assert others == ASK
    await gateway.complete(ASK, Facts)
    assert [each.format for each in server.requests[3:]] == ["text"]
    assert server.requests[-1].body["messages"][0]["role"] == "system"


async def test_a_request_that_is_refused_in_every_form_says_why(server: LLMServer, make: Make):
    server.always(failing(400, "max_tokens is too large: 9. Your key sk-abcdefgh12345678 is fine"))
    error = await failure(make())
    assert isinstance(error, LLMRejected)
    assert "max_tokens is too large: 9" in str(error)
    assert "abcdefgh" not in str(error)
    assert len(server.requests) == 3


async def test_images_go_through_as_they_are(server: LLMServer, make: Make):
    server.script({"facts": ["a red dot"]})
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    message = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}
    assert (await make().complete([message], Facts)).answer.facts == ["a red dot"]
    assert server.requests[0].body["messages"] == [message]
    assert server.requests[0].text == "What is it?"


# Faults.


@pytest.mark.parametrize(
    ("reply", "kind", "reason", "hits"),
    [
        (failing(500), LLMUnavailable, "server", 2),
        (failing(502), LLMUnavailable, "server", 2),
        (failing(503), LLMUnavailable, "server", 2),
        (failing(529), LLMUnavailable, "server", 2),
        (
            Reply("<html>Bad gateway</html>", headers={"Content-Type": "text/html"}),
            LLMUnavailable,
            "server",
            2,
        ),
        (Reply("no JSON"), LLMUnavailable, "server", 2),
        (Reply('{"choices": [{"mess'), LLMUnavailable, "server", 2),
        (Reply({"error": {"code": 502, "message": "upstream"}}), LLMUnavailable, "server", 2),
        (Reply(hang_up=True), LLMUnavailable, "connection", 2),
        (failing(429), LLMRateLimited, None, 2),
        (failing(404, "no such model"), LLMUnavailable, "not_found", 1),
        (failing(401, "Incorrect API key provided"), LLMAuthError, None, 1),
        (failing(403, "not allowed"), LLMAuthError, None, 2),
        (failing(422, "unprocessable"), LLMRejected, None, 3),
        (too_long(), LLMContextTooLong, None, 1),
        (failing(400, "no", code="context_length_exceeded"), LLMContextTooLong, None, 1),
        (failing(413, "prompt is too long"), LLMContextTooLong, None, 1),
    ],
)
async def test_a_fault_becomes_an_error_of_ours(
    server: LLMServer, make: Make, reply: Reply, kind: type[LLMError], reason: str | None, hits: int
):
    server.always(reply)
    error = await failure(make(retries=1))
    assert type(error) is kind
    assert getattr(error, "reason", None) == reason
    assert len(server.requests) == hits


@pytest.mark.parametrize("fault", [failing(500), failing(429), Reply(hang_up=True)])
async def test_what_may_pass_is_tried_again_and_counted(
    server: LLMServer, make: Make, fault: Reply
):
    server.script(fault, fault, TEA)
    gateway = make(retries=2)
    done = await gateway.complete(ASK, Facts)
    assert done.answer.facts == ["likes tea"]
    assert (done.usage.calls, done.usage.retries) == (1, 2)
    server.script(fault, TEA)
    assert isinstance(await failure(make(retries=0)), LLMUnavailable | LLMRateLimited)


async def test_retry_after_is_waited_for(server: LLMServer, make: Make):
    server.script(failing(429, retry_after="2"), TEA)
    await make().complete(ASK, Facts)
    first, second = server.requests
    assert second.arrived - first.arrived >= 2


async def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once_and_is_named(
    server: LLMServer, make: Make, clock: Clock
):
    server.script(failing(429, retry_after="300"), TEA, TEA)
    gateway = make(fallbacks=["openai/b"])
    assert (await gateway.complete(ASK, Facts)).model == "openai/b"
    assert [each.body["model"] for each in server.requests] == ["test", "b"]
    # Nor is it asked again before.
    assert (await gateway.complete(ASK, Facts)).model == "openai/b"
    server.always(failing(429, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"))
    clock.now += 300
    error = await failure(gateway)
    assert isinstance(error, LLMRateLimited)
    assert "(Retry-After)" in str(error)
    assert [each.body["model"] for each in server.requests[3:]] == ["test", "b"]
    resting = await failure(gateway)
    assert isinstance(resting, LLMUnavailable)
    assert resting.reason == "open"
    assert "(Retry-After)" in str(resting)
    assert len(server.requests) == 5


async def test_a_retry_after_within_the_deadline_is_named_when_no_attempt_is_left(
    server: LLMServer, make: Make
):
    later = "try again later"
    for header, shown in (("1.5", "for 2 s"), ("soon", later), ("-1", later), ("nan", later)):
        server.always(failing(429, retry_after=header))
        assert shown in str(await failure(make(retries=0)))


async def test_a_server_that_does_not_answer_is_given_up_after_the_timeout(
    server: LLMServer, make: Make
):
    server.always(said("late", delay=30))
    error = await failure(make(timeout_seconds=0.1, retries=1))
    assert isinstance(error, LLMUnavailable)
    assert error.reason == "timeout"
    assert "llm.timeout_seconds" in str(error)
    assert len(server.requests) == 2


@pytest.mark.parametrize("model", ["openai/test", "ollama_chat/test", "anthropic/test"])
async def test_a_server_that_does_not_run_is_named(make: Make, model: str):
    nowhere = unused_url()
    error = await failure(make(model=model, api_base=nowhere, retries=1))
    assert isinstance(error, LLMUnavailable)
    assert error.reason == "connection"
    assert nowhere in str(error)
    assert model in str(error)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/gpt-4o-mini", "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
        ("groq/llama-3.3-70b-versatile", "GROQ_API_KEY"),
    ],
)
async def test_a_missing_key_is_named(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
):
    monkeypatch.delenv("OPENAI_API_KEY")
    # Some are only missed by the provider.
    server.always(failing(401, "who are you"))
    monkeypatch.setenv("GROQ_API_BASE", server.url)
    gateway = make(model=model, api_base="", retries=0)
    error = await failure(gateway)
    assert isinstance(error, LLMAuthError)
    assert f"needs a key; set {variable}" in str(error) or f"or {variable}" in str(error)
    assert variable in await gateway.missing_keys(model)


async def test_a_refused_key_is_named_and_never_shown(server: LLMServer, make: Make):
    server.always(failing(401, "Incorrect API key provided: sk-test-0123456789."))
    error = await failure(make())
    assert isinstance(error, LLMAuthError)
    assert "OPENAI_API_KEY" in str(error)
    assert "0123456789" not in str(error)


async def test_a_server_of_ones_own_needs_no_key(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY")
    server.script(TEA, failing(401))
    gateway = make()
    assert (await gateway.complete(ASK, Facts)).answer.facts == ["likes tea"]
    error = await failure(gateway)
    assert isinstance(error, LLMAuthError)
    assert "set OPENAI_API_KEY" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abcdefgh12345678 refused",
        "Authorization: Bearer abc.def.ghi",
        "token gsk_abcdefghijklmnop123456",
        "AIzaSyA1234567890abcdefghijklmnopqrstuvw is no key",
        "api_key=abcdefgh12345678",
        "the value hunter2-hunter2 is wrong",
        "http://ann:abc1234@localhost/v1",
    ],
)
def test_a_secret_does_not_survive(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_OWN_TOKEN", "hunter2-hunter2")
    scrubbed = scrub(text)
    for secret in ("abc", "AIza", "hunter2", "1234"):
        assert secret not in scrubbed


def test_a_providers_text_is_one_short_line():
    assert scrub("a\nb \t c") == "a b c"
    assert len(scrub("word " * 1_000)) == 200


async def test_no_model_is_an_error_that_says_what_to_set(make: Make):
    error = await failure(make(model="", api_base=""))
    assert isinstance(error, LLMUnavailable)
    assert (error.reason, "llm.model" in str(error)) == ("unconfigured", True)


async def test_a_model_without_a_provider_is_an_error(make: Make):
    error = await failure(make(model="nonsense", api_base=""))
    assert isinstance(error, LLMRejected)
    assert "nonsense" in str(error)


# Fallbacks.


async def test_fallbacks_are_asked_in_turn_at_their_own_addresses(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
    server.answer = lambda request: TEA if request.body["model"] == "c" else failing(500)
    gateway = make(
        model="openai/a",
        api_base=unused_url(),
        fallbacks=["hosted_vllm/b", "hosted_vllm/c"],
        retries=0,
    )
    done = await gateway.complete(ASK, Facts)
    assert (done.model, done.usage.calls) == ("hosted_vllm/c", 3)
    assert [each.body["model"] for each in server.requests] == ["b", "c"]


async def test_fallbacks_have_addresses_of_their_own(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    server.answer = lambda request: TEA if request.body["model"] == "c" else failing(500)
    with LLMServer() as other, LLMServer() as public:
        # Where OpenAI's models are asked unless the settings name an address.
        monkeypatch.setenv("OPENAI_API_BASE", public.url)
        gateway = make(
            fallbacks=["openai/b", "openai/test", "openai/c"],
            fallback_api_bases=[other.url, other.url],
            retries=0,
        )
        assert (await gateway.complete(ASK, Facts)).model == "openai/c"
        assert [each.body["model"] for each in other.requests] == ["b", "test"]
        assert [each.body["model"] for each in server.requests] == ["test", "c"]
        assert public.requests == []


async def test_when_all_fail_the_first_failure_is_told(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
    server.always(failing(500))
    error = await failure(make(api_base=unused_url(), fallbacks=["hosted_vllm/b"], retries=0))
    assert isinstance(error, LLMUnavailable)
    assert error.reason == "connection"


# The circuit breaker.


@pytest.mark.parametrize("model", ["openai/test", "ollama_chat/test"])
async def test_a_model_that_keeps_failing_is_left_alone_then_tried_by_one_call(
    server: LLMServer, make: Make, clock: Clock, model: str
):
    server.always(failing(500))
    gateway = make(model=model, retries=0)
    for _ in range(rate_limits.FAILURES):
        assert (await failure(gateway)).reason == "server"  # type: ignore[attr-defined]

    async def rejected_at_once() -> None:
        before = len(server.requests)
        error = await failure(gateway)
        assert isinstance(error, LLMUnavailable)
        assert error.reason == "open"
        assert len(server.requests) == before

    await rejected_at_once()
    clock.now += rate_limits.COOLDOWN
    before = len(server.requests)
    errors = await asyncio.gather(*(failure(gateway) for _ in range(4)))
    assert len(server.requests) == before + 1
    assert sorted(error.reason for error in errors) == ["open", "open", "open", "server"]  # type: ignore[attr-defined]
    await rejected_at_once()
    clock.now += rate_limits.COOLDOWN
    content = '{"facts": ["likes tea"]}'
    server.always(
        TEA if model == "openai/test" else Reply({"message": {"content": content}, "done": True})
    )
    assert (await gateway.complete(ASK, Facts)).answer.facts == ["likes tea"]
    server.always(failing(500))
    assert (await failure(gateway)).reason == "server"  # type: ignore[attr-defined]


async def test_a_server_that_does_not_run_opens_the_breaker_too(make: Make):
    gateway = make(model="ollama_chat/test", api_base=unused_url(), retries=0)
    reasons = [(await failure(gateway)).reason for _ in range(rate_limits.FAILURES + 1)]  # type: ignore[attr-defined]
    assert reasons == ["connection"] * rate_limits.FAILURES + ["open"]


async def test_a_server_that_hangs_until_the_deadline_opens_the_breaker(
    server: LLMServer, make: Make
):
    server.always(said("late", delay=30))
    gateway = make(deadline_seconds=0.2)
    reasons = [(await failure(gateway)).reason for _ in range(rate_limits.FAILURES + 1)]  # type: ignore[attr-defined]
    assert reasons == ["deadline"] * rate_limits.FAILURES + ["open"]


async def test_an_open_breaker_leaves_the_fallbacks_to_answer(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
    server.answer = lambda request: TEA if request.body["model"] == "b" else failing(500)
    gateway = make(fallbacks=["hosted_vllm/b"], retries=0)
    for _ in range(rate_limits.FAILURES + 2):
        assert (await gateway.complete(ASK, Facts)).model == "hosted_vllm/b"
    asked = [each.body["model"] for each in server.requests]
    assert asked.count("test") == rate_limits.FAILURES


async def test_refusing_a_request_is_no_failure_of_the_model(server: LLMServer, make: Make):
    server.always(too_long())
    gateway = make()
    for _ in range(rate_limits.FAILURES + 2):
        assert isinstance(await failure(gateway), LLMContextTooLong)


def test_a_breaker_counts_failures_in_a_row():
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(3):
        for _ in range(rate_limits.FAILURES - 1):
            breaker.failed()
        assert breaker.enter() == 0
        breaker.worked()
    for _ in range(rate_limits.FAILURES):
        breaker.failed()
    assert breaker.enter() == rate_limits.COOLDOWN
    now += rate_limits.COOLDOWN
    assert breaker.enter() == 0
    assert breaker.enter() == rate_limits.COOLDOWN
    breaker.worked()
    assert breaker.enter() == 0


# Limits.


async def test_fifty_calls_pass_ten_at_a_time_and_none_is_lost(server: LLMServer, make: Make):
    under_way = most = 0
    counting = threading.Lock()

    def leave_room_for_an_eleventh() -> None:
        server.closing.wait(0.05)

    # Fewer than ten at once would break it.
    ten = threading.Barrier(10, leave_room_for_an_eleventh, timeout=30)

    def answer(request: Request) -> Answer:
        nonlocal under_way, most
        with counting:
            under_way += 1
            most = max(most, under_way)
        ten.wait()
        with counting:
            under_way -= 1
        return {"facts": [request.body["messages"][0]["content"]]}

    server.answer = answer
    gateway = make(concurrency=10)
    done = await asyncio.gather(
        *(gateway.complete([{"role": "user", "content": str(n)}], Facts) for n in range(50))
    )
    assert [each.answer.facts for each in done] == [[str(n)] for n in range(50)]
    assert most == 10
    assert gateway.usage.calls == 50
    assert gateway.usage.input_tokens == 50 * INPUT_TOKENS


async def test_requests_beyond_the_minutes_number_wait(server: LLMServer, make: Make, clock: Clock):
    server.always(TEA)
    gateway = make(requests_per_minute=3)
    await asyncio.gather(*(gateway.complete(ASK, Facts) for _ in range(7)))
    assert len(server.requests) == 7
    assert clock.waits == [60, 60]  # before the fourth and the seventh


async def test_tokens_beyond_the_minutes_number_wait(server: LLMServer, make: Make, clock: Clock):
    server.always(TEA)
    gateway = make(tokens_per_minute=2 * (INPUT_TOKENS + OUTPUT_TOKENS), concurrency=1)
    await gateway.complete(ASK, Facts)
    clock.now = 15.0
    await gateway.complete(ASK, Facts)
    assert clock.waits == []
    await gateway.complete(ASK, Facts)
    assert clock.waits == [45]


def test_a_window_counts_the_last_minute_and_may_be_corrected():
    now = 0.0
    window = MinuteWindow(10, lambda: now)
    assert window.wait(100) == 0  # more than there can ever be: alone
    taken = window.take(4)
    now = 10.0
    window.take(5)
    assert window.wait(1) == 0
    assert window.wait(2) == 50
    assert window.wait(7) == 60
    assert window.wait(100) == 60
    taken.amount = 1
    assert window.wait(4) == 0
    now = 60.0
    assert window.wait(5) == 0
    assert window.wait(6) == 10
    unbound = MinuteWindow(0, lambda: now)
    unbound.take(1_000)
    assert unbound.wait(1_000) == 0


async def test_the_calls_of_one_turn_share_one_deadline(server: LLMServer, make: Make):
    server.script({"facts": []}, said("late", delay=30), {"facts": []})
    gateway = make(deadline_seconds=3)
    with gateway.turn() as turn:
        await gateway.complete(ASK, Facts)
        error = await failure(gateway)
        assert isinstance(error, LLMUnavailable)
        assert (error.reason, "llm.deadline_seconds" in str(error)) == ("deadline", True)
        assert isinstance(await failure(gateway), LLMUnavailable)  # and is not sent
        await asyncio.sleep(0)  # other work goes on
    assert turn.usage.calls == 2
    assert turn.usage.input_tokens == INPUT_TOKENS
    assert (await gateway.complete(ASK, Facts)).answer.facts == []


async def test_a_turn_sums_up_what_is_asked_inside_also_by_its_tasks(server: LLMServer, make: Make):
    server.always(TEA)
    gateway = make()
    with gateway.turn() as turn:
        await asyncio.gather(*(gateway.complete(ASK, Facts) for _ in range(3)))
        server.script("no", "no")
        await failure(gateway)
    server.always(TEA)
    await gateway.complete(ASK, Facts)
    assert turn.usage.calls == 5
    assert gateway.usage.calls == 6
    assert turn.usage.output_tokens == 5 * OUTPUT_TOKENS


async def test_waiting_for_a_place_ends_at_the_deadline(server: LLMServer, make: Make):
    server.always(TEA)
    gateway = make(requests_per_minute=1, deadline_seconds=2)
    await gateway.complete(ASK, Facts)
    error = await failure(gateway)
    assert isinstance(error, LLMUnavailable)
    assert error.reason == "deadline"
    assert gateway.usage.calls == 1


@pytest.mark.parametrize(
    ("bound", "named"),
    [
        ({"requests_per_minute": 1}, "llm.requests_per_minute allowed no more"),
        ({"tokens_per_minute": 1}, "llm.tokens_per_minute allowed no more"),
        ({"concurrency": 1}, "llm.concurrency allowed no more"),
    ],
)
async def test_waiting_for_a_bound_of_ones_own_is_named(
    server: LLMServer, make: Make, bound: dict[str, int], named: str
):
    server.always(TEA)
    gateway = make(**bound)
    await gateway.complete(ASK, Facts)
    server.always(said("late", delay=30))

    async def patient() -> LLMError:
        with open_turn(1):
            return await failure(gateway)

    async def hurried() -> LLMError:
        with open_turn(0.1):
            return await failure(gateway)

    first, second = await asyncio.gather(patient(), hurried())
    assert named in str(second)
    assert ("gave no answer" in str(first)) == ("concurrency" in bound)


async def test_a_caller_who_leaves_is_no_failure_of_the_model(server: LLMServer, make: Make):
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def late(request: Request) -> Answer:
        loop.call_soon_threadsafe(asked.set)
        return said("late", delay=30)

    server.answer = late
    gateway = make()
    for _ in range(rate_limits.FAILURES):
        asked.clear()
        leaving = asyncio.create_task(gateway.complete(ASK, Facts))
        await asyncio.wait_for(asked.wait(), 60)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    server.always(TEA)
    assert (await gateway.complete(ASK, Facts)).answer.facts == ["likes tea"]


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [({"calls_per_day": 2}, 2), ({"tokens_per_day": INPUT_TOKENS + OUTPUT_TOKENS + 1}, 2)],
)
async def test_a_spent_budget_is_an_error_until_midnight(
    server: LLMServer, make: Make, setting: dict[str, int], allowed: int
):
    now = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    server.always(TEA)
    settings = LLMSettings(model="openai/test", api_base=server.url, **setting)
    gateway = Gateway(settings, Ledger(lambda: now))
    for _ in range(allowed):
        await gateway.complete(ASK, Facts)
    error = await failure(gateway)
    assert isinstance(error, LLMBudgetSpent)
    assert f"llm.{next(iter(setting))}" in str(error)
    assert len(server.requests) == allowed
    now = datetime(2026, 2, 1, tzinfo=UTC)
    await gateway.complete(ASK, Facts)
    assert gateway.usage.calls == allowed + 1
    await gateway.aclose()


async def test_dollars_are_counted_where_the_price_is_known(server: LLMServer, make: Make):
    server.always(TEA)
    gateway = make(model="openai/gpt-4o-mini", dollars_per_day=0.000001)
    done = await gateway.complete(ASK, Facts)
    assert done.usage.cost_usd == pytest.approx(5.85e-06)
    assert isinstance(await failure(gateway), LLMBudgetSpent)


def test_usage_adds_up_and_knows_what_it_does_not_know():
    priced = Usage(calls=1, input_tokens=2, output_tokens=3, cost_usd=0.5, retries=1, seconds=0.25)
    assert priced + Usage() == priced
    assert (priced + priced).cost_usd == 1.0
    assert (Usage() + Usage()).cost_usd is None
    assert (priced + priced).tokens == 10


# Vectors and rerankings.


async def test_texts_are_embedded_in_batches_and_in_order(server: LLMServer, make: Make):
    texts = ["x" * n for n in range(1, 201)]
    gateway = make()
    found = await gateway.embed(texts, "openai/embedder", api_base=server.url)
    assert [vector[0] for vector in found] == [float(n) for n in range(1, 201)]
    assert [len(each.body["input"]) for each in server.requests] == [96, 96, 8]
    assert server.requests[0].path == "/v1/embeddings"
    assert (gateway.usage.calls, gateway.usage.input_tokens) == (3, 3 * INPUT_TOKENS)
    assert await gateway.embed([], "openai/embedder", api_base=server.url) == []


@pytest.mark.parametrize("reply", [embedded(1), embedded(3), embedded(2, start=1), embedded(0)])
async def test_a_wrong_number_of_vectors_is_an_error(server: LLMServer, make: Make, reply: Reply):
    server.script(reply)
    with pytest.raises(LLMError):
        await make().embed(["a", "b"], "openai/embedder", api_base=server.url)


async def test_embedding_meets_faults_as_completing_does(server: LLMServer, make: Make):
    server.script(failing(500), failing(429))
    gateway = make()
    await gateway.embed(["a"], "openai/embedder", api_base=server.url)
    assert gateway.usage.retries == 2
    server.always(failing(401))
    with pytest.raises(LLMAuthError, match="OPENAI_API_KEY"):
        await gateway.embed(["a"], "openai/embedder", api_base=server.url)


@pytest.mark.parametrize("provider", ["cohere", "hosted_vllm"])
async def test_documents_are_scored_in_order(
    server: LLMServer, make: Make, monkeypatch: pytest.MonkeyPatch, provider: str
):
    monkeypatch.setenv("COHERE_API_KEY", "none-needed")
    documents = ["coffee", "green tea", "water", "tea"]
    model = f"{provider}/ranker"
    scores = await make().rerank("tea", documents, model, api_base=server.url)
    assert scores == [0.0, 1.0, 0.0, 1.0]
    server.always(Reply({"id": "1", "results": [{"index": 0, "relevance_score": 1.0}], "meta": {}}))
    with pytest.raises(LLMBadOutput, match="1 of 4"):
        await make().rerank("tea", documents, model, api_base=server.url)


# What is known of models.


async def test_what_is_known_of_a_model(make: Make):
    known, unknown = make(model="openai/gpt-4o-mini"), make()
    assert await known.context_window() == 128_000
    assert await unknown.context_window() is None
    assert await known.sees()
    assert not await unknown.sees()
    assert await make(vision=True).sees()
    assert not await make(model="openai/gpt-4o-mini", vision=False).sees()
    few, many = await unknown.count_tokens(["tea", "tea " * 100])
    assert 1 <= few < 5
    assert 80 < many < 220
    assert await unknown.missing_keys("ollama_chat/llama3.2") == []


# Settings.


def test_fallbacks_are_names_separated_by_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACKS", "openai/a, groq/b,")
    assert load_settings().llm.fallbacks == ["openai/a", "groq/b"]
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACKS", "")
    assert load_settings().llm.fallbacks == []
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACKS", '["openai/a"]')
    with pytest.raises(ConfigError, match="separated by commas"):
        load_settings()


def test_addresses_of_fallbacks_are_separated_by_commas_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("MEM_MCP_LLM__MODEL", "openai/m")
    monkeypatch.setenv("MEM_MCP_LLM__API_BASE", "http://own/v1")
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACKS", "groq/a,openai/b,openai/c")
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACK_API_BASES", ",http://other/v1")
    assert load_settings().llm.addresses == [
        ("openai/m", "http://own/v1"),
        ("groq/a", ""),
        ("openai/b", "http://other/v1"),
        ("openai/c", "http://own/v1"),
    ]
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACK_API_BASES", "http://a http://b")
    with pytest.raises(ConfigError, match="'http://a http://b' is not an http:// or https://"):
        load_settings()
    monkeypatch.setenv("MEM_MCP_LLM__FALLBACK_API_BASES", "http://a,,,http://b")
    with pytest.raises(ConfigError, match="has 4 addresses, and fallbacks 3 models"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "two words"),
        ("api_base", "localhost:1234"),
        ("timeout_seconds", "0"),
        ("deadline_seconds", "-1"),
        ("retries", "11"),
        ("concurrency", "0"),
        ("requests_per_minute", "-1"),
        ("dollars_per_day", "-0.1"),
        ("max_output_tokens", "0"),
        ("temperature", "3"),
        ("vision", "perhaps"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(f"MEM_MCP_LLM__{name.upper()}", value)
    with pytest.raises(ConfigError, match=f"^llm.{name}: "):
        load_settings()


# The library's manners.


async def test_a_gateway_may_be_closed_and_others_go_on(server: LLMServer, make: Make):
    server.always(TEA)
    one, other = make(), make()
    await one.complete(ASK, Facts)
    await other.complete(ASK, Facts)
    await one.aclose()
    await one.aclose()
    await other.complete(ASK, Facts)
    await other.aclose()
    await make().complete(ASK, Facts)


def test_importing_the_package_does_not_import_the_library():
    code = "import sys, mem_mcp.llm; print('litellm' in sys.modules, 'openai' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


NOISY = """
import asyncio
import sys
import warnings

from llm_server import LLMServer, Reply, failing

from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMError
from mem_mcp.llm import Gateway
from pydantic import BaseModel


class Facts(BaseModel):
    facts: list[str]


MODELS = ("openai/test", "hosted_vllm/test", "nonsense", "anthropic/x", "ollama_chat/x")


async def ask(gateway):
    try:
        await gateway.complete([{"role": "user", "content": "x"}], Facts)
    except LLMError as error:
        print(type(error).__name__, file=sys.stderr)


async def main():
    with LLMServer() as server:
        server.always({"facts": []})
        for model in MODELS:
            retries = int(model == MODELS[0])
            gateway = Gateway(LLMSettings(model=model, api_base=server.url, retries=retries))
            await ask(gateway)
            server.always(failing(500, "secret-text"))
            await ask(gateway)
            server.always(Reply("<html>secret-text</html>"))
            await ask(gateway)
            server.always(failing(401, "secret-text"))
            await ask(gateway)
            server.always({"facts": []})
            await gateway.aclose()


asyncio.run(main())
"""


@pytest.mark.slow
def test_nothing_is_written_to_stdout_and_no_connection_is_left_open(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("INITIAL_RETRY_DELAY", "0.01")
    monkeypatch.setenv("JITTER", "0")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", NOISY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    lines = done.stderr.split("\n")
    assert [line for line in lines if line and not line.startswith("LLM")] == []
    assert "secret-text" not in done.stderr
