"""The excerpt of a long text that answers a question."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.ranking import excerpt

FILLER = "The meeting went on about the budget of the next year and nothing was decided. "


@pytest.mark.parametrize(
    ("filler", "sentence", "question"),
    [
        (FILLER, "The vault opens with 7731. ", "How does the vault open?"),
        ("会议讨论了明年的预算。", "保险柜的密码是7731。", "保险柜的密码是什么?"),
        ("ที่ประชุมคุยเรื่องงบประมาณปีหน้า\n", "รหัสตู้เซฟคือ 7731\n", "รหัสตู้เซฟคืออะไร"),
        (
            "Die Sitzung handelte vom Haushalt. ",
            "Der Tresor hat die Nummer 7731. ",
            "Tresor Nummer?",
        ),
        ("var a=1;b=a+2;if(b){c()}", "vault.open(7731);", "vault.open"),
        ("lorem ipsum dolor sit amet ", "vault 7731 ", "the vault"),
    ],
)
@pytest.mark.parametrize("place", [0, 0.5, 1])
@pytest.mark.parametrize("most", [200, 1_000])
def test_the_sentence_that_is_asked_for_is_in_it(filler, sentence, question, place, most):
    before = round(200 * place)
    text = filler * before + sentence + filler * (200 - before)
    passage = excerpt(text, question, most)
    assert len(passage) <= most
    assert "7731" in passage
    assert passage.startswith("…") == (place > 0)
    assert passage.strip("…") in text


def test_without_a_word_of_the_question_it_is_the_beginning():
    text = FILLER * 50
    for question in ("", "zebra", "?"):
        passage = excerpt(text, question, 300)
        assert passage.endswith("…")
        assert text.startswith(passage.strip("…"))


def test_it_has_what_follows_the_words_of_the_question():
    text = (
        FILLER * 30 + "How do we restart the worker? Stop the unit, then start it. " + FILLER * 30
    )
    assert "then start it" in excerpt(text, "restart the worker", 200)


def test_no_character_is_parted_from_its_marks():
    text = "ก็กี่" * 100
    for most in range(9, 60):
        passage = excerpt(text, "", most).strip("…")
        assert passage.endswith(("ก็", "กี่"))


@given(st.text(max_size=300), st.text(max_size=20), st.integers(3, 300))
@settings(deadline=None)
def test_a_passage_is_a_part_of_its_text_and_fits(text, query, most):
    passage = excerpt(text, query, most)
    assert len(passage) <= most
    assert passage.removeprefix("…").removesuffix("…") in text or passage in text
