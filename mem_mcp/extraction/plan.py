"""Turn a model's answer into a plan of changes, checked without asking it again. Pure.

A model invents, repeats itself, miscounts and obeys what it reads. So an operation counts only with
a quote that stands in the messages; its statement must say what the quote says; nothing that looks
like a secret is kept; and no memory is touched that it was not shown, that is not of the caller's
scope, or that the messages do not speak of.

An operation that fails a check but whose quote stands is not lost: with a wrong target it becomes
an ADD, and with a wrong statement it becomes an ADD of the quoted sentence in its speaker's words.
The messages that the answer did not read are kept; `coverage` has the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mem_mcp.api.checks import MAX_ITEMS, MAX_NAME
from mem_mcp.api.models import Memory, Scope
from mem_mcp.extraction.coverage import (
    Heard,
    Reading,
    has_content,
    messages_to_keep,
    tells_deed,
)
from mem_mcp.extraction.dates import dates_in
from mem_mcp.extraction.field_parsing import (
    details,
    fraction_of,
    moment_of,
    reason_of,
    shortened,
    text_of,
)
from mem_mcp.extraction.grounding import Evidence, NoEvidence
from mem_mcp.extraction.quotes import comparable, same, words
from mem_mcp.extraction.secrets import Secrets
from mem_mcp.extraction.statement_check import Support, difference, sentences_of
from mem_mcp.extraction.subject_match import EMPTY_WORDS, THE_USER, share_a_subject
from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.extract import Extraction, Operation, is_shown_whole
from mem_mcp.prompts.verify import Statement, Verification
from mem_mcp.text import said_by

_CHANGEABLE = ("fact", "procedure")
_DELETABLE = (*_CHANGEABLE, "message")
_HEARSAY = 0.5
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


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What a model was shown, and whose memory it may change."""

    scope: Scope
    new: Sequence[Utterance]
    known: Sequence[Memory]
    """As they were numbered, from 1."""
    now: datetime
    most_characters: int
    """Of a memory's text."""
    context: Sequence[Utterance] = ()
    """What was said just before."""
    small: bool = False
    """Whether the model is small, so that what it passes over is kept."""
    cut: bool = False
    """Whether the answer was cut, so that only its beginning was read."""
    instructed: bool = False
    """Whether instructions may leave out what was said."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a stored memory."""

    memory: Memory
    fields: Mapping[str, Any]
    """What differs from now on: of one that ends, valid_until; of a deleted one, nothing."""
    reason: str | None
    quote: str


@dataclass(frozen=True, slots=True)
class Added:
    """A new memory."""

    text: str
    fields: Mapping[str, Any]
    """Further fields; occurred_at is absent where nothing tells it."""
    ends: Change | None = None
    """What it succeeds, where the world has changed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. Each operation of the answer is in one of the first six lists."""

    add: list[Added] = field(default_factory=list)
    update: list[Change] = field(default_factory=list)
    end: list[Change] = field(default_factory=list)
    """Without a successor; `ended` has all."""
    delete: list[Change] = field(default_factory=list)
    none: list[Memory | None] = field(default_factory=list)
    """What is known already, where the model named it."""
    dropped: list[str] = field(default_factory=list)
    """What was left out and why, a sentence for each operation."""
    trimmed: list[str] = field(default_factory=list)
    """The same of single fields whose operation counts."""
    keep: list[int] = field(default_factory=list)
    """Places of the new messages that the answer did not read."""

    @property
    def ended(self) -> list[Change]:
        """Every memory that ends and stays, once."""
        every = [*self.end, *(added.ends for added in self.add if added.ends)]
        return [*{ended.memory.memory_id: ended for ended in every}.values()]

    @property
    def degraded(self) -> list[str]:
        """Whatever of the answer does not count."""
        return [*self.dropped, *self.trimmed]


def plan(answer: Extraction, asked: PlanContext) -> Plan:
    """Turn an answer, whatever it holds, into what may be done."""
    reading = _PlanBuilder(asked)
    for operation in answer.operations:
        reading.take(operation)
    return reading.finish(len(answer.operations))


def statements(made: Plan) -> list[Statement]:
    """Return what a plan would store, for a model to verify."""
    added = [Statement(one.text, one.fields["evidence"][0]) for one in made.add]
    return [*added, *(Statement(one.fields["text"], one.quote) for one in made.update)]


def verified(made: Plan, found: Verification) -> Plan:
    """Return a plan without the statements that do not hold; those not checked stay."""
    failed = {check.n: check.reason for check in found.checks if not check.holds}
    dropped = [
        f"{shortened(one.text)} was left out, as not quite said: {shortened(failed[number])}"
        for number, one in enumerate(statements(made), start=1)
        if number in failed
    ]
    updates = enumerate(made.update, start=len(made.add) + 1)
    return replace(
        made,
        add=[one for number, one in enumerate(made.add, start=1) if number not in failed],
        update=[one for number, one in updates if number not in failed],
        dropped=[*made.dropped, *dropped],
    )


class _Dropped(Exception):
    """Why an operation does not count."""


class _WrongTarget(_Dropped):
    """The memory that an operation names cannot be changed by it."""


class _NotSaid(_Dropped):
    """Rightly left out by every reader: nobody said it."""


class _Secret(_Dropped):
    """It holds what looks like a secret."""


class _PlanBuilder:
    """Reads one answer, operation by operation."""

    def __init__(self, asked: PlanContext) -> None:
        self.plan = Plan()
        self._asked = asked
        texts = [memory.text for memory in asked.known]
        self._evidence = Evidence(asked.new, texts, asked.context)
        self._secrets = Secrets(said.text for said in asked.new)
        self._known = {same(memory.text): memory for memory in reversed(asked.known)}
        self._told: set[str] = set()
        self._told_words: list[set[str]] = []
        self._changed: set[str] = set()
        self._succeeded: dict[str, Change] = {}
        self._unused: list[str] = []
        self._read = Reading(faults=["the answer was cut"] if asked.cut else [])

    def take(self, operation: Operation) -> None:
        """Put an operation where it belongs."""
        ways = {
            "ADD": self._add, "UPDATE": self._update, "DELETE": self._delete, "NONE": self._none,
        }  # fmt: skip
        self._unused = []
        quote = operation.quote or ""
        try:
            way = ways.get(operation.op.strip().upper())
            if way is None:
                raise _Dropped("there is no such operation")
            self._take(way, self._weighed(self._with_whole_quote(operation)))
        except (_Dropped, NoEvidence) as why:
            self.plan.dropped.append(f"{self._named(operation)} was left out: {why}")
            if isinstance(why, _NotSaid):
                self._read.heard.append(Heard(quote, (quote,)))
            elif isinstance(why, _Secret):
                self._read.secret.append(quote)
            else:
                self._read.faults.append(str(why))
        else:
            told = [f"{self._named(operation)}: {one} was left out" for one in self._unused]
            self.plan.trimmed.extend(told)

    def finish(self, operations: int) -> Plan:
        """Return the plan, with the messages that the answer did not read."""
        self._read.operations = operations
        known = [memory.text for memory in self._asked.known]
        self.plan.keep[:] = messages_to_keep(
            self._asked.new,
            self._read,
            known=known,
            small=self._asked.small,
            instructed=self._asked.instructed,
        )
        return self.plan

    def _take(self, way: Callable[[Operation], None], operation: Operation) -> None:
        """Do an operation; where only its target is wrong, add what it says."""
        try:
            way(operation)
        except _WrongTarget as why:
            if operation.op.strip().upper() == "DELETE" or not operation.quote:
                raise
            self._read.faults.append(str(why))
            self._unused = [*self._unused, f"its target ({why})"]
            said = self._evidence.of(operation.quote)
            text = operation.text or self._own_words(operation, said)
            self._add(operation.model_copy(update={"target": None, "text": text}))

    def _with_whole_quote(self, operation: Operation) -> Operation:
        """Return the operation with the sentence it quotes, where it copied that inexactly."""
        if operation.quote and (sentence := self._evidence.nearest(operation.quote)):
            return operation.model_copy(update={"quote": sentence})
        return operation

    def _own_words(self, operation: Operation, said: Sequence[Utterance]) -> str:
        """Return the quoted sentence as its speaker said it."""
        first = said[0]
        sentences = sentences_of(first.text, operation.quote or "") or [operation.quote or ""]
        return said_by(first.name or first.role, " ".join(sentences))

    def _add(self, operation: Operation) -> None:
        said, fields = self._heard(operation)
        self._states(operation, said)
        twin = self._known.get(same(operation.text or ""))
        if self._evidence.is_given_back(operation.quote or ""):
            if twin is None:
                raise _NotSaid("it only gives back what was recalled from memory")
            self._is_known(twin, operation)
            return
        self._keepable(operation)
        operation = self._believed(operation, said)
        text = self._text(operation)
        began = self._date(operation, said, fields.get("occurred_at"))
        if twin is None and self._asked.small and operation.target is None:
            # Its wording differs a little from time to time.
            mine = words(text) - EMPTY_WORDS
            twin = next((one for one in self._asked.known if mine <= words(one.text)), None)
        if twin is not None:
            self._add_known(operation, twin, said, began)
            return
        self._once(text)
        ends = self._predecessor(operation, said, began)
        if ends is not None:
            self._succeeded[ends.memory.memory_id] = ends
        if began is not None:
            fields["occurred_at"] = began
        fields["kind"] = "procedure" if operation.kind == "procedure" else "fact"
        fields["reason"] = reason_of(operation)
        fields["evidence"] = [operation.quote]
        self.plan.add.append(Added(text, fields, ends))
        self._covers(operation, text, *([ends.memory.text] if ends else []))

    def _add_known(
        self, operation: Operation, twin: Memory, said: Sequence[Utterance], began: datetime | None
    ) -> None:
        """Take what is known already for news about another memory, if there is one."""
        ends = self._predecessor(operation, said, began)
        if ends is None or ends.memory.memory_id == twin.memory_id:
            self._is_known(twin, operation)
        else:
            self._change(self.plan.end, ends)
            self._covers(operation, twin.text, ends.memory.text)

    def _update(self, operation: Operation) -> None:
        said, fields = self._heard(operation)
        self._keepable(operation)
        memory = self._target(operation, _CHANGEABLE)
        self._is_of(memory, operation, said)
        if (twin := self._known.get(same(operation.text or ""))) not in (None, memory):
            self._is_known(twin, operation)
            return
        if operation.text and not self._share_a_topic(operation.text, memory, said):
            raise _WrongTarget(f"memory {operation.target} is of something else")
        if same(operation.text or "") in ("", same(memory.text)):
            self._end(operation, memory, fields.get("valid_until"))
            return
        text = text_of(operation.text, self._asked.most_characters)
        why = self._difference(operation, said, memory) if text else "its text is too long"
        if text is None or why:
            raise _WrongTarget(f"memory {operation.target} stays, as {why}")
        if self._asked.small and not self._is_supported(operation, said):
            raise _WrongTarget(f"memory {operation.target} stays, as it adds what is not quoted")
        if self._asked.small and self._is_change(operation, said):
            # It does not tell a change of the world from a correction.
            self._add(operation)
            return
        if self._asked.small:
            text = self._whole(text, memory, operation, said)
        if not is_shown_whole(memory):
            raise _WrongTarget(f"memory {operation.target} was shown in part")
        self._once(text)
        if fields.get("valid_until", self._asked.now) < self._asked.now:
            # Most likely meant of what it replaces: what was just said would seem to be over.
            del fields["valid_until"]
            self._unused.append("its valid_until, which is past")
        fields["text"] = text
        fields["tags"] = list(dict.fromkeys([*memory.tags, *fields["tags"]]))[:MAX_ITEMS]
        fields["evidence"] = list(dict.fromkeys([*memory.evidence, operation.quote]))[-MAX_ITEMS:]
        self._change(self.plan.update, _change(operation, memory, fields))
        self._covers(operation, text)

    def _whole(
        self, text: str, memory: Memory, operation: Operation, said: Sequence[Utterance]
    ) -> str:
        """Return what replaces a memory: the quoted sentence if the text lacks what both say."""
        own = self._own_words(operation, said)
        both = words(memory.text) & words(own) - EMPTY_WORDS
        lacks = both - words(text) and not self._secrets.held_by([own])
        return own if lacks and len(own) <= self._asked.most_characters else text

    def _end(self, operation: Operation, memory: Memory, until: datetime | None) -> None:
        if until is not None and until != memory.valid_until:
            until = max(until, memory.occurred_at)
            self._change(self.plan.end, _change(operation, memory, {"valid_until": until}))
            self._covers(operation, memory.text, operation.quote or "")
        elif until is not None or (operation.text or "").strip():
            self._is_known(memory, operation)
        else:
            raise _WrongTarget("it says neither what is right nor since when it is over")

    def _delete(self, operation: Operation) -> None:
        self._heard(operation)
        if not self._evidence.is_wished(operation.quote or ""):
            raise _Dropped("only what a person says deletes a memory")
        memory = self._target(operation, _DELETABLE)
        self._is_meant(memory, operation)
        if self._secrets.held_by([operation.reason or ""]):
            operation = operation.model_copy(update={"reason": None})
        self._change(self.plan.delete, _change(operation, memory, {}))
        self._covers(operation, memory.text, operation.quote or "")

    def _none(self, operation: Operation) -> None:
        memory = None if operation.target is None else self._memory(operation.target)
        if memory and operation.quote:
            said = self._evidence.of(operation.quote)
            if not self._share_a_topic(f"{operation.text or ''} {operation.quote}", memory, said):
                raise _WrongTarget(f"memory {operation.target} is of something else")
        self._is_known(memory, operation)

    def _is_known(self, memory: Memory | None, operation: Operation) -> None:
        self._unused = []
        self.plan.none.append(memory)
        self._covers(operation, *([memory.text] if memory else []))

    def _covers(self, operation: Operation, *says: str) -> None:
        self._read.heard.append(Heard(operation.quote or "", says))

    def _states(self, operation: Operation, said: Sequence[Utterance]) -> None:
        """Refuse what a small model quotes of a question, a greeting, or an agent's talk."""
        if not self._asked.small:
            return
        sentences = [one for each in said for one in sentences_of(each.text, operation.quote or "")]
        if sentences and not any(map(has_content, sentences)):
            raise _NotSaid("what it quotes states nothing")
        if all(one.speaker == "machine" for one in said) and not any(map(tells_deed, sentences)):
            raise _NotSaid("the agent only talks of it")

    def _date(
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

    def _believed(self, operation: Operation, said: Sequence[Utterance]) -> Operation:
        """Return the operation, with its speaker's own words if its text says something else."""
        text = text_of(operation.text, self._asked.most_characters)
        why = self._difference(operation, said) if text else "its text is empty or too long"
        if not why and self._asked.small and not self._is_supported(operation, said):
            why = "it adds what is not quoted"
        elif not why and not self._shares_a_word(operation, said):
            why = "it has no word of what it quotes"
        if not why:
            return operation
        quoted = [one for each in said for one in sentences_of(each.text, operation.quote or "")]
        if text and quoted and not any(map(has_content, quoted)):
            raise _NotSaid(why)
        self._unused.append(f"its text ({why})")
        own = text_of(self._own_words(operation, said), self._asked.most_characters)
        if own is None or self._secrets.held_by([own]):
            raise _Secret(why)
        lower = min(fraction_of(operation.confidence) or _HEARSAY, _HEARSAY)
        changes: dict[str, Any] = {
            "text": own,
            "target": None,
            "relations": [],
            "confidence": lower,
        }
        return operation.model_copy(update=changes)

    def _shares_a_word(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether a text has a content word of what is said, beside who says it; or none at all."""
        who = [name for one in said for name in _called(one, self._asked.scope.user_id)]
        names = words(" ".join(who))
        mine = words(operation.text or "") - EMPTY_WORDS - names
        if not any(len(word) >= _STEM for word in mine):
            return True
        around = [*self._evidence.before(operation.quote or ""), *(one.text for one in said)]
        known = [memory.text for memory in self._asked.known]
        return share_a_subject([operation.text or ""], [*around, *known], who)

    def _is_change(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether the quoted sentence tells that something has changed."""
        quote = operation.quote or ""
        quoted = [one for each in said for one in sentences_of(each.text, quote)]
        return any(_CHANGED.search(comparable(one)) for one in quoted)

    def _is_supported(self, operation: Operation, said: Sequence[Utterance]) -> bool:
        """Whether most of the words of a small model's text stand in the message it quotes."""
        names = " ".join(name for one in said for name in _called(one, ""))
        before = self._evidence.before(operation.quote or "")
        support = words(" ".join([names, *before, *(one.text for one in said)]))
        stems = {word[:_STEM] for word in support}
        mine = words(operation.text or "") - EMPTY_WORDS
        found = sum(word in support or word[:_STEM] in stems for word in mine)
        return found >= _SUPPORTED * len(mine)

    def _difference(
        self, operation: Operation, said: Sequence[Utterance], replaced: Memory | None = None
    ) -> str:
        quote = operation.quote or ""
        around = [*self._evidence.before(quote), *(one.text for one in self._asked.context)]
        around += [memory.text for memory in self._asked.known]
        if replaced is not None:
            around += _content(replaced)
        people = [one.name for one in (*self._asked.context, *self._asked.new) if one.name]
        people.append(self._asked.scope.user_id)
        return difference(operation.text or "", Support(said, quote, around, people))

    def _heard(self, operation: Operation) -> tuple[list[Utterance], dict[str, Any]]:
        """Return who says it, and what the operation tells beside its text."""
        said = self._evidence.of(operation.quote or "")
        if text_of(operation.quote, self._asked.most_characters) is None:
            raise _Dropped("what it quotes is too long, or cannot be stored")
        dated = any(one.at for one in said)
        fields, unused = details(operation, dated=dated, most=MAX_ITEMS, most_characters=MAX_NAME)
        self._unused += unused
        return said, fields

    def _named(self, operation: Operation) -> str:
        told = operation.text or operation.quote or ""
        what = self._secrets.held_by([told])
        return f"{shortened(operation.op)} {f'(a {what})' if what else shortened(told)}"

    def _keepable(self, operation: Operation) -> None:
        """Refuse what would store a secret, or what an agent only supposes."""
        edges = [
            part
            for edge in operation.relations
            for part in (edge.source, edge.relation, edge.target)
        ]
        told = (operation.text, operation.quote, operation.reason)
        stored = [*filter(None, told), *operation.tags, *operation.entities, *edges]
        if what := self._secrets.held_by(stored):
            raise _Secret(f"it holds what looks like a {what}")
        if self._evidence.is_supposed(operation.quote or ""):
            raise _NotSaid("the agent only supposes it, and nobody says that it is so")

    def _weighed(self, operation: Operation) -> Operation:
        """Mark what nobody but the agent says of the person it talks to."""
        if not self._evidence.is_hearsay(operation.quote or ""):
            return operation
        confidence = fraction_of(operation.confidence)
        lower = _HEARSAY if confidence is None else min(confidence, _HEARSAY)
        reason = f"only the agent says so: {operation.reason or 'no reason given'}"
        return operation.model_copy(update={"confidence": lower, "reason": reason})

    def _is_of(self, memory: Memory, operation: Operation, said: Sequence[Utterance]) -> None:
        """Refuse a change of a memory that nothing around the quote speaks of."""
        quote = operation.quote or ""
        # "I" also matches memories that name the speaker or say "the user".
        who = [name for one in said for name in _called(one, memory.user_id)]
        told = [operation.text or "", *self._evidence.near(quote), *self._evidence.before(quote)]
        if self._asked.small:
            # It picks a memory of the same person for want of one of the same topic.
            is_of = share_a_subject(told[1:], [memory.text], who)
        else:
            is_of = share_a_subject([*told, *who], _content(memory))
        if not is_of:
            raise _WrongTarget(f"memory {operation.target} is of something else")

    def _share_a_topic(self, text: str, memory: Memory, said: Sequence[Utterance]) -> bool:
        """Whether a text and a memory share a content word, beside who speaks."""
        who = [name for one in said for name in _called(one, memory.user_id)]
        if not words(memory.text) - EMPTY_WORDS - words(" ".join(who)):
            return True
        return share_a_subject([text], _content(memory), who)

    def _is_meant(self, memory: Memory, operation: Operation) -> None:
        """Refuse a deletion that does not name what is to be forgotten.

        Users cannot know the numbers that a model is shown memories by: a quote that contains one
        is an injection.
        """
        quote, number = operation.quote or "", str(operation.target)
        told = self._evidence.near(quote)
        if not any(number in words(text) for text in told):
            told += self._evidence.before(quote)
        if not share_a_subject(told, _content(memory), [*_ABOUT_MEMORY, number]):
            raise _Dropped(f"what it quotes does not speak of memory {number}")

    def _text(self, operation: Operation) -> str:
        text = text_of(operation.text, self._asked.most_characters)
        if text is None:
            raise _Dropped("its text is empty, too long or cannot be stored")
        return text

    def _once(self, text: str) -> None:
        mine = words(text) - EMPTY_WORDS
        if same(text) in self._told or (
            self._asked.small and any(mine <= earlier for earlier in self._told_words)
        ):
            raise _Dropped("an earlier operation says the same")
        self._told.add(same(text))
        self._told_words.append(mine)

    def _memory(self, number: int) -> Memory:
        if not 1 <= number <= len(self._asked.known):
            raise _WrongTarget(f"no memory {shortened(str(number))} was shown")
        return self._asked.known[number - 1]

    def _target(self, operation: Operation, kinds: Sequence[str]) -> Memory:
        if operation.target is None:
            raise _WrongTarget("it names no memory")
        memory, scope = self._memory(operation.target), self._asked.scope
        # What is true in one run of a user and agent is true in all, as for duplicates.
        if memory.user_id != scope.user_id or scope.agent_id not in (None, memory.agent_id):
            raise _WrongTarget(f"memory {operation.target} is not of this user and agent")
        if memory.kind not in kinds:
            raise _WrongTarget(f"memory {operation.target} is of kind {memory.kind}, which stays")
        if memory.memory_id in self._changed | self._succeeded.keys():
            raise _WrongTarget(f"memory {operation.target} is changed by an earlier operation")
        return memory

    def _predecessor(
        self, operation: Operation, said: Sequence[Utterance], began: datetime | None
    ) -> Change | None:
        """Return what an addition ends; where its target cannot be, the addition still counts."""
        if operation.target is None:
            return None
        try:
            memory = self._memory(operation.target)
            if memory.memory_id in self._succeeded:
                return self._succeeded[memory.memory_id]
            memory = self._target(operation, _CHANGEABLE)
            self._is_of(memory, operation, said)
        except _Dropped as why:
            self._unused.append(f"its target ({why})")
            return None
        until = max(began or self._asked.now, memory.occurred_at)
        if memory.valid_until is not None and memory.valid_until <= until:
            return None
        return _change(operation, memory, {"valid_until": until})

    def _change(self, changes: list[Change], change: Change) -> None:
        self._changed.add(change.memory.memory_id)
        changes.append(change)


def _change(operation: Operation, memory: Memory, fields: Mapping[str, Any]) -> Change:
    differing = {name: new for name, new in fields.items() if new != getattr(memory, name)}
    return Change(memory, differing, reason_of(operation), operation.quote or "")


def _called(said: Utterance, user_id: str) -> Sequence[str]:
    if said.name:
        return [said.name]
    return ["agent"] if said.speaker == "machine" else [user_id, *THE_USER]


def _content(memory: Memory) -> list[str]:
    edges = [part for one in memory.relations for part in (one.source, one.relation, one.target)]
    return [memory.text, *memory.entities, *memory.tags, *memory.evidence, *edges]
