"""Check single operations of a model's answer against the messages and memories it saw. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mem_mcp.api.models import Memory, Relation
from mem_mcp.dates import dates_in
from mem_mcp.extraction.clauses import sentences_of
from mem_mcp.extraction.coverage import has_content, tells_deed
from mem_mcp.extraction.field_parsing import fraction_of, moment_of, shortened
from mem_mcp.extraction.grounding import Evidence
from mem_mcp.extraction.plan import PlanContext
from mem_mcp.extraction.quotes import comparable, words
from mem_mcp.extraction.secrets import Secrets
from mem_mcp.extraction.statement_check import Support, is_named
from mem_mcp.extraction.statement_check import difference as differs
from mem_mcp.extraction.subject_match import EMPTY_WORDS, THE_USER, share_a_subject
from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.extract import Operation
from mem_mcp.text import said_by

HEARSAY = 0.5
"""Highest confidence in what only an agent says about the person it talks to."""
_SUPPORTED = 0.6
"""Share of the content words of a small model's text that its message must hold."""
_STEM = 4
_CHANGED = re.compile(
    r"\b(?:left|moved?|moving|sold|gave up|given up|quit|stopped|started|changed|switched|divorced"
    r"|no longer|anymore|any more|not any|gezogen|aufgehört|gekündigt|verkauft|nicht mehr"
    r"|gewechselt"
    r"|ya no|dej[éó]|vend[ií]|me mud[éo]|cambi[éó]|quitté|déménagé|vendu|ne \w+ plus|arrêté"
    r"|lasciato|trasferit[oa]|venduto|non \w+ più|smesso|deixei|mudei|vendi|já não|parei)\b"
    r"|[辞搬]|不再|换了"
)
"""What tells a change of the world."""
_ABOUT_MEMORY = (
    "agent", "agente", "assistant", "delete", "drop", "entry", "erase", "fact", "forget",
    "memories", "memory", "message", "note", "record", "remember", "remove", "rule", "said", "say",
    "store", "stored", "system", "tell", "told", "users", "记忆", "删除", *THE_USER,
)  # fmt: skip
"""What orders about memories speak of, and memories of others seldom."""


class Dropped(Exception):
    """Why an operation does not count."""


class WrongTarget(Dropped):
    """The memory that an operation names cannot be changed by it."""


class NotSaid(Dropped):
    """Rightly left out by every reader: nobody said it."""


class HoldsSecret(Dropped):
    """It holds what looks like a secret."""


class OperationChecks:
    """What is known of the messages and memories that a model saw, to check its operations by."""

    def __init__(self, asked: PlanContext) -> None:
        self._asked = asked
        texts = [memory.text for memory in asked.known]
        self.evidence = Evidence(asked.new, texts, asked.context)
        self.secrets = Secrets(said.text for said in asked.new)

    def with_whole_quote(self, operation: Operation) -> Operation:
        """Return the operation with the sentence it quotes, where it copied that inexactly."""
        if operation.quote and (sentence := self.evidence.nearest(operation.quote)):
            return operation.model_copy(update={"quote": sentence})
        return operation

    def own_words(self, operation: Operation, said: Sequence[Utterance]) -> str:
        """Return the quoted sentence as its speaker said it."""
        first = said[0]
        sentences = sentences_of(first.text, operation.quote or "") or [operation.quote or ""]
        return said_by(first.name or first.role, " ".join(sentences))

    def check_states(self, operation: Operation, said: Sequence[Utterance]) -> None:
        """Refuse what a small model quotes of a question, a greeting, or an agent's talk."""
        if not self._asked.small:
            return
        sentences = [one for each in said for one in sentences_of(each.text, operation.quote or "")]
        if sentences and not any(map(has_content, sentences)):
            raise NotSaid("what it quotes states nothing")
        if all(one.speaker == "machine" for one in said) and not any(map(tells_deed, sentences)):
            raise NotSaid("the agent only talks of it")

    def date(
        self, operation: Operation, said: Sequence[Utterance], told: datetime | None
    ) -> datetime | None:
        """Return when something happened: as its sentence says, else as told, else when said."""
        first = next((one for one in said if one.at), None)
        if first is None or first.at is None:
            return told
        sentences = " ".join(sentences_of(first.text, operation.quote or ""))
        named = dates_in(sentences, first.at.date())
        if named and (self._asked.small or (told and len(named) == 1)):
            moments = [moment_of(one.iso, dated=True) for one in named]
            if told is None or not any(told.isoformat().startswith(one.iso) for one in named):
                return moments[0] or first.at
        elif self._asked.small:
            return first.at
        return told or first.at

    def shares_a_word(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether a text has a content word of what is said, beside who says it; or none at all."""
        who = [name for one in said for name in called(one, self._asked.scope.user_id)]
        names = words(" ".join(who))
        mine = words(operation.text or "") - EMPTY_WORDS - names
        if not any(len(word) >= _STEM for word in mine):
            return True
        around = [*self.evidence.before(operation.quote or ""), *(one.text for one in said)]
        known = [memory.text for memory in self._asked.known]
        return share_a_subject([operation.text or ""], [*around, *known], who)

    def is_change(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether the quoted sentence tells that something has changed."""
        quote = operation.quote or ""
        quoted = [one for each in said for one in sentences_of(each.text, quote)]
        return any(_CHANGED.search(comparable(one)) for one in quoted)

    def is_supported(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether most of the words of a small model's text stand in the message it quotes."""
        names = " ".join(name for one in said for name in called(one, ""))
        before = self.evidence.before(operation.quote or "")
        support = words(" ".join([names, *before, *(one.text for one in said)]))
        stems = {word[:_STEM] for word in support}
        mine = words(operation.text or "") - EMPTY_WORDS
        found = sum(word in support or word[:_STEM] in stems for word in mine)
        return found >= _SUPPORTED * len(mine)

    def difference(
        self, operation: Operation, said: Sequence[Utterance], replaced: Memory | None = None
    ) -> str:
        """Return in which way the text says something else than its quote; "" if it does not."""
        return differs(operation.text or "", self._support(operation, said, replaced))

    def _support(
        self, operation: Operation, said: Sequence[Utterance], replaced: Memory | None = None
    ) -> Support:
        quote = operation.quote or ""
        around = [*self.evidence.before(quote), *(one.text for one in self._asked.context)]
        around += [memory.text for memory in self._asked.known]
        if replaced is not None:
            around += parts_of(replaced)
        people = [one.name for one in (*self._asked.context, *self._asked.new) if one.name]
        people.append(self._asked.scope.user_id)
        return Support(said, quote, around, people)

    def unnamed(
        self, operation: Operation, said: Sequence[Utterance], fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the entities and relations that somebody named, and notes about the others.

        A relation must also say what the quote says: it is held against it as a sentence.
        """
        support = self._support(operation, said)
        kept: dict[str, Any] = {
            "entities": [each for each in fields["entities"] if is_named(each, support)],
            "relations": [
                each
                for each in fields["relations"]
                if is_named(each.source, support)
                and is_named(each.target, support)
                and not differs(sentence_of(each), support)
            ],
        }
        notes = [
            f"{len(fields[name]) - len(left)} of its {name}, which nobody named"
            for name, left in kept.items()
            if len(left) < len(fields[name])
        ]
        return kept, notes

    def named(self, operation: Operation) -> str:
        """Return what an operation is called in notes: no secret, and not too long."""
        told = operation.text or operation.quote or ""
        what = self.secrets.held_by([told])
        return f"{shortened(operation.op)} {f'(a {what})' if what else shortened(told)}"

    def check_keepable(self, operation: Operation) -> None:
        """Refuse what would store a secret, or what an agent only supposes."""
        edges = [
            part
            for edge in operation.relations
            for part in (edge.source, edge.relation, edge.target)
        ]
        told = (operation.text, operation.quote, operation.reason)
        stored = [*filter(None, told), *operation.tags, *operation.entities, *edges]
        if what := self.secrets.held_by(stored):
            raise HoldsSecret(f"it holds what looks like a {what}")
        if self.evidence.is_supposed(operation.quote or ""):
            raise NotSaid("the agent only supposes it, and nobody says that it is so")

    def weighed(self, operation: Operation) -> Operation:
        """Mark what nobody but the agent says of the person it talks to."""
        if not self.evidence.is_hearsay(operation.quote or ""):
            return operation
        confidence = fraction_of(operation.confidence)
        lower = HEARSAY if confidence is None else min(confidence, HEARSAY)
        reason = f"only the agent says so: {operation.reason or 'no reason given'}"
        return operation.model_copy(update={"confidence": lower, "reason": reason})

    def check_is_of(self, memory: Memory, operation: Operation, said: Sequence[Utterance]) -> None:
        """Refuse a change of a memory that nothing around the quote speaks of."""
        quote = operation.quote or ""
        # "I" also matches memories that name the speaker or say "the user".
        who = [name for one in said for name in called(one, memory.user_id)]
        told = [operation.text or "", *self.evidence.near(quote), *self.evidence.before(quote)]
        if self._asked.small:
            # It picks a memory of the same person for want of one of the same topic.
            is_of = share_a_subject(told[1:], [memory.text], who)
        else:
            is_of = share_a_subject([*told, *who], parts_of(memory))
        if not is_of:
            raise WrongTarget(f"memory {operation.target} is of something else")

    def share_a_topic(self, text: str, memory: Memory, said: Sequence[Utterance]) -> bool:
        """Whether a text and a memory share a content word, beside who speaks."""
        who = [name for one in said for name in called(one, memory.user_id)]
        if not words(memory.text) - EMPTY_WORDS - words(" ".join(who)):
            return True
        return share_a_subject([text], parts_of(memory), who)

    def check_is_meant(self, memory: Memory, operation: Operation) -> None:
        """Refuse a deletion that does not name what is to be forgotten.

        Users cannot know the numbers that a model is shown memories by: a quote that contains one
        is an injection.
        """
        quote, number = operation.quote or "", str(operation.target)
        told = self.evidence.near(quote)
        if not any(number in words(text) for text in told):
            told += self.evidence.before(quote)
        if not share_a_subject(told, parts_of(memory), [*_ABOUT_MEMORY, number]):
            raise Dropped(f"what it quotes does not speak of memory {number}")


def called(said: Utterance, user_id: str) -> Sequence[str]:
    """Return the names of who says a message."""
    if said.name:
        return [said.name]
    return ["agent"] if said.speaker == "machine" else [user_id, *THE_USER]


def sentence_of(edge: Relation) -> str:
    """Return a relation as a sentence: "Ana lives in Rome"."""
    return f"{edge.source} {edge.relation.replace('_', ' ')} {edge.target}"


def parts_of(memory: Memory) -> list[str]:
    """Return every text of a memory that tells what it is about."""
    edges = [part for one in memory.relations for part in (one.source, one.relation, one.target)]
    return [memory.text, *memory.entities, *memory.tags, *memory.evidence, *edges]
