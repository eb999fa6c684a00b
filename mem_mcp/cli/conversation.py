"""Data of the demo: a conversation, a failed task and two tips, with questions about them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Question(NamedTuple):
    """A question, and words of the message that answers it."""

    text: str
    answer: str


_MAYA, _JONAS = "Maya", "Jonas"
_SAID: Final = (
    (_MAYA, "2026-03-02T09:12:00Z", "The landlord signed! I get the keys in Porto on 14 April."),
    (_JONAS, "2026-03-02T09:15:00Z", "Congratulations! Does Biscuit fly with you?"),
    (_MAYA, "2026-03-02T09:16:00Z", "He does. Under eight kilos a dog may sit in the cabin."),
    (_JONAS, "2026-03-02T09:21:00Z", "Book soon, they take two dogs a flight. My mover was 900 €."),
    (_MAYA, "2026-03-05T18:40:00Z", "Which of your restaurants can I try? Shellfish make me ill."),
    (_JONAS, "2026-03-05T18:44:00Z", "Then the grill in Matosinhos: sardines, no prawn in sight."),
    (_MAYA, "2026-03-05T18:45:00Z", "On 4 May I start at the observatory, the thesis comes first."),
    (_JONAS, "2026-03-11T07:58:00Z", "Clara was born last night! 3.4 kilos, Ana sleeps, I do not."),
    (_MAYA, "2026-03-11T08:03:00Z", "Oh Jonas, how lovely. Like your grandmother! Hug them both."),
    (_JONAS, "2026-03-11T08:10:00Z", "From June I am on leave; come by with Biscuit when you can."),
)

MESSAGES: Final = [
    {"role": "user", "name": name, "occurred_at": moment, "content": content}
    for name, moment, content in _SAID
]
QUESTIONS: Final = (
    Question("When does Maya get the keys to her flat?", "14 April"),
    Question("What should I not cook for Maya?", "Shellfish"),
)
UPDATE: Final = {
    "content": "The landlord signed! I get the keys in Porto on 21 April.",
    "reason": "the landlord needs a week more",
}
"""New content for the memory that answers the first question."""

FAILED: Final = {
    "task": "Book Biscuit onto Maya's flight to Porto",
    "outcome": "failure",
    "summary": "The website sold the seat and had no place for a dog left",
    "lesson": "Reserve the animal's place with the airline before you buy the seat",
    "task_type": "book_flight",
    "tool_name": "airline_website",
}
NEXT_TASK: Final = "Book a cabin place for Ana's cat on the flight to Lisbon"
"""A task similar to the failed one."""

TIPS: Final = (
    "To reach the airline quickly, call the number on its website.",
    "To reach the airline quickly, write to the chat on its website.",
)
ADVICE: Final = "How do I reach the airline quickly?"
"""A question that both tips answer equally well, so that only feedback decides their order."""
