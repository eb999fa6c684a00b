"""JWTs of an identity provider over real HTTP, its keys in a file or at an address."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from guarded import HELLO, Guarded, bearer, request, serving
from mcp import MCPError

from mem_mcp import Settings
from mem_mcp.config import AuthSettings
from mem_mcp.errors import ConfigError
from mem_mcp.server import identity_provider
from mem_mcp.server.identity_provider import IdentityProvider

ISSUER = "https://login.example.com/"
AUDIENCE = "https://memory.example.com/mcp"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example.com/"},
    "an issuer without its slash": {"iss": ISSUER.rstrip("/")},
    "several issuers": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://other.example.com"},
    "no audience": {"aud": None},
    "an audience that begins like it": {"aud": AUDIENCE + "/x"},
    "an empty audience": {"aud": []},
    "over": {"exp": int(time.time()) - 3_600},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "not yet valid": {"nbf": int(time.time()) + 3_600},
    "made in the future": {"iat": int(time.time()) + 3_600},
    "no user": {"sub": None},
    "an empty user": {"sub": ""},
    "a user of spaces": {"sub": "  "},
    "a user that is a number": {"sub": 7},
    "a user that is a list": {"sub": ["alice"]},
    "the user that is all": {"sub": "global"},
    "a user with a null character": {"sub": "alice\0"},
    "a very long user": {"sub": "a" * 5_000},
}


def jwk(key: Any, key_id: str | None, **more: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else None
    made = (kind or jwt.algorithms.ECAlgorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, **({"kid": key_id} if key_id else {}), "use": "sig", **more}


KEYS = {"keys": [jwk(RSA, "one"), jwk(CURVE, "two")]}


def signed(key: Any = RSA, algorithm: str = "RS256", headers: Any = None, **claims: Any) -> str:
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "scope": "openid read write",
        "iat": now,
        "exp": now + 600,
    }
    every = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    headers = {"kid": "one"} if headers is None else headers
    # Ours, not PyJWT's, which checks what it signs.
    return jwt.PyJWS().encode(json.dumps(every).encode(), key, algorithm, headers)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture
def auth(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    return {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(tmp_path / "keys.json")}


@pytest.fixture
def team(tmp_path: Path, auth: dict[str, Any]) -> Settings:
    return Settings(data_dir=tmp_path / "memory", auth=auth)


async def status(server: Guarded, token: str) -> int:
    answer = await server.post(request("initialize", **HELLO), **bearer(token))
    return answer.status_code


@pytest.mark.anyio
async def test_the_claims_say_whose_memory_a_call_is_about_and_what_it_may(team: Settings):
    async with serving(team) as server:
        async with server.client(signed()) as client:
            await client.call_tool("remember", {"content": "Alice's cat is grey"})
        curve = signed(CURVE, "ES256", {"kid": "two"}, scope=["read"])
        async with server.client(curve) as client:
            found = await client.call_tool("recall", {"query": "cat"})
            assert len(found.structured_content["memories"]) == 1
            with pytest.raises(MCPError, match="'write'"):
                await client.call_tool("remember", {"content": "x"})
        async with server.client(signed(sub="bob", aud=[AUDIENCE, "other"])) as client:
            found = await client.call_tool("recall", {"query": "cat"})
            assert found.structured_content["memories"] == []


@pytest.mark.anyio
async def test_user_and_scopes_may_stand_in_other_claims(team: Settings, auth: dict[str, Any]):
    claims = {"user_claim": "https://example.com/user", "scope_claim": "realm.roles"}
    async with serving(team.model_copy(update={"auth": AuthSettings(**auth, **claims)})) as server:
        token = signed(**{"https://example.com/user": "bob", "realm": {"roles": ["read", "x"]}})
        async with server.client(token) as client:
            same = await client.call_tool("recall", {"query": "cat", "user_id": "bob"})
            assert not same.is_error
            with pytest.raises(MCPError, match="'write'"):
                await client.call_tool("remember", {"content": "x"})
        assert await status(server, signed()) == 401


@pytest.mark.anyio
async def test_a_forged_token_is_refused_without_detail(team: Settings):
    good = signed()
    head, body, signature = good.split(".")
    other = signed(sub="bob")
    forged = {
        "unsigned": f"{part({'alg': 'none', 'kid': 'one'})}.{body}.",
        "unsigned, in capitals": f"{part({'alg': 'NONE', 'kid': 'one'})}.{body}.",
        "another's body": f"{head}.{other.split('.')[1]}.{signature}",
        "another's signature": f"{head}.{body}.{other.split('.')[2]}",
        "no signature": f"{head}.{body}.",
        "cut": good[:-1],
        "cut in half": good[: len(good) // 2],
        "signed by a stranger": signed(STRANGE),
        "signed by a stranger under no name": signed(STRANGE, headers={}),
        "an unknown key": signed(headers={"kid": "three"}),
        "the other's name": signed(headers={"kid": "two"}),
        "no name where there are two keys": signed(headers={}),
        "a key it brings along": signed(
            STRANGE, headers={"kid": "x", "jwk": jwk(STRANGE, "x"), "jku": "http://127.0.0.1:1/"}
        ),
        "a deep header": f"{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.{body}.{signature}",
        "no JSON": f"e30.e30.{signature}",
        "dots": "...",
        "long": "a." * 9_000,
    }
    # The public key as the secret of a signature that has one.
    import hashlib  # noqa: PLC0415 - for this alone
    import hmac  # noqa: PLC0415

    signing = f"{part({'alg': 'HS256', 'kid': 'one'})}.{body}"
    mac = hmac.new(PUBLIC, signing.encode(), hashlib.sha256).digest()
    forged["a public key as a secret"] = (
        f"{signing}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    )
    forged |= {name: signed(**claims) for name, claims in WRONG.items()}
    async with serving(team) as server:
        missing = await server.post(request("initialize", **HELLO))
        assert missing.status_code == 401
        assert await status(server, good) == 200
        for name, token in forged.items():
            answer = await server.post(request("initialize", **HELLO), **bearer(token))
            assert (answer.status_code, answer.content) == (401, missing.content), name
            told = answer.headers["www-authenticate"]
            assert told == missing.headers["www-authenticate"], name
    assert len(forged) >= 36


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_client_learns_where_to_log_in(team: Settings, transport: str):
    async with serving(team, transport) as server:
        refused = await server.post(request("initialize", **HELLO))
        told = refused.headers["www-authenticate"]
        address = told.partition('resource_metadata="')[2].partition('"')[0]
        assert address == "https://memory.example.com/.well-known/oauth-protected-resource/mcp"
        here = server.url.rpartition("/")[0]
        async with httpx2.AsyncClient() as http:
            for path in ("", "/mcp"):
                answer = await http.get(f"{here}/.well-known/oauth-protected-resource{path}")
                assert answer.json()["resource"] == AUDIENCE
                assert answer.json()["authorization_servers"] == [ISSUER]
                assert set(answer.json()["scopes_supported"]) >= {"read", "write"}


class Provider:
    """An identity provider's address of keys, which can fail."""

    def __init__(self) -> None:
        self.keys: Any = KEYS
        self.status = 200
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(provider.status)
                self.end_headers()
                self.wfile.write(json.dumps(provider.keys).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.server.shutdown()
    running.server.server_close()


def with_keys_at(address: str) -> IdentityProvider:
    return IdentityProvider(AuthSettings(issuer=ISSUER, audience=AUDIENCE, jwks=address))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each token be a reason to ask for the keys."""
    monkeypatch.setattr(identity_provider, "_FRESH_SECONDS", -1)
    monkeypatch.setattr(identity_provider, "_PAUSE_SECONDS", -1)


@pytest.mark.anyio
async def test_known_keys_go_on_while_their_address_is_down(provider: Provider, impatient: None):
    checking = with_keys_at(provider.address)
    assert await checking.verify(signed())
    provider.status = 503
    assert await checking.verify(signed(headers={"kid": "three"})) is None
    assert provider.address in checking.problem
    assert await checking.verify(signed())
    provider.status = 200
    assert await checking.verify(signed(headers={"kid": "three"})) is None
    assert not checking.problem


@pytest.mark.anyio
async def test_a_new_key_is_taken_and_one_that_was_withdrawn_is_not(
    provider: Provider, impatient: None
):
    checking = with_keys_at(provider.address)
    new = signed(STRANGE, headers={"kid": "three"})
    assert await checking.verify(new) is None
    provider.keys = {"keys": [jwk(STRANGE, "three")]}
    assert await checking.verify(new)
    assert await checking.verify(signed()) is None


@pytest.mark.anyio
async def test_unknown_keys_do_not_make_the_server_ask_again_and_again(provider: Provider):
    checking = with_keys_at(provider.address)
    for number in range(20):
        assert await checking.verify(signed(headers={"kid": f"unknown {number}"})) is None
    assert provider.asked == 1


@pytest.mark.anyio
async def test_an_address_that_is_down_at_the_start_lets_nobody_in_until_it_is_up(
    provider: Provider, impatient: None
):
    provider.status = 500
    checking = with_keys_at(provider.address)
    assert await checking.verify(signed()) is None
    provider.status = 200
    assert await checking.verify(signed())


@pytest.mark.anyio
async def test_a_file_of_keys_is_read_again_when_it_changes(auth: dict[str, Any]):
    checking = IdentityProvider(AuthSettings(**auth))
    new = signed(STRANGE, headers={"kid": "three"})
    assert await checking.verify(new) is None
    Path(auth["jwks"]).write_text(json.dumps({"keys": [jwk(STRANGE, "three")]}))
    assert await checking.verify(new)


@pytest.mark.parametrize("content", [None, "", "{}", '{"keys": []}', "[1]", '{"keys": [{}]}'])
def test_a_file_without_keys_is_named_at_the_start(auth: dict[str, Any], content: str | None):
    path = Path(auth["jwks"])
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(ConfigError, match=r"auth\.jwks: .*keys\.json"):
        IdentityProvider(AuthSettings(**auth))
