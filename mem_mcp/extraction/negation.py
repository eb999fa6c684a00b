"""Whether a text denies what another one says. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mem_mcp.denial import DENIAL, denies, without_doubt
from mem_mcp.extraction.quotes import comparable, words
from mem_mcp.extraction.subject_match import shared

_ANSWER = re.compile(
    r"^\W*(?:no|nope|nein|non|não|нет|لا|नहीं)(?:[.,!:;،]+\s*|\W*$)|^ไม่ใช่\s|^不[是对]?[,、]"
)
"""A "no" that answers what was said before."""
_SOFTLY = re.compile(
    r"\b(?:stop\w*|quit\w*|gave up|give\w* up|given up|no longer|anymore|any more|avoid\w*|refus\w*"
    r"|dislik\w*|hat(?:e|es|ed)|lack\w*|ceas\w*|unable|fail\w*|left|leav\w*|end(?:s|ed)?|former\w*"
    r"|used to|except|instead|allerg\w*|intoleran\w*|against|forbid\w*|wrong|free of|cancel\w*"
    r"|dissuad\w*|disagree\w*|rather than|sold|out of|over|too|bad for|hospital\w*"
    r"|vermeid\w*|hass\w*|aufgehört|aufgegeben|allergisch|unverträglich\w*|statt|abgesagt"
    r"|verweiger\w*|durchgefallen|durch \w+ \w+ gefallen|verbot\w*"
    r"|evit\w*|odi[oa]\w*|dej[óoéa]\w*|alérgic\w*|alergia|detest\w*|abandon\w*|en vez|cancel\w*"
    r"|prohib\w*"
    r"|arrêt\w*|évit\w*|déteste\w*|allergique|cess\w*|au lieu|annul\w*"
    r"|smess\w*|allergic\w*|invece|annullat\w*|parou|parei|deix\w+|em vez"
    r"|перестал\w*|бросил\w*|избега\w*|аллерги\w*|отказал\w*|вместо"
    r"|توقف\w*|حساسية|تجنب\w*|رفض\w*|معطل\w*|بدل\w*)\b"
    r"|辞|停|戒|讨厌|过敏|避|拒|แพ้|เลิก|หยุด|หลีกเลี่ยง|ปฏิเสธ|เกลียด|やめ|嫌"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_PREFIXED = re.compile(r"\b(?:un|dis|in|im|il|ir|des)(\w{4,})")


def misdenied(text: str, clauses: Sequence[str], around: Sequence[str]) -> str:
    """Return how a statement denies what is said, or says what is denied; "" if it does neither.

    Args:
        text: the statement.
        clauses: what it quotes.
        around: what else it may be drawn from.
    """
    mine = _plain(text)
    said = [_ANSWER.sub("", _ANSWER.sub("", _plain(one))) for one in clauses]
    denying = [one for one in said if DENIAL.search(one)]
    denial = DENIAL.search(mine)
    if denial is None:
        is_soft = _SOFTLY.search(mine) or any(_is_opposite(mine, one) for one in said)
        is_affirmed = any(_says(mine, one) for one in denying) and not is_soft
        return "what it quotes is denied" if is_affirmed else ""
    if any(_SOFTLY.search(one) or _is_opposite(one, mine) for one in said):
        return ""
    if denying:
        rest = mine[denial.end() :]
        others = [one for one in said if one not in denying and shared(rest, one)]
        is_denied = not others or any(shared(rest, one) for one in denying)
    else:
        is_denied = not said or any(map(denies, around))
    return "" if is_denied else "what it quotes is not denied"


def _plain(text: str) -> str:
    return without_doubt(comparable(text))


def _says(text: str, clause: str) -> bool:
    """Whether a text says what a clause denies: "it's Bob, not Bill" denies nothing of Bob."""
    denial = DENIAL.search(clause)
    denied = clause[denial.end() :] if denial else ""
    # Letters and signs of scripts without spaces meet by chance.
    least = 2 if _UNSPACED.search(denied) and shared(denied, denied) > 1 else 1
    return not words(denied) or shared(denied, text) >= least


def _is_opposite(text: str, other: str) -> bool:
    """Whether a text has a word of another one behind a prefix that denies it: happy, unhappy."""
    roots = {match[:4] for match in _PREFIXED.findall(text)}
    return any(word[:4] in roots for word in words(other))
