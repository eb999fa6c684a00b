"""mem-mcp install and uninstall, as a user types them; the home folder is the test's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from mem_mcp.cli import install
from mem_mcp.cli.app import app

Run = Callable[..., Result]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writes the files of Linux")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, on a machine without any client's program."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "UV_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return folder


@pytest.fixture
def cursor(home: Path) -> Path:
    (home / ".cursor").mkdir()
    return home / ".cursor" / "mcp.json"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; the entry is not started, which takes seconds."""
    monkeypatch.setattr(install, "_start", lambda _: ("started", ""))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return invoke


def script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n{text}")
    path.chmod(0o755)


def test_installed_and_started_as_the_client_starts_it(cursor: Path):
    result = CliRunner().invoke(app, ["install", "cursor"])
    assert result.exit_code == 0, result.output
    entry = json.loads(cursor.read_text())["mcpServers"]["memory"]
    assert Path(entry["command"]).is_absolute()
    assert f"cursor: memory added to {cursor}" in result.stdout
    assert "then: in Cursor" in result.stdout
    assert "started as a client does: 7 tools" in result.stdout


def test_a_server_that_does_not_start_is_said(cursor: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(install, "_BARE_PATH", "")
    broken = install.MemoryServer("/no/such/mem-mcp", ("serve",))
    monkeypatch.setattr(install, "_server", lambda *_: (broken, []))
    result = CliRunner().invoke(app, ["install", "cursor"])
    assert result.exit_code == 1
    assert "it is entered, but the server did not answer" in result.stderr


@pytest.fixture
def unfriendly() -> Iterator[str]:
    """The address of a server that refuses every token."""

    class Refuses(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/mcp"
        server.shutdown()


def test_a_server_that_is_not_reached_or_refuses_is_said(
    cursor: Path, unfriendly: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("T", "memmcp_wrong")
    for url, said in ((unfriendly, "401 Unauthorized"), ("http://127.0.0.1:1/mcp", "failed")):
        arguments = ["install", "cursor", "--yes", "--url", url, "--token-env", "T"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith("mem-mcp: it is entered, but the server did not answer: ")
        assert said in result.stderr
        assert "memmcp_wrong" not in result.output + cursor.read_text()


def test_twice_is_once_and_uninstall_leaves_nothing(cursor: Path, run: Run):
    assert run("install", "cursor").exit_code == 0
    first = cursor.read_bytes()
    assert "is there already" in run("install", "Cursor").stdout
    assert cursor.read_bytes() == first
    assert "removed from" in run("uninstall", "cursor").stdout
    assert [*cursor.parent.iterdir()] == []
    assert "is not in" in run("uninstall", "cursor").stdout


def test_a_dry_run_shows_the_difference_and_writes_nothing(cursor: Path, run: Run):
    text = '{\n  "mcpServers": {}\n}\n'
    cursor.write_text(text)
    result = run("install", "cursor", "--dry-run")
    assert "would be added to" in result.stdout
    assert '+    "memory": {' in result.stdout
    assert cursor.read_text() == text


def test_another_entry_is_shown_and_changed_only_when_meant(cursor: Path, run: Run):
    theirs = '{"mcpServers": {"memory": {"command": "npx", "args": ["server-memory"]}}}'
    cursor.write_text(theirs)
    result = run("install", "cursor")
    assert result.exit_code == 1
    assert "has another memory; say --yes" in result.stderr
    assert '-{"mcpServers": {"memory": {"command": "npx"' in result.stderr
    assert cursor.read_text() == theirs
    assert "changed in" in run("install", "cursor", "--yes").stdout
    assert run("uninstall", "cursor").exit_code == 0
    assert cursor.read_text() == theirs


def test_a_second_name_needs_a_yes(cursor: Path, run: Run):
    run("install", "cursor", "--name", "mem")
    result = run("install", "cursor")
    assert result.exit_code == 1
    assert "has this server already, as mem" in result.stderr
    assert "removed" in run("uninstall", "cursor").stdout
    assert not cursor.exists()


def test_a_file_that_does_not_parse_is_left_and_the_others_are_done(
    home: Path, cursor: Path, run: Run
):
    cursor.write_text("{ oops")
    (home / ".lmstudio").mkdir()
    result = run("install", "--all")
    assert result.exit_code == 1
    assert "is not JSON (line 1, column 3)" in result.stderr
    assert '"mcpServers"' in result.stderr
    assert cursor.read_text() == "{ oops"
    assert (home / ".lmstudio" / "mcp.json").exists()


def test_all_that_was_installed_goes_also_from_a_client_that_is_gone(
    cursor: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    run("install", "--all")
    monkeypatch.setattr(install.steps, "is_here", lambda *_: False)
    assert f"cursor: memory removed from {cursor}" in run("uninstall", "--all").stdout
    assert "nothing anywhere" in run("uninstall", "--all").stderr


def test_a_folder_without_rights_is_named(cursor: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(cursor.parent))

    monkeypatch.setattr("tempfile.mkstemp", denied)
    result = run("install", "cursor")
    assert result.exit_code == 1
    assert f"{cursor.parent}: Permission denied" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["zed"], "Zed is not on this machine"),
        (["cursr"], "did you mean cursor?"),
        ([], "name one, or say --all"),
        (["cursor", "--all"], "name one, or say --all"),
        (["--all"], "no client was found"),
        (["cursor", "--scope", "here"], "is not user or project"),
        (["json", "--url", "localhost:8000"], "is no address"),
        (["json", "--token-env", "T"], "goes with --url"),
        (["json", "--url", "http://h/mcp", "--token-env", "memmcp_ab-c"], "not the token itself"),
        (["json", "--name", "a b"], "letters, digits"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    arguments: list[str], said: str, home: Path, run: Run
):
    result = run("install", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_json_prints_the_entry_for_any_other_client(home: Path, run: Run):
    tree = json.loads(run("install", "json").stdout)
    assert tree["mcpServers"]["memory"]["args"][-1] == "serve"
    by_url = run("install", "json", "--url", "http://h/mcp", "--token-env", "T").stdout
    assert json.loads(by_url)["mcpServers"]["memory"] == {
        "url": "http://h/mcp",
        "headers": {"Authorization": "Bearer ${T}"},
    }


def test_the_list_says_what_is_here_and_who_has_it(cursor: Path, run: Run):
    run("install", "cursor")
    listed = {
        one["client"]: one
        for one in json.loads(run("install", "--list", "--json").stdout)["clients"]
    }
    assert (listed["cursor"]["is_here"], listed["cursor"]["state"]) == (True, "yes")
    assert (listed["zed"]["is_here"], listed["zed"]["state"]) == (False, "no")
    assert f"cursor           installed       {cursor}" in run("install", "--list").stdout


CLAUDE = """
file = pathlib.Path.home() / ".claude.json"
if "--version" in sys.argv:
    print("2.1 (Claude Code)")
    sys.exit()
tree = json.loads(file.read_text()) if file.exists() else {"startups": 1}
servers = tree.setdefault("mcpServers", {})
if sys.argv[2] == "add":
    line = sys.argv[sys.argv.index("--") + 1 :]
    name = sys.argv[sys.argv.index("--") - 1]
    variables = dict(a.split("=", 1) for o, a in zip(sys.argv, sys.argv[1:]) if o == "--env")
    servers[name] = {"type": "stdio", "command": line[0], "args": line[1:], "env": variables}
else:
    del servers[sys.argv[3]]
file.write_text(json.dumps(tree))
"""


def test_a_client_with_a_command_of_its_own_is_told_by_it(home: Path, tmp_path: Path, run: Run):
    script(tmp_path / "bin" / "claude", CLAUDE)
    assert run("install", "claude-code").exit_code == 0
    tree = json.loads((home / ".claude.json").read_text())
    assert tree["startups"] == 1
    assert tree["mcpServers"]["memory"]["env"]["MEM_MCP_DATA_DIR"] == str(tmp_path / "memory")
    assert "is there already" in run("install", "claude-code").stdout
    assert "removed" in run("uninstall", "claude-code").stdout
    assert json.loads((home / ".claude.json").read_text()) == {"startups": 1, "mcpServers": {}}


@pytest.mark.parametrize("text", ["sys.exit(1)", CLAUDE.replace("Claude Code", "Claude Tarot")])
def test_the_file_is_written_where_the_command_fails_or_is_another(
    home: Path, tmp_path: Path, run: Run, text: str
):
    script(tmp_path / "bin" / "claude", text)
    assert run("install", "claude-code").exit_code == 0
    tree = json.loads((home / ".claude.json").read_text())
    assert [*tree] == ["mcpServers"]
    run("uninstall", "claude-code")
    assert not (home / ".claude.json").exists()
