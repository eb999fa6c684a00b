"""Recorded answers in the place of a language model."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMBadOutput
from mem_mcp.llm.gateway import Completion, Gateway
from mem_mcp.llm.structured_output import Answer, Message
from mem_mcp.llm.usage import Ledger, Usage
from mem_mcp.prompts.extract import Extraction


class Replay(Gateway):
    """Gives recorded answers, one a call; sends nothing and costs nothing."""

    def __init__(self, answers: Sequence[Extraction], model: str = "") -> None:
        super().__init__(LLMSettings(model=model), Ledger())
        self._left = deque(answers)

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return len(self._left)

    async def complete(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - the answer is given already
        answer: type[Answer],
        *,
        max_output_tokens: int | None = None,  # noqa: ARG002 - likewise
        partial: bool = False,  # noqa: ARG002 - likewise
    ) -> Completion[Answer]:
        """Return the next answer; see `Gateway.complete`.

        Raises:
            LLMBadOutput: there is none.
        """
        with self.turn() as share:
            share.add(Usage(calls=1))
            if not self._left:
                raise LLMBadOutput("no answer to this was recorded")
            found = answer.model_validate(self._left.popleft().model_dump())
            return Completion(found, share.usage, "recorded")

    async def context_window(self, model: str = "") -> int | None:  # noqa: ARG002 - of any model
        """Return None: how much whoever answered could read is not recorded."""
        return None
