"""Whether what is asked, wished, planned or supposed is stated as a fact. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mem_mcp.extraction.quotes import comparable

_CAREFUL = re.compile(
    r"\b(?:if|unless|would|could|might|may(?! \d)|maybe|perhaps|probably|possibly|should|suppose\w*"
    r"|think\w*|thought|consider\w*|wonder\w*|guess\w*|hop(?:e|es|ed|ing)|wish\w*|dream\w*"
    r"|plan(?:s|ning|ned)?|want(?:s|ed)?|intend\w*|going to|gonna|will|'ll|'d|i'd|about to|try to"
    r"|trying to|like to|imagine|pretend\w*|ask(?:s|ed)?|swear|one day|someday|as if|believ\w*"
    r"|seem\w*|did(?:n't| not)|(?:dis)?agree\w*|doubt\w*|suggest\w*|propos\w*|recommend\w*|advis\w*"
    r"|undecided|unsure|not sure|possib\w*|potential\w*|considering|bet|reckon\w*"
    r"|wenn|falls|würd\w*|könnt\w*|vielleicht|möcht\w*|soll\w*|will|woll\w*|hoff\w*|plan\w*"
    r"|wünsch\w*|hätte"
    r"|überleg\w*|vorhab\w*|vorhat|wohl|wahrscheinlich|werd\w*|wird|vermut\w*|frag\w*|erwäg\w*"
    r"|träum\w*|denk\w*|ob"
    r"|si|quizás?|tal vez|quisiera|quier\w*|gustaría|espera?|pienso|piensa|planea|debería|ojalá"
    r"|va a"
    r"|voy a|podría|sueñ\w*|pregunt\w*|considera\w*|desea\w*|acaso|creo|cree"
    r"|peut-être|voudrai\w*|aimerai\w*|veu[xt]|espère\w*|pens\w*|compte|devrai\w*|pourrai\w*|rêv\w*"
    r"|envisag\w*|souhait\w*|demand\w*|va|vais|croi\w*"
    r"|se|forse|vorre\w*|vuole|voglio|spera?\w*|pens\w*|dovre\w*|potre\w*|sogn\w*|magari|chied\w*"
    r"|talvez|gostaria|quer\w*|quero|espero|penso|pensa|deveria|poderia|sonh\w*|pergunt\w*|vou|vai"
    r"|acho|acha"
    r"|бы|если|хот\w+|хоч\w+|может|возможно|наверно\w*|думает|планиру\w+|надеется|будет|буду\w*"
    r"|собира\w+"
    r"|желает|мечтает|ли"
    r"|إذا|لو|قد|ربما|سوف|[تيأن]ريد\w*|[تيأن]رغب\w*|[تيأن]فكر\w*|[تيأن]نوي\w*|[تيأن]تمنى"
    r"|[تيأن]خطط\w*|هل"
    r"|يقرر|تقرر|ينوي|يأمل|تأمل|بعد|قرار)\b"
    r"|'ll\b|'d\b|如果|要是|可能|也许|想|打算|希望|计划|会|将|要去|考虑|准备|应该|大概|愿|问|觉得|好像|是否|决定"
    r"|ถ้า|หาก|จะ|อาจ|อยาก|ต้องการ|วางแผน|หวัง|คิด|ควร|ตั้งใจ|ฝัน|もし|たい|つもり|かも"
)
"""What a careful statement says."""
_UNSURE = re.compile(
    r"\b(?:if (?:we|i|you|he|she|they)|if .{0,200}\b(?:would|will|could|might)|would\b"
    r"|i'd (?!better)"
    r"|should i|might"
    r"|maybe|perhaps|thinking (?:of|about)|think(?:ing)? about|consider(?:ing)?|i (?:want|hope"
    r"|wish|plan)"
    r"|we (?:want|hope|wish|plan|should)|going to|one day|someday|i think|thinks? (?:we|that|i)"
    r"|i guess|(?:want|hope|wish|plan|intend|aim)(?:s|ed|ing)? to|would rather"
    r"|probably|suppose|imagine|pretend"
    r"|wenn ich|falls|würde\w*|hätten? (?:gern|lieber)|vielleicht|möchten?|ich hoffe"
    r"|(?:ich|wir) (?:überlege|plane|will|wolle|hoffe)n?|ob (?:ich|wir)"
    r"|wahrscheinlich|eventuell|(?:will|wollen|hofft|plant)\b.{0,200}\w{2,20}en$"
    r"|ich glaube|quizás?|tal vez|quisiera|me gustaría|espero|pienso|quiero|ojalá|voy a|creo que"
    r"|(?:quier|dese|plane|esper|piens)\w+ \w+[aei]r(?:me|se|lo|la)?"
    r"|peut-être|je voudrais|j'aimerais|j'espère|je pense|je veux|je vais|je crois"
    r"|(?:veu(?:t|lent)|voudrai\w+|aimerai\w+|envisag\w+|espèr\w+) (?:d'|de )?\w+(?:er|ir|re)"
    r"|forse|vorrei|spero|penso|voglio|magari|credo"
    r"|(?:vuole|vogliono|vorrebbe\w*|sper\w+|intend\w+) (?:di )?\w+re"
    r"|talvez|gostaria|quero|espero|penso|acho que|vou|(?:quer|querem|pretend\w+) \w+[aei]r"
    r"|бы|если|хо(?:чу|чет|тим|тят)|может быть|возможно|наверное|думаю|планиру\w+|надеюсь"  # noqa: RUF001
    r"|собира\w+ся|мечта\w+"
    r"|إذا|لو|ربما|سوف|[أيتن]ريد\w*|[أيتن]تمنى|[أيتن]فكر|[أيتن]نوي|هل|[أيتن]ود)\b"
    r"|如果|要是|可能|也许|想(?![到起念法象])|打算|希望|计划|考虑|大概|好像|要不要|该不该"
    r"|ถ้า|หาก|อาจจะ|อยาก|วางแผน|หวังว่า|คิดว่าจะ|ควรจะ|ตั้งใจจะ|もし|たい|つもり|かもしれ"
)
"""What makes a clause unsure; a narrow list."""
_QUESTION = re.compile(r"(?:[?？؟]|ไหม|หรือเปล่า|吗|ですか|ますか)\W*$")  # noqa: RUF001


def overstated(text: str, sentences: Sequence[str], clauses: Sequence[str]) -> str:
    """Return why a statement is surer than what it quotes; "" if it is not.

    Args:
        text: the statement.
        sentences: what the quote touches, whole.
        clauses: those of them that the statement is about.
    """
    if not clauses or _CAREFUL.search(comparable(text)) or _QUESTION.search(text):
        return ""
    if all(_asks(clause, sentences) for clause in clauses):
        return "what it quotes is a question"
    if all(_UNSURE.search(comparable(clause)) for clause in clauses):
        return "what it quotes is no fact, but a wish, a plan or a guess"
    return ""


def _asks(clause: str, sentences: Sequence[str]) -> bool:
    """Whether a clause is the question of its sentence: the last of its clauses."""
    return any(
        _QUESTION.search(sentence) and _bare(sentence).endswith(_bare(clause))
        for sentence in sentences
    )


def _bare(text: str) -> str:
    return comparable(text).rstrip("?؟ ")
