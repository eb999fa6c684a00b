"""What a server writes on stderr, as text or as an object of JSON a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from mem_mcp.config import Settings

FIELDS = "fields"
"""Attribute of a record with further values by name."""


class JSONLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def start_log(settings: Settings) -> None:
    """Write what is logged on stderr, as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    is_json = settings.log_format == "json"
    handler.setFormatter(JSONLines() if is_json else logging.Formatter(logging.BASIC_FORMAT))
    logging.basicConfig(handlers=[handler], level=settings.log_level)
