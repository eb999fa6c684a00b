# ruff: noqa: RUF001 - texts in other scripts
"""Words in their language, and what an embedder that knows nothing of it may cost."""

import hashlib

import numpy as np
import pytest
from candidate_builder import build
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.ranking import Query, rank
from mem_mcp.ranking.text_analysis import is_exact, terms

DIMENSIONS = 64
NOTES = {
    "en": {
        "The bakery opens at six in the morning.": "When does the bakery open?",
        "My brother studies medicine in Leeds.": "Where does my brother study?",
        "The garden needs water every evening.": "What does the garden need in the evenings?",
        "Our printer jams with thick paper.": "Which paper jams the printer?",
        "The choir rehearses on Thursdays.": "When are the rehearsals of the choir?",
        "We painted the kitchen yellow.": "Which colour was the kitchen painted?",
    },
    "de": {
        "Die Bäckerei öffnet um sechs Uhr morgens.": "Wann öffnen die Bäckereien?",
        "Mein Bruder studiert Medizin in Jena.": "Wo studiert mein Bruder?",
        "Der Garten braucht jeden Abend Wasser.": "Was brauchen die Gärten am Abend?",
        "Unser Drucker staut bei dickem Papier.": "Bei welchem Papier staut der Drucker?",
        "Der Chor probt am Donnerstag.": "Wann sind die Proben des Chors?",
        "Wir haben die Küche gelb gestrichen.": "Wie wurde die Küche gestrichen?",
    },
    "es": {
        "La panadería abre a las seis de la mañana.": "¿Cuándo abren las panaderías?",
        "Mi hermano estudia medicina en Granada.": "¿Dónde estudia mi hermano?",
        "El jardín necesita agua cada tarde.": "¿Qué necesitan los jardines por la tarde?",
        "La impresora se atasca con papel grueso.": "¿Con qué papel se atasca la impresora?",
        "El coro ensaya los jueves.": "¿Cuándo son los ensayos del coro?",
        "Pintamos la cocina de amarillo.": "¿De qué color pintamos la cocina?",
    },
    "ru": {
        "Пекарня открывается в шесть утра.": "Когда открываются пекарни?",
        "Мой брат изучает медицину в Казани.": "Где брат изучает медицину?",
        "Саду нужна вода каждый вечер.": "Что нужно садам вечером?",
        "Принтер застревает на плотной бумаге.": "На какой бумаге застревают принтеры?",
        "Хор репетирует по четвергам.": "Когда репетиции хора?",
        "Мы покрасили кухню в жёлтый цвет.": "В какой цвет покрашена кухня?",
    },
    "zh": {
        "面包店早上六点开门。": "面包店几点开门?",
        "我弟弟在南京学医。": "弟弟在哪里学医?",
        "花园每天晚上要浇水。": "花园什么时候浇水?",
        "打印机用厚纸会卡纸。": "打印机用什么纸会卡纸?",
        "合唱团星期四排练。": "合唱团哪天排练?",
        "我们把厨房刷成了黄色。": "厨房刷成了什么颜色?",
    },
    "ar": {
        "يفتح المخبز في السادسة صباحا.": "متى تفتح المخابز أو يفتح المخبز؟",
        "أخي يدرس الطب في حلب.": "أين يدرس أخي الطب؟",
        "الحديقة تحتاج إلى الماء كل مساء.": "ماذا تحتاج الحديقة في المساء؟",
        "الطابعة تتعطل مع الورق السميك.": "مع أي ورق تتعطل الطابعة؟",
        "الجوقة تتدرب يوم الخميس.": "متى تتدرب الجوقة؟",
        "دهنا المطبخ باللون الأصفر.": "بأي لون دهنا المطبخ؟",
    },
}  # fmt: skip


def noise(text, salt=""):
    seed = list(hashlib.sha256((salt + text).encode()).digest())
    return np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)


def first(question, vector, texts, vectors):
    ranking = rank(Query(text=question, vector=vector, now=0.0), build(texts, vectors))
    return texts[ranking.order[0]]


@pytest.mark.parametrize("language", NOTES)
def test_an_embedder_that_knows_nothing_of_a_language_hardly_costs_what_words_find(language):
    notes = NOTES[language]
    texts, none = [*notes], np.full((len(notes), DIMENSIONS), np.nan)
    words = sum(first(question, None, texts, none) == text for text, question in notes.items())
    assert words >= len(notes) - 1
    tries = [
        first(question, noise(question, salt), texts, [noise(text, salt) for text in texts]) == text
        for salt in "abcdefghij"
        for text, question in notes.items()
    ]
    assert np.mean(tries) >= words / len(notes) - 0.03


@pytest.mark.parametrize("stored", NOTES)
@pytest.mark.parametrize("asked", NOTES)
def test_where_no_word_is_shared_meaning_decides(asked, stored):
    if asked == stored:
        return
    texts = [*NOTES[stored]]
    meant = np.eye(len(texts), DIMENSIONS, dtype=np.float32) + 0.3 * noise("what all have")
    for row, question in enumerate(NOTES[asked].values()):
        assert first(question, meant[row], texts, meant) == texts[row]


@pytest.mark.parametrize("language", NOTES)
def test_a_vector_of_zeros_is_none(language):
    texts, questions = [*NOTES[language]], NOTES[language].values()
    none = np.full((len(texts), DIMENSIONS), np.nan, np.float32)
    zero = np.zeros_like(none)
    for question in questions:
        one = rank(Query(question, None, 0.0), build(texts, none))
        other = rank(Query(question, zero[0], 0.0), build(texts, zero))
        np.testing.assert_array_equal(one.score, other.score)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("de", "Wir haben in den Häusern nicht", "das Haus ist"),
        ("es", "los gatos que no son", "el gato está con la"),
        ("fr", "nous avons des chevaux et des nationales", "la nationale est dans le"),
        ("tr", "bu kitaplar için çok", "bir kitap ve bu"),
        ("", "в домах", "дома"),
        ("", "المدارس والكتاب", "الكتاب"),
        ("", "मकानों में", "मकान"),
        ("", "cafés", "café"),
    ],
)
def test_forms_of_a_word_meet(language, one, other):
    assert terms(one).language == language
    assert {*terms(one).stems} & {*terms(other).stems}


def test_the_language_of_most_texts_is_that_of_a_text_that_does_not_tell():
    texts = [*NOTES["de"], "Kirchen"]
    candidates = build(texts)
    assert candidates.language == "de"
    ranking = rank(Query("Kirche", None, 0.0), candidates)
    assert texts[ranking.order[0]] == "Kirchen"
    assert build([*NOTES["en"]]).language == "en"
    assert build(["x", "y"]).language == ""


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("who is with IT", "IT owns the VPN.", "It is a shop."),
        ("which cache lives for 5 hours", "Tiles: 5 hours.", "Sessions: 1.5 hours."),
        ("the limit of 1000 euros", "Up to 1,000 euros.", "Up to 1,500 euros."),
        ("tokenize.rs", "src/tokenize.rs has the lexer.", "src/tokenizer.rs has the parser."),
        ("getUser", "getUser is public.", "GetUser is internal."),
        ("🚀", "🚀 means it is out.", "✅ means it is done."),
        ("Is C# used?", "C# in the client.", "C in the client."),
    ],
)
def test_what_is_written_exactly_so_comes_first(question, right, wrong):
    none = np.full((2, DIMENSIONS), np.nan)
    assert first(question, None, [wrong, right], none) == right


@pytest.mark.parametrize(
    "piece", ["x", "1.", "1,", "a-", "-", "+", "a#", "aA", "1", "🙂", "字", "a1."]
)
def test_a_long_text_of_one_kind_has_terms(piece):
    assert terms(piece * 100_000).length >= 0


@given(st.text(max_size=80), st.sampled_from(["", *NOTES, "xx"]))
def test_any_text_has_terms_in_any_language(text, language):
    for asked in (False, True):
        found = terms(text, language, asked=asked)
        assert found.length == found.counts[~is_exact(found.ids)].sum()
        assert 0 <= found.words <= max(found.stems.size, len(text))


def test_the_stroke_that_ends_a_sentence_in_hindi_is_no_letter():
    assert set(terms("चाय").ids.tolist()) <= set(terms("मीना को चाय।").ids.tolist())
