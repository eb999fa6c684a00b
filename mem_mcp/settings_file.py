"""The YAML file of settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mem_mcp.errors import ConfigError
from mem_mcp.paths import local_path

if TYPE_CHECKING:
    from yaml import MappingNode

VARIABLE = "MEM_MCP_CONFIG"
"""Names the file."""


def named_file() -> Path | None:
    """Return the file that the environment names; None where it names none.

    Raises:
        ConfigError: what is named is no path.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    try:
        return local_path(named)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """Read the file's settings, none of them checked; what is left empty is left out.

    Raises:
        ConfigError: it cannot be read, or is no YAML of names and values, each name once.
    """
    import yaml  # noqa: PLC0415 - most starts need no file

    class Loader(yaml.SafeLoader):
        """Of names that stand twice YAML would silently take the last."""

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in names:
                    line = key.start_mark.line + 1
                    raise ConfigError(f"{path}: {key.value} stands again in line {line}; keep one")
                names.add(str(key.value))
            return super().construct_mapping(node, deep)

    try:
        content = yaml.load(_bytes(path), Loader)  # noqa: S506 - it is the safe one's child
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as that") from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}: {_problem(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be settings and their values, like user_id: ann")
    return _filled_in(content, path)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{VARIABLE}: there is no file {str(path)!r}") from error
    except OSError as error:
        raise ConfigError(f"{VARIABLE}: {str(path)!r}: {error.strerror}") from error


def _filled_in(part: dict[Any, Any], path: Path) -> dict[str, Any]:
    for name in part:
        if not isinstance(name, str):
            raise ConfigError(f"{path}: {name!r} is no setting; write it as text")
    # As with variables; and a section whose lines are all comments is nothing in YAML.
    return {
        name: _filled_in(value, path) if isinstance(value, dict) else value
        for name, value in part.items()
        if value is not None
    }


def _problem(error: Any) -> str:  # noqa: ANN401 - yaml comes with its user
    line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
    if "\\t" in str(error.problem):
        return f"has a tab{line}; indent with spaces"
    return f"is not YAML{line}: {error.problem}"
