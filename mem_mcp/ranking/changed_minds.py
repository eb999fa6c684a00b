"""Changed minds: whether a new statement may replace an older one.

Measured on tests/data/changed_minds.jsonl, in six languages; the constants are from one half of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.text_analysis import terms

LEAST_LIKENESS = 0.6
"""Of two statements of which one may replace the other: names 10 of 12 of these, and no others."""
LEAST_COSINE = 0.3
"""Below it no two statements are that like."""
_SHARED_WORDS = 0.2
_CHANGE = 0.25
# Usual cosine of statements in one language that have nothing to do with each other.
_UNRELATED = 0.2
_ENGLISH = (
    "now|moved|switched|migrated|changed|joined|no longer|any ?more|again|instead|new|replaced?|"
    "renamed|upgraded|rewritten|rewrote|sold|stopped|quit|resigned|retired|became|these days|"
    "since then|taken over|took over"
)
_GERMAN = (
    "jetzt|nun|nicht mehr|ab sofort|inzwischen|mittlerweile|umgestiegen|umgestellt|umgeschrieben|"
    "gezogen|gewechselt|gekündigt|verlegt|abgelöst|übernommen|wieder|neue[rsnm]?|statt"
)
_FRENCH = (
    r"maintenant|désormais|ne \w+ plus|n'\w+ plus|déménagé|remplacée?|remplace|nouve\w+|renommée?|"
    "déplacée?|arrêté|réécrite?|rejoint|quitté|démissionné"
)
_SPANISH = (
    "ahora|ya no|nuev[oa]s?|mudé|mudó|cambi[éó]|pasó|dejó|desde hoy|reescrit[oa]|reemplaz[óé]|"
    "traslad[óé]|renunci[óé]"
)
_RUSSIAN = (
    r"теперь|больше не|переехал\w*|перенесли|нов(?:ый|ая|ую|ое)|сменил\w*|бросил\w*|перешёл|"  # noqa: RUF001
    r"перешл\w+|переписал\w*|заменил\w*|уволил\w*|вместо"
)
_CHINESE = "现在|不再|改到|改为|改用|换成|换到|搬到|迁到|已经|不用再|新的|跳槽|辞职|重写"
_SAYS_CHANGE = re.compile(
    rf"\b(?:{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH}|{_RUSSIAN})\b|{_CHINESE}", re.IGNORECASE
)


def likeness(new: str, others: Sequence[str], cosines: Floats) -> Floats:
    """Return how much others look like what a new statement replaces.

    It grows with how far the cosine is above that of unrelated statements, with the share of words
    that both have, and where the new one speaks of a change.

    Args:
        new: the new statement.
        others: (n) older ones.
        cosines: (n,) of their vectors with the new one's.

    Returns:
        (n,) compare with LEAST_LIKENESS.
    """
    above = (np.asarray(cosines, np.float64) - _UNRELATED) / (1 - _UNRELATED)
    mine = {*terms(new).ids.tolist()}
    shared = np.array([_overlap(mine, {*terms(other).ids.tolist()}) for other in others])
    says_change = float(_SAYS_CHANGE.search(new) is not None)
    return np.asarray(above + _SHARED_WORDS * shared + _CHANGE * says_change)


def _overlap(some: set[int], others: set[int]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))
