"""The gateway: messages in, a validated answer out; texts in, vectors or scores out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Generic

from mem_mcp.config import LLMSettings
from mem_mcp.errors import (
    LLMBadOutput,
    LLMBudgetSpent,
    LLMCut,
    LLMError,
    LLMRefused,
    LLMRejected,
    LLMUnavailable,
)
from mem_mcp.llm import litellm_api, response_parsing, structured_output
from mem_mcp.llm.dispatch import Dispatcher, ModelRequest
from mem_mcp.llm.fallback_notes import note_fallback
from mem_mcp.llm.structured_output import Answer, AnswerRequest, Format, Message, UnusableAnswer
from mem_mcp.llm.usage import PROCESS, Call, Ledger, Turn, Usage, open_turn

_log = logging.getLogger(__name__)
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Completion(Generic[Answer]):
    """A model's answer."""

    answer: Answer
    usage: Usage
    """Usage of all requests for this answer, including failed ones."""
    model: str
    """The model that answered: the configured one, or a fallback."""
    cut: bool = False
    """Whether the answer was cut, so that only its beginning was read."""


class Gateway:
    """Calls models within the limits of the settings.

    It belongs to one event loop. Making one costs nothing: the first call, or `warm`, imports
    LiteLLM.

    Args:
        settings: model, limits, retries and timeouts.
        ledger: counts the usage; the daily budgets apply to it.
        on_call: is called with each request after it has ended; must not raise.
    """

    def __init__(
        self,
        settings: LLMSettings,
        ledger: Ledger = PROCESS,
        *,
        on_call: Callable[[Call], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._dispatcher = Dispatcher(settings, ledger, on_call)
        self._formats: dict[str, Format] = {}
        self._is_warm = False

    async def warm(self) -> None:
        """Import LiteLLM in a thread, before the first call needs it; log what budgets miss."""
        if self._is_warm:
            return
        self._is_warm = True
        if note := await self.unbounded():
            _log.warning("%s", note)
        await litellm_api.litellm()

    async def unbounded(self) -> str:
        """Name the models whose calls llm.dollars_per_day cannot bound; empty if there are none."""
        models = dict.fromkeys(model for model, _ in self._settings.addresses if model)
        if not (models and self._settings.dollars_per_day):
            return ""
        library = await litellm_api.litellm()
        priced = await asyncio.gather(
            *(asyncio.to_thread(litellm_api.has_price, library, model) for model in models)
        )
        unpriced = [model for model, known in zip(models, priced, strict=True) if not known]
        if not unpriced:
            return ""
        return (
            f"llm.dollars_per_day does not bound {', '.join(unpriced)}, whose price is not known: "
            "set llm.tokens_per_day or llm.calls_per_day"
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._dispatcher.close()

    @property
    def usage(self) -> Usage:
        """Usage that the ledger has counted."""
        return self._ledger.total

    def turn(self) -> AbstractContextManager[Turn]:
        """Open a turn: the calls inside share one deadline, and their usage is summed.

        The deadline ends calls to models only, nothing else.
        """
        return open_turn(self._settings.deadline_seconds)

    async def complete(
        self,
        messages: Sequence[Message],
        answer: type[Answer],
        *,
        max_output_tokens: int | None = None,
        partial: bool = False,
    ) -> Completion[Answer]:
        """Return an answer of a given form, from the configured model or a fallback.

        Args:
            messages: messages of OpenAI's chat API; contents may have image parts.
            answer: model class of the answer. Flat ones without defaults or dicts suit most
                providers.
            max_output_tokens: length of the longest answer; None for the setting.
            partial: take the beginning of an answer that was cut, instead of asking again for an
                answer of twice the length.

        Raises:
            LLMCut: with `partial`, an answer was cut and nothing of it can be used.
            LLMError: no model gave a usable answer; the error is that of the first model.
        """
        if not self._settings.model:
            raise LLMUnavailable("unconfigured", "no language model is configured; set llm.model")
        tokens = max_output_tokens or self._settings.max_output_tokens
        request = AnswerRequest(messages, answer, tokens)
        async with self._within_deadline() as turn:
            await self.warm()
            failures: list[LLMError] = []
            # The Router's own fallbacks would take a refused format for a failure, and never try
            # the next format with the first model.
            for model, api_base in self._settings.addresses:
                try:
                    there = replace(request, api_base=api_base)
                    result, cut = await self._in_best_format(turn, model, there, partial=partial)
                except (LLMRefused, LLMBudgetSpent):
                    raise
                except LLMError as error:
                    _log.info("%s", error)
                    failures.append(error)
                else:
                    if failures:
                        note_fallback(f"the fallback {model} answered, since {failures[0]}")
                    return Completion(result, turn.usage, model, cut)
            raise failures[0]

    async def embed(
        self, texts: Sequence[str], model: str, *, api_base: str = ""
    ) -> list[list[float]]:
        """Return one vector for each text, in order.

        Args:
            texts: any number of texts; they are sent in batches.
            model: embedding model as LiteLLM names it.
            api_base: address of its server; empty: the provider's own.

        Raises:
            LLMError: a vector could not be made.
        """
        vectors: list[list[float]] = []
        async with self._within_deadline() as turn:
            for start in range(0, len(texts), response_parsing.BATCH):
                batch = list(texts[start : start + response_parsing.BATCH])
                arguments = {"input": batch}
                request = ModelRequest("embedding", model, api_base, _estimate(batch), arguments)
                response = await self._dispatcher.send(turn, request)
                vectors += response_parsing.embeddings(response.data, len(batch), model)
        return vectors

    async def rerank(
        self, query: str, documents: Sequence[str], model: str, *, api_base: str = ""
    ) -> list[float]:
        """Return the relevance of each document to a query, in order; higher is better.

        Args:
            query: a question.
            documents: texts that may answer it.
            model: reranking model as LiteLLM names it.
            api_base: address of its server; empty: the provider's own.

        Raises:
            LLMError: a document could not be scored.
        """
        arguments = {"query": query, "documents": [*documents], "top_n": len(documents)}
        tokens = _estimate([query, *documents])
        request = ModelRequest("rerank", model, api_base, tokens, arguments)
        async with self._within_deadline() as turn:
            response = await self._dispatcher.send(turn, request)
        return response_parsing.relevances(response.results, len(documents), model)

    @property
    def is_small(self) -> bool:
        """Whether the configured model is small: the setting, else what its name says."""
        if self._settings.small is not None:
            return self._settings.small
        return litellm_api.is_small(self._settings.model)

    async def context_window(self) -> int | None:
        """Return the most tokens that the configured model reads; None if LiteLLM does not know."""
        return litellm_api.context_window(await litellm_api.litellm(), self._settings.model)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text for the configured model; an estimate for unknown ones."""
        library, model = await litellm_api.litellm(), self._settings.model
        return await asyncio.to_thread(litellm_api.count_tokens, library, model, texts)

    async def missing_keys(self, model: str) -> list[str]:
        """Return the environment variables that a model's provider needs and that are not set.

        This is only a hint: a local server may need no key, and unknown models have no variables.
        """
        return litellm_api.missing_keys(await litellm_api.litellm(), model)

    async def sees(self) -> bool:
        """Return whether the configured model reads images: the setting, else LiteLLM's answer."""
        if self._settings.vision is not None:
            return self._settings.vision
        return litellm_api.sees(await litellm_api.litellm(), self._settings.model)

    @asynccontextmanager
    async def _within_deadline(self) -> AsyncIterator[Turn]:
        with self.turn() as turn:
            try:
                if turn.over:
                    raise TimeoutError
                async with asyncio.timeout_at(turn.ends):
                    yield turn
            except TimeoutError:
                within = f"within {self._settings.deadline_seconds:g} s (llm.deadline_seconds)"
                message = f"the model gave no answer {within}"
                if turn.waits_for:
                    message = f"the model was not asked {within}: {turn.waits_for} allowed no more"
                raise LLMUnavailable("deadline", message) from None

    async def _in_best_format(
        self, turn: Turn, model: str, request: AnswerRequest[Answer], *, partial: bool
    ) -> tuple[Answer, bool]:
        first = self._formats.get(model, Format.SCHEMA)
        *formats, last = list(Format)[list(Format).index(first) :]
        for form in formats:
            with suppress(LLMRejected):
                return await self._with_second_attempt(turn, model, request, form, partial=partial)
        return await self._with_second_attempt(turn, model, request, last, partial=partial)

    async def _with_second_attempt(
        self,
        turn: Turn,
        model: str,
        request: AnswerRequest[Answer],
        form: Format,
        *,
        partial: bool,
    ) -> tuple[Answer, bool]:
        try:
            answer = await self._answer(turn, model, request, form)
        except UnusableAnswer as first:
            if partial and first.cut:
                self._formats[model] = form
                if (begun := structured_output.beginning(first.text, request.answer)) is None:
                    raise LLMCut(f"{model} gave no usable answer: it was cut") from None
                return begun, True
            try:
                answer = await self._answer(turn, model, request.again(first), form)
            except UnusableAnswer as second:
                raise LLMBadOutput(
                    f"{model} gave no usable answer, also when asked again: {second.problem}"
                ) from None
        self._formats[model] = form
        return answer, False

    async def _answer(
        self, turn: Turn, model: str, request: AnswerRequest[Answer], form: Format
    ) -> Answer:
        tokens = _estimate(_texts(request.messages))
        arguments = structured_output.arguments(request, form)
        arguments["temperature"] = self._settings.temperature
        response = await self._dispatcher.send(
            turn, ModelRequest("completion", model, request.api_base, tokens, arguments)
        )
        return structured_output.read(response, request.answer)


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield from (part.get("text", "") for part in content)


def _estimate(texts: Iterable[str]) -> int:
    """Return about how many tokens some texts have."""
    return sum(map(len, texts)) // _CHARACTERS_PER_TOKEN
