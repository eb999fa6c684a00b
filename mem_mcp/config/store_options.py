"""How an object store is reached: the options of `store.options`, in every form they are given in.

Keys and passwords are none of them: those are in the provider's own variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches

SCHEMES = ("s3", "gs", "az", "db")
NAMES = (
    "endpoint", "region", "path_style", "allow_http", "timeout", "connect_timeout", "retries",
)  # fmt: skip
"""endpoint: address of the server. region: of the bucket. path_style: the bucket is in the path of
an address, else in its host's name. allow_http: without encryption, too. timeout, connect_timeout:
seconds of one request, and until it is connected. retries: of one request."""
_FLAGS = ("path_style", "allow_http")
_SECONDS = ("timeout", "connect_timeout")
_WORDS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
_MOST_SECONDS = 3_600
_MOST_RETRIES = 100


def checked_address(uri: str) -> str:
    """Return the address of a store, such as s3://bucket/folder; empty stays empty.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    uri = uri.strip()
    if not uri:
        return ""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise ValueError("must start with s3://, gs://, az:// or db://, or be empty")
    if "@" in rest.partition("/")[0]:
        raise ValueError("has a name or key before @; keys belong in the provider's own variables")
    if not re.fullmatch(r"[^\s/?#][^\s?#]*", rest):
        raise ValueError(
            f"must name a bucket, as in {scheme}://bucket/folder, without blanks, ?, #"
        )
    return f"{scheme.lower()}://{rest.rstrip('/')}"


def checked_options(given: object) -> object:
    """Return options by name, each as text; they may be given as such, as JSON or as `name=value`.

    Raises:
        ValueError: there is no such option, or a value is wrong.
    """
    if isinstance(given, str):
        given = _parsed(given)
    if not isinstance(given, Mapping):
        return given
    options = {}
    for each, value in given.items():
        name = str(each).strip().lower()
        if name not in NAMES:
            raise ValueError(_no_such(name))
        options[name] = _checked(name, str(value).strip())
    if options.get("endpoint", "").startswith("http:") and options.get("allow_http") != "true":
        raise ValueError(
            "endpoint is http://, which is not encrypted; set allow_http, too, or https://"
        )
    return options


def _parsed(text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError("is no JSON; write name=value, separated by commas") from error
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not separator for _, separator, _ in pairs):
        raise ValueError("must be name=value, separated by commas, or JSON")
    return {name: value for name, _, value in pairs}


def _no_such(name: str) -> str:
    if _SECRET.search(name):
        return (
            f"{name} is a secret; set the provider's own variable, such as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY"
        )
    near = get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"no option {name!r}; {hint}allowed: {', '.join(NAMES)}"


def _checked(name: str, value: str) -> str:
    if name == "endpoint" and not re.fullmatch(r"https?://[^\s@]+", value):
        raise ValueError(f"endpoint {value!r} is not an http:// or https:// address, without keys")
    if name == "region" and not re.fullmatch(r"[\w-]+", value):
        raise ValueError(f"region {value!r} is not one name, such as eu-central-1")
    if name in _FLAGS:
        if value.lower() not in _WORDS:
            raise ValueError(f"{name} must be true or false, not {value!r}")
        return _WORDS[value.lower()]
    if name in _SECONDS and not _between(value, 0.1, _MOST_SECONDS):
        raise ValueError(f"{name} must be seconds, 0.1 to {_MOST_SECONDS}, not {value!r}")
    if name == "retries" and not (value.isdecimal() and int(value) <= _MOST_RETRIES):
        raise ValueError(f"retries must be a whole number, 0 to {_MOST_RETRIES}, not {value!r}")
    return value


def _between(text: str, least: float, most: float) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False
