"""What looks like a secret, and what only sounds like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.extraction.secrets import Secrets, masked, secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        ("My password is hunter2.", "password", "hunter2"),
        ("the wifi password is swordfish, in case I forget", "password", "swordfish"),
        ("its password is rote-Laterne-88, in case I forget.", "password", "rote-Laterne-88"),
        ("My password is: Tr0ub4dor", "password", "Tr0ub4dor"),
        ("my password's hunter2 and pw - hunter3", "password", "hunter2"),
        ("My password used to be hunter2", "password", "hunter2"),
        ("the password for my email is blue-horse", "password", "blue-horse"),
        ("aws secret access key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "key or token", "wJal"),
        ("Password: tr0ub4dor&3", "password", "tr0ub4dor&3"),
        ("DB_PASSWORD=Zebra77x make run", "password", "Zebra77x"),
        ("password for the router at home is kYx91!a", "password", "kYx91!a"),
        ("I changed my password to Winter2026!", "password", "Winter2026"),
        ("The passphrase is 'correct horse battery staple'", "password", "correct horse"),
        ("Das WLAN-Passwort lautet Fuchs123bau", "password", "Fuchs123bau"),
        ("mi contraseña es Gato1987", "password", "Gato1987"),
        ("mon mot de passe est Lune44bleue", "password", "Lune44bleue"),
        ("我的密码是abc12345", "password", "abc12345"),
        ("log in with password hunter22", "password", "hunter22"),
        ("hunter2 is my email password.", "password", "hunter2"),
        ("postgres://ana:kite99@db.example/shop", "password", "kite99"),
        ("Use sk-test-9QpLmZ04xvT2 for staging", "key or token", "sk-test-9QpLmZ04xvT2"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "key or token", "ghp_"),
        ("AKIAIOSFODNN7EXAMPLE is the id", "key or token", "AKIAIOSFODNN7EXAMPLE"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "key or token", "AIza"),
        (f"curl -H 'Authorization: Bearer {JWT}'", "key or token", JWT),
        ("Authorization: Bearer 9f8e7d6c5b4a", "key or token", "9f8e7d6c5b4a"),
        ("The API key is 7fa9c21be0", "key or token", "7fa9c21be0"),
        ("api_key = 'Zx81kQ93bb'", "key or token", "Zx81kQ93bb"),
        ("the token for the bot: 550e8400-e29b-41d4-a716-446655440000", "key or token", "550e"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private key", "MIIE"),
        ("card 4929 1180 2276 5317", "card number", "4929 1180 2276 5317"),
        ("5500-0000-0000-0004 exp 12/27", "card number", "5500-0000-0000-0004"),
        ("378282246310005", "card number", "378282246310005"),
        ("my card number is 1234 5678 9012 3456", "card number", "1234 5678 9012 3456"),
        ("My new card has PIN 7741", "PIN", "7741"),
        ("my pin is 0042", "PIN", "0042"),
        ("the PIN is: 4821", "PIN", "4821"),
        ("PIN code for the garage: 998877", "PIN", "998877"),
        ("the CVV is 123", "PIN", "123"),
    ],
)
def test_a_secret_is_found_and_masked(text: str, what: str, value: str):
    assert what in {found.what for found in secrets(text)}
    assert value in text
    assert value not in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "My password manager is 1Password",
        "1Password is my password manager",
        "I keep every password in Bitwarden",
        "The password is wrong.",
        "the password is on the fridge, and the same as mine",
        "The password hash uses argon2id, and the password reset link expired after 24h",
        "the token bucket holds 1000 tokens, and the token authentication-service-v2 is down",
        "The secret to good bread is time, 65% water",
        "The password was changed.",
        "My password has 16 characters and the password is 16-characters long",
        "The password must be changed every 90 days",
        "I sent the password to ana@example.com",
        "I need a password to login.",
        "password: string; token: str = None",
        "password=$DB_PASSWORD and api_key=os.environ['OPENAI_API_KEY']",
        "The token expired on 2026-05-01T10:00:00Z",
        "the token: expired",
        "The access token is stored in the vault, at https://vault.example/v1/abc12345",
        "The token is RS256-signed and the token is base64",
        "The API key is invalid, and the secret is out",
        "The token limit is 128000 and max_tokens=4096000",
        "Ana is a key account manager, key-value stores bore her",
        "The primary key is user_id2",
        "Order 4111-2222-3333 of May, order number 4929118022765310",
        "order 112-7654321-1234567 and tracking 1Z999AA10123456784",
        "Call me at +49 1511 2345678 or +4911111111111111 or (555) 867-5309",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "ISBN 978-3-16-148410-0 or 9780306406157",
        "pin the version to 4.17, GPIO pin 13, pinned in 2024",
        "The PIN changed in 2024",
        "https://example.com:8080/users/@ana",
        "scikit-learn, sk-learn-contrib and pk_customer",
        "The guest wifi is called Fuchsbau",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "He lives at 4929 Main Street, 118022 Springfield",
    ],
)
def test_what_only_sounds_like_a_secret_is_none(text: str):
    assert list(secrets(text)) == []
    assert masked(text) == text


def test_a_secret_is_known_again_where_no_word_names_it():
    known = Secrets(["My new card has PIN 7741, and the password is hunter2.", "PIN 2024"])
    assert known.held_by(["Ana opens it with 7741"]) == "secret"
    assert known.held_by(["fine", "Ana signs in as HUNTER2."]) == "secret"
    assert known.held_by(["Ana has 17741 files of 2024"]) is None
    assert Secrets([]).held_by(["Ana signs in as hunter2"]) is None


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=6),
            st.sampled_from(
                ["password", "PIN", "token", " is ", ": ", " for ", "'", "sk-", "bearer ", "://a:",
                 "4929 1180 2276 5317", "hunter2", "-----BEGIN PRIVATE KEY-----", "aB3" * 9]
            ),
        ),
        max_size=12,
    ).map("".join)
)  # fmt: skip
def test_whatever_a_text_holds_it_is_read_and_masking_hides_what_was_found(text: str):
    found = list(secrets(text))
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert (masked(text) == text) == (not found)
