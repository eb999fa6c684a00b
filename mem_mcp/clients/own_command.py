"""The command by which a client enters a server into its own configuration."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mem_mcp.clients.machine import Machine
from mem_mcp.clients.server import MemoryServer

_SECONDS = 60


@dataclass(frozen=True)
class OwnCommand:
    """A client's command for the servers of its user; words in capitals are filled in."""

    program: str
    says: str
    """A word of what it prints for --version: others may have a program of that name."""
    add: tuple[str, ...]
    remove: tuple[str, ...]
    variable: str
    """The option before each NAME=VALUE of the server's environment."""

    def adding(self, server: MemoryServer, name: str) -> list[str]:
        """Return the command line that adds a server under a name."""
        variables = [
            word
            for key, value in server.variables.items()
            for word in (self.variable, f"{key}={value}")
        ]
        line = [server.command, *server.arguments]
        filled = {"NAME": [name], "VARIABLES": variables, "COMMAND": line}
        return [self.program, *(word for part in self.add for word in filled.get(part, [part]))]

    def removing(self, name: str) -> list[str]:
        """Return the command line that removes the server of a name."""
        return [self.program, *(name if part == "NAME" else part for part in self.remove)]

    def on(self, machine: Machine) -> OwnCommand | None:
        """Return the command with its path; None if the program is not there, or another one."""
        path = machine.program(self.program)
        # A batch file of Windows takes arguments apart in its own way.
        if path is None or path.lower().endswith((".cmd", ".bat", ".ps1")):
            return None
        version = _output([path, "--version"])
        return replace(self, program=path) if version and self.says in version else None


def ran(line: Sequence[str]) -> bool:
    """Run a command, without input; return whether it ended well."""
    return _output(line) is not None


def _output(line: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - a client that was found on the PATH
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
