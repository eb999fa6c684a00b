"""The YAML file of settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mem_mcp.config.paths import local_path
from mem_mcp.errors import ConfigError

if TYPE_CHECKING:
    from yaml import MappingNode

VARIABLE = "MEM_MCP_CONFIG"
"""Environment variable that names the file."""


def named_file() -> Path | None:
    """Return the path in the environment variable; None if it is not set.

    Raises:
        ConfigError: the variable holds no path.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    try:
        return local_path(named)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """Read the settings in a file as nested dicts, without checks; null values are left out.

    Raises:
        ConfigError: the file cannot be read, is no YAML of names and values, or repeats a name.
    """
    import yaml  # noqa: PLC0415 - most starts need no file

    class Loader(yaml.SafeLoader):
        """Refuses repeated names; YAML silently takes the last value."""

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in names:
                    line = key.start_mark.line + 1
                    raise ConfigError(f"{path}: {key.value} stands again in line {line}; keep one")
                names.add(str(key.value))
            return super().construct_mapping(node, deep)

    try:
        content = yaml.load(_bytes(path), Loader)  # noqa: S506 - a SafeLoader
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
    # Null counts as absent, like an empty variable: a section of comments alone is null in YAML.
    return {
        name: _filled_in(value, path) if isinstance(value, dict) else value
        for name, value in part.items()
        if value is not None
    }


def _problem(error: Any) -> str:  # noqa: ANN401 - yaml is imported in `read`
    line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
    if "\\t" in str(error.problem):
        return f"has a tab{line}; indent with spaces"
    return f"is not YAML{line}: {error.problem}"
