"""mem-mcp token: what it prints, what it stores, what it refuses."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mem_mcp.cli.app import app
from mem_mcp.config import load_settings
from mem_mcp.server.token_file import TokenFile, matching


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments])


def made(*arguments: str) -> dict[str, object]:
    result = run("create", *arguments, "--json")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    return json.loads(line)


def stored() -> Path:
    return load_settings().token_file


def test_a_new_token_is_one_line_of_json_and_only_its_hash_is_stored():
    one = made("--user", "alice", "--scopes", "read,write", "--expires", "90d")
    assert one["user"] == "alice"
    assert one["scopes"] == ["read", "write"]
    content = stored().read_text()
    assert one["token"] not in content
    assert stat.S_IMODE(stored().stat().st_mode) == 0o600
    found = matching(TokenFile(stored()).read(), one["token"])
    assert found is not None
    assert found.user == "alice"


def test_a_token_is_shown_once():
    token = made("--user", "alice")["token"]
    for arguments in (["list"], ["list", "--json"]):
        shown = run(*arguments).stdout
        assert "alice" in shown
        assert token not in shown


def test_tokens_are_revoked_by_their_user_and_by_their_id():
    kept, gone = made("--user", "alice"), made("--user", "alice")
    made("--user", "bob")
    made("--user", "bob")
    assert json.loads(run("revoke", "--id", gone["id"], "--json").stdout)["ids"] == [gone["id"]]
    assert json.loads(run("revoke", "--user", "bob", "--json").stdout)["revoked"] == 2
    assert [one.id for one in TokenFile(stored()).read()] == [kept["id"]]


def test_tokens_that_are_made_at_once_are_all_kept():
    file = TokenFile(stored())
    with ThreadPoolExecutor(8) as pool:
        ids = [*pool.map(lambda number: file.create(f"u{number}", ["read"])[1].id, range(24))]
    assert sorted(ids) == sorted(one.id for one in file.read())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "--user", ""], "user"),
        (["create", "--user", "global"], "scope global"),
        (["create", "--user", "a", "--scopes", "read,delete"], "'delete'"),
        (["create", "--user", "a", "--scopes", ""], "scopes"),
        (["create", "--user", "a", "--expires", "soon"], "90d"),
        (["create", "--user", "a", "--expires", "2020-01-01"], "past"),
        (["create", "--user", "a", "--expires", "0d"], "past"),
        (["create", "--user", "a", "--expires", "999999w"], "too long"),
        (["revoke"], "--user or --id"),
        (["revoke", "--user", "a", "--id", "b"], "--user or --id"),
        (["revoke", "--user", "nobody"], "token list"),
        (["revoke", "--id", "nothing"], "token list"),
    ],
)
def test_what_is_refused_is_named_and_changes_nothing(arguments: list[str], told: str):
    made("--user", "alice")
    before = stored().read_text()
    result = run(*arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert stored().read_text() == before


def test_a_damaged_file_is_named_and_left_alone():
    made("--user", "alice")
    stored().write_text("{")
    assert str(stored()) in run("list").stderr
    assert run("create", "--user", "bob").exit_code == 1
    assert stored().read_text() == "{"


def test_the_file_is_the_one_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    named = tmp_path / "elsewhere" / "mine.json"
    monkeypatch.setenv("MEM_MCP_AUTH__TOKEN_FILE", str(named))
    made("--user", "alice")
    assert len(TokenFile(named).read()) == 1
