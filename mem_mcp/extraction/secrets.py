"""Find what looks like a secret: a password, key, token, PIN or card number.

A secret is recognised by its form, or by the word that names it. Hashes, ids, order and phone
numbers are no secrets, and neither is talk about one ("the token expired").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from mem_mcp.extraction.quotes import Passages

_START = r"(?<![^\W_])"
_PASSWORD = (
    rf"(?i:{_START}(?:pass(?:word|wd|phrase|code)|pwd|pw\b|passwort|kennwort|contraseña"
    r"|mot de passe|senha|wachtwoord|lösenord|пароль)|密码|密碼|パスワード|비밀번호)"
)
_KEY = (
    rf"(?i:{_START}(?:(?:api|secret|private|access|encryption|signing|license|auth)[ _-]?key"
    r"|token|secret|credential|api-schlüssel|clave|clé))"
)
_PIN = (
    rf"{_START}(?:PIN(?:[- ]?(?:[Cc]ode|[Nn]umber|[Nn]ummer))?|(?i:pin[- ](?:code|number))"
    r"|(?i:(?:my|your|our|his|her|their|the|card|sim) pin))"
)
_OF = (
    r"(?:\s+(?i:for|of|to|on|at|in|from|für|fürs|von|vom|zum|del?|para|pour|du|di|da|per|voor)\s"
    r"[^.;:=!?\n]{1,40}?)?"
)
_SAYS = r"\s*(?:[:=：]|['’]s\s|\b(?i:is|was|used to be)\b:?)(?:\s+(?i:now|still)\b)?\s*"  # noqa: RUF001
_IS = (
    r"\s*(?:[:=：–—是为は]|-\s|['’]s\s|\b(?i:used to be|is|was|to|as|are|ist|lautet|war|es|era"  # noqa: RUF001
    r"|est|è|é)\b:?)"
    r"(?:\s+(?i:now|still|jetzt|ahora)\b)?\s*"
)
_QUOTED = r"[\"'“‘«„`](?P<quoted>[^\"'”’»“`\n]{3,80})[\"'”’»“`]"  # noqa: RUF001
_BARE = r"(?P<bare>[^\s\"'“”,;，。；]{3,200})"  # noqa: RUF001
_NAMED_PHRASE = re.compile(_PASSWORD + _OF + _IS + _QUOTED)
_NAMED_PASSWORD = re.compile(_PASSWORD + _OF + _IS + _BARE)
# A mere word is one only where the sentence does not go on.
_NAMED_WORD = re.compile(
    rf"{_PASSWORD}{_OF}{_SAYS}(?P<bare>[^\W\d_](?:[^\W\d_]|-){{2,80}})(?=\s*(?:$|[.,;!?)\n]|(?:and|but)\b))"
)
_NAMED_KEY = re.compile(f"{_KEY}{_OF}{_IS}(?:{_QUOTED}|{_BARE})")
_AFTER_KEY = re.compile(rf"{_KEY}\s+(?P<bare>[\w+/.=-]{{16,500}})")
_AFTER_WORD = re.compile(rf"{_PASSWORD}\s+(?P<bare>[^\s\"'“”,;]{{7,200}})")
_BEFORE_WORD = re.compile(
    r"(?<!\S)(?P<bare>[^\s\"',;]{4,80})\s+(?:is|as)\s+(?:my|the|our|your|his|her|its|their)\s+"
    rf"(?:\w+\s+){{0,2}}{_PASSWORD}(?=\s*(?:$|[.,;:!?)]|(?:for|of|to|at|on|in|and|but)\b))"
)
# Those of circuit boards are shorter.
_PINS = re.compile(rf"(?<!GPIO ){_PIN}{_OF}(?:{_IS}|[\s(#]+)(?P<bare>\d{{4,8}})(?!\w|[.,:/-]\d)")
_CARD_CODE = re.compile(
    rf"{_START}CV[VC]2?{_OF}(?:{_IS}|[\s(#]+)(?P<bare>\d{{3,4}})(?!\w|[.,:/-]\d)"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY[\s\S]*?(?:-----END[^-]*-----|\Z)")
# What many services' keys begin with, and what all of a few others' look like.
_PREFIXED = re.compile(
    r"(?<![\w-])(?:sk|pk|rk|gsk|xai|hf|pplx|nvapi|r8|csk|whsec|npm|dop|gh[opsur]|github_pat|glpat"
    r"|xox[a-z]|shpat)[-_][\w-]{8,500}"
)
_BEARER = re.compile(r"\b[Bb]earer\s+(?P<bare>[\w.~+/-]{8,2000})")
_SHAPED = re.compile(
    r"\bAIza[\w-]{20,100}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[\w-]{10,4000}\.[\w-]{10,4000}[\w.-]*"
    r"|\bya29\.[\w-]{20,500}|\b\d{8,10}:[\w-]{35}\b"
)
_IN_ADDRESS = re.compile(r"://[^/\s:@]{0,100}:(?P<bare>[^/\s@]{3,200})@")
_CARD = re.compile(
    r"(?<![\w+.-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3\d{3}([ -]?)\d{6}\2\d{4,5})(?![\w-]|\.\d)"
)
_NAMED_CARD = re.compile(
    r"(?i:card|kreditkarte|tarjeta|carte)(?i:[- ]?(?:number|no\.?|nummer))?"
    rf"{_OF}(?:{_IS}|[\s(#]+)(?P<bare>\d(?:[ -]?\d){{12,18}})(?![\w-]|\.\d)"
)
_ISSUED = re.compile(
    # Visa, Mastercard, Discover, JCB and UnionPay; American Express and Diners Club.
    r"4\d{15}|(?:5[1-5]|2[2-7]|35|6[0245])\d{14}|3[47]\d{13}|3[068]\d{12}"
)

_NO_VALUE = re.compile(
    r"[\W_]*|(.)\1*|v?\d+(?:\.\d+)+|\d{4}-\d\d(?:-.*)?|[$%{<\[].*|(?:https?:|/|\./).*"
    r"|\d+(?:文字|桁|位|자|자리|글자).*"
    r"|\d+-?(?:bit|character|char|digit|day|hour|minute|month|week|year)s?\b.*"
    r"|[A-Z]+(?:_[A-Z]+)+|(?:your|my|the|some)?[-_ ]?(?:pass(?:word|wd)?|pwd|token|secret|key)"
    r"|.*\(.*|\w+(?:\.\w+)+\[.*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TOLD = """
a an the not too very no none null nil undefined true false str string text int bytes bool any
required optional mandatory empty missing unknown wrong weak strong valid invalid correct incorrect
long short secure insecure safe unsafe secret private public lost gone same different new old fine
good bad ok okay needed useless there here it that this mine yours hers his ours base64 sha1 sha256
sha512 md5 oauth2 hs256 rs256 ed25519 utf8 utf-8 case-sensitive back ready enough simple easy hard
trivial obvious unclear important everywhere plaintext unique random sensitive temporary default
falsch richtig geheim weg sicher unsicher leer fehlt vergessen falsa incorrecta correcta olvidada
segura vacía faux incorrect oublié perdu vide errada fraca forte esquecida sbagliata dimenticata
неверный неверен верный забыт забыла забыл утерян
"""
_STATES = frozenset(_TOLD.split())
_ACRONYM = re.compile(r"[A-Z]{2,4}-?\d{2,4}")
"""A standard, or a band: ES256, BTS2023."""
_NUMBERED = re.compile(r"[a-z]{1,12}(?:[-_][a-z]{1,12})*\d{1,4}")
_PARTICIPLE = re.compile(r".*(?:ed|ing|able|ible|less|ly|en|own|set|out)", re.IGNORECASE)
_RUN = re.compile(r"[^\W_]+")
_LEAST_RUN, _LEAST_WHOLE = 6, 16
_LEAST_PREFIXED = 8
_LEAST_KNOWN = 4
_YEAR = re.compile(r"(?:19|20)\d\d")


class Secret(NamedTuple):
    """The place of what looks like a secret in a text."""

    what: str
    """The kind of secret."""
    start: int
    end: int


def secrets(text: str) -> Iterator[Secret]:
    """Find what looks like a secret in a text."""
    for form in _FORMS:
        for match in form.pattern.finditer(text):
            value, start = _value(match)
            if form.fits(value):
                yield Secret(form.what, start, start + len(value))


def masked(text: str) -> str:
    """Return a text with a mark in place of each secret."""
    end, kept = 0, []
    for secret in sorted(secrets(text), key=lambda one: one.start):
        if secret.start >= end:
            kept += [text[end : secret.start], "…"]
        end = max(end, secret.end)
    return "".join([*kept, text[end:]])


class Secrets:
    """The secrets of some texts, to find them again where no word names them."""

    def __init__(self, texts: Iterable[str]) -> None:
        values = {text[found.start : found.end] for text in texts for found in secrets(text)}
        # What could as well be a word or a year stands in many texts by chance.
        self._values = [
            value
            for value in sorted(values)
            if len(value) >= _LEAST_KNOWN
            and any(map(str.isdigit, value))
            and not _YEAR.fullmatch(value)
        ]

    def held_by(self, texts: Sequence[str]) -> str | None:
        """Return the kind of secret that one of the texts holds; None if none does."""
        for text in texts:
            if found := next(secrets(text), None):
                return found.what
        passages = Passages(texts)
        return "secret" if any(map(passages.holding, self._values)) else None


def _value(match: re.Match[str]) -> tuple[str, int]:
    """Return the part of a match that would be the secret, and where it begins."""
    groups = match.groupdict()
    if groups.get("quoted"):
        return match["quoted"], match.start("quoted")
    if groups.get("bare"):
        return match["bare"].rstrip(".!?):]}>"), match.start("bare")
    return match[0], match.start()


def _is_phrase(value: str) -> bool:
    return not (_STATES.issuperset(value.casefold().split()) or _NO_VALUE.fullmatch(value))


def _is_password(value: str) -> bool:
    is_number = value.isdigit() and len(value) >= _LEAST_KNOWN
    return (is_number or _is_mixed(value)) and not _is_no_value(value)


def _is_word(value: str) -> bool:
    return not (_is_no_value(value) or _PARTICIPLE.fullmatch(value))


def _is_key(value: str) -> bool:
    return not (_is_no_value(value) or _ACRONYM.fullmatch(value)) and _is_random(value, _LEAST_RUN)


def _is_prefixed(value: str) -> bool:
    own = re.sub(r"^\w+?[-_]", "", value)
    # A branch or a package may begin so: "pk-utils2024".
    return _is_random(own, _LEAST_PREFIXED) and not _NUMBERED.fullmatch(own)


def _is_no_value(value: str) -> bool:
    return bool(
        value.casefold() in _STATES or _NO_VALUE.fullmatch(value) or _ADDRESS.fullmatch(value)
    )


def _is_mixed(value: str) -> bool:
    """Whether a value is not a word: it mixes letters with digits or signs, or both cases."""
    has_letter = any(map(str.isalpha, value))
    return has_letter and bool(re.search(r"\d|[@#$%^&*!+=~]|[a-z][A-Z]", value))


def _is_random(value: str, least: int) -> bool:
    """Whether a value looks like a key, not like words and numbers."""
    if any(map(str.isspace, value)):
        return False
    longest = max(_RUN.findall(value), key=len, default="")
    if len(longest) >= least and re.search(r"\d", longest) and re.search(r"[^\W\d_]", longest):
        return True
    if len(longest) >= _LEAST_WHOLE and re.search(r"[a-z][A-Z].*[a-z][A-Z]", longest):
        return True
    return len(value) >= _LEAST_WHOLE and len(re.findall(r"\d", value)) >= _LEAST_KNOWN


def _is_card(value: str) -> bool:
    digits = "".join(filter(str.isdecimal, value))
    if not _ISSUED.fullmatch(digits):
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(map(sum, map(_places, doubled)))) % 10 == 0


def _places(number: int) -> tuple[int, int]:
    return divmod(number, 10)


class _Form(NamedTuple):
    what: str
    pattern: re.Pattern[str]
    fits: Callable[[str], bool] = bool
    """A further condition on the value."""


_FORMS = (
    _Form("private key", _PRIVATE_KEY),
    _Form("key or token", _SHAPED),
    _Form("key or token", _PREFIXED, _is_prefixed),
    _Form("key or token", _BEARER, _is_key),
    _Form("key or token", _NAMED_KEY, _is_key),
    _Form("key or token", _AFTER_KEY, _is_key),
    _Form("password", _NAMED_PHRASE, _is_phrase),
    _Form("password", _NAMED_PASSWORD, _is_password),
    _Form("password", _NAMED_WORD, _is_word),
    _Form("password", _AFTER_WORD, _is_password),
    _Form("password", _BEFORE_WORD, _is_password),
    _Form("password", _IN_ADDRESS, _is_phrase),
    _Form("card number", _CARD, _is_card),
    _Form("card number", _NAMED_CARD),
    _Form("PIN", _PINS),
    _Form("PIN", _CARD_CODE),
)
