"""Hold a model's statement against the sentence that it quotes. Pure, and without another call.

A true quote proves nothing about the statement beside it. So what changes the meaning is compared
in code: numbers, dates, names, negation, mood (asked, wished, planned, supposed) and the speaker.
The checks know English, German, Spanish, French, Italian, Portuguese and Chinese; of other
languages they compare digits, capitals and question marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher

from mem_mcp.dates import dates_in
from mem_mcp.extraction.quotes import Passages, comparable, words
from mem_mcp.extraction.subject_match import EMPTY_WORDS, THE_USER
from mem_mcp.prompts.conversation import Utterance

_NUMBERS = (
    ("0", "zero null cero zéro 零"),
    ("1", "一"),
    ("2", "two zwei dos deux due dois duas both beide 两 二"),
    ("3", "three drei tres trois tre três 三"),
    ("4", "four vier cuatro quatre quattro quatro 四"),
    ("5", "five fünf cinco cinq cinque 五"),
    ("6", "six sechs seis sei 六"),
    ("7", "seven sieben siete sept sette sete 七"),
    ("8", "eight acht ocho huit otto oito 八"),
    ("9", "nine neun nueve neuf nove 九"),
    ("10", "ten zehn diez dix dieci dez 十"),
    ("11", "eleven elf once onze undici"),
    ("12", "twelve zwölf doce douze dodici doze dozen"),
    ("20", "twenty zwanzig veinte vingt venti vinte"),
    ("30", "thirty dreißig treinta trente trenta trinta"),
    ("40", "forty vierzig cuarenta quarante quaranta quarenta"),
    ("50", "fifty fünfzig cincuenta cinquante cinquanta cinquenta"),
    ("100", "hundred hundert cien cent cento cem"),
    ("1000", "thousand tausend mil mille"),
)
_NUMBER_WORDS = {word: digits for digits, names in _NUMBERS for word in names.split()}
_AMBIGUOUS_NUMBERS = {"sei", "due", "sept", "once", "onze", "elf", "both", "dozen", "neuf", "null"}
"""Words that are mostly no numbers, or numbers that a rewording may add."""
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_CJK_RUN = re.compile("[\u3400-\u9fff]+")

_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|dont|doesnt|cant"
    r"|kein\w*|nicht|nie|niemals|niemand|nichts|ohne|weder"
    r"|nunca|jamás|nadie|ningun[oa]?|ningún|sin|tampoco"
    r"|ne|pas|jamais|aucune?|rien|personne ne|sans"
    r"|non|mai(?=\s)(?!\s\d)|nessun\w*|niente|senza|não|nem|nenhum\w*|ninguém|sem)\b"
    r"|\bn'|[不没無无未别]"
)
_ANSWER = re.compile(r"^\W*(?:no|nope|nein|non|não)(?:[.,!:;]+\s*|\W*$)")
"""A "no" that answers what was said before."""
_SOFT_NEGATION = re.compile(
    r"\b(?:stop\w*|quit\w*|gave up|give\w* up|given up|no longer|anymore|any more|avoid\w*|refus\w*"
    r"|dislik\w*|hat(?:e|es|ed)|lack\w*|ceas\w*|unable|fail\w*|left|leav\w*|end(?:s|ed)?|former\w*"
    r"|used to|except|instead|allerg\w*|intoleran\w*|against|forbid\w*|wrong|free of|cancel\w*"
    r"|un\w{4,}|dis\w{4,}|rather than|sold|out of|over|too|bad for|hospital\w*"
    r"|vermeid\w*|hass\w*|aufgehört|aufgegeben|allergisch|unverträglich\w*|statt|abgesagt"
    r"|verweiger\w*"
    r"|evit\w*|odi[oa]\w*|dej[óoéa]\w*|alérgic\w*|detest\w*|abandon\w*|en vez|cancel\w*"
    r"|arrêt\w*|évit\w*|déteste\w*|allergique|cess\w*|au lieu|annul\w*"
    r"|smess\w*|allergic\w*|invece|annullat\w*|parou|parei|deix\w+|em vez)\b|辞|停|戒|讨厌|过敏|避"
)
_SUPPOSED = re.compile(
    r"\b(?:if|unless|would|could|might|may(?! \d)|maybe|perhaps|probably|possibly|should|suppose\w*"
    r"|think\w* (?:of|about)|consider\w*|wonder\w*|guess\w*|hop(?:e|es|ed|ing)|wish\w*|dream\w*"
    r"|plan(?:s|ning|ned)?|want(?:s|ed)?|intend\w*|going to|gonna|will|'ll|'d|i'd|about to|try to"
    r"|trying to|like to|imagine|pretend\w*|ask(?:s|ed)?|swear|one day|someday|as if|believ\w*"
    r"|seem\w*"
    r"|undecided|unsure|not sure|possib\w*|potential\w*|considering|thought about|bet|reckon\w*"
    r"|wenn|falls|würd\w*|könnt\w*|vielleicht|möcht\w*|soll\w*|will|woll\w*|hoff\w*|plan\w*"
    r"|wünsch\w*"
    r"|überleg\w*|vorhab\w*|vorhat|wohl|wahrscheinlich|werd\w*|wird|vermut\w*|frag\w*|erwäg\w*"
    r"|träum\w*"
    r"|si|quizás?|tal vez|quisiera|quier\w*|gustaría|espera?|pienso|piensa|planea|debería|ojalá"
    r"|va a"
    r"|voy a|podría|sueñ\w*|pregunt\w*|considera\w*|desea\w*|acaso|creo|cree"
    r"|peut-être|voudrai\w*|aimerai\w*|veu[xt]|espère\w*|pens\w*|compte|devrai\w*|pourrai\w*|rêv\w*"
    r"|envisag\w*|souhait\w*|demand\w*|va|vais|croi\w*"
    r"|se|forse|vorre\w*|vuole|voglio|spera?\w*|pens\w*|dovre\w*|potre\w*|sogn\w*|magari|chied\w*"
    r"|talvez|gostaria|quer\w*|quero|espero|penso|pensa|deveria|poderia|sonh\w*|pergunt\w*|vou|vai"
    r"|acho|acha)\b"
    r"|'ll\b|'d\b|如果|要是|可能|也许|想|打算|希望|计划|会|将|考虑|准备|应该|大概|愿|问|觉得|好像"
)
_SURE_HEDGES = re.compile(
    r"\b(?:if (?:we|i|you|he|she|they)|i'd (?:buy|love|like|move|go|take|quit|never)|should i|might"
    r"|maybe|perhaps|thinking (?:of|about)|think(?:ing)? about|consider(?:ing)?|i (?:want|hope"
    r"|wish|plan)"
    r"|we (?:want|hope|wish|plan)|would (?:like|love|rather)|going to|one day|someday|i think"
    r"|i guess"
    r"|probably|suppose|imagine|pretend"
    r"|wenn ich|falls|würde|vielleicht|möchte|ich hoffe|ich überlege|ich plane|ich will"
    r"|wahrscheinlich"
    r"|ich glaube|quizás?|tal vez|quisiera|me gustaría|espero|pienso|quiero|ojalá|voy a|creo que"
    r"|peut-être|je voudrais|j'aimerais|j'espère|je pense|je veux|je vais|je crois"
    r"|forse|vorrei|spero|penso|voglio|magari|credo"
    r"|talvez|gostaria|quero|espero|penso|acho que|vou)\b"
    r"|如果|要是|可能|也许|我想|打算|希望|计划|考虑|大概|好像"
)
"""What makes a clause unsure; a narrow list, where `_SUPPOSED` is what a careful statement says."""
_QUESTION = re.compile(r"[?？]\s*$")  # noqa: RUF001
_ENDS = re.compile(r"(?<=[.!?…;])\s+|(?<=[。！？；])|\n+")  # noqa: RUF001
_CLAUSES = re.compile(
    r"(?<=[,:，：、])\s*|\s+(?=(?:but|aber|sondern|pero|mais|ma|mas)\s)|\s+[–—-]\s+"  # noqa: RUF001
    r"|\s+(?=(?:and|und|y|et|e) (?:i|we|my|he|she|it|they|you|ich|wir|yo|je|io|eu|mein)\b)"
    r"|(?<=[但])",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|my|me|mine|we|our|ich|mein\w*|mir|mich|wir|unser\w*|yo|mi|mis|me"
    r"|nosotros|je|j'\w+|mon|ma|mes|moi|nous|io|mio|mia|eu|meu|minha)\b|[我咱]"
)
_NAME = re.compile(r"(?<![\w'’])[^\W\d_][\w'’-]*")  # noqa: RUF001
_LEAST_STEM = 4
_LONGEST_NAME = 4
"""Signs of a name in Chinese."""
_CAPITAL_NOUNS = re.compile(
    r"\b(?:der|die|das|ein|eine|einen|einem|einer|und|ist|nicht|mit|von|zum|zur|im|seit|hat"
    r"|sich)\b",
    re.IGNORECASE,
)
"""In German all nouns are capitalised, so a capital shows no name."""
_CALENDAR = re.compile(
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday|utc)",
    re.IGNORECASE,
)
_VERB_AFTER_NAME = re.compile(
    r"^(?:['’]s?\b|\s+(?:is|was|are|has|had|lives?|lived|likes?|loves?|works?|worked|plays?"  # noqa: RUF001
    r"|owns?"
    r"|wants?|does|did|will|can|cannot|and|hates?|eats?|moved|started|bought|sold|booked|runs?"
    r"|plans?"
    r"|prefers?|teaches|drives?|studies|needs?|said|ist|war|hat|wohnt|lebt|mag|isst|arbeitet|spielt"
    r"|es|está|vive|tiene|come|trabaja|est|a|habite|vit|aime|mange|travaille|è|ha|abita|lavora"
    r"|mangia"
    r"|é|tem|mora|trabalha|gosta)\b)"
)


@dataclass(frozen=True, slots=True)
class Support:
    """What a statement may be drawn from."""

    said: Sequence[Utterance]
    """The messages that hold the quote."""
    quote: str
    around: Sequence[str] = ()
    """Texts that resolve names: messages before, and the memory that the statement replaces."""
    people: Sequence[str] = ()
    """Names of all who speak."""


def difference(text: str, support: Support) -> str:
    """Return in which way a statement says something else than its quote; "" if it does not.

    Args:
        text: the statement.
        support: the quote, and what it may be understood by.
    """
    sentences = [one for said in support.said for one in sentences_of(said.text, support.quote)]
    clauses = [one for said in support.said for one in clauses_of(said.text, support.quote)]
    said_on = next((said.at.date() for said in support.said if said.at), None)
    own = [said.text for said in support.said]
    names = [said.name or said.role or "" for said in support.said]
    all_texts = [*own, *names, *support.around, *support.people]
    return (
        _numbers(text, all_texts, said_on)
        or _names(text, all_texts, clauses or sentences)
        or _negated(text, clauses or sentences, [*support.around])
        or _mood(text, sentences, clauses)
        or _speaker(text, support, clauses or sentences)
    )


def is_named(name: str, support: Support) -> bool:
    """Whether all words of a name stand, perhaps in another form, where a statement comes from."""
    names = [said.name or said.role or "" for said in support.said]
    texts = [*(said.text for said in support.said), *names, *support.around, *support.people]
    if _CJK.search(name):
        return comparable(name) in comparable(" ".join(texts))
    known = {*words(" ".join(texts).replace("_", " ")), *THE_USER, "agent", "assistant"}
    stems = {word[:_LEAST_STEM] for word in known}
    return all(
        word.lower() in known
        if word.isdigit()
        else _is_known(word, known) or (word[:1].islower() and word.lower()[:_LEAST_STEM] in stems)
        for word in re.findall(r"\w+", name.replace("_", " "))
        if word.lower() not in EMPTY_WORDS
    )


def sentences_of(text: str, quote: str) -> list[str]:
    """Return the sentences of a message that a quote touches, whole."""
    return _touched([one.strip() for one in _ENDS.split(text) if one and one.strip()], quote)


def clauses_of(text: str, quote: str) -> list[str]:
    """Return the clauses of a message that a quote touches."""
    parts = [
        clause.strip()
        for sentence in _ENDS.split(text)
        for clause in _CLAUSES.split(sentence or "")
        if clause and clause.strip()
    ]
    return _touched(parts, quote)


def _touched(parts: Sequence[str], quote: str) -> list[str]:
    """Return the parts that hold a quote, or of which it is made."""
    if holding := Passages(parts).holding(quote):
        return [parts[place] for place in holding]
    within = comparable(quote)
    bounds = [one for one in parts if comparable(one).strip(" .,;:!?'") in within]
    # A quote may begin or end within a part.
    first, last = within[:12], within[-12:]
    ends = [one for one in parts if first in comparable(one) or last in comparable(one)]
    return [one for one in parts if one in bounds or one in ends]


def _numbers(text: str, texts: Sequence[str], said_on: date | None) -> str:
    allowed = {number for one in texts for number in _numbers_in(one)}
    named = {found.iso for one in texts for found in dates_in(one, said_on)}
    for iso in named:
        allowed |= {str(int(part)) for part in iso.split("-")}
    if said_on is not None:
        allowed.add(str(said_on.year))
        if not named:
            named.add(said_on.isoformat())
    for found in dates_in(text, said_on):
        if not any(_agree(found.iso, iso) for iso in named):
            shown = text[found.start : found.end]
            return f"nothing quoted is of {shown.strip()}"
        allowed |= {str(int(part)) for part in found.iso.split("-")}
    for number in _numbers_in(text):
        if number not in allowed:
            return f"the number {number} is not in what it quotes"
    return ""


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _numbers_in(text: str) -> set[str]:
    found = {match[0].replace(",", ".").lstrip("0") or "0" for match in _DIGITS.finditer(text)}
    found |= {part.lstrip("0") or "0" for each in [*found] for part in re.split(r"[.:]", each)}
    for word in words(text):
        if word in _NUMBER_WORDS and word not in _AMBIGUOUS_NUMBERS:
            found.add(_NUMBER_WORDS[word])
    return found | {
        _NUMBER_WORDS[sign]
        for sign in re.findall("[两二三四五六七八九十]", text)
        if _CJK.search(text)
    }


def _names(text: str, texts: Sequence[str], clauses: Sequence[str]) -> str:
    if _CJK.search(text):
        return _replaced_signs(text, texts, clauses)
    known = {word for one in texts for word in words(one.replace("'", " ").replace("’", " "))}  # noqa: RUF001
    is_german = len(_CAPITAL_NOUNS.findall(text)) > 0 and bool(
        _CAPITAL_NOUNS.search(" ".join(clauses))
    )
    strange = [name for name in _capitals(text) if not _is_known(name, known)]
    if is_german and strange:
        # Then a capital shows a name only where one of the quote is missing instead.
        mine = words(text)
        dropped = [
            name
            for clause in clauses
            for name in _capitals(clause, also_first=False)
            if not _is_known(name, mine)
        ]
        strange = strange if dropped else []
    return f"the name {strange[0]} is not in what it quotes" if strange else ""


def _capitals(text: str, *, also_first: bool = True) -> list[str]:
    """Return what is capitalised inside a sentence, or begins one as a name does."""
    found = []
    for match in _NAME.finditer(text):
        word = re.sub(r"['’]s?$", "", match[0])  # noqa: RUF001
        before = text[: match.start()].rstrip()
        begins = not before or before[-1] in '.!?:;"“„«…'
        word = re.sub(r"^[^\W\d_]{1,3}['’](?=\w{2})", "", word)  # noqa: RUF001 - of l'utente
        if not word[:1].isupper() or word.lower() in (*THE_USER, *EMPTY_WORDS, "i"):
            continue
        if _CALENDAR.fullmatch(word):
            continue
        if begins and not (
            also_first and _VERB_AFTER_NAME.match(text[match.start() + len(word) :])
        ):
            continue
        found.append(word)
    return found


def _is_known(name: str, known: Iterable[str]) -> bool:
    """Whether a name is among words, perhaps in another form: Petras, Joris'."""
    for part in words(name.replace("'", " ").replace("’", " ").replace("-", " ")):  # noqa: RUF001
        if len(part) > 1 and not any(
            part == word
            or (
                min(len(part), len(word)) >= _LEAST_STEM - 1
                and (part.startswith(word) or word.startswith(part))
                and abs(len(part) - len(word)) <= _LEAST_STEM
            )
            for word in known
        ):
            return False
    return True


def _replaced_signs(text: str, texts: Sequence[str], clauses: Sequence[str]) -> str:
    """Compare texts without spaces: signs that stand where the quote has as many others."""
    whole = "".join(texts)
    for clause in clauses:
        blocks = SequenceMatcher(None, clause, text, autojunk=False).get_opcodes()
        for tag, start, end, mine, mine_end in blocks:
            new, old = text[mine:mine_end], clause[start:end]
            if tag != "replace" or not start or len(new) != len(old) or len(new) > _LONGEST_NAME:
                continue
            if _CJK_RUN.fullmatch(new) and not any(sign in whole for sign in new):
                return f"{new} is not in what it quotes"
    return ""


def _negated(text: str, clauses: Sequence[str], around: Sequence[str]) -> str:
    said = [_ANSWER.sub("", _ANSWER.sub("", comparable(one))) for one in clauses]
    mine = comparable(text)
    is_denied = any(map(_NEGATION.search, said))
    denies = bool(_NEGATION.search(mine))
    if is_denied and not denies and not _SOFT_NEGATION.search(mine):
        if any(_double(one) or not _is_of_denied(mine, one) for one in said):
            return ""
        return "what it quotes is denied"
    softly = any(map(_SOFT_NEGATION.search, said)) or any(
        _NEGATION.search(comparable(one)) for one in around
    )
    if denies and said and not is_denied and not softly:
        return "what it quotes is not denied"
    return ""


def _is_of_denied(text: str, clause: str) -> bool:
    """Whether a text says what a clause denies: "it's Bob, not Bill" denies nothing of Bob."""
    denial = _NEGATION.search(clause)
    if denial is None:
        return True
    if _CJK.search(clause):
        return True
    denied = words(clause[denial.end() :]) - EMPTY_WORDS
    return not denied or any(_is_known(word, words(text)) for word in denied)


def _double(clause: str) -> bool:
    """Whether a clause denies something only to affirm it: "not only", "not that I dislike"."""
    return bool(
        re.search(
            r"not only|no need|not that|can't wait|never (?:been )?(?:better|more)|no problem"
            r"|why not|n't forget|not just|nicht nur|no sólo|no solo|pas seulement|non solo|não só"
            r"|不但|不仅|没问题",
            clause,
        )
    )


def _mood(text: str, sentences: Sequence[str], clauses: Sequence[str]) -> str:
    mine = comparable(text)
    if _SUPPOSED.search(mine) or _QUESTION.search(text):
        return ""
    if clauses and all(_asks(clause, sentences) for clause in clauses):
        return "what it quotes is a question"
    if clauses and all(_SURE_HEDGES.search(comparable(clause)) for clause in clauses):
        return "what it quotes is no fact, but a wish, a plan or a guess"
    return ""


def _asks(clause: str, sentences: Sequence[str]) -> bool:
    """Whether a clause is the question of its sentence: the last of its clauses."""
    return any(
        _QUESTION.search(sentence)
        and comparable(sentence).rstrip("?？ ").endswith(comparable(clause).rstrip("?？ "))  # noqa: RUF001
        for sentence in sentences
    )


def _speaker(text: str, support: Support, clauses: Sequence[str]) -> str:
    mine = words(text)
    called = [name for said in support.said for name in _called(said)]
    if any(_is_known(name, mine) or name.lower() in text.lower() for name in called):
        return ""
    own = " ".join(said.text for said in support.said).lower()
    for name in support.people:
        if name not in called and name.lower() not in own and _begins(text, name):
            return f"{name} does not say what it quotes"
    machines = all(said.speaker == "machine" for said in support.said)
    speaks = any(_FIRST_PERSON.search(comparable(clause)) for clause in clauses)
    if machines and speaks and any(_begins(text, name) for name in ("the user", *THE_USER)):
        return "the user does not say what it quotes"
    return ""


def _called(said: Utterance) -> list[str]:
    if said.name:
        return [said.name, *THE_USER] if said.speaker == "person" else [said.name]
    return ["agent", "assistant"] if said.speaker == "machine" else [*THE_USER]


def _begins(text: str, name: str) -> bool:
    return comparable(text).startswith(comparable(name))
