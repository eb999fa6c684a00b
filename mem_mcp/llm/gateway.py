"""The gateway: messages in, a validated answer out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic

from mem_mcp.config import LLMSettings
from mem_mcp.errors import (
    LLMBadOutput,
    LLMBudgetSpent,
    LLMError,
    LLMRefused,
    LLMRejected,
    LLMUnavailable,
)
from mem_mcp.llm import litellm_api, model_info, response_parsing, structured_output
from mem_mcp.llm.deadline import Turn, turn
from mem_mcp.llm.dispatch import Request, Route
from mem_mcp.llm.structured_output import Answer, Format, Message, Question, Unusable
from mem_mcp.llm.usage import PROCESS, Call, Ledger, Usage

_log = logging.getLogger(__name__)
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Completion(Generic[Answer]):
    """A model's answer."""

    answer: Answer
    usage: Usage
    """Of everything that was asked for it, failed attempts included."""
    model: str
    """Which model answered: the configured one, or a fallback."""


class Gateway:
    """Every use of a language model, within the settings' limits.

    Belongs to one event loop. Making it costs nothing; LiteLLM is imported by the first call, or
    by `warm`. The budget is counted in `ledger`, which is the process's unless another is given;
    `noted` is told of every request when it has ended, and must not raise.
    """

    def __init__(
        self,
        settings: LLMSettings,
        ledger: Ledger = PROCESS,
        *,
        noted: Callable[[Call], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._route = Route(settings, ledger, noted)
        self._forms: dict[str, Format] = {}

    async def warm(self) -> None:
        """Import LiteLLM, in a thread: for when nobody waits."""
        await litellm_api.litellm()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._route.close()

    @property
    def usage(self) -> Usage:
        """What was used since the process began, where the ledger is the process's."""
        return self._ledger.total

    def turn(self) -> AbstractContextManager[Turn]:
        """Open a turn, for all that one tool call asks: it shares one deadline and is summed up.

        The deadline ends calls to the model only, not what else is done inside.
        """
        return turn(self._settings.deadline_seconds)

    async def complete(
        self,
        messages: Sequence[Message],
        answer: type[Answer],
        *,
        max_output_tokens: int | None = None,
    ) -> Completion[Answer]:
        """Ask for an answer of a given form.

        Args:
            messages: as OpenAI's API has them; parts of a content may be images.
            answer: the form. Flat models without defaults or dicts fit most providers.
            max_output_tokens: longest answer; None is the setting's.

        Raises:
            LLMError: no usable answer, from the fallbacks neither; told of the first model.
        """
        if not self._settings.model:
            raise LLMUnavailable("unconfigured", "no language model is configured; set llm.model")
        tokens = max_output_tokens or self._settings.max_output_tokens
        question = Question(messages, answer, tokens)
        async with self._share() as share:
            failures: list[LLMError] = []
            # Not the Router's fallbacks: those take a refused form for a failure, and the first
            # model would never be asked in words.
            for model in (self._settings.model, *self._settings.fallbacks):
                try:
                    found = await self._climb(share, model, question)
                except (LLMRefused, LLMBudgetSpent):
                    raise
                except LLMError as error:
                    _log.info("%s", error)
                    failures.append(error)
                else:
                    return Completion(found, share.usage, model)
            raise failures[0]

    async def embed(
        self, texts: Sequence[str], model: str, *, api_base: str = ""
    ) -> list[list[float]]:
        """Return one vector for each text, in order.

        Args:
            texts: as many as there are; they are sent in batches.
            model: as LiteLLM names it.
            api_base: address of its server; empty: the provider's own.

        Raises:
            LLMError: not all of them could be made.
        """
        found: list[list[float]] = []
        async with self._share() as share:
            for start in range(0, len(texts), response_parsing.BATCH):
                batch = list(texts[start : start + response_parsing.BATCH])
                request = Request("embedding", model, api_base, _about(batch), {"input": batch})
                response = await self._route.send(share, request)
                found += response_parsing.embeddings(response.data, len(batch), model)
        return found

    async def rerank(
        self, query: str, documents: Sequence[str], model: str, *, api_base: str = ""
    ) -> list[float]:
        """Return how relevant each document is to a query, in order; higher is better.

        Args:
            query: a question.
            documents: what may answer it.
            model: as LiteLLM names it.
            api_base: address of its server; empty: the provider's own.

        Raises:
            LLMError: not all of them could be scored.
        """
        arguments = {"query": query, "documents": [*documents], "top_n": len(documents)}
        request = Request("rerank", model, api_base, _about([query, *documents]), arguments)
        async with self._share() as share:
            response = await self._route.send(share, request)
        return response_parsing.relevances(response.results, len(documents), model)

    async def context_window(self) -> int | None:
        """Return how many tokens the configured model reads; None where LiteLLM does not know."""
        library = await litellm_api.litellm()
        return model_info.context_window(library, self._settings.model)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text for the configured model; an estimate for unknown ones."""
        library = await litellm_api.litellm()
        return await asyncio.to_thread(
            model_info.count_tokens, library, self._settings.model, texts
        )

    async def missing_keys(self, model: str) -> list[str]:
        """Return the environment variables that a model's provider wants and that are not set.

        A hint, not a check: a server of one's own may need none, and an unknown model has none.
        """
        library = await litellm_api.litellm()
        return model_info.missing_keys(library, model)

    async def sees(self) -> bool:
        """Whether the configured model reads images; the setting wins over what LiteLLM knows."""
        if self._settings.vision is not None:
            return self._settings.vision
        library = await litellm_api.litellm()
        return model_info.sees(library, self._settings.model)

    @asynccontextmanager
    async def _share(self) -> AsyncIterator[Turn]:
        with self.turn() as share:
            try:
                if share.over:
                    raise TimeoutError
                async with asyncio.timeout_at(share.ends):
                    yield share
            except TimeoutError:
                seconds = self._settings.deadline_seconds
                raise LLMUnavailable(
                    "deadline",
                    f"the model gave no answer within {seconds:g} s (llm.deadline_seconds)",
                ) from None

    async def _climb(self, share: Turn, model: str, question: Question[Answer]) -> Answer:
        known = self._forms.get(model, Format.SCHEMA)
        forms = list(Format)[list(Format).index(known) :]
        for form in forms[:-1]:
            with suppress(LLMRejected):
                return await self._ask(share, model, question, form)
        return await self._ask(share, model, question, forms[-1])

    async def _ask(
        self, share: Turn, model: str, question: Question[Answer], form: Format
    ) -> Answer:
        try:
            found = await self._answer(share, model, question, form)
        except Unusable as unusable:
            try:
                found = await self._answer(share, model, question.again(unusable), form)
            except Unusable as still:
                raise LLMBadOutput(
                    f"{model} gave no usable answer, also when asked again: {still.problem}"
                ) from None
        self._forms[model] = form
        return found

    async def _answer(
        self, share: Turn, model: str, question: Question[Answer], form: Format
    ) -> Answer:
        settings = self._settings
        request = Request(
            "completion",
            model,
            settings.api_base if model == settings.model else "",
            _about(_texts(question.messages)),
            {**structured_output.request(question, form), "temperature": settings.temperature},
        )
        response = await self._route.send(share, request)
        return structured_output.read(response, question.answer)


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield from (part.get("text", "") for part in content)


def _about(texts: Iterable[str]) -> int:
    return sum(map(len, texts)) // _CHARACTERS_PER_TOKEN
