"""The rule by which nothing that was said is lost, whatever a model answers. Pure.

A message is *read* by an answer, or it is *kept*: it stays stored as it was given, is found by
recall, and waits for a better answer. `messages_to_keep` decides, in this order:

1. Only sentences with *content* count (`has_content`): statements of a person or an agent, not
   questions, greetings, thanks, orders to translate or continue a text, nor what stands in quotes.
2. A sentence is *covered* if an operation that counts quotes it or names its words: what it adds,
   changes, ends, deletes or knows already. So is what was refused because nobody said it: guesses
   of the agent, and what it repeats from memory.
3. An answer is *sound* if none of its operations was left out, said twice or gave its quote
   another meaning, and it was not cut.
   What a sound answer of a large model passed over, it passed over rightly. But a sound answer
   without any operation is not trusted with plain statements (`is_plain_statement`): people who say
   "I have two cats" or correct a memory that the model was shown say something; it is trusted
   where instructions of the owner or the caller may have left them out.
4. What an answer with a fault passed over is kept if it has content, and if it was said by a
   person or tells what an agent did. So is what any answer of a small model passed over.
5. A message that an operation quotes rightly but that holds a secret is kept with the secret
   masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mem_mcp.extraction.clauses import sentences_in, sentences_of
from mem_mcp.extraction.quotes import comparable, words
from mem_mcp.extraction.subject_match import EMPTY_WORDS, share_a_subject, shared
from mem_mcp.prompts import describe
from mem_mcp.prompts.conversation import Utterance

_TALK = """
hi hello hey morning evening night good great nice lovely fine thanks thank thx please ok okay
oh ah yes yeah yep no nope sure right well bye cheers sorry haha lol wow cool perfect awesome deal
done noted understood course welcome glad meet hear later again today too just really very
hallo guten morgen abend tag danke bitte gut schön tschüss nein ja klar gern gerne verstanden
hola gracias buenos buenas días tardes noches vale bien claro adiós
bonjour salut merci bonsoir oui non bien d'accord super
ciao grazie buongiorno buonasera bene sì prego
olá obrigado obrigada bom boa dia tarde noite sim não
привет здравствуйте спасибо пожалуйста хорошо да нет ладно пока ясно
merhaba selam teşekkürler teşekkür ederim evet tamam dzień dobry dzięki dziękuję tak
مرحبا شكرا نعم حسنا أهلا السلام عليكم صباح الخير
complain can't cannot couldn't don't didn't i'm i'll i've it's that's let's
"""
_SMALL_TALK = words(_TALK)
_UNSPACED_TALK = re.compile(
    "你好|您好|谢谢|早上好|晚上好|再见|好的|好吧|是的|สวัสดี|ขอบคุณ|มากๆ|มาก|ครับผม|ครับ|ค่ะ|คะ|โอเค|ใช่|ได้เลย"
    "|こんにちは|おはよう|ありがとう|ございます|はい"
)
_QUOTED = re.compile(r"(?<!\w)['\"“„«「‘][^'\"“”„«»」’]{25,}['\"”»」’]")  # noqa: RUF001
_SUPPOSITION = re.compile(
    r"^\W*(?:if|suppose|imagine|let's say|what if|assume|pretend|wenn|angenommen|stell dir vor|si "
    r"|supón|imagina|imagine|supposons|se |immagina|supponi|suponha|如果|假如|要是|假设)\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"^\W*(?:please |can you |could you |now )*(?:translate|summari[sz]e|write|continue|rewrite"
    r"|proofread|check|look up|search|find|show|tell me|give me|recommend|suggest|list|explain"
    r"|compare|calculate|draw|draft|fix this|help me|read|open|run|übersetze?|schreibe?|fasse?"
    r"|traduce|escribe|resume|traduis|écris|résume|traduci|scrivi|riassumi|traduza|escreva|resuma"
    r"|请?翻译|请?总结|请?写)\b",
    re.IGNORECASE,
)
_LAUGHTER = re.compile(
    r"\b(?:ha(?:ha)+|lol|rofl|just kidding|joking|jk)\b|[😂🤣😜]|哈哈", re.IGNORECASE
)
_FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|my|me|mine|we|we're|we've|our|us|ich|mein\w*|mir|mich|wir"
    r"|unser\w*|uns"
    r"|yo|mi|mis|me|nosotros|nuestr\w+|tengo|soy|estoy|vivo|je|j'\w+|mon|ma|mes|moi|nous|notre|io"
    r"|mio|mia|ho|sono|abito|noi|eu|meu|minha|tenho|sou|moro|nós"
    r"|ik|mijn|jag|jeg|min|mitt|я|мой|моя|мои|моё|мне|меня|мы|наш\w*|أنا|لدي|عندي|نحن|मैं|मेर\w|मुझे|είμαι|μου"
    r"|tôi|saya|aku|ben|benim)\b|[我咱]|ฉัน|ผม|เรา|私|僕|저는|나는|내"
)
_DEED = re.compile(
    r"\b(?:i(?:'ve| have)? (?!will|would|think|thought|can|could|am|do|know|mean|see|hope|guess)\w+"
    r"(?:ed|id|nt|nd|ught|ade|ot|ew|an)|ich habe|j'ai|he \w+do|ho \w+to)\b|我(?:已经|已|把|帮)"
)
_NAME_OR_NUMBER = re.compile(r"\d+|(?<=[\w,] )[A-ZÀ-ÖØ-Þ]\w+")
_SIGNS = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_LEAST_SIGNS = 4
"""Signs or letters of a sentence with content, in scripts without spaces."""
_LEAST_LETTERS = 6
"""Pairs of letters that are left over of one that is not covered, in such a script."""
_LEAST_WORDS = 2
"""Content words of a sentence with content, or left over of one that is not covered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an operation says of the messages."""

    quote: str
    says: tuple[str, ...] = ()
    """Its text, and the memory that it changes or names."""


@dataclass(slots=True)
class Reading:
    """What became of an answer."""

    heard: list[Heard] = field(default_factory=list)
    """What counts, or was refused because nobody said it."""
    secret: list[str] = field(default_factory=list)
    """Quotes of what was left out because of a secret."""
    operations: int = 0
    """Of the answer, without those that say of no memory that it is known."""
    faults: list[str] = field(default_factory=list)
    """Why the answer is not sound: operations left out or repeated, or the answer cut."""


def messages_to_keep(
    new: Sequence[Utterance],
    reading: Reading,
    *,
    known: Sequence[str] = (),
    small: bool = False,
    instructed: bool = False,
) -> list[int]:
    """Return the places of the messages that an answer did not read; see the rule above.

    Args:
        new: the messages.
        reading: what became of the answer.
        known: texts of the memories that the model was shown.
        small: whether the model is small.
        instructed: whether instructions may leave out what was said.
    """
    kept = []
    for place, said in enumerate(new):
        if said.speaker == "setup":
            continue
        left = [one for one in sentences_in(said.text) if not _is_covered(one, reading.heard)]
        if any(_touches(said, quote) for quote in reading.secret):
            kept.append(place)
        elif reading.faults or small:
            if any(has_content(one) and _counts(said, one) for one in left):
                kept.append(place)
        elif (
            not (reading.operations or instructed)
            and said.speaker == "person"
            and any(is_plain_statement(one, known) for one in left)
        ):
            kept.append(place)
    return kept


def has_content(sentence: str) -> bool:
    """Whether a sentence states something beyond greetings, thanks and talk about the talk."""
    return any(_is_full(clause) for clause in _stated(sentence))


def is_plain_statement(sentence: str, known: Sequence[str] = ()) -> bool:
    """Whether a sentence plainly states something: of its speaker, or of a memory.

    Args:
        sentence: of a person.
        known: texts of memories.
    """
    if _LAUGHTER.search(sentence):
        return False
    return any(
        (_FIRST_PERSON.search(comparable(clause)) and _content_words(clause))
        or (_is_full(clause) and share_a_subject([clause], known))
        or (_is_full(clause) and _NAME_OR_NUMBER.search(clause))
        or (_is_full(clause) and _is_of_unknown_language(clause))
        for clause in _stated(sentence)
    )


def _is_of_unknown_language(clause: str) -> bool:
    """Whether a clause has no common word of a language whose words for "I" are known."""
    return not words(clause) & (EMPTY_WORDS | _SMALL_TALK)


def _stated(sentence: str) -> list[str]:
    """Return the clauses of a sentence that state something."""
    bare = _QUOTED.sub(" ", describe.without(sentence)).strip()
    if _SUPPOSITION.search(bare) or _ORDER.search(bare):
        return []
    if bare.endswith(("?", "？")):  # noqa: RUF001
        # "I have two cats, which food is best?"
        return re.split(r"[,;:，：]\s*", bare)[:-1]  # noqa: RUF001
    return [bare]


def _is_full(clause: str) -> bool:
    found = _content_words(clause)
    signs = sum(len(word) for word in found if _UNSPACED.search(word))
    return (
        len(found) >= _LEAST_WORDS or signs >= _LEAST_SIGNS or bool(_NAME_OR_NUMBER.search(clause))
    )


def _content_words(text: str) -> set[str]:
    return {
        word
        for word in words(_UNSPACED_TALK.sub(" ", text)) - EMPTY_WORDS - _SMALL_TALK
        if len(word) > 1 or word.isdigit()
    }


def tells_deed(sentence: str) -> bool:
    """Whether an agent says in a sentence what it did."""
    return _DEED.search(comparable(sentence)) is not None


def _counts(said: Utterance, sentence: str) -> bool:
    return said.speaker == "person" or tells_deed(sentence)


def _is_covered(sentence: str, heard: Sequence[Heard]) -> bool:
    touching = [one for one in heard if sentences_of(sentence, one.quote)]
    if not touching:
        return False
    named = words(" ".join(text for one in touching for text in one.says))
    left = {word for word in _content_words(sentence) if not _is_among(word, named)}
    if _SIGNS.search(sentence):
        signs = {sign for one in touching for text in one.says for sign in text}
        return sum(sign not in signs for sign in sentence if _SIGNS.match(sign)) < _LEAST_SIGNS
    if _UNSPACED.search(sentence):
        says = " ".join(text for one in touching for text in one.says)
        return shared(sentence, sentence) - shared(sentence, says) < _LEAST_LETTERS
    names = {word for name in _NAME_OR_NUMBER.findall(sentence) for word in words(name)}
    return len(left) < _LEAST_WORDS and not left & names


def _is_among(word: str, named: set[str]) -> bool:
    return word in named or (
        len(word) > _LEAST_SIGNS
        and any(other[:_LEAST_SIGNS] == word[:_LEAST_SIGNS] for other in named)
    )


def _touches(said: Utterance, quote: str) -> bool:
    return bool(sentences_of(said.text, quote))
