"""The tokenizer: the ids that sentencepiece gives with the same pieces, for any text."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.embedding.onnx import MODEL_DIR
from mem_mcp.embedding.tokenizer import MAX_CHARACTERS, UNKNOWN, Tokenizer, normalised

FILE = MODEL_DIR / "tokenizer.bin"
TOKENIZER = Tokenizer(FILE)
CHEROKEE = "\u13a0\u13b5\u13c3\u13af"  # a script that the pieces leave out
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "tokens.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['language']} {case['text'][:12]!a}"
)
def test_the_ids_are_those_of_sentencepiece(case: dict):
    assert TOKENIZER.tokens(case["text"].strip()).ids == case["ids"]


def test_the_names_of_special_tokens_are_text():
    ids = TOKENIZER.tokens("<s> </s> <pad> <unk> <mask>").ids
    assert min(ids) > UNKNOWN
    assert max(ids) < len(TOKENIZER) - 1


def test_neighbours_that_no_piece_has_are_one_token():
    cherokee = TOKENIZER.tokens(CHEROKEE)
    assert cherokee.ids.count(UNKNOWN) == 1
    assert cherokee.known == 0.0


def test_the_share_of_what_is_known_counts_characters():
    assert TOKENIZER.tokens("abc" + CHEROKEE[:3]).known == pytest.approx(0.5)


@given(st.text(max_size=200))
def test_every_id_of_any_text_has_a_row_in_the_table(text: str):
    tokens = TOKENIZER.tokens(text)
    assert all(UNKNOWN <= token < len(TOKENIZER) for token in tokens.ids)
    assert 0.0 <= tokens.known <= 1.0


@given(st.lists(st.text(st.characters(categories=["L", "N"], max_codepoint=0x2FF)), max_size=8))
def test_words_are_cut_one_by_one(words: list[str]):
    alone = [token for word in words for token in TOKENIZER.tokens(word).ids]
    assert TOKENIZER.tokens(" ".join(words)).ids == alone


@pytest.mark.parametrize("text", ["ﷺ" * MAX_CHARACTERS, "x" * 2 * MAX_CHARACTERS])
def test_of_a_long_text_only_the_beginning_counts(text: str):
    assert len(normalised(text)) == MAX_CHARACTERS


def test_a_lone_surrogate_is_an_unknown_character():
    assert TOKENIZER.tokens("\ud800").known == 0.0


@pytest.mark.parametrize("content", [b"", b"MMT1", b"nonsense" * 100, FILE.read_bytes()[:-4]])
def test_a_file_that_is_none_of_pieces_or_is_cut_is_refused(tmp_path: Path, content: bytes):
    file = tmp_path / "tokenizer.bin"
    file.write_bytes(content or os.linesep.encode())
    with pytest.raises(ValueError, match="file of pieces"):
        Tokenizer(file)
