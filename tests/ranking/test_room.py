"""The room of an answer: what is shown whole, what in part, and what not at all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.ranking import Room

SIZES = st.lists(st.integers(1, 3_000), max_size=30)
TOKENS = st.integers(1, 5_000)


@given(SIZES, TOKENS)
@settings(deadline=None)
def test_an_answer_keeps_to_its_room(sizes, total):
    shares = Room.of_tokens(total).shares(sizes)
    assert len(shares) == len(sizes)
    assert sum(shares) <= total
    assert all(0 <= share <= size for share, size in zip(shares, sizes, strict=True))


@given(SIZES, TOKENS)
@settings(deadline=None)
def test_nothing_is_cut_or_left_out_while_there_is_room(sizes, total):
    shares = Room.of_tokens(total).shares(sizes)
    if sum(sizes) <= total:
        assert shares == sizes


@given(SIZES, TOKENS)
@settings(deadline=None)
def test_the_best_is_never_left_out_for_another(sizes, total):
    shares = Room.of_tokens(total).shares(sizes)
    assert not any(shares) or shares[0]
    if sizes and total >= 20:
        assert shares[0]


@given(SIZES, TOKENS)
@settings(deadline=None)
def test_what_is_shown_in_part_is_a_passage_or_fills_the_room(sizes, total):
    for share, size in zip(Room.of_tokens(total).shares(sizes), sizes, strict=True):
        assert share in (0, size) or share >= min(125, total)


def test_a_text_that_does_not_fit_gives_way_to_a_smaller_one():
    assert Room.of_tokens(12).shares([10, 25, 2]) == [10, 0, 2]


def test_long_texts_share_what_short_ones_leave():
    assert Room.of_characters(20_000, 4_000).shares([10_000, 100, 10_000]) == [4_000, 100, 4_000]
    assert Room.of_characters(20_000, 4_000).shares([10_000] * 10) == [2_000] * 10
    assert Room.of_tokens(1_100).shares([3_000, 100, 3_000]) == [500, 100, 500]


def test_one_text_may_fill_the_room_that_a_caller_gives():
    assert Room.of_tokens(9_000).shares([8_000]) == [8_000]
