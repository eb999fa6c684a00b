"""What an installation depends on of the machine: its system, home, variables and programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

System = Literal["linux", "macos", "windows"]
_WINDOWS = {"APPDATA": "AppData/Roaming", "LOCALAPPDATA": "AppData/Local"}
"""Where the folders of these variables are, should they not be set."""


@dataclass(frozen=True)
class Machine:
    """A machine as a user's programs see it."""

    system: System
    home: Path
    folder: Path
    """The current one, which project files are in."""
    variables: Mapping[str, str] = field(default_factory=dict)
    program: Callable[[str], str | None] = lambda _: None
    """Returns the path of a program; None if there is none of that name."""

    def places(self, pattern: str) -> list[Path]:
        """Return the paths that a pattern names; none if it starts with a variable that is not set.

        Args:
            pattern: starts with ~, $NAME or neither (then in the current folder); * in the name of
                a folder stands for any that is there.
        """
        first, _, rest = pattern.partition("/")
        if first == "~":
            base: Path | None = self.home
        elif first.startswith("$"):
            base = self._named(first[1:])
        else:
            base, rest = self.folder, pattern
        if base is None:
            return []
        if "*" not in rest:
            return [base / rest if rest else base]
        folders, _, tail = rest.rpartition("*")
        step, _, after = tail.partition("/")
        return [found / after for found in sorted(base.glob(f"{folders}*{step}"))]

    def _named(self, name: str) -> Path | None:
        if value := self.variables.get(name):
            return Path(value)
        if self.system == "windows" and name in _WINDOWS:
            return self.home / _WINDOWS[name]
        return None


def this_machine() -> Machine:
    """Return the machine that we run on."""
    systems: dict[str, System] = {"win32": "windows", "darwin": "macos"}
    return Machine(
        system=systems.get(sys.platform, "linux"),
        home=Path.home(),
        folder=Path.cwd(),
        variables=dict(os.environ),
        program=shutil.which,
    )
