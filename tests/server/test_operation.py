"""What whoever runs a server sees of it: probes, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import ssl
from contextlib import asynccontextmanager, closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from guarded import HELLO, WIRE, Guarded, bearer, request, serving
from mcp import MCPError
from test_transports import Server

from mem_mcp import Memory, Settings
from mem_mcp.cli import serve
from mem_mcp.config import AuthSettings, HttpSettings, LimitSettings
from mem_mcp.errors import ConfigError
from mem_mcp.server.audit import Audit
from mem_mcp.server.draining import Draining
from mem_mcp.server.shared_rates import SharedRates
from mem_mcp.server.tls import check_certificate
from mem_mcp.server.token_file import TokenFile

ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement


def base(server: Guarded) -> str:
    return server.url.rpartition("/")[0]


@asynccontextmanager
async def browser(server: Guarded, **headers: str):
    async with httpx2.AsyncClient(base_url=base(server), headers=headers, timeout=60) as http:
        yield http


async def until_ready(http: httpx2.AsyncClient) -> httpx2.Response:
    async with asyncio.timeout(ENDS_WITHIN):
        while (answer := await http.get("/ready")).json().get("not_ready", {}) in (
            {"store": "is being opened"}, {"embedder": "is being loaded"},
        ):  # fmt: skip
            await asyncio.sleep(0.02)
    return answer


# Probes


@pytest.mark.anyio
async def test_a_server_says_that_it_lives_and_when_it_is_ready_without_a_token(
    settings: Settings,
):
    async with serving(settings) as server, browser(server) as http:
        server.token("alice")
        assert (await server.post(request("ping"))).status_code == 401
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert (await http.get("/ready")).status_code == 503  # nothing is open yet
        ready = await until_ready(http)
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
        assert (await http.post("/ready")).status_code == 405
        assert (await http.head("/health")).content == b""
        assert (await http.get("/health", headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.anyio
async def test_a_store_that_cannot_be_opened_is_not_ready_until_it_can_be_and_names_no_path(
    settings: Settings,
):
    place = Path(settings.data_dir)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    async with serving(settings) as server, browser(server) as http:
        answer = await until_ready(http)
        assert answer.status_code == 503
        assert list(answer.json()["not_ready"]) == ["store"]
        assert str(place) not in answer.text
        assert (await http.get("/health")).status_code == 200
        place.unlink()
        await http.get("/ready")
        async with asyncio.timeout(ENDS_WITHIN):
            while (await http.get("/ready")).status_code != 200:
                await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_an_identity_provider_that_gives_no_keys_is_named_but_not_its_address(
    settings: Settings,
):
    nowhere = "http://127.0.0.1:9/jwks"
    auth = AuthSettings(issuer="https://id.example", audience="mem", jwks=nowhere)
    async with (
        serving(settings.model_copy(update={"auth": auth})) as server,
        browser(server) as http,
    ):
        async with asyncio.timeout(ENDS_WITHIN):
            while list((answer := await http.get("/ready")).json()["not_ready"]) != [
                "identity_provider"
            ]:
                await asyncio.sleep(0.02)
        assert answer.status_code == 503
        assert nowhere not in answer.text


# The end


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", name=tool, arguments=arguments)


class HalfSent:
    """A request whose body the server waits for."""

    def __init__(self, url: str, message: dict[str, Any], **headers: str) -> None:
        parts = urlsplit(url)
        body = json.dumps(message).encode()
        lines = {"Host": parts.netloc, "Content-Length": str(len(body)), "Connection": "close"}
        lines |= {"Expect": "100-continue", **WIRE, **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._connection = socket.create_connection((parts.hostname, parts.port), ENDS_WITHIN)
        self._connection.sendall(f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode())
        assert self._connection.recv(100).startswith(b"HTTP/1.1 100")
        self._body = body

    def finish(self) -> str:
        """Send the body; return the whole answer."""
        self._connection.sendall(self._body)
        with self._connection, self._connection.makefile("rb") as answer:
            return answer.read().decode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_runs_at_sigterm_is_answered_and_what_is_new_is_sent_elsewhere(
    settings: Settings, workers: str
):
    options = ("--transport", "http", "--port", "0", "--workers", workers)
    with closing(Server(*options)) as server:
        url = server.listening()
        root = url.rpartition("/")[0]
        with httpx2.Client(headers=WIRE, timeout=ENDS_WITHIN) as http:
            hello = http.post(url, json=request("initialize", **HELLO))
            session = hello.headers.get("mcp-session-id")
            known = {"Mcp-Session-Id": session} if session else {}
            running = [
                HalfSent(url, call("remember", content=f"Said at the end {n}"), **known)
                for n in range(3)
            ]
            server.process.send_signal(signal.SIGTERM)
            refused = 0
            while refused < 3:
                answer = http.post(url, json=request("ping"), headers=known)
                refused += answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert "about to end" in answer.json()["error"]["message"]
            assert http.get(f"{root}/ready").status_code == 503
            assert http.get(f"{root}/health").status_code == 200
            answers = [each.finish() for each in running]
        assert server.process.wait(ENDS_WITHIN) == 0
    assert [answer[:12] for answer in answers] == ["HTTP/1.1 200"] * 3, answers
    with Memory.open(settings) as memory:
        stored = {each.text for each in memory.list_memories().memories}
    assert stored == {f"Said at the end {n}" for n in range(3)}


def test_a_call_that_never_ends_does_not_keep_a_server_alive():
    draining = Draining(0)
    with draining.post():
        assert not draining.over
        draining.begin()
        assert draining.over


def test_a_call_to_listen_holds_no_server_up():
    draining = Draining(3600)
    with draining.post(), draining.call("subscriptions/listen"):
        draining.begin()
        assert draining.over
    with draining.call("tools/call"):
        assert not draining.over
    assert draining.over


# Metrics


def figures(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


@pytest.mark.anyio
async def test_metrics_count_calls_by_tool_and_the_store_and_say_nothing_of_anybody(
    settings: Settings,
):
    async with serving(settings) as server, browser(server) as http:
        assert figures((await http.get("/metrics")).text)["mem_mcp_store_up"] == 0
        token = server.token("alice-of-accounting")
        async with server.client(token) as client:
            await client.call_tool("remember", {"content": "The vault opens at nine"})
            await client.call_tool("recall", {"query": "when does the vault open?"})
            await client.call_tool("recall", {"query": ""})
            await client.call_tool("recall", {"query": "x", "filters": {"nothing": {"eq": "nine"}}})
        text = (await http.get("/metrics")).text
    for secret in ("alice", "vault", "nine", token):
        assert secret not in text
    found = figures(text)
    assert found['mem_mcp_calls_total{tool="remember"}'] == 1
    assert found['mem_mcp_calls_total{tool="recall"}'] == 3
    assert found['mem_mcp_call_errors_total{error="InvalidInput",tool="recall"}'] == 2
    assert found['mem_mcp_call_seconds_count{tool="recall"}'] == 3
    assert found['mem_mcp_recall_memories_sum{tool="recall"}'] == 1
    assert found["mem_mcp_calls_running"] == 0
    assert (found["mem_mcp_store_up"], found["mem_mcp_rows"]) == (1, 1)
    assert found["mem_mcp_fragments"] == 1
    assert found["mem_mcp_model_calls_total"] == found["mem_mcp_waiting"] == 0


@pytest.mark.anyio
async def test_metrics_need_the_scope_admin_beyond_this_machine_unless_they_are_open(
    settings: Settings,
):
    async with serving(settings, host="0.0.0.0", insecure=True) as server, browser(server) as http:
        assert (await http.get("/metrics")).status_code == 401
        admin, other = server.token("ann", "admin"), server.token("bob", "read", "write")
        assert (await http.get("/metrics", headers=bearer(admin))).status_code == 200
        refused = await http.get("/metrics", headers=bearer(other))
        assert refused.status_code == 403
        assert "insufficient_scope" in refused.headers["www-authenticate"]
        assert "admin" in refused.text
        assert (await http.get("/metrics", headers=bearer(admin + "x"))).status_code == 401
        assert (await http.get("/ready")).status_code in (200, 503)
    opened = settings.model_copy(update={"http": HttpSettings(open_metrics=True)})
    async with serving(opened, host="0.0.0.0", insecure=True) as server, browser(server) as http:
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.anyio
async def test_a_proxy_on_this_machine_does_not_open_the_metrics_to_others(settings: Settings):
    async with serving(settings) as server, browser(server) as http:
        far = {"X-Forwarded-For": "203.0.113.7"}
        assert (await http.get("/metrics", headers=far)).status_code == 401


# Scopes


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_that_a_token_does_not_allow_is_answered_403_and_names_the_scope(
    settings: Settings, mode: str
):
    async with serving(settings) as server:
        reader = server.token("ann", "read")
        async with server.client(reader, mode) as client:
            with pytest.raises(MCPError, match="scope 'write'"):
                await client.call_tool("remember", {"content": "x"})
            assert not (await client.call_tool("recall", {"query": "x"})).is_error
        writer = server.token("ann", "write")
        async with server.client(writer, mode) as client:
            with pytest.raises(MCPError, match="scope 'read'"):
                await client.call_tool("recall", {"query": "x"})
            done = await client.call_tool("remember", {"content": "long " * 10_000})
            assert not done.is_error
        refused = await server.post(call("forget", memory_id="x"), **bearer(reader))
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="read write"'
    )
    assert refused.json()["id"] == "tools/call"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"no JSON", b'{"method": "tools/call"}', b"[" * 100_000, b"\xff",
        b'{"method": "tools/call", "params": {"name": ["remember"]}}',
        b'{"method": "tools/call", "params": {"name": "nothing"}}',
    ],
)  # fmt: skip
async def test_what_is_no_call_is_left_to_the_protocol(settings: Settings, body: bytes):
    async with serving(settings) as server:
        reader, both = server.token("ann", "read"), server.token("ann", "read", "write")
        answers = [await server.post(body, **bearer(token)) for token in (reader, both)]
    assert answers[0].status_code == answers[1].status_code != 403


@pytest.mark.anyio
async def test_a_body_that_is_too_large_is_refused_as_one_for_any_token(settings: Settings):
    limits = LimitSettings(body_bytes=1_000)
    async with serving(settings.model_copy(update={"limits": limits})) as server:
        reader = server.token("ann", "read")
        large = call("remember", content="x" * 200_000)
        assert (await server.post(large, **bearer(reader))).status_code == 413


# The audit, and the log


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_write_leaves_a_line_that_says_who_and_which_memory_but_no_text(
    settings: Settings, tmp_path: Path, mode: str
):
    audit = tmp_path / "audit.jsonl"
    noted = settings.model_copy(update={"audit": str(audit)})
    async with (
        serving(noted) as server,
        server.client(token := server.token("ann"), mode) as client,
    ):
        kept = await client.call_tool("remember", {"content": "The vault opens at nine"})
        (one,) = kept.structured_content["results"]
        again = await client.call_tool("remember", {"content": "The vault opens at nine"})
        assert again.structured_content["results"][0]["event"] == "NONE"
        found = await client.call_tool("recall", {"query": "vault"})
        marks = {"memory_id": one["memory_id"], "feedback": "POSITIVE"}
        await client.call_tool("give_feedback", marks)
        await client.call_tool("update_memory", {"memory_id": one["memory_id"], "tags": ["door"]})
        await client.call_tool("update_memory", {"memory_id": "0" * 32, "tags": ["door"]})
        await client.call_tool("remember", {"content": ""})
        await client.call_tool("forget", {"memory_id": one["memory_id"]})
        assert found.structured_content["memories"]
        token_id = server.file.read()[0].id
    gc.collect()  # a file that was left open would be told of here
    written = lines(audit)
    assert [each["operation"] for each in written] == [
        "remember", "give_feedback", "update_memory", "forget",
    ]  # fmt: skip
    for each in written:
        assert each["memory_ids"] == [one["memory_id"]]
        assert (each["user"], each["token"], each["outcome"]) == ("ann", token_id, "done")
        assert each["client"] == "mcp"
        assert each["time"].endswith("+00:00")
    text = audit.read_text(encoding="utf-8")
    assert not any(secret in text for secret in ("vault", "door", token))
    assert audit.stat().st_mode & 0o077 == 0


def test_an_audit_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^audit: .*cannot be written \(No such file"):
        Audit(str(tmp_path / "nowhere" / "audit.jsonl"))


def test_a_log_in_json_is_an_object_a_line_also_for_the_audit(monkeypatch):
    monkeypatch.setenv("MEM_MCP_LOG_FORMAT", "json")
    monkeypatch.setenv("MEM_MCP_LOG_LEVEL", "INFO")
    monkeypatch.setenv("MEM_MCP_AUDIT", "log")
    with closing(Server("--transport", "http", "--port", "0")) as server:
        url = server.listening()
        hostile = {**HELLO, "clientInfo": {"name": 'evil"\n{"level": "x"}', "version": "1"}}
        with httpx2.Client(headers=WIRE, timeout=ENDS_WITHIN) as http:
            hello = http.post(url, json=request("initialize", **hostile))
            session = {"Mcp-Session-Id": hello.headers["mcp-session-id"]}
            assert http.post(
                url, json=call("remember", content="The vault"), headers=session
            ).is_success
        server.process.send_signal(signal.SIGTERM)
        written = [json.loads(line) for line in server.process.stderr]
        assert server.process.wait(ENDS_WITHIN) == 0
    assert all({"time", "level", "logger", "message"} <= each.keys() for each in written)
    assert {"uvicorn.error", "uvicorn.access"} <= {each["logger"] for each in written}
    (audit,) = [each for each in written if each["logger"] == "mem_mcp.audit"]
    assert audit["client"] == 'evil" {"level": "x"}'  # as the memory itself has it
    assert "vault" not in json.dumps(written)


# Ways in


@pytest.mark.anyio
async def test_one_server_speaks_http_and_sse_on_one_memory(settings: Settings):
    async with serving(settings, "http+sse") as server:
        token = server.token("ann")
        async with server.client(token) as client:
            await client.call_tool("remember", {"content": "Said over HTTP"})
        over_sse = Guarded(settings, f"{base(server)}/sse", server.lazy)
        async with over_sse.client(token) as client:
            await client.call_tool("remember", {"content": "Said over SSE"})
            found = await client.call_tool("list_memories", {})
        assert found.is_error  # not among the default tools
        memory = await server.lazy.get()
        stored = (await memory.list_memories(user_id="ann")).memories
    assert {each.text for each in stored} == {"Said over HTTP", "Said over SSE"}


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["http", "sse", "http+sse"])
async def test_a_token_that_runs_as_much_as_it_may_is_told_to_wait_on_every_way(
    settings: Settings, transport: str
):
    limits = LimitSettings(requests_per_minute=3)
    few = settings.model_copy(update={"limits": limits})
    async with serving(few, transport) as server:
        headers = bearer(server.token("ann"))
        codes = [(await server.post(request("ping"), **headers)).status_code for _ in range(5)]
    assert codes[3:] == [429, 429]


def certificate(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    return chain, private


def test_a_certificate_makes_it_https(monkeypatch, tmp_path: Path):
    chain, private = certificate(tmp_path)
    monkeypatch.setenv("MEM_MCP_HTTP__CERTIFICATE", str(chain))
    monkeypatch.setenv("MEM_MCP_HTTP__CERTIFICATE_KEY", str(private))
    with closing(Server("--transport", "http", "--port", "0")) as server:
        url = server.listening()
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(chain))
        root = url.rpartition("/")[0].replace("127.0.0.1", "localhost")
        with httpx2.Client(verify=trusting, timeout=ENDS_WITHIN) as http:
            assert http.get(f"{root}/health").json()["status"] == "ok"
        assert server.terminate() == 0


def test_a_certificate_that_cannot_be_used_is_refused_at_the_start_by_its_setting(tmp_path: Path):
    (tmp_path / "other").mkdir()
    (tmp_path / "hidden").mkdir()
    chain, private = certificate(tmp_path)
    _, other = certificate(tmp_path / "other")
    locked, hidden = certificate(tmp_path / "hidden", b"secret")
    nothing, text = tmp_path / "nothing.pem", tmp_path / "text.pem"
    text.write_text("no certificate")

    def wrong(chain: Path, key: Path) -> str:
        with pytest.raises(ConfigError) as refused:
            check_certificate(HttpSettings(certificate=str(chain), certificate_key=str(key)))
        return str(refused.value)

    check_certificate(HttpSettings(certificate=str(chain), certificate_key=str(private)))
    assert wrong(nothing, private).startswith("http.certificate: ")
    assert wrong(chain, nothing).startswith("http.certificate_key: ")
    assert "No such file" in wrong(chain, nothing)
    assert "is no certificate" in wrong(text, private)
    assert "is no certificate" in wrong(chain, text)
    assert "belongs" in wrong(chain, other)
    assert "encrypted" in wrong(locked, hidden)
    with pytest.raises(ValueError, match="needs certificate"):
        HttpSettings(certificate_key=str(private))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--transport", "sse", "--workers", "2"), 2, "--transport http only"),
        (("--transport", "http+sse", "--workers", "2"), 2, "--transport http only"),
        (("--workers", "2"), 2, "--transport http only"),
        (("--transport", "http", "--workers", "0"), 2, "not within 1..64"),
        (("--transport", "http", "--workers", "two"), 2, "no number"),
        (("--transport", "https"), 2, "did you mean http?"),
    ],
)
def test_workers_that_cannot_be_are_refused(capfd, arguments, code, said):
    with pytest.raises(SystemExit) if said == "no number" else nullcontext() as exited:
        found = serve.main(arguments)
    assert (exited.value.code if exited else found) == code
    assert said in capfd.readouterr().err


# Workers


def test_workers_share_limits_metrics_and_the_store_replace_one_that_dies_and_end_with_the_first(
    monkeypatch, settings: Settings
):
    monkeypatch.setenv("MEM_MCP_LIMITS__REQUESTS_PER_MINUTE", "5")
    token, _ = TokenFile(settings.token_file).create("ann", ["read", "write"])
    with closing(Server("--transport", "http", "--port", "0", "--workers", "2")) as server:
        url = server.listening()
        root, workers = url.rpartition("/")[0], set()
        codes = []
        for _ in range(15):
            # A new connection each time: either may take it.
            answer = httpx2.post(
                url,
                json=call("remember", content="Said once"),
                headers={**WIRE, **bearer(token)},
                timeout=ENDS_WITHIN,
            )
            codes.append(answer.status_code)
        assert codes[:5] == [200] * 5
        assert codes.count(200) < 10  # what each would let in by itself
        found = figures(httpx2.get(f"{root}/metrics", timeout=ENDS_WITHIN).text)
        assert found['mem_mcp_calls_total{tool="remember"}'] == codes.count(200)
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if children.exists():
            workers = {int(pid) for pid in children.read_text().split()}
            assert len(workers) == 2
            os.kill(min(workers), signal.SIGKILL)
            for line in server.process.stderr:
                if "ended by itself (-9)" in line:
                    break
            assert httpx2.get(f"{root}/health", timeout=ENDS_WITHIN).status_code == 200
        server.process.kill()
        # Its workers hold the other end, and end when it is gone, however it went.
        assert server.process.communicate(timeout=ENDS_WITHIN)[0] == ""
    with Memory.open(settings) as memory:
        assert len(memory.list_memories(user_id="ann").memories) == 1


def test_processes_count_the_requests_of_a_token_together(tmp_path: Path):
    shared = SharedRates(LimitSettings(requests_per_minute=4, calls_at_once=3), 2)
    one, other = shared.of_worker(0), shared.of_worker(1)
    assert [each.wait("ann", 10) for each in (one, other, one, other)] == [0] * 4
    assert one.wait("ann", 10) == other.wait("ann", 10) == 15
    assert other.wait("bob", 10) == 0
    assert one.wait("ann", 25) == 0
    with one.running("eve"), one.running("eve"), other.running("eve"):
        assert one.wait("eve", 10) == 1
        shared.of_worker(0)  # the first died, and another takes its place
        assert other.wait("eve", 10) == 0
    assert other.runs("eve") == 0
    for number in range(20_000):
        assert one.wait(f"token {number}", 10) == 0
    shared.lock.close()
