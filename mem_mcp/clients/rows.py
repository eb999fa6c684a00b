"""The clients, each a row of data; one more client is one more row, and a row in its test.

Places are of autumn 2026, from the clients' own documentation. What is easily mistaken: VS Code
ignores `mcpServers` without a word; a `url` without a `type` is read as stdio by Claude Code; Zed
keeps its settings in ~/.config on macOS, too; Goose has a builtin extension named memory; Claude
Desktop on Windows reads a folder inside its package, which redirects AppData for what it starts.

Only Claude Code is told by its own command: its sessions write its file all the time. The commands
of others (codex mcp add, gemini mcp add, code --add-mcp) do no more than we do, and lose line ends
or cannot take an entry out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mem_mcp.clients.machine import System
from mem_mcp.clients.own_command import OwnCommand
from mem_mcp.clients.server import Shape, Slot

Places = Mapping[System, tuple[str, ...]]

_COMMAND: Shape = {
    "command": Slot.COMMAND,
    "args": Slot.ARGUMENTS,
    "env": Slot.VARIABLES,
}
_URL: Shape = {"url": Slot.URL, "headers": Slot.HEADERS}


@dataclass(frozen=True, eq=False)
class Client:
    """One client: where its file is, how an entry looks in it, and how it is found."""

    name: str
    title: str
    places: Places
    """Patterns of the user's file, the newest place first; see Machine.places."""
    key: tuple[str, ...]
    """Leads to the servers in the file."""
    stdio: Shape
    http: Shape | None
    """The shape of an entry with a url; None if the client takes none."""
    reload: str
    """How it is made to read its file."""
    project: tuple[str, ...] = ()
    """The file of a project, under its names; empty if it reads none."""
    format: str = "json"
    variable: str = ""
    """How its file names a variable, with NAME for the name; empty if it cannot."""
    moved_by: tuple[str, ...] = ()
    """Patterns with variables that put the file elsewhere."""
    in_every_place: bool = False
    """Whether the entry goes to all places that are there, and not to the first."""
    programs: tuple[str, ...] = ()
    """Programs on the PATH that tell that it is here."""
    folders: tuple[str, ...] = ()
    """Folders that tell it, beside those of its file."""
    is_told_by_place: bool = True
    """Whether the folder of its file tells that it is here."""
    server_name: str = "memory"
    taken: frozenset[str] = frozenset()
    """Names that servers must not have there."""
    also: tuple[str, ...] = ()
    """Other names by which people call it."""
    own: OwnCommand | None = None


def _everywhere(*patterns: str) -> Places:
    return {"linux": patterns, "macos": patterns, "windows": patterns}


def _vscode(name: str, title: str, folder: str, program: str, also: tuple[str, ...]) -> Client:
    return Client(
        name=name,
        title=title,
        places={
            "linux": (f"~/.config/{folder}/User/mcp.json",),
            "macos": (f"~/Library/Application Support/{folder}/User/mcp.json",),
            "windows": (f"$APPDATA/{folder}/User/mcp.json",),
        },
        project=(".vscode/mcp.json",),
        key=("servers",),
        stdio={"type": "stdio", **_COMMAND},
        http={"type": "http", **_URL},
        variable="${env:NAME}",
        programs=(program,),
        also=also,
        reload="in VS Code: MCP: List Servers, memory, Start Server, and trust it once",
    )


CLIENTS: tuple[Client, ...] = (
    Client(
        name="claude-code",
        title="Claude Code",
        places=_everywhere("~/.claude.json"),
        moved_by=("$CLAUDE_CONFIG_DIR/.claude.json",),
        project=(".mcp.json",),
        key=("mcpServers",),
        stdio={"type": "stdio", **_COMMAND},
        http={"type": "http", **_URL},
        variable="${NAME}",
        programs=("claude",),
        folders=("~/.claude",),
        is_told_by_place=False,
        reload="start a new session of Claude Code; /mcp shows it",
        own=OwnCommand(
            program="claude",
            says="Claude Code",
            # The option between a variable and the name: a name after --env counts as a variable.
            add=(
                *("mcp", "add", "VARIABLES", "--scope", "user", "--transport", "stdio"),
                *("NAME", "--", "COMMAND"),
            ),
            remove=("mcp", "remove", "NAME", "--scope", "user"),
            variable="--env",
        ),
    ),
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        places={
            "linux": ("~/.config/Claude/claude_desktop_config.json",),
            "macos": ("~/Library/Application Support/Claude/claude_desktop_config.json",),
            "windows": (
                "$LOCALAPPDATA/Claude-Data/claude_*/claude_desktop_config.json",
                "$LOCALAPPDATA/Packages/Claude_*/LocalCache/Roaming/Claude/"
                "claude_desktop_config.json",
                "$APPDATA/Claude/claude_desktop_config.json",
            ),
        },
        in_every_place=True,
        key=("mcpServers",),
        stdio=_COMMAND,
        http=None,
        reload="quit Claude Desktop wholly (not only its window), and start it",
    ),
    Client(
        name="codex",
        title="Codex",
        places=_everywhere("~/.codex/config.toml"),
        moved_by=("$CODEX_HOME/config.toml",),
        project=(".codex/config.toml",),
        format="toml",
        key=("mcp_servers",),
        stdio=_COMMAND,
        http={"url": Slot.URL, "bearer_token_env_var": Slot.TOKEN_VARIABLE},
        variable="NAME",
        programs=("codex",),
        reload="start a new session of Codex; /mcp shows it",
    ),
    Client(
        name="cursor",
        title="Cursor",
        places=_everywhere("~/.cursor/mcp.json"),
        project=(".cursor/mcp.json",),
        key=("mcpServers",),
        stdio={"type": "stdio", **_COMMAND},
        http=_URL,
        variable="${env:NAME}",
        programs=("cursor", "cursor-agent"),
        reload="in Cursor: Settings, MCP, and switch memory on; or restart it",
    ),
    _vscode("vscode", "VS Code", "Code", "code", ("code", "copilot-vscode", "visualstudiocode")),
    _vscode(
        "vscode-insiders",
        "VS Code Insiders",
        "Code - Insiders",
        "code-insiders",
        ("codeinsiders", "insiders"),
    ),
    Client(
        name="copilot-cli",
        title="Copilot CLI",
        places=_everywhere("~/.copilot/mcp-config.json"),
        moved_by=("$COPILOT_HOME/mcp-config.json",),
        project=(".github/mcp.json",),
        key=("mcpServers",),
        stdio={"type": "local", **_COMMAND, "tools": ["*"]},
        http={"type": "http", **_URL, "tools": ["*"]},
        programs=("copilot",),
        also=("copilot", "githubcopilot"),
        reload="start a new session of Copilot CLI; /mcp shows it",
    ),
    Client(
        name="devin",
        title="Devin Desktop (was Windsurf)",
        places={
            "linux": ("~/.config/devin/mcp_config.json", "~/.codeium/windsurf/mcp_config.json"),
            "macos": ("~/.config/devin/mcp_config.json", "~/.codeium/windsurf/mcp_config.json"),
            "windows": ("$APPDATA/devin/mcp_config.json", "~/.codeium/windsurf/mcp_config.json"),
        },
        project=(".devin/mcp_config.json",),
        key=("mcpServers",),
        stdio=_COMMAND,
        # The name that old versions know, too.
        http={"serverUrl": Slot.URL, "headers": Slot.HEADERS},
        variable="${env:NAME}",
        also=("windsurf", "codeium"),
        reload="in Devin: the MCP settings, Refresh; or restart it",
    ),
    Client(
        name="antigravity",
        title="Antigravity",
        places=_everywhere("~/.gemini/config/mcp_config.json"),
        project=(".agents/mcp_config.json",),
        key=("mcpServers",),
        stdio=_COMMAND,
        http={"serverUrl": Slot.URL, "headers": Slot.HEADERS},
        programs=("agy",),
        folders=("~/.gemini/antigravity-cli",),
        also=("agy",),
        reload="in Antigravity: Manage MCP Servers, Refresh; of agy, a new session",
    ),
    Client(
        name="gemini-cli",
        title="Gemini CLI",
        places=_everywhere("~/.gemini/settings.json"),
        project=(".gemini/settings.json",),
        key=("mcpServers",),
        stdio=_COMMAND,
        http={"httpUrl": Slot.URL, "headers": Slot.HEADERS},
        variable="${NAME}",
        programs=("gemini",),
        # Antigravity has this folder, too.
        is_told_by_place=False,
        also=("gemini",),
        reload="start a new session of Gemini CLI, in a folder that it trusts; /mcp shows it",
    ),
    Client(
        name="opencode",
        title="OpenCode",
        places=_everywhere("~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"),
        moved_by=(
            "$XDG_CONFIG_HOME/opencode/opencode.json",
            "$XDG_CONFIG_HOME/opencode/opencode.jsonc",
        ),
        project=("opencode.json", "opencode.jsonc"),
        key=("mcp",),
        stdio={
            "type": "local",
            "command": Slot.LINE,
            "environment": Slot.VARIABLES,
            "enabled": True,
            # It waits 5 s, in milliseconds: less than a cold start may take.
            "timeout": 30_000,
        },
        http={"type": "remote", **_URL, "enabled": True},
        variable="{env:NAME}",
        programs=("opencode",),
        reload="start a new session of OpenCode",
    ),
    Client(
        name="zed",
        title="Zed",
        places={
            "linux": ("~/.config/zed/settings.json",),
            "macos": ("~/.config/zed/settings.json",),
            "windows": ("$APPDATA/Zed/settings.json",),
        },
        moved_by=("$XDG_CONFIG_HOME/zed/settings.json",),
        project=(".zed/settings.json",),
        key=("context_servers",),
        stdio={"source": "custom", **_COMMAND},
        http=_URL,
        programs=("zed", "zeditor"),
        reload="nothing: Zed reads its settings when they are saved",
    ),
    Client(
        name="cline",
        title="Cline",
        places=_everywhere("~/.cline/data/settings/cline_mcp_settings.json"),
        moved_by=(
            "$CLINE_MCP_SETTINGS_PATH",
            "$CLINE_DATA_DIR/settings/cline_mcp_settings.json",
        ),
        key=("mcpServers",),
        stdio={**_COMMAND, "disabled": False},
        http={"type": "streamableHttp", **_URL},
        programs=("cline",),
        folders=("~/.cline", "~/.vscode/extensions/saoudrizwan.claude-dev-*"),
        reload="nothing: Cline reads its file when it is saved",
    ),
    Client(
        name="goose",
        title="Goose",
        places={
            "linux": ("~/.config/goose/config.yaml",),
            "macos": ("~/.config/goose/config.yaml",),
            "windows": ("$APPDATA/Block/goose/config/config.yaml",),
        },
        format="yaml",
        key=("extensions",),
        stdio={
            "name": Slot.NAME,
            "type": "stdio",
            "cmd": Slot.COMMAND,
            "args": Slot.ARGUMENTS,
            "envs": Slot.VARIABLES,
            "enabled": True,
            "timeout": 300,
        },
        http={
            "name": Slot.NAME,
            "type": "streamable_http",
            "uri": Slot.URL,
            "headers": Slot.HEADERS,
            "env_keys": Slot.TOKEN_VARIABLES,
            "enabled": True,
            "timeout": 300,
        },
        variable="${NAME}",
        programs=("goose",),
        server_name="mem-mcp",
        taken=frozenset({"memory"}),
        reload="start a new session of Goose",
    ),
    Client(
        name="lm-studio",
        title="LM Studio",
        places=_everywhere("~/.lmstudio/mcp.json", "~/.cache/lm-studio/mcp.json"),
        key=("mcpServers",),
        stdio=_COMMAND,
        http=_URL,
        programs=("lms",),
        reload="nothing: LM Studio reads its file when it is saved",
    ),
    Client(
        name="junie",
        title="Junie",
        places=_everywhere("~/.junie/mcp/mcp.json"),
        project=(".junie/mcp/mcp.json",),
        key=("mcpServers",),
        stdio=_COMMAND,
        http=_URL,
        programs=("junie",),
        folders=("~/.junie",),
        reload="restart Junie, or the IDE that it is in",
    ),
    Client(
        name="kiro",
        title="Kiro",
        places=_everywhere("~/.kiro/settings/mcp.json"),
        moved_by=("$KIRO_HOME/settings/mcp.json",),
        project=(".kiro/settings/mcp.json",),
        key=("mcpServers",),
        stdio={**_COMMAND, "disabled": False},
        http={**_URL, "disabled": False},
        variable="${NAME}",
        programs=("kiro", "kiro-cli"),
        folders=("~/.kiro",),
        reload="nothing: Kiro reads its file when it is saved",
    ),
)
"""In the order in which they are listed."""

ANY = Client(
    name="json",
    title="any other client",
    places=_everywhere(),
    key=("mcpServers",),
    stdio=_COMMAND,
    http=_URL,
    reload="put it into the file of your client, and restart that",
)
"""For a client that is not in the list: the form that most take."""
