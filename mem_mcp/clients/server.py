"""How a client starts, or reaches, the server, and what its entry for it looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, TypeAlias

from mem_mcp.clients.machine import Machine
from mem_mcp.errors import MemError

_CACHES = re.compile(r"(archive|environments|builds)-v\d+")
"""Folders in uv's cache."""
_NAMES_OF_CACHES = frozenset({".cache", "cache", "caches"})
PROGRAM = "mem-mcp"
_DATA_DIR = "MEM_MCP_DATA_DIR"
_CONFIG = "MEM_MCP_CONFIG"


class Slot(Enum):
    """What is filled into the shape of an entry."""

    COMMAND = "command"
    ARGUMENTS = "args"
    LINE = "the command and its arguments, as one list"
    VARIABLES = "env"
    NAME = "name"
    URL = "url"
    HEADERS = "headers"
    TOKEN_VARIABLE = "the name of the variable that holds the token"  # noqa: S105 - no token
    TOKEN_VARIABLES = "the same, as a list"  # noqa: S105 - no token


Shape: TypeAlias = Mapping[str, Any]
"""An entry, with slots in it; those that stay empty are left out."""


@dataclass(frozen=True)
class MemoryServer:
    """A server that a client starts, or (with a url) reaches."""

    command: str = ""
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    token_variable: str = ""

    def entry(self, shape: Shape, name: str, variable: str) -> dict[str, Any]:
        """Return the entry of a client.

        Args:
            shape: that of its entries.
            name: what the server is called there.
            variable: how the file names a variable, NAME standing for its name.
        """
        bearer = f"Bearer {variable.replace('NAME', self.token_variable)}"
        filled: Mapping[Slot, Any] = {
            Slot.COMMAND: self.command,
            Slot.ARGUMENTS: [*self.arguments],
            Slot.LINE: [self.command, *self.arguments],
            Slot.VARIABLES: dict(self.variables),
            Slot.NAME: name,
            Slot.URL: self.url,
            Slot.HEADERS: {"Authorization": bearer} if self.token_variable else {},
            Slot.TOKEN_VARIABLE: self.token_variable,
            Slot.TOKEN_VARIABLES: [self.token_variable] if self.token_variable else [],
        }
        return {
            key: filled[part] if isinstance(part, Slot) else part
            for key, part in shape.items()
            if not isinstance(part, Slot) or filled[part]
        }


def starts_ours(entry: Any) -> bool:  # noqa: ANN401 - whatever a file holds
    """Return whether an entry, of whatever shape, starts this program."""
    if not isinstance(entry, Mapping):
        return False
    command = entry.get("command", entry.get("cmd", ""))
    words = [command] if isinstance(command, str) else command
    if not isinstance(words, list):
        return False
    arguments = entry.get("args")
    words = [*words, *(arguments if isinstance(arguments, list) else ())]
    return any(_is_ours(word) for word in words if isinstance(word, str))


def _is_ours(word: str) -> bool:
    name = re.split(r"[\\/]", word)[-1].lower().removesuffix(".exe").partition("@")[0]
    return name in (PROGRAM, "mem_mcp")


def will_vanish(python: PurePath, variables: Mapping[str, str]) -> bool:
    """Return whether the environment of a Python is a cache of uvx or pipx run, made to be emptied.

    Args:
        python: its path.
        variables: the environment's variables, which may move these caches.
    """
    for name in ("UV_CACHE_DIR", "PIPX_VENV_CACHEDIR"):
        if variables.get(name) and python.is_relative_to(variables[name]):
            return True
    parts = [part.lower() for part in python.parts]
    in_pipx = "pipx" in parts and "venvs" not in parts and not _NAMES_OF_CACHES.isdisjoint(parts)
    return in_pipx or any(_CACHES.fullmatch(part) for part in parts)


def local_server(
    python: Path, version: str, data_dir: Path, machine: Machine
) -> tuple[MemoryServer, list[str]]:
    """Return how clients start the server of this installation, and what a user should know of it.

    Args:
        python: the interpreter of the installation.
        version: of this program.
        data_dir: the folder that the store is in here.
        machine: the one it is on.

    Raises:
        MemError: the installation is about to vanish, and there is nothing to start it anew with.
    """
    notes = []
    variables = {}
    if machine.variables.get(_DATA_DIR):
        variables[_DATA_DIR] = str(data_dir)
    elif machine.system == "windows":
        # What a packaged client starts sees an AppData of its own; the others would not find it.
        variables[_DATA_DIR] = str(machine.home / ".mem-mcp")
        notes.append(f"clients keep the memory in {variables[_DATA_DIR]}: set {_DATA_DIR} to it")
    if config := machine.variables.get(_CONFIG):
        variables[_CONFIG] = str((machine.folder / Path(config).expanduser()).absolute())
    left = sorted(
        name
        for name in machine.variables
        if name.startswith("MEM_MCP_") and name not in (_DATA_DIR, _CONFIG)
    )
    if left:
        notes.append(f"not passed on: {', '.join(left)}; write them into the file of {_CONFIG}")
    if will_vanish(python, machine.variables):
        uvx = machine.program("uvx")
        if uvx is None:
            raise MemError(
                f"{python} is in a cache that is emptied some time: install {PROGRAM} for good "
                f"(uv tool install {PROGRAM}, or pipx install {PROGRAM}), and then again"
            )
        notes.append(
            f"it runs from a cache that is emptied some time, so clients start it with uvx; uv "
            f"tool install {PROGRAM}, and then this again, makes it start faster"
        )
        return MemoryServer(uvx, (f"{PROGRAM}@{version}", "serve"), variables), notes
    script = python.with_name(f"{PROGRAM}.exe" if machine.system == "windows" else PROGRAM)
    if script.exists():
        return MemoryServer(str(script), ("serve",), variables), notes
    return MemoryServer(str(python), ("-m", "mem_mcp", "serve"), variables), notes
