"""Read the settings from every source; an error names the wrong one and what is allowed."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from mem_mcp.config import paths
from mem_mcp.config.section import Section
from mem_mcp.config.settings import CONFIG_VARIABLE, PREFIX, Settings, did_you_mean
from mem_mcp.errors import ConfigError

_log = logging.getLogger(__name__)

_LONGEST = 80
# The values of this setting are secrets, so no message repeats them.
_SECRET = "auth.tokens"  # noqa: S105 - a setting's name
_KEYS = ("api_key", "apikey", "key", "token")
_KEY_HINT = "a key belongs in the provider's own variable, such as OPENAI_API_KEY"
_ADDRESSES = ("api_base", "issuer", "resource_url")
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text; write it in quotes",
    "list": "a list of names",
    "dict": "names and their values",
    "model": "a section; write its settings below it, indented",
}
"""The first word of pydantic's name for a type error, and what the value must be."""
_TYPE_ERRORS = ("type", "parsing", "float", "number", "size")
"""The last word of such a name."""


def load_settings(arguments: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from every source.

    Args:
        arguments: values that override the environment and the file; None counts as absent.

    Raises:
        ConfigError: a setting or the file is wrong; one line names it and what is allowed.
    """
    _refuse_unknown_variables()
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    except SettingsError as error:  # the one setting that is JSON in the environment
        raise ConfigError(f"auth.tokens: is not JSON ({variable('auth.tokens')})") from error
    try:
        if not settings.storage_uri:
            paths.check_folder(settings.data_dir)
    except ValueError as error:
        raise ConfigError(f"data_dir: {error} ({variable('data_dir')})") from error
    for remark in settings.remarks:
        _log.warning("%s", remark)
    return settings


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> dict[str, Any]:
    """Return every setting as `section.name`, with its default."""
    names: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= setting_names(field.annotation, f"{prefix}{name}.")
        else:
            names[prefix + name] = field.get_default(call_default_factory=True)
    return names


def variable(setting: str) -> str:
    """Return the environment variable of a setting such as `store.durability`."""
    return PREFIX + setting.upper().replace(".", "__")


def _refuse_unknown_variables() -> None:
    known = {variable(name) for name in setting_names()} | {CONFIG_VARIABLE}
    for name, value in os.environ.items():
        if value and name.startswith(PREFIX) and name not in known:
            last = name.rpartition("__")[2]
            hint = _KEY_HINT if last.lower() in _KEYS else did_you_mean(name, known)
            allowed = hint or "allowed: " + ", ".join(sorted(known))
            raise ConfigError(f"{name}: no such setting; {allowed}")


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if name.startswith(f"{_SECRET}."):  # a token is the name of its user
        return f"{_SECRET}: must be tokens and the users' names"
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if first["type"] == "extra_forbidden":
        message = _no_such_setting(name)
    elif first["type"] == "string_pattern_mismatch":
        wanted = "an http:// or https:// address" if name.endswith(_ADDRESSES) else "one name"
        message = f"{first['input']!r} is not {wanted}, without spaces"
    elif wanted := _wanted(first["type"]):
        secret = name.startswith(_SECRET)
        message = f"must be {wanted}" if secret else _is_not(first["input"], wanted)
    elif first["type"] == "literal_error":
        allowed = first["ctx"]["expected"].replace(" or ", ", ")
        message = f"{first['input']!r} is not one of {allowed}"
    return f"{name}: {message}"


def _no_such_setting(name: str) -> str:
    known: Collection[str] = setting_names()
    section, _, last = name.rpartition(".")
    if name in known:
        return f"no setting of that form; write {last} below {section}:, indented"
    if last.lower() in _KEYS:
        return f"no such setting; {_KEY_HINT}"
    level = [other for other in known if other.startswith(f"{section}.")] if section else known
    hint = did_you_mean(name, level) or did_you_mean(name, known)
    return " ".join(("no such setting;", *filter(None, [hint]), f"allowed: {', '.join(level)}"))


def _wanted(error_type: str) -> str:
    first, _, rest = error_type.partition("_")
    return _WANTED.get(first, "") if rest.rpartition("_")[2] in _TYPE_ERRORS else ""


def _is_not(given: Any, wanted: str) -> str:  # noqa: ANN401 - any value of a YAML file
    if given is None:
        return f"nothing is written, and it must be {wanted}; leave the line out for the default"
    shown = repr(given)
    return f"{shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'} is not {wanted}"
