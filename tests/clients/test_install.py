"""Every client on every system, with its file in every state: nothing of a user's own is lost."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from mem_mcp.clients import files, install
from mem_mcp.clients.edit import at
from mem_mcp.clients.formats import format_of
from mem_mcp.clients.install import EntryPlace, Refused
from mem_mcp.clients.ledger import Installations
from mem_mcp.clients.machine import Machine, System
from mem_mcp.clients.rows import ANY, CLIENTS, Client
from mem_mcp.clients.server import MemoryServer, local_server, starts_ours, will_vanish
from mem_mcp.errors import InvalidInput, MemError

SYSTEMS: tuple[System, ...] = get_args(System)
SERVER = MemoryServer("/home/me/.venv/bin/mem-mcp", ("serve",), {"MEM_MCP_DATA_DIR": "/home/me/m"})
HTTP = MemoryServer(url="http://127.0.0.1:8000/mcp", token_variable="TOKEN")
LOCAL, ROAMING = "AppData/Local", "AppData/Roaming"
PLACES: dict[str, tuple[str, str, str]] = {
    "claude-code": (".claude.json",) * 3,
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        "Library/Application Support/Claude/claude_desktop_config.json",
        f"{ROAMING}/Claude/claude_desktop_config.json",
    ),
    "codex": (".codex/config.toml",) * 3,
    "cursor": (".cursor/mcp.json",) * 3,
    "vscode": (
        ".config/Code/User/mcp.json",
        "Library/Application Support/Code/User/mcp.json",
        f"{ROAMING}/Code/User/mcp.json",
    ),
    "vscode-insiders": (
        ".config/Code - Insiders/User/mcp.json",
        "Library/Application Support/Code - Insiders/User/mcp.json",
        f"{ROAMING}/Code - Insiders/User/mcp.json",
    ),
    "copilot-cli": (".copilot/mcp-config.json",) * 3,
    "devin": (
        *(".config/devin/mcp_config.json", ".config/devin/mcp_config.json"),
        f"{ROAMING}/devin/mcp_config.json",
    ),
    "antigravity": (".gemini/config/mcp_config.json",) * 3,
    "gemini-cli": (".gemini/settings.json",) * 3,
    "opencode": (".config/opencode/opencode.json",) * 3,
    "zed": (
        *(".config/zed/settings.json", ".config/zed/settings.json"),
        f"{ROAMING}/Zed/settings.json",
    ),
    "cline": (".cline/data/settings/cline_mcp_settings.json",) * 3,
    "goose": (
        *(".config/goose/config.yaml", ".config/goose/config.yaml"),
        f"{ROAMING}/Block/goose/config/config.yaml",
    ),
    "lm-studio": (".lmstudio/mcp.json",) * 3,
    "junie": (".junie/mcp/mcp.json",) * 3,
    "kiro": (".kiro/settings/mcp.json",) * 3,
}
STATES: dict[str, dict[str, str]] = {
    "empty": dict.fromkeys(("json", "toml", "yaml"), ""),
    "others": {
        "json": '{"KEY": {"other": {"command": "x", "args": ["https://a//b"]}}, "z": [1, 2]}',
        "toml": '[KEY.other]\ncommand = "x"\n\n[z]\na = 1\n',
        "yaml": "KEY:\n  other:\n    cmd: x\nz: 1\n",
    },
    "comments": {
        "json": '// top\n{\n  // mine\n  "KEY": { /* all */\n    "other": {} // one\n  }\n}\n',
        "toml": "# top\nz = 1 # one\n[KEY.other] # two\ncommand = 'x'\n# end\n",
        "yaml": "# top\nKEY: # all\n  # mine\n  other: {} # one\n# end\n",
    },
    "tabs and CRLF": {
        "json": '{\r\n\t"KEY": {\r\n\t\t"other": {}\r\n\t}\r\n}\r\n',
        "toml": '[KEY.other]\r\n\tcommand = "x"\r\n',
        "yaml": "KEY:\r\n    other:\r\n        cmd: x\r\n",
    },
    "a byte order mark": {
        "json": '\ufeff{\n  "KEY": {}\n}\n',
        "toml": "\ufeffz = 1\n",
        "yaml": "\ufeffz: 1\n",
    },
    "trailing commas": {
        "json": '{\n  "KEY": {\n    "other": {},\n  },\n}',
        "toml": "z = [1, 2,]",
        "yaml": "z: [1, 2,]",
    },
}
BROKEN = {"json": '{"KEY": {', "toml": "[KEY", "yaml": "KEY: {a"}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def ledger(tmp_path: Path) -> Installations:
    return Installations(tmp_path / "data")


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    def make(system: System = "linux", **variables: str) -> Machine:
        home, folder = tmp_path / "home", tmp_path / "project"
        home.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        return Machine(system, home, folder, variables)

    return make


def filled(client: Client, text: str) -> str:
    return text.replace("KEY", client.key[0])


def put(where: EntryPlace, ledger: Installations, server: MemoryServer = SERVER) -> str:
    """Install once; return what was there before."""
    planned = install.plan(where, server, ledger)
    install.carry_out(planned, ledger)
    return planned.state


def take_out(where: EntryPlace, ledger: Installations) -> str:
    planned = install.plan_removal(where, ledger)
    install.carry_out_removal(planned, ledger)
    return planned.state


def value(where: EntryPlace) -> object:
    return at(format_of(where.client.format).read(files.read(where.path) or ""), where.keys)


def here(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


def test_every_client_is_in_the_table_of_places():
    assert [*PLACES] == [client.name for client in CLIENTS]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_an_entry_comes_and_goes_in_every_state_of_the_file(
    client: Client, system: System, machine: Callable[..., Machine], ledger: Installations
):
    (path,) = install.paths(client, machine(system), "user")
    assert path == machine().home / PLACES[client.name][SYSTEMS.index(system)]
    where = install.place(client, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for state, texts in STATES.items():
        before = filled(client, texts[client.format]).encode()
        path.write_bytes(before)
        path.chmod(0o640)
        assert put(where, ledger) == "absent", state
        after = path.read_bytes()
        assert after != before, state
        assert starts_ours(value(where)), state
        assert put(where, ledger) == "same", state
        assert path.read_bytes() == after, state
        assert files.backup_of(path).read_bytes() == before, state
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, state
        assert take_out(where, ledger) == "earlier", state
        assert path.read_bytes() == before, state
        assert here(path.parent) == [path.name], state
        path.unlink()
    assert put(where, ledger) == "absent"
    assert put(where, ledger) == "same"
    assert take_out(where, ledger) == "earlier"
    assert not path.exists()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_file_that_does_not_parse_stays_and_what_to_add_is_shown(
    client: Client, machine: Callable[..., Machine], ledger: Installations
):
    (path,) = install.paths(client, machine(), "user")
    path.parent.mkdir(parents=True, exist_ok=True)
    for bad in (filled(client, BROKEN[client.format]).encode(), "{ü}".encode("utf-16")):
        path.write_bytes(bad)
        with pytest.raises(Refused, match=r"it is left as it is\. Add by hand:") as refused:
            put(install.place(client, path), ledger)
        assert SERVER.command in str(refused.value)
        assert path.read_bytes() == bad
        assert here(path.parent) == [path.name]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_link_stays_one_and_a_read_only_file_stays_as_it_is(
    client: Client, machine: Callable[..., Machine], ledger: Installations, tmp_path: Path
):
    (path,) = install.paths(client, machine(), "user")
    path.parent.mkdir(parents=True, exist_ok=True)
    dotfile = tmp_path / "dotfiles" / path.name
    dotfile.parent.mkdir()
    text = filled(client, STATES["others"][client.format])
    dotfile.write_text(text)
    path.symlink_to(dotfile)
    where = install.place(client, path)
    put(where, ledger)
    assert path.is_symlink()
    assert starts_ours(value(where))
    take_out(where, ledger)
    assert path.is_symlink()
    assert dotfile.read_text() == text
    dotfile.chmod(0o444)
    with pytest.raises(Refused, match="read-only"):
        put(where, ledger)
    assert dotfile.read_text() == text
    assert here(dotfile.parent) == [path.name]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_an_entry_of_a_new_version_takes_the_place_of_ours(
    client: Client, machine: Callable[..., Machine], ledger: Installations
):
    (path,) = install.paths(client, machine(), "user")
    where = install.place(client, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = filled(client, STATES["comments"][client.format])
    path.write_text(before)
    put(where, ledger)
    newer = replace(SERVER, command="/elsewhere/mem-mcp")
    assert put(where, ledger, newer) == "earlier"
    assert "/elsewhere/mem-mcp" in path.read_text()
    assert SERVER.command not in path.read_text()
    assert take_out(where, ledger) == "earlier"
    assert path.read_text() == before


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_another_entry_of_our_name_is_told_and_comes_back(
    client: Client, machine: Callable[..., Machine], ledger: Installations
):
    (path,) = install.paths(client, machine(), "user")
    where = install.place(client, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    form = format_of(client.format)
    theirs = form.put("", where.keys, {"command": "/their/own", "args": ["x"]}).applied("")
    path.write_text(theirs)
    planned = install.plan(where, SERVER, ledger)
    assert planned.state == "different"
    assert "/their/own" in planned.difference
    assert "-" in planned.difference
    install.carry_out(planned, ledger)
    assert starts_ours(value(where))
    take_out(where, ledger)
    assert path.read_text() == theirs


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_server_is_reached_by_its_address_where_the_client_can(
    client: Client, machine: Callable[..., Machine], ledger: Installations
):
    (path,) = install.paths(client, machine(), "user")
    where = install.place(client, path)
    if client.http is None or not client.variable:
        with pytest.raises(InvalidInput, match=r"--url|--token-env"):
            put(where, ledger, HTTP)
        return
    put(where, ledger, HTTP)
    text = path.read_text()
    assert HTTP.url in text
    assert "TOKEN" in text
    assert put(where, ledger, HTTP) == "same"
    take_out(where, ledger)
    assert not path.exists()


def test_folders_that_were_made_go_if_they_are_empty(
    machine: Callable[..., Machine], ledger: Installations
):
    cursor = install.client_named("cursor")
    (path,) = install.paths(cursor, machine(), "project")
    assert path == machine().folder / ".cursor" / "mcp.json"
    put(install.place(cursor, path), ledger)
    take_out(install.place(cursor, path), ledger)
    assert here(machine().folder) == []


def test_a_file_of_ours_that_others_use_by_now_stays(
    machine: Callable[..., Machine], ledger: Installations
):
    cursor = install.client_named("cursor")
    (path,) = install.paths(cursor, machine(), "user")
    where = install.place(cursor, path)
    put(where, ledger)
    other = format_of("json").put(path.read_text(), ("mcpServers", "x"), {"command": "x"})
    path.write_text(other.applied(path.read_text()))
    assert take_out(where, ledger) == "earlier"
    assert value(install.place(cursor, path, "x")) == {"command": "x"}
    assert value(where) is None


def test_what_a_user_added_to_his_own_entry_stays(
    machine: Callable[..., Machine], ledger: Installations
):
    cursor = install.client_named("cursor")
    (path,) = install.paths(cursor, machine(), "user")
    path.parent.mkdir()
    path.write_text(
        '{"mcpServers": {"memory": {"command": "mem-mcp", "args": ["serve"], '
        '"env": {"MEM_MCP_TOOLS": "all"}, "disabled": true}}}'
    )
    where = install.place(cursor, path)
    planned = install.plan(where, SERVER, ledger)
    assert planned.state == "different"
    install.carry_out(planned, ledger)
    entry = value(where)
    assert isinstance(entry, dict)
    assert entry["command"] == SERVER.command
    assert entry["env"] == {"MEM_MCP_TOOLS": "all", "MEM_MCP_DATA_DIR": "/home/me/m"}
    assert entry["disabled"] is True
    assert put(where, ledger) == "same"


def test_a_second_name_for_the_server_is_told(
    machine: Callable[..., Machine], ledger: Installations
):
    codex = install.client_named("codex")
    (path,) = install.paths(codex, machine(), "user")
    put(install.place(codex, path, "mem"), ledger)
    assert install.plan(install.place(codex, path), SERVER, ledger).others == ("mem",)
    assert [one.keys[-1] for one in install.installed(codex, machine(), "user", ledger)] == ["mem"]


def test_an_entry_made_by_hand_is_not_ours_to_take(
    machine: Callable[..., Machine], ledger: Installations
):
    zed = install.client_named("zed")
    (path,) = install.paths(zed, machine(), "user")
    path.parent.mkdir(parents=True)
    path.write_text('{"context_servers": {"memory": {"command": "mem-mcp"}}}')
    where = install.place(zed, path)
    assert install.state_of(zed, path, ledger) == "by hand"
    assert take_out(where, ledger) == "different"
    assert path.read_text() == '{"context_servers": {}}'


def test_a_file_that_somebody_else_writes_meanwhile_is_not_overwritten(
    machine: Callable[..., Machine], ledger: Installations
):
    cursor = install.client_named("cursor")
    (path,) = install.paths(cursor, machine(), "user")
    path.parent.mkdir()
    path.write_text("{}")
    planned = install.plan(install.place(cursor, path), SERVER, ledger)
    path.write_text('{"mcpServers": {"new": {}}}')
    with pytest.raises(files.Changed):
        install.carry_out(planned, ledger)
    assert path.read_text() == '{"mcpServers": {"new": {}}}'


def test_claude_desktop_on_windows_gets_it_in_every_place_that_is_there(
    machine: Callable[..., Machine],
):
    windows = machine("windows")
    desktop = install.client_named("claude-desktop")
    assert not install.is_here(desktop, windows)
    package = windows.home / LOCAL / "Packages/Claude_x1y2/LocalCache/Roaming/Claude"
    old = windows.home / ROAMING / "Claude"
    for folder in (package, old):
        folder.mkdir(parents=True)
    assert install.is_here(desktop, windows)
    found = install.paths(desktop, windows, "user")
    assert [path.parent for path in found] == [package, old]


@pytest.mark.parametrize(
    ("client", "variables", "expected"),
    [
        ("codex", {"CODEX_HOME": "/c"}, "/c/config.toml"),
        ("copilot-cli", {"COPILOT_HOME": "/c"}, "/c/mcp-config.json"),
        ("claude-code", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("cline", {"CLINE_MCP_SETTINGS_PATH": "/c/x.json"}, "/c/x.json"),
        ("cline", {"CLINE_DATA_DIR": "/c"}, "/c/settings/cline_mcp_settings.json"),
        ("zed", {"XDG_CONFIG_HOME": "/c"}, "/c/zed/settings.json"),
        ("opencode", {"XDG_CONFIG_HOME": "/c"}, "/c/opencode/opencode.json"),
        ("kiro", {"KIRO_HOME": "/c"}, "/c/settings/mcp.json"),
    ],
)
def test_variables_that_move_a_file_are_followed(
    client: str, variables: dict[str, str], expected: str, machine: Callable[..., Machine]
):
    found = install.paths(install.client_named(client), machine(**variables), "user")
    assert found == [Path(expected)]


@pytest.mark.parametrize(
    ("client", "there", "expected"),
    [
        ("opencode", ".config/opencode/opencode.jsonc", ".config/opencode/opencode.jsonc"),
        ("devin", ".codeium/windsurf/x", ".codeium/windsurf/mcp_config.json"),
        ("lm-studio", ".cache/lm-studio/mcp.json", ".cache/lm-studio/mcp.json"),
    ],
)
def test_the_file_that_is_there_is_used(
    client: str, there: str, expected: str, machine: Callable[..., Machine]
):
    home = machine().home
    (home / there).parent.mkdir(parents=True)
    (home / there).touch()
    assert install.paths(install.client_named(client), machine(), "user") == [home / expected]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Claude Code", "claude-code"),
        ("claude_desktop", "claude-desktop"),
        ("VSCode", "vscode"),
        ("windsurf", "devin"),
        ("LM Studio", "lm-studio"),
        ("gemini", "gemini-cli"),
        ("JSON", "json"),
    ],
)
def test_a_client_is_known_by_any_of_its_names(name: str, expected: str):
    assert install.client_named(name).name == expected


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("claude", "claude-code or claude-desktop"),
        ("cursr", "cursor"),
        ("xyzzy", "one of claude-code"),
        ("", "one of claude-code"),
    ],
)
def test_a_client_that_is_not_known_is_answered_with_the_nearest(name: str, near: str):
    with pytest.raises(InvalidInput, match=near):
        install.client_named(name)


@pytest.mark.parametrize("name", ["a b", "ü", "a.b", "x" * 65, '"'])
def test_a_name_that_clients_refuse_is_refused(name: str):
    with pytest.raises(InvalidInput, match="--name"):
        install.place(ANY, Path("x"), name)


def test_goose_keeps_its_own_memory():
    goose = install.client_named("goose")
    assert install.place(goose, Path("x")).keys == ("extensions", "mem-mcp")
    with pytest.raises(InvalidInput, match="of its own"):
        install.place(goose, Path("x"), "memory")


def test_the_home_folder_is_no_project(machine: Callable[..., Machine]):
    at_home = replace(machine(), folder=machine().home)
    with pytest.raises(InvalidInput, match="home folder"):
        install.paths(install.client_named("cursor"), at_home, "project")
    with pytest.raises(InvalidInput, match="no file of a project"):
        install.paths(install.client_named("goose"), machine(), "project")


def test_a_ledger_that_is_damaged_is_named(tmp_path: Path, ledger: Installations):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clients.json").write_text("{")
    with pytest.raises(MemError, match=r"clients\.json: cannot be read"):
        ledger.of("cursor")


@pytest.mark.parametrize(
    "python",
    [
        "/home/me/.cache/uv/archive-v0/Xy_z/bin/python",
        "/home/me/.cache/uv/environments-v2/x/bin/python",
        "/home/me/.local/share/pipx/.cache/abc/bin/python",
        "/home/me/.cache/pipx/abc/bin/python",
        "/Users/me/Library/Caches/pipx/abc/bin/python",
        "/elsewhere/x/bin/python",
    ],
)
def test_from_a_cache_the_entry_names_this_version_by_uvx(
    python: str, machine: Callable[..., Machine]
):
    here_ = machine(UV_CACHE_DIR="/elsewhere")
    assert will_vanish(Path(python), here_.variables)
    with_uvx = replace(here_, program=lambda name: f"/usr/bin/{name}")
    server, notes = local_server(Path(python), "1.2.3", Path("/d"), with_uvx)
    assert [server.command, *server.arguments] == ["/usr/bin/uvx", "mem-mcp@1.2.3", "serve"]
    assert "emptied" in notes[0]
    with pytest.raises(MemError, match="uv tool install"):
        local_server(Path(python), "1.2.3", Path("/d"), here_)


@pytest.mark.parametrize(
    "python",
    [
        "/home/me/.local/share/uv/tools/mem-mcp/bin/python",
        "/home/me/.local/share/pipx/venvs/mem-mcp/bin/python",
        "/cache/pipx/venvs/mem-mcp/bin/python",
        "/home/me/archive/.venv/bin/python",
    ],
)
def test_an_installation_that_stays_is_named_by_its_path(python: str):
    assert not will_vanish(Path(python), {})


def test_the_entry_names_the_installed_program(tmp_path: Path, machine: Callable[..., Machine]):
    python = tmp_path / "bin" / "python"
    server, notes = local_server(python, "1", Path("/d"), machine(HOME="/h"))
    assert [server.command, *server.arguments] == [str(python), "-m", "mem_mcp", "serve"]
    assert notes == []
    python.parent.mkdir()
    python.with_name("mem-mcp").touch()
    server, _ = local_server(python, "1", Path("/d"), machine())
    assert [server.command, *server.arguments] == [str(python.with_name("mem-mcp")), "serve"]


def test_the_entry_has_the_folder_of_the_memory_but_no_keys(machine: Callable[..., Machine]):
    named = machine(
        MEM_MCP_DATA_DIR="~/m", MEM_MCP_CONFIG="c.yaml", MEM_MCP_LLM__API_KEY="sk-secret"
    )
    server, notes = local_server(Path("/p/python"), "1", Path("/home/me/m"), named)
    config = str(named.folder / "c.yaml")
    assert server.variables == {"MEM_MCP_DATA_DIR": "/home/me/m", "MEM_MCP_CONFIG": config}
    assert "MEM_MCP_LLM__API_KEY" in notes[0]
    assert "sk-secret" not in notes[0]


def test_on_windows_the_memory_is_kept_where_every_client_sees_it(
    machine: Callable[..., Machine],
):
    server, notes = local_server(Path("/p/python"), "1", Path("/d"), machine("windows"))
    assert server.variables == {"MEM_MCP_DATA_DIR": str(machine().home / ".mem-mcp")}
    assert "MEM_MCP_DATA_DIR" in notes[0]


def test_what_a_client_adds_to_a_new_file_leaves_no_copy_behind(
    machine: Callable[..., Machine], ledger: Installations
):
    opencode = install.client_named("opencode")
    (path,) = install.paths(opencode, machine(), "user")
    where = install.place(opencode, path)
    put(where, ledger)
    path.write_text(path.read_text().replace("{", '{\n  "$schema": "x",', 1))
    assert take_out(where, ledger) == "earlier"
    assert '"$schema": "x"' in path.read_text()
    assert here(path.parent) == [path.name]
