"""Nothing that was said is lost, whatever a model answers: it is stored, kept, or waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mem_mcp.api.models import Memory, Scope
from mem_mcp.extraction.coverage import has_content, is_plain_statement
from mem_mcp.extraction.plan import PlanContext
from mem_mcp.extraction.plan_builder import plan
from mem_mcp.llm.structured_output import UnusableAnswer, beginning, parse
from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.extract import Extraction

AT = datetime(2026, 5, 8, tzinfo=UTC)
FACTS = {
    "I have 2 cats.": ("The user has 2 cats", "2 cats"),
    "My sister Ines lives in Graz.": ("The user's sister Ines lives in Graz", "Ines"),
    "I started at Hollis in May 2024.": ("The user started at Hollis in May 2024", "Hollis"),
    "I do not eat fish anymore.": ("The user does not eat fish anymore", "fish"),
    "ฉันไม่กินปลา": ("ผู้ใช้ไม่กินปลา", "ปลา"),
    "Jestem wegetarianką": ("The user jest wegetarianką", "wegetariank"),
}
KNOWN = Memory(
    version_id="m.1", memory_id="m", version=1, event="ADD", text="The user plays chess",
    content_hash="", kind="fact", user_id="u", occurred_at=AT, recorded_at=AT,
)  # fmt: skip


def op(quote: str | None, text: str | None, **fields: Any) -> dict[str, Any]:
    return {"quote": quote, "text": text, "op": "ADD", "target": None, **fields}


def answers(said: str, text: str) -> dict[str, str]:
    """Return bad answers to one message, by what is wrong with them."""

    def dumped(*operations: object) -> str:
        return json.dumps({"operations": operations})

    good = op(said, text)
    return {
        "a target that was not shown": dumped({**good, "op": "UPDATE", "target": 999}),
        "target 0": dumped({**good, "op": "UPDATE", "target": 0}),
        "target -1": dumped({**good, "op": "UPDATE", "target": -1}),
        "target null as a text": dumped({**good, "op": "UPDATE", "target": "null"}),
        "target as a text": dumped({**good, "op": "UPDATE", "target": "the first"}),
        "target as a list": dumped({**good, "op": "UPDATE", "target": [1, 2]}),
        "a memory of something else": dumped({**good, "op": "UPDATE", "target": 1}),
        "known already, it says": dumped({**good, "op": "NONE", "target": 1}),
        "known already, of a memory without a number": dumped({**good, "op": "NONE"}),
        "known already, without a quote": dumped(op(None, None, op="NONE", target=7)),
        "deletes what was not shown": dumped(op(said, None, op="DELETE", target=7)),
        "no operation": dumped(),
        "one operation 50 times": dumped(*[good] * 50),
        "200 operations, all made up": dumped(*[op(f"made up {n}", f"x {n}") for n in range(200)]),
        "a made-up quote": dumped(op("I own a castle", "The user owns a castle")),
        "a quote from nowhere beside the right text": dumped(op("as you said", text)),
        "another number, name and date": dumped(op(said, "Clara has 77 dogs since 1999")),
        "no text": dumped(op(said, None)),
        "no such operation": dumped({**good, "op": "STORE"}),
        "another shape": json.dumps({"facts": [text]}),
        "texts instead of operations": dumped(text, text),
        "one text among operations": dumped(text, op("made up", "y")),
        "cut": dumped(good, good)[:-30],
        "cut at once": '{"operations":[{"quote":"I ha',
        "in Markdown": f"```json\n{dumped(good)}\n```",
        "after its thoughts": f"<think>I see {{}}</think>{dumped(good)}",
        "with comments": dumped(good).replace("]", "// that is all\n]"),
        "with a trailing comma": dumped(good).replace("]", ",]"),
        "in single quotes": str({"operations": [good]}),
        "prose": f"Sure! The fact is that {text}.",
        "nothing": "",
        "in another language": dumped(op(said, "Der Nutzer hat das gesagt")),
    }


CASES = [
    pytest.param(said, bad, small, id=f"{said} {kind}{' (small)' if small else ''}")
    for said, (text, _) in FACTS.items()
    for kind, bad in answers(said, text).items()
    for small in (False, True)
]


@pytest.mark.parametrize(("said", "bad", "small"), CASES)
def test_a_fact_survives_any_answer(said: str, bad: str, small: bool):
    cut = bad.startswith('{"operations": [{') and not bad.endswith("}")
    try:
        answer: Extraction | None = parse(bad, Extraction, cut=cut)
    except UnusableAnswer:
        answer = beginning(bad, Extraction) if cut else None
    if answer is None:
        return  # the message waits as it was given
    new = [Utterance(said, "user", at=AT)]
    context = PlanContext(Scope(user_id="u"), new, [KNOWN], AT, 1_000, small=small, cut=cut)
    made = plan(answer, context)
    key = FACTS[said][1]
    assert made.keep == [0] or any(key in added.text for added in made.add), made
    assert not any("Clara" in added.text or "castle" in added.text for added in made.add)
    assert made.update == made.delete == []


@pytest.mark.parametrize(
    "text",
    [
        "Morning!",
        "Right, thanks.",
        "Can't complain.",
        "How are you?",
        "Good to meet you.",
        "Ja, gern.",
        "สวัสดีครับ ขอบคุณมากครับ",
        "Merhaba!",
        "Спасибо!",
    ],
)
def test_small_talk_has_no_content(text: str):
    assert not has_content(text)
    assert not is_plain_statement(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please translate to Italian: 'I am pregnant and due in March.'",
        "Write on: 'My name is Captain Thorne and I have sailed these seas for forty years...'",
        "If we ever won the lottery I'd buy a vineyard.",
        "What is the capital of Mongolia again?",
    ],
)
def test_what_is_only_asked_supposed_or_quoted_is_no_statement(text: str):
    assert not is_plain_statement(text)


@pytest.mark.parametrize(
    "text",
    [
        *FACTS,
        "Ich habe zwei Katzen.",
        "Tengo dos gatos.",
        "我有两只猫。",
        "J'ai deux chats.",
        "Мы живём в Твери.",
        "عندي قطتان.",
        "Mam dwa koty.",
    ],
)
def test_what_people_say_of_themselves_is_a_plain_statement(text: str):
    assert is_plain_statement(text)


def test_a_sound_answer_is_trusted_in_what_it_passes_over():
    new = [
        Utterance("I have 2 cats.", "user", at=AT),
        Utterance("My toaster is my sworn enemy.", "user", at=AT),
    ]
    answer = Extraction.model_validate({"operations": [op("I have 2 cats", "The user has 2 cats")]})
    context = PlanContext(Scope(user_id="u"), new, [], AT, 1_000)
    assert plan(answer, context).keep == []


def test_an_answer_that_joins_messages_in_one_text_is_not_trusted_in_the_others():
    new = [Utterance(one, "user", at=AT) for one in FACTS]
    joined = " and ".join(text for text, _ in FACTS.values())
    answer = Extraction.model_validate({"operations": [op(new[0].text, joined)]})
    made = plan(answer, PlanContext(Scope(user_id="u"), new, [], AT, 1_000))
    assert [added.text for added in made.add] == ["user: I have 2 cats."]
    assert made.keep == [*range(1, len(FACTS))]


def test_a_message_with_a_secret_is_kept_for_what_else_it_says():
    new = [Utterance("The garage PIN is 998877. I park the blue van there.", "user", "Pia", AT)]
    answer = Extraction.model_validate({"operations": [op(new[0].text, "Pia's PIN is 998877")]})
    made = plan(answer, PlanContext(Scope(user_id="u"), new, [], AT, 1_000))
    assert made.add == []
    assert made.keep == [0]
