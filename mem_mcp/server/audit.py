"""A line for each write: who, which memories, what, through which client, when; never a text."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context
from pydantic import BaseModel

from mem_mcp.api.models import (
    FeedbackResult,
    ForgetResult,
    OutcomeResult,
    RememberResult,
    UpdateResult,
)
from mem_mcp.errors import ConfigError, InvalidInput, NotFound, NotPermitted, QuotaExceeded
from mem_mcp.server.callers import client_of
from mem_mcp.server.log_lines import FIELDS, JSONLines

_LOG = "log"
_STORED_NOTHING = (InvalidInput, NotFound, NotPermitted, QuotaExceeded)


class Audit:
    """Notes writes in the log or in a file; a file that was moved away is made anew.

    Args:
        place: as the setting `audit` names it.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, place: str) -> None:
        self._logger: logging.Logger | None = None
        if not place:
            return
        # Not among the loggers that others find by their names: each place has its own.
        self._logger = logging.Logger("mem_mcp.audit", logging.INFO)
        self._logger.parent = logging.getLogger()
        if place != _LOG:
            self._logger.propagate = False
            self._logger.addHandler(_file(place))

    def close(self) -> None:
        """Close the file, if there is one; nothing is noted afterwards."""
        for handler in [] if self._logger is None else self._logger.handlers:
            handler.close()
        self._logger = None

    @contextmanager
    def writing(self, operation: str, user: str, context: Context[Any, Any]) -> Iterator[Written]:
        """Note what the body of a `with` statement wrote.

        What fails in the middle is noted, too, since a part may be stored; what was refused is not.

        Args:
            operation: name of the tool.
            user: who writes.
            context: of the call.
        """
        written = Written()
        try:
            yield written
        except _STORED_NOTHING:
            raise
        except BaseException:
            self._note(operation, user, context, [], "failed")
            raise
        if written.memory_ids:
            self._note(operation, user, context, written.memory_ids, "done")

    def _note(
        self,
        operation: str,
        user: str,
        context: Context[Any, Any],
        memory_ids: Sequence[str],
        outcome: str,
    ) -> None:
        if self._logger is None:
            return
        token = get_access_token()
        fields = {
            "operation": operation,
            "outcome": outcome,
            "user": user,
            "memory_ids": list(memory_ids),
            "client": client_of(context),
            "token": token.client_id if token else None,
        }
        known = {name: value for name, value in fields.items() if value is not None}
        # Quoted: a name with a line break must not look like another line.
        text = " ".join(f"{name}={json.dumps(value)}" for name, value in known.items())
        self._logger.info("%s", text, extra={FIELDS: known})


class Written:
    """What a write changed."""

    def __init__(self) -> None:
        self.memory_ids: list[str] = []

    def result(self, result: BaseModel) -> None:
        """Take the ids of the memories that a tool's result says were changed."""
        match result:
            case RememberResult():
                changed = [one.memory_id for one in result.results if one.event != "NONE"]
            case FeedbackResult():
                changed = [one.memory_id for one in result.results]
            case ForgetResult():
                changed = [] if result.dry_run else result.memory_ids
            case OutcomeResult():
                changed = [result.memory_id]
            case UpdateResult():
                changed = [] if result.event == "NONE" else [result.memory_id]
            case _:
                changed = []
        self.memory_ids = list(dict.fromkeys(changed))


def _file(place: str) -> WatchedFileHandler:
    try:
        # For the server's user alone.
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = WatchedFileHandler(place, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"audit: {place!r} cannot be written ({error.strerror}); name a file in a folder that "
            "is there and can be written to, or log"
        ) from error
    handler.setFormatter(JSONLines())
    return handler
