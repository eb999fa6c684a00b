"""Secrets of known forms are masked, each so that it is known again; other texts stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_secrets import BLOCKS, CHOSEN, HARMLESS, UNSEEN, made

from mem_mcp.extraction.secrets import secrets
from mem_mcp.intake.secret_formats import MARKED, PREFIXED
from mem_mcp.intake.secret_masks import masked


@pytest.mark.parametrize(("text", "form"), CHOSEN + UNSEEN)
def test_a_secret_is_masked_and_what_stands_around_it_stays(text: str, form: str):
    secret = made(form)
    before, after = text.split("{}")
    shown, kinds = masked(f"{before}{secret}{after}")
    assert len(kinds) == 1
    assert secret not in shown
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert f"[secret: {kinds[0]} " in shown
    # No more of it is shown than its own beginning and four characters.
    assert not any(secret[at : at + 12] in shown for at in range(12, len(secret) - 12))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_private_key_is_masked_whole(block: str):
    shown, kinds = masked(f"deploy key:\n{made(block)}\nand then the user logs in")
    assert kinds == ["private key"]
    assert shown.startswith("deploy key:\n[secret: private key #")
    assert shown.endswith("and then the user logs in")
    assert len(shown) < 100


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_without_a_secret_stays(text: str):
    assert masked(text) == (text, [])


@pytest.mark.parametrize(("text", "form"), CHOSEN + UNSEEN)
def test_two_secrets_stay_two_and_the_same_one_is_the_same(text: str, form: str):
    first, same, second = (masked(text.replace("{}", made(form, seed)))[0] for seed in (0, 0, 1))
    assert first == same
    assert first != second


@pytest.mark.parametrize(("text", "form"), CHOSEN + UNSEEN)
def test_a_mask_is_no_secret(text: str, form: str):
    shown, _ = masked(text.replace("{}", made(form)))
    assert masked(shown) == (shown, [])
    assert not [one for one in secrets(shown) if "[secret:" in shown[one.start : one.end]]


def test_several_secrets_of_a_text_are_each_masked():
    texts = [text.replace("{}", made(form)) for text, form in CHOSEN]
    shown, kinds = masked("\n".join(texts))
    assert len(kinds) == len(CHOSEN)
    assert shown == "\n".join(masked(text)[0] for text in texts)


def test_every_form_names_its_source():
    assert all(form.what and form.source for form in (*PREFIXED, *MARKED))


@given(st.text(max_size=200))
def test_a_text_of_any_signs_is_masked_once(text: str):
    shown, kinds = masked(text)
    assert (shown == text) == (not kinds)
    assert masked(shown)[0] == shown


@pytest.mark.parametrize(
    "unit",
    ["ghp_", "sk-", "eyJ", "eyJaaaaaaaaaaaa.", "://a:", "password=", "host=a ",
     "-----BEGIN PRIVATE KEY-----\n", "AAAAAAAAAAAAAAAAAAAAAAAA\n", "secret_access_key=",
     "glpat-a"],
)  # fmt: skip
def test_a_long_text_of_beginnings_holds_no_secret(unit: str):
    # That each such text is read at all shows that no form goes back over it again and again.
    text = unit * (100_000 // len(unit))
    shown, _ = masked(text)
    assert len(shown) <= len(text) + 100
