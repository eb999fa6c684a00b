"""Where a long text is cut into passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.ranking.constants import PASSAGE_SIZE, PASSAGES_MAX, WHOLE_SIZE_MAX
from mem_mcp.ranking.passage_split import passages

FILLER = "The meeting went on about the roof, the boiler and the tea. Nobody was in a hurry. "


def parts(text: str) -> list[str]:
    return [text[part] for part in passages(text)]


@given(st.text(alphabet=st.sampled_from("ab. \n\u0301\u0e49語。!\U0001f469\u200d"), max_size=3_000))
def test_passages_together_are_the_text(text: str) -> None:
    assert "".join(parts(text)) == text


@pytest.mark.parametrize("text", ["", " ", "Miso is a cat.", "x" * WHOLE_SIZE_MAX])
def test_a_short_text_is_one_passage(text: str) -> None:
    assert parts(text) == [text]


def test_passages_begin_with_a_sentence() -> None:
    text = FILLER * 30
    assert all(part.startswith(("The meeting", "Nobody")) for part in parts(text))


def test_passages_are_of_about_the_same_size() -> None:
    sizes = [len(part) for part in parts(FILLER * 40)]
    assert PASSAGE_SIZE / 2 < min(sizes) <= max(sizes) < PASSAGE_SIZE * 2


@pytest.mark.parametrize(
    "unit",
    [
        "word ",
        "a=b;c(d){e}",
        "记忆",
        "สวัสดี",
        "x",
        "\n",
        " ",
        ". ",
        "!",
        '..."',
        "1\u0301",
        "👩\u200d",
    ],
)
def test_a_text_without_a_sentence_has_few_passages_of_bounded_size(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    sizes = [len(part.encode()) for part in parts(text)]
    assert len(sizes) <= PASSAGES_MAX
    assert max(sizes) < 2 * len(text.encode()) / PASSAGES_MAX


def test_a_mark_stays_with_its_letter() -> None:
    assert not any(part.startswith("\u0301") for part in parts("e\u0301" * 5_000))
