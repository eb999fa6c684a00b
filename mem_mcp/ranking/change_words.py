"""Words that say that something has changed, in many languages."""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

from __future__ import annotations

import re

_NOW = (
    "now|these days|since then|from today|from now on|currently|again|any ?more|any longer"
    "|jetzt|nun|ab sofort|ab heute|seitdem|inzwischen|mittlerweile|wieder|neuerdings"
    "|maintenant|désormais|dorénavant|à présent|de nouveau|à nouveau"
    "|ahora|desde hoy|otra vez|de nuevo|a partir de ahora"
    "|adesso|ormai|d'ora in poi|di nuovo|da oggi|agora|hoje em dia|de novo|novamente"
    "|nu|voortaan|tegenwoordig|weer|teraz|obecnie|znowu|artık|şimdi|sekarang|kini"
    "|bây giờ|hiện nay|hiện tại|giờ|теперь|сейчас|снова|опять|الآن|حاليا|अब|आजकल"
)
_NOW_UNSPACED = (
    "现在|如今|已经|從今|今は|現在|これから|今後|ตอนนี้|ปัจจุบัน|ตั้งแต่นี้|อีกครั้ง|แล้วตอนนี้|이제|지금은|앞으로"
)
_NEW = (
    r"new|neue[rsnm]?|nouve\w+|nuev[oa]s?|nuov[oaie]|nov[oa]s?|nieuwe?|nowy|nowa|nowe|yeni|baru|mới"
    "|нов(?:ый|ая|ую|ое|ые)|ال?جديدة?"
)
_NEW_UNSPACED = "नया|नई|नए|新的|新しい|新来|ใหม่|새로운"
_ENGLISH = (
    "moved|moves to|switched|migrated|changed|joined|no longer|instead|replace[sd]?|replacing"
    "|renamed|upgraded|rewritten|rewrote|sold|stopped|quit|resigned|gave up|given up|dropped"
    "|retired|cancelled|canceled|postponed|left|leaves|leaving|went back|swapped|converted"
    "|became|handed|took over|taken over|takes over|raised|lowered|is being|are being"
)
_GERMAN = (
    "nicht mehr|umgestiegen|umgestellt|umgeschrieben|abgelöst|abgesetzt|aufgestiegen|abgestiegen"
    "|(?:um)?gezogen|gewechselt|verlegt|verschoben|ersetzt|umbenannt|geändert|übernimmt|übernommen"
    r"|abgeschafft|aufgehört|gekündigt|erhöht|gesenkt|statt|kein\w* \w+ mehr|verkauft"
    "|zieht um|hört auf|ausgezogen|verlassen"
)
_FRENCH = (
    r"ne \w+ plus|n'\w+ plus|déménagé\w*|remplac\w+|renommée?|déplacée?|reportée?|changé"
    "|arrêté|quitté|rejoint|repris|augmenté|baissé|réécrite?|démissionné|passée?s? (?:à|au|aux)"
    "|migrée?s?|vendue?|au lieu|a fermé"
)
_SPANISH = (
    r"ya no|mud(?:é|ó|amos)|traslad(?:é|ó|amos)|cambi(?:é|ó|amos)|pasó|dej(?:é|ó|amos)"
    r"|reemplaz\w+|sustituy\w+|subió|bajó|en vez de|en lugar de|quedó|cerrado|migr(?:é|ó|amos)"
    "|reescrit[oa]|renunci[éó]"
)
_ITALIAN = (
    r"non \w+ più|cambiat[oaie]|spostat[oaie]|trasferit[oaie]|sostituit[oaie]"
    r"|passat[oaie] (?:a|al|alla)|lasciat[oaie]|smesso|ripreso|aumentat[oaie]|invece di|al posto di"
    r"|migrat[oaie]|diventat[oaie]|licenziat[oaie]"
)
_PORTUGUESE = (
    r"já não|não \w+ mais|mud(?:ei|ou|amos)|pass(?:ei|ou|amos|aram)|troc(?:ei|ou|amos)"
    r"|substitu\w+|deix(?:ei|ou|amos)|em vez de|no lugar de|aumentou|baixou|migr(?:ei|ou|amos)"
)
_DUTCH_POLISH = (
    "niet meer|verhuisd|verplaatst|vervangen|gewijzigd|veranderd|overgestapt|gestopt"
    r"|już nie|zmieni\w+|przeni\w+|przeszed\w+|przeszliśmy|zamiast|rzuci\w+"
)
_TURKISH_INDONESIAN = (
    r"taşın\w+|değiş\w+|yerine|bıraktı\w*|geçti\w*"
    r"|tidak lagi|pindah|dipindah\w*|diganti|ganti|berubah|menggantikan"
)
_VIETNAMESE = "không còn|chuyển|đổi|thay|dời|nghỉ việc|bỏ"
_RUSSIAN = (
    r"больше не|переехал\w*|перен[её]с\w*|переш[её]?л\w*|перев[её]л\w*|переписал\w*|"
    r"переименовал\w*|смен(?:ил|ён)\w*|замен(?:ил|ён)\w*|вместо|бросил\w*|"
    r"уволил\w*|повысил\w*|снизил\w*|уш[её]?л\w*|измен(?:ил|ён)\w*"
)
_ARABIC = (
    r"أصبح\w*|صار\w*|صرنا|انتقل\w*|تغي[رّ]\w*|غي[رّ]\w*|ترك\w*|بدل\w*|استبدل\w*"
    r"|لم (?:يعد|تعد|نعد|أعد)|نقل\w*|ارتفع\w*|انخفض\w*|استقال\w*|توقف\w*"
)
_HINDI = r"बदल\w*|की जगह|के बजाय|छोड़\w*"
_UNSPACED = (
    r"了(?=[。！,，]|$)|不再|改到|改为|改成|改用|换成|换了|搬到|搬家|迁到|迁移|挪到|不用再|取代|升级|取消|跳槽|辞职|重写|离职"
    "|変更|移行|移転|移動|引っ越|やめ|切り替え|替え|になった|になりました|代わり|ではなく"
    "|ย้าย|เปลี่ยน|เลิก|แทน|ลาออก|ไม่ใช่อีก"
    "|바뀌|바꿨|변경|이사|옮[겼기]|대신|그만"
)
_SPACED = "|".join(
    (
        _ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _DUTCH_POLISH,
        _TURKISH_INDONESIAN, _VIETNAMESE, _RUSSIAN, _ARABIC,
    )
)  # fmt: skip
# \b ends a word before a vowel sign of Hindi.
_EVENT = re.compile(rf"\b(?:{_SPACED})\b|(?<!\w)(?:{_HINDI})|{_UNSPACED}", re.IGNORECASE)
_AT_PRESENT = re.compile(rf"(?<![\w])(?:{_NOW})(?![\w])|{_NOW_UNSPACED}", re.IGNORECASE)
_IS_NEW = re.compile(rf"\b(?:{_NEW})\b|{_NEW_UNSPACED}", re.IGNORECASE)


def says_change(text: str) -> bool:
    """Return whether a text speaks of a change, or of how things are at present."""
    return any(pattern.search(text) for pattern in (_EVENT, _AT_PRESENT, _IS_NEW))


def names_change(text: str, start: int, end: int) -> bool:
    """Return whether a piece of a text begins with an event that changes something: it moved."""
    return _EVENT.match(text, start, end) is not None


def is_at_present(word: str) -> bool:
    """Return whether a word only says that something is so at present: now, again."""
    return _AT_PRESENT.fullmatch(word) is not None
