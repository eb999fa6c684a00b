"""How what a caller gives is read."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest

from mem_mcp import AsyncMemory
from mem_mcp.api.call import read
from mem_mcp.api.remember import Remember
from mem_mcp.errors import InvalidInput
from mem_mcp.intake import requests
from mem_mcp.intake.requests import taken_in
from mem_mcp.intake.secret_masks import masked


@pytest.mark.anyio
@pytest.mark.parametrize(("length", "is_beside"), [(100, False), (60_000, True)])
async def test_a_long_request_is_read_beside_the_loop_that_serves_others(
    monkeypatch: pytest.MonkeyPatch, length: int, is_beside: bool
):
    threads = []

    def noted(text: str) -> tuple[str, list[str]]:
        threads.append(threading.get_ident())
        return masked(text)

    monkeypatch.setattr(requests, "masked", noted)
    messages = [{"role": "user", "content": "x" * (length // 2)}] * 2
    await taken_in(read(Remember, {"messages": messages}, UTC), "mask")
    assert {thread != threading.get_ident() for thread in threads} == {is_beside}


@pytest.mark.anyio
async def test_a_text_that_is_too_long_is_refused_without_being_searched(
    memory: AsyncMemory, monkeypatch: pytest.MonkeyPatch
):
    (stored,) = (await memory.remember("Tea is served at five.")).results
    monkeypatch.delattr(requests, "masked")
    with pytest.raises(InvalidInput, match="content: has 100,001 characters"):
        await memory.remember("x" * 100_001)
    with pytest.raises(InvalidInput, match="content: has 100,001 characters"):
        await memory.update_memory(stored.memory_id, content="x" * 100_001)
