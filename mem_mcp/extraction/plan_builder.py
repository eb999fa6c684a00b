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

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mem_mcp.api.checks import MAX_ITEMS, MAX_NAME
from mem_mcp.api.models import Memory
from mem_mcp.extraction.clauses import sentences_of
from mem_mcp.extraction.coverage import Heard, Reading, has_content, messages_to_keep
from mem_mcp.extraction.field_parsing import details, reason_of, shortened, text_of
from mem_mcp.extraction.grounding import NoEvidence
from mem_mcp.extraction.operation_checks import (
    Dropped,
    HoldsSecret,
    NotSaid,
    OperationChecks,
    WrongTarget,
)
from mem_mcp.extraction.plan import Added, Change, Plan, PlanContext
from mem_mcp.extraction.quotes import same, words
from mem_mcp.extraction.subject_match import EMPTY_WORDS, shared
from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.extract import Extraction, Operation, is_shown_whole

_CHANGEABLE = ("fact", "procedure")
_DELETABLE = (*_CHANGEABLE, "message")


def plan(answer: Extraction, asked: PlanContext) -> Plan:
    """Turn an answer, whatever it holds, into what may be done."""
    reading = _PlanBuilder(asked)
    for operation in answer.operations:
        reading.take(operation)
    return reading.finish(len(answer.operations))


class _PlanBuilder:
    """Reads one answer, operation by operation."""

    def __init__(self, asked: PlanContext) -> None:
        self.plan = Plan()
        self._asked = asked
        self._checks = OperationChecks(asked)
        self._known = {same(memory.text): memory for memory in reversed(asked.known)}
        self._told: set[str] = set()
        self._told_words: list[set[str]] = []
        self._changed: set[str] = set()
        self._succeeded: dict[str, Change] = {}
        self._unused: list[str] = []
        self._named_nothing = 0
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
                raise Dropped("there is no such operation")
            self._take(way, self._checks.weighed(self._checks.with_whole_quote(operation)))
        except (Dropped, NoEvidence) as why:
            self.plan.dropped.append(f"{self._checks.named(operation)} was left out: {why}")
            if isinstance(why, NotSaid):
                self._read.heard.append(Heard(quote, (quote,)))
            elif isinstance(why, HoldsSecret):
                self._read.secret.append(quote)
            else:
                self._read.faults.append(str(why))
        else:
            told = [f"{self._checks.named(operation)}: {one} was left out" for one in self._unused]
            self.plan.trimmed.extend(told)

    def finish(self, operations: int) -> Plan:
        """Return the plan, with the messages that the answer did not read."""
        self._read.operations = operations - self._named_nothing
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
        except WrongTarget as why:
            if operation.op.strip().upper() == "DELETE" or not operation.quote:
                raise
            self._read.faults.append(str(why))
            self._unused = [*self._unused, f"its target ({why})"]
            said = self._checks.evidence.of(operation.quote)
            text = operation.text or self._checks.own_words(operation, said)
            self._add(operation.model_copy(update={"target": None, "text": text}))

    def _add(self, operation: Operation) -> None:
        said, fields = self._heard(operation)
        self._checks.check_states(operation, said)
        twin = self._known.get(same(operation.text or ""))
        if self._checks.evidence.is_given_back(operation.quote or ""):
            if twin is None:
                raise NotSaid("it only gives back what was recalled from memory")
            self._is_known(twin, operation)
            return
        self._checks.check_keepable(operation)
        believed = self._believed(operation, said)
        if believed is not operation:
            fields["relations"] = []  # they say what the text said
        operation = believed
        self._name_only_what_is_said(operation, said, fields)
        text = self._text(operation)
        began = self._checks.date(operation, said, fields.get("occurred_at"))
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

    def _name_only_what_is_said(
        self, operation: Operation, said: Sequence[Utterance], fields: dict[str, Any]
    ) -> None:
        named, notes = self._checks.unnamed(operation, said, fields)
        fields |= named
        self._unused += notes

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
        self._checks.check_keepable(operation)
        memory = self._target(operation, _CHANGEABLE)
        self._checks.check_is_of(memory, operation, said)
        if (twin := self._known.get(same(operation.text or ""))) not in (None, memory):
            self._is_known(twin, operation)
            return
        if operation.text and not self._checks.share_a_topic(operation.text, memory, said):
            raise WrongTarget(f"memory {operation.target} is of something else")
        if same(operation.text or "") in ("", same(memory.text)):
            self._end(operation, memory, fields.get("valid_until"))
            return
        text = text_of(operation.text, self._asked.most_characters)
        why = self._checks.difference(operation, said, memory) if text else "its text is too long"
        if text is None or why:
            raise WrongTarget(f"memory {operation.target} stays, as {why}")
        if self._asked.small and not self._checks.is_supported(operation, said):
            raise WrongTarget(f"memory {operation.target} stays, as it adds what is not quoted")
        if self._asked.small and self._checks.is_change(operation, said):
            # It does not tell a change of the world from a correction.
            self._add(operation)
            return
        if self._asked.small:
            text = self._whole(text, memory, operation, said)
        if not is_shown_whole(memory):
            raise WrongTarget(f"memory {operation.target} was shown in part")
        self._once(text)
        if fields.get("valid_until", self._asked.now) < self._asked.now:
            # Most likely meant of what it replaces: what was just said would seem to be over.
            del fields["valid_until"]
            self._unused.append("its valid_until, which is past")
        self._name_only_what_is_said(operation, said, fields)
        fields["text"] = text
        fields["tags"] = list(dict.fromkeys([*memory.tags, *fields["tags"]]))[:MAX_ITEMS]
        still = _still_true(memory, text)
        fields["evidence"] = list(dict.fromkeys([*still, operation.quote]))[-MAX_ITEMS:]
        self._change(self.plan.update, _change(operation, memory, fields))
        self._covers(operation, text)

    def _whole(
        self, text: str, memory: Memory, operation: Operation, said: Sequence[Utterance]
    ) -> str:
        """Return what replaces a memory: the quoted sentence if the text lacks what both say."""
        own = self._checks.own_words(operation, said)
        both = words(memory.text) & words(own) - EMPTY_WORDS
        lacks = both - words(text) and not self._checks.secrets.held_by([own])
        return own if lacks and len(own) <= self._asked.most_characters else text

    def _end(self, operation: Operation, memory: Memory, until: datetime | None) -> None:
        if until is not None and until != memory.valid_until:
            until = max(until, memory.occurred_at)
            self._change(self.plan.end, _change(operation, memory, {"valid_until": until}))
            self._covers(operation, memory.text, operation.quote or "")
        elif until is not None or (operation.text or "").strip():
            self._is_known(memory, operation)
        else:
            raise WrongTarget("it says neither what is right nor since when it is over")

    def _delete(self, operation: Operation) -> None:
        self._heard(operation)
        if not self._checks.evidence.is_wished(operation.quote or ""):
            raise Dropped("only what a person says deletes a memory")
        memory = self._target(operation, _DELETABLE)
        self._checks.check_is_meant(memory, operation)
        if self._checks.secrets.held_by([operation.reason or ""]):
            operation = operation.model_copy(update={"reason": None})
        self._change(self.plan.delete, _change(operation, memory, {}))
        self._covers(operation, memory.text, operation.quote or "")

    def _none(self, operation: Operation) -> None:
        memory = None if operation.target is None else self._memory(operation.target)
        if memory and operation.quote:
            said = self._checks.evidence.of(operation.quote)
            if not self._checks.share_a_topic(
                f"{operation.text or ''} {operation.quote}", memory, said
            ):
                raise WrongTarget(f"memory {operation.target} is of something else")
        self._is_known(memory, operation)

    def _is_known(self, memory: Memory | None, operation: Operation) -> None:
        self._unused = []
        self._named_nothing += memory is None
        self.plan.none.append(memory)
        self._covers(operation, *([memory.text] if memory else []))

    def _covers(self, operation: Operation, *says: str) -> None:
        self._read.heard.append(Heard(operation.quote or "", says))

    def _believed(self, operation: Operation, said: Sequence[Utterance]) -> Operation:
        """Return the operation, with its speaker's own words if its text says something else."""
        text = text_of(operation.text, self._asked.most_characters)
        why = self._checks.difference(operation, said) if text else "its text is empty or too long"
        if not why and self._asked.small and not self._checks.is_supported(operation, said):
            why = "it adds what is not quoted"
        elif not why and not self._checks.shares_a_word(operation, said):
            why = "it has no word of what it quotes"
        if not why:
            return operation
        quoted = [one for each in said for one in sentences_of(each.text, operation.quote or "")]
        if text and quoted and not any(map(has_content, quoted)):
            raise NotSaid(why)
        self._unused.append(f"its text ({why})")
        self._read.faults.append(why)
        own = text_of(self._checks.own_words(operation, said), self._asked.most_characters)
        if own is None or self._checks.secrets.held_by([own]):
            raise HoldsSecret(why)
        return operation.model_copy(update={"text": own, "target": None})

    def _heard(self, operation: Operation) -> tuple[list[Utterance], dict[str, Any]]:
        """Return who says it, and what the operation tells beside its text."""
        said = self._checks.evidence.of(operation.quote or "")
        if text_of(operation.quote, self._asked.most_characters) is None:
            raise Dropped("what it quotes is too long, or cannot be stored")
        dated = any(one.at for one in said)
        fields, unused = details(operation, dated=dated, most=MAX_ITEMS, most_characters=MAX_NAME)
        self._unused += unused
        return said, fields

    def _text(self, operation: Operation) -> str:
        text = text_of(operation.text, self._asked.most_characters)
        if text is None:
            raise Dropped("its text is empty, too long or cannot be stored")
        return text

    def _once(self, text: str) -> None:
        mine = words(text) - EMPTY_WORDS
        if same(text) in self._told or (
            self._asked.small and any(mine <= earlier for earlier in self._told_words)
        ):
            raise Dropped("an earlier operation says the same")
        self._told.add(same(text))
        self._told_words.append(mine)

    def _memory(self, number: int) -> Memory:
        if not 1 <= number <= len(self._asked.known):
            raise WrongTarget(f"no memory {shortened(str(number))} was shown")
        return self._asked.known[number - 1]

    def _target(self, operation: Operation, kinds: Sequence[str]) -> Memory:
        if operation.target is None:
            raise WrongTarget("it names no memory")
        memory, scope = self._memory(operation.target), self._asked.scope
        # What is true in one run of a user and agent is true in all, as for duplicates.
        if memory.user_id != scope.user_id or scope.agent_id not in (None, memory.agent_id):
            raise WrongTarget(f"memory {operation.target} is not of this user and agent")
        if memory.kind not in kinds:
            raise WrongTarget(f"memory {operation.target} is of kind {memory.kind}, which stays")
        if memory.memory_id in self._changed | self._succeeded.keys():
            raise WrongTarget(f"memory {operation.target} is changed by an earlier operation")
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
            self._checks.check_is_of(memory, operation, said)
        except Dropped as why:
            self._unused.append(f"its target ({why})")
            return None
        until = max(began or self._asked.now, memory.occurred_at)
        if memory.valid_until is not None and memory.valid_until <= until:
            return None
        return _change(operation, memory, {"valid_until": until})

    def _change(self, changes: list[Change], change: Change) -> None:
        self._changed.add(change.memory.memory_id)
        changes.append(change)


def _still_true(memory: Memory, text: str) -> list[str]:
    """Return the quotes of a memory that have no word of what its new text leaves out."""
    left_out = [word for word in words(memory.text) if not shared(word, text)]
    return [one for one in memory.evidence if not any(shared(word, one) for word in left_out)]


def _change(operation: Operation, memory: Memory, fields: Mapping[str, Any]) -> Change:
    differing = {name: new for name, new in fields.items() if new != getattr(memory, name)}
    return Change(memory, differing, reason_of(operation), operation.quote or "")
